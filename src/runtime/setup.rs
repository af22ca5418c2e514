//! From the command line and the configuration to what the parts of a run need.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::ancestors;
use super::error::failure;
use super::sampler::{Assignment, CaptureFile, Playback};
use crate::app::{Preferences, SshSession};
use crate::cli::{Arguments, ColorChoice, Exit, Failure};
use crate::config::Config;
use crate::config::source::{self, Opened, Surroundings};
use crate::demo::Demo;
use crate::keymap::Keymap;
use crate::model::groups::{Group, Groups};
use crate::model::metrics::Bounds;
use crate::model::rule::Profiles;
use crate::model::service::Services;
use crate::model::similar::suggestion;
use crate::model::tracker::Intervals;
use crate::model::units;
use crate::probe::interfaces::{Selection, display_name};
use crate::probe::{Options, memory};
use crate::ui::Look;

/// The configuration that a run with these arguments starts with.
pub fn open_config(arguments: &Arguments, surroundings: &Surroundings) -> Result<Opened, Failure> {
    let mut opened = source::open(surroundings)?;
    opened.config = arguments.overrides.over(opened.config);
    if arguments.overrides.max_flows.is_none() {
        check_memory(&opened.config)?;
    }
    check_exported(&opened.config)?;
    Ok(opened)
}

/// The demo, if asked for, and the configuration. The demo has its own, unless a file is named.
pub fn prepare(
    arguments: &Arguments,
    surroundings: &Surroundings,
) -> Result<(Option<Demo>, Opened), Failure> {
    if !arguments.demo {
        return Ok((None, open_config(arguments, surroundings)?));
    }
    crate::probe::privileges::check()
        .map_err(|refusal| failure("start the demo", &refusal.into()))?;
    let demo = Demo::prepare().map_err(|error| failure("start the demo", &error))?;
    if arguments.config.is_some() {
        let opened = open_config(arguments, surroundings)?;
        return Ok((Some(demo), opened));
    }
    let text = demo.config();
    let config = Config::load(&text, "the demo's configuration").map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Config, lines.join("\n"))
    })?;
    let config = arguments.overrides.over(config);
    Ok((Some(demo), Opened { config, text: None }))
}

/// Refuses rules that are to be exported and that there are not.
fn check_exported(config: &Config) -> Result<(), Failure> {
    let mut wanted = config.ipfix.iter().flat_map(|ipfix| &ipfix.rules);
    let known = || config.rules.iter().map(|rule| rule.name.as_str());
    match wanted.find(|name| known().all(|rule| rule != *name)) {
        Some(name) => {
            let path = config.path.as_deref().unwrap_or(Path::new(""));
            let hint = suggestion(name, known());
            let text = format!(
                "{}: IPFIX.RULES: there is no rule \"{name}\"{hint}",
                display_name(path.as_os_str())
            );
            Err(Failure::new(Exit::Config, text))
        }
        None => Ok(()),
    }
}

/// Refuses a configured table that would take more than half of the memory: who writes a configuration does not always
/// own the machine.
fn check_memory(config: &Config) -> Result<(), Failure> {
    let (flows, path) = (config.max_flows, config.path.as_deref());
    let needed = options(config).table_bytes();
    match (memory::limit(), path) {
        (Some(limit), Some(path)) if needed > limit / 2 => {
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

/// The capture that packets come from, if they are not live. Waits for its first bytes: who sends them may want to ask for a
/// password first.
pub fn open_capture(arguments: &Arguments) -> Result<Option<CaptureFile>, Failure> {
    let Some(path) = &arguments.read else {
        return Ok(None);
    };
    let opened = CaptureFile::open(path, !wants_headless(arguments));
    let name = display_name(path.as_os_str());
    let refused = |error| Failure::new(Exit::Usage, format!("read {name}: {error}"));
    opened.map(Some).map_err(refused)
}

/// What the thread that counts has to know at its start.
pub struct Start {
    /// What to count.
    pub assignment: Assignment,
    /// The maps.
    pub options: Options,
    /// The capture, where packets are not live.
    pub playback: Option<Playback>,
}

/// What the thread that counts begins with: live, or with the packets of this capture.
pub fn start(
    arguments: &Arguments,
    config: &Config,
    demo: Option<&Demo>,
    capture: Option<CaptureFile>,
) -> Start {
    let timing = Timing::of(config);
    Start {
        assignment: assignment(1, config, timing, demo),
        options: match capture {
            Some(_) => options_of_capture(config, arguments.overrides.max_flows),
            None => options(config),
        },
        playback: capture.map(|file| playback(file, arguments, timing)),
    }
}

/// How a capture is played.
fn playback(file: CaptureFile, arguments: &Arguments, timing: Timing) -> Playback {
    let of_count = |count: u64| {
        let records = u32::try_from(count).unwrap_or(u32::MAX);
        (timing.refresh * timing.refreshes).saturating_mul(records)
    };
    let output = &arguments.output;
    let ends = [output.duration, output.count.map(of_count)];
    Playback {
        file,
        duration: ends.into_iter().flatten().min(),
        is_watched: !wants_headless(arguments),
    }
}

/// The same as [`options`] for a capture: memory is taken as it is needed, so that there is room for more flows unless
/// somebody said how many.
fn options_of_capture(config: &Config, said: Option<u32>) -> Options {
    const FLOWS: u32 = 1 << 18;
    let options = options(config);
    let is_chosen = said.is_some() || config.max_flows != Options::default().max_flows;
    Options {
        max_flows: if is_chosen { config.max_flows } else { FLOWS },
        ..options
    }
}

/// What the probe has to know before it is loaded: settings that are not in here can change while it runs.
pub fn options(config: &Config) -> Options {
    Options {
        max_flows: config.max_flows,
        flow_timeout: config.flow_timeout,
        refresh: Timing::of(config).refresh,
        clsact_only: std::env::var_os("FLOWTOP_CLSACT").is_some(),
        groups: groups(config),
        ..Options::default()
    }
}

/// The groups of metrics that are asked for, and what exported flow records need of them.
fn groups(config: &Config) -> Groups {
    let of_records = config.ipfix.as_ref().map(|_| Group::Ip);
    config.metrics.iter().copied().chain(of_records).collect()
}

/// The output of `--check-config` and `--print-config`.
pub fn explain_config(
    arguments: &Arguments,
    surroundings: &Surroundings,
) -> Result<String, Failure> {
    let opened = open_config(arguments, surroundings)?;
    let told = opened.told();
    if arguments.check_config {
        let text = opened.config.describe();
        return Ok(match told {
            Ok(_) => text,
            // That the file is valid, which is the first line, is no word of it.
            Err(_) => text.split_inclusive('\n').take(1).collect(),
        });
    }
    let mut config = told?.clone();
    config.ascii = ascii(arguments.output.ascii, &config);
    let text = config.to_json();
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

    /// The same in nanoseconds, for the tracker.
    pub fn intervals(&self) -> Intervals {
        Intervals {
            refresh_ns: self.refresh.as_nanos() as u64,
            jitter_ns: self.jitter.as_nanos() as u64,
        }
    }
}

/// Preferences for a recording whose run had this configuration.
pub fn preferences_of_then(config: &Config) -> Preferences {
    Preferences {
        // Who looks at it now was not there then.
        session: None,
        ..preferences(config)
    }
}

/// The preferences that the dashboard starts with.
pub fn preferences(config: &Config) -> Preferences {
    Preferences {
        appearance: config.appearance.clone(),
        interval_s: config.throughput_interval.as_secs_f64(),
        jitter_s: config.jitter_interval.map(|window| window.as_secs_f64()),
        // Reading the configuration has found all conflicts.
        keymap: Keymap::with_overrides(config.keys.iter().cloned()).unwrap_or_default(),
        alerts: config.alerts.clone(),
        profiles: Arc::new(Profiles::new(config.sequence(), &config.rules)),
        services: services(),
        session: ssh_session(),
    }
}

/// What the terminal can show.
pub fn look(colour: ColorChoice, wants_ascii: bool, config: &Config) -> Look {
    let colour = match colour {
        ColorChoice::Auto => None,
        ColorChoice::Always => {
            crate::terminal::force_colours();
            Some(true)
        }
        ColorChoice::Never => Some(false),
    };
    let ascii = ascii(wants_ascii, config);
    Look::detect(colour, ascii, |name| std::env::var(name).ok())
}

/// Whether characters are to be ASCII, by the command line or else by the configuration; `None`: as the terminal can.
fn ascii(is_wanted: bool, config: &Config) -> Option<bool> {
    is_wanted.then_some(true).or(config.ascii)
}

/// Copies what was chosen on the dashboard into a configuration.
pub fn choose(config: &mut Config, choices: &Preferences) {
    config.appearance = choices.appearance.clone();
    if (config.throughput_interval.as_secs_f64() - choices.interval_s).abs() > 1e-9 {
        config.throughput_interval = Duration::from_secs_f64(choices.interval_s);
    }
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

/// What this configuration makes the sampler do.
pub fn assignment(number: u64, config: &Config, timing: Timing, demo: Option<&Demo>) -> Assignment {
    Assignment {
        number,
        selection: match demo {
            Some(demo) => Selection::new([demo.interface()]),
            None => Selection::new(config.interfaces.iter().cloned()),
        },
        rules: config.rules.clone(),
        sequence: config.sequence(),
        flow_timeout: config.flow_timeout,
        refresh: timing.refresh,
        refreshes: timing.refreshes,
    }
}

/// What metrics tell of flows with this configuration; `None`: nobody asked for metrics.
pub fn bounds(config: &Config) -> Option<Bounds> {
    config.listen.map(|_| bounds_of(config))
}

/// What metrics tell of flows with this configuration, where somebody asks for metrics.
pub fn bounds_of(config: &Config) -> Bounds {
    let exported = config.rules.iter().filter(|rule| rule.export > 0);
    Bounds {
        rules: exported
            .map(|rule| (rule.name.clone(), rule.export))
            .collect(),
        series: config.max_series,
    }
}

/// Whether the run shows what it found without a screen.
pub fn wants_headless(arguments: &Arguments) -> bool {
    let output = &arguments.output;
    output.json || output.text || output.file.is_some() || !std::io::stdout().is_terminal()
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
