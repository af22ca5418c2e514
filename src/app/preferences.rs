//! What a person wants, by the configuration and the command line; [`Choices`](super::choices::Choices) has what keys made of it.

use std::sync::Arc;

use super::{SshSession, View};
use crate::keymap::Keymap;
use crate::model::alert::AlertRule;
use crate::model::column::{Column, DEFAULT, LOSS, LOSS_VIEW, Sort, by_id};
use crate::model::preferences::{ThemeName, Unit};
use crate::model::service::Services;

/// What a person wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferences {
    /// The view that is open.
    pub view: View,
    /// Unit of rates.
    pub unit: Unit,
    /// Whether the Flows view has the loss columns.
    pub packet_loss: bool,
    /// Order of the Flows view.
    pub sort: Sort,
    /// Columns of the Flows view, without those that `packet_loss` adds.
    pub columns: Vec<&'static Column>,
    /// Colours.
    pub theme: ThemeName,
    /// Throughput interval, s.
    pub interval_s: f64,
    /// Jitter window, s; `None`: the throughput interval, whatever it becomes.
    pub jitter_s: Option<f64>,
    /// Keys.
    pub keymap: Keymap,
    /// Thresholds.
    pub alerts: Vec<AlertRule>,
    /// Names of services by port.
    pub services: Arc<Services>,
    /// The SSH session that flowtop runs in, if it does.
    pub session: Option<SshSession>,
}

impl Default for Preferences {
    fn default() -> Self {
        Preferences {
            view: View::Flows,
            unit: Unit::Bytes,
            packet_loss: false,
            sort: Sort::default(),
            columns: columns(DEFAULT),
            theme: ThemeName::Dark,
            interval_s: 1.0,
            jitter_s: None,
            keymap: Keymap::default(),
            alerts: Vec::new(),
            services: Arc::default(),
            session: None,
        }
    }
}

impl Preferences {
    /// The flow columns of the view that is open, whether they have room or not.
    pub fn flow_columns(&self) -> Vec<&'static Column> {
        if self.view == View::Loss {
            return columns(LOSS_VIEW);
        }
        let mut chosen = self.columns.clone();
        if self.packet_loss {
            let others = columns(LOSS).into_iter();
            chosen.extend(others.filter(|column| !self.columns.contains(column)));
        }
        chosen
    }
}

/// The flow columns with these ids; ids that do not exist are left out.
fn columns(ids: &[&str]) -> Vec<&'static Column> {
    ids.iter().filter_map(|id| by_id(id)).collect()
}
