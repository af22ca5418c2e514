//! What a packet costs in the kernel.

use std::os::fd::AsRawFd;

use anyhow::{Result, ensure};
use flowtop::model::flow::FlowKey;
use flowtop::model::groups::Groups;
use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::probe::{Options, Probe};
use libbpf_rs::libbpf_sys::{bpf_obj_get_info_by_fd, bpf_prog_info};

use crate::drive::{Course, Driver};
use crate::frames::{PATTERN, Shape};
use crate::groups;
use crate::sample::{Summary, interleaved};
use crate::support::clock;
use crate::table::{Line, Table, Target};

pub const ROUNDS: usize = 61;
/// Runs a sample: about a millisecond, so that it is seldom interrupted.
pub const RUNS: u32 = 10_000;
pub const MOST_FLOWS: u32 = 131_072;
/// The device of test runs.
const LOOPBACK: u32 = 1;

pub const EMPTY: u32 = 0;
const CLOCK: u32 = 1;
const HASH: u32 = 2;
const FRESH_HASH: u32 = 3;
pub const PLAIN: u32 = 4;
const PATTERNED: u32 = 5;
const RULED: u32 = 6;
pub const GROUPED: u32 = 7;

struct Bench<'a> {
    driver: &'a Driver,
    table: &'a mut Table,
}

/// Measures all of them, on the last of these CPUs.
pub fn measure(driver: &Driver, table: &mut Table, cpus: &[usize]) -> Result<()> {
    let none = Groups::default();
    let mut plain = load(&[], &SequenceProfile::OFF, none)?;
    let patterned = load(&[], &pattern_profile(), none)?;
    let mut ruled = load(&rules(), &SequenceProfile::OFF, none)?;
    let mut grouped = load(&[], &SequenceProfile::OFF, Groups::all())?;
    for (place, name) in [
        (EMPTY, "empty"),
        (CLOCK, "clock_only"),
        (HASH, "hash_only"),
        (FRESH_HASH, "hash_fresh"),
    ] {
        driver.place(place, name)?;
    }
    driver.place_program(PLAIN, plain.program())?;
    driver.place_program(PATTERNED, patterned.program())?;
    driver.place_program(RULED, ruled.program())?;
    driver.place_program(GROUPED, grouped.program())?;
    let mut bench = Bench { driver, table };
    bench.known_flows()?;
    bench.flows_of_another_cpu(cpus)?;
    bench.focused_flow(&mut plain)?;
    groups::measure(driver, bench.table, [&mut plain, &mut grouped])?;
    bench.many_flows(&mut plain)?;
    bench.patterns()?;
    bench.rules(&mut plain, &mut ruled)?;
    let notes = format!("\n{}\n", outside(&plain, verified(&plain)?));
    bench.table.note(&notes);
    Ok(())
}

fn load(rules: &[Rule], profile: &SequenceProfile, groups: Groups) -> Result<Probe> {
    let mut probe = Probe::load(&Options {
        max_flows: MOST_FLOWS,
        groups,
        ..Options::default()
    })?;
    probe.prepare_interface(LOOPBACK)?;
    probe.apply_rules(rules, profile)?;
    Ok(probe)
}

fn pattern_profile() -> SequenceProfile {
    SequenceProfile {
        pattern: Some(u32::from_be_bytes(PATTERN)),
        offset: Some(4),
        ..SequenceProfile::OFF
    }
}

/// 64 rules; the last one is for the frames that are measured, by their destination.
fn rules() -> Vec<Rule> {
    let rule = |i: u16, source: Option<String>, destination: &str| Rule {
        name: format!("rule {i}"),
        sources: source
            .map(|s| s.parse().expect("a prefix"))
            .into_iter()
            .collect(),
        destinations: vec![destination.parse().expect("a prefix")],
        source_ports: Vec::new(),
        destination_ports: vec![i..=i + 10, 5000..=6000],
        protocols: Vec::new(),
        profile: None,
        histogram: false,
        export: 0,
    };
    let others = (0..63).map(|i| rule(100 * i, Some(format!("172.16.{i}.0/24")), "192.168.0.0/16"));
    others.chain([rule(7000, None, "10.255.0.0/16")]).collect()
}

/// What the verifier had to look at: it bounds both a start and the kernels that accept the program.
fn verified(probe: &Probe) -> Result<u32> {
    let mut info = bpf_prog_info::default();
    let mut length = size_of::<bpf_prog_info>() as u32;
    // SAFETY: the pointers are to values that outlive the call, and the length is that of the first one.
    let outcome = unsafe {
        bpf_obj_get_info_by_fd(
            probe.program().as_raw_fd(),
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    ensure!(outcome == 0, "ask for the program's description: {outcome}");
    Ok(info.verified_insns)
}

/// What the table had no room for, so that nobody is misled.
fn outside(probe: &Probe, verified: u32) -> String {
    let totals = probe.interface_totals(LOOPBACK);
    format!(
        "Of {} packets shown to the program without rules, {} found no room in the table of {} flows. \
         The verifier looks at {verified} instructions of it; its limit is 1,000,000.",
        totals.seen.packets, totals.untracked.packets, MOST_FLOWS
    )
}

impl Bench<'_> {
    /// Empty, clock, baseline and flowtop in turn.
    fn four(&self, shape: &Shape, flows: u32, runs: u32) -> Result<[Summary; 4]> {
        let mut courses: [Course; 4] = std::array::from_fn(|_| Course::of(shape, flows));
        interleaved(ROUNDS, |subject| {
            let place = [EMPTY, CLOCK, HASH, PLAIN][subject];
            self.driver.run(place, shape, &mut courses[subject], runs)
        })
    }

    fn known_flows(&mut self) -> Result<()> {
        self.table.begin(
            "A packet of a known flow",
            "ns above an empty program. Baseline: a program that only parses the five-tuple, reads the clock once and \
             adds packets and bytes in a per-CPU hash map. The TCP segments' sequence numbers go on.",
        );
        let shapes = [
            ("UDP over IPv4, 64 bytes", Shape::udp(false, 64)),
            ("UDP over IPv6, 64 bytes", Shape::udp(true, 64)),
            ("UDP over IPv4, 1500 bytes", Shape::udp(false, 1514)),
            ("UDP over IPv6, 1500 bytes", Shape::udp(true, 1514)),
            ("TCP over IPv4, 64 bytes", Shape::tcp(false, 64)),
            ("TCP over IPv6, 78 bytes", Shape::tcp(true, 78)),
            ("TCP over IPv4, 1500 bytes", Shape::tcp(false, 1514)),
            ("TCP over IPv6, 1500 bytes", Shape::tcp(true, 1514)),
        ];
        let mut floor = None;
        let mut costs = Vec::new();
        for (name, shape) in shapes {
            let [empty, clock, hash, flowtop] = self.four(&shape, 1, RUNS)?;
            self.table.add(&Line {
                what: name.to_owned(),
                unit: "ns",
                baseline: Some(hash.above(empty)),
                flowtop: flowtop.above(empty),
                target: Target::Ratio(1.1),
            });
            floor = floor.or(Some((empty, clock, flowtop)));
            costs.push((name, flowtop.above(empty)));
        }
        let (datagrams, streams) = costs.split_at(costs.len() / 2);
        for ((_, udp), (name, tcp)) in datagrams.iter().zip(streams) {
            self.table.add(&Line {
                what: format!("{name}, against UDP"),
                unit: "ns",
                baseline: Some(*udp),
                flowtop: *tcp,
                target: Target::More(8.0),
            });
        }
        if let Some((empty, clock, flowtop)) = floor {
            self.table.add(&Line {
                what: "UDP over IPv4, 64 bytes, against the clock alone".to_owned(),
                unit: "ns",
                baseline: Some(clock.above(empty)),
                flowtop: flowtop.above(empty),
                target: Target::None,
            });
            let limit = Summary {
                median: clock.median + 15.0,
                ..clock
            };
            self.table.add(&Line {
                what: "the same in all, against empty + clock + 15 ns".to_owned(),
                unit: "ns",
                baseline: Some(limit),
                flowtop,
                target: Target::Ratio(1.3),
            });
        }
        Ok(())
    }

    /// Packets that come in on one CPU, of flows that another one brought in.
    fn flows_of_another_cpu(&mut self, cpus: &[usize]) -> Result<()> {
        let [.., other, own] = *cpus else {
            return Ok(());
        };
        let shapes = [
            ("UDP over IPv4, 64 bytes", Shape::udp(false, 64)),
            ("TCP over IPv4, 64 bytes", Shape::tcp(false, 64)),
        ];
        for (name, shape) in shapes {
            let to_host = |host| {
                let mut shape = shape.clone();
                shape.frame[30..34].copy_from_slice(&[198, 51, 100, host]);
                shape
            };
            let shapes = [shape.clone(), to_host(1), to_host(2)];
            let mut courses: [Course; 3] = std::array::from_fn(|_| Course::of(&shape, 1));
            let mut run = |subject: usize, runs| {
                let place = [EMPTY, PLAIN, PLAIN][subject];
                let (shape, course) = (&shapes[subject], &mut courses[subject]);
                self.driver.run(place, shape, course, runs)
            };
            clock::pin(other);
            run(2, 1)?;
            clock::pin(own);
            let [empty, here, there] = interleaved(ROUNDS, |subject| run(subject, RUNS))?;
            self.table.add(&Line {
                what: format!("{name}, brought in by another CPU"),
                unit: "ns",
                baseline: Some(here.above(empty)),
                flowtop: there.above(empty),
                target: Target::More(60.0),
            });
        }
        Ok(())
    }

    /// The flow on the screen's detail page keeps a histogram of its gaps.
    fn focused_flow(&mut self, plain: &mut Probe) -> Result<()> {
        let shape = Shape::udp(false, 64);
        let mut course = Course::of(&shape, 1);
        let mut one = |place| self.driver.run(place, &shape, &mut course, RUNS);
        one(PLAIN)?;
        let flows: Vec<FlowKey> = plain.snapshot().flows.iter().map(|f| f.key).collect();
        let [empty, unfocused, focused] = interleaved(ROUNDS, |subject| {
            if subject == 2 {
                plain.focus(flows.clone());
                // A flow in focus is marked when a reading finds that it had a packet.
                one(PLAIN)?;
                plain.snapshot();
            } else {
                plain.focus(Vec::new());
            }
            one([EMPTY, PLAIN, PLAIN][subject])
        })?;
        self.table.add(&Line {
            what: "UDP over IPv4, 64 bytes, with a histogram of its gaps".to_owned(),
            unit: "ns",
            baseline: Some(unfocused.above(empty)),
            flowtop: focused.above(empty),
            target: Target::None,
        });
        Ok(())
    }

    fn many_flows(&mut self, plain: &mut Probe) -> Result<()> {
        self.table.begin(
            "A packet of one of many flows, in an order that jumps about",
            "ns above an empty program; baseline as above. Both tables have been full once before, as they are in a run: \
             a hash map that is new lays its first entries side by side.",
        );
        let shapes = [
            ("UDP over IPv4, 64 bytes", Shape::udp(false, 64)),
            ("UDP over IPv6, 1500 bytes", Shape::udp(true, 1514)),
            ("TCP over IPv4, 1500 bytes", Shape::tcp(false, 1514)),
            ("TCP over IPv6, 78 bytes", Shape::tcp(true, 78)),
        ];
        self.warm_up(plain, &shapes[0].1, MOST_FLOWS)?;
        for flows in [1024, 16_384, MOST_FLOWS] {
            for (name, shape) in &shapes {
                self.warm_up(plain, shape, flows)?;
                let [empty, _, hash, flowtop] = self.four(shape, flows, RUNS)?;
                self.table.add(&Line {
                    what: format!("{name}, {flows} flows"),
                    unit: "ns",
                    baseline: Some(hash.above(empty)),
                    flowtop: flowtop.above(empty),
                    target: Target::Ratio(if flows == MOST_FLOWS { 1.0 } else { 1.3 }),
                });
            }
        }
        Ok(())
    }

    /// Both tables emptied, then every flow once: the same flows are known to both, and no others.
    fn warm_up(&self, plain: &mut Probe, shape: &Shape, flows: u32) -> Result<()> {
        let hash = self.driver.map("flows")?;
        crate::reading::empty_map(&hash)?;
        crate::reading::empty_table(plain);
        for place in [HASH, PLAIN] {
            let mut course = Course::of(shape, flows);
            self.driver.run(place, shape, &mut course, flows)?;
        }
        Ok(())
    }

    fn patterns(&mut self) -> Result<()> {
        self.table.begin(
            "A sequence number behind a 32-bit pattern, UDP over IPv4",
            "ns in all. Baseline: the same packet where no pattern is configured.",
        );
        let shape = Shape::udp(false, 1514);
        let course = Course::of(&shape, 1);
        let absent = Target::More(200.0);
        self.pattern("absent, 1472 random bytes", &shape, course.clone(), absent)?;
        let mut hostile = shape.clone();
        hostile.frame[shape.payload..].fill(PATTERN[0]);
        self.pattern(
            "absent, 1472 times its first byte",
            &hostile,
            course.clone(),
            Target::None,
        )?;
        for place in [0, 64, 700, 1464] {
            let name = format!("always at byte {place}, number in order");
            let placed = shape.clone().with_pattern(place);
            let course = course.clone().with_number(&placed, place + 4);
            self.pattern(&name, &placed, course, Target::None)?;
        }
        let moving = course.clone().with_moving_pattern(&shape, 1024);
        self.pattern(
            "at another byte of 1024 each time",
            &shape,
            moving,
            Target::None,
        )?;
        let mut jumbo = shape.clone();
        jumbo.frame[16..18].copy_from_slice(&5028_u16.to_be_bytes());
        jumbo.frame[38..40].copy_from_slice(&5008_u16.to_be_bytes());
        let course = course.lengthened(5042);
        self.pattern("absent, 5000 random bytes", &jumbo, course, Target::None)
    }

    fn pattern(&mut self, name: &str, shape: &Shape, course: Course, target: Target) -> Result<()> {
        let mut courses = [course.clone(), course];
        let [plain, patterned] = interleaved(ROUNDS, |subject| {
            let place = [PLAIN, PATTERNED][subject];
            self.driver
                .run(place, shape, &mut courses[subject], RUNS / 4)
        })?;
        self.table.add(&Line {
            what: name.to_owned(),
            unit: "ns",
            baseline: Some(plain),
            flowtop: patterned,
            target,
        });
        Ok(())
    }

    fn rules(&mut self, plain: &mut Probe, ruled: &mut Probe) -> Result<()> {
        self.table.begin(
            "64 rules, and the first packet of a flow",
            "ns above an empty program, UDP over IPv4, 64 bytes. Baseline: the per-CPU hash map, which has no rules.",
        );
        let shape = Shape::udp(false, 64);
        let mut filtered = shape.clone();
        filtered.frame[30..34].copy_from_slice(&[192, 0, 2, 1]);
        let mut courses: [Course; 4] = std::array::from_fn(|_| Course::of(&shape, 1));
        courses[3] = Course::of(&shape, 1).staying();
        // Full of other flows, the hash map would refuse this one with each packet.
        crate::reading::empty_map(&self.driver.map("flows")?)?;
        let [empty, hash, known, none] = interleaved(ROUNDS, |subject| {
            let place = [EMPTY, HASH, RULED, RULED][subject];
            let shape = if subject == 3 { &filtered } else { &shape };
            self.driver.run(place, shape, &mut courses[subject], RUNS)
        })?;
        for (what, flowtop, target) in [
            ("64 rules, known flow", known, Target::Ratio(1.3)),
            (
                "64 rules, packet that none of them matches",
                none,
                Target::None,
            ),
        ] {
            self.table.add(&Line {
                what: what.to_owned(),
                unit: "ns",
                baseline: Some(hash.above(empty)),
                flowtop: flowtop.above(empty),
                target,
            });
        }
        self.fresh_flows(&shape, plain, ruled)
    }

    /// Each packet the first one of its flow; the tables are emptied between the samples.
    fn fresh_flows(&mut self, shape: &Shape, plain: &mut Probe, ruled: &mut Probe) -> Result<()> {
        let mut courses: [Course; 4] = std::array::from_fn(|_| Course::of(shape, 1 << 24));
        let fresh = self.driver.map("fresh_flows")?;
        let [empty, hash, new, new_ruled] = interleaved(5, |subject| {
            let place = [EMPTY, FRESH_HASH, PLAIN, RULED][subject];
            match subject {
                1 => crate::reading::empty_map(&fresh)?,
                2 => crate::reading::empty_table(plain),
                3 => crate::reading::empty_table(ruled),
                _ => {}
            }
            self.driver.run(place, shape, &mut courses[subject], 50_000)
        })?;
        for (what, flowtop) in [
            ("first packet of a flow, no rules", new),
            ("first packet of a flow, 64 rules", new_ruled),
        ] {
            self.table.add(&Line {
                what: what.to_owned(),
                unit: "ns",
                baseline: Some(hash.above(empty)),
                flowtop: flowtop.above(empty),
                target: Target::None,
            });
        }
        Ok(())
    }
}
