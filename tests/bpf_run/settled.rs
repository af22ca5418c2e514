//! The last packet of a flow: a pass over the table may come while it is being judged, the next one must tell all.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flowtop::model::rule::SequenceProfile;
use flowtop::model::snapshot::FlowSample;
use flowtop::probe::{Options, Probe, interfaces};

use crate::support;
use crate::support::frames::{FrameSender, Udp};
use crate::support::pair::Pair;

const FLOWS: u16 = 8000;

/// Two packets of each flow with the numbers 7 and 8, and nothing ever after.
fn send(sender: &FrameSender) {
    for port in 0..FLOWS {
        let udp = Udp::to_port(port);
        for number in [7, 8] {
            sender.send(&udp.clone().with_number(number, 0, 20).frame());
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

fn is_whole(sample: &FlowSample) -> bool {
    let received = sample
        .counts
        .sequence
        .map_or(0, |sequence| sequence.received);
    sample.counts.packets == sample.gaps.count + 1 && sample.counts.packets == received
}

#[test]
fn the_last_packet_of_a_flow_is_not_told_by_halves_for_long() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let sender = FrameSender::on(&pair);
    pair.receiver.enter().expect("enter the namespace");
    // A small table: passes are short, and many of them meet a packet that is being judged.
    let options = Options {
        max_flows: 256,
        flow_timeout: Duration::from_millis(100),
        refresh: Duration::from_millis(1),
        ..Options::default()
    };
    let mut probe = Probe::load(&options).expect("load the program");
    let profile = SequenceProfile {
        offset: Some(0),
        ..SequenceProfile::OFF
    };
    probe.apply_rules(&[], &profile).expect("a profile");
    let links = interfaces::list().expect("list links");
    let watched = pair.receiver_ifindex();
    let link = links.iter().find(|link| link.ifindex == watched);
    probe.attach(link.expect("the link")).expect("attach");

    let traffic = std::thread::spawn(move || send(&sender));
    let mut halves: HashMap<(u32, u32), Instant> = HashMap::new();
    let mut longest = Duration::ZERO;
    // However long the next pass is in coming on a busy machine: by halves it was told up to the one before.
    let mut latest_pass = Instant::now();
    while !traffic.is_finished() {
        let pass_before = latest_pass;
        let flows = probe.snapshot().flows;
        latest_pass = Instant::now();
        for sample in flows {
            let life = (sample.slot, sample.generation);
            if !is_whole(&sample) {
                halves.entry(life).or_insert(latest_pass);
            } else if let Some(since) = halves.remove(&life) {
                longest = longest.max(pass_before - since);
            }
        }
    }
    traffic.join().expect("the sender");
    let left = halves.values().map(|since| latest_pass - *since);
    let longest = left.fold(longest, Duration::max);
    // Not until the flow leaves the table, that is.
    assert!(
        longest < options.flow_timeout / 2,
        "by halves for {longest:?}"
    );
}
