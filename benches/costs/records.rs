//! What it costs to export flow records: from a reading to messages that are sent.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result};
use flowtop::export::ipfix::{Epoch, Exporter};
use flowtop::model::counts::IpMetrics;
use flowtop::model::ipfix::{Collector, ExportCounts, Ipfix};
use flowtop::model::snapshot::Snapshot;

use crate::model::{ROUNDS, add, sample};
use crate::sample::{Stopwatch, Summary};
use crate::table::{Table, Target};

const FLOWS: u32 = 65_536;
/// Of all of them, ms.
const MOST_MS: f64 = 100.0;

/// One interval after the other, in each of which all flows had packets.
pub fn measure(table: &mut Table) -> Result<()> {
    table.begin(
        "Flow records",
        "ms, all elements, sent as datagrams to a socket of this host that nobody reads.",
    );
    let sink = UdpSocket::bind("127.0.0.1:0").context("make a socket")?;
    let socket = UdpSocket::bind("127.0.0.1:0").context("make a socket")?;
    socket.connect(sink.local_addr()?)?;
    let collector = Collector::parse("127.0.0.1:4739").map_err(anyhow::Error::msg)?;
    let settings = Ipfix {
        interval: Duration::from_secs(1),
        ..Ipfix::to(collector)
    };
    let mut exporter = Exporter::new(&settings, 0);
    let mut reading = Snapshot {
        flows: (0..FLOWS).map(sample).collect(),
        ..Snapshot::default()
    };
    let mut samples = Vec::new();
    for _ in 0..ROUNDS {
        for flow in &mut reading.flows {
            flow.counts.packets += 3;
            flow.counts.bytes += 3000;
            flow.counts.ip = Some(IpMetrics::default());
        }
        let watch = Stopwatch::start();
        exporter.observe(&reading, u64::MAX, Epoch(0));
        exporter.begin_interval(&ExportCounts::default());
        let mut goes_on = true;
        while goes_on {
            goes_on = exporter.make_ahead(Epoch(0));
            while let Some(mut body) = exporter.take() {
                // What finds no room costs as much.
                let _ = socket.send(body.message(0, 0, 1));
            }
        }
        samples.push(watch.ms());
    }
    let took = Summary::of(samples);
    add(
        table,
        "65,536 flows with packets",
        "ms",
        None,
        took,
        Target::Most(MOST_MS),
    );
    Ok(())
}
