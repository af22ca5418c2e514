//! What the kernel had counted at one moment, merged over CPUs: the raw material of every number.
//!
//! Totals only, no rates: those come from two snapshots, in [`super::tracker`].

use super::capture::CaptureSample;
use super::flow::FlowKey;
use super::histogram::Histogram;

pub use super::counts::{CounterSet, Counts, GapSums, Sequence, TableCounts, Volume};

/// One slot of the flow table, all CPUs added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowSample {
    /// Index of the slot; together with `generation` it names one life of a flow in the table.
    pub slot: u32,
    /// Counts the lives of the slot.
    pub generation: u32,
    /// Whose numbers these are.
    pub key: FlowKey,
    /// What was counted since the flow entered the table.
    pub counts: Counts,
    /// The jitter epoch that `gaps` belongs to; the first is 1.
    pub epoch: u32,
    /// Gaps of the current jitter epoch.
    pub gaps: GapSums,
    /// Tells the sequence profile with which the numbers were found from others.
    pub profile: u8,
    /// Index of the flow's rule among those of `rules_version`, if there are rules.
    pub rule: Option<u8>,
    /// The version of the rules that the flow was judged by last.
    pub rules_version: u8,
    /// Clock of the first packet, CLOCK_MONOTONIC ns.
    pub first_seen_ns: u64,
    /// Clock of the latest packet, CLOCK_MONOTONIC ns.
    pub last_seen_ns: u64,
}

impl FlowSample {
    /// The first life of a slot, before anything of it is counted.
    pub fn new(slot: u32, key: FlowKey) -> FlowSample {
        FlowSample {
            slot,
            generation: 1,
            key,
            counts: Counts::default(),
            epoch: 1,
            gaps: GapSums::default(),
            profile: 0,
            rule: None,
            rules_version: 0,
            first_seen_ns: 0,
            last_seen_ns: 0,
        }
    }
}

/// Why a packet was malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Malformed {
    /// The frame ends inside its Ethernet or VLAN header.
    Frame,
    /// The packet ends inside its IP header or an extension header.
    IpTruncated,
    /// The IP version is not the one that the frame announces.
    IpVersion,
    /// An IPv4 header shorter than 20 bytes.
    IpHeaderLength,
    /// The IP length is shorter than its headers, or longer than the packet.
    IpLength,
    /// More than eight extension headers.
    Extensions,
    /// The packet ends inside its TCP, UDP or ICMP header.
    TransportTruncated,
    /// A TCP data offset below 20 bytes or beyond the packet.
    TcpOffset,
    /// A UDP length below 8.
    UdpLength,
}

impl Malformed {
    /// All reasons, in the order of their numbers in the kernel program.
    pub const ALL: [Malformed; 9] = [
        Malformed::Frame,
        Malformed::IpTruncated,
        Malformed::IpVersion,
        Malformed::IpHeaderLength,
        Malformed::IpLength,
        Malformed::Extensions,
        Malformed::TransportTruncated,
        Malformed::TcpOffset,
        Malformed::UdpLength,
    ];

    /// The name in JSON and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Malformed::Frame => "frame",
            Malformed::IpTruncated => "ip_truncated",
            Malformed::IpVersion => "ip_version",
            Malformed::IpHeaderLength => "ip_header_length",
            Malformed::IpLength => "ip_length",
            Malformed::Extensions => "extensions",
            Malformed::TransportTruncated => "transport_truncated",
            Malformed::TcpOffset => "tcp_offset",
            Malformed::UdpLength => "udp_length",
        }
    }
}

/// How packets of an interface come to flowtop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// A TCX link (Linux 6.6 and later).
    Tcx,
    /// A filter on the clsact qdisc.
    Clsact,
    /// No hook: the packets of a capture.
    Capture,
}

impl Hook {
    /// The name in JSON and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Hook::Tcx => "tcx",
            Hook::Clsact => "clsact",
            Hook::Capture => "capture",
        }
    }
}

/// The state of a device's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkState {
    /// Up, and able to pass packets.
    Up,
    /// There, but down or without carrier.
    Down,
    /// Not there any more; its totals stay.
    #[default]
    Gone,
}

impl LinkState {
    /// The name in JSON and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            LinkState::Up => "up",
            LinkState::Down => "down",
            LinkState::Gone => "gone",
        }
    }
}

/// What one interface's hook counted outside the flows, and all that it saw; all CPUs added up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InterfaceSample {
    /// Index of the device.
    pub ifindex: u32,
    /// Current name, with control characters made harmless.
    pub name: String,
    /// State of the link.
    pub state: LinkState,
    /// The hook that counts, if there is one now.
    pub hook: Option<Hook>,
    /// Packets that the device itself dropped on receive since it was first watched, from its statistics, if known.
    pub device_drops: Option<u64>,
    /// Every packet that came to the hook, counted before anything else was decided.
    pub seen: Volume,
    /// Packets that are not flows: ARP, other IP protocols, anything that is not IP.
    pub other: Volume,
    /// Packets that no rule matched.
    pub filtered: Volume,
    /// Packets of flows for which the table had no room.
    pub untracked: Volume,
    /// Malformed packets by reason, in the order of [`Malformed::ALL`].
    pub malformed: [Volume; Malformed::ALL.len()],
    /// Later fragments whose first one was not known: they are in the flow with ports 0.
    pub fragments_unmatched: u64,
    /// Packets of aggregates whose headers could not be read to the end: their bytes are an estimate.
    pub estimated: u64,
    /// Packets of a capture that kept less of them than their headers.
    pub cut_off: Volume,
}

impl InterfaceSample {
    /// Packets that are in no flow: other, filtered, untracked, malformed and cut off.
    pub fn outside_flows(&self) -> Volume {
        self.other + self.filtered + self.untracked + self.malformed_total() + self.cut_off
    }

    /// The counters less those of `baseline`; everything else as it is.
    pub fn counted_since(&self, baseline: &InterfaceSample) -> InterfaceSample {
        let since = |now: u64| now.wrapping_sub(baseline.device_drops.unwrap_or(0));
        InterfaceSample {
            device_drops: self.device_drops.map(since),
            ..self.with_counters(baseline, |now, then| now.since(&then))
        }
    }

    /// The counters and those of `baseline`; everything else as it is.
    pub fn counted_beside(&self, baseline: &InterfaceSample) -> InterfaceSample {
        let drops = [self.device_drops, baseline.device_drops];
        InterfaceSample {
            device_drops: drops.into_iter().flatten().reduce(u64::wrapping_add),
            ..self.with_counters(baseline, |now, then| now + then)
        }
    }

    fn with_counters(
        &self,
        other: &InterfaceSample,
        combine: impl Fn(Volume, Volume) -> Volume,
    ) -> InterfaceSample {
        let packets = |packets| Volume { packets, bytes: 0 };
        let count = |ours, theirs| combine(packets(ours), packets(theirs)).packets;
        InterfaceSample {
            seen: combine(self.seen, other.seen),
            other: combine(self.other, other.other),
            filtered: combine(self.filtered, other.filtered),
            untracked: combine(self.untracked, other.untracked),
            malformed: std::array::from_fn(|reason| {
                combine(self.malformed[reason], other.malformed[reason])
            }),
            fragments_unmatched: count(self.fragments_unmatched, other.fragments_unmatched),
            estimated: count(self.estimated, other.estimated),
            cut_off: combine(self.cut_off, other.cut_off),
            ifindex: self.ifindex,
            name: self.name.clone(),
            state: self.state,
            hook: self.hook,
            device_drops: self.device_drops,
        }
    }

    /// Malformed packets, whatever the reason.
    pub fn malformed_total(&self) -> Volume {
        self.malformed
            .iter()
            .fold(Volume::default(), |sum, v| sum + *v)
    }
}

/// Everything read from the kernel in one pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// When the pass began, CLOCK_MONOTONIC ns.
    pub taken_ns: u64,
    /// Slots that changed since the previous pass; the others are as they were. Another generation than last time
    /// means that the former flow of the slot was replaced, after its last numbers had been read.
    pub flows: Vec<FlowSample>,
    /// Which of them were in no earlier snapshot, where that is known.
    pub newcomers: Option<Newcomers>,
    /// Slots whose flow has left the table; its last numbers are in `flows`, here or earlier.
    pub freed: Vec<u32>,
    /// Every watched interface, those included that went a moment ago.
    pub interfaces: Vec<InterfaceSample>,
    /// Those that are told for the last time. Should one of such an index come again, its counters start from zero.
    pub forgotten: Vec<u32>,
    /// The state of the table itself.
    pub table: TableSample,
    /// Histograms of the flows that keep one, one a slot.
    pub histograms: Vec<HistogramSample>,
    /// The capture that the packets come from, if it is not live.
    pub capture: Option<CaptureSample>,
}

/// The lives that a snapshot is the first one to tell of: to find them out of all samples takes a pass over these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Newcomers {
    /// When the snapshot before was taken, 0 before the first; of no use to a reader that has not counted that one.
    pub since_ns: u64,
    /// Their places in [`Snapshot::flows`].
    pub places: Vec<u32>,
}

impl Snapshot {
    /// The samples that may be of lives of which no snapshot up to this moment told.
    pub fn newcomers_since(&self, counted_ns: u64) -> impl Iterator<Item = &FlowSample> {
        let flows = &self.flows;
        let known = self.newcomers.as_ref();
        let known = known.filter(|known| known.since_ns == counted_ns);
        let all = known.is_none().then_some(flows).into_iter().flatten();
        let places = known.into_iter().flat_map(|known| &known.places);
        all.chain(places.filter_map(|at| flows.get(*at as usize)))
    }
}

/// The histogram that a flow keeps in one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramSample {
    /// Whose gaps these are.
    pub key: FlowKey,
    /// The flow has left the slot: there will be no more of it.
    pub is_last: bool,
    /// The gaps since it was asked for.
    pub histogram: Histogram,
}

/// The state of the flow table itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableSample {
    /// Slots in the table.
    pub capacity: u64,
    /// Flows in the table now.
    pub tracked: u64,
    /// What happened to it.
    pub counts: TableCounts,
    /// Memory of all maps as the kernel accounts it, and of the histograms that there are, bytes; unknown without /proc.
    pub memory_bytes: Option<u64>,
}
