//! What series cost: the figures that docs/fleet.md reckons with, of a host that shows as many flows as it may.

use std::time::Duration;

use super::databases::{DIRECT, Database, OF_FLOWS, OPEN, SCRAPED, page, size_of_page, wait_for};
use super::hosts::Fleet;
use super::support::clock::{Pacer, wait_for_backlog};
use super::support::frames::Udp;
use super::support::root;

/// `MAX_SERIES`, and as many of them as nine a flow can be.
const MAX_SERIES: usize = 2_000;
const SERIES: usize = MAX_SERIES / 9 * 9;
/// More than are shown.
const FLOWS: u16 = 300;

const CONFIG: &str = r#"{"RULES": {"voice": {"match": "- - - - UDP", "OFFSET": 0, "EXPORT": 300}},
    "MAX_SERIES": 2000}"#;

/// The samples of flows in a page.
fn of_flows(page: &str) -> impl Iterator<Item = &str> + Clone {
    let of_flow = |line: &&str| line.starts_with("flowtop_flow_");
    let all = page.lines().filter(of_flow);
    all.filter(|line| !line.starts_with("flowtop_flow_other_"))
}

/// Sends each flow's next packets for a second.
fn go_on(fleet: &Fleet, number: &mut u32) {
    let mut pacer = Pacer::start();
    for _ in 0..10 {
        for port in 0..FLOWS {
            let udp = Udp::to_port(port + 1000).with_number(*number, 0, 160);
            fleet.hosts[0].sender.send(&udp.frame());
        }
        *number += 1;
        wait_for_backlog(100);
        pacer.wait(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs databases: make test-fleet"]
fn a_host_has_as_many_series_of_flows_as_it_may_and_they_cost_what_is_said() {
    if !root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut fleet = Fleet::start(1, CONFIG);
    let targets = fleet.targets();
    let victoria = Database::victoria(&fleet.hub, folder.path(), &targets);
    let prometheus = Database::prometheus(&fleet.hub, folder.path(), &targets);
    let kept_by = [
        (&prometheus, SCRAPED),
        (&victoria, SCRAPED),
        (&victoria, DIRECT),
    ];
    wait_for("the host to be scraped", || {
        kept_by.iter().all(|(database, job)| {
            let build = format!("flowtop_build_info{{job=\"{job}\"}}");
            !database.query(&build).is_empty()
        })
    });
    let memory = || [prometheus.resident_kib(), victoria.resident_kib()];
    let before = memory();

    let mut number = 0;
    wait_for("all series", || {
        go_on(&fleet, &mut number);
        kept_by.iter().all(|(database, job)| {
            let count = database.query(&format!("count({{{OF_FLOWS}, job=\"{job}\"}})"));
            let series = count.first().map_or(0, |(_, series)| *series as usize);
            assert!(series <= MAX_SERIES, "{series}");
            series == SERIES
        })
    });
    go_on(&fleet, &mut number);
    let open = page(&fleet.hub, &targets[0], OPEN);
    let of_flows = of_flows(&open);
    assert_eq!(of_flows.clone().count(), SERIES);
    let bytes: usize = of_flows.map(|line| line.len() + 1).sum();
    let compressed = size_of_page(&fleet.hub, &targets[0], "gzip");
    eprintln!(
        "{SERIES} series of flows: {bytes} bytes of {}, {compressed} compressed; \
         KiB: Prometheus and VictoriaMetrics {before:?}, then {:?}; flowtop {}",
        open.len(),
        memory(),
        fleet.hosts[0].resident_kib()
    );
    // As docs/fleet.md has it.
    assert!((150..250).contains(&(bytes / SERIES)));
}
