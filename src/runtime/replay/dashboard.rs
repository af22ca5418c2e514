//! A recording on a screen: a thread goes through it, and hands over the moments that are shown.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::segments::Segments;
use super::{about, list};
use crate::app::{Effect, Msg};
use crate::cli::{ColumnList, Exit, Failure, Replay};
use crate::config::Config;
use crate::export::ConfigState;
use crate::model::past::Travel;
use crate::model::privileges::Privileges;
use crate::model::tracker::Report;
use crate::probe::privileges::confine::{Duty, Identity, confine};
use crate::runtime::confined::start_confined;
use crate::runtime::export_folder::ExportFolder;
use crate::runtime::metrics::{Metrics, replayed};
use crate::runtime::names::Resolver;
use crate::runtime::past::visit::{Shows, Visit};
use crate::runtime::past::{Begin, Player, Source, play};
use crate::runtime::screen::Screen;
use crate::runtime::signals::{self, Caught};
use crate::runtime::updates::{Inlet, Outlet, Update};
use crate::runtime::{files, panics, rights, setup};
use crate::terminal;

/// The longest wait: nothing is checked but what wakes.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Shows the recording until the user leaves; `at`: this moment first, ns since 1970.
pub fn run(
    arguments: &Replay,
    at: Option<i64>,
    segments: Segments,
    owner: u32,
) -> Result<(), Failure> {
    terminal::check().map_err(|text| Failure::new(Exit::Usage, text))?;
    terminal::restore_before_panic();
    panics::end_with_any_thread();
    let folder = arguments.folder.as_path();
    let failed = |error: anyhow::Error| about(folder, Exit::Failed, format!("{error:#}"));
    let ended = |error: io::Error| failed(error.into());
    terminal::hold_stops().map_err(ended)?;
    let identity = rights::reader(owner).map_err(failed)?;
    let exports = ExportFolder::open(&arguments.export_dir, identity.as_ref())?;
    let caught = signals::catch().map_err(ended)?;
    let (outlet, inlet) = Inlet::pair().map_err(ended)?;
    // Read while the files can be.
    let mut config = Config::default();
    let preferences = setup::preferences_of_then(&config);
    list(folder, &segments)?;
    let served = outlet.try_clone().map_err(ended)?;
    let (metrics, of_metrics) =
        replayed::serve(arguments.listen, identity.clone(), served)?.unzip();
    let mut player = Player::new(
        segments,
        TimeZone::system(),
        outlet.try_clone().map_err(ended)?,
        false,
    );
    if metrics.is_some() {
        player.serve();
    }
    let launched = launch(folder, player, identity, &exports, (caught, outlet), at);
    let (travels, names, privileges) = launched.map_err(failed)?;
    let privileges = of_metrics.into_iter().fold(privileges, Privileges::and);
    config.appearance.sort = arguments.sort.unwrap_or(config.appearance.sort);
    let look = setup::look(arguments.color, arguments.ascii, &config);
    let screen = Screen::open(preferences, look)?;
    let mut viewer = Viewer {
        arguments,
        screen,
        inlet,
        travels,
        names,
        exports,
        metrics,
        privileges,
        nothing: Report::default(),
        config: Arc::new(config),
    };
    if let Some(filter) = &arguments.filter {
        viewer.send(Msg::Filter(filter.clone()));
    }
    // An error of the terminal means that it is gone: there is nobody to report it to.
    let _ = viewer.run();
    viewer.screen.close();
    Ok(())
}

/// Starts the threads, each of which gives up what it needs no more, and then gives up the rest.
fn launch(
    folder: &Path,
    player: Player<Segments>,
    identity: Option<Identity>,
    exports: &ExportFolder,
    (caught, outlet): (Caught, Outlet),
    at: Option<i64>,
) -> anyhow::Result<(Sender<Travel>, Resolver, Privileges)> {
    let (travels, requests) = channel();
    let keeps = rights::of_player(identity.clone(), folder);
    let (_, of_player) = start_confined(
        "replay",
        keeps,
        move |_| Ok(player),
        move |mut player: Player<Segments>| {
            let _ = player.source.refresh();
            let begin = match at {
                Some(wall_ns) => Begin::At(wall_ns),
                None if player.source.goes_on() => Begin::End,
                None => Begin::Start,
            };
            play(player, begin, &requests);
        },
    )?;
    let keeps = rights::of_resolver(identity.clone());
    let (names, of_resolver) = Resolver::start(outlet.try_clone()?, keeps)?;
    let keeps = rights::without_files(identity.clone(), Duty::Signals);
    let of_signals = signals::forward(caught, outlet, keeps)?;
    let own = confine(&rights::of_viewer(identity, exports))?;
    let privileges = of_player.and(of_resolver).and(of_signals).and(own);
    Ok((travels, names, privileges))
}

/// The main thread's state.
struct Viewer<'a> {
    arguments: &'a Replay,
    screen: Screen,
    inlet: Inlet,
    travels: Sender<Travel>,
    names: Resolver,
    exports: ExportFolder,
    /// Who serves the numbers of the moment that is shown, if anybody does.
    metrics: Option<Metrics>,
    privileges: Privileges,
    /// There is no present.
    nothing: Report,
    /// That of the moment that is shown.
    config: Arc<Config>,
}

impl Viewer<'_> {
    fn run(&mut self) -> io::Result<()> {
        use std::os::fd::AsFd;
        loop {
            let (patience, unnamed) = self.screen.draw_if_due(LONGEST_WAIT, &self.nothing)?;
            if let Some(unnamed) = unnamed {
                for (address, name) in self.names.recall_or_ask(&unnamed) {
                    self.send(Msg::Name(address, name));
                }
            }
            if !self
                .screen
                .wait(patience, self.inlet.as_fd(), &self.nothing)?
            {
                return Ok(());
            }
            for update in self.inlet.receive() {
                self.handle(update);
            }
            while let Some(effect) = self.screen.next_effect()? {
                if let Effect::Quit = effect {
                    return Ok(());
                }
                self.perform(effect);
            }
        }
    }

    fn send(&mut self, msg: Msg) {
        self.screen.send(msg, &self.nothing);
    }

    fn handle(&mut self, update: Update) {
        match update {
            Update::Past(visit) => self.show(visit),
            Update::Name(address, answer) => {
                let name = answer.name().cloned();
                self.names.learn(address, answer);
                if let Some(name) = name {
                    self.send(Msg::Name(address, name));
                }
            }
            Update::Notice(text) => self.send(Msg::Notice(text)),
            Update::End { .. } => self.screen.push(Effect::Quit),
            // Of a run that counts.
            _ => {}
        }
    }

    fn show(&mut self, visit: Visit) {
        if let Some(config) = visit.config {
            let mut preferences = setup::preferences_of_then(&config);
            let order = self.arguments.sort.unwrap_or(config.appearance.sort);
            preferences.appearance.sort = order;
            if let Some(ColumnList(columns)) = &self.arguments.columns {
                preferences.appearance.columns.clone_from(columns);
            }
            self.send(Msg::Preferences(Box::new(preferences)));
            self.config = config;
        }
        if let Shows::Moment(moment) = visit.shows {
            self.send(Msg::Past(Some(moment)));
        }
        if let (Some(metrics), Some(page)) = (&self.metrics, visit.page) {
            metrics.publish(*page);
        }
        if let Some(text) = visit.notice {
            self.send(Msg::Notice(text));
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Travel(travel) => _ = self.travels.send(travel),
            Effect::Export => self.export(),
            Effect::SaveView | Effect::Reload => {
                let text = "a replay has no configuration but that of the run";
                self.send(Msg::Notice(text.to_owned()));
            }
            // Of a run that counts, and of the terminal.
            _ => {}
        }
    }

    fn export(&mut self) {
        let about = files::About {
            now: Timestamp::now(),
            config: ConfigState::default(),
            privileges: &self.privileges,
            ipfix: None,
        };
        let scene = self.screen.app.scene_in_order(&self.nothing);
        let text = match files::write(&scene, about, &self.exports) {
            Ok(text) => text,
            Err(error) => {
                let (privileges, what_to_do) = (&self.privileges, rights::ANOTHER_FOLDER);
                format!(
                    "export: {}",
                    rights::explain(&error, privileges, what_to_do)
                )
            }
        };
        self.send(Msg::Notice(text));
    }
}
