//! Checks on hand-made readings: over the whole run, with all flows that there were, and never sure without a reason.

use std::net::Ipv4Addr;

use flowtop::model::check::{Check, Outcome, Verdict, judge, table, unmet};
use flowtop::model::flow::{FlowKey, Protocol};
use flowtop::model::histogram::{Histogram, bucket_of};
use flowtop::model::preferences::Unit;
use flowtop::model::snapshot::{
    Counts, FlowSample, GapSums, HistogramSample, InterfaceSample, LinkState, Sequence, Snapshot,
    Volume,
};
use flowtop::model::tracker::{FlowTracker, FormerRuns, Intervals};

const SECOND: u64 = 1_000_000_000;

fn key(port: u16) -> FlowKey {
    FlowKey::incoming(
        7,
        Protocol::Udp,
        (Ipv4Addr::new(10, 0, 0, 2), 40000),
        (Ipv4Addr::new(10, 0, 0, 1), port),
    )
}

/// A slot in which a flow of 100-byte packets is, to a port: so many came, of which the next ones are numbered and some
/// are lost.
fn sample(slot: u32, generation: u32, port: u16, packets: u64, lost: Option<u64>) -> FlowSample {
    FlowSample {
        generation,
        counts: Counts {
            packets,
            bytes: packets * 100,
            payload_bytes: packets * 58,
            sequence: lost.map(|lost| Sequence {
                received: packets,
                lost,
                duplicates: Some(0),
                ..Sequence::default()
            }),
            ip: None,
        },
        first_seen_ns: SECOND / 2,
        last_seen_ns: SECOND,
        ..FlowSample::new(slot, key(port))
    }
}

fn veth1() -> InterfaceSample {
    InterfaceSample {
        ifindex: 7,
        name: "veth1".into(),
        ..InterfaceSample::default()
    }
}

/// A run that reads once a second.
struct Run {
    tracker: FlowTracker,
    seconds: u64,
    interface: InterfaceSample,
}

impl Run {
    fn with_room(room: usize) -> Run {
        Run::beginning_at(0, room)
    }

    fn beginning_at(began_ns: u64, room: usize) -> Run {
        let second = Intervals {
            refresh_ns: SECOND,
            jitter_ns: SECOND,
        };
        let mut tracker = FlowTracker::new(second, began_ns);
        tracker.keep_flows(room, Box::new(|_| true));
        Run {
            tracker,
            seconds: 0,
            interface: veth1(),
        }
    }

    fn new() -> Run {
        Run::with_room(1000)
    }

    /// The next reading: changed slots, and those that are free now.
    fn read(&mut self, flows: &[FlowSample], freed: &[u32]) {
        self.read_with(flows, freed, &[]);
    }

    /// The same with histograms.
    fn read_with(&mut self, flows: &[FlowSample], freed: &[u32], histograms: &[HistogramSample]) {
        self.seconds += 1;
        self.tracker.advance_and_close(&Snapshot {
            taken_ns: self.seconds * SECOND,
            flows: flows.to_vec(),
            freed: freed.to_vec(),
            interfaces: vec![self.interface.clone()],
            histograms: histograms.to_vec(),
            ..Snapshot::default()
        });
    }

    fn judge(&self, text: &str) -> Outcome {
        self.judge_in(Unit::Bytes, text)
    }

    fn judge_in(&self, unit: Unit, text: &str) -> Outcome {
        let check = Check::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let run = self.tracker.whole_run().expect("flows are kept");
        let [outcome] = &judge(&[check], &run, unit)[..] else {
            panic!("one outcome");
        };
        outcome.clone()
    }

    fn verdict(&self, text: &str) -> Verdict {
        self.judge(text).verdict
    }

    fn holds(&self, text: &str) -> bool {
        match self.verdict(text) {
            Verdict::Holds => true,
            Verdict::Fails => false,
            Verdict::Unsure => panic!("{:?}", self.judge(text)),
        }
    }
}

#[test]
fn rates_without_a_unit_of_their_own_are_in_the_one_that_is_chosen() {
    let mut run = Run::new();
    run.read(&[sample(0, 1, 5201, 10, None)], &[]);
    run.read(&[], &[]);
    for (unit, condition) in [
        (Unit::Bytes, "=> rate=500"),
        (Unit::Bits, "=> rate=4000"),
        (Unit::Bytes, "=> rate=4kbps"),
        (Unit::Bits, "=> rate=4kbps"),
    ] {
        let outcome = run.judge_in(unit, condition);
        assert_eq!(outcome.verdict, Verdict::Holds, "{outcome:?}");
    }
}

#[test]
fn figures_are_those_of_the_whole_run_and_not_of_the_latest_interval() {
    let mut run = Run::new();
    run.read(&[sample(0, 1, 5201, 990, Some(10))], &[]);
    // The rest comes in one interval of nine, without a loss.
    (0..7).for_each(|_| run.read(&[], &[]));
    run.read(&[sample(0, 1, 5201, 1990, Some(10))], &[]);
    run.read(&[], &[]);
    for (condition, expected) in [
        ("loss=0.5", true),
        ("loss<0.5", false),
        ("loss_now=0.5", true),
        ("loss_window=0.5", true),
        ("lost=10 packets=1990", true),
        ("rate=19900", true),
        ("rate=159.2kbps", true),
        ("pps=199", true),
        ("goodput=11542", true),
        ("age=9.5s", true),
        ("idle=9s", true),
        ("not loss>0.4", false),
        ("loss>1 or packets>1", true),
        ("dst:10.0.0.1 udp veth1", true),
    ] {
        let text = format!("port:5201 => {condition}");
        assert_eq!(run.holds(&text), expected, "{text}");
    }
}

#[test]
fn jitter_is_over_all_gaps_of_all_epochs_of_all_lives() {
    // Each life of the flow in a slot, each epoch of a life, each reading of an epoch: the gaps that are new, in ns.
    let lives: [&[&[&[u64]]]; 2] = [
        &[&[&[100, 300, 250], &[900]], &[&[50], &[70, 80]]],
        &[&[&[1000, 2000]]],
    ];
    let mut run = Run::new();
    for (life, epochs) in (1..).zip(lives) {
        let mut packets = 0;
        for (epoch, readings) in (1..).zip(epochs) {
            let mut sums = GapSums::default();
            for gaps in *readings {
                for gap in *gaps {
                    sums.count += 1;
                    sums.sum += gap;
                    sums.squares += u128::from(*gap) * u128::from(*gap);
                    packets += 1;
                }
                let flow = FlowSample {
                    epoch,
                    gaps: sums,
                    ..sample(3, life, 5201, packets, None)
                };
                run.read(&[flow], &[]);
            }
        }
        run.read(&[], &[3]);
    }
    let gaps: Vec<f64> = lives
        .concat()
        .concat()
        .concat()
        .iter()
        .map(|gap| *gap as f64 / 1e6)
        .collect();
    let n = gaps.len() as f64;
    let mean = gaps.iter().sum::<f64>() / n;
    let deviation = (gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    assert!(run.tracker.report().flows.is_empty(), "it has left");
    let whole = run.tracker.whole_run().expect("flows are kept");
    let flows: Vec<_> = whole.flows().collect();
    let [flow] = &flows[..] else {
        panic!("one flow: {flows:?}");
    };
    let interarrival = flow.interarrival;
    let is =
        |found: Option<f64>, expected: f64| (found.expect("known") / expected - 1.0).abs() < 1e-9;
    assert!(is(interarrival.mean_ms(), mean) && is(interarrival.jitter_ms(), deviation));
    assert_eq!((interarrival.samples, flow.jitter_epochs), (9, 3));
    assert_eq!(flow.counts.packets, 7 + 2);
}

#[test]
fn percentiles_are_those_of_all_lives_and_what_no_histogram_has_is_said() {
    let gap = 1_000_000;
    let histogram_of = |gaps: u64, key| {
        let mut histogram = Histogram::default();
        histogram.counts[bucket_of(gap)] = gaps;
        histogram.longest = gap;
        move |is_last| HistogramSample {
            key,
            is_last,
            histogram: histogram.clone(),
        }
    };
    let sums = |count| GapSums {
        count,
        sum: count * gap,
        squares: u128::from(count) * u128::from(gap).pow(2),
    };
    let life = |generation, gaps| FlowSample {
        gaps: sums(gaps),
        ..sample(0, generation, 1, gaps + 1, None)
    };
    let mut run = Run::new();
    // Of the first life two gaps were before the first reading; all of the second one are in its histogram.
    run.read_with(&[life(1, 10)], &[], &[histogram_of(8, key(1))(false)]);
    run.read_with(&[], &[0], &[histogram_of(8, key(1))(true)]);
    run.read_with(&[life(2, 5)], &[], &[histogram_of(5, key(1))(false)]);
    let outcome = run.judge("=> iat_p50<1.02 iat_max=1 samples=15");
    assert_eq!(outcome.verdict, Verdict::Holds, "{outcome:?}");
    assert!(
        outcome.remarks[0].starts_with("2 times between packets"),
        "{outcome:?}"
    );
    assert_eq!(run.judge("=> samples=15").remarks, [""; 0]);
    // There is no time between packets of a life with one.
    run.read_with(&[], &[0], &[histogram_of(5, key(1))(true)]);
    run.read_with(&[life(3, 0)], &[], &[]);
    assert!(run.holds("=> iat_max=1"));
    // A life without a histogram: what the others have says nothing of the whole.
    run.read_with(&[life(3, 5)], &[], &[]);
    assert!(!run.holds("=> iat_max=1"));
    run.read_with(&[], &[0], &[]);
    assert!(!run.holds("=> iat_max=1"));
    run.read_with(&[life(4, 5)], &[], &[histogram_of(5, key(1))(false)]);
    assert!(!run.holds("=> iat_max=1"));
}

#[test]
fn a_run_of_weeks_has_room_for_the_squares_of_its_gaps() {
    // A gap of 2 s, read each time: modulo 2^79 the sum of squares is full after 151,000 of them.
    let mut run = Run::new();
    let mut sums = GapSums::default();
    for packets in 1..=400_u64 {
        let gaps = 1000;
        sums.count += gaps;
        sums.sum += gaps * 2 * SECOND;
        let squares = u128::from(gaps) * u128::from(2 * SECOND).pow(2);
        sums.squares = (sums.squares + squares) % GapSums::MODULUS;
        let flow = FlowSample {
            gaps: sums,
            ..sample(0, 1, 5201, packets * gaps, None)
        };
        run.read(&[flow], &[]);
    }
    assert!(run.holds("=> jitter=0 iat=2000 samples=400k"));
}

#[test]
fn flows_that_ended_are_judged_and_one_that_came_again_is_one() {
    let mut run = Run::new();
    run.read(
        &[sample(0, 1, 1, 100, Some(0)), sample(1, 1, 2, 99, Some(1))],
        &[],
    );
    // Both leave: one by its time, the other is replaced. The first one comes again elsewhere.
    run.read(&[sample(1, 2, 3, 10, Some(0))], &[0]);
    run.read(&[sample(9, 4, 1, 50, Some(50))], &[]);
    let outcome = run.judge("=> loss<1");
    assert_eq!(
        (outcome.verdict, outcome.taken, outcome.failed),
        (Verdict::Fails, 3, 2)
    );
    // 50 of 200, and 1 of 100: the worst comes first, and those within the bound are not told.
    let [first, second] = &outcome.worst[..] else {
        panic!("{outcome:?}");
    };
    assert_eq!(first, "loss 25%, udp 10.0.0.2:40000 > 10.0.0.1:1 veth1");
    assert_eq!(second, "loss 1%, udp 10.0.0.2:40000 > 10.0.0.1:2 veth1");
    assert!(run.holds("port:3 => loss=0 packets=10"));
    assert!(run.holds("port:1 => packets=150 lost=50 flows=1"));
    assert!(run.holds("udp => flows=3"));
}

#[test]
fn at_least_one_flow_is_taken_unless_the_number_is_asked_for() {
    let mut run = Run::new();
    run.read(
        &[sample(0, 1, 1, 100, Some(0)), sample(1, 1, 2, 100, Some(0))],
        &[],
    );
    let outcome = run.judge("port:3 => loss<1");
    assert_eq!(outcome.verdict, Verdict::Fails);
    assert_eq!((outcome.taken, outcome.failed), (0, 0));
    assert_eq!(outcome.remarks, ["no flow is taken"]);
    assert!(run.holds("port:3 => flows=0"));
    assert!(!run.holds("port:3 => flows>=1"));
    assert!(run.holds("=> flows>=2 loss=0"));
    assert!(!run.holds("=> flows>=3 loss=0"));
    assert!(!run.holds("=> flows>=3 or loss>0"));
    assert!(run.holds("=> not flows>=3"));
    // A flow that is listed and had no packet since totals were set to zero is none.
    run.tracker.reset();
    assert!(!run.holds("=> loss=0"));
    run.read(&[sample(0, 1, 1, 101, Some(0))], &[]);
    assert!(run.holds("=> flows=1 packets=1 rate=100"));
}

#[test]
fn what_is_not_known_is_not_met_whichever_way_it_is_asked_for() {
    let mut run = Run::new();
    run.read(&[sample(0, 1, 1, 100, None)], &[]);
    for condition in [
        "loss<1",
        "loss>=0",
        "not loss>1",
        "!lost=5",
        "iat_p99<5ms",
        "jitter<1",
        "rule:x",
    ] {
        let outcome = run.judge(&format!("=> {condition}"));
        assert_eq!(outcome.verdict, Verdict::Fails, "{condition}");
        assert_eq!(outcome.failed, 1);
    }
    assert_eq!(
        run.judge("=> loss<1").worst[0].split(',').next(),
        Some("loss unknown")
    );
    // Without a rule, a VLAN or a name that is not a matter of knowledge.
    assert!(run.holds("=> !rule:x vlan:none !tcp"));
    assert!(run.holds("=> loss<1 or packets=100"));
}

#[test]
fn no_check_is_sure_of_flows_that_found_no_room() {
    let mut run = Run::with_room(2);
    let flows = [1, 2, 3, 3].map(|port| sample(port.into(), 1, port, 10, Some(0)));
    run.read(&flows, &[]);
    assert_eq!(run.tracker.report().flows.len(), 3);
    let outcome = run.judge("=> loss=0");
    assert_eq!((outcome.verdict, outcome.taken), (Verdict::Unsure, 2));
    assert!(
        outcome.remarks[0].contains("has memory for: 1 ("),
        "{outcome:?}"
    );
    assert_eq!(
        run.verdict("=> loss>0"),
        Verdict::Fails,
        "nothing can mend that"
    );
    assert!(unmet(std::slice::from_ref(&outcome)).is_some());
    let lines = table(&[outcome], 1.0);
    assert!(
        lines.iter().any(|line| line.starts_with("unsure")),
        "{lines:#?}"
    );

    let mut run = Run::new();
    run.interface.untracked = Volume {
        packets: 1234,
        bytes: 0,
    };
    run.read(&[sample(0, 1, 1, 10, Some(0))], &[]);
    let outcome = run.judge("udp => loss=0");
    assert_eq!(outcome.verdict, Verdict::Unsure);
    assert!(
        outcome.remarks[0].starts_with("1,234 packets are untracked"),
        "{outcome:?}"
    );
    assert!(!run.holds("iface:eth* => flows=1"));
    assert!(
        run.holds("iface:eth* => flows=0"),
        "those packets were on another interface"
    );
    assert!(!run.holds("=> untracked=0"));
    assert!(run.holds("=> untracked=1234"));
}

#[test]
fn interfaces_that_share_a_row_are_none_that_is_asked_for_by_name() {
    let mut run = Run::new();
    let gone = |number: u32| InterfaceSample {
        ifindex: 100 + number,
        name: format!("gone{number}"),
        state: LinkState::Gone,
        other: Volume {
            packets: 10,
            bytes: 1000,
        },
        ..InterfaceSample::default()
    };
    let gone: Vec<_> = (0..120).map(gone).collect();
    run.tracker.advance(&Snapshot {
        taken_ns: SECOND / 2,
        forgotten: gone.iter().map(|it| it.ifindex).collect(),
        interfaces: gone,
        ..Snapshot::default()
    });
    run.read(&[], &[]);
    let shared = run.tracker.report().interfaces.iter();
    let shared: Vec<_> = shared.filter(|it| it.ifindex == 0).collect();
    assert_eq!(shared[0].counts.packets, 200, "twenty of them");
    let outcome = run.judge("iface:wan0 => other>=100");
    assert_eq!((outcome.verdict, outcome.taken), (Verdict::Fails, 0));
    let outcome = run.judge("iface:veth1 => other<=10");
    assert_eq!((outcome.verdict, outcome.taken), (Verdict::Unsure, 1));
    assert_eq!(run.verdict("iface:veth1 => other<=200"), Verdict::Holds);
    assert_eq!(run.judge("=> other<=200").taken, 102);
}

#[test]
fn counts_of_interfaces_are_those_of_the_run() {
    let mut run = Run::new();
    run.interface.seen.packets = 30;
    run.interface.other.packets = 3;
    run.interface.filtered.packets = 2;
    run.interface.malformed[0].packets = 1;
    run.interface.malformed[1].packets = 1;
    run.interface.device_drops = Some(5);
    run.read(&[sample(0, 1, 1, 10, None)], &[]);
    for (text, expected) in [
        ("=> untracked=0", true),
        ("iface:veth* => other<=3 filtered=2 malformed=2", true),
        ("=> device_drops=5", true),
        ("=> drops<5", false),
        (
            "=> seen=30 ended=0 fragments_unmatched=0 packets_estimated=0",
            true,
        ),
        ("=> untracked=0 packets=17 rate=1000", true),
        ("=> untracked=0 veth1", true),
        ("iface:eth0 => untracked=0", false),
        ("other>5 => untracked=0", false),
    ] {
        assert_eq!(run.holds(text), expected, "{text}");
    }
    let outcome = run.judge("=> drops<5");
    assert_eq!(
        (outcome.of_what, outcome.taken, outcome.failed),
        ("interfaces", 1, 1)
    );
    assert_eq!(outcome.worst, ["drops 5, veth1"]);
    assert_eq!(
        run.judge("iface:eth0 => other=0").remarks,
        ["no interface is taken"]
    );
    // From here on everything counts anew.
    run.tracker.reset();
    run.interface.device_drops = Some(7);
    run.read(&[], &[]);
    assert!(run.holds("=> drops=2 other=0 filtered=0 malformed=0"));
    // A device that does not say what it drops.
    run.interface.device_drops = None;
    run.read(&[], &[]);
    assert!(!run.holds("=> drops=0") && !run.holds("=> not drops>0"));
}

/// What a check comes to over runs that are over, of which this is said to be missing.
fn judge_former(runs: &FormerRuns, text: &str, missing: &[&'static str]) -> Outcome {
    let check = Check::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let outcomes = judge(&[check], &runs.whole(missing), Unit::Bytes);
    outcomes.into_iter().next().expect("one outcome")
}

#[test]
fn a_run_that_is_kept_from_its_midst_begins_there() {
    let gap = 1_000_000;
    let with_gaps = |packets: u64, longest| {
        let mut histogram = Histogram::default();
        histogram.counts[bucket_of(gap)] = packets - 2;
        histogram.counts[bucket_of(longest)] += 1;
        histogram.longest = longest;
        let sample = FlowSample {
            gaps: GapSums {
                count: packets - 1,
                sum: (packets - 2) * gap + longest,
                squares: u128::from(packets - 2) * u128::from(gap).pow(2)
                    + u128::from(longest).pow(2),
            },
            ..sample(0, 1, 1, packets, Some(packets / 10))
        };
        let of_it = HistogramSample {
            key: key(1),
            is_last: false,
            histogram,
        };
        (sample, of_it)
    };
    let mut run = Run::new();
    run.interface.untracked.packets = 7;
    run.interface.device_drops = Some(50);
    let (flow, histogram) = with_gaps(100, 50 * gap);
    run.read_with(&[flow], &[], &[histogram]);
    run.tracker.keep_flows(1000, Box::new(|_| true));
    run.interface.device_drops = Some(53);
    let (flow, histogram) = with_gaps(150, 50 * gap);
    run.read_with(&[flow], &[], std::slice::from_ref(&histogram));
    assert!(run.holds("=> flows=1 packets=50 lost=5 rate=5000 samples=50 jitter=0 iat=1"));
    assert!(run.holds("=> untracked=0 drops=3 packets=50"));
    // The longest gap came before: at most a bucket more than there was is said of the others.
    assert!(run.holds("=> iat_p50<1.02 iat_p99<1.02 iat_max>=1 iat_max<1.04"));
    let last = HistogramSample {
        is_last: true,
        ..histogram
    };
    run.read_with(&[], &[0], &[last]);
    assert!(run.holds("=> packets=50 iat_p99<1.02 iat_max<1.04"));
    // One that begins anew has nothing of before in it.
    let (flow, histogram) = with_gaps(20, 30 * gap);
    let flow = FlowSample {
        generation: 2,
        ..flow
    };
    run.read_with(&[flow], &[], &[histogram]);
    assert!(run.holds("=> packets=70 iat_p50<1.02 iat_max=30"));
}

#[test]
fn a_run_begins_with_its_first_interval_or_when_it_is_said_to_have_begun() {
    let mut run = Run::beginning_at(5 * SECOND, 10);
    run.seconds = 6;
    run.read(&[sample(0, 1, 5001, 100, None)], &[]);
    let seconds = |run: &Run| run.tracker.whole_run().expect("flows are kept").seconds();
    assert_eq!(seconds(&run), 2.0);
    assert!(run.holds("=> pps=50"));
    run.tracker.set_run_began(6_500_000_000);
    assert_eq!(seconds(&run), 0.5);
    assert!(run.holds("=> pps=200"));
}

/// Two runs. The clock of the second one begins anew, and the interface has another index.
fn two_runs() -> [Run; 2] {
    let gap_of = |ms: u64| GapSums {
        count: 1,
        sum: ms * 1_000_000,
        squares: u128::from(ms * 1_000_000).pow(2),
    };
    let mut first = Run::new();
    first.interface.seen.packets = 100;
    first.interface.device_drops = Some(4);
    let mut of_first = sample(0, 1, 1, 90, Some(10));
    of_first.gaps = gap_of(1);
    first.read(&[of_first, sample(1, 1, 2, 10, None)], &[]);
    first.read(&[], &[1]);
    let mut second = Run::new();
    second.interface.ifindex = 9;
    second.interface.seen.packets = 300;
    second.interface.device_drops = Some(1);
    let again = |port, packets, lost| {
        let flow = sample(port, 1, port as u16, packets, lost);
        FlowSample {
            key: FlowKey {
                ifindex: 9,
                ..flow.key
            },
            gaps: gap_of(3),
            ..flow
        }
    };
    second.read(&[again(1, 110, Some(0)), again(3, 190, Some(0))], &[]);
    (0..2).for_each(|_| second.read(&[], &[]));
    [first, second]
}

#[test]
fn runs_one_after_the_other_are_judged_as_one() {
    let [mut first, mut second] = two_runs();
    let day = 86_400 * SECOND as i64;
    let mut runs = first.tracker.end_run(day).expect("flows are kept");
    runs.add(second.tracker.end_run(2 * day).expect("flows are kept"));
    for (text, expected) in [
        ("=> flows=3 packets>0", true),
        (
            "port:1 => flows=1 packets=200 lost=10 loss<=4.77 loss>4.76",
            true,
        ),
        // Over the five seconds of both, and not the day between them.
        (
            "port:1 => rate=4000 iat=2 samples=2 age>86000s idle=2",
            true,
        ),
        ("port:2 => packets=10", true),
        ("=> seen=400 packets=400 drops=5", true),
        ("=> seen=400 veth1", true),
        ("=> loss<1", false),
    ] {
        let outcome = judge_former(&runs, text, &[]);
        let is_expected = (outcome.verdict == Verdict::Holds) == expected;
        assert!(is_expected, "{text}: {outcome:?}");
    }
    assert_eq!(judge_former(&runs, "=> seen>0", &[]).taken, 1);
    assert_eq!(runs.whole(&[]).seconds(), 5.0);
    // What is missing may have been anything.
    for text in ["=> packets>0", "=> untracked=0"] {
        let outcome = judge_former(&runs, text, &["a part is missing"]);
        assert_eq!(outcome.verdict, Verdict::Unsure, "{text}");
        assert_eq!(outcome.remarks, ["a part is missing"]);
    }
    let outcome = judge_former(&runs, "=> seen=0", &["a part is missing"]);
    assert_eq!(outcome.verdict, Verdict::Fails);
    let none = FormerRuns::none();
    let outcome = judge_former(&none, "=> flows=0", &["nothing was there"]);
    assert_eq!(outcome.verdict, Verdict::Unsure);
}

#[test]
fn a_check_keeps_the_flows_that_it_may_take_and_no_others() {
    let may = |text: &str, port| Check::parse(text).expect(text).may_take(&key(port));
    assert!(may("port:5201 => loss<1", 5201) && !may("port:5201 => loss<1", 5202));
    assert!(may("port:5201 packets>1 => loss<1", 5201) && !may("port:5201 packets>1 => loss<1", 1));
    assert!(may("!port:5201 or iface:eth0 => loss<1", 5201) && may("!tcp => loss<1", 1));
    assert!(!may("proto:tcp => loss<1", 1) && !may("=> untracked=0", 1));
}

#[test]
fn mistakes_have_their_place_in_the_whole_text() {
    for (text, wrong, part) in [
        ("udp => los<1", "los", "did you mean loss?"),
        ("port:99999 => loss<1", "99999", "not a port"),
        ("ä => (loss<1", "(", "not closed"),
        ("udp => loss<x", "x", "not a number"),
        ("udp => flows>=ten", "ten", "not a number of flows"),
        ("=> untracked=0 loss<1", "loss", "two checks"),
        ("=> loss<1 untracked=0", "loss", "two checks"),
        ("=> untracked=0 flows=1", "flows", "two checks"),
        ("=> untracked=0 bla<1", "bla", "not a number to compare"),
        ("port:1 => untracked=0", "port", "an interface has no port"),
        ("port 1 => untracked=0", "1", "an interface has no port"),
        ("=> is:losing", "is", "the latest interval"),
        ("is:alert => loss<1", "is", "the latest interval"),
        ("kind:gap => loss<1", "kind", "no kind"),
        ("udp => ", "=>", "condition is missing"),
        ("udp loss<1", "", "SELECTION => CONDITION"),
        ("", "", "SELECTION => CONDITION"),
        ("udp => loss<1 => loss<1", "=", "nothing to compare"),
    ] {
        let error = Check::parse(text).expect_err(text);
        let length = error.end.saturating_sub(error.start);
        let found: String = text.chars().skip(error.start).take(length).collect();
        assert_eq!(found, wrong, "{text}: {error:?}");
        assert!(error.message.contains(part), "{text}: {error:?}");
    }
}

#[test]
fn the_table_has_each_check_with_its_worst_flow() {
    let mut run = Run::new();
    run.read(
        &[
            sample(0, 1, 1, 990, Some(10)),
            sample(1, 1, 2, 999, Some(1)),
        ],
        &[],
    );
    let texts = ["=> loss<0.5", "port:2 => loss<0.5", "port:9 => loss<1"];
    let outcomes: Vec<_> = texts.iter().map(|text| run.judge(text)).collect();
    let expected = "\
flowtop: checks over 1.0 s
result   taken  failed  check
fails        2       1  => loss<0.5
                        worst: loss 1%, udp 10.0.0.2:40000 > 10.0.0.1:1 veth1
holds        1       0  port:2 => loss<0.5
                        worst: loss 0.1%, udp 10.0.0.2:40000 > 10.0.0.1:2 veth1
fails        0       0  port:9 => loss<1
                        no flow is taken";
    assert_eq!(table(&outcomes, 1.0).join("\n"), expected);
    assert_eq!(
        unmet(&outcomes).as_deref(),
        Some("2 of 3 checks do not hold")
    );
    let last = table(&outcomes[1..2], 1.0).pop();
    assert_eq!(last.as_deref(), Some("flowtop: the check holds"));
}
