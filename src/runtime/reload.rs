//! The configuration in force, the file it came from, and what became of the latest change to it.

use std::path::Path;
use std::time::Duration;

use super::setup::with_vocabulary;
use crate::cli::Failure;
use crate::config::source::{self, Opened, Surroundings};
use crate::config::watch::Watch;
use crate::config::{Config, Overrides, Refusal};
use crate::export::ConfigState;

/// What a look at the file found.
#[derive(Debug)]
pub enum Change {
    /// Another configuration; this is what differs from the one before, in words.
    Loaded(String),
    /// The file is wrong; the configuration in force stays.
    Refused(String),
    /// The file was wrong and now says again what is in force.
    Mended,
}

/// The configuration as it lives during a run.
#[derive(Debug)]
pub struct Reload {
    config: Config,
    overrides: Overrides,
    path: Option<String>,
    watch: Option<Watch>,
    generation: u64,
    error: Option<String>,
}

impl Reload {
    /// Starts with what was opened; a file is watched from here on.
    pub fn new(opened: Opened, overrides: Overrides, surroundings: &Surroundings) -> Reload {
        let watch = match (&opened.config.path, &opened.text) {
            (Some(path), Some(text)) => Watch::new(path, surroundings, text).ok(),
            _ => None,
        };
        Reload {
            path: opened
                .config
                .path
                .as_deref()
                .map(|path| path.display().to_string()),
            config: opened.config,
            overrides,
            watch,
            generation: 1,
            error: None,
        }
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
        self.watch.as_ref().map(Watch::next_check)
    }

    /// Looks at the file; `None` where nothing changed.
    pub fn check(&mut self) -> Option<Change> {
        let outcome = self.watch.as_mut()?.changed()?;
        let path = self.config.path.clone()?;
        match outcome.and_then(|text| self.read(&text, &path)) {
            Ok(config) => self.take(config),
            Err(refusal) => {
                let text = Failure::from(refusal).message;
                self.error = Some(text.clone());
                Some(Change::Refused(text))
            }
        }
    }

    fn read(&self, text: &str, path: &Path) -> Result<Config, Refusal> {
        with_vocabulary(|vocabulary| source::configure(text, path, vocabulary, &self.overrides))
    }

    fn take(&mut self, config: Config) -> Option<Change> {
        let was_wrong = self.error.take().is_some();
        if config == self.config {
            return was_wrong.then_some(Change::Mended);
        }
        let difference = Config::difference(&self.config, &config);
        self.config = config;
        self.generation += 1;
        Some(Change::Loaded(difference))
    }
}
