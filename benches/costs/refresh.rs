//! What one refresh of the whole dashboard costs, from a reading to the frame: what it takes of a CPU when nobody
//! touches a key.

use anyhow::Result;
use flowtop::app::{App, Msg, Preferences};
use flowtop::model::alert::{AlertRule, Side};
use flowtop::model::column::by_id;
use flowtop::model::event::TimeOfDay;
use flowtop::ui::{self, Look};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::model::{ROUNDS, Run, add};
use crate::sample::{Stopwatch, interleaved};
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
        }
        Ok(whole)
    }

    /// ms of CPU that model, order, events, alerts and frame take.
    fn refresh(&mut self) -> Result<f64> {
        let model = self.run.refresh();
        let watch = Stopwatch::start();
        let report = self.run.report();
        self.app
            .update(Msg::Refreshed(TimeOfDay::default()), report);
        let app = &self.app;
        self.terminal
            .draw(|frame| ui::draw(frame, app, report, &Look::default()))?;
        Ok(model + watch.ms())
    }
}

/// Measures all of it.
pub fn measure(table: &mut Table) -> Result<()> {
    table.begin(
        "A refresh of the whole dashboard at 120x40, from a reading to the frame",
        "ms a second at an interval of 1 s. Target: 1 % of a CPU with 1,000 flows, 5 % with 65,536.",
    );
    for (flows, most) in [(1_000, 10.0), (65_536, 50.0)] {
        for (share, alerts, what) in [
            (100, false, "one in a hundred active"),
            (1, false, "all active"),
            (1, true, "all active, an alert on jitter"),
        ] {
            let mut whole = Whole::of(flows, share, alerts)?;
            let [cost] = interleaved(ROUNDS, |_| whole.refresh())?;
            add(
                table,
                &format!("{flows} flows, {what}"),
                "ms",
                None,
                cost,
                Target::Most(most),
            );
        }
    }
    Ok(())
}
