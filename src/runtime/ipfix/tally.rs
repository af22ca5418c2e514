//! Counts that one thread writes and others read.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::ipfix::ExportCounts;

/// How the export went so far.
#[derive(Debug, Default)]
pub struct Tally(Mutex<ExportCounts>);

impl Tally {
    /// Tells the others.
    pub fn set(&self, counts: &ExportCounts) {
        *self.lock() = *counts;
    }

    /// What was told last.
    pub fn get(&self) -> ExportCounts {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, ExportCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
