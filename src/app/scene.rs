//! One reading with the rows that were made of it: what is drawn, exported and looked up.
//!
//! [`App::scene`] is the only way to rows. It makes them anew where they are of another report or of another list of
//! events, so that no row can stand for another flow, or where it stood before, whatever was told meanwhile.

use std::net::IpAddr;

use super::App;
use super::table::Table;
use crate::model::event::Event;
use crate::model::flow::FlowKey;
use crate::model::tracker::{Flow, Interface, Report, RuleReport};

/// A report that is shown, with its rows.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    app: &'a App,
    live: &'a Report,
}

/// The rows of a table, over the items that they were made of.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, K, T: 'static> {
    /// Order, selection and scroll position.
    pub table: &'a Table<K, T>,
    items: &'a [T],
}

impl<'a, K: Copy + PartialEq, T> Rows<'a, K, T> {
    /// All items that are shown; in order where they are on the screen, or all of them, see
    /// [`App::scene_in_order`].
    pub fn items(&self) -> impl Iterator<Item = &'a T> + use<'a, K, T> {
        let items = self.items;
        let rows = self.table.rows().iter();
        rows.filter_map(move |row| items.get(*row as usize))
    }

    /// The items on a page of this height, with their places among all.
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
    /// What is shown now; `live` is the tracker's report of now. A person who clicks means what this scene showed.
    pub fn scene<'a>(&'a mut self, live: &'a Report) -> Scene<'a> {
        let paused = self.paused_report();
        let shown = paused.as_deref().unwrap_or(live);
        self.keep_up(shown);
        self.remember_page(shown);
        Scene { app: self, live }
    }

    /// The same with all flows in order, on the screen or not: for exports.
    pub fn scene_in_order<'a>(&'a mut self, live: &'a Report) -> Scene<'a> {
        let paused = self.paused_report();
        self.sort_all(paused.as_deref().unwrap_or(live));
        self.scene(live)
    }

    /// The addresses on the screen, were it drawn now.
    pub(super) fn addresses_on_screen(&mut self, live: &Report) -> Vec<IpAddr> {
        let paused = self.paused_report();
        self.keep_up(paused.as_deref().unwrap_or(live));
        Scene { app: self, live }.addresses()
    }
}

impl<'a> Scene<'a> {
    /// What a person chose.
    pub fn app(&self) -> &'a App {
        self.app
    }

    /// The report of now, which is not the one shown where the screen is paused.
    pub fn live(&self) -> &'a Report {
        self.live
    }

    /// The report that is shown.
    pub fn shown(&self) -> &'a Report {
        let paused = self.app.paused();
        paused.map_or(self.live, |paused| paused.report())
    }

    fn rows<K, T>(table: &'a Table<K, T>, items: &'a [T]) -> Rows<'a, K, T> {
        Rows { table, items }
    }

    /// The flows that are shown; in views of something else those of the Flows view.
    pub fn flows(&self) -> Rows<'a, FlowKey, Flow> {
        Self::rows(self.app.flow_table(), &self.shown().flows)
    }

    /// The interfaces.
    pub fn interfaces(&self) -> Rows<'a, u32, Interface> {
        Self::rows(self.app.interfaces().table(), &self.shown().interfaces)
    }

    /// The rules, in their own order.
    pub fn rules(&self) -> Rows<'a, u32, RuleReport> {
        Self::rows(self.app.interfaces().rules(), &self.shown().rules)
    }

    /// The events that are shown, where the view is theirs.
    pub fn events(&self) -> Rows<'a, u64, Event> {
        Self::rows(self.app.events().table(), self.app.shown_log().events())
    }

    /// The selected flow, as long as it is listed.
    pub fn selected_flow(&self) -> Option<&'a Flow> {
        let flows = self.flows();
        let selected = flows.items().nth(flows.table.position()?)?;
        (Some(selected.key) == flows.table.selected()).then_some(selected)
    }

    /// The selected interface, as long as it is listed.
    pub fn selected_interface(&self) -> Option<&'a Interface> {
        let selected = self.app.interfaces().table().selected()?;
        let mut interfaces = self.shown().interfaces.iter();
        interfaces.find(|interface| interface.ifindex == selected)
    }

    /// Addresses on the screen whose names are wanted and not known.
    pub fn unnamed(&self) -> Vec<IpAddr> {
        let Some(names) = self.app.names.known() else {
            return Vec::new();
        };
        let mut addresses = self.addresses();
        addresses.retain(|address| !names.contains_key(address));
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// The addresses on the screen.
    fn addresses(&self) -> Vec<IpAddr> {
        let page = self.app.screen().map_or(0, |screen| screen.pages().body);
        let flows = self.flows().page(page).map(|(_, flow)| flow.key);
        flows
            .flat_map(|key| [key.source, key.destination])
            .collect()
    }
}
