//! `flowtop doctor`: what a bug report should say about a machine, and what killed runs left on its hooks.
//!
//! It tries everything and requires nothing: what this user may not know is reported as unknown. Names that others chose
//! (of interfaces, filters, programs) are printed as harmless text.

mod links;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::errno::Errno;

use self::links::{leftovers, links};
use super::error::failure;
use super::recording_folder::Holding;
use super::{rights, setup};
use crate::cli::{Arguments, Failure};
use crate::config::source::{Opened, Surroundings};
use crate::model::units;
use crate::probe::clsact;
use crate::probe::interfaces::display_name;
use crate::probe::privileges::confine::{self, Duty, Keeps, Need};
use crate::probe::survey::chain;
use crate::probe::{Options, Probe, privileges};

/// Width of the names on the left.
const LABEL: usize = 16;
const LOOPBACK: u32 = 1;
/// Where the service records, by its unit.
const SERVICE_FOLDER: &str = "/var/lib/flowtop";
const UNKNOWN: &str = "not known";

/// What is found, line by line.
pub fn report(arguments: &Arguments, surroundings: &Surroundings) -> Result<String, Failure> {
    let mut text = format!("flowtop {}\n", env!("CARGO_PKG_VERSION"));
    let mut say = |label: &str, what: String| text += &line(label, &what);
    say("kernel", kernel());
    say("system", system());
    say("user", confine::describe_process());
    say(
        "can measure",
        match privileges::check() {
            Ok(()) => "yes".to_owned(),
            Err(refusal) => format!("no: {refusal}"),
        },
    );
    say("BPF", bpf_settings());
    say("hook", hook());
    let opened = setup::open_config(arguments, surroundings);
    let options = opened.as_ref().map(|opened| setup::options(&opened.config));
    let (program, table, needs) = load(&options.unwrap_or_default());
    say("program", program);
    say("flow table", table);
    let user = arguments.user.as_deref();
    say("once it counts", rights_of_a_run(surroundings, user, needs));
    let record = opened.as_ref().ok();
    let record = record.and_then(|opened| opened.config.record.as_ref());
    say("recordings", recordings(record.map(|it| &*it.folder)));
    say("configuration", configuration(opened));
    match links() {
        Ok(surveyed) => {
            say("left over", leftovers(&surveyed));
            for link in &surveyed {
                text.push('\n');
                text += &link.describe();
            }
        }
        Err(error) => say("interfaces", format!("{UNKNOWN}: {error:#}")),
    }
    Ok(text)
}

/// Removes what killed runs left behind, and reports it.
pub fn clean() -> Result<String, Failure> {
    const WHAT: &str = "remove what killed runs left behind";
    let surveyed = links().map_err(|error| failure(WHAT, &error))?;
    let mut text = String::new();
    let mut unknown = None;
    for link in &surveyed {
        let name = &link.link.display_name;
        let left = match &link.leftovers {
            Ok(left) => left,
            Err(error) => {
                unknown.get_or_insert(failure(&format!("{WHAT}: {name}"), error));
                continue;
            }
        };
        for filter in left {
            let is_removed = clsact::remove_leftover(link.link.ifindex, filter)
                .map_err(|error| crate::netns::needs("CAP_NET_ADMIN", error))
                .map_err(|error| failure(&format!("{WHAT}: {name}"), &error))?;
            if is_removed {
                text += &format!("removed the filter of a killed run from {name}\n");
            }
        }
    }
    match unknown {
        Some(error) => return Err(error),
        None if text.is_empty() => text = "nothing is left of a killed run\n".to_owned(),
        None => {}
    }
    Ok(text)
}

fn line(label: &str, what: &str) -> String {
    format!("{label:<LABEL$}{what}\n")
}

/// A file of the kernel in one line.
fn told(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(display_name(OsStr::new(text.trim())))
}

fn kernel() -> String {
    let release = privileges::release();
    let cpus = told("/sys/devices/system/cpu/possible").unwrap_or_else(|| UNKNOWN.to_owned());
    format!("Linux {release} {}, CPUs {cpus}", std::env::consts::ARCH)
}

fn system() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|l| l.strip_prefix("PRETTY_NAME="));
    let name = name.map(|name| display_name(OsStr::new(name.trim_matches('"'))));
    name.unwrap_or_else(|| UNKNOWN.to_owned())
}

fn bpf_settings() -> String {
    const SETTINGS: [(&str, &str); 4] = [
        ("JIT", "net/core/bpf_jit_enable"),
        ("hardening", "net/core/bpf_jit_harden"),
        ("off for ordinary users", "kernel/unprivileged_bpf_disabled"),
        ("statistics", "kernel/bpf_stats_enabled"),
    ];
    let settings = SETTINGS.map(|(what, file)| {
        let value = told(&format!("/proc/sys/{file}"));
        format!("{what} {}", value.unwrap_or_else(|| UNKNOWN.to_owned()))
    });
    settings.join(", ")
}

fn hook() -> String {
    match chain::tcx_programs(LOOPBACK) {
        Ok(_) => "TCX".to_owned(),
        Err(Errno::EINVAL) => "clsact (TCX came with Linux 6.6)".to_owned(),
        Err(errno) => unknown(errno),
    }
}

fn unknown(why: Errno) -> String {
    format!("{UNKNOWN}: {}", why.desc())
}

/// Loads the programs as a run does, and reports what that took, and what they need further on.
fn load(options: &Options) -> (String, String, Vec<Need>) {
    let size = format!("{} flows, {} slots", options.max_flows, options.slots());
    // Its words for what is missing are better than those of an attempt.
    if let Err(refusal) = privileges::check() {
        let text = format!("does not load: {refusal}");
        return (text, format!("{UNKNOWN} for {size}"), Vec::new());
    }
    let began = Instant::now();
    match Probe::load(options) {
        Ok(mut probe) => (
            format!("loads in {} ms", began.elapsed().as_millis()),
            match probe.snapshot().table.memory_bytes {
                Some(bytes) => format!("{} of memory for {size}", units::bytes(bytes)),
                None => format!("{UNKNOWN} for {size}"),
            },
            probe.needs(),
        ),
        Err(error) => (
            format!("does not load: {error:#}").replace('\n', " "),
            format!("{UNKNOWN} for {size}"),
            Vec::new(),
        ),
    }
}

/// Tries in a thread what a run does that keeps these capabilities for its hooks; the effects end with the thread.
fn rights_of_a_run(
    surroundings: &Surroundings,
    user: Option<&str>,
    capabilities: Vec<Need>,
) -> String {
    let keeps = match rights::identity(surroundings, user) {
        Ok(identity) => Keeps {
            capabilities,
            ..rights::without_files(identity, Duty::Signals)
        },
        Err(failure) => return format!("it ends: {}", failure.message),
    };
    let confined = std::thread::scope(|scope| scope.spawn(|| confine::confine(&keeps)).join());
    match confined {
        Ok(Ok(privileges)) => privileges.to_string(),
        Ok(Err(error)) => format!("it ends: {error:#}"),
        Err(_) => UNKNOWN.to_owned(),
    }
}

/// What is recorded where: in the folder of the configuration, or else in the service's.
fn recordings(folder: Option<&Path>) -> String {
    let path = folder.unwrap_or(Path::new(SERVICE_FOLDER));
    let name = display_name(path.as_os_str());
    match Holding::of(path) {
        Ok(Holding {
            runs,
            bytes,
            since_ms: Some(since_ms),
        }) => {
            let since = Timestamp::from_millisecond(since_ms as i64).unwrap_or_default();
            let since = since.to_zoned(TimeZone::system()).strftime("%F %H:%M");
            let runs = match runs {
                1 => "1 run".to_owned(),
                runs => format!("{runs} runs"),
            };
            let bytes = units::bytes(bytes);
            format!("{name}: {runs} since {since}, {}", bytes.trim_start())
        }
        Ok(_) => format!("{name}: none"),
        Err(error) if error.kind() == ErrorKind::NotFound && folder.is_none() => {
            "none (flowtop --record DIR, RECORD or the service makes one)".to_owned()
        }
        Err(error) => format!("{name}: {UNKNOWN}: {error}"),
    }
}

fn configuration(opened: Result<Opened, Failure>) -> String {
    match opened {
        Ok(opened) => match opened.config.path.as_deref().map(Path::display) {
            Some(path) => format!("{} is valid", display_name(OsStr::new(&path.to_string()))),
            None => "no file: defaults".to_owned(),
        },
        Err(failure) => failure.message.replace('\n', "; "),
    }
}
