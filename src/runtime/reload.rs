//! The configuration in force, the file it came from, and what became of the latest change to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{Failure, Overrides};
use crate::config::source::{self, Opened, Surroundings, Text};
use crate::config::watch::Watch;
use crate::config::{Config, Refusal};
use crate::export::ConfigState;

/// What a look at the file found.
#[derive(Debug)]
pub enum Change {
    /// Another configuration; this is what differs from the one before, in words.
    Loaded(String),
    /// The file is wrong; the configuration in force stays.
    Refused(String),
    /// What was loaded could not be put in force; the configuration of before is back.
    Withdrawn(String),
    /// The file was wrong and now says again what is in force.
    Mended,
    /// The file says what is in force; told only to who asked.
    Unchanged,
}

/// The configuration as it lives during a run.
#[derive(Debug)]
pub struct Reload {
    config: Config,
    /// What was in force before it, until it is.
    former: Option<Config>,
    overrides: Overrides,
    surroundings: Surroundings,
    /// No file has a say in this run.
    is_fixed: bool,
    path: Option<String>,
    /// The file in use, or, while there is none, all places where one may appear.
    watches: Vec<Watch>,
    /// Configurations loaded so far, and the one that the sampler has put in force.
    loaded: u64,
    generation: u64,
    error: Option<String>,
}

impl Reload {
    /// Starts with what was opened; a file is watched from here on. `is_fixed`: whatever files there are, they are
    /// not for this run.
    pub fn new(
        opened: Opened,
        overrides: Overrides,
        surroundings: Surroundings,
        is_fixed: bool,
    ) -> Reload {
        let watches = match (&opened.config.path, &opened.text) {
            (Some(path), Some(text)) => Watch::new(path, &surroundings, text).into_iter().collect(),
            _ if is_fixed => Vec::new(),
            _ => missing(&surroundings),
        };
        Reload {
            path: opened.config.path.as_deref().map(shown),
            config: opened.config,
            former: None,
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

    /// When to look next at the latest.
    pub fn next_check(&self) -> Option<Duration> {
        self.watches.iter().map(Watch::next_check).min()
    }

    /// Looks at the file; `None` where nothing changed.
    pub fn check(&mut self) -> Option<Change> {
        let told = |told, watch: &mut Watch| watch.changed().is_some() || told;
        if !self.watches.iter_mut().fold(false, told) {
            return None;
        }
        let path = self.file();
        let watch = self
            .watches
            .iter()
            .find(|watch| Some(watch.path()) == path.as_deref());
        match (path, watch.and_then(Watch::known)) {
            (Some(path), Some(outcome)) => self.judge(outcome, &path),
            // What was refused is gone, and was never in use.
            _ => self.error.take().map(|_| Change::Mended),
        }
    }

    /// Reads the file now; one that was not there before is found.
    pub fn check_now(&mut self) -> Change {
        let Some(path) = self.file() else {
            return Change::Unchanged;
        };
        let outcome = self.surroundings.read_text(&path);
        if let Ok(text) = &outcome {
            self.expect(&path, &text.text);
        }
        self.judge(outcome, &path).unwrap_or(Change::Unchanged)
    }

    /// The file in use, or the first one that has appeared since.
    fn file(&self) -> Option<PathBuf> {
        let found = || match self.is_fixed {
            true => None,
            false => self.surroundings.find(),
        };
        self.config.path.clone().or_else(found)
    }

    /// Takes over a text that was written on behalf of this run. Returns whether it says more than was known: somebody
    /// else may have written to the file just before.
    pub fn adopt(&mut self, path: &Path, text: &Text) -> bool {
        let Ok(config) = self.read(text, path) else {
            return false;
        };
        if self.is_fixed {
            return false;
        }
        self.expect(path, &text.text);
        self.error = None;
        let mut seen = self.config.clone();
        seen.path.clone_from(&config.path);
        seen.copy_choices(&config);
        let says_more = seen != config;
        self.adopt_config(config);
        says_more
    }

    /// This text is known: the watch need not tell it.
    fn expect(&mut self, path: &Path, text: &str) {
        match self.watches.iter_mut().find(|watch| watch.path() == path) {
            Some(watch) => watch.expect(text),
            None => self
                .watches
                .extend(Watch::new(path, &self.surroundings, text)),
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

    fn judge(&mut self, outcome: Result<Text, Refusal>, path: &Path) -> Option<Change> {
        match outcome.and_then(|text| self.read(&text, path)) {
            Ok(config) => self.take(config),
            Err(refusal) => {
                let text = Failure::from(refusal).message;
                self.error = Some(text.clone());
                Some(Change::Refused(text))
            }
        }
    }

    fn read(&self, text: &Text, path: &Path) -> Result<Config, Refusal> {
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
        if number == self.loaded {
            self.former = None;
        }
    }

    /// The configuration of this number could not be put in force, for this reason. `None`: there is a newer one.
    pub fn withdraw(&mut self, number: u64, reason: String) -> Option<Change> {
        if number != self.loaded {
            return None;
        }
        self.config = self.former.take()?;
        self.loaded = self.generation;
        self.error = Some(reason.clone());
        Some(Change::Withdrawn(reason))
    }

    fn take(&mut self, config: Config) -> Option<Change> {
        let was_wrong = self.error.take().is_some();
        if config == self.config {
            return was_wrong.then_some(Change::Mended);
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
        let former = self.config.clone();
        self.former.get_or_insert(former);
        self.adopt_config(config);
        self.loaded += 1;
        Some(Change::Loaded(difference))
    }
}

/// Watches for all places where a configuration is looked for.
fn missing(surroundings: &Surroundings) -> Vec<Watch> {
    let places = surroundings.places().into_iter();
    places
        .filter_map(|place| Watch::for_missing(&place, surroundings).ok())
        .collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
