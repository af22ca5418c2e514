//! What a report said of one flow, beside what the one before said.

use crate::model::event::EventKind;
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
    pub late: u64,
    /// Packets when the latest jitter epoch was noticed.
    pub packets_then: u64,
    /// The latest packet when the flow was found silent; 0: it was not, in this jitter epoch.
    pub silent_since_ns: u64,
}

impl SeenFlow {
    /// A flow before its first packet.
    pub const UNSEEN: SeenFlow = SeenFlow {
        gaps: 0,
        lost: 0,
        restarts: 0,
        epochs: 1,
        late: 0,
        packets_then: 0,
        silent_since_ns: 0,
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

    /// What happened since `before`. Totals that went down were set to zero: nothing happened.
    pub fn changes(
        &self,
        before: &SeenFlow,
        flow: &Flow,
        is_prompt: bool,
    ) -> Vec<(EventKind, String)> {
        let mut changes = Vec::new();
        if self.restarts > before.restarts {
            let text = format!("starts again at {}", current_number(flow));
            changes.push((EventKind::Restart, text));
        }
        let packets = flow.counts.packets.saturating_sub(before.packets_then);
        if self.epochs > before.epochs && packets >= STREAM_PACKETS {
            let text = match self.epochs - before.epochs {
                1 => format!("goes on after a pause of {}", before.pause(flow, is_prompt)),
                pauses => format!("goes on after {pauses} pauses"),
            };
            changes.push((EventKind::Resumed, text));
        }
        changes
    }

    /// How long the pause was that the flow has ended since: up to its first packet, behind which all gaps are of the
    /// jitter epoch that began with it.
    fn pause(&self, flow: &Flow, is_prompt: bool) -> String {
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
