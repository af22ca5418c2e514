//! A run on a terminal: sends messages to the application, performs its effects, and draws what changed.

use std::collections::VecDeque;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::reload::ReloadOutcome;
use super::session::{Happening, Session};
use super::{files, save_view, setup};
use crate::app::{App, Effect, Mode, Msg};
use crate::cli::{Exit, Failure};
use crate::model::event::{EventKind, TimeOfDay};
use crate::model::harmless::harmless;
use crate::model::summary;
use crate::probe::{abort, group};
use crate::terminal::{Console, FAREWELL, Input, Wake};
use crate::ui::{self, Look};

/// Measurements are shown in at most ten frames a second.
const FRAME: Duration = Duration::from_millis(100);
/// Input shows at once, but repeating keys and a turning wheel cost no more frames than this allows.
const PROMPT_FRAME: Duration = Duration::from_millis(20);

/// Runs until the user leaves or the terminal goes away.
pub fn run(session: Session) -> Result<(), Failure> {
    let broken =
        |error: std::io::Error| Failure::new(Exit::Failed, format!("open the dashboard: {error}"));
    let look = setup::look(session.arguments(), session.config());
    let input = Input::new().map_err(broken)?;
    super::panics::await_if_asked("sampler, early");
    abort::keep_terminal(FAREWELL).map_err(broken)?;
    let console = Console::open(true).map_err(broken)?;
    let size = console.size().map_err(broken)?;
    let app = App::new(setup::preferences(session.config()), size);
    let mut dashboard = Dashboard {
        session,
        app,
        input,
        console,
        look,
        effects: VecDeque::new(),
        changed: true,
        is_awaited: false,
        drawn: None,
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
    app: App,
    input: Input,
    console: Console,
    look: Look,
    /// What the application asks for, not done yet.
    effects: VecDeque<Effect>,
    changed: bool,
    /// Whether the user waits for the next frame.
    is_awaited: bool,
    drawn: Option<Instant>,
    began: Instant,
    /// Whether the terminal is said to be gone.
    is_hung_up: bool,
}

impl Dashboard {
    fn run(&mut self) -> std::io::Result<()> {
        loop {
            let patience = self.draw_if_due()?;
            let wake = self.input.next_event(patience, Some(self.session.wake()))?;
            self.is_awaited |= !matches!(wake, Wake::Extra | Wake::Timeout);
            match wake {
                Wake::Msg(msg) => self.send(msg),
                Wake::Resized => {
                    self.console.redraw_all();
                    self.changed = true;
                }
                Wake::Stop => self.effects.push_back(Effect::Suspend),
                Wake::Continued => {
                    self.console.resume()?;
                    self.changed = true;
                }
                Wake::HungUp => {
                    self.is_hung_up = true;
                    return Ok(());
                }
                Wake::Extra | Wake::Timeout => {}
            }
            // Keys are answered before what came after them.
            if !self.perform_effects()? {
                return Ok(());
            }
            for happening in self.session.pump() {
                self.handle(happening);
            }
            self.session.publish(Some(self.app.live_alerts()));
            if !self.perform_effects()? {
                return Ok(());
            }
        }
    }

    /// Hands a message to the application.
    fn send(&mut self, msg: Msg) {
        self.changed = true;
        let report = self.session.report();
        self.effects.extend(self.app.update(msg, report));
    }

    /// There are new numbers, of now or of the time of a capture's packets.
    fn refresh(&mut self) {
        let now = self.session.time().to_zoned(TimeZone::system());
        self.send(Msg::Refreshed(TimeOfDay {
            hour: now.hour() as u8,
            minute: now.minute() as u8,
            second: now.second() as u8,
        }));
    }

    /// Performs what the application asks for; false if it asks to leave.
    fn perform_effects(&mut self) -> std::io::Result<bool> {
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Quit => return Ok(false),
                Effect::Suspend => {
                    self.console.suspend(group::stop)?;
                    self.changed = true;
                }
                Effect::Export => self.export(),
                Effect::SaveView => self.save_view(),
                Effect::Reload => {
                    let change = self.session.reload_now();
                    self.handle_config(change);
                }
                Effect::ResetBaseline => {
                    self.session.reset();
                    self.refresh();
                }
                Effect::SetInterval(seconds) => self.session.set_interval(seconds),
                Effect::CaptureMouse(on) => self.console.capture_mouse(on)?,
                Effect::SetPace(pace) => self.session.set_pace(pace),
                Effect::Focus(keys) => self.session.focus(keys),
            }
        }
        Ok(true)
    }

    /// Gives the terminal back, and leaves a summary of the run on it, and what its checks came to.
    fn end(self, is_there: bool) -> Result<(), Failure> {
        let Dashboard {
            mut session,
            app,
            console,
            look,
            began,
            ..
        } = self;
        drop(console);
        // The terminal may go away meanwhile.
        let mut out = std::io::stdout().lock();
        let mut tell = |line: &str| _ = writeln!(out, "{}", look.legible(&harmless(line)));
        if session.is_recorded() {
            session.finish();
        }
        if is_there && !session.arguments().output.quiet {
            session.finish();
            let seconds = session.packet_seconds();
            let seconds = seconds.unwrap_or_else(|| began.elapsed().as_secs_f64());
            let lines = summary::lines(session.report(), seconds, app.reset_at());
            lines.iter().for_each(|line| tell(line));
        }
        session.conclude(Ok(()), tell)
    }

    /// Adopts the terminal's size. No signal announces a new one while the process is stopped, nor if the terminal is
    /// not its controlling one.
    fn update_size(&mut self) -> std::io::Result<()> {
        let (width, height) = self.console.size()?;
        if (width, height) != self.app.size() {
            self.console.redraw_all();
            self.send(Msg::Resize(width, height));
        }
        Ok(())
    }

    /// Draws what changed, unless the last frame is too recent. Returns how long to wait.
    fn draw_if_due(&mut self) -> std::io::Result<Duration> {
        let patience = self.session.patience();
        if !self.changed {
            return Ok(patience);
        }
        let wait = self.drawn.map_or(Duration::ZERO, |drawn| {
            let least = if self.is_awaited { PROMPT_FRAME } else { FRAME };
            least.saturating_sub(drawn.elapsed())
        });
        if !wait.is_zero() {
            return Ok(wait.min(patience));
        }
        self.update_size()?;
        let scene = self.app.scene(self.session.report());
        let look = &self.look;
        self.console.draw(|frame| ui::draw(frame, &scene, look))?;
        let unnamed = scene.unnamed();
        self.drawn = Some(Instant::now());
        (self.changed, self.is_awaited) = (false, false);
        self.look_up(&unnamed);
        super::panics::panic_if_asked("dashboard");
        Ok(patience)
    }

    fn handle(&mut self, happening: Happening) {
        let msg = match happening {
            // A run that has not begun has no intervals, but something to look at.
            Happening::Read if self.session.is_waiting() => return self.refresh(),
            Happening::Read => {
                // The histogram of the detail grows with each reading, however long the interval is.
                // A capture says at which pace it goes on.
                let is_capture = self.session.is_capture();
                self.changed |= is_capture || matches!(self.app.mode(), Mode::Detail(_));
                return;
            }
            Happening::IntervalClosed(_) => return self.refresh(),
            Happening::Notice(text) => Msg::Happened(EventKind::Notice, text),
            Happening::Name(address, name) => Msg::Name(address, name),
            Happening::Config(change) => return self.handle_config(change),
            Happening::Reset => Msg::Reset,
            Happening::Played => {
                let text = "the capture is at its end".to_owned();
                Msg::Happened(EventKind::Notice, text)
            }
            Happening::End { is_hang_up } => {
                self.is_hung_up |= is_hang_up;
                return self.effects.push_back(Effect::Quit);
            }
        };
        self.send(msg);
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
        let scene = self.app.scene_in_order(self.session.report());
        let Some(folder) = self.session.exports() else {
            return;
        };
        let msg = match files::write(&scene, &self.session, folder) {
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
        let (choices, user) = (self.app.preferences(), session.privileges().uid);
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
        if let Some(saved) = saved.ok().filter(|saved| !saved.is_copy) {
            self.session.adopt(&saved.path, &saved.text);
            self.load_preferences();
        }
        self.send(Msg::Happened(EventKind::Config, text));
    }

    /// Hands the preferences of the configuration in force to the application.
    fn load_preferences(&mut self) {
        let preferences = setup::preferences(self.session.config());
        self.send(Msg::Preferences(Box::new(preferences)));
    }

    /// Looks up the names of these addresses; the next frame shows the known ones.
    fn look_up(&mut self, addresses: &[IpAddr]) {
        for (address, name) in self.session.recall_or_ask(addresses) {
            self.send(Msg::Name(address, name));
        }
    }
}
