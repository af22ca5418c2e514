//! What the application makes of each report and each configuration besides showing it: events,
//! alerts, and the flows that deserve a closer look.

use super::{App, Preferences};
use crate::model::alert::{Alerts, Change};
use crate::model::event::EventKind;
use crate::model::flow::FlowKey;
use crate::model::tracker::Report;
use crate::model::watch::describe;

/// At most this many alerts are told one by one in one report.
const MOST_AT_ONCE: usize = 20;

/// What is wrong with the configuration file.
#[derive(Debug)]
pub(super) struct ConfigError {
    /// A line for each error.
    text: String,
    /// All of it in one line.
    pub(super) summary: String,
}

impl ConfigError {
    fn new(text: String) -> ConfigError {
        let first = text.lines().next().unwrap_or_default();
        let summary = match text.lines().count() {
            0 | 1 => first.to_owned(),
            // How many, the lines do not tell: the last one may stand for many errors.
            _ => format!("{first} (and more)"),
        };
        ConfigError { text, summary }
    }
}

impl App {
    /// Notices what happened since the report before; runs on paused screens too.
    pub(super) fn judge(&mut self, live: &Report) {
        self.watch.observe(live, self.now, &mut self.log);
        let changes = self.alerts.advance(live);
        for change in changes.iter().take(MOST_AT_ONCE) {
            self.log_alert(change, live);
        }
        if let Some(more) = changes.len().checked_sub(MOST_AT_ONCE + 1) {
            let text = format!("and {} more in this interval", more + 1);
            self.log.push(self.now, EventKind::Alert, None, text);
        }
    }

    fn log_alert(&mut self, change: &Change, live: &Report) {
        let rule = self.alerts.rules()[change.rule].describe();
        let flow = live.flows.iter().find(|flow| flow.key == change.key);
        let flow = flow.map_or_else(|| "a flow that is gone".to_owned(), describe);
        let kind = if change.raised {
            EventKind::Alert
        } else {
            EventKind::Cleared
        };
        self.log
            .push(self.now, kind, Some(change.key), format!("{rule}: {flow}"));
    }

    /// The selected flow and the pinned ones.
    pub(super) fn focus(&self) -> Vec<FlowKey> {
        let selected = self.flow_table().selected();
        let pinned = self.pinned.iter().copied();
        let mut focus: Vec<FlowKey> = pinned.chain(selected).collect();
        focus.sort_unstable();
        focus.dedup();
        focus
    }

    pub(super) fn refuse_config(&mut self, error: Option<String>) {
        let Some(text) = error else {
            self.config_error = None;
            return;
        };
        if self.config_error.as_ref().is_some_and(|e| e.text == text) {
            return;
        }
        // The first one is the newest, so that they are listed in their order.
        for (place, line) in text.lines().enumerate().collect::<Vec<_>>().iter().rev() {
            let text = match place {
                0 => format!("refused, the last good one stays: {line}"),
                _ => format!("refused, too: {line}"),
            };
            self.log.push(self.now, EventKind::Config, None, text);
        }
        // What was said before must not hide the error.
        self.notice = None;
        self.config_error = Some(ConfigError::new(text));
    }

    pub(super) fn prefer(&mut self, preferences: Preferences) {
        if preferences.alerts != self.configured.alerts {
            self.alerts = Alerts::new(preferences.alerts.clone());
        }
        self.preferences
            .follow(&self.configured, preferences.clone());
        self.flows.sort = self.preferences.sort;
        self.configured = preferences;
        self.config_error = None;
        self.rearrange();
    }
}
