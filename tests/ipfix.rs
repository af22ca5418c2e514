//! Flow records made of readings by hand, as a collector reads them that is written from the RFC.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowtop::export::ipfix::{Body, Epoch, Exporter};
use flowtop::model::counts::{Counts, GapSums, IpMetrics, Sequence, Volume};
use flowtop::model::flow::{FlowKey, Protocol};
use flowtop::model::ipfix::{Collector, Elements, ExportCounts, Ipfix};
use flowtop::model::snapshot::{FlowSample, InterfaceSample, Snapshot};

#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/dice.rs"]
mod dice;
#[allow(dead_code, reason = "each test binary uses a part")]
#[path = "support/ipfix.rs"]
mod reader;

use dice::Dice;
use reader::{OWN, Reader, Record};

const SECOND: u64 = 1_000_000_000;
const TIMEOUT: u64 = 60 * SECOND;
/// 2026-11-28 00:00:00 UTC when the clock of arrivals is at 0.
const EPOCH: Epoch = Epoch(1_795_824_000 * SECOND);

// Elements of IANA's registry.
const OCTETS: u16 = 1;
const PACKETS: u16 = 2;
const SOURCE_PORT: u16 = 7;
const VLAN: u16 = 58;
const END_REASON: u16 = 136;
const START: u16 = 152;
const END: u16 = 153;
const LAYER_2_OCTETS: u16 = 352;
// flowtop's own.
const LOST_PACKETS: u16 = OWN | 2;
const LOST_OCTETS: u16 = OWN | 3;
const DUPLICATES: u16 = OWN | 4;
const LATE_SEGMENTS: u16 = OWN | 6;
const MEAN: u16 = OWN | 12;
const DEVIATION: u16 = OWN | 13;
const GAPS: u16 = OWN | 14;
const RULE: u16 = OWN | 18;

fn settings() -> Ipfix {
    let collector = Collector::parse("192.0.2.1:4739").expect("a collector");
    Ipfix {
        interval: Duration::from_secs(10),
        domain: 7,
        ..Ipfix::to(collector)
    }
}

/// An exporter and its collector.
struct Session {
    exporter: Exporter,
    reader: Reader,
    known: Option<usize>,
    sequences: [u32; 2],
    longest: usize,
}

impl Session {
    fn new(settings: &Ipfix) -> Session {
        Session {
            exporter: Exporter::new(settings, 0),
            reader: Reader::default(),
            known: None,
            sequences: [0; 2],
            longest: 0,
        }
    }

    fn observe(&mut self, snapshot: &Snapshot) {
        self.exporter.observe(snapshot, TIMEOUT, EPOCH);
        self.exporter.close();
        self.deliver();
    }

    fn end_interval(&mut self) {
        self.exporter.begin_interval(&ExportCounts::default());
        self.make_all();
    }

    fn end(&mut self) {
        self.exporter.begin_end();
        self.make_all();
        self.exporter.push_options(&ExportCounts::default());
        self.make_all();
    }

    fn make_all(&mut self) {
        while self.exporter.make_ahead(EPOCH) {
            self.deliver();
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some(body) = self.exporter.take() {
            if self.known != Some(self.exporter.templates()) {
                let first: Vec<Body> = self.exporter.introduction(self.known).collect();
                self.known = Some(self.exporter.templates());
                first.into_iter().for_each(|body| self.send(body));
            }
            self.send(body);
        }
    }

    fn send(&mut self, mut body: Body) {
        let sequence = &mut self.sequences[body.subject as usize];
        let message = body.message(*sequence, 1_795_824_000, 7);
        self.longest = self.longest.max(message.len());
        self.reader.receive(message);
        *sequence += body.content.records;
    }

    /// Records of flows since the last call.
    fn flows(&mut self) -> Vec<Record> {
        let flows = self.reader.flows().cloned().collect();
        self.reader.records.clear();
        flows
    }
}

fn sample(slot: u32, protocol: Protocol, counts: Counts) -> FlowSample {
    FlowSample {
        counts,
        rules_version: 1,
        first_seen_ns: SECOND,
        last_seen_ns: 2 * SECOND,
        ..FlowSample::new(
            slot,
            FlowKey::incoming(
                3,
                protocol,
                ([192, 0, 2, 2], 40_000 + slot as u16),
                ([192, 0, 2, 1], 5004),
            ),
        )
    }
}

fn counts(packets: u64) -> Counts {
    Counts {
        packets,
        bytes: 114 * packets,
        payload_bytes: 72 * packets,
        sequence: None,
        ip: None,
    }
}

fn reading(taken_s: u64, flows: &[FlowSample]) -> Snapshot {
    Snapshot {
        taken_ns: taken_s * SECOND,
        flows: flows.to_vec(),
        interfaces: vec![InterfaceSample {
            ifindex: 3,
            name: "eth0".into(),
            ..InterfaceSample::default()
        }],
        ..Snapshot::default()
    }
}

#[test]
fn a_record_has_what_came_since_the_one_before() {
    let mut session = Session::new(&settings());
    let mut flow = sample(0, Protocol::Udp, counts(5));
    session.observe(&reading(3, &[flow]));
    session.end_interval();
    let first = session.flows();
    assert_eq!(first.len(), 1);
    let of_first = [PACKETS, LAYER_2_OCTETS, OWN | 1].map(|it| first[0].number(it));
    assert_eq!(of_first, [5, 570, 360]);
    assert_eq!(first[0].number(START), 1_795_824_001_000);
    assert_eq!(first[0].number(END), 1_795_824_002_000);
    assert_eq!(first[0].number(END_REASON), 2, "it goes on");
    assert_eq!(first[0].text(82), "eth0");
    assert_eq!((first[0].domain, first[0].number(10)), (7, 3));
    assert_eq!(first[0].number(61), 0, "it came in");

    session.observe(&reading(4, &[]));
    session.end_interval();
    assert_eq!(session.flows(), [], "no packet, no record");

    (flow.counts, flow.last_seen_ns) = (counts(12), 9 * SECOND);
    session.observe(&reading(10, &[flow]));
    session.end_interval();
    let second = session.flows();
    assert_eq!(second[0].number(PACKETS), 7);
    assert_eq!(second[0].number(START), first[0].number(END));
    assert_eq!(second[0].number(END), 1_795_824_009_000);
    assert_eq!(session.reader.missing, 0);
}

#[test]
fn an_interval_is_over_in_its_turn_however_late_that_is_noticed() {
    let mut exporter = Exporter::new(&settings(), 3 * SECOND);
    for (now_s, is_due) in [
        (3, false),
        (12, false),
        (13, true),
        (18, false),
        (27, true),
        (32, false),
        (33, true),
        (75, true),
        (82, false),
        (83, true),
    ] {
        assert_eq!(exporter.is_due(now_s * SECOND), is_due, "after {now_s} s");
    }
}

#[test]
fn what_is_not_known_is_not_in_the_template() {
    let mut session = Session::new(&settings());
    let flow = sample(0, Protocol::Udp, counts(5));
    session.observe(&reading(3, &[flow]));
    session.end_interval();
    let plain = session.flows().remove(0);
    for element in [
        OCTETS,
        VLAN,
        LOST_PACKETS,
        LOST_OCTETS,
        DUPLICATES,
        MEAN,
        DEVIATION,
        RULE,
        32,
    ] {
        assert!(!plain.has(element), "{element:#x}");
    }
    assert_eq!((plain.number(SOURCE_PORT), plain.number(GAPS)), (40_000, 0));

    let mut known = sample(0, Protocol::Icmp, counts(9));
    known.generation = 2;
    known.key.vlan = Some(0);
    known.counts.ip = Some(IpMetrics {
        ip_bytes: 900,
        ..IpMetrics::default()
    });
    known.counts.sequence = Some(Sequence {
        lost: 4,
        duplicates: Some(1),
        ..Sequence::default()
    });
    known.gaps = GapSums {
        count: 2,
        sum: 4000,
        squares: 1000 * 1000 + 3000 * 3000,
    };
    session.observe(&reading(4, &[known]));
    session.end_interval();
    let records = session.flows();
    let known = records
        .iter()
        .find(|record| record.has(32))
        .expect("of ICMP");
    assert_eq!(known.number(32), 5004, "type and code");
    assert!(!known.has(SOURCE_PORT));
    assert_eq!((known.number(VLAN), known.number(OCTETS)), (0, 900));
    assert_eq!(
        (known.signed(LOST_PACKETS), known.number(DUPLICATES)),
        (4, 1)
    );
    assert_eq!((known.number(MEAN), known.number(DEVIATION)), (2000, 1414));
    assert!(!known.has(LATE_SEGMENTS) && !known.has(LOST_OCTETS));
}

#[test]
fn the_reason_of_the_last_record_says_what_became_of_the_flow() {
    let mut session = Session::new(&settings());
    let flows: Vec<_> = (0..4)
        .map(|slot| sample(slot, Protocol::Tcp, counts(2)))
        .collect();
    session.observe(&reading(3, &flows));
    session.end_interval();
    session.flows();
    let mut another = sample(0, Protocol::Tcp, counts(1));
    another.generation = 2;
    let mut snapshot = reading(4, &[another]);
    // Rules exclude it: its last packet came a moment ago.
    snapshot.freed = vec![1];
    session.observe(&snapshot);
    let mut snapshot = reading(63, &[]);
    snapshot.freed = vec![2];
    session.observe(&snapshot);
    session.end();
    let ended: Vec<_> = session
        .flows()
        .iter()
        .map(|it| {
            (
                it.number(SOURCE_PORT),
                it.number(END_REASON),
                it.number(PACKETS),
            )
        })
        .collect();
    let expected = [
        (40_000, 5, 0),
        (40_001, 4, 0),
        (40_002, 1, 0),
        (40_000, 4, 1),
        (40_003, 4, 0),
    ];
    assert_eq!(ended, expected);
    session.end();
    assert_eq!(session.flows(), [], "each ends once");
}

#[test]
fn numbers_that_come_late_are_taken_off_again() {
    let mut session = Session::new(&settings());
    for (protocol, element) in [(Protocol::Udp, LOST_PACKETS), (Protocol::Tcp, LOST_OCTETS)] {
        let mut differences = Vec::new();
        for (packets, lost) in [(10, 7), (20, 2), (30, 3)] {
            let mut flow = sample(protocol.number().into(), protocol, counts(packets));
            flow.counts.sequence = Some(Sequence {
                lost,
                duplicates: (protocol != Protocol::Tcp).then_some(0),
                ..Sequence::default()
            });
            session.observe(&reading(packets, &[flow]));
            session.end_interval();
            differences.push(session.flows()[0].signed(element));
        }
        assert_eq!(differences, [7, -5, 1], "{protocol}");
    }
}

#[test]
fn only_elements_of_the_registry_are_used_where_that_is_asked_for() {
    let standard = Ipfix {
        elements: Elements::Standard,
        ..settings()
    };
    let mut session = Session::new(&standard);
    session.observe(&reading(3, &[sample(0, Protocol::Udp, counts(5))]));
    session.end();
    assert!(session.reader.enterprises.is_empty());
    assert!(session.reader.names().is_empty());
    let interface = session.reader.records.iter().find(|it| it.has(86));
    assert_eq!(interface.expect("its counts").number(86), 0);
    assert_eq!(session.flows()[0].number(PACKETS), 5);
}

#[test]
fn own_elements_are_told_by_name_under_the_number_that_was_chosen() {
    let own = Ipfix {
        enterprise: 12_345,
        ..settings()
    };
    let mut session = Session::new(&own);
    let mut snapshot = reading(3, &[sample(0, Protocol::Udp, counts(5))]);
    let volume = |packets| Volume {
        packets,
        bytes: 100 * packets,
    };
    let interface = &mut snapshot.interfaces[0];
    (interface.seen, interface.other) = (volume(20), volume(1));
    (interface.filtered, interface.untracked) = (volume(2), volume(3));
    interface.malformed[4] = volume(9);
    session.observe(&snapshot);
    session.end();
    let reader = &session.reader;
    assert!(reader.enterprises.iter().all(|number| *number == 12_345));
    let names = reader.names();
    let of_types = reader.records.iter().filter(|record| record.has(341));
    for record in of_types {
        assert_eq!(record.number(346), 12_345);
        assert_eq!(record.fields.len(), 9, "some collectors want all of them");
    }
    let used = reader
        .records
        .iter()
        .flat_map(|record| record.fields.keys());
    for element in used.filter(|element| **element & OWN != 0) {
        assert!(names.contains_key(element), "{element:#x} has no name");
    }
    assert_eq!(names[&LOST_PACKETS], "lostPacketDeltaCount");
    let counts = reader.records.iter().find(|record| record.has(86));
    let counts = counts.expect("the interface's counts");
    assert_eq!(counts.domain, 0, "the exporter's own");
    let standard = [86, 353, 164, 135].map(|it| counts.number(it));
    assert_eq!(standard, [20, 2000, 12, 3]);
    let own: Vec<u64> = (32..40).map(|it| counts.number(OWN | it)).collect();
    assert_eq!(own, [1, 100, 2, 200, 3, 300, 9, 900]);
}

#[test]
fn an_interface_that_is_forgotten_is_told_of_once_more_with_its_last_counts() {
    let mut session = Session::new(&settings());
    let seen = |second, packets| {
        let mut snapshot = reading(second, &[]);
        snapshot.interfaces[0].seen = Volume { packets, bytes: 0 };
        snapshot
    };
    session.observe(&seen(1, 50));
    session.end_interval();
    session.observe(&Snapshot {
        forgotten: vec![seen(2, 100).interfaces[0].ifindex],
        ..seen(2, 100)
    });
    let nothing = |second| Snapshot {
        interfaces: Vec::new(),
        ..reading(second, &[])
    };
    for second in 3..5 {
        session.observe(&nothing(second));
        session.end_interval();
    }
    session.end();
    let told = session
        .reader
        .records
        .iter()
        .filter(|record| record.has(86));
    assert!(told.map(|record| record.number(86)).eq([50, 100]));
}

#[test]
fn only_flows_of_the_rules_that_are_named_are_exported() {
    let of_voice = Ipfix {
        rules: vec!["voice".into()],
        ..settings()
    };
    let mut session = Session::new(&of_voice);
    let names = ["ssh", "voice"].map(Arc::from);
    session.exporter.set_rules(1, names.to_vec());
    let flows: Vec<_> = [Some(0), Some(1), None]
        .into_iter()
        .zip(0..)
        .map(|(rule, slot)| FlowSample {
            rule,
            ..sample(slot, Protocol::Udp, counts(5))
        })
        .collect();
    session.observe(&reading(3, &flows));
    session.end_interval();
    let records = session.flows();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].number(SOURCE_PORT), records[0].text(RULE)),
        (40_001, "voice".into())
    );
    // What came under rules that are not known any more came under the latest one that was.
    let flow = FlowSample {
        rule: None,
        ..sample(1, Protocol::Udp, counts(9))
    };
    session.observe(&reading(4, &[flow]));
    session.end_interval();
    let records = session.flows();
    let of_voice = records.iter().map(|it| (it.number(PACKETS), it.text(RULE)));
    assert!(of_voice.eq([(4, "voice".into())]));
}

/// Slots whose flows come, count, wrap their narrow counters, pause, and give way: what all records of a slot's lives say adds
/// up to what they counted.
#[test]
fn records_add_up_to_all_that_was_counted() {
    let mut dice = Dice(7);
    let mut session = Session::new(&settings());
    let mut flows: Vec<FlowSample> = (0..300).map(|slot| born(slot, 1)).collect();
    let (mut packets, mut bytes, mut absent, mut gaps) = (0, 0, 0, 0);
    for second in 1..200 {
        let mut snapshot = reading(second, &[]);
        for flow in &mut flows {
            if dice.below(4) == 0 {
                let more = dice.below(1000) as u64;
                flow.counts.packets += more;
                flow.counts.bytes += 99 * more;
                let sequence = flow.counts.sequence.as_mut().expect("numbers");
                // As a counter of 32 bits shows it.
                let huge = dice.below(1 << 31) as u64;
                sequence.absent = (sequence.absent + huge) & 0xffff_ffff;
                absent += huge;
                if dice.below(9) == 0 {
                    (flow.epoch, flow.gaps) = (flow.epoch + 1, GapSums::default());
                }
                flow.gaps.count += more;
                gaps += more;
                flow.last_seen_ns = second * SECOND;
                (packets, bytes) = (packets + more, bytes + 99 * more);
                snapshot.flows.push(*flow);
            } else if dice.below(50) == 0 {
                snapshot.freed.push(flow.slot);
                *flow = born(flow.slot, flow.generation + 1);
            } else if dice.below(50) == 0 {
                // Its place goes to another one, which is read next.
                *flow = born(flow.slot, flow.generation + 1);
            }
        }
        session.observe(&snapshot);
        if second % 10 == 0 {
            session.end_interval();
        }
    }
    session.end();
    let sum = |element| {
        session
            .reader
            .flows()
            .map(|it| it.number(element))
            .sum::<u64>()
    };
    assert_eq!((sum(PACKETS), sum(LAYER_2_OCTETS)), (packets, bytes));
    assert_eq!((sum(OWN | 8), sum(GAPS)), (absent, gaps));
    assert_eq!(session.reader.missing, 0);
    assert!(
        (1300..=1400).contains(&session.longest),
        "{}",
        session.longest
    );
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for record in session.reader.flows() {
        let end = last.entry(record.number(SOURCE_PORT)).or_default();
        assert!(record.number(START) <= record.number(END));
        *end = record.number(END);
    }
}

fn born(slot: u32, generation: u32) -> FlowSample {
    let mut flow = sample(slot, Protocol::Udp, counts(0));
    flow.counts.sequence = Some(Sequence {
        duplicates: Some(0),
        ..Sequence::default()
    });
    flow.generation = generation;
    flow
}
