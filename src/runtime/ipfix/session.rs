//! A session with a collector: what is on its way, what was told, and how it went.

use std::collections::VecDeque;
use std::time::Instant;

use crate::export::ipfix::{Body, Content};
use crate::model::ipfix::ExportCounts;

/// What is on its way, and what the collector knows.
#[derive(Default)]
pub struct Session {
    /// What has to go out first.
    pub first: VecDeque<Body>,
    pub queue: VecDeque<Body>,
    /// Flow records in the queue.
    pub kept: u32,
    /// Slots of the table.
    pub slots: u32,
    /// A part of it is on its way.
    pub begun: Option<Body>,
    /// Data records of this session so far, by subject.
    pub sequences: [u32; 2],
    /// Templates that the collector was told, and when it was told all of them.
    pub known: Option<(usize, Instant)>,
    /// Something was not delivered since: it may not know them.
    pub is_in_doubt: bool,
    pub counts: ExportCounts,
    /// What was said of trouble since there was none.
    pub has_complained: bool,
    pub has_dropped: bool,
    pub failed: Option<Instant>,
}

impl Session {
    /// A datagram was not delivered, and may have told of templates.
    pub fn count_failure(&mut self) {
        self.counts.failures += 1;
        self.failed = Some(Instant::now());
        self.is_in_doubt = true;
    }

    /// The next body, and whether it is one that had to go out first: these have no records of flows.
    pub fn take_next(&mut self) -> Option<(Body, bool)> {
        if let Some(body) = self.first.pop_front() {
            return Some((body, true));
        }
        let body = self.queue.pop_front()?;
        self.kept -= body.content.flows;
        Some((body, false))
    }

    /// Keeps a body of the queue for the next attempt.
    pub fn put_back(&mut self, body: Body) {
        self.kept += body.content.flows;
        self.queue.push_front(body);
    }

    /// This was sent.
    pub fn count(&mut self, body: &Body) {
        let records = body.content.records;
        let sequence = &mut self.sequences[body.subject as usize];
        *sequence = sequence.wrapping_add(records);
        self.counts.records += u64::from(records);
        self.counts.flow_records += u64::from(body.content.flows);
        self.counts.messages += 1;
        self.counts.bytes += body.length() as u64;
    }

    /// This was not, and will not be.
    pub fn lose(&mut self, content: Content) {
        self.counts.records_lost += u64::from(content.flows);
        self.counts.packets_lost += content.packets;
        self.counts.bytes_lost += content.bytes;
    }
}
