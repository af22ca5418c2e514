//! What the model, the order of the rows and a frame cost.

use std::net::Ipv4Addr;

use anyhow::Result;
use flowtop::app::{App, Msg, Preferences};
use flowtop::keymap::parse_chord;
use flowtop::model::event::TimeOfDay;
use flowtop::model::flow::{FlowKey, Protocol};
use flowtop::model::metrics::Meter;
use flowtop::model::snapshot::{Counts, FlowSample, Newcomers, Sequence, Snapshot};
use flowtop::model::tracker::{FlowTracker, Intervals, Report, Series};
use flowtop::ui::{self, Look};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::counted::allocated;
use crate::sample::{Stopwatch, Summary, interleaved};
use crate::table::{Line, Table, Target};

const SECOND: u64 = 1_000_000_000;
/// Samples of each line.
pub const ROUNDS: usize = 9;

/// A run of so many flows, a second from snapshot to snapshot.
pub struct Run {
    tracker: FlowTracker,
    snapshot: Snapshot,
    idle: Vec<FlowSample>,
    replaced: Option<usize>,
    /// All flows have been there before, but for those that take the place of others.
    is_settled: bool,
}

impl Run {
    /// A run after its first reading.
    pub fn of(flows: u32) -> Run {
        let intervals = Intervals {
            refresh_ns: SECOND,
            jitter_ns: SECOND,
        };
        let mut run = Run {
            tracker: FlowTracker::new(intervals, 0),
            snapshot: Snapshot {
                flows: (0..flows).map(sample).collect(),
                ..Snapshot::default()
            },
            idle: Vec::new(),
            replaced: None,
            is_settled: false,
        };
        // Flows come in an order that has nothing to do with their slots, and not all at once.
        let scrambled = |flow: &FlowSample| flow.slot.wrapping_mul(2_654_435_761);
        run.snapshot.flows.sort_by_key(scrambled);
        let all = std::mem::take(&mut run.snapshot.flows);
        let mut here = Vec::with_capacity(all.len());
        for some in all.chunks(all.len() / 4 + 1) {
            run.snapshot.flows = some.to_vec();
            run.refresh();
            here.append(&mut run.snapshot.flows);
        }
        here.sort_by_key(|flow| flow.slot);
        run.snapshot.flows = here;
        run.is_settled = true;
        run
    }

    /// From here on only one flow in `share` has packets.
    pub fn rest(&mut self, share: usize) {
        let active = self.snapshot.flows.iter().step_by(share).copied().collect();
        self.idle = std::mem::replace(&mut self.snapshot.flows, active);
    }

    /// Before each second one flow in `share` gives way to a new one in its slot.
    pub fn replace(&mut self, share: usize) {
        self.replaced = Some(share);
    }

    fn replace_some(&mut self, share: usize) {
        let second = (self.snapshot.taken_ns / SECOND) as usize;
        let flows = (0..).zip(&mut self.snapshot.flows);
        let newcomers = self.snapshot.newcomers.get_or_insert_default();
        for (place, flow) in flows.skip(second % share).step_by(share) {
            newcomers.places.push(place);
            let generation = flow.generation + 1;
            *flow = sample(flow.slot / 2);
            flow.generation = generation;
            flow.key.destination_port = generation as u16;
            flow.first_seen_ns = self.snapshot.taken_ns;
        }
    }

    /// A second goes by. ms that the tracker took.
    pub fn refresh(&mut self) -> f64 {
        if self.is_settled {
            // As a reading says it.
            self.snapshot.newcomers = Some(Newcomers {
                since_ns: self.snapshot.taken_ns,
                places: Vec::new(),
            });
        }
        if let Some(share) = self.replaced {
            self.replace_some(share);
        }
        self.snapshot.taken_ns += SECOND;
        let second = self.snapshot.taken_ns / SECOND;
        for (i, flow) in (0_u64..).zip(&mut self.snapshot.flows) {
            // Other rates each second: histories that only count what stays would be too good to be true.
            let packets = 1 + (i * 31 + second * 17) % 97;
            count(flow, packets, self.snapshot.taken_ns);
        }
        let watch = Stopwatch::start();
        self.tracker.advance_and_close(&self.snapshot);
        watch.ms()
    }

    /// From here on all flows are of this rule.
    pub fn admit_by(&mut self, rule: std::sync::Arc<str>) {
        self.tracker.set_rules(1, [(rule, false)]);
        for flow in &mut self.snapshot.flows {
            (flow.rule, flow.rules_version) = (Some(0), 1);
        }
    }

    /// What metrics say of the run.
    pub fn meter(&mut self) -> (&mut Meter, &Report) {
        self.tracker.meter()
    }

    /// What there is to show.
    pub fn report(&self) -> &Report {
        self.tracker.report()
    }
}

/// The flow of this number, which has not had a packet yet.
pub fn sample(number: u32) -> FlowSample {
    let slot = 2 * number;
    let protocol = if number.is_multiple_of(3) {
        Protocol::Udp
    } else {
        Protocol::Tcp
    };
    let source = Ipv4Addr::from(0x0a00_0000 + number.wrapping_mul(7919) % 0x100_0000);
    let key = FlowKey::incoming(1, protocol, (source, 40000), ([10, 255, 0, 1], 443));
    FlowSample {
        counts: Counts {
            sequence: (protocol == Protocol::Tcp).then(Sequence::default),
            ..Counts::default()
        },
        first_seen_ns: 1,
        last_seen_ns: 1,
        ..FlowSample::new(slot, key)
    }
}

fn count(flow: &mut FlowSample, packets: u64, now: u64) {
    let gap = SECOND / packets;
    flow.counts.packets += packets;
    flow.counts.bytes += packets * 1000;
    flow.counts.payload_bytes += packets * 940;
    flow.gaps.count += packets;
    flow.gaps.sum += packets * gap;
    flow.gaps.squares += u128::from(packets) * u128::from(gap) * u128::from(gap);
    flow.last_seen_ns = now;
    if let Some(sequence) = &mut flow.counts.sequence {
        sequence.received += packets;
        sequence.current = Some(sequence.received as u32 * 940);
    }
}

/// Measures all of it.
pub fn measure(table: &mut Table) -> Result<()> {
    table.begin(
        "Memory of the model",
        "Everything that is allocated for 100,000 flows, shared out among them. A table of two slots a flow.",
    );
    memory(table);
    screens(table)
}

/// A line of the table.
pub fn add(
    table: &mut Table,
    what: &str,
    unit: &'static str,
    baseline: Option<Summary>,
    flowtop: Summary,
    target: Target,
) {
    table.add(&Line {
        what: what.to_owned(),
        unit,
        baseline,
        flowtop,
        target,
    });
}

fn memory(table: &mut Table) {
    const FLOWS: u32 = 100_000;
    for (share, what) in [
        (1, "bytes of a flow in the model, history full"),
        (
            usize::MAX,
            "bytes of a flow in the model that had one packet",
        ),
    ] {
        let before = allocated();
        let mut run = Run::of(FLOWS);
        run.rest(share);
        for _ in 0..=Series::CAPACITY {
            run.refresh();
        }
        (run.idle, run.snapshot.flows) = Default::default();
        let bytes = (allocated() - before) as f64 / f64::from(FLOWS);
        add(
            table,
            what,
            "bytes",
            None,
            Summary::once(bytes),
            Target::Most(1024.0),
        );
    }
}

fn report(flows: u32) -> Report {
    let mut run = Run::of(flows);
    for _ in 0..3 {
        run.refresh();
    }
    run.tracker.report().clone()
}

/// A dashboard on a report, with a filter if one is given.
struct Dashboard<'a> {
    app: App,
    report: &'a Report,
    terminal: Terminal<TestBackend>,
}

impl<'a> Dashboard<'a> {
    fn on(report: &'a Report, filter: &str) -> Result<Dashboard<'a>> {
        let mut app = App::new(Preferences::default(), (120, 40));
        app.update(Msg::Refreshed(TimeOfDay::default()), report);
        if !filter.is_empty() {
            let letters = filter.chars().map(String::from);
            for key in ["/".into()]
                .into_iter()
                .chain(letters)
                .chain(["enter".into()])
            {
                let chord = parse_chord(&key).map_err(anyhow::Error::msg)?;
                app.update(Msg::Key(chord), report);
            }
        }
        let terminal = Terminal::new(TestBackend::new(120, 40))?;
        Ok(Dashboard {
            app,
            report,
            terminal,
        })
    }

    fn arrange(&mut self) -> f64 {
        let watch = Stopwatch::start();
        self.app
            .update(Msg::Refreshed(TimeOfDay::default()), self.report);
        self.app.scene(self.report);
        watch.ms()
    }

    fn draw(&mut self) -> Result<f64> {
        let watch = Stopwatch::start();
        let scene = self.app.scene(self.report);
        self.terminal
            .draw(|frame| ui::draw(frame, &scene, &Look::default()))?;
        Ok(watch.ms())
    }
}

fn screens(table: &mut Table) -> Result<()> {
    table.begin(
        "The dashboard at 120x40",
        "ms. Baseline: the same with 50 flows.",
    );
    let (few, many) = (report(50), report(65_536));
    for filter in ["", "proto=tcp"] {
        let mut boards = [Dashboard::on(&few, filter)?, Dashboard::on(&many, filter)?];
        let name = if filter.is_empty() {
            "sort"
        } else {
            "filter and sort"
        };
        let [base, cost] = interleaved(ROUNDS, |i| Ok(boards[i].arrange()))?;
        add(
            table,
            &format!("{name} 65,536 flows"),
            "ms",
            Some(base),
            cost,
            Target::None,
        );
        let [drawn_few, drawn_many] = interleaved(ROUNDS, |i| boards[i].draw())?;
        let what = format!("a frame with 65,536 flows ({name})");
        add(
            table,
            &what,
            "ms",
            Some(drawn_few),
            drawn_many,
            Target::More(10.0),
        );
        let [base, cost] = interleaved(ROUNDS, |i| Ok(boards[i].arrange() + boards[i].draw()?))?;
        let what = format!("{name}, then a frame, 65,536 flows");
        add(table, &what, "ms", Some(base), cost, Target::More(10.0));
    }
    Ok(())
}
