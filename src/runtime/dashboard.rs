//! A run on a terminal: messages to the application, its wishes carried out, frames when something changed.

use std::fs::File;
use std::io::BufWriter;
use std::time::{Duration, Instant};

use super::reload::Change;
use super::session::{Happening, Session};
use super::setup;
use crate::app::{App, Effect, Msg};
use crate::cli::{ColorChoice, Exit, Failure};
use crate::export::{self, Record};
use crate::model::event::TimeOfDay;
use crate::model::tracker::Report;
use crate::terminal::{Console, Input, Wake};
use crate::ui::{self, Look};

/// At most ten frames a second.
const FRAME: Duration = Duration::from_millis(100);

/// Runs until the user leaves or the terminal goes away.
pub fn run(session: Session) -> Result<(), Failure> {
    let broken =
        |error: std::io::Error| Failure::new(Exit::Failed, format!("open the dashboard: {error}"));
    let look = look(&session);
    let input = Input::new().map_err(broken)?;
    let console = Console::open(true).map_err(broken)?;
    let size = console.size().map_err(broken)?;
    let app = App::new(setup::preferences(session.reload.config()), size);
    let mut dashboard = Dashboard {
        session,
        app,
        input,
        console,
        look,
        changed: true,
        drawn: None,
    };
    dashboard.tell(Msg::Refreshed(now()));
    // An error of the terminal means that it is gone: nobody is left to be told.
    let _ = dashboard.run();
    Ok(())
}

struct Dashboard {
    session: Session,
    app: App,
    input: Input,
    console: Console,
    look: Look,
    changed: bool,
    drawn: Option<Instant>,
}

impl Dashboard {
    fn run(&mut self) -> std::io::Result<()> {
        loop {
            let patience = self.draw_if_due()?;
            let wake = self.input.next_event(patience, Some(self.session.wake()))?;
            let effects = match wake {
                Wake::Msg(msg) => {
                    if matches!(msg, Msg::Resize(..)) {
                        self.console.redraw_all();
                    }
                    self.tell(msg)
                }
                Wake::HungUp => return Ok(()),
                Wake::Continued => {
                    self.console.resume()?;
                    self.changed = true;
                    Vec::new()
                }
                Wake::Extra | Wake::Timeout => Vec::new(),
            };
            for effect in effects {
                if effect == Effect::Quit {
                    return Ok(());
                }
                self.perform(effect)?;
            }
            for happening in self.session.pump() {
                if matches!(happening, Happening::Stop) {
                    return Ok(());
                }
                self.take(happening);
            }
        }
    }

    fn tell(&mut self, msg: Msg) -> Vec<Effect> {
        self.changed = true;
        self.app.update(msg, self.session.tracker.report())
    }

    /// Draws what changed, unless the last frame is too recent. Returns how long there is nothing to do.
    fn draw_if_due(&mut self) -> std::io::Result<Duration> {
        let patience = self.session.patience();
        if !self.changed {
            return Ok(patience);
        }
        let wait = self.drawn.map_or(Duration::ZERO, |drawn| {
            FRAME.saturating_sub(drawn.elapsed())
        });
        if !wait.is_zero() {
            return Ok(wait.min(patience));
        }
        let (app, report, look) = (&self.app, self.session.tracker.report(), &self.look);
        self.console
            .draw(|frame| ui::draw(frame, app, report, look))?;
        self.drawn = Some(Instant::now());
        self.changed = false;
        Ok(patience)
    }

    fn take(&mut self, happening: Happening) {
        let msg = match happening {
            Happening::IntervalClosed(_) => Msg::Refreshed(now()),
            Happening::Notice(text) => Msg::Notice(text),
            Happening::Config(Change::Loaded(difference)) => {
                let preferences = setup::preferences(self.session.reload.config());
                self.tell(Msg::Preferences(Box::new(preferences)));
                Msg::Notice(format!("configuration: {difference}"))
            }
            Happening::Config(Change::Refused(text)) => Msg::ConfigError(Some(text)),
            Happening::Config(Change::Mended) => Msg::ConfigError(None),
            Happening::Reset => {
                self.session.tracker.reset();
                Msg::Refreshed(now())
            }
            Happening::Histograms(list) => Msg::Histograms(list),
            Happening::Stop => return,
        };
        self.tell(msg);
    }

    fn perform(&mut self, effect: Effect) -> std::io::Result<()> {
        match effect {
            Effect::Quit => {}
            Effect::Suspend => {
                self.console.suspend()?;
                self.changed = true;
            }
            Effect::Export => {
                let text = self
                    .export()
                    .unwrap_or_else(|error| format!("export: {error:#}"));
                self.tell(Msg::Notice(text));
            }
            Effect::ResetBaseline => {
                self.session.tracker.reset();
                self.tell(Msg::Refreshed(now()));
            }
            Effect::SetInterval(seconds) => self.session.set_interval(seconds),
            Effect::CaptureMouse(on) => self.console.capture_mouse(on)?,
            Effect::Focus(keys) => self.session.focus(keys),
            Effect::SaveView | Effect::ResolveNames(_) => {}
        }
        Ok(())
    }

    /// Writes the flows that are shown to files in the working directory. Returns what to say of it.
    fn export(&self) -> anyhow::Result<String> {
        let live = self.session.tracker.report();
        let shown = Report {
            flows: self.app.shown_flows(live).cloned().collect(),
            ..self.app.shown(live).clone()
        };
        let time = format!("{:.3}", jiff::Timestamp::now());
        let record = Record {
            time: &time,
            intervals: 1,
            report: &shown,
            config: self.session.reload.state(),
            unit: self.session.reload.config().unit,
        };
        let stem = jiff::Zoned::now()
            .strftime("flowtop-%Y%m%d-%H%M%S")
            .to_string();
        let mut names = Vec::new();
        for format in export::FORMATS.iter().filter(|format| format.name != "txt") {
            let name = format!("{stem}.{}", format.name);
            // Never over a file that is there, nor through a link that somebody laid out.
            let mut file = BufWriter::new(File::create_new(&name)?);
            format.exporter.write(&record, &mut file)?;
            file.into_inner()?;
            names.push(name);
        }
        let folder = std::env::current_dir()?;
        Ok(format!(
            "wrote {} flows to {} in {}",
            shown.flows.len(),
            names.join(" and "),
            folder.display()
        ))
    }
}

fn look(session: &Session) -> Look {
    let colour = match session.arguments.output.color {
        ColorChoice::Auto => None,
        ColorChoice::Always => Some(true),
        ColorChoice::Never => Some(false),
    };
    Look::detect(colour, session.arguments.output.ascii, |name| {
        std::env::var(name).ok()
    })
}

fn now() -> TimeOfDay {
    let now = jiff::Zoned::now();
    TimeOfDay {
        hour: now.hour() as u8,
        minute: now.minute() as u8,
        second: now.second() as u8,
    }
}
