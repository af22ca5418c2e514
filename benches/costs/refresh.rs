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
use crate::reading::Reading;
use crate::sample::{Stopwatch, parts};
use crate::table::{Table, Target};

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
        let order = watch.ms();
        let app = &self.app;
        self.terminal
            .draw(|frame| ui::draw(frame, app, report, &Look::default()))?;
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
    for (reading, most) in readings.iter().zip([10.0, 20.0, 150.0]) {
        for (read, share, alerts, what) in [
            (reading.few_active, 100, false, "one in a hundred active"),
            (reading.all_active, 1, false, "all active"),
            (
                reading.all_active,
                1,
                true,
                "all active, an alert on jitter",
            ),
        ] {
            let mut whole = Whole::of(reading.flows, share, alerts)?;
            let [model, order, frame, all] = parts(ROUNDS, || whole.refresh())?;
            let all = all.then(read);
            for (part, cost, target) in [
                ("reading", read, Target::None),
                (
                    "the model: rates, jitter windows, histories",
                    model,
                    Target::None,
                ),
                ("events, alerts, filter, order", order, Target::None),
                ("a frame", frame, Target::None),
                ("all of it", all, Target::Most(most)),
            ] {
                let what = match part {
                    "all of it" => format!("{} flows, {what}", reading.flows),
                    part => format!("- {part}"),
                };
                add(table, &what, "ms", None, cost, target);
            }
        }
    }
    Ok(())
}
