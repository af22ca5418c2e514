//! The tests' own tools: a veth pair, frames on it, commands in it, and that links are noticed.

mod support;

use std::time::Duration;

use flowtop::model::snapshot::LinkState;
use flowtop::netns;
use flowtop::probe::interfaces::LinkMonitor;
use support::clock;
use support::frames::{FrameSender, Udp, sequence_script};
use support::pair::{self, Pair, RECEIVER_LINK};

#[test]
fn a_quiet_pair_carries_what_was_sent_and_nothing_else() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let sender = FrameSender::on(&pair);
    sender.send_all(&sequence_script(&[1, 2, 3, 5], 5201, 100));
    let mut tagged = Udp::to_port(5202).with_payload(vec![7; 10]);
    tagged.vlan = Some(42);
    sender.send(&tagged.frame());
    let moments = sender.send_paced(
        &sequence_script(&[1, 2, 3], 5203, 4),
        Duration::from_millis(20),
    );
    // The first may be late; the others are never early.
    assert!(moments[2] - moments[0] >= 39_000_000, "{moments:?}");
    // veth counts a frame from its Ethernet header on.
    let bytes = 4 * (14 + 28 + 100) + (14 + 4 + 28 + 10) + 3 * (14 + 28 + 4);
    let received = pair.received();
    assert_eq!(
        (received.received_packets, received.received_bytes),
        (8, bytes)
    );
}

#[test]
fn a_sender_can_be_moved_from_cpu_to_cpu() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let sender = FrameSender::on(&pair);
    let frame = Udp::to_port(5204).with_number(1, 0, 10).frame();
    let mover = std::thread::spawn(move || {
        for cpu in clock::cpus() {
            clock::pin(cpu);
            sender.send(&frame);
            assert_eq!(nix::sched::sched_getcpu(), Ok(cpu));
        }
        clock::cpus()
    });
    assert_eq!(mover.join().expect("no panic").len(), 1, "pinned to one");
    let sent = clock::cpus().len() as u64;
    assert_eq!(pair.received().received_packets, sent);
}

#[test]
fn a_link_has_ipv6_unless_it_is_switched_off() {
    if !support::root() {
        return;
    }
    let (with, without) = (Pair::new(), Pair::quiet());
    assert!(netns::has_ipv6(&with.receiver_end()).expect("read"));
    assert!(!netns::has_ipv6(&without.receiver_end()).expect("read"));
}

#[test]
fn an_aggregate_is_one_buffer_of_many_segments() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut frame = Vec::new();
    etherparse::PacketBuilder::ethernet2(pair::SENDER_MAC, pair::RECEIVER_MAC)
        .ipv4(pair::SENDER_V4, pair::RECEIVER_V4, 64)
        .tcp(40000, 5201, 1, 1000)
        .write(&mut frame, &[0; 14000])
        .expect("a frame");
    FrameSender::on(&pair).send_aggregate(&frame, false, 54, 1400);
    let received = pair.received();
    assert_eq!(
        (received.received_packets, received.received_bytes),
        (1, frame.len() as u64)
    );
}

#[test]
fn real_programs_talk_over_the_pair_in_both_families() {
    if !support::root() {
        return;
    }
    let pair = Pair::new();
    support::run(&pair.sender, "ping", &["-c1", "-W2", "10.0.0.1"]);
    support::run(&pair.sender, "ping", &["-6", "-c1", "-W2", "fd00::1"]);
    assert!(pair.received().received_packets >= 2);
}

#[test]
fn a_link_that_goes_down_is_renamed_and_deleted_is_noticed_each_time() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut monitor = pair
        .receiver
        .within(|| Ok(LinkMonitor::open()?))
        .expect("a monitor");
    let ifindex = pair.receiver_ifindex();
    let mut noticed = |step: &[&str]| {
        monitor.changed().expect("drain");
        support::run(&pair.receiver, "ip", step);
        assert!(wait_for(&monitor), "{step:?} was not noticed");
        assert!(monitor.changed().expect("drain"));
        let links = monitor.list().expect("list");
        links.into_iter().find(|link| link.ifindex == ifindex)
    };
    let down = noticed(&["link", "set", RECEIVER_LINK, "down"]).expect("still there");
    assert_eq!(down.state, LinkState::Down);
    let renamed = noticed(&["link", "set", RECEIVER_LINK, "name", "va\x1bb"]).expect("still there");
    assert_eq!(
        (renamed.name.to_str(), renamed.display_name.as_str()),
        (Some("va\x1bb"), "va\\u{1b}b")
    );
    assert_eq!(noticed(&["link", "delete", "va\x1bb"]), None);
}

#[test]
fn more_events_than_the_kernel_can_hold_are_one_change_and_not_an_error() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut monitor = pair
        .receiver
        .within(|| Ok(LinkMonitor::open()?))
        .expect("a monitor");
    let batch = format!("link set {RECEIVER_LINK} down\nlink set {RECEIVER_LINK} up\n").repeat(400);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), batch).expect("write");
    let path = file.path().to_str().expect("a path");
    support::run(&pair.receiver, "ip", &["-batch", path]);
    assert!(lost_events(&pair) > 0, "the kernel lost nothing");
    assert!(monitor.changed().expect("an overrun is no error"));
    assert!(!monitor.changed().expect("drained"));
    assert_eq!(monitor.list().expect("list").len(), 2);
}

/// Whether the monitor becomes readable within two seconds.
fn wait_for(monitor: &LinkMonitor) -> bool {
    use nix::poll::{PollFd, PollFlags, poll};
    use std::os::fd::AsFd;
    let mut fds = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, 2000u16).expect("poll") == 1
}

/// Messages that the kernel could not give to netlink sockets of the receiving namespace.
fn lost_events(pair: &Pair) -> u64 {
    let table = pair
        .receiver
        .within(|| Ok(std::fs::read_to_string("/proc/thread-self/net/netlink")?))
        .expect("the table of netlink sockets");
    table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok())
        .sum()
}
