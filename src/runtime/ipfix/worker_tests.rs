//! What becomes of records that nobody takes at once.

use std::net::UdpSocket;
use std::sync::mpsc::channel;

use super::super::link::Datagrams;
use super::*;
use crate::model::flow::{FlowKey, Protocol};
use crate::model::ipfix::Collector;
use crate::model::snapshot::{Counts, FlowSample};
use crate::runtime::updates::Inlet;

const SECOND: u64 = 1_000_000_000;

/// A worker for this collector that nobody waits for.
fn worker(collector: &UdpSocket) -> (Worker, Inlet) {
    let address = collector.local_addr().expect("an address");
    let settings = Ipfix::to(Collector::parse(&address.to_string()).expect("a collector"));
    let (outlet, inlet) = Inlet::pair().expect("a socket pair");
    let worker = Worker {
        exporter: Exporter::new(&settings, 0),
        settings,
        link: Link::Datagrams(Datagrams::open(&[address]).expect("a socket")),
        orders: channel().1,
        wake: wake::pair().expect("a socket pair").1,
        outlet,
        recycler: Recycler::to_nobody(),
        began: (0, Instant::now()),
        tally: Arc::default(),
        session: Session::default(),
    };
    (worker, inlet)
}

/// So many flows come and end together, of as many slots.
fn come_and_end(worker: &mut Worker, slots: u32, generation: u32) {
    let flow = |slot: u32| {
        let source = ([192, 0, 2, 2], slot as u16);
        let key = FlowKey::incoming(slot >> 16, Protocol::Udp, source, ([192, 0, 2, 1], 5004));
        FlowSample {
            generation,
            counts: Counts {
                packets: 1,
                bytes: 60,
                ..Counts::default()
            },
            ..FlowSample::new(slot, key)
        }
    };
    let mut reading = Snapshot {
        taken_ns: SECOND,
        flows: (0..slots).map(flow).collect(),
        ..Snapshot::default()
    };
    reading.table.capacity = slots.into();
    worker.observe(Box::new(reading.clone()), 60 * SECOND);
    reading.freed = (0..slots).collect();
    worker.observe(Box::new(reading), 60 * SECOND);
}

#[test]
fn all_flows_of_a_table_may_end_at_once_while_somebody_takes_their_records() {
    const SLOTS: u32 = MOST_KEPT + 5000;
    let collector = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let (mut worker, mut inlet) = worker(&collector);
    come_and_end(&mut worker, SLOTS, 1);
    assert_eq!(
        (worker.session.kept, worker.session.counts.records_lost),
        (SLOTS, 0)
    );
    // Nobody has taken one of them when the next ones end.
    for generation in 2..4 {
        come_and_end(&mut worker, SLOTS, generation);
    }
    let (kept, lost) = (worker.session.kept, worker.session.counts.records_lost);
    assert!(kept <= MOST_KEPT + SLOTS, "{kept}");
    assert_eq!(u64::from(kept) + lost, u64::from(3 * SLOTS));
    let notices = inlet.receive();
    const TEXT: &str = "takes records too slowly: more than 136,072 flows";
    let is_told = |update: &Update| matches!(update, Update::Notice(it) if it.contains(TEXT));
    assert!(notices.len() == 1 && notices.iter().all(is_told));
}
