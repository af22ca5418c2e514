//! What the status line shows: a notice until the next key, and the error of a configuration until it is corrected.

/// The notice and the error, if any.
#[derive(Debug, Default)]
pub struct Notices {
    notice: Option<String>,
    config_error: Option<ConfigNotice>,
}

/// What is wrong with the configuration file.
#[derive(Debug)]
struct ConfigNotice {
    /// A line for each error.
    text: String,
    /// All of it in one line.
    summary: String,
}

impl ConfigNotice {
    fn new(text: String) -> ConfigNotice {
        let first = text.lines().next().unwrap_or_default();
        let summary = match text.lines().count() {
            0 | 1 => first.to_owned(),
            // Lines are not counted: the last one may stand for many errors.
            _ => format!("{first} (and more)"),
        };
        ConfigNotice { text, summary }
    }
}

impl Notices {
    /// The notice to show until the next key.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// What is wrong with the configuration.
    pub fn config_error(&self) -> Option<&str> {
        let error = self.config_error.as_ref();
        error.map(|error| error.summary.as_str())
    }

    /// Shows this until the next key.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(text.into());
    }

    /// A key was pressed, or the mouse: the notice has been read.
    pub(super) fn dismiss(&mut self) {
        self.notice = None;
    }

    /// The configuration was refused: a line for each error. Returns whether that is news.
    pub(super) fn refuse_config(&mut self, text: &str) -> bool {
        let known = self.config_error.as_ref();
        if known.is_some_and(|error| error.text == text) {
            return false;
        }
        // An older notice must not hide the error.
        self.notice = None;
        self.config_error = Some(ConfigNotice::new(text.to_owned()));
        true
    }

    /// The configuration is good again.
    pub(super) fn accept_config(&mut self) {
        self.config_error = None;
    }
}
