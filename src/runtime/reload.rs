//! The configuration in force, the file it came from, and what became of the latest change to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{Failure, Overrides};
use crate::config::source::{self, FileText, Opened, Surroundings};
use crate::config::watch::FileWatch;
use crate::config::{Config, ConfigError};
use crate::export::ConfigState;

/// What became of the file that was looked at.
#[derive(Debug)]
pub enum ReloadOutcome {
    /// Another configuration; this is what differs from the one before, in words.
    Loaded(String),
    /// The file is wrong; the configuration in force stays.
    Refused(String),
    /// What was loaded could not be put in force; the configuration of before is back.
    Withdrawn(String),
    /// The file was wrong and now says again what is in force.
    Mended,
    /// The file says what is in force: only who asked for a reload is told.
    Unchanged,
}

/// The configuration during a run.
#[derive(Debug)]
pub struct Reload {
    config: Config,
    /// While the new one is not confirmed: that in force, and those that were loaded between them, each with its number.
    former: Vec<(u64, Config)>,
    overrides: Overrides,
    surroundings: Surroundings,
    /// This run reads no file.
    is_fixed: bool,
    path: Option<String>,
    /// The file in use, or, while there is none, all places where one may appear.
    watches: Vec<FileWatch>,
    /// Configurations loaded so far, and the one that the sampler has put in force.
    loaded: u64,
    generation: u64,
    error: Option<String>,
}

impl Reload {
    /// Starts with what was opened, and watches the file from here on. `is_fixed`: the run reads no file.
    pub fn new(
        opened: Opened,
        overrides: Overrides,
        surroundings: Surroundings,
        is_fixed: bool,
    ) -> Reload {
        let watches = match (&opened.config.path, &opened.text) {
            (Some(path), Some(text)) => FileWatch::new(path, &surroundings, &text.text)
                .into_iter()
                .collect(),
            _ if is_fixed => Vec::new(),
            _ => watch_places(&surroundings),
        };
        Reload {
            path: opened.config.path.as_deref().map(shown),
            config: opened.config,
            former: Vec::new(),
            overrides,
            surroundings,
            is_fixed,
            watches,
            loaded: 1,
            generation: 1,
            error: None,
        }
    }

    /// Where a configuration is looked for.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// For exports and the screen.
    pub fn state(&self) -> ConfigState<'_> {
        ConfigState {
            path: self.path.as_deref(),
            generation: self.generation,
            error: self.error.as_deref(),
        }
    }

    /// How long to wait at most until the next check.
    pub fn next_check(&self) -> Option<Duration> {
        self.watches.iter().map(FileWatch::next_check).min()
    }

    /// Checks the file; `None` if nothing changed.
    pub fn check(&mut self) -> Option<ReloadOutcome> {
        // Each is asked: one that is not would report its change later.
        let ask = |any, watch: &mut FileWatch| watch.changed().is_some() || any;
        if !self.watches.iter_mut().fold(false, ask) {
            return None;
        }
        let path = self.file();
        let watch = self
            .watches
            .iter()
            .find(|watch| Some(watch.path()) == path.as_deref());
        match (path, watch.and_then(FileWatch::last_reported)) {
            (Some(path), Some(outcome)) => self.receive(outcome, &path),
            // What was refused is gone, and was never in use.
            _ => self.error.take().map(|_| ReloadOutcome::Mended),
        }
    }

    /// Reads the file now; one that was not there before is found.
    pub fn check_now(&mut self) -> ReloadOutcome {
        let Some(path) = self.file() else {
            return ReloadOutcome::Unchanged;
        };
        let outcome = self.surroundings.read_text(&path);
        if let Ok(text) = &outcome {
            self.expect(&path, &text.text);
        }
        self.receive(outcome, &path)
            .unwrap_or(ReloadOutcome::Unchanged)
    }

    /// The file in use, or the first one that has appeared since.
    fn file(&self) -> Option<PathBuf> {
        let found = || match self.is_fixed {
            true => None,
            false => self.surroundings.find(),
        };
        self.config.path.clone().or_else(found)
    }

    /// Takes over a text that was written on behalf of this run. Returns what else it says, if it does: somebody may have written
    /// to the file just before.
    pub fn adopt(&mut self, path: &Path, text: &FileText) -> Option<ReloadOutcome> {
        let config = self.read(text, path).ok()?;
        if self.is_fixed {
            return None;
        }
        self.expect(path, &text.text);
        self.error = None;
        let mut known = self.config.clone();
        known.path.clone_from(&config.path);
        known.copy_choices(&config);
        self.adopt_config(known);
        self.replace_config(config)
    }

    /// This text is known: the watch does not report it.
    fn expect(&mut self, path: &Path, text: &str) {
        match self.watches.iter_mut().find(|watch| watch.path() == path) {
            Some(watch) => watch.expect(text),
            None => self
                .watches
                .extend(FileWatch::new(path, &self.surroundings, text)),
        }
    }

    /// From here on this is the configuration, and its file the one to watch.
    fn adopt_config(&mut self, config: Config) {
        if let Some(path) = &config.path {
            self.watches.retain(|watch| watch.path() == path);
            self.path = Some(shown(path));
        }
        self.config = config;
    }

    fn receive(
        &mut self,
        outcome: Result<FileText, ConfigError>,
        path: &Path,
    ) -> Option<ReloadOutcome> {
        match outcome.and_then(|text| self.read(&text, path)) {
            Ok(config) => self.replace_config(config),
            Err(refusal) => {
                let text = Failure::from(refusal).message;
                self.error = Some(text.clone());
                Some(ReloadOutcome::Refused(text))
            }
        }
    }

    fn read(&self, text: &FileText, path: &Path) -> Result<Config, ConfigError> {
        let config = source::configure(text, path)?;
        Ok(self.overrides.over(config))
    }

    /// The number of the configuration loaded last.
    pub fn loaded(&self) -> u64 {
        self.loaded
    }

    /// The configuration of this number is in force: packets are counted by it.
    pub fn confirm(&mut self, number: u64) {
        self.generation = number;
        self.former.retain(|(former, _)| *former >= number);
    }

    /// The configuration of this number could not be put in force, for this reason. `None`: there is a newer one.
    pub fn withdraw(&mut self, number: u64, reason: String) -> Option<ReloadOutcome> {
        if number != self.loaded {
            return None;
        }
        let (in_force, config) = self.former.drain(..).next()?;
        self.config = config;
        self.loaded = in_force;
        self.error = Some(reason.clone());
        Some(ReloadOutcome::Withdrawn(reason))
    }

    fn replace_config(&mut self, config: Config) -> Option<ReloadOutcome> {
        let was_wrong = self.error.take().is_some();
        if config == self.config {
            return was_wrong.then_some(ReloadOutcome::Mended);
        }
        let mut difference = Config::difference(&self.config, &config);
        if self.config.path != config.path {
            let found = config.path.as_deref().map(shown).unwrap_or_default();
            let says = match difference.as_str() {
                "" => "nothing but defaults",
                other => other,
            };
            difference = format!("{found}: {says}");
        }
        self.former.push((self.loaded, self.config.clone()));
        self.adopt_config(config);
        self.loaded += 1;
        Some(ReloadOutcome::Loaded(difference))
    }
}

/// Watches all places where a configuration is looked for.
fn watch_places(surroundings: &Surroundings) -> Vec<FileWatch> {
    let places = surroundings.places().into_iter();
    places
        .filter_map(|place| FileWatch::for_missing(&place, surroundings).ok())
        .collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_text(offset: u32) -> FileText {
        FileText {
            text: format!("{{\"OFFSET\": {offset}}}"),
            is_foreign: false,
        }
    }

    #[test]
    fn what_comes_back_is_what_is_in_force_however_many_were_loaded_meanwhile() {
        for (confirmed, back) in [(vec![], 1), (vec![2], 2), (vec![2, 3], 3)] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("config.json");
            let opened = Opened {
                config: source::configure(&file_text(1), &path).expect("it is right"),
                text: Some(file_text(1)),
            };
            let surroundings = Surroundings::default();
            let mut reload = Reload::new(opened, Overrides::default(), surroundings, false);
            let load = |reload: &mut Reload, offset| {
                let outcome = reload.receive(Ok(file_text(offset)), &path);
                assert!(matches!(outcome, Some(ReloadOutcome::Loaded(_))));
            };
            (2..=4).for_each(|offset| load(&mut reload, offset));
            confirmed.iter().for_each(|number| reload.confirm(*number));
            assert!(reload.withdraw(3, "late".to_owned()).is_none());
            let outcome = reload.withdraw(reload.loaded(), "no".to_owned());
            assert!(matches!(outcome, Some(ReloadOutcome::Withdrawn(_))));
            assert_eq!(reload.config().sequence().offset, Some(back));
            assert_eq!(reload.loaded(), reload.state().generation);
            // From there on as ever.
            load(&mut reload, 9);
            reload.confirm(reload.loaded());
            assert!(reload.former.is_empty());
        }
    }
}
