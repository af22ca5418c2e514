//! Host names in the place of addresses: whether they are shown, and those that are known, kept within limits.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::column::Names;

/// Names that are kept; when there are more, those on the screen stay, and the others are asked for when they get there.
pub const MOST_NAMES: usize = 4096;

/// The host names that are known, where they are shown.
#[derive(Debug, Default)]
pub struct HostNames {
    known: Option<Names>,
}

impl HostNames {
    /// The names, where they are shown.
    pub fn known(&self) -> Option<&Names> {
        self.known.as_ref()
    }

    /// Shows names, none of which is known yet, or addresses. Returns whether it is names.
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

    /// Adds a name; false where none is shown.
    pub(super) fn learn(&mut self, address: IpAddr, name: Arc<str>) -> bool {
        let Some(names) = &mut self.known else {
            return false;
        };
        names.insert(address, name);
        true
    }
}
