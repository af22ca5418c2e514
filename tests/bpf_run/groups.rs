//! Groups of metrics: what is off is neither in the program nor in memory, and what is on is exact, whoever had the slot before
//! and however many CPUs count at once. (What each metric is, all other tests of the duel compare.)

use std::os::fd::AsRawFd;

use flowtop::model::groups::{Group, Groups};
use flowtop::model::rule::SequenceProfile;
use flowtop::probe::{Options, Probe, interfaces};
use libbpf_rs::query::{ProgInfoIter, ProgInfoQueryOptions};

use crate::contended::settled;
use crate::duel::Duel;
use crate::reference::build::frame;
use crate::reference::packet::{Gso, Link};
use crate::reference::spec::{FrameSpec, Place, Transport, UdpLength};
use crate::support::frames::FrameSender;
use crate::support::pair::{Pair, RECEIVER_LINK};
use crate::support::{self, clock};

const CONGESTION_EXPERIENCED: u8 = 0b11;

fn udp(traffic_class: u8, hop_limit: u8) -> FrameSpec {
    FrameSpec {
        traffic_class,
        hop_limit,
        ..FrameSpec::plain(Transport::Udp(UdpLength::Right), 20)
    }
}

fn load(groups: Groups) -> Probe {
    let options = Options {
        groups,
        ..Options::default()
    };
    Probe::load(&options).expect("load the program")
}

/// Bytes of the loaded program, as the verifier left it.
fn program_length(probe: &Probe) -> usize {
    let path = format!("/proc/self/fdinfo/{}", probe.program().as_raw_fd());
    let info = std::fs::read_to_string(path).expect("the program's description");
    let id = info.lines().find_map(|line| line.strip_prefix("prog_id:"));
    let id: u32 = id.expect("an id").trim().parse().expect("a number");
    let options = ProgInfoQueryOptions::default().include_xlated_prog_insns(true);
    let mut programs = ProgInfoIter::with_query_opts(options);
    let program = programs.find(|program| program.id == id);
    program.expect("the program").xlated_prog_insns.len()
}

#[test]
fn a_group_that_is_off_is_neither_in_the_program_nor_in_memory() {
    if !support::root() {
        return;
    }
    let size = |groups| {
        let mut probe = load(groups);
        let memory = probe.snapshot().table.memory_bytes.expect("known");
        (program_length(&probe), memory)
    };
    let off = size(Groups::default());
    for group in Group::ALL {
        let on = size([group].into_iter().collect());
        assert!(on.0 > off.0, "{group:?}: {} and {} bytes", on.0, off.0);
        // A number and a generation at least, for each slot.
        let slots = Options::default().slots() as u64;
        assert!(
            on.1 >= off.1 + 8 * slots - 8192,
            "{group:?}: {on:?}, {off:?}"
        );
    }
}

#[test]
fn a_slot_that_is_used_again_says_nothing_of_the_flow_before() {
    if !support::root() {
        return;
    }
    let mut duel = Duel::begin(1);
    duel.configure(vec![], SequenceProfile::OFF)
        .expect("no rules");
    // All slots there are, and flows of both kinds in each of them.
    for round in 0..8 {
        for flow in 0..4 {
            let marks = [(CONGESTION_EXPERIENCED, 3), (0xb8, 7)];
            let quiet = [(0, 64); 2];
            let packets = if (round + flow) % 2 == 0 {
                marks
            } else {
                quiet
            };
            for (class, hops) in packets {
                let mut spec = udp(class, hops);
                spec.conversation.source_port = flow;
                let bytes = frame(&spec, Place(1), Link::Ethernet, &SequenceProfile::OFF, 0);
                let shown = duel.show(0, Link::Ethernet, &bytes, Gso::default());
                shown.expect("a run").expect("a frame that can be tried");
            }
        }
        duel.compare().expect("the same");
        duel.forget_flows().expect("room");
    }
}

/// Sends one flow's frames from a CPU of its own, none of which waits for the other one's.
fn send(sender: &FrameSender, cpu: usize, frames: &[Vec<u8>], times: usize) {
    clock::pin(cpu);
    for frame in frames.iter().cycle().take(times) {
        sender.send(frame);
        clock::wait_for_backlog(0);
    }
}

#[test]
fn two_cpus_that_count_one_flow_at_once_lose_nothing() {
    const TIMES: usize = 40_000;
    let cpus = clock::cpus();
    if !support::root() || cpus.len() < 2 {
        return;
    }
    let pair = Pair::quiet();
    pair.receiver.enter().expect("enter the namespace");
    let mut probe = load(Groups::all());
    let links = interfaces::list().expect("list links");
    let link = links.iter().find(|link| link.name == RECEIVER_LINK);
    probe.attach(link.expect("the link")).expect("attach");
    // Each packet is marked; the hop limits of both differ, and are the same in a row otherwise.
    let frames = [63, 64].map(|hops| {
        let spec = udp(CONGESTION_EXPERIENCED, hops);
        vec![frame(
            &spec,
            Place(1),
            Link::Ethernet,
            &SequenceProfile::OFF,
            0,
        )]
    });
    let senders = [FrameSender::on(&pair), FrameSender::on(&pair)];
    // Two CPUs that bring a flow in at the same moment may give it two slots.
    senders[0].send(&frames[0][0]);
    settled(&mut probe, 1);
    std::thread::scope(|scope| {
        for which in 0..2 {
            let (sender, cpu, frames) = (&senders[which], cpus[which], &frames[which]);
            scope.spawn(move || send(sender, cpu, frames, TIMES));
        }
    });
    let packets = 2 * TIMES as u64 + 1;
    let (sample, _) = settled(&mut probe, packets);
    let ip = sample.counts.ip.expect("counted");
    assert_eq!(ip.ce, packets);
    let of_each = (frames[0][0].len() - 14) as u64;
    assert_eq!(ip.ip_bytes, packets * of_each);
    let changes = ip.ttl_changes;
    assert!((1..packets).contains(&changes), "{changes}");
    assert!(matches!(ip.ttl, Some(63 | 64)), "{ip:?}");
}
