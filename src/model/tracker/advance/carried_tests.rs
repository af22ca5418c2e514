//! A tracker that goes on where another one was says from then on what that one says.

use super::*;
use crate::model::counts::{IpMetrics, Volume};
use crate::model::snapshot::{Hook, LinkState};
use crate::model::tracker::advance::tests::{SECOND, sample, tracker};
use crate::model::tracker::{History, Interarrival, Intervals, RecentLoss, Report, Series};

/// Two trackers, one of which has seen all, and what both read.
struct Pair {
    whole: FlowTracker,
    resumed: Option<FlowTracker>,
    table: Vec<FlowSample>,
    interfaces: Vec<InterfaceSample>,
    seconds: u64,
}

impl Pair {
    fn new() -> Pair {
        let interface = |ifindex: u32| InterfaceSample {
            ifindex,
            name: format!("veth{ifindex}"),
            state: LinkState::Up,
            hook: Some(Hook::Tcx),
            ..InterfaceSample::default()
        };
        Pair {
            whole: tracker(),
            resumed: None,
            table: Vec::new(),
            interfaces: vec![interface(7), interface(9)],
            seconds: 0,
        }
    }

    fn set_rules(&mut self, version: u8, names: [&str; 2]) {
        for tracker in [Some(&mut self.whole), self.resumed.as_mut()]
            .into_iter()
            .flatten()
        {
            tracker.set_rules(version, names.map(|name| (name.into(), false)));
        }
    }

    /// A slot has counted so many packets more, by this rule.
    fn count(
        &mut self,
        slot: u32,
        (ifindex, port): (u32, u16),
        rule: (u8, Option<u8>),
        packets: u64,
    ) {
        let known = self.table.iter().position(|it| it.slot == slot);
        let at = known.unwrap_or_else(|| {
            let mut new = sample(slot, 1, port, 0);
            new.key.ifindex = ifindex;
            new.first_seen_ns = self.seconds * SECOND;
            self.table.push(new);
            self.table.len() - 1
        });
        let it = &mut self.table[at];
        it.counts.packets += packets;
        it.counts.bytes += 100 * packets;
        it.counts.payload_bytes += 58 * packets;
        (it.rules_version, it.rule) = rule;
        it.last_seen_ns = (self.seconds + 1) * SECOND - u64::from(slot);
        let interface = self.interfaces.iter_mut().find(|it| it.ifindex == ifindex);
        if let Some(interface) = interface {
            for volume in [&mut interface.seen, &mut interface.other] {
                let (packets, bytes) = (packets + volume.packets, packets * 90 + volume.bytes);
                *volume = Volume { packets, bytes };
            }
        }
    }

    /// All of it as one reading.
    fn reading(&self) -> Snapshot {
        Snapshot {
            taken_ns: self.seconds * SECOND,
            flows: self.table.clone(),
            interfaces: self.interfaces.clone(),
            ..Snapshot::default()
        }
    }

    fn read(&mut self, freed: &[u32], forgotten: &[u32]) {
        self.seconds += 1;
        let snapshot = Snapshot {
            freed: freed.to_vec(),
            forgotten: forgotten.to_vec(),
            ..self.reading()
        };
        self.table.retain(|it| !freed.contains(&it.slot));
        self.whole.advance_and_close(&snapshot);
        if let Some(resumed) = &mut self.resumed {
            resumed.advance_and_close(&snapshot);
        }
        self.interfaces
            .retain(|it| !forgotten.contains(&it.ifindex));
    }

    /// From here on another one goes on, too.
    fn resume(&mut self) {
        let mut resumed = tracker();
        let names = self.whole.report().rules.iter();
        let names: Vec<_> = names.map(|rule| (rule.name.clone(), false)).collect();
        resumed.set_rules(self.whole.rule_versions.latest, names);
        resumed.resume(&self.reading(), &self.whole.carried());
        self.resumed = Some(resumed);
    }

    fn expect_same(&self, when: &str) {
        let resumed = self.resumed.as_ref().expect("it goes on");
        assert_eq!(totals(resumed), totals(&self.whole), "{when}");
    }
}

/// What is told but for rates and what else takes an interval to be known.
fn totals(tracker: &FlowTracker) -> Report {
    let mut report = tracker.report().clone();
    // Of a flow that has ended, maybe.
    report.newest_ipv6_ns = None;
    (report.revision, report.interval_s) = (0, 0.0);
    report.lengths = Series::default();
    for flow in &mut report.flows {
        flow.rates = None;
        flow.recent_loss = RecentLoss::default();
        flow.interarrival = Interarrival::default();
        flow.history = History::default();
        let in_aggregates = flow.comes_in_aggregates();
        flow.glance = Default::default();
        flow.glance.excess = match in_aggregates {
            true => Excess::MOST,
            false => Excess::default(),
        };
    }
    for interface in &mut report.interfaces {
        interface.rates = None;
        interface.throughput_history = Series::default();
        interface.counted.name.clone_from(&interface.name);
    }
    report.flows.sort_by_key(|flow| flow.key);
    report
}

#[test]
fn whoever_goes_on_says_the_same_of_flows_interfaces_and_rules() {
    const VOICE: (u8, Option<u8>) = (1, Some(0));
    const REST: (u8, Option<u8>) = (1, Some(1));
    let mut pair = Pair::new();
    pair.set_rules(1, ["voice", "rest"]);
    // The first flow has two slots; that on 9 ends; 11 is an interface of which nothing is known but a flow.
    pair.count(0, (7, 1), VOICE, 10);
    pair.count(1, (7, 1), VOICE, 5);
    pair.count(2, (7, 2), REST, 20);
    pair.count(3, (9, 3), REST, 30);
    pair.count(4, (11, 4), REST, 40);
    pair.count(5, (11, 5), REST, 50);
    pair.count(6, (7, 6), VOICE, 60);
    pair.read(&[], &[]);
    pair.read(&[3, 5], &[]);
    pair.whole.reset();
    pair.count(2, (7, 2), REST, 7);
    pair.count(6, (7, 6), VOICE, 6);
    pair.count(10, (7, 10), REST, 100);
    pair.count(11, (7, 11), REST, 110);
    pair.read(&[], &[]);
    // Other rules, which some flows have met; another one of a name that there was; flows without a rule.
    pair.set_rules(2, ["rest", "video"]);
    pair.count(2, (7, 2), (2, Some(0)), 3);
    pair.count(7, (7, 7), (2, Some(1)), 70);
    pair.count(8, (7, 8), (2, None), 80);
    pair.count(9, (7, 1), (2, Some(0)), 90);
    pair.count(11, (7, 11), (2, Some(0)), 11);
    (pair.interfaces[1].state, pair.interfaces[1].hook) = (LinkState::Gone, None);
    pair.read(&[], &[9]);

    // Those that were there when totals began at zero, and one whose rule is from before. Of others a reading says all.
    let carried = pair.whole.carried();
    let mut ports: Vec<_> = carried
        .flows
        .iter()
        .map(|flow| flow.key.source_port)
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, [1, 2, 4, 6, 10]);
    pair.resume();
    pair.expect_same("at once");

    // 9 is there again, the kernel counts from zero; 11 gets a name.
    let mut interfaces = Pair::new().interfaces;
    (interfaces[0].ifindex, interfaces[0].name) = (11, "veth11".into());
    pair.interfaces.append(&mut interfaces);
    pair.count(3, (9, 3), (2, Some(0)), 4);
    for slot in [0, 1, 9] {
        pair.count(slot, (7, 1), (2, Some(0)), 2);
    }
    pair.count(4, (11, 4), (2, Some(0)), 5);
    pair.count(7, (7, 7), (2, Some(1)), 1);
    pair.read(&[], &[]);
    pair.expect_same("behind the next reading");
    pair.read(&[0, 1, 2, 4, 6, 7, 8], &[]);
    pair.expect_same("when flows have ended");
    let tracker = pair.resumed.as_mut().expect("it goes on");
    tracker.reset();
    pair.whole.reset();
    pair.count(9, (7, 1), (2, Some(0)), 3);
    pair.read(&[], &[]);
    pair.expect_same("behind a reset");
}

#[test]
fn interfaces_that_share_a_row_still_do() {
    let mut pair = Pair::new();
    for ifindex in 20..20 + 102 {
        pair.interfaces[1].ifindex = ifindex;
        pair.interfaces[1].name = format!("veth{ifindex}");
        pair.count(ifindex, (ifindex, 1), (1, None), 5);
        pair.read(&[], &[]);
        pair.interfaces[1].state = LinkState::Gone;
        let gone = pair.interfaces[1].clone();
        pair.read(&[ifindex], &[ifindex]);
        pair.interfaces.push(InterfaceSample {
            state: LinkState::Up,
            ..gone
        });
    }
    pair.interfaces.truncate(1);
    pair.resume();
    pair.expect_same("at once");
    let shared = pair.whole.report().interfaces.last().expect("a row");
    assert_eq!((shared.ifindex, shared.name.as_str()), (0, "former ones"));
    assert_eq!(shared.ended.packets, 10);
    pair.count(0, (7, 1), (1, None), 5);
    pair.read(&[], &[]);
    pair.expect_same("behind the next reading");
}

#[test]
fn flows_come_in_aggregates_if_they_did_before() {
    let mut pair = Pair::new();
    // Of 150 packets each, one had 149 gaps, the other one 40; then both pause.
    for (slot, gaps) in [(0, 149), (1, 40)] {
        pair.count(slot, (7, slot as u16), (1, None), 150);
        pair.table[slot as usize].gaps.count = gaps;
    }
    pair.read(&[], &[]);
    for slot in [0, 1] {
        pair.count(slot, (7, slot as u16), (1, None), 2);
        let flow = &mut pair.table[slot as usize];
        (flow.epoch, flow.gaps.count) = (2, 1);
    }
    pair.read(&[], &[]);
    pair.resume();
    pair.expect_same("at once");
    let flows = &pair.whole.report().flows;
    let told: Vec<bool> = flows.iter().map(|it| it.comes_in_aggregates()).collect();
    assert_eq!(told, [false, true]);
}

#[test]
fn marks_of_congestion_from_before_are_of_no_interval() {
    let mut pair = Pair::new();
    for marked in [50, 51] {
        pair.count(0, (7, 1), (1, None), 9);
        pair.table[0].counts.ip = Some(IpMetrics {
            ce: marked,
            ..IpMetrics::default()
        });
        pair.read(&[], &[]);
        if pair.resumed.is_none() {
            pair.resume();
        }
    }
    let resumed = pair.resumed.expect("it goes on");
    let past = resumed.report().flows[0].watched.ip().expect("a past");
    assert_eq!(past.marked.latest(), Some(1.0));
}

#[test]
fn steps_of_a_long_window_end_where_they_would_have() {
    let long = Intervals {
        refresh_ns: SECOND,
        jitter_ns: 45 * SECOND,
    };
    // A step takes three readings.
    for read in 1..=7 {
        let mut pair = Pair::new();
        pair.whole.set_intervals(long);
        (0..read).for_each(|_| pair.read(&[], &[]));
        pair.resume();
        let resumed = pair.resumed.as_mut().expect("it goes on");
        resumed.set_intervals(long);
        let mut ends = Vec::new();
        for _ in 0..6 {
            pair.read(&[], &[]);
            let resumed = pair.resumed.as_ref().expect("it goes on");
            assert_eq!(resumed.step.began_ns, pair.whole.step.began_ns);
            ends.push(resumed.step.began_ns / SECOND);
        }
        let began: Vec<_> = (read..read + 6).map(|before| before / 3 * 3).collect();
        assert_eq!(ends, began, "{read}");
    }
}
