//! A report with the rows that were made from it: what is drawn, exported and looked up.
//!
//! [`App::scene`] is the only way to get at rows. It remakes them if they belong to another report or another state of
//! the log, so that a row never stands for the wrong flow, whatever messages came meanwhile.

use std::net::IpAddr;
use std::sync::Arc;

use super::groups::GroupLine;
use super::table::Table;
use super::{App, View};
use crate::model::event::Event;
use crate::model::flow::FlowKey;
use crate::model::tracker::{Flow, Interface, Report, RuleReport};

/// The report that is shown, with its rows.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    app: &'a App,
    live: &'a Report,
}

/// The rows of a table over the items that they were made from.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, K, T: 'static> {
    /// Order, selection and scroll position.
    pub table: &'a Table<K, T>,
    items: &'a [T],
}

impl<'a, K: Clone + PartialEq, T> Rows<'a, K, T> {
    /// All items that are shown. Those on the screen are sorted; for the others see [`App::scene_in_order`].
    pub fn items(&self) -> impl Iterator<Item = &'a T> + use<'a, K, T> {
        let items = self.items;
        let rows = self.table.rows().iter();
        rows.filter_map(move |row| items.get(*row as usize))
    }

    /// The items on a page of this height, with their positions.
    pub fn page(&self, height: usize) -> impl Iterator<Item = (usize, &'a T)> + use<'a, K, T> {
        let offset = self.table.offset();
        (offset..).zip(self.items().skip(offset).take(height))
    }

    /// Whether nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.table.rows().is_empty()
    }
}

impl App {
    /// What is to be drawn; `live` is the tracker's current report. Clicks from here on refer to this scene.
    pub fn scene<'a>(&'a mut self, live: &'a Report) -> Scene<'a> {
        let still = self.still_report();
        let shown = still.as_deref().unwrap_or(live);
        self.refresh_rows(shown);
        self.remember_page(shown);
        Scene { app: self, live }
    }

    /// The same with all flows sorted, on the screen or not: for exports.
    pub fn scene_in_order<'a>(&'a mut self, live: &'a Report) -> Scene<'a> {
        let still = self.still_report();
        self.sort_all(still.as_deref().unwrap_or(live));
        self.scene(live)
    }

    /// How many lines of the detail have no room on the screen.
    pub(super) fn detail_overflow(&mut self, live: &Report) -> usize {
        let Some(screen) = self.screen() else {
            return 0;
        };
        let still = self.still_report();
        self.refresh_rows(still.as_deref().unwrap_or(live));
        let (_, height) = screen.cover();
        let detail = Scene { app: self, live }.detail(screen.width - 2);
        detail.sheet(height).height.saturating_sub(height).into()
    }

    /// The addresses that would be on the screen if it were drawn now.
    pub(super) fn addresses_on_screen(&mut self, live: &Report) -> Vec<IpAddr> {
        let still = self.still_report();
        self.refresh_rows(still.as_deref().unwrap_or(live));
        Scene { app: self, live }.addresses()
    }
}

impl<'a> Scene<'a> {
    /// The application.
    pub fn app(&self) -> &'a App {
        self.app
    }

    /// The current report, whatever is shown.
    pub fn live(&self) -> &'a Report {
        self.live
    }

    /// The report that is shown.
    pub fn shown(&self) -> &'a Report {
        let moment = self.app.moment();
        moment.map_or(self.live, |moment| moment.report())
    }

    fn rows<K, T>(table: &'a Table<K, T>, items: &'a [T]) -> Rows<'a, K, T> {
        Rows { table, items }
    }

    /// The flows that are shown; in views without flows, those of the Flows view.
    pub fn flows(&self) -> Rows<'a, FlowKey, Flow> {
        Self::rows(self.app.flow_table(), &self.shown().flows)
    }

    /// The interfaces.
    pub fn interfaces(&self) -> Rows<'a, u32, Interface> {
        Self::rows(self.app.interfaces().table(), &self.shown().interfaces)
    }

    /// The rules, in their own order.
    pub fn rules(&self) -> Rows<'a, Arc<str>, RuleReport> {
        Self::rows(self.app.interfaces().rules(), &self.shown().rules)
    }

    /// The events that are shown, in their view.
    pub fn events(&self) -> Rows<'a, u64, Event> {
        Self::rows(self.app.events().table(), self.app.shown_log().events())
    }

    /// The groups and flows on a page of this height, with their positions.
    pub fn groups(&self, height: usize) -> impl Iterator<Item = (usize, GroupLine<'a>)> {
        self.app.groups().page(self.shown(), height)
    }

    /// The selected flow, as long as it is listed; also where a filter leaves it out, if its detail is open.
    pub fn selected_flow(&self) -> Option<&'a Flow> {
        let flows = self.flows();
        let key = flows.table.selected()?;
        let is_it = |flow: &&Flow| flow.key == key;
        let position = flows.table.position();
        let in_its_row = position.and_then(|at| flows.items().nth(at)).filter(is_it);
        let anywhere = || self.shown().flows.iter().find(is_it);
        in_its_row.or_else(|| anywhere().filter(|_| self.app.mode().is_detail()))
    }

    /// The selected interface, as long as it is listed.
    pub fn selected_interface(&self) -> Option<&'a Interface> {
        let selected = self.app.interfaces().table().selected()?;
        let mut interfaces = self.shown().interfaces.iter();
        interfaces.find(|interface| interface.ifindex == selected)
    }

    /// Addresses on the screen without a known name; none unless names are shown, and none below what covers the table, where no
    /// names are shown.
    pub fn unnamed(&self) -> Vec<IpAddr> {
        let names = self.app.names.known();
        let Some(names) = names.filter(|_| !self.app.mode().covers_table()) else {
            return Vec::new();
        };
        let mut addresses = self.addresses();
        addresses.retain(|address| !names.contains_key(address));
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// The addresses in the table on the screen.
    fn addresses(&self) -> Vec<IpAddr> {
        let page = self.app.screen().map_or(0, |screen| screen.pages().body);
        let ends = |key: FlowKey| [key.source, key.destination];
        match self.app.view() {
            View::Flows | View::Loss => {
                let flows = self.flows().page(page).map(|(_, flow)| flow.key);
                flows.flat_map(ends).collect()
            }
            View::Groups => {
                let lines = self.groups(page);
                let of_line = |line| match line {
                    GroupLine::Flow(flow) => ends(flow.key).to_vec(),
                    GroupLine::Group(group, _) => group.key.address().into_iter().collect(),
                };
                lines.flat_map(|(_, line)| of_line(line)).collect()
            }
            View::Interfaces | View::Events => Vec::new(),
        }
    }
}
