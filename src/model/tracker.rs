//! Rates, windows, history and ageing, made out of snapshots.
//!
//! Here are the values that the screen and the exports show; how they come about is in the modules below.

mod advance;
mod closing;
mod counting;
mod eventful;
mod excess;
mod figure;
mod former_runs;
mod gaps;
mod glance;
mod interfaces;
mod ip_past;
mod kept;
mod keys;
mod list;
mod locality;
mod outline;
mod rules;
mod series;
mod slots;
mod state;
mod trouble;
mod watch;
mod whole_run;
mod window;
mod window_step;

pub use advance::FlowTracker;
pub use advance::carried::{Carried, CarriedFlow, CarriedInterface, CarriedRule};
pub use eventful::Eventful;
pub use figure::{Interarrival, Rates, RecentLoss, loss_percent};
pub use former_runs::FormerRuns;
pub use glance::Glance;
pub use kept::Wanted;
pub use outline::Outline;
pub use series::{Series, Trace, Traces};
pub use trouble::{Lasted, Trouble};
pub use watch::Watched;
pub use whole_run::WholeRun;
pub use window::{Intervals, statistics};

use figure::{float, gained};
use trouble::has_stepped;

use super::capture::CaptureSample;
use super::counts::Counts;
use super::flow::FlowKey;
use super::histogram::Histogram;
use super::snapshot::{Hook, InterfaceSample, LinkState, TableSample};

/// How a flow went over its latest intervals.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Throughput, goodput, mean inter-arrival time, jitter.
    motion: Traces<4>,
    /// Numbers (TCP: bytes) that went missing in the interval.
    pub lost: Series,
}

impl History {
    /// Appends what an interval came to, but for `lost`: throughput and goodput, bytes per second; mean inter-arrival time
    /// and jitter, ms.
    #[inline(always)]
    pub fn record(&mut self, rates: Option<Rates>, interarrival: &Interarrival) {
        let rates = rates.unwrap_or(Rates {
            throughput: f64::NAN,
            goodput: f64::NAN,
            packet_rate: f64::NAN,
        });
        let [mean, jitter] = interarrival.mean_and_jitter();
        let before = self.throughput_and_jitter();
        self.motion
            .record([rates.throughput, rates.goodput, mean, jitter]);
        let has_stepped = has_stepped(before, self.throughput_and_jitter());
        self.motion.mark(has_stepped);
    }

    fn throughput_and_jitter(&self) -> [f32; 2] {
        [0, 3].map(|column| self.motion.latest_of(column))
    }

    /// Whether throughput or jitter may have left its place so many intervals ago, of the latest eight: [`has_stepped`].
    fn stepped_ago(&self, intervals: usize) -> bool {
        self.motion.is_marked(intervals)
    }

    /// Throughput of so many intervals ago, no more than [`AT_HAND`](series::AT_HAND); NaN where it is not known.
    #[inline]
    fn throughput_ago(&self, intervals: usize) -> f32 {
        self.motion.value_ago(0, intervals)
    }

    /// The same of jitter.
    #[inline]
    fn jitter_ago(&self, intervals: usize) -> f32 {
        self.motion.value_ago(3, intervals)
    }

    /// Throughput, bytes per second.
    pub fn throughput(&self) -> Trace<'_> {
        self.motion.trace(0)
    }

    /// Goodput, bytes per second.
    pub fn goodput(&self) -> Trace<'_> {
        self.motion.trace(1)
    }

    /// Mean inter-arrival time, ms.
    pub fn interarrival_mean(&self) -> Trace<'_> {
        self.motion.trace(2)
    }

    /// Jitter, ms.
    pub fn jitter(&self) -> Trace<'_> {
        self.motion.trace(3)
    }
}

/// One flow as the screen and the exports show it.
///
/// In this order: what few ask for; what events, the order of the rows and the end of an interval ask of each flow, in one cache
/// line; what filters ask beyond that, in another; what a snapshot and the end of an interval write, in four; and what only groups of
/// metrics write. Cache lines are what a refresh of many flows costs. (A large list begins 16 bytes behind a page, so that lines
/// begin at byte 48 of each flow.)
#[derive(Debug, Clone, PartialEq)]
#[repr(C)]
pub struct Flow {
    /// Name of the rule that made this a flow, if there are rules.
    pub rule: Option<std::sync::Arc<str>>,
    /// Current name of the interface.
    pub interface: std::sync::Arc<str>,
    /// The gaps since it was asked for, where the flow keeps a histogram.
    pub histogram: Option<Box<Histogram>>,
    /// First packet, CLOCK_MONOTONIC ns.
    pub first_seen_ns: u64,

    /// Latest packet, CLOCK_MONOTONIC ns.
    pub last_seen_ns: u64,
    /// Rates over the latest interval; unknown before the first one is over.
    pub rates: Option<Rates>,
    /// Loss over the latest interval and over the jitter window.
    pub recent_loss: RecentLoss,
    /// A summary in bits, for which nothing else of the flow is read.
    pub glance: Glance,
    /// Jitter epochs so far; the first is 1.
    pub jitter_epochs: u32,

    /// What is the matter with it, and what that takes to know.
    pub watched: Watched,
    /// Whose numbers these are.
    pub key: FlowKey,

    /// The latest intervals.
    pub history: History,
    /// Inter-arrival time and jitter over the jitter window.
    pub interarrival: Interarrival,
    /// What was counted since the run started or totals were set to zero.
    pub counts: Counts,
}

const _: () = {
    use std::mem::offset_of;
    assert!(offset_of!(Flow, last_seen_ns) == 48 && offset_of!(Flow, watched) == 48 + 64);
    assert!(offset_of!(Flow, history) == 48 + 2 * 64 && size_of::<Flow>() == 7 * 64);
    assert!(offset_of!(Flow, counts) + offset_of!(Counts, ip) <= 48 + 6 * 64);
};

impl Flow {
    /// What breaks ties between flows with equal cells.
    pub fn tie(&self) -> (u64, FlowKey) {
        (self.key.brief(), self.key)
    }

    /// Share of what is missing in what was sent, percent: 100 * lost / (lost + received - duplicates),
    /// for TCP 100 * lost bytes / (lost bytes + payload bytes). Unknown where nothing is tracked or nothing came yet.
    pub fn loss_percent(&self) -> Option<f64> {
        loss_percent(self.counts.sequence?.lost, self.counts.arrived())
    }

    /// Whether numbers went missing in the latest interval.
    #[inline]
    pub fn is_losing(&self) -> bool {
        self.may_lose() && self.is_tracked()
    }

    /// Whether it lost something in the latest interval, if it is tracked.
    #[inline]
    fn may_lose(&self) -> bool {
        self.recent_loss.interval() > Some(0.0)
    }

    /// Whether sequence numbers are tracked. Not inlined: its cache line would be read of every flow, whether it is asked for
    /// or not.
    #[cold]
    #[inline(never)]
    fn is_tracked(&self) -> bool {
        self.counts.sequence.is_some()
    }
}

/// One watched interface as the screen and the exports show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    /// Index of the device.
    pub ifindex: u32,
    /// Current name, with control characters made harmless.
    pub name: String,
    /// State of the link.
    pub state: LinkState,
    /// The hook that counts, if there is one now.
    pub hook: Option<Hook>,
    /// All packets: the sum over flows, `ended` and the parts of `counted`; of those outside the flows no payload is known.
    pub counts: Counts,
    /// Flows that left the table.
    pub ended: Counts,
    /// What was counted outside the flows, and the hook's own count of everything.
    pub counted: InterfaceSample,
    /// Flows listed.
    pub flows: usize,
    /// Rates over the latest interval (goodput: of its flows); unknown before the first one is over.
    pub rates: Option<Rates>,
    /// Throughput of the latest intervals, bytes per second.
    pub throughput_history: Series,
}

impl Interface {
    /// How its link is, in words. One that is gone is waited for until one of its name is there again.
    pub fn condition(&self, report: &Report) -> &'static str {
        let is_back = |other: &Interface| other.name == self.name && other.state != LinkState::Gone;
        match self.state {
            LinkState::Gone if self.ifindex != 0 && !report.interfaces.iter().any(is_back) => {
                "gone, waiting"
            }
            state => state.name(),
        }
    }
}

/// What came of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleReport {
    /// The rule's name in the configuration.
    pub name: std::sync::Arc<str>,
    /// What came of the flows whose first matching rule it is.
    pub counts: Counts,
    /// Such flows that are listed.
    pub flows: usize,
    /// What histograms say of them, if the rule asks for such.
    pub gaps: Option<Box<RuleGaps>>,
    /// When a packet matched last, or when the rule came into force, CLOCK_MONOTONIC ns.
    pub last_match_ns: u64,
}

impl RuleReport {
    /// Listed flows that keep no histogram although the rule asks for it: there was no room for more.
    pub fn flows_without_histogram(&self) -> Option<usize> {
        let gaps = self.gaps.as_ref()?;
        Some(self.flows.saturating_sub(gaps.flows))
    }
}

/// The gaps of a rule's flows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleGaps {
    /// Those of flows that have left the table.
    ended: Histogram,
    /// All of them.
    pub all: Histogram,
    /// Flows that keep a histogram now; others had no room for one.
    pub flows: usize,
}

/// What a view shows at one moment: the flows, the interfaces and the state of the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// Counts the changes of the report: what was made of one with this number is true of no other.
    pub revision: u64,
    /// When the numbers were read, CLOCK_MONOTONIC ns.
    pub taken_ns: u64,
    /// True length of the latest interval, s; 0 before the first one is over.
    pub interval_s: f64,
    /// The same of the latest intervals.
    pub lengths: Series,
    /// All listed flows, in no particular order.
    pub flows: Vec<Flow>,
    /// Which of them may have something to tell.
    pub eventful: Eventful,
    /// What is asked of all of them, in short.
    pub outline: Outline,
    /// When the newest flow over IPv6 began, listed or ended, CLOCK_MONOTONIC ns; 0 before the first, `None` where it is not known.
    pub newest_ipv6_ns: Option<u64>,
    /// All interfaces that are or were watched in this run; those that are gone come last, and the oldest of them share
    /// one row, with index 0.
    pub interfaces: Vec<Interface>,
    /// The rules in force, in their order.
    pub rules: Vec<RuleReport>,
    /// The state of the table itself.
    pub table: TableSample,
    /// The capture that the packets come from, if they are not live.
    pub capture: Option<CaptureSample>,
}

#[cfg(test)]
#[path = "tracker/unsteady_tests.rs"]
pub mod unsteady;

#[cfg(test)]
#[path = "tracker/figures_tests.rs"]
mod figures;
