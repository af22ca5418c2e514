//! What a person wants, from the configuration, the command line and the keys.

use std::sync::Arc;

use super::{SshSession, View};
use crate::keymap::Keymap;
use crate::model::alert::AlertRule;
use crate::model::column::{Column, DEFAULT, FLOW_COLUMNS, Sort, by_id};
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
            sort: Sort::parse("-throughput").unwrap_or(Sort::by(&FLOW_COLUMNS[0])),
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
    /// Takes over what differs between two configurations; what keys have changed since stays.
    pub(super) fn follow(&mut self, before: &Preferences, after: Preferences) {
        fn take<T: PartialEq>(mine: &mut T, before: &T, after: T) {
            if *before != after {
                *mine = after;
            }
        }
        let Preferences {
            view: _,
            unit,
            packet_loss,
            sort,
            columns,
            theme,
            interval_s,
            jitter_s,
            keymap,
            alerts,
            services,
            session,
        } = after;
        take(&mut self.unit, &before.unit, unit);
        take(&mut self.packet_loss, &before.packet_loss, packet_loss);
        take(&mut self.sort, &before.sort, sort);
        take(&mut self.columns, &before.columns, columns);
        take(&mut self.theme, &before.theme, theme);
        take(&mut self.interval_s, &before.interval_s, interval_s);
        take(&mut self.jitter_s, &before.jitter_s, jitter_s);
        take(&mut self.keymap, &before.keymap, keymap);
        take(&mut self.alerts, &before.alerts, alerts);
        take(&mut self.services, &before.services, services);
        take(&mut self.session, &before.session, session);
    }
}

/// The flow columns with these ids; ids that do not exist are left out.
pub fn columns(ids: &[&str]) -> Vec<&'static Column> {
    ids.iter().filter_map(|id| by_id(id)).collect()
}
