//! Gaps between arrivals: the program's sums and histogram against the arrival times themselves.

use std::time::Duration;

use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::model::snapshot::{GapSums, Snapshot};
use flowtop::model::tracker::{FlowTracker, Intervals};
use flowtop::probe::{Options, Probe, TestContext};

use crate::duel::Duel;
use crate::reference::build::frame;
use crate::reference::gaps::Gaps;
use crate::reference::packet::Link;
use crate::reference::spec::{FrameSpec, Place, Transport, UdpLength};
use crate::support;
use crate::support::frames::Udp;

/// A flow that is shown to the program, and when its packets arrived.
pub struct Arrivals {
    duel: Duel<flowtop::probe::Probe>,
    frame: Vec<u8>,
    gaps: Gaps,
}

impl Arrivals {
    pub fn begin() -> Arrivals {
        let spec = FrameSpec::plain(Transport::Udp(UdpLength::Right), 100);
        Arrivals {
            duel: Duel::begin(1000),
            frame: frame(&spec, Place(1), Link::Ethernet, &SequenceProfile::OFF, 0),
            gaps: Gaps::default(),
        }
    }

    /// The number of the epoch, by the reference.
    pub fn epoch(&self) -> u32 {
        self.gaps.epoch()
    }

    /// Shows a frame and gives the time of its arrival, as the program took it, to the reference.
    pub fn arrive(&mut self) {
        self.duel
            .show(0, Link::Ethernet, &self.frame, Default::default())
            .expect("a run");
        self.duel.read().expect("a flow of the reference's");
        let sample = self.duel.samples().next().expect("one flow");
        self.gaps.observe(sample.last_seen_ns);
        let wanted = GapSums {
            count: self.gaps.gaps.len() as u64,
            sum: self.gaps.sum() as u64,
            squares: self.gaps.squares() % GapSums::MODULUS,
        };
        assert_eq!((sample.gaps, sample.epoch), (wanted, self.gaps.epoch()));
    }
}

#[test]
fn gaps_add_up_to_the_nanosecond_and_a_pause_begins_an_epoch() {
    if !support::root() {
        return;
    }
    let mut flow = Arrivals::begin();
    for _ in 0..500 {
        flow.arrive();
    }
    // The clock itself is what is tested: nothing else could be waited for.
    std::thread::sleep(Duration::from_millis(1500));
    flow.arrive();
    std::thread::sleep(Duration::from_millis(2001));
    for _ in 0..100 {
        flow.arrive();
    }
    assert!(flow.gaps.epoch() >= 2, "the pause ended the first epoch");
}

/// The gap at this percentile, by the nearest rank.
fn exact_percentile(sorted: &[u64], percentile: u64) -> u64 {
    let rank = (sorted.len() as u64 * percentile).div_ceil(100);
    sorted[rank as usize - 1]
}

#[test]
fn the_histogram_of_a_focused_flow_is_that_of_its_gaps() {
    if !support::root() {
        return;
    }
    let mut flow = Arrivals::begin();
    (0..20).for_each(|_| flow.arrive());
    let key = flow.duel.samples().next().expect("one flow").key;
    flow.duel.subject().focus(vec![key]);
    // It has its histogram from the next reading on.
    flow.arrive();
    let before = flow.gaps.gaps.len();
    for n in 0..400_u64 {
        // From nothing to 30 ms, so that many buckets are met; how long it really took is told by the program.
        std::thread::sleep(Duration::from_micros((1 << (n % 16)) - 1));
        flow.arrive();
    }
    let mut counted = flow.gaps.gaps.split_off(before);
    std::thread::sleep(Duration::from_millis(2001));
    flow.arrive();
    assert!(flow.gaps.gaps.is_empty(), "the pause is no gap");

    let snapshot = flow.duel.subject().snapshot();
    let [sample] = &snapshot.histograms[..] else {
        panic!("one flow is in focus: {snapshot:?}");
    };
    let histogram = &sample.histogram;
    assert_eq!((sample.key, histogram.total()), (key, 400));
    counted.sort_unstable();
    for percentile in [1, 50, 95, 99, 100] {
        let exact = exact_percentile(&counted, percentile) as f64 / 1e6;
        let shown = histogram.percentile_ms(percentile as f64).expect("gaps");
        assert!(
            (shown - exact).abs() <= exact * 0.016,
            "p{percentile}: {shown} ms, exact {exact} ms"
        );
    }
    let longest = counted[counted.len() - 1];
    assert_eq!(histogram.longest, longest);

    flow.duel.subject().reset_histograms();
    flow.arrive();
    flow.arrive();
    let snapshot = flow.duel.subject().snapshot();
    let since: Vec<_> = flow.gaps.gaps.iter().rev().take(2).collect();
    let [sample] = &snapshot.histograms[..] else {
        panic!("the flow is still in focus: {snapshot:?}");
    };
    assert_eq!(sample.histogram.total(), 2);
    assert_eq!(Some(&sample.histogram.longest), since.into_iter().max());

    flow.duel.subject().focus(Vec::new());
    assert!(flow.duel.subject().snapshot().histograms.is_empty());
}

/// Any flow.
pub fn any(histogram: bool) -> Rule {
    Rule {
        name: "all".into(),
        sources: Vec::new(),
        destinations: Vec::new(),
        source_ports: Vec::new(),
        destination_ports: Vec::new(),
        protocols: Vec::new(),
        profile: None,
        histogram,
        export: 0,
    }
}

/// A packet of each of 300 flows, and what is read then.
fn show_300(probe: &mut Probe) -> Snapshot {
    for port in 5000..5300 {
        let frame = Udp::to_port(port).frame();
        let shown = probe.test_frame(&frame, TestContext::default(), 1);
        shown.expect("show a frame");
    }
    probe.snapshot()
}

fn memory(snapshot: &Snapshot) -> u64 {
    snapshot.table.memory_bytes.expect("memory by /proc")
}

#[test]
fn the_first_256_flows_of_a_rule_keep_histograms_and_others_if_somebody_looks_at_them() {
    if !support::root() {
        return;
    }
    let mut probe = Probe::load(&Options::default()).expect("load the program");
    let without = memory(&probe.snapshot());
    let change = |probe: &mut Probe, rule| {
        let version = probe.apply_rules(&[rule], &SequenceProfile::OFF);
        version.expect("a rule")
    };
    let version = change(&mut probe, any(true));
    let intervals = Intervals {
        refresh_ns: 1_000_000_000,
        jitter_ns: 1_000_000_000,
    };
    let mut tracker = FlowTracker::new(intervals, probe.now_ns());
    tracker.set_rules(version, [("all".into(), true)]);
    tracker.advance(&show_300(&mut probe));
    let second = show_300(&mut probe);
    tracker.advance(&second);

    assert_eq!(second.histograms.len(), 256);
    assert!(
        second
            .histograms
            .iter()
            .all(|its| its.histogram.total() == 1)
    );
    let [rule] = &tracker.report().rules[..] else {
        panic!("one rule");
    };
    assert_eq!(
        (rule.flows, rule.flows_without_histogram()),
        (300, Some(44))
    );
    let gaps = &rule.gaps.as_ref().expect("histograms").all;
    let longest = second.histograms.iter().map(|its| its.histogram.longest);
    assert_eq!((gaps.total(), Some(gaps.longest)), (256, longest.max()));
    // 864 buckets and the longest gap, for as many as there are.
    assert_eq!(memory(&second) - without, 256 * 8 * 865);

    let keeps = |snapshot: &Snapshot, key| snapshot.histograms.iter().any(|its| its.key == key);
    let left_out = second.flows.iter().find(|flow| !keeps(&second, flow.key));
    let left_out = left_out.expect("44 of them").key;
    probe.focus(vec![left_out]);
    let third = show_300(&mut probe);
    assert!(third.histograms.len() == 257 && keeps(&third, left_out));
    // Its rule has no room for it, whether somebody has looked at it or not.
    probe.focus(Vec::new());
    let without_it = show_300(&mut probe);
    assert!(without_it.histograms.len() == 256 && !keeps(&without_it, left_out));
    probe.focus(vec![left_out]);
    show_300(&mut probe);

    change(&mut probe, any(false));
    let fourth = show_300(&mut probe);
    assert!(fourth.histograms.len() == 1 && keeps(&fourth, left_out));
    probe.focus(Vec::new());
    assert_eq!(memory(&show_300(&mut probe)), without);
}
