//! What a person wants, from the configuration, the command line and the keys.

use std::sync::Arc;

use super::SshSession;
use crate::keymap::Keymap;
use crate::model::alert::AlertRule;
use crate::model::column::{Column, DEFAULT, FLOW_COLUMNS, Sort, by_id};
use crate::model::preferences::{ThemeName, Unit};
use crate::model::service::Services;

/// What a person wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferences {
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
    /// Jitter window, s.
    pub jitter_s: f64,
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
            unit: Unit::Bytes,
            packet_loss: false,
            sort: Sort::parse("-throughput").unwrap_or(Sort::by(&FLOW_COLUMNS[0])),
            columns: columns(DEFAULT),
            theme: ThemeName::Dark,
            interval_s: 1.0,
            jitter_s: 1.0,
            keymap: Keymap::default(),
            alerts: Vec::new(),
            services: Arc::default(),
            session: None,
        }
    }
}

/// The flow columns with these ids; ids that do not exist are left out.
pub fn columns(ids: &[&str]) -> Vec<&'static Column> {
    ids.iter().filter_map(|id| by_id(id)).collect()
}
