//! The seam: a kernel program and the reference get the same frames, and have to agree.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flowtop::model::flow::FlowKey;
use flowtop::model::groups::Groups;
use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::model::snapshot::{FlowSample, InterfaceSample, Malformed, Volume};
use flowtop::probe::native::{Native, Packet, Start};
use flowtop::probe::{Options, Probe, TestContext};

use crate::reference::account::{FlowState, World};
use crate::reference::packet::{Classified, Gso, Link};
use crate::support::pair::{Pair, RECEIVER_LINK};

/// TC_ACT_UNSPEC: the programs behind us have their turn.
const UNSPEC: i32 = -1;
/// BPF_PROG_TEST_RUN refuses frames with nothing behind the Ethernet header.
pub const SHORTEST: usize = 15;
/// A page less head and tail room: older kernels refuse longer frames.
pub const LONGEST: usize = 3500;

/// What is put to the test.
pub trait Subject {
    /// Puts rules and the global profile in force.
    fn apply_rules(&mut self, rules: &[Rule], global: &SequenceProfile) -> Result<()>;
    /// Whether it can be shown such a frame.
    fn can_try(&self, frame: &[u8]) -> bool;
    /// Runs the program on a frame; what it returned.
    fn run(&mut self, ifindex: u32, link: Link, frame: &[u8], gso: Gso) -> Result<i32>;
    /// Flows that had packets since the last call.
    fn flows(&mut self) -> Vec<FlowSample>;
    /// Totals of an interface.
    fn totals(&self, ifindex: u32) -> InterfaceSample;
}

impl Subject for Probe {
    fn apply_rules(&mut self, rules: &[Rule], global: &SequenceProfile) -> Result<()> {
        Probe::apply_rules(self, rules, global).map(drop)
    }

    /// BPF_PROG_TEST_RUN refuses frames whose IP header, if the Ethernet type says that there is one, is not all
    /// there (Linux 6.18; older ones only those with nothing at all). Behind a VLAN tag it does not look.
    fn can_try(&self, frame: &[u8]) -> bool {
        let shortest = match frame.get(12..14) {
            Some([0x08, 0x00]) => SHORTEST - 1 + 20,
            Some([0x86, 0xdd]) => SHORTEST - 1 + 40,
            _ => SHORTEST,
        };
        (shortest..=LONGEST).contains(&frame.len())
    }

    fn run(&mut self, ifindex: u32, link: Link, frame: &[u8], gso: Gso) -> Result<i32> {
        let context = TestContext {
            ifindex,
            gso_segs: gso.segs,
            gso_size: gso.size,
            is_bare: link == Link::Ip,
        };
        Ok(self.test_frame(frame, context, 1)?.0)
    }

    fn flows(&mut self) -> Vec<FlowSample> {
        self.snapshot().flows
    }

    fn totals(&self, ifindex: u32) -> InterfaceSample {
        self.interface_totals(ifindex)
    }
}

/// The program in this process. A packet comes each microsecond.
pub struct InProcess {
    native: Native,
    now_ns: u64,
}

impl Subject for InProcess {
    fn apply_rules(&mut self, rules: &[Rule], global: &SequenceProfile) -> Result<()> {
        self.native.apply_rules(rules, global).map(drop)
    }

    fn can_try(&self, _: &[u8]) -> bool {
        true
    }

    fn run(&mut self, ifindex: u32, link: Link, frame: &[u8], gso: Gso) -> Result<i32> {
        self.now_ns += 1000;
        self.native.show(&Packet {
            bytes: frame,
            length: frame.len() as u32,
            arrival_ns: self.now_ns,
            ifindex,
            start: match link {
                Link::Ethernet => Start::Ethernet,
                Link::Ip => Start::Ip,
            },
            gso_segs: gso.segs,
            gso_size: gso.size,
        });
        Ok(UNSPEC)
    }

    fn flows(&mut self) -> Vec<FlowSample> {
        self.native.snapshot(self.now_ns, self.now_ns).flows
    }

    fn totals(&self, ifindex: u32) -> InterfaceSample {
        self.native.interface_totals(ifindex)
    }
}

/// A loaded program and the reference, with all that they were shown so far.
pub struct Duel<S> {
    subject: S,
    /// The reference.
    pub world: World,
    samples: HashMap<FlowKey, FlowSample>,
    baseline: HashMap<u32, (Parts, Parts)>,
    /// Two interfaces to receive frames on.
    pub interfaces: [u32; 2],
    /// Frames shown so far.
    pub frames: usize,
    _namespace: Option<Pair>,
}

/// Flows stay, and all there is to count of them is counted.
fn options(max_flows: u32) -> Options {
    Options {
        max_flows,
        flow_timeout: Duration::from_secs(3600),
        groups: Groups::all(),
        ..Options::default()
    }
}

impl Duel<Probe> {
    /// Loads the program in a namespace of its own, which the calling thread enters for good.
    pub fn begin(max_flows: u32) -> Duel<Probe> {
        let pair = Pair::quiet();
        pair.receiver.enter().expect("enter the namespace");
        let ifindex = pair.receiver.ifindex(RECEIVER_LINK).expect("the link");
        let interfaces = [1, ifindex];
        let mut probe = Probe::load(&options(max_flows)).expect("load the program");
        for ifindex in interfaces {
            probe.prepare_interface(ifindex).expect("make totals");
        }
        Duel::new(probe, interfaces, Some(pair))
    }

    /// Both forget all flows, not what interfaces counted: the table has room for as many again.
    #[allow(dead_code)]
    pub fn forget_flows(&mut self) -> Result<()> {
        self.subject.set_ageing(Duration::ZERO, Duration::ZERO);
        for _ in 0..3 {
            self.subject.snapshot();
        }
        let left = self.subject.snapshot().table.tracked;
        ensure!(left == 0, "{left} flows are still in the table");
        let never = Duration::from_secs(3600);
        self.subject.set_ageing(never, Duration::from_secs(1));
        self.world.flows.clear();
        self.world.touched.clear();
        self.samples.clear();
        Ok(())
    }
}

impl Duel<InProcess> {
    /// Makes the maps of the program in this process, where no right is needed. Waits for another one to end.
    #[allow(dead_code)]
    pub fn in_process(max_flows: u32) -> Duel<InProcess> {
        let interfaces = [1, 2];
        let mut native = Native::start(&options(max_flows)).expect("make the maps");
        for ifindex in interfaces {
            let name = format!("if{ifindex}");
            native.claim(ifindex, name).expect("make totals");
        }
        let now_ns = 1_000_000_000;
        Duel::new(InProcess { native, now_ns }, interfaces, None)
    }
}

impl<S> Duel<S> {
    /// The same with another subject, made of this one.
    #[allow(dead_code)]
    pub fn with_subject<T>(self, make: impl FnOnce(S) -> T) -> Duel<T> {
        Duel {
            subject: make(self.subject),
            world: self.world,
            samples: self.samples,
            baseline: self.baseline,
            interfaces: self.interfaces,
            frames: self.frames,
            _namespace: self._namespace,
        }
    }
}

impl<S: Subject> Duel<S> {
    /// Neither has seen anything yet.
    pub fn new(subject: S, interfaces: [u32; 2], pair: Option<Pair>) -> Duel<S> {
        Duel {
            subject,
            world: World::default(),
            samples: HashMap::new(),
            baseline: HashMap::new(),
            interfaces,
            frames: 0,
            _namespace: pair,
        }
    }

    /// The loaded program, for what the reference has no part in.
    #[allow(dead_code)]
    pub fn subject(&mut self) -> &mut S {
        &mut self.subject
    }

    /// Other rules and another profile for both.
    pub fn configure(&mut self, rules: Vec<Rule>, global: SequenceProfile) -> Result<()> {
        self.subject.apply_rules(&rules, &global)?;
        self.world.configure(rules, global);
        // Interfaces count on from case to case: one difference must not be found again in all that follow.
        for ifindex in self.interfaces {
            self.baseline.insert(ifindex, self.parts(ifindex));
        }
        Ok(())
    }

    /// Shows both a frame, unless it has a length that cannot be tried. What the reference says.
    pub fn show(
        &mut self,
        interface: usize,
        link: Link,
        frame: &[u8],
        gso: Gso,
    ) -> Result<Option<Classified>> {
        if !self.subject.can_try(frame) {
            return Ok(None);
        }
        // A damaged frame may have become ICMP, of which no kernel makes aggregates: see `generate`.
        let gso = match gso != Gso::default() && self.world.is_icmp(link, frame) {
            true => Gso::default(),
            false => gso,
        };
        let ifindex = self.interfaces[interface];
        let returned = self
            .subject
            .run(ifindex, link, frame, gso)
            .with_context(|| {
                format!("{} bytes on {ifindex}, {gso:?}: {frame:02x?}", frame.len())
            })?;
        ensure!(returned == UNSPEC, "the program returned {returned}");
        self.frames += 1;
        Ok(Some(self.world.observe(ifindex, link, frame, gso)))
    }

    /// Takes over what the program counted since the last time.
    pub fn read(&mut self) -> Result<()> {
        for sample in self.subject.flows() {
            let key = sample.key;
            let Some(state) = self.world.flows.get(&key) else {
                anyhow::bail!("a flow that the reference does not know: {sample:#?}");
            };
            let is_of_now = state.configuration == self.world.configuration;
            let before = self.samples.insert(key, sample);
            let slot = before.map_or(sample.slot, |before| before.slot);
            ensure!(
                slot == sample.slot || !is_of_now,
                "one flow in two slots: {key:?}"
            );
        }
        Ok(())
    }

    /// The program's flows as they were when they were read last.
    #[allow(dead_code)]
    pub fn samples(&self) -> impl Iterator<Item = &FlowSample> {
        self.samples.values()
    }

    /// Says where the two disagree.
    pub fn compare(&mut self) -> Result<()> {
        self.read()?;
        for key in &self.world.touched {
            let Some(sample) = self.samples.get(key) else {
                anyhow::bail!("a flow that the program does not know: {key:?}");
            };
            let state = &self.world.flows[key];
            // Rules in between may have sent an older flow away and taken it in again. (Damage makes such flows:
            // from 0.0.0.0 to 0.0.0.0 in every place.)
            if state.configuration == self.world.configuration {
                compare_flow(sample, state)?;
            }
        }
        for ifindex in self.interfaces {
            self.compare_totals(ifindex)?;
        }
        Ok(())
    }

    fn compare_totals(&self, ifindex: u32) -> Result<()> {
        let (found, wanted) = self.parts(ifindex);
        let baseline = self.baseline.get(&ifindex).copied().unwrap_or_default();
        let names = ["seen", "other", "filtered", "untracked"].into_iter();
        let names = names.chain(Malformed::ALL.map(|reason| reason.name()));
        for (index, name) in names.enumerate() {
            let found = less(found[index], baseline.0[index]);
            let wanted = less(wanted[index], baseline.1[index]);
            ensure!(
                found == wanted,
                "{name} of interface {ifindex}: program {found:?}, reference {wanted:?}"
            );
        }
        let found = self.subject.totals(ifindex);
        let found = [found.fragments_unmatched, found.estimated];
        let wanted = self.world.interfaces.get(&ifindex);
        let wanted = wanted.map_or([0; 2], |totals| {
            [totals.fragments_unmatched, totals.estimated]
        });
        ensure!(
            found == wanted,
            "unmatched fragments and estimated packets of interface {ifindex}: program {found:?}, reference {wanted:?}"
        );
        Ok(())
    }

    /// All parts of the totals of an interface, by the program and by the reference.
    fn parts(&self, ifindex: u32) -> (Parts, Parts) {
        let found = self.subject.totals(ifindex);
        let wanted = self.world.interfaces.get(&ifindex).cloned();
        let wanted = wanted.unwrap_or_default();
        let untracked = Volume::default();
        (
            join(
                [found.seen, found.other, found.filtered, found.untracked],
                found.malformed,
            ),
            join(
                [wanted.seen, wanted.other, wanted.filtered, untracked],
                wanted.malformed,
            ),
        )
    }
}

/// A longer gap ends a jitter epoch.
const STOP_NS: u64 = 2_000_000_000;

type Parts = [Volume; 4 + Malformed::ALL.len()];

fn join(head: [Volume; 4], tail: [Volume; Malformed::ALL.len()]) -> Parts {
    std::array::from_fn(|index| match index {
        0..4 => head[index],
        _ => tail[index - 4],
    })
}

fn less(a: Volume, b: Volume) -> Volume {
    Volume {
        packets: a.packets - b.packets,
        bytes: a.bytes - b.bytes,
    }
}

fn compare_flow(sample: &FlowSample, state: &FlowState) -> Result<()> {
    let found = (sample.rule, sample.counts);
    let wanted = (state.rule, state.counts());
    ensure!(
        found == wanted,
        "{:?}:\nprogram   {found:?}\nreference {wanted:?}",
        sample.key
    );
    // The gaps of an epoch cover all the time from its first arrival to the last. A machine that is busy with other
    // things may stop for so long that a new one begins: what is missing is then that long at least.
    let time = sample.last_seen_ns - sample.first_seen_ns;
    let (gaps, missing) = (sample.gaps.count + 1, time - sample.gaps.sum);
    let epochs = u64::from(sample.epoch - 1);
    ensure!(
        match epochs {
            0 => (gaps, missing) == (state.arrivals, 0),
            _ => gaps < state.arrivals && missing > epochs * STOP_NS,
        },
        "{:?}: {} gaps of {} ns between {} arrivals in {time} ns, epoch {}",
        sample.key,
        sample.gaps.count,
        sample.gaps.sum,
        state.arrivals,
        sample.epoch
    );
    Ok(())
}
