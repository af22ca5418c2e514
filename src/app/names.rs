//! Host names in place of addresses: whether they are shown, and a bounded number of known ones.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::column::Names;

/// Names that are kept. When there are more, only those on the screen stay; others are looked up again once they are. (Tests hold it.)
pub const MOST_NAMES: usize = 4096;

/// The known host names, if they are shown.
#[derive(Debug, Default)]
pub struct HostNames {
    known: Option<Names>,
}

impl HostNames {
    /// The names, if they are shown.
    pub fn known(&self) -> Option<&Names> {
        self.known.as_ref()
    }

    /// Turns to names, none of which is known yet, or back to addresses. Returns whether names are shown.
    pub(super) fn toggle(&mut self) -> bool {
        self.known = match self.known.take() {
            Some(_) => None,
            None => Some(Names::default()),
        };
        self.known.is_some()
    }

    /// Whether there is no room for another name.
    pub(super) fn are_full(&self) -> bool {
        let known = self.known.as_ref();
        known.is_some_and(|names| names.len() >= MOST_NAMES)
    }

    /// Forgets the names of all but these addresses.
    pub(super) fn keep_only(&mut self, addresses: &[IpAddr]) {
        if let Some(names) = &mut self.known {
            names.retain(|address, _| addresses.contains(address));
        }
    }

    /// Adds a name; false if names are not shown.
    pub(super) fn learn(&mut self, address: IpAddr, name: Arc<str>) -> bool {
        let Some(names) = &mut self.known else {
            return false;
        };
        names.insert(address, name);
        true
    }
}
