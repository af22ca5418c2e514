//! What 65,536 flows cost, beside what 50 cost, in the same run. Prints figures; the bounds are wide
//! in a debug build and hold in a release build: `cargo test --release --test many_flows -- --nocapture`.

#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use std::time::{Duration, Instant};

use fixture::{CLOCK, dashboard, frame, many, press, ruled};
use flowtop::app::{App, Msg};
use flowtop::model::tracker::Report;

const ROUNDS: u32 = 10;

/// The mean time of one run, after one to warm up.
fn mean(mut run: impl FnMut()) -> Duration {
    run();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        run();
    }
    start.elapsed() / ROUNDS
}

fn refresh(app: &mut App, report: &mut Report) -> Duration {
    mean(|| {
        for (flow, i) in report.flows.iter_mut().zip(1_u32..) {
            if let Some(rates) = &mut flow.rates {
                rates.throughput = f64::from(i.wrapping_mul(rates.throughput as u32 | 1) >> 8);
            }
            flow.last_seen_ns += 1_000_000_000;
        }
        report.taken_ns += 1_000_000_000;
        report.revision += 1;
        app.update(Msg::Refreshed(CLOCK), report);
        app.scene(report);
    })
}

#[test]
fn a_frame_costs_the_same_however_many_flows_there_are() {
    let release = !cfg!(debug_assertions);
    let (few, mut all) = (many(50), ruled(many(65_536), 3));
    for (flow, rule) in all.flows.iter_mut().zip(all.rules.iter().cycle()) {
        flow.rule = Some(rule.name.clone());
    }
    let mut small = dashboard(&few, (120, 40), "");
    let mut large = dashboard(&all, (120, 40), "PgDn PgDn");
    let frames = [
        mean(|| drop(frame(&mut small, &few))),
        mean(|| drop(frame(&mut large, &all))),
    ];
    println!(
        "frame: 50 flows {:?}, 65,536 flows {:?}",
        frames[0], frames[1]
    );
    println!(
        "refresh of 65,536 flows, sorted by rate: {:?}",
        refresh(&mut large, &mut all)
    );
    for (what, keys) in [
        ("filtered by an amount", "/ r a t e > 1 0 0 0 k"),
        ("filtered by a word", "Ctrl-U 1 0 . 0 . 7"),
        ("sorted by source", "Ctrl-U Enter < < <"),
        ("held", "o"),
        ("grouped by rule", "o 5"),
        ("grouped by source", "B"),
        ("grouped by source, all unfolded", "F"),
        ("grouped by subnet", "F B B"),
        ("grouped by subnet, all unfolded", "F"),
        ("rules below the interfaces", "3"),
    ] {
        press(&mut large, &all, keys);
        println!("{what}: {:?}", refresh(&mut large, &mut all));
    }
    press(&mut large, &all, "1");
    println!("key: {:?}", mean(|| press(&mut large, &all, "Down")));
    println!(
        "pause and go on: {:?}",
        mean(|| press(&mut large, &all, "p p"))
    );
    let limit = Duration::from_millis(if release { 10 } else { 200 });
    assert!(frames[1] < frames[0] + limit, "{frames:?}");
}
