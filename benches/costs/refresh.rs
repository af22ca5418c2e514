//! What one refresh of the whole dashboard costs, from a reading to the frame: what it takes of a CPU when nobody
//! touches a key.

use anyhow::Result;
use flowtop::app::{App, Msg, Preferences};
use flowtop::keymap::parse_chord;
use flowtop::model::alert::{AlertRule, Side};
use flowtop::model::column::by_id;
use flowtop::model::event::TimeOfDay;
use flowtop::ui::{self, Look};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::model::{ROUNDS, Run, add};
use crate::plain::Plain;
use crate::reading::Reading;
use crate::sample::{Stopwatch, Summary, parts_by};
use crate::table::{Table, Target};

/// What flows do meanwhile.
struct Case {
    what: &'static str,
    /// One in so many is active.
    share: usize,
    alerts: bool,
    /// A plain pass over as much memory is beside it.
    against_plain: bool,
    /// One in so many gives way to a new one each second.
    replaced: Option<usize>,
}

const ALL_ACTIVE: Case = Case {
    what: "all active",
    share: 1,
    alerts: false,
    against_plain: false,
    replaced: None,
};

const CASES: [Case; 4] = [
    Case {
        what: "one in a hundred active",
        share: 100,
        ..ALL_ACTIVE
    },
    Case {
        against_plain: true,
        ..ALL_ACTIVE
    },
    Case {
        what: "all active, an alert on jitter",
        alerts: true,
        ..ALL_ACTIVE
    },
    Case {
        what: "all active, one in a hundred replaced each second (mean)",
        replaced: Some(100),
        ..ALL_ACTIVE
    },
];

/// From so many flows on a plain pass is beside it.
const LEAST_AGAINST_PLAIN: u32 = 100_000;

/// The model and the screen of one run.
struct Whole {
    run: Run,
    app: App,
    terminal: Terminal<TestBackend>,
}

impl Whole {
    fn of(flows: u32, share: usize, alerts: bool) -> Result<Whole> {
        let rule = by_id("jitter").map(|column| AlertRule::new(column, Side::Above, 1e6));
        let preferences = Preferences {
            alerts: rule.into_iter().filter(|_| alerts).collect(),
            ..Preferences::default()
        };
        let mut run = Run::of(flows);
        if share > 1 {
            run.rest(share);
        }
        let mut whole = Whole {
            run,
            app: App::new(preferences, (120, 40)),
            terminal: Terminal::new(TestBackend::new(120, 40))?,
        };
        for _ in 0..3 {
            whole.refresh()?;
            let down = parse_chord("Down").map_err(anyhow::Error::msg)?;
            whole.app.update(Msg::Key(down), whole.run.report());
        }
        Ok(whole)
    }

    /// ms of CPU that the model takes; events, alerts, filter and order; a frame; and all of these.
    fn refresh(&mut self) -> Result<[f64; 4]> {
        let model = self.run.refresh();
        let watch = Stopwatch::start();
        let report = self.run.report();
        self.app
            .update(Msg::Refreshed(TimeOfDay::default()), report);
        let scene = self.app.scene(report);
        let order = watch.ms();
        self.terminal
            .draw(|frame| ui::draw(frame, &scene, &Look::default()))?;
        let rest = watch.ms();
        Ok([model, order, rest - order, model + rest])
    }
}

/// Measures all of it, and adds it to what readings of as many flows cost.
pub fn measure(table: &mut Table, readings: &[Reading]) -> Result<()> {
    table.begin(
        "A refresh of the whole dashboard at 120x40",
        "ms of CPU a second at an interval of 1 s: 10 ms are 1 % of a CPU. One flow is selected. Rows in the order of their rates.",
    );
    for (reading, most) in readings.iter().zip([10.0, 12.0, 150.0]) {
        for case in CASES {
            add_case(table, reading, &case, most)?;
        }
    }
    Ok(())
}

fn add_case(table: &mut Table, reading: &Reading, case: &Case, most: f64) -> Result<()> {
    let mut whole = Whole::of(reading.flows, case.share, case.alerts)?;
    let read = match case.share {
        1 => reading.all_active,
        _ => reading.few_active,
    };
    let (sum_up, rounds): (fn(Vec<f64>) -> Summary, _) = match case.replaced {
        None => (Summary::of, ROUNDS),
        // Now and then the flows are listed anew: that counts, too.
        Some(share) => {
            whole.run.replace(share);
            (Summary::mean, 5 * ROUNDS)
        }
    };
    // Of fewer flows most is the frame.
    let against_plain = case.against_plain && reading.flows >= LEAST_AGAINST_PLAIN;
    let mut plain = against_plain.then(|| Plain::of(reading.flows));
    let [model, order, frame, all, pass] = parts_by(sum_up, rounds, || {
        let pass = plain.as_mut().map_or(0.0, Plain::pass);
        let [model, order, frame, all] = whole.refresh()?;
        Ok([model, order, frame, all, pass])
    })?;
    let plain = plain.map(|_| pass);
    let what = format!("{} flows, {}", reading.flows, case.what);
    let all = all.then(read);
    add(table, &what, "ms", None, all, Target::Most(most));
    if let Some(plain) = plain {
        let what = format!("{what}, against a plain pass over as much memory");
        add(table, &what, "ms", Some(plain), all, Target::Ratio(3.0));
    }
    for (part, cost) in [
        ("reading", read),
        ("the model: rates, jitter windows, histories", model),
        ("events, alerts, filter, order", order),
        ("a frame", frame),
    ] {
        add(table, &format!("- {part}"), "ms", None, cost, Target::None);
    }
    Ok(())
}
