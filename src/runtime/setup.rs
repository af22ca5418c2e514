//! From the command line and the configuration to what the parts of a run want to hear.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::ancestors;
use super::sampler::Assignment;
use crate::app::{Preferences, SshSession, View};
use crate::cli::{Arguments, Exit, Failure};
use crate::config::source::{self, Opened, Surroundings};
use crate::config::{Alert, Config, Vocabulary};
use crate::demo::Demo;
use crate::keymap::{self, Keymap};
use crate::model::alert::AlertRule;
use crate::model::column::{self, Sort, by_id, by_name};
use crate::model::service::Services;
use crate::model::tracker::Intervals;
use crate::model::units;
use crate::probe::interfaces::{Selection, display_name};
use crate::probe::{Options, memory};

/// Hands the vocabulary of columns and keys to `work`.
pub fn with_vocabulary<T>(work: impl FnOnce(&Vocabulary<'_>) -> T) -> T {
    let columns: Vec<&str> = column::ids().collect();
    let amounts: Vec<&str> = column::FLOW_COLUMNS
        .iter()
        .filter(|column| column.is_amount() && !column.is_history())
        .flat_map(|column| [Some(column.id), column.alias])
        .flatten()
        .collect();
    let views = View::ALL.map(View::id);
    let actions: Vec<&str> = keymap::Action::ids().collect();
    let default_keys: Vec<(&str, &[&str])> =
        keymap::BINDINGS.iter().map(|b| (b.id, b.keys)).collect();
    work(&Vocabulary {
        columns: &columns,
        amounts: &amounts,
        views: &views.each_ref().map(String::as_str),
        actions: &actions,
        key_is_valid: |text| keymap::parse_chord(text).is_ok(),
        same_key: |a, b| keymap::parse_chord(a).ok() == keymap::parse_chord(b).ok(),
        always_quits: (keymap::ALWAYS_QUITS, keymap::Action::Quit.id()),
        default_keys: &default_keys,
    })
}

/// The configuration that a run with these arguments starts with.
pub fn open_config(arguments: &Arguments, surroundings: &Surroundings) -> Result<Opened, Failure> {
    let opened = with_vocabulary(|vocabulary| {
        source::open(surroundings, vocabulary, &arguments.overrides())
    });
    let opened = opened.map_err(Failure::from)?;
    if arguments.max_flows.is_none() {
        check_memory(&opened.config)?;
    }
    Ok(opened)
}

/// Whoever writes a configuration does not always own the machine: a table of more than half of its memory is not made.
fn check_memory(config: &Config) -> Result<(), Failure> {
    let (flows, path) = (config.max_flows, config.path.as_deref());
    let table = Options {
        max_flows: flows,
        ..Options::default()
    };
    match (table.table_bytes(), memory::limit(), path) {
        (Some(needed), Some(limit), Some(path)) if needed > limit / 2 => {
            let text = format!(
                "{}: MAX_FLOWS: a table for {flows} flows takes {}, more than half of the {} of memory that there are \
                (a smaller number, or --max-flows {flows} on the command line)",
                display_name(path.as_os_str()),
                units::bytes(needed),
                units::bytes(limit)
            );
            Err(Failure::new(Exit::Config, text))
        }
        _ => Ok(()),
    }
}

/// What `--check-config` and `--print-config` write.
pub fn explain_config(
    arguments: &Arguments,
    surroundings: &Surroundings,
) -> Result<String, Failure> {
    let opened = open_config(arguments, surroundings)?;
    if arguments.check_config {
        return Ok(opened.config.describe());
    }
    let text = opened.config.to_json();
    text.map_err(|error| super::error::failure("write the configuration", &error))
}

/// The timing of a run: the sampler reads at least once a second, and a whole number of times in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Time between two readings.
    pub refresh: Duration,
    /// Readings in a throughput interval.
    pub refreshes: u32,
    /// The jitter window.
    pub jitter: Duration,
}

impl Timing {
    /// The longest time between two readings: flows are only replaced after they have been read.
    const LONGEST: Duration = Duration::from_secs(1);
    /// The shortest time between two readings that a window asks for.
    const SHORTEST: Duration = Duration::from_millis(50);

    /// For a throughput interval and a jitter window.
    pub fn new(throughput: Duration, jitter: Duration) -> Timing {
        let wanted = throughput
            .min(Self::LONGEST)
            .min(jitter.max(Self::SHORTEST));
        let refreshes = throughput
            .as_nanos()
            .div_ceil(wanted.as_nanos().max(1))
            .max(1) as u32;
        Timing {
            refresh: throughput / refreshes,
            refreshes,
            jitter,
        }
    }

    /// Of a configuration.
    pub fn of(config: &Config) -> Timing {
        Timing::new(config.throughput_interval, config.jitter_window())
    }

    /// As the tracker wants it.
    pub fn intervals(&self) -> Intervals {
        Intervals {
            refresh_ns: self.refresh.as_nanos() as u64,
            jitter_ns: self.jitter.as_nanos() as u64,
        }
    }
}

/// As the dashboard wants it. The configuration has been validated against the same tables.
pub fn preferences(config: &Config) -> Preferences {
    let defaults = Preferences::default();
    let columns: Vec<_> = config.columns.iter().filter_map(|id| by_id(id)).collect();
    let keys = config.keys.iter().filter_map(|binding| {
        let chords = binding
            .keys
            .iter()
            .filter_map(|text| keymap::parse_chord(text).ok());
        Some((keymap::Action::from_id(&binding.action)?, chords.collect()))
    });
    Preferences {
        view: View::from_id(&config.view).unwrap_or(defaults.view),
        unit: config.unit,
        packet_loss: config.packet_loss,
        sort: sort(config),
        columns: if columns.is_empty() {
            defaults.columns
        } else {
            columns
        },
        theme: config.theme,
        interval_s: config.throughput_interval.as_secs_f64(),
        jitter_s: config.jitter_interval.map(|window| window.as_secs_f64()),
        keymap: Keymap::with_overrides(keys).unwrap_or_default(),
        alerts: alert_rules(config),
        services: services(),
        session: ssh_session(),
    }
}

/// The order of the flows.
pub fn sort(config: &Config) -> Sort {
    Sort::parse(&config.sort.to_string()).unwrap_or(Preferences::default().sort)
}

/// The thresholds of the configuration.
pub fn alert_rules(config: &Config) -> Vec<AlertRule> {
    let rule = |alert: &Alert| {
        Some(AlertRule {
            column: by_name(&alert.column)?,
            side: alert.side,
            bound: alert.bound,
            clear: alert.clear,
            at_least_s: alert.at_least.as_secs_f64(),
        })
    };
    config.alerts.iter().filter_map(rule).collect()
}

/// The SSH session that flowtop runs in. The ancestors are asked once, at the start: later they may not be looked at.
pub fn ssh_session() -> Option<SshSession> {
    static SESSION: LazyLock<Option<SshSession>> = LazyLock::new(|| {
        ancestors::variable("SSH_CONNECTION").and_then(|text| SshSession::parse(&text))
    });
    *SESSION
}

/// The names of services by port; where the file is not to be had, ports stay numbers.
fn services() -> Arc<Services> {
    static SERVICES: LazyLock<Arc<Services>> = LazyLock::new(|| {
        let text = std::fs::read_to_string("/etc/services").unwrap_or_default();
        Arc::new(Services::parse(&text))
    });
    SERVICES.clone()
}

/// What the sampler has to do by this configuration.
pub fn assignment(number: u64, config: &Config, timing: Timing, demo: Option<&Demo>) -> Assignment {
    Assignment {
        number,
        selection: match demo {
            Some(demo) => Selection::new([demo.interface()]),
            None => Selection::new(config.interfaces.iter()),
        },
        rules: config.rules.clone(),
        sequence: config.sequence,
        flow_timeout: config.flow_timeout,
        refresh: timing.refresh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(throughput: f64, jitter: f64) -> (f64, u32) {
        let timing = Timing::new(
            Duration::from_secs_f64(throughput),
            Duration::from_secs_f64(jitter),
        );
        (timing.refresh.as_secs_f64(), timing.refreshes)
    }

    #[test]
    fn the_sampler_reads_at_least_once_a_second_and_evenly() {
        assert_eq!(timing(1.0, 1.0), (1.0, 1));
        assert_eq!(timing(5.0, 5.0), (1.0, 5));
        assert_eq!(timing(2.5, 2.5).1, 3);
        assert_eq!(timing(0.1, 10.0), (0.1, 1));
        assert_eq!(timing(1.0, 0.25), (0.25, 4));
    }
}
