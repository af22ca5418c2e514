//! The same duel on a veth pair: what only a real hook sees. The kernel moves the outer VLAN tag out of the data,
//! aggregates have only their headers in the linear part, and frames are longer than a test run takes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use flowtop::model::groups::Groups;
use flowtop::model::rule::{Rule, SequenceProfile};
use flowtop::model::snapshot::{FlowSample, InterfaceSample, Volume};
use flowtop::probe::{Options, Probe, interfaces};
use proptest::prelude::*;

use crate::duel::{Duel, Subject};
use crate::generated::run_cases;
use crate::reference::build::frame;
use crate::reference::generate::{Case, case};
use crate::reference::packet::{Gso, Link};
use crate::reference::spec::{Extension, FrameSpec, Network, Place, Transport, UdpLength};
use crate::support::frames::FrameSender;
use crate::support::pair::{Pair, RECEIVER_LINK, SENDER_LINK};
use crate::support::{self, run};

const MTU: usize = 9000;
const CASES: u32 = 24;
const FRAMES: usize = 400;

/// The attached program and the other end of its link.
struct Wire {
    probe: Probe,
    sender: FrameSender,
    ifindex: u32,
}

impl Wire {
    fn begin() -> Duel<Wire> {
        let pair = Pair::quiet();
        let mtu = MTU.to_string();
        run(
            &pair.sender,
            "ip",
            &["link", "set", SENDER_LINK, "mtu", &mtu],
        );
        run(
            &pair.receiver,
            "ip",
            &["link", "set", RECEIVER_LINK, "mtu", &mtu],
        );
        pair.receiver.enter().expect("enter the namespace");
        let ifindex = pair.receiver_ifindex();
        let options = Options {
            flow_timeout: Duration::from_secs(3600),
            groups: Groups::all(),
            ..Options::default()
        };
        let mut probe = Probe::load(&options).expect("load the program");
        let links = interfaces::list().expect("list links");
        let link = links.iter().find(|link| link.ifindex == ifindex);
        probe.attach(link.expect("the link")).expect("attach");
        let wire = Wire {
            probe,
            sender: FrameSender::on(&pair),
            ifindex,
        };
        Duel::new(wire, [ifindex, ifindex], Some(pair))
    }

    /// Every other frame that fills a page has nothing but its beginning in the linear part of its buffer.
    fn send_plain(&self, frame: &[u8]) {
        if frame.len() > 4096 && frame.len().is_multiple_of(2) {
            self.sender.send_paged(frame, 54);
        } else {
            self.sender.send(frame);
        }
    }

    /// An aggregate of plain IP packets, TCP without options or UDP.
    fn send_aggregate(&self, frame: &[u8], size: u16) {
        let v6 = frame[12] == 0x86;
        let (headers, protocol) = match v6 {
            true => (14 + 40, frame[14 + 6]),
            false => (14 + 4 * u16::from(frame[14] & 15), frame[14 + 9]),
        };
        match protocol {
            17 => self.sender.send_udp_aggregate(frame, headers + 8, size),
            _ => self.sender.send_aggregate(frame, v6, headers + 20, size),
        }
    }

    /// The hook has counted one more buffer since it had seen `before`.
    fn wait(&self, before: Volume) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.probe.interface_totals(self.ifindex).seen == before {
            ensure!(Instant::now() < deadline, "the frame did not arrive");
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Subject for Wire {
    fn apply_rules(&mut self, rules: &[Rule], global: &SequenceProfile) -> Result<()> {
        self.probe.apply_rules(rules, global).map(drop)
    }

    /// The device takes frames up to its MTU; the kernel drops a frame that ends inside its tag, or behind it.
    fn can_try(&self, frame: &[u8]) -> bool {
        let tagged = matches!(frame.get(12..14), Some([0x81, 0x00] | [0x88, 0xa8]));
        let shortest = if tagged { 20 } else { 15 };
        (shortest..=14 + MTU).contains(&frame.len())
    }

    fn run(&mut self, ifindex: u32, _link: Link, frame: &[u8], gso: Gso) -> Result<i32> {
        let before = self.probe.interface_totals(ifindex).seen;
        if gso.size == 0 {
            self.send_plain(frame);
        } else {
            self.send_aggregate(frame, u16::try_from(gso.size)?);
        }
        self.wait(before)?;
        Ok(-1)
    }

    fn flows(&mut self) -> Vec<FlowSample> {
        // The hook counts a buffer as seen before anything else: let the program come to its end.
        std::thread::sleep(Duration::from_millis(2));
        self.probe.snapshot().flows
    }

    fn totals(&self, ifindex: u32) -> InterfaceSample {
        self.probe.interface_totals(ifindex)
    }
}

/// Longer payloads, and of the aggregates only those that a kernel makes.
fn for_the_wire(mut case: Case) -> Case {
    for spec in &mut case.frames {
        spec.payload.length *= 5;
        spec.payload.pattern_at = spec.payload.pattern_at.map(|at| at * 3);
        make_real(spec);
    }
    case
}

fn make_real(spec: &mut FrameSpec) {
    let bare = match &spec.network {
        Network::V4(_, cut, chain) => cut.is_none() && chain.is_empty(),
        Network::V6(chain) => chain == &Vec::<Extension>::new(),
        Network::Type(_) => false,
    };
    let length = u32::from(spec.payload.length);
    let size = spec.gso.size;
    let real = bare && spec.tags.is_empty() && size > 0 && length > size;
    match &mut spec.transport {
        Transport::Tcp(flags, options) if real => (*flags, *options) = (*flags & 2, 0),
        Transport::Udp(UdpLength::Right) if real && length / size < 64 => {}
        _ => {
            spec.gso = Gso::default();
            return;
        }
    }
    spec.damage.clear();
    spec.gso.segs = length.div_ceil(size);
}

#[test]
fn frames_on_a_link_are_judged_as_the_definitions_say() {
    if !support::root() {
        return;
    }
    let strategy = case(FRAMES).prop_map(for_the_wire);
    let (frames, kinds) = run_cases(Wire::begin(), CASES, Link::Ethernet, strategy);
    let aggregates = kinds.get("aggregate").copied().unwrap_or(0);
    assert!(
        frames > 2000 && aggregates > 20,
        "{frames} frames of {kinds:#?}"
    );
}

/// Sends a payload of this length with the pattern at this position.
fn show_pattern(
    duel: &mut Duel<Wire>,
    profile: &SequenceProfile,
    number: u16,
    length: u16,
    at: u16,
) {
    let mut spec = FrameSpec::plain(Transport::Udp(UdpLength::Right), length);
    spec.payload.pattern_at = Some(at);
    spec.payload.filler = 200;
    let bytes = frame(&spec, Place(1), Link::Ethernet, profile, number.into());
    let shown = duel.show(0, Link::Ethernet, &bytes, Gso::default());
    shown.expect("a run").expect("a frame that fits");
    duel.compare()
        .unwrap_or_else(|error| panic!("at {at} of {length}: {error:#}"));
}

#[test]
fn a_pattern_counts_up_to_position_4999_wherever_the_data_lies() {
    if !support::root() {
        return;
    }
    let mut duel = Wire::begin();
    let profile = SequenceProfile {
        pattern: Some(0x4711_0815),
        offset: Some(2000),
        ..SequenceProfile::OFF
    };
    duel.configure(vec![], profile).expect("no rules");
    let places = (4985..5010).chain(0..8).chain((4930..5005).rev());
    for (number, at) in (0..).zip(places) {
        // Of every second length only the beginning is in the linear part.
        show_pattern(&mut duel, &profile, number, 7500 + number % 2, at);
    }
    let state = duel.world.flows.values().next().expect("one flow");
    let sequence = state.sequence().expect("tracked");
    assert!(
        sequence.received > 90 && sequence.absent == 15,
        "{sequence:?}"
    );
}

#[test]
fn a_pattern_at_the_end_of_a_payload_counts_up_to_position_4999() {
    if !support::root() {
        return;
    }
    let mut duel = Wire::begin();
    // The pattern is the number.
    let profile = SequenceProfile {
        pattern: Some(0x4711_0815),
        offset: Some(0),
        ..SequenceProfile::OFF
    };
    duel.configure(vec![], profile).expect("no rules");
    for (number, at) in (0..).zip(4990..5010) {
        show_pattern(&mut duel, &profile, number, at + 4, at);
    }
    let state = duel.world.flows.values().next().expect("one flow");
    let sequence = state.sequence().expect("tracked");
    assert_eq!((sequence.received, sequence.absent), (10, 10));
}
