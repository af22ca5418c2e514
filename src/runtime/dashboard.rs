//! A run on a terminal: messages to the application, its wishes carried out, frames when something changed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::reload::Change;
use super::session::{Happening, Session};
use super::{files, save_view, setup};
use crate::app::{App, Effect, Mode, Msg};
use crate::cli::{ColorChoice, Exit, Failure};
use crate::model::event::{EventKind, TimeOfDay};
use crate::probe::{abort, group};
use crate::terminal::{Console, FAREWELL, Input, Wake};
use crate::ui::{self, Look};

/// At most ten frames a second show what was measured.
const FRAME: Duration = Duration::from_millis(100);
/// What a person did shows at once; a key that repeats or a turning wheel costs no more than so many frames.
const PROMPT_FRAME: Duration = Duration::from_millis(20);

/// Runs until the user leaves or the terminal goes away.
pub fn run(session: Session) -> Result<(), Failure> {
    let broken =
        |error: std::io::Error| Failure::new(Exit::Failed, format!("open the dashboard: {error}"));
    let look = look(&session);
    let input = Input::new().map_err(broken)?;
    super::panics::await_if_asked("sampler, early");
    abort::keep_terminal(FAREWELL).map_err(broken)?;
    let console = Console::open(true).map_err(broken)?;
    let size = console.size().map_err(broken)?;
    let app = App::new(setup::preferences(session.reload.config()), size);
    let mut dashboard = Dashboard {
        session,
        app,
        input,
        console,
        look,
        wishes: VecDeque::new(),
        changed: true,
        is_awaited: false,
        drawn: None,
    };
    dashboard.tell(Msg::Refreshed(now()));
    let privileges = format!("goes on as {}", dashboard.session.privileges);
    dashboard.tell(Msg::Logged(EventKind::Notice, privileges));
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
    /// Of the application, not carried out yet.
    wishes: VecDeque<Effect>,
    changed: bool,
    /// Whether a person waits for the next frame.
    is_awaited: bool,
    drawn: Option<Instant>,
}

impl Dashboard {
    fn run(&mut self) -> std::io::Result<()> {
        loop {
            let patience = self.draw_if_due()?;
            let wake = self.input.next_event(patience, Some(self.session.wake()))?;
            self.is_awaited |= !matches!(wake, Wake::Extra | Wake::Timeout);
            match wake {
                Wake::Msg(msg) => self.tell(msg),
                Wake::Resized => {
                    self.console.redraw_all();
                    self.changed = true;
                }
                Wake::Stop => self.wishes.push_back(Effect::Suspend),
                Wake::Continued => {
                    self.console.resume()?;
                    self.changed = true;
                }
                Wake::HungUp => return Ok(()),
                Wake::Extra | Wake::Timeout => {}
            }
            // A key is answered before what came after it.
            if !self.carry_out()? {
                return Ok(());
            }
            for happening in self.session.pump() {
                if matches!(happening, Happening::Stop) {
                    return Ok(());
                }
                self.take(happening);
            }
            if !self.carry_out()? {
                return Ok(());
            }
        }
    }

    fn tell(&mut self, msg: Msg) {
        self.changed = true;
        let report = self.session.tracker.report();
        self.wishes.extend(self.app.update(msg, report));
    }

    /// Does what the application wishes; false: it wishes to leave.
    fn carry_out(&mut self) -> std::io::Result<bool> {
        while let Some(effect) = self.wishes.pop_front() {
            if effect == Effect::Quit {
                return Ok(false);
            }
            self.perform(effect)?;
        }
        Ok(true)
    }

    /// Follows the terminal's size. No signal tells of it while the process is stopped, nor where the terminal is not
    /// its controlling one.
    fn fit(&mut self) -> std::io::Result<()> {
        let (width, height) = self.console.size()?;
        if (width, height) != self.app.size() {
            self.console.redraw_all();
            self.tell(Msg::Resize(width, height));
        }
        Ok(())
    }

    /// Draws what changed, unless the last frame is too recent. Returns how long there is nothing to do.
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
        self.fit()?;
        let scene = self.app.scene(self.session.tracker.report());
        let look = &self.look;
        self.console.draw(|frame| ui::draw(frame, &scene, look))?;
        self.drawn = Some(Instant::now());
        (self.changed, self.is_awaited) = (false, false);
        self.ask_for_names();
        super::panics::panic_if_asked("dashboard");
        Ok(patience)
    }

    fn take(&mut self, happening: Happening) {
        let msg = match happening {
            Happening::Read => {
                // Who looks at one flow sees its histogram come, however long the interval is.
                self.changed |= self.app.mode() == Mode::Detail;
                return;
            }
            Happening::IntervalClosed(_) => Msg::Refreshed(now()),
            Happening::Notice(text) => Msg::Happened(EventKind::Notice, text),
            Happening::Name(address, name) => {
                if let Some(names) = &mut self.session.names {
                    names.learn(address, name.clone());
                }
                let Some(name) = name else { return };
                Msg::Name(address, name)
            }
            Happening::Config(change) => return self.take_config(change),
            Happening::Reset => Msg::Reset,
            Happening::Stop => return,
        };
        self.tell(msg);
    }

    fn take_config(&mut self, change: Change) {
        let text = match change {
            Change::Loaded(difference) => {
                self.prefer();
                format!("configuration: {difference}")
            }
            Change::Withdrawn(text) => {
                self.prefer();
                self.tell(Msg::ConfigError(Some(text)));
                return;
            }
            Change::Refused(text) => {
                self.tell(Msg::ConfigError(Some(text)));
                return;
            }
            Change::Mended => {
                self.tell(Msg::ConfigError(None));
                "configuration: mended".to_owned()
            }
            Change::Unchanged => {
                self.tell(Msg::Notice("configuration: nothing changed".to_owned()));
                return;
            }
        };
        self.tell(Msg::Happened(EventKind::Config, text));
    }

    fn perform(&mut self, effect: Effect) -> std::io::Result<()> {
        match effect {
            Effect::Quit => {}
            Effect::Suspend => {
                self.console.suspend(group::stop)?;
                self.changed = true;
            }
            Effect::Export => self.export(),
            Effect::SaveView => self.save_view(),
            Effect::Reload => {
                let change = self.session.reload_now();
                self.take_config(change);
            }
            Effect::ResetBaseline => {
                self.session.tracker.reset();
                self.tell(Msg::Refreshed(now()));
            }
            Effect::SetInterval(seconds) => self.session.set_interval(seconds),
            Effect::CaptureMouse(on) => self.console.capture_mouse(on)?,
            Effect::Focus(keys) => self.session.focus(keys),
            // The names on the screen are asked for with each frame.
            Effect::ResolveNames(_) => {}
        }
        Ok(())
    }

    fn export(&mut self) {
        let scene = self.app.scene_in_order(self.session.tracker.report());
        let msg = match files::write(&scene, &self.session) {
            Ok(text) => Msg::Notice(text),
            Err(error) => {
                let text = format!("export: {}", self.session.explain(&error));
                Msg::Happened(EventKind::Notice, text)
            }
        };
        self.tell(msg);
    }

    /// Writes the choices; what the file says then is in force already.
    fn save_view(&mut self) {
        let reload = &self.session.reload;
        let in_use = reload.config().path.as_deref();
        let (choices, user) = (self.app.preferences(), self.session.privileges.uid);
        let saved = save_view::save(choices, in_use, reload.surroundings(), user);
        let text = match &saved {
            Ok(saved) if saved.changed => format!("view written to {}", saved.path.display()),
            Ok(saved) => format!("{} says all this already", saved.path.display()),
            Err(error) => format!("write the view: {}", self.session.explain(error)),
        };
        if let Ok(saved) = saved {
            self.session.adopt(&saved.path, &saved.text);
            self.prefer();
        }
        self.tell(Msg::Happened(EventKind::Config, text));
    }

    fn prefer(&mut self) {
        let preferences = setup::preferences(self.session.reload.config());
        self.tell(Msg::Preferences(Box::new(preferences)));
    }

    /// Asks for the names on the screen, and hands over those that are known.
    fn ask_for_names(&mut self) {
        if self.app.names().is_none() {
            return;
        }
        let unnamed = self.app.scene(self.session.tracker.report()).unnamed();
        let names = self.session.names.as_mut();
        for (address, name) in names.map_or_else(Vec::new, |names| names.want(&unnamed)) {
            self.tell(Msg::Name(address, name));
        }
    }
}

fn look(session: &Session) -> Look {
    let colour = match session.arguments.output.color {
        ColorChoice::Auto => None,
        ColorChoice::Always => {
            crate::terminal::force_colours();
            Some(true)
        }
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
