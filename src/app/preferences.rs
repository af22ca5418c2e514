//! What the configuration and the command line ask for; [`Choices`](super::choices::Choices) has what keys made of it.

use std::sync::Arc;

use super::{SshSession, View};
use crate::keymap::Keymap;
use crate::model::alert::AlertRule;
use crate::model::appearance::Appearance;
use crate::model::column::{Column, LOSS, LOSS_VIEW, by_id};
use crate::model::rule::Profiles;
use crate::model::service::Services;

/// What the user prefers.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferences {
    /// How the dashboard looks.
    pub appearance: Appearance,
    /// Throughput interval, s.
    pub interval_s: f64,
    /// Jitter window, s; `None`: the throughput interval, whatever it becomes.
    pub jitter_s: Option<f64>,
    /// Keys.
    pub keymap: Keymap,
    /// Thresholds.
    pub alerts: Vec<AlertRule>,
    /// Where the sequence numbers of flows are.
    pub profiles: Arc<Profiles>,
    /// Names of services by port.
    pub services: Arc<Services>,
    /// The SSH session that flowtop runs in, if it does.
    pub session: Option<SshSession>,
}

impl Default for Preferences {
    fn default() -> Self {
        Preferences {
            appearance: Appearance::default(),
            interval_s: 1.0,
            jitter_s: None,
            keymap: Keymap::default(),
            alerts: Vec::new(),
            profiles: Arc::default(),
            services: Arc::default(),
            session: None,
        }
    }
}

impl Preferences {
    /// The flow columns of the open view, whether they fit or not.
    pub(super) fn flow_columns(&self) -> Vec<&'static Column> {
        let look = &self.appearance;
        if look.view == View::Loss {
            return columns(LOSS_VIEW);
        }
        let mut chosen = look.columns.clone();
        if look.packet_loss {
            let others = columns(LOSS).into_iter();
            chosen.extend(others.filter(|column| !look.columns.contains(column)));
        }
        chosen
    }
}

/// The flow columns with these ids; unknown ids are left out.
fn columns(ids: &[&str]) -> Vec<&'static Column> {
    ids.iter().filter_map(|id| by_id(id)).collect()
}
