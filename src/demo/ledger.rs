//! The senders' own books: what was really sent, for tests to hold flowtop's numbers against.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::model::flow::{FlowKey, Protocol};

/// What one sender has sent so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Name of the sender.
    pub name: &'static str,
    /// Name of its rule in the demo's configuration.
    pub rule: &'static str,
    /// Protocol.
    pub protocol: Protocol,
    /// Source address.
    pub source: IpAddr,
    /// Destination address: the watched interface's.
    pub destination: IpAddr,
    /// As in [`FlowKey`].
    pub source_port: u16,
    /// As in [`FlowKey`].
    pub destination_port: u16,
    /// Packets sent. Unknown for TCP, where the kernel makes them.
    pub packets: Option<u64>,
    /// Payload bytes sent; for TCP, given to the kernel to send.
    pub payload_bytes: u64,
    /// Sequence numbers left out.
    pub skipped: u64,
    /// Gaps that were left, whatever their size.
    pub gaps: u64,
    /// Packets with a number that was sent before.
    pub duplicates: u64,
    /// Packets sent after a higher number.
    pub reordered: u64,
    /// Packets that the kernel refused. A receiver misses their numbers.
    pub refused: u64,
}

impl LedgerEntry {
    /// The key of this flow on the watched interface.
    pub fn key(&self, ifindex: u32) -> FlowKey {
        FlowKey::incoming(
            ifindex,
            self.protocol,
            (self.source, self.source_port),
            (self.destination, self.destination_port),
        )
    }
}

/// The counters that a sender adds to. They are read while it runs: each is right, but not all of one moment.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub packets: AtomicU64,
    pub payload_bytes: AtomicU64,
    pub skipped: AtomicU64,
    pub gaps: AtomicU64,
    pub duplicates: AtomicU64,
    pub reordered: AtomicU64,
    pub refused: AtomicU64,
}

/// Adds to a counter of a [`Tally`].
pub(super) fn add(counter: &AtomicU64, amount: impl Into<u64>) {
    counter.fetch_add(amount.into(), Relaxed);
}

impl Tally {
    /// The counters as they are now.
    pub fn fill(&self, entry: LedgerEntry) -> LedgerEntry {
        LedgerEntry {
            packets: entry.packets.map(|_| self.packets.load(Relaxed)),
            payload_bytes: self.payload_bytes.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            reordered: self.reordered.load(Relaxed),
            refused: self.refused.load(Relaxed),
            ..entry
        }
    }
}
