//! Counts that one thread writes and others read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::ipfix::ExportCounts;

/// How the export went so far.
#[derive(Debug, Default)]
pub struct Tally {
    records: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    records_lost: AtomicU64,
    packets_lost: AtomicU64,
    bytes_lost: AtomicU64,
    failures: AtomicU64,
    is_connected: AtomicBool,
}

impl Tally {
    /// Tells the others.
    pub fn set(&self, counts: &ExportCounts) {
        let set = |to: &AtomicU64, count| to.store(count, Ordering::Relaxed);
        set(&self.records, counts.records);
        set(&self.messages, counts.messages);
        set(&self.bytes, counts.bytes);
        set(&self.records_lost, counts.records_lost);
        set(&self.packets_lost, counts.packets_lost);
        set(&self.bytes_lost, counts.bytes_lost);
        set(&self.failures, counts.failures);
        self.is_connected
            .store(counts.is_connected, Ordering::Relaxed);
    }

    /// What was told last.
    pub fn get(&self) -> ExportCounts {
        let get = |from: &AtomicU64| from.load(Ordering::Relaxed);
        ExportCounts {
            records: get(&self.records),
            messages: get(&self.messages),
            bytes: get(&self.bytes),
            records_lost: get(&self.records_lost),
            packets_lost: get(&self.packets_lost),
            bytes_lost: get(&self.bytes_lost),
            failures: get(&self.failures),
            is_connected: self.is_connected.load(Ordering::Relaxed),
        }
    }
}
