//! What metrics cost: the counting behind a reading, a page for whoever scrapes, and its text. The first two are the main
//! thread's, the text is that of the thread that serves; the sampler has no part in any of it.

use std::sync::Arc;

use anyhow::{Context, Result};
use flowtop::export::openmetrics::{Format, Page, Service, encode};
use flowtop::model::alert::Alerts;
use flowtop::model::metrics::{Bounds, Exposition, SERIES_OF_A_FLOW};

use crate::model::{ROUNDS, Run, add};
use crate::sample::{Stopwatch, interleaved};
use crate::table::{Table, Target};

/// Flows that are shown.
const SHOWN: u32 = 10_000;
const RULE: &str = "voice";

pub fn measure(table: &mut Table) -> Result<()> {
    table.begin(
        "Metrics",
        "10,000 flows that have series of their own. Baseline: the same refresh where nobody asked for metrics.",
    );
    let mut runs = [Run::of_rule(SHOWN, RULE), Run::of_rule(SHOWN, RULE)];
    let bounds = Bounds {
        rules: vec![(RULE.to_owned(), SHOWN)],
        series: SHOWN * SERIES_OF_A_FLOW,
    };
    runs[1].show(bounds);
    let [off, on] = interleaved(ROUNDS, |which| Ok(runs[which].refresh()))?;
    let what = "Refresh of 10,000 flows, all shown";
    add(table, what, "ms", Some(off), on, Target::None);
    let mut page = Page::default();
    let [made] = interleaved(ROUNDS, |_| {
        let watch = Stopwatch::start();
        page.exposition = exposition(&mut runs[1])?;
        Ok(watch.ms())
    })?;
    add(
        table,
        "A page, once a second",
        "ms",
        None,
        made,
        Target::None,
    );
    let shown = page.exposition.flows.len();
    anyhow::ensure!(shown == SHOWN as usize, "{shown} flows are shown");
    let service = Service::default();
    let encode = |is_gzip| encode(&page, &service, Format::OpenMetrics, is_gzip);
    let took: [_; 2] = interleaved(ROUNDS, |which| {
        let watch = Stopwatch::start();
        std::hint::black_box(encode(which == 1));
        Ok(watch.ms())
    })?;
    for (what, is_gzip, took) in [
        ("A scrape of them", false, took[0]),
        ("The same, with gzip", true, took[1]),
    ] {
        let megabytes = encode(is_gzip).len() as f64 / 1e6;
        let what = format!("{what}, {megabytes:.1} MB");
        add(table, &what, "ms", None, took, Target::Most(20.0));
    }
    Ok(())
}

fn exposition(run: &mut Run) -> Result<Exposition> {
    let (meter, report) = run.meter();
    let made = meter.exposition(report, &Alerts::default());
    made.context("nobody asked for metrics")
}

impl Run {
    /// A run whose flows are all of this rule.
    fn of_rule(flows: u32, rule: &str) -> Run {
        let mut run = Run::of(flows);
        run.admit_by(Arc::from(rule));
        run
    }

    /// Shows flows from here on, within these bounds.
    fn show(&mut self, bounds: Bounds) {
        let (meter, report) = self.meter();
        meter.set(Some(bounds), report);
        for _ in 0..2 {
            self.refresh();
            let (meter, report) = self.meter();
            meter.choose(report);
        }
    }
}
