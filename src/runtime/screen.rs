//! A screen: hands input to the application, does what concerns the terminal alone, and draws what changed.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::panics;
use crate::app::{App, Effect, Msg, Preferences};
use crate::cli::{Exit, Failure};
use crate::model::tracker::Report;
use crate::probe::{abort, group};
use crate::terminal::{Console, FAREWELL, Input, Wake};
use crate::ui::{self, Look};

/// Measurements are shown in at most ten frames a second.
const FRAME: Duration = Duration::from_millis(100);
/// Input shows at once, but repeating keys and a turning wheel cost no more frames than this allows.
const PROMPT_FRAME: Duration = Duration::from_millis(20);

/// The terminal, as long as it is ours, and the application on it.
pub struct Screen {
    /// The state of what is shown.
    pub app: App,
    input: Input,
    console: Console,
    look: Look,
    /// What the application asks for, not done yet.
    effects: VecDeque<Effect>,
    changed: bool,
    /// Whether the user waits for the next frame.
    is_awaited: bool,
    drawn: Option<Instant>,
}

impl Screen {
    /// Takes the terminal over.
    pub fn open(preferences: Preferences, look: Look) -> Result<Screen, Failure> {
        let broken =
            |error: io::Error| Failure::new(Exit::Failed, format!("open the dashboard: {error}"));
        let input = Input::new().map_err(broken)?;
        panics::await_if_asked("sampler, early");
        abort::keep_terminal(FAREWELL).map_err(broken)?;
        let console = Console::open(true).map_err(broken)?;
        let size = console.size().map_err(broken)?;
        Ok(Screen {
            app: App::new(preferences, size),
            input,
            console,
            look,
            effects: VecDeque::new(),
            changed: true,
            is_awaited: false,
            drawn: None,
        })
    }

    /// Gives the terminal back.
    pub fn close(self) -> (App, Look) {
        let Screen {
            app, look, console, ..
        } = self;
        drop(console);
        (app, look)
    }

    /// Hands a message to the application.
    pub fn send(&mut self, msg: Msg, live: &Report) {
        self.changed = true;
        self.effects.extend(self.app.update(msg, live));
    }

    /// What is shown has changed by itself.
    pub fn touch(&mut self) {
        self.changed = true;
    }

    /// Asks for something as the application does.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Waits for input, for `wake`, or for the end of the patience, and handles input; false if the terminal is gone.
    pub fn wait(
        &mut self,
        patience: Duration,
        wake: BorrowedFd<'_>,
        live: &Report,
    ) -> io::Result<bool> {
        let wake = self.input.next_event(patience, Some(wake))?;
        self.is_awaited |= !matches!(wake, Wake::Extra | Wake::Timeout);
        match wake {
            Wake::Msg(msg) => self.send(msg, live),
            Wake::Resized => {
                self.console.redraw_all();
                self.changed = true;
            }
            Wake::Stop => self.effects.push_back(Effect::Suspend),
            Wake::Continued => {
                self.console.resume()?;
                self.changed = true;
            }
            Wake::HungUp => return Ok(false),
            Wake::Extra | Wake::Timeout => {}
        }
        Ok(true)
    }

    /// What the application asks for next, but for what concerns the terminal alone: that is done.
    pub fn next_effect(&mut self) -> io::Result<Option<Effect>> {
        while let Some(effect) = self.effects.pop_front() {
            match effect {
                Effect::Suspend => {
                    self.console.suspend(group::stop)?;
                    self.changed = true;
                }
                Effect::CaptureMouse(on) => self.console.capture_mouse(on)?,
                other => return Ok(Some(other)),
            }
        }
        Ok(None)
    }

    /// Draws what changed, unless the last frame is too recent. Returns how long to wait, at most `patience`, and, if it has drawn,
    /// the addresses on the screen whose names are not known.
    pub fn draw_if_due(
        &mut self,
        patience: Duration,
        live: &Report,
    ) -> io::Result<(Duration, Option<Vec<IpAddr>>)> {
        if !self.changed {
            return Ok((patience, None));
        }
        let wait = self.drawn.map_or(Duration::ZERO, |drawn| {
            let least = if self.is_awaited { PROMPT_FRAME } else { FRAME };
            least.saturating_sub(drawn.elapsed())
        });
        if !wait.is_zero() {
            return Ok((wait.min(patience), None));
        }
        self.update_size(live)?;
        let scene = self.app.scene(live);
        let look = &self.look;
        self.console.draw(|frame| ui::draw(frame, &scene, look))?;
        let unnamed = scene.unnamed();
        self.drawn = Some(Instant::now());
        (self.changed, self.is_awaited) = (false, false);
        panics::panic_if_asked("dashboard");
        Ok((patience, Some(unnamed)))
    }

    /// Adopts the terminal's size. No signal announces a new one while the process is stopped, nor if the terminal is
    /// not its controlling one.
    fn update_size(&mut self, live: &Report) -> io::Result<()> {
        let (width, height) = self.console.size()?;
        if (width, height) != self.app.size() {
            self.console.redraw_all();
            self.send(Msg::Resize(width, height), live);
        }
        Ok(())
    }
}
