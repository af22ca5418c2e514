//! Host names in the place of addresses: whether they are shown, and those that are known, kept within limits.

use std::net::IpAddr;
use std::sync::Arc;

use super::rows::IPV4_ENDPOINT;
use super::{App, Effect, Scene};
use crate::model::column::Names;
use crate::model::tracker::Report;

/// Names that are kept; when there are more, those on the screen stay, and the others are asked for when they get there.
pub const MOST_NAMES: usize = 4096;

impl App {
    /// Whether host names are shown.
    pub fn shows_names(&self) -> bool {
        self.names.is_some()
    }

    /// The host names that are known, where they are shown.
    pub fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    pub(super) fn learn_name(&mut self, address: IpAddr, name: Arc<str>, live: &Report) {
        let is_full = |names: &Names| names.len() >= MOST_NAMES;
        let on_screen = match self.names.as_ref().is_some_and(is_full) {
            true => self.addresses_on_screen(live),
            false => Vec::new(),
        };
        let Some(names) = &mut self.names else {
            return;
        };
        if is_full(names) {
            names.retain(|address, _| on_screen.contains(address));
        }
        names.insert(address, name);
        if !self.filter.is_empty() {
            self.rearrange();
        }
    }

    fn addresses_on_screen(&mut self, live: &Report) -> Vec<IpAddr> {
        let paused = self.paused_report();
        self.keep_up(paused.as_deref().unwrap_or(live));
        Scene::new(self, live).addresses()
    }

    pub(super) fn toggle_names(&mut self) -> Vec<Effect> {
        self.names = match self.names.take() {
            Some(_) => {
                (self.endpoint_width, self.measured_ns) = (IPV4_ENDPOINT, 0);
                None
            }
            None => Some(Names::default()),
        };
        let on = self.names.is_some();
        let text = if on {
            "host names: asking the resolver"
        } else {
            "addresses"
        };
        self.notices.say(text);
        self.rearrange();
        vec![Effect::ResolveNames(on)]
    }
}
