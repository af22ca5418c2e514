//! A run on a terminal: sends messages to the application, performs its effects, and draws what changed.

use std::io::Write;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::past::visit::{Shows, Visit};
use super::reload::ReloadOutcome;
use super::screen::Screen;
use super::session::{Happening, Session};
use super::{files, save_view, setup};
use crate::app::{Effect, Mode, Msg};
use crate::cli::Failure;
use crate::model::event::{EventKind, TimeOfDay};
use crate::model::harmless::harmless;
use crate::model::summary;

/// Runs until the user leaves or the terminal goes away.
pub fn run(session: Session) -> Result<(), Failure> {
    let (output, config) = (&session.arguments().output, session.config());
    let look = setup::look(output.color, output.ascii, config);
    let screen = Screen::open(setup::preferences(config), look)?;
    let mut dashboard = Dashboard {
        session,
        screen,
        began: Instant::now(),
        is_hung_up: false,
    };
    dashboard.refresh();
    if let Some(filter) = dashboard.session.arguments().output.filter.clone() {
        dashboard.send(Msg::Filter(filter));
    }
    let privileges = format!("goes on as {}", dashboard.session.privileges());
    dashboard.send(Msg::Logged(EventKind::Notice, privileges));
    // An error of the terminal means that it is gone: there is nobody to report it to.
    let is_there = dashboard.run().is_ok() && !dashboard.is_hung_up;
    dashboard.end(is_there)
}

struct Dashboard {
    session: Session,
    screen: Screen,
    began: Instant,
    /// Whether the terminal is said to be gone.
    is_hung_up: bool,
}

impl Dashboard {
    fn run(&mut self) -> std::io::Result<()> {
        loop {
            let patience = self.draw_if_due()?;
            let (wake, live) = (self.session.wake(), self.session.report());
            if !self.screen.wait(patience, wake, live)? {
                self.is_hung_up = true;
                return Ok(());
            }
            // Keys are answered before what came after them.
            if !self.perform_effects()? {
                return Ok(());
            }
            for happening in self.session.pump() {
                self.handle(happening);
            }
            let alerts = self.screen.app.live_alerts();
            self.session.publish(Some(alerts));
            if !self.perform_effects()? {
                return Ok(());
            }
        }
    }

    /// Hands a message to the application.
    fn send(&mut self, msg: Msg) {
        self.screen.send(msg, self.session.report());
    }

    /// There are new numbers, of now or of the time of a capture's packets.
    fn refresh(&mut self) {
        self.send(Msg::Refreshed(time_of_day(&self.session)));
        let raised = self.screen.app.live_alerts().raised_now();
        self.session.count_alerts(raised);
    }

    /// Performs what the application asks for; false if it asks to leave.
    fn perform_effects(&mut self) -> std::io::Result<bool> {
        while let Some(effect) = self.screen.next_effect()? {
            match effect {
                Effect::Quit => return Ok(false),
                Effect::Export => self.export(),
                Effect::SaveView => self.save_view(),
                Effect::Reload => {
                    let change = self.session.reload_now();
                    self.handle_config(change);
                }
                Effect::ResetBaseline => self.session.reset(),
                Effect::SetInterval(seconds) => self.session.set_interval(seconds),
                Effect::Focus(keys) => self.session.focus(keys),
                Effect::Travel(travel) => {
                    if !self.session.travel(travel) {
                        let text = "nothing is kept of this run";
                        self.send(Msg::Notice(text.to_owned()));
                    }
                }
                Effect::Suspend | Effect::CaptureMouse(_) => {}
            }
        }
        Ok(true)
    }

    /// Gives the terminal back, and leaves a summary of the run on it, and what its checks came to.
    fn end(self, is_there: bool) -> Result<(), Failure> {
        let Dashboard {
            mut session,
            screen,
            began,
            ..
        } = self;
        let (app, look) = screen.close();
        // The terminal may go away meanwhile.
        let mut out = crate::terminal::output();
        let mut tell = |line: &str| _ = writeln!(out, "{}", look.legible(&harmless(line)));
        let has_summary = is_there && !session.arguments().output.quiet;
        if has_summary || session.is_recorded() {
            session.finish();
        }
        if has_summary {
            let seconds = session.packet_seconds();
            let seconds = seconds.unwrap_or_else(|| began.elapsed().as_secs_f64());
            let at_end = session.was_reset_at_end().then(|| time_of_day(&session));
            let reset_at = at_end.or(app.reset_at());
            let lines = summary::lines(session.report(), seconds, reset_at);
            lines.iter().for_each(|line| tell(line));
        }
        session.conclude(Ok(()), tell)
    }

    /// Draws what changed, unless the last frame is too recent. Returns how long to wait.
    fn draw_if_due(&mut self) -> std::io::Result<Duration> {
        let (patience, live) = (self.session.patience(), self.session.report());
        let (patience, unnamed) = self.screen.draw_if_due(patience, live)?;
        if let Some(unnamed) = unnamed {
            for (address, name) in self.session.recall_or_ask(&unnamed) {
                self.send(Msg::Name(address, name));
            }
        }
        Ok(patience)
    }

    fn handle(&mut self, happening: Happening) {
        let msg = match happening {
            // A run that has not begun has no intervals, but something to look at.
            Happening::Read if self.session.is_waiting() => return self.refresh(),
            Happening::Read => {
                let now = time_of_day(&self.session);
                self.screen.app.set_time(now);
                // The histogram of the detail grows with each reading, however long the interval is. A capture says at which pace it
                // goes on, and a screen that stands still for how long it does.
                let (app, is_capture) = (&self.screen.app, self.session.is_capture());
                if is_capture || app.stands_still() || matches!(app.mode(), Mode::Detail(_)) {
                    self.screen.touch();
                }
                return;
            }
            Happening::IntervalClosed(_) => return self.refresh(),
            Happening::Notice(text) => Msg::Happened(EventKind::Notice, text),
            Happening::Name(address, name) => Msg::Name(address, name),
            Happening::Config(change) => return self.handle_config(change),
            Happening::Reset => return self.session.reset(),
            Happening::Zero => {
                self.send(Msg::Zero);
                return self.refresh();
            }
            Happening::Past(visit) => return self.show_past(visit),
            Happening::Played => {
                let text = "the capture is at its end".to_owned();
                Msg::Happened(EventKind::Notice, text)
            }
            Happening::End { is_hang_up } => {
                self.is_hung_up |= is_hang_up;
                return self.screen.push(Effect::Quit);
            }
        };
        self.send(msg);
    }

    /// Shows a moment of the past, or the present again.
    fn show_past(&mut self, visit: Visit) {
        match visit.shows {
            Shows::Moment(moment) => self.send(Msg::Past(Some(moment))),
            Shows::ThePresent => self.send(Msg::Past(None)),
            Shows::TheSame => {}
        }
        if let Some(text) = visit.notice {
            self.send(Msg::Notice(text));
        }
    }

    fn handle_config(&mut self, change: ReloadOutcome) {
        let text = match change {
            ReloadOutcome::Loaded(difference) => {
                self.load_preferences();
                format!("configuration: {difference}")
            }
            ReloadOutcome::Withdrawn(text) => {
                self.load_preferences();
                self.send(Msg::ConfigError(Some(text)));
                return;
            }
            ReloadOutcome::Refused(text) => {
                self.send(Msg::ConfigError(Some(text)));
                return;
            }
            ReloadOutcome::Mended => {
                self.send(Msg::ConfigError(None));
                "configuration: mended".to_owned()
            }
            ReloadOutcome::Unchanged => {
                self.send(Msg::Notice("configuration: nothing changed".to_owned()));
                return;
            }
        };
        self.send(Msg::Happened(EventKind::Config, text));
    }

    fn export(&mut self) {
        let about = files::About {
            now: self.session.time(),
            config: self.session.config_state(),
            privileges: self.session.privileges(),
            ipfix: self.session.ipfix_counts(),
        };
        let scene = self.screen.app.scene_in_order(self.session.report());
        let Some(folder) = self.session.exports() else {
            return;
        };
        let msg = match files::write(&scene, about, folder) {
            Ok(text) => Msg::Notice(text),
            Err(error) => {
                let text = format!("export: {}", self.session.explain(&error));
                Msg::Happened(EventKind::Notice, text)
            }
        };
        self.send(msg);
    }

    /// Writes the preferences to the configuration file, whose text is in force already.
    fn save_view(&mut self) {
        let session = &self.session;
        let in_use = session.config().path.as_deref();
        let (choices, user) = (self.screen.app.preferences(), session.privileges().uid);
        let exports = session.exports();
        let saved = save_view::save(choices, in_use, session.surroundings(), user, exports);
        let text = match &saved {
            Ok(saved) if saved.is_copy => {
                let name = saved.path.display();
                format!("view written to {name} (to start with it: flowtop -c {name})")
            }
            Ok(saved) if saved.changed => format!("view written to {}", saved.path.display()),
            Ok(saved) => format!("{} says all this already", saved.path.display()),
            Err(error) => format!("write the view: {}", session.explain(error)),
        };
        let saved = saved.ok().filter(|saved| !saved.is_copy);
        let adopted = saved.map(|saved| self.session.adopt(&saved.path, &saved.text));
        if adopted.is_some() {
            self.load_preferences();
        }
        self.send(Msg::Happened(EventKind::Config, text));
        if let Some(others) = adopted.flatten() {
            self.handle_config(others);
        }
    }

    /// Hands the preferences of the configuration in force to the application.
    fn load_preferences(&mut self) {
        let preferences = setup::preferences(self.session.config());
        self.send(Msg::Preferences(Box::new(preferences)));
    }
}

/// The local time of what is shown.
fn time_of_day(session: &Session) -> TimeOfDay {
    let now = session.time().to_zoned(TimeZone::system());
    TimeOfDay {
        hour: now.hour() as u8,
        minute: now.minute() as u8,
        second: now.second() as u8,
    }
}
