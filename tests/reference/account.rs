//! All that is counted for the frames of a run: flows with their sequence state, and interface totals.

use std::collections::{BTreeMap, BTreeSet};

use flowtop::model::counts::{Dscp, IpMetrics};
use flowtop::model::flow::{Direction, FlowKey, Protocol};
use flowtop::model::rule::{Rule, SequenceProfile, SequenceWidth};
use flowtop::model::snapshot::{Counts, Malformed, Sequence, Volume};

use super::packet::{Classified, Detail, FragmentTable, Gso, Link, Packet, Piece, Verdict};
use super::payload::{read_number, segments};
use super::sequence::NumberTracker;
use super::tcp::{Segment, TcpTracker};

/// How the sequence numbers of a flow are judged.
#[derive(Debug, Clone)]
enum Tracker {
    Tcp(TcpTracker),
    Echo(NumberTracker),
    Payload(NumberTracker),
    Nothing,
}

/// What one flow amounts to.
#[derive(Debug, Clone)]
pub struct FlowState {
    /// Wire volume.
    pub volume: Volume,
    /// Effective data.
    pub payload_bytes: u64,
    /// Buffers, an aggregate being one.
    pub arrivals: u64,
    /// What the IP headers said.
    pub ip: IpMetrics,
    /// The first rule that matches.
    pub rule: Option<u8>,
    /// The configuration under which the flow began, by count.
    pub configuration: u32,
    profile: SequenceProfile,
    tracker: Tracker,
}

impl FlowState {
    /// All that is counted of it.
    pub fn counts(&self) -> Counts {
        Counts {
            packets: self.volume.packets,
            bytes: self.volume.bytes,
            payload_bytes: self.payload_bytes,
            sequence: self.sequence(),
            ip: Some(self.ip),
        }
    }

    /// Sequence state; `None` where nothing is tracked.
    pub fn sequence(&self) -> Option<Sequence> {
        match &self.tracker {
            Tracker::Tcp(tracker) => Some(tracker.counts()),
            Tracker::Echo(tracker) | Tracker::Payload(tracker) => Some(tracker.counts()),
            Tracker::Nothing => None,
        }
    }
}

/// What one interface counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Everything.
    pub seen: Volume,
    /// Not flows.
    pub other: Volume,
    /// Matched by no rule.
    pub filtered: Volume,
    /// Malformed, by reason.
    pub malformed: [Volume; Malformed::ALL.len()],
    /// Later fragments without a first one.
    pub fragments_unmatched: u64,
    /// Packets whose bytes are an estimate.
    pub estimated: u64,
}

/// The reference's counterpart of the kernel program with its maps.
#[derive(Debug, Default)]
pub struct World {
    rules: Vec<Rule>,
    global: SequenceProfile,
    /// First fragments, by interface.
    fragments: BTreeMap<u32, FragmentTable>,
    /// How often the rules were changed.
    pub configuration: u32,
    /// Flows by key.
    pub flows: BTreeMap<FlowKey, FlowState>,
    /// Interfaces by index.
    pub interfaces: BTreeMap<u32, Totals>,
    /// Keys that had a packet since this was last cleared.
    pub touched: BTreeSet<FlowKey>,
}

impl World {
    /// A world without packets under these rules.
    pub fn new(rules: Vec<Rule>, global: SequenceProfile) -> World {
        World {
            rules,
            global,
            ..World::default()
        }
    }

    /// Other rules for flows that begin from now on. (What becomes of older ones is not modelled.)
    pub fn configure(&mut self, rules: Vec<Rule>, global: SequenceProfile) {
        self.rules = rules;
        self.global = global;
        self.configuration += 1;
        self.touched.clear();
    }

    /// Whether a frame is of ICMP or ICMPv6.
    pub fn is_icmp(&self, link: Link, frame: &[u8]) -> bool {
        let gso = Gso::default();
        let classified = super::packet::classify(frame, link, gso, &mut FragmentTable::new());
        matches!(classified.verdict, Verdict::Flow(packet) if !packet.protocol.has_ports())
    }

    /// One buffer at the hook of an interface.
    pub fn observe(&mut self, ifindex: u32, link: Link, frame: &[u8], gso: Gso) -> Classified {
        let fragments = self.fragments.entry(ifindex).or_default();
        let classified = super::packet::classify(frame, link, gso, fragments);
        let volume = classified.volume;
        let totals = self.interfaces.entry(ifindex).or_default();
        totals.seen += volume;
        totals.fragments_unmatched += u64::from(classified.is_unmatched);
        totals.estimated += u64::from(classified.is_estimated) * volume.packets;
        match classified.verdict {
            Verdict::Other => totals.other += volume,
            Verdict::Malformed(reason) => totals.malformed[reason as usize] += volume,
            Verdict::Flow(packet) => self.count_flow(ifindex, &packet, frame, gso, volume),
        }
        classified
    }

    fn count_flow(&mut self, ifindex: u32, packet: &Packet, frame: &[u8], gso: Gso, size: Volume) {
        let key = flow_key(ifindex, packet);
        let rule = self.rules.iter().position(|rule| rule.matches(&key));
        if rule.is_none() && !self.rules.is_empty() {
            self.interfaces.entry(ifindex).or_default().filtered += size;
            return;
        }
        let own = rule.and_then(|index| self.rules[index].profile);
        let profile = own.unwrap_or(self.global);
        let flow = self.flows.entry(key).or_insert_with(|| FlowState {
            volume: Volume::default(),
            payload_bytes: 0,
            arrivals: 0,
            ip: IpMetrics::default(),
            rule: rule.map(|index| index as u8),
            configuration: self.configuration,
            profile,
            tracker: tracker(packet, &profile, own.is_some_and(|own| own.reads_payload())),
        });
        flow.volume += size;
        flow.payload_bytes += packet.wire_payload_bytes as u64;
        flow.arrivals += 1;
        flow.ip = ip_metrics(flow.ip, packet, size.packets);
        let payload = &frame[packet.payload_offset.min(frame.len())..];
        let payload = &payload[..packet.payload_bytes];
        flow.track(packet, payload, gso, size.packets);
        self.touched.insert(key);
    }
}

/// What the IP headers of a flow come to with this buffer, and came to before it. Each metric is named.
fn ip_metrics(before: IpMetrics, packet: &Packet, packets: u64) -> IpMetrics {
    IpMetrics {
        ce: match packet.traffic_class & 0b11 {
            0b11 => before.ce + packets,
            _ => before.ce,
        },
        ttl: Some(packet.hop_limit),
        ttl_changes: match before.ttl {
            Some(last) if last != packet.hop_limit => before.ttl_changes + 1,
            _ => before.ttl_changes,
        },
        dscp: Some(Dscp(packet.traffic_class >> 2)),
        ip_bytes: before.ip_bytes + packet.ip_bytes as u64,
    }
}

/// Echo has a number of its own; only a rule that names a place in the payload comes before it.
fn tracker(packet: &Packet, profile: &SequenceProfile, by_own_rule: bool) -> Tracker {
    let echo = match packet.protocol {
        Protocol::Tcp => return Tracker::Tcp(TcpTracker::new(profile.threshold)),
        Protocol::Udp => false,
        Protocol::Icmp => matches!(packet.destination_port >> 8, 0 | 8),
        Protocol::Icmpv6 => matches!(packet.destination_port >> 8, 128 | 129),
    };
    // Fragments whose first one is not known have type 0 and code 0 too, but no number: nothing is judged.
    if echo && !by_own_rule {
        Tracker::Echo(NumberTracker::new(SequenceWidth::Bits16, profile.threshold))
    } else if profile.reads_payload() {
        Tracker::Payload(NumberTracker::new(profile.width, profile.threshold))
    } else {
        Tracker::Nothing
    }
}

fn flow_key(ifindex: u32, packet: &Packet) -> FlowKey {
    FlowKey {
        ifindex,
        direction: Direction::In,
        vlan: packet.vlan,
        tunnel: None,
        protocol: packet.protocol,
        source: packet.source,
        destination: packet.destination,
        source_port: packet.source_port,
        destination_port: packet.destination_port,
    }
}

impl FlowState {
    fn track(&mut self, packet: &Packet, payload: &[u8], gso: Gso, packets: u64) {
        let later = packet.piece == Piece::Later;
        match (&mut self.tracker, packet.detail) {
            (Tracker::Tcp(tracker), Detail::Tcp { .. }) if packet.piece == Piece::Whole => {
                tracker.observe(&segment(packet, gso, packets));
            }
            // Fragments of TCP take no part and leave the next segment without a predecessor.
            (Tracker::Tcp(tracker), _) => tracker.forget(),
            (Tracker::Echo(tracker), Detail::Echo(number)) => tracker.observe(Some(number.into())),
            (Tracker::Payload(tracker), _) if !later && packet.is_cut_inside => {
                tracker.forget(packets);
            }
            (Tracker::Payload(tracker), _) if !later => {
                let size = match packet.protocol {
                    Protocol::Udp if packets > 1 => gso.size as usize,
                    _ => 0,
                };
                for one in segments(payload, size) {
                    tracker.observe(read_number(one, &self.profile));
                }
            }
            _ => {}
        }
    }
}

fn segment(packet: &Packet, gso: Gso, packets: u64) -> Segment {
    let Detail::Tcp { seq, syn, fin, rst } = packet.detail else {
        return Segment::default();
    };
    let payload = packet.payload_bytes as u64;
    let largest = match gso.size {
        size @ 1.. if packets > 1 => payload.min(size.into()),
        _ => payload,
    };
    Segment {
        seq,
        payload,
        largest,
        packets,
        syn,
        fin,
        rst,
    }
}
