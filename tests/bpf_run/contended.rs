//! Numbers that find their flow locked: they are not judged, but what came is not lost. The lock is held by this process, in
//! the memory that it shares with the program, as a CPU would hold it that was stopped while it judged.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use flowtop::model::rule::SequenceProfile;
use flowtop::model::snapshot::{FlowSample, Sequence};
use flowtop::probe::{Options, Probe, TestContext, interfaces};

use crate::duel::Duel;
use crate::reference::build::frame;
use crate::reference::packet::{Gso, Link};
use crate::reference::spec::{FrameSpec, Place, Transport, UdpLength};
use crate::support::frames::{FrameSender, Udp};
use crate::support::pair::{Pair, RECEIVER_LINK};
use crate::support::{self, clock};

/// A number at the start of the payload.
const NUMBERS: SequenceProfile = SequenceProfile {
    offset: Some(0),
    ..SequenceProfile::OFF
};

fn udp(length: u16) -> FrameSpec {
    FrameSpec::plain(Transport::Udp(UdpLength::Right), length)
}

fn tcp(flags: u8, length: u16) -> FrameSpec {
    FrameSpec::plain(Transport::Tcp(flags, 0), length)
}

/// One flow whose lock is taken and given back between its packets.
struct Held {
    duel: Duel<Probe>,
    flow: Option<FlowSample>,
}

impl Held {
    fn begin(profile: SequenceProfile) -> Held {
        let mut duel = Duel::begin(1000);
        duel.configure(vec![], profile).expect("no rules");
        Held { duel, flow: None }
    }

    fn show(&mut self, spec: &FrameSpec, number: u32) {
        let bytes = frame(spec, Place(1), Link::Ethernet, &NUMBERS, number);
        let context = TestContext {
            ifindex: 1,
            gso_segs: spec.gso.segs,
            gso_size: spec.gso.size,
            ..TestContext::default()
        };
        let shown = self.duel.subject().test_frame(&bytes, context, 1);
        shown.expect("a run");
        let snapshot = self.duel.subject().snapshot();
        self.flow = snapshot.flows.first().copied().or(self.flow);
    }

    /// The same while the flow is locked.
    fn show_held(&mut self, spec: &FrameSpec, number: u32) {
        let slot = self.flow.expect("a flow").slot;
        assert!(self.duel.subject().hold(slot, true));
        let before = self.sequence();
        self.show(spec, number);
        assert!(self.duel.subject().hold(slot, false));
        let after = self.sequence();
        let place = |s: Sequence| (s.current, s.reverse_errors, s.small_errors, s.absent);
        assert_eq!(place(after), place(before), "it was not judged");
    }

    fn sequence(&self) -> Sequence {
        self.flow.expect("a flow").counts.sequence.expect("tracked")
    }

    fn expect(&self, received: u64, lost: u64) {
        let sequence = self.sequence();
        assert_eq!((sequence.received, sequence.lost), (received, lost));
    }
}

#[test]
fn a_number_that_was_not_judged_is_not_lost() {
    if !support::root() {
        return;
    }
    let mut held = Held::begin(NUMBERS);
    (1..=50).for_each(|n| held.show(&udp(20), n));
    held.show_held(&udp(20), 51);
    held.expect(51, 0);
    (52..=100).for_each(|n| held.show(&udp(20), n));
    held.expect(100, 0);
    // Three are missing, and one of them comes while nobody can judge it.
    held.show(&udp(20), 104);
    held.expect(101, 3);
    held.show_held(&udp(20), 102);
    held.expect(102, 2);
    held.show(&udp(20), 101);
    held.expect(103, 1);
    // A packet without a number brings none.
    held.show_held(&udp(3), 0);
    held.expect(103, 1);
    // An aggregate of five.
    let mut aggregate = udp(100);
    aggregate.gso = Gso { segs: 5, size: 20 };
    held.show_held(&aggregate, 105);
    held.show(&udp(20), 110);
    held.expect(109, 1);
    let sequence = held.sequence();
    assert_eq!((sequence.current, sequence.restarts), (Some(110), 0));
}

#[test]
fn a_segment_that_was_not_judged_is_not_lost() {
    if !support::root() {
        return;
    }
    const FIN: u8 = 2;
    let mut held = Held::begin(SequenceProfile::OFF);
    held.show(&tcp(0, 100), 1);
    held.show_held(&tcp(0, 100), 101);
    held.expect(2, 0);
    held.show(&tcp(0, 100), 201);
    held.expect(3, 0);
    // A hole, whose first half is filled while nobody can judge it.
    held.show(&tcp(0, 100), 501);
    held.expect(4, 200);
    held.show_held(&tcp(0, 100), 301);
    held.expect(5, 100);
    held.show_held(&tcp(FIN, 100), 601);
    held.show(&tcp(0, 10), 702);
    held.expect(7, 100);
}

/// How far two senders are, and how far they may go.
struct Progress {
    sent: [AtomicU32; 2],
    allowed: AtomicU32,
}

impl Progress {
    fn furthest(&self) -> u32 {
        let [one, other] = &self.sent;
        one.load(Ordering::Acquire)
            .max(other.load(Ordering::Acquire))
    }

    /// Lets both go on by about so many numbers.
    fn advance(&self, by: u32, last: u32) {
        let end = (self.furthest() + by).min(last);
        self.allowed.store(end, Ordering::Release);
        while self.furthest() + 1 < end {
            std::thread::yield_now();
        }
    }
}

/// Sends every second number from a CPU of its own, no more than 30 before the other one.
fn send_half(sender: &FrameSender, cpu: usize, first: u32, last: u32, progress: &Progress) {
    clock::pin(cpu);
    let [own, other] = [first, first + 1].map(|which| &progress.sent[which as usize % 2]);
    for number in (first..=last).step_by(2) {
        let may_send = || {
            number <= progress.allowed.load(Ordering::Acquire)
                && number <= other.load(Ordering::Acquire) + 30
        };
        while !may_send() {
            std::thread::yield_now();
        }
        sender.send(&Udp::to_port(6000).with_number(number, 0, 20).frame());
        clock::wait_for_backlog(0);
        own.store(number, Ordering::Release);
    }
}

#[test]
fn two_cpus_that_meet_a_locked_flow_lose_nothing() {
    const LAST: u32 = 10_000;
    let cpus = clock::cpus();
    if !support::root() || cpus.len() < 2 {
        return;
    }
    let pair = Pair::quiet();
    pair.receiver.enter().expect("enter the namespace");
    let mut probe = Probe::load(&Options::default()).expect("load the program");
    probe.apply_rules(&[], &NUMBERS).expect("the profile");
    let links = interfaces::list().expect("list links");
    let link = links.iter().find(|link| link.name == RECEIVER_LINK);
    probe.attach(link.expect("the link")).expect("attach");
    let senders = [FrameSender::on(&pair), FrameSender::on(&pair)];
    senders[0].send(&Udp::to_port(6000).with_number(0, 0, 20).frame());
    let slot = settled(&mut probe, 1).0.slot;

    let progress = Progress {
        sent: [AtomicU32::new(0), AtomicU32::new(0)],
        allowed: AtomicU32::new(0),
    };
    std::thread::scope(|scope| {
        for (which, first) in [(0, 1), (1, 2)] {
            let (sender, cpu, progress) = (&senders[which], cpus[which], &progress);
            scope.spawn(move || send_half(sender, cpu, first, LAST, progress));
        }
        while progress.furthest() + 1 < LAST {
            progress.advance(200, LAST);
            // A CPU may be judging just now.
            while !probe.hold(slot, true) {
                std::thread::yield_now();
            }
            progress.advance(50, LAST);
            assert!(probe.hold(slot, false));
        }
        progress.allowed.store(LAST, Ordering::Release);
    });
    // The last one finds the flow free, and shows what is missing before it.
    senders[0].send(&Udp::to_port(6000).with_number(LAST + 1, 0, 20).frame());
    let packets = u64::from(LAST) + 2;
    let (flow, contended) = settled(&mut probe, packets);
    let sequence = flow.counts.sequence.expect("tracked");
    assert!(contended > 0, "nobody met the lock");
    assert_eq!(
        (sequence.received, sequence.lost),
        (packets, 0),
        "{sequence:?}"
    );
    assert_eq!((sequence.restarts, sequence.current), (0, Some(LAST + 1)));
}

/// The flow once it has so many packets, and the numbers not judged.
pub fn settled(probe: &mut Probe, packets: u64) -> (FlowSample, u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let snapshot = probe.snapshot();
        let flow = snapshot.flows.first().copied();
        if let Some(flow) = flow.filter(|flow| flow.counts.packets == packets) {
            return (flow, snapshot.table.counts.contended);
        }
        assert!(Instant::now() < deadline, "{flow:?}");
    }
}
