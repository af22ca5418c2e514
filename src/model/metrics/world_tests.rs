//! Metrics as an irregular scraper sees them, against what really came.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::*;
use crate::model::counts::Volume;
use crate::model::flow::{FlowKey, Protocol};
use crate::model::random::Random;
use crate::model::snapshot::{FlowSample, InterfaceSample, LinkState, Sequence, Snapshot};
use crate::model::tracker::{FlowTracker, Intervals};

pub const SECOND: u64 = 1_000_000_000;
const SLOTS: u32 = 24;
/// Rules by the remainder of a flow's port; the last flows are of no rule.
pub const RULES: [&str; 2] = ["few", "none"];
const FEW: u32 = 3;

/// The kernel's side, and all that came.
pub struct World {
    random: Random,
    second: u64,
    slots: Vec<FlowSample>,
    rules_version: u8,
    names: [&'static str; 2],
    hooks: [Volume; 2],
    /// Packets, lost and recovered numbers of flows; packets outside of them.
    came: [u64; 4],
}

pub fn key(port: u16) -> FlowKey {
    FlowKey::incoming(
        7 + u32::from(port % 2),
        Protocol::Udp,
        (Ipv4Addr::LOCALHOST, port),
        (Ipv4Addr::LOCALHOST, 9),
    )
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut world = World {
            random: Random(seed),
            second: 0,
            slots: Vec::new(),
            rules_version: 1,
            names: ["veth7", "veth8"],
            hooks: [Volume::default(); 2],
            came: [0; 4],
        };
        for slot in 0..SLOTS {
            let flow = world.newcomer(slot, 1);
            world.slots.push(flow);
        }
        world
    }

    /// Two flows never have the same port: each slot has its own ones, so that flows come back.
    pub fn newcomer(&mut self, slot: u32, generation: u32) -> FlowSample {
        let port = slot as u16 + SLOTS as u16 * self.random.below(3) as u16;
        let rule = [Some(0), Some(1), None][usize::from(port % 3)];
        FlowSample {
            generation,
            counts: Counts {
                sequence: (!port.is_multiple_of(5)).then(|| Sequence {
                    duplicates: Some(0),
                    ..Sequence::default()
                }),
                ..Counts::default()
            },
            rule,
            rules_version: self.rules_version,
            first_seen_ns: self.second * SECOND,
            last_seen_ns: self.second * SECOND,
            ..FlowSample::new(slot, key(port))
        }
    }

    /// A second later.
    fn go_on(&mut self) -> Snapshot {
        self.second += 1;
        let (mut flows, mut freed) = (Vec::new(), Vec::new());
        for at in 0..self.slots.len() {
            let chance = self.random.below(60);
            if chance == 0 {
                // Its last numbers have been read; another flow has the slot.
                let generation = self.slots[at].generation + 1;
                self.slots[at] = self.newcomer(at as u32, generation);
            }
            if chance < 40 {
                let packets = 1 + self.random.below(1 << (at % 12));
                self.count(at, packets);
                flows.push(self.slots[at]);
            }
            if chance == 1 {
                freed.push(at as u32);
                self.slots[at].generation += 1;
                let generation = self.slots[at].generation;
                self.slots[at] = self.newcomer(at as u32, generation);
            }
        }
        let outside = self.random.below(5);
        self.came[3] += outside;
        self.hooks[0].packets += outside;
        Snapshot {
            taken_ns: self.second * SECOND,
            flows,
            freed,
            interfaces: (0..2).map(|at| self.hook(at)).collect(),
            ..Snapshot::default()
        }
    }

    fn count(&mut self, at: usize, packets: u64) {
        let (lost, late) = (self.random.below(4), self.random.below(4));
        let sample = &mut self.slots[at];
        sample.counts.packets += packets;
        sample.counts.bytes += packets * 100;
        sample.counts.payload_bytes += packets * 58;
        sample.last_seen_ns = self.second * SECOND;
        self.came[0] += packets;
        if let Some(sequence) = &mut sample.counts.sequence {
            let now = (sequence.lost + lost).saturating_sub(late);
            self.came[1] += now.saturating_sub(sequence.lost);
            self.came[2] += sequence.lost.saturating_sub(now);
            sequence.lost = now;
            sequence.received += packets;
        }
    }

    pub fn hook(&self, at: usize) -> InterfaceSample {
        InterfaceSample {
            ifindex: 7 + at as u32,
            name: self.names[at].to_owned(),
            state: LinkState::Up,
            other: self.hooks[at],
            ..InterfaceSample::default()
        }
    }
}

/// Who reads now and then: what each series has gained, as a database finds it out by itself.
#[derive(Default)]
struct Reader {
    latest: BTreeMap<String, u64>,
    /// The last values of series that were not there at the latest reading: one that comes back goes on from it.
    gone: BTreeMap<String, u64>,
    gained: BTreeMap<&'static str, u64>,
}

impl Reader {
    fn read(&mut self, exposition: &Exposition) {
        let mut now = BTreeMap::new();
        let mut add = |family: &'static str, series: String, value: u64| {
            let name = format!("{family} {series}");
            let gone = self.gone.remove(&name);
            let before = self.latest.remove(&name).or(gone).unwrap_or(0);
            assert!(value >= before, "{name} fell from {before} to {value}");
            *self.gained.entry(family).or_default() += value - before;
            assert_eq!(
                now.insert(name.clone(), value),
                None,
                "{name} is there twice"
            );
        };
        for flow in &exposition.flows {
            let name = format!("{:?}", flow.identity);
            add("flow packets", name.clone(), flow.growth.packets);
            add("flow lost", name.clone(), flow.growth.lost);
            add("flow recovered", name, flow.growth.recovered);
        }
        for rule in &exposition.rules {
            let name = format!("{:?} {}", rule.rule, rule.interface);
            add("rule packets", name.clone(), rule.all.packets);
            add("rule lost", name.clone(), rule.all.lost);
            add("rule recovered", name.clone(), rule.all.recovered);
            add("rest packets", name.clone(), rule.rest.packets);
            add("rest lost", name.clone(), rule.rest.lost);
            add("rest recovered", name, rule.rest.recovered);
        }
        for (name, interface) in &exposition.interfaces {
            add("interface packets", name.clone(), interface.all.packets);
            add("interface other", name.clone(), interface.other.packets);
            assert_eq!(interface.all.bytes % 100, 0);
        }
        self.gone.append(&mut self.latest);
        self.latest = now;
    }

    fn of(&self, family: &str) -> u64 {
        self.gained.get(family).copied().unwrap_or(0)
    }

    fn assert_has(&self, came: [u64; 4]) {
        let [packets, lost, recovered, outside] = came;
        for (what, expected) in [
            ("packets", packets),
            ("lost", lost),
            ("recovered", recovered),
        ] {
            let of = |kind: &str| self.of(&format!("{kind} {what}"));
            assert_eq!(of("rule"), expected, "{what}");
            assert_eq!(of("flow") + of("rest"), expected, "{what}");
        }
        assert_eq!(self.of("interface packets"), packets + outside);
        assert_eq!(self.of("interface other"), outside);
    }
}

pub fn tracker() -> FlowTracker {
    let intervals = Intervals {
        refresh_ns: SECOND,
        jitter_ns: SECOND,
    };
    let mut tracker = FlowTracker::new(intervals, 0);
    tracker.set_rules(1, RULES.map(|name| (Arc::from(name), false)));
    tracker
}

pub fn bounds(few: u32, flows: u32) -> Bounds {
    Bounds {
        rules: vec![("few".to_owned(), few)],
        series: flows * SERIES_OF_A_FLOW,
    }
}

pub fn set(tracker: &mut FlowTracker, bounds: Option<Bounds>) {
    let (meter, report) = tracker.meter();
    meter.set(bounds, report);
}

pub fn exposition(tracker: &mut FlowTracker) -> Exposition {
    let (meter, report) = tracker.meter();
    let exposition = meter.exposition(report, &Alerts::default());
    exposition.expect("it is on")
}

pub fn choose(tracker: &mut FlowTracker) {
    let (meter, report) = tracker.meter();
    meter.choose(report);
}

#[test]
fn whoever_reads_now_and_then_has_all_that_came_exactly_once() {
    let mut shown = 0;
    for seed in 0..20 {
        let (mut world, mut tracker, mut reader) = (World::new(seed), tracker(), Reader::default());
        set(&mut tracker, Some(bounds(FEW, 5)));
        let mut waits = 0;
        for second in 0..600 {
            let snapshot = world.go_on();
            tracker.advance_and_close(&snapshot);
            choose(&mut tracker);
            let now = exposition(&mut tracker);
            assert!(now.flows.len() <= 5, "{}", now.flows.len());
            shown += now.flows.len();
            if waits == 0 {
                reader.read(&now);
                waits = world.random.below(100);
            }
            waits = waits.saturating_sub(1);
            match second {
                200 => world.names[1] = "other",
                300 => {
                    // New rules in another order: flows are of the rule that they were of once they are judged again.
                    tracker.set_rules(2, [RULES[1], RULES[0]].map(|name| (Arc::from(name), false)));
                    world.rules_version = 2;
                }
                _ => {}
            }
        }
        reader.read(&exposition(&mut tracker));
        reader.assert_has(world.came);
    }
    assert!(shown > 20 * 600, "hardly any flow was shown: {shown}");
}

#[test]
fn a_reset_is_a_new_start_and_nothing_else() {
    let (mut world, mut tracker) = (World::new(1), tracker());
    set(&mut tracker, Some(bounds(FEW, 100)));
    for _ in 0..10 {
        tracker.advance_and_close(&world.go_on());
        choose(&mut tracker);
    }
    let before = exposition(&mut tracker);
    assert!(!before.flows.is_empty());
    tracker.reset();
    let (mut reader, now) = (Reader::default(), exposition(&mut tracker));
    reader.read(&now);
    reader.assert_has([0; 4]);
    let is_known = |flow: &FlowSeries| before.flows.iter().any(|b| b.identity == flow.identity);
    assert!(!now.flows.is_empty() && now.flows.iter().all(is_known));
    world.came = [0; 4];
    for _ in 0..10 {
        tracker.advance_and_close(&world.go_on());
        choose(&mut tracker);
        reader.read(&exposition(&mut tracker));
    }
    // What was lost before and came late after it is no number of this time.
    assert_eq!(reader.of("rule packets"), world.came[0]);
    assert_eq!(
        reader.of("flow packets") + reader.of("rest packets"),
        world.came[0]
    );
    let lost = |kind: &str| reader.of(&format!("{kind} lost"));
    assert_eq!(lost("flow") + lost("rest"), lost("rule"));
}
