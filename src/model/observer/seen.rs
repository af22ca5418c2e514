//! What a report said of one flow, beside what the one before said.

use crate::model::tracker::Flow;
use crate::model::units;

/// A flow with fewer packets between two pauses is no stream: that it goes on is not worth an event.
pub const STREAM_PACKETS: u64 = 10;

/// A jitter epoch begins behind a pause that is longer, ns.
const PAUSE_NS: u64 = 2_000_000_000;

/// What a report said of a flow.
#[derive(Clone, Copy, PartialEq)]
pub struct SeenFlow {
    pub gaps: u64,
    pub lost: u64,
    pub restarts: u64,
    pub epochs: u32,
    /// Pauses of a stream, behind which it went on.
    pub pauses: u32,
    pub late: u64,
    /// Packets when the latest jitter epoch was noticed.
    pub packets_then: u64,
    /// The latest packet when the flow was found silent; 0: it was not, in this jitter epoch.
    pub silent_since_ns: u64,
    /// The first packet of the flow, as far as that is known.
    pub first_seen_ns: u64,
}

impl SeenFlow {
    /// A flow before its first packet.
    pub const UNSEEN: SeenFlow = SeenFlow {
        gaps: 0,
        lost: 0,
        restarts: 0,
        epochs: 1,
        pauses: 0,
        late: 0,
        packets_then: 0,
        silent_since_ns: 0,
        first_seen_ns: u64::MAX,
    };

    pub fn of(flow: &Flow) -> SeenFlow {
        let sequence = flow.counts.sequence.unwrap_or_default();
        SeenFlow {
            gaps: sequence.small_errors + sequence.big_errors,
            lost: sequence.lost,
            restarts: sequence.restarts,
            epochs: flow.jitter_epochs,
            late: sequence.reverse_errors,
            ..SeenFlow::UNSEEN
        }
    }

    /// Whether this was of a flow that has left since: another one has come of the same key.
    pub fn is_of_former(&self, flow: &Flow) -> bool {
        // A flow that has two slots at once may turn out to be older, and none turns out to be younger.
        flow.first_seen_ns > self.first_seen_ns
    }

    /// Whether the sender has begun a new series since `before`, in words. Totals that went down were set to zero: nothing
    /// happened.
    pub fn restart_text(&self, before: &SeenFlow, flow: &Flow) -> Option<String> {
        let text = || format!("starts again at {}", current_number(flow));
        (self.restarts > before.restarts).then(text)
    }

    /// The pauses of a stream since `before`.
    pub fn new_pauses(&self, before: &SeenFlow, flow: &Flow) -> u32 {
        let packets = flow.counts.packets.saturating_sub(before.packets_then);
        match packets >= STREAM_PACKETS {
            true => self.epochs.saturating_sub(before.epochs),
            false => 0,
        }
    }

    /// How long the pause was that the flow has ended since: up to its first packet, behind which all gaps are of the
    /// jitter epoch that began with it.
    pub fn pause(&self, flow: &Flow, is_prompt: bool) -> String {
        let gaps = &flow.interarrival;
        let since_ms = gaps.mean_ms().unwrap_or(0.0) * gaps.samples as f64;
        let ended_ns = flow.last_seen_ns.saturating_sub((since_ms * 1e6) as u64);
        match ended_ns.saturating_sub(self.silent_since_ns) {
            pause_ns if self.silent_since_ns > 0 && is_prompt && pause_ns > PAUSE_NS => {
                time(pause_ns)
            }
            _ => format!("more than {} s", PAUSE_NS / 1_000_000_000),
        }
    }
}

/// The highest sequence number of a flow.
pub fn current_number(flow: &Flow) -> u32 {
    flow.counts.sequence.and_then(|s| s.current).unwrap_or(0)
}

/// A time span in words.
pub fn time(ns: u64) -> String {
    units::duration(ns as f64 / 1e9)
}
