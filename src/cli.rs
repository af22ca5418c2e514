//! The command line: which options there are, and how a run ends.
//!
//! Owns [`Arguments`], the exit codes and [`Failure`], the one-line error that `main` prints.
//! No logic beyond reading words into values: it opens no file, asks for no interface and
//! must not know what a run does with the options.

mod failure;
mod moment;
mod replay;
mod usage;
mod words;

pub use moment::Moment;
pub use replay::Replay;

use std::collections::HashSet;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Config, MOST_FLOWS, Record, interface};
use crate::model::check::Check;
use crate::model::column::Sort;
use crate::model::glob::Glob;
use crate::model::groups::{Group, Groups};
use crate::model::ipfix::{Collector, Ipfix};
use crate::model::preferences::Unit;

pub use failure::{Exit, Failure};
use usage::usage_failure;
pub use words::ColumnList;
use words::{
    check, collector, columns, duration, filter, first_flow, group, jitter_interval,
    listen_address, order, rotation, throughput_interval,
};

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

const EXAMPLES: &str = "\
Examples:
  sudo flowtop                          every interface that is up, except loopback
  sudo flowtop -i 'eth0,wlan*'          these interfaces; globs are for flowtop, so quote them
  sudo flowtop -t 0.5 -j 10             twice a second; jitter over the last ten seconds
  sudo flowtop -l -c voip.json          loss columns; the rules of voip.json
  sudo flowtop --json --duration 60 | jq .flows
  sudo flowtop --text --filter 'udp and loss>1' --sort -loss
  sudo flowtop --duration 10 --assert 'port:5201 => loss<0.1'
  flowtop --check-config -c voip.json   is the file right, and what does it mean
  flowtop -r call.pcapng                a capture, by the times of its packets
  ssh gw sudo tcpdump -Uw - not port 22 | flowtop -r -  another machine's packets, live
  sudo flowtop --demo                   see it work, with traffic of its own
  sudo flowtop --record night           keep all of it; in the morning:
  sudo flowtop replay night --at 03:10          the dashboard as it was then
  sudo flowtop replay night --json --from 03:00 --to 03:30
  sudo flowtop doctor                   what to send with a bug report

Without sudo: setcap cap_bpf,cap_net_admin,cap_perfmon+ep on the program.";

/// The quality of network flows, live: throughput, jitter and loss, measured in the kernel.
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(name = "flowtop", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Arguments {
    /// What to do instead of a run.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Settings that the configuration has, too.
    #[command(flatten)]
    pub overrides: Overrides,

    /// Configuration file; it must exist.
    /// [default: ./config.json, $XDG_CONFIG_HOME/flowtop/config.json, /etc/flowtop/config.json]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Name or number of the user to go on as once packets are counted, for runs that root starts.
    /// [default: the one who called sudo, else flowtop, else a number that nobody has]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// How the run shows what it found, and when it ends.
    #[command(flatten)]
    pub output: Output,

    /// Validate the configuration, say what it means, and leave.
    #[arg(long, conflicts_with = "print_config")]
    pub check_config: bool,

    /// Write the effective configuration (defaults, file, command line) as config.json, and leave.
    #[arg(long)]
    pub print_config: bool,

    /// Watch generated traffic in a private pair of network namespaces.
    #[arg(long)]
    pub demo: bool,

    /// Packets of this capture, not of interfaces: pcap, pcapng, also by gzip or zstd; `-`: standard input. Needs no right.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["demo", "wait_for", "ipfix", "record"])]
    pub read: Option<PathBuf>,
}

/// Settings that the configuration has, too: the command line wins.
#[derive(Debug, Clone, PartialEq, Default, Args)]
pub struct Overrides {
    /// Interfaces to watch: a comma list, repeatable, `*` and `?` globs allowed.
    /// [default: every interface that is up, except loopback]
    #[arg(short, long = "interface", value_name = "NAME", value_delimiter = ',', num_args = 1..,
          value_parser = interface)]
    pub interfaces: Vec<Glob>,

    /// Interval for throughput and goodput, and the refresh period; at least 0.1. [default: 1]
    #[arg(short, long, value_name = "SECONDS", value_parser = throughput_interval,
          allow_negative_numbers = true)]
    pub throughput_interval: Option<Duration>,

    /// Window over which inter-arrival mean and jitter are computed.
    /// [default: the throughput interval]
    #[arg(short, long, value_name = "SECONDS", value_parser = jitter_interval,
          allow_negative_numbers = true)]
    pub jitter_interval: Option<Duration>,

    /// Start in bits per second.
    #[arg(short, long)]
    pub bits: bool,

    /// Start with the loss columns.
    #[arg(short = 'l', long)]
    pub packet_loss: bool,

    /// Id or short name of the column to sort flows by; `-` in front: largest first. [default: -throughput]
    #[arg(long, value_name = "COLUMN", value_parser = order, allow_hyphen_values = true)]
    pub sort: Option<Sort>,

    /// Columns of flows on the dashboard and of --text, by ids or short names, such as source,destination,rate,loss,ttl.
    /// [default: those of COLUMNS; of --text a set of its own]
    #[arg(long, value_name = "COLUMNS", value_parser = columns, conflicts_with = "json")]
    pub columns: Option<ColumnList>,

    /// Size of the flow table. [default: 65536]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_FLOWS)))]
    pub max_flows: Option<u32>,

    /// Folder to record the run into: at most 1 GB and 7 days, unless RECORD says otherwise; if missing, it is made, and given to
    /// the user that the run goes on as.
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,

    /// Groups of metrics to count besides, a comma list; each costs something with every packet: `ip`, marks and hops of
    /// IP headers.
    #[arg(long, value_name = "GROUP", value_delimiter = ',', value_parser = group)]
    pub metrics: Vec<Group>,

    /// Check at the end of the run, such as 'port:5201 => loss<0.1 and flows>=1': each flow that the filter before the arrow
    /// takes has to satisfy the condition behind it, over the whole run; repeatable; exit code 3 if one does not hold.
    #[arg(long = "assert", value_name = "CHECK", value_parser = check, allow_hyphen_values = true)]
    pub checks: Vec<Check>,

    /// Serve metrics for Prometheus, and what scrapes like it, at this address, without one to this host only.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,

    /// Collector that gets flow records by IPFIX: by UDP, or tcp://HOST:PORT; addresses of IPv6 are in brackets. Counts
    /// the group `ip`, too.
    #[arg(long, value_name = "HOST:PORT", value_parser = collector)]
    pub ipfix: Option<Collector>,
}

/// What to do instead of a run.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum Command {
    /// Say what flowtop finds on this machine: to be sent with a bug report.
    Doctor(Doctor),
    /// Go through a run that was recorded: the dashboard at any moment of it; or its records, and what
    /// checks come to, of all of it or of a span of time.
    Replay(Box<Replay>),
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Doctor {
    /// Remove what killed runs left on the hooks, and say what it was.
    #[arg(long)]
    pub clean: bool,
}

/// How the run shows what it found, and when it ends.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Output {
    /// No screen: one JSON object per interval on standard output.
    #[arg(long, conflicts_with = "text")]
    pub json: bool,

    /// No screen: a plain table per interval.
    #[arg(long)]
    pub text: bool,

    /// No screen: records go to the end of this file, in place of standard output.
    #[arg(long = "output", value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Begin the file anew before it exceeds SIZE (such as 100M), and keep COUNT files in all.
    #[arg(long, value_name = "SIZE:COUNT", requires = "file", value_parser = rotation)]
    pub rotate: Option<Rotation>,

    /// Flows to list, such as 'udp and loss>1': on the dashboard the filter of the views of flows at first; without a
    /// screen, the others are summed up.
    #[arg(long, value_name = "EXPR", value_parser = filter, allow_hyphen_values = true)]
    pub filter: Option<String>,

    /// Without a screen: list the first N flows by the order of SORT, and sum the others up.
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,

    /// Stop after this time; as all times, seconds or with units: 90, 1m30s, 2h.
    #[arg(long, value_name = "SECONDS", value_parser = duration, allow_negative_numbers = true)]
    pub duration: Option<Duration>,

    /// Stop after this many intervals; without a screen: records.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Begin when the first flow comes that matches, such as 'port:5201': totals, records and times count from there.
    /// `--duration` limits the wait, and then the run.
    #[arg(long, value_name = "EXPR", value_parser = first_flow, allow_hyphen_values = true)]
    pub wait_for: Option<String>,

    /// Write what the checks came to into this file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Leave no summary of the run on the terminal when the dashboard closes.
    #[arg(short, long)]
    pub quiet: bool,

    /// Folder that the keys `e` and `w` write to; if missing, it is made, and given to the user that the run goes on as.
    /// [default: the working folder]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["json", "text", "file"])]
    pub export_dir: Option<PathBuf>,

    /// When to use colours. `NO_COLOR` is honoured.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: ColorChoice,

    /// Draw with ASCII characters only, also where the locale and TERM allow others.
    #[arg(long)]
    pub ascii: bool,
}

/// How large a file of records gets, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes in each; only a single larger record exceeds it.
    pub size: u64,
    /// The latest one and those before it.
    pub files: u32,
}

/// What the words of a command line ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Invocation {
    /// A run with these arguments.
    Run(Box<Arguments>),
    /// This text (help or version) on standard output, and nothing else.
    Print(String),
}

impl Arguments {
    /// Reads a command line, the program's name first; `-packet_loss` means `--packet-loss`.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Invocation, Failure> {
        match Arguments::try_parse_from(words.into_iter().map(modern_spelling)) {
            Ok(arguments) => Ok(Invocation::Run(Box::new(arguments))),
            Err(error) => match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    Ok(Invocation::Print(error.to_string()))
                }
                _ => Err(usage_failure(&error)),
            },
        }
    }

    /// Whether there is more than a subcommand and a configuration: options of a run.
    pub fn has_options_of_a_run(&self) -> bool {
        let bare = Arguments::try_parse_from(["flowtop"]);
        bare.is_ok_and(|bare| {
            let bare = Arguments {
                command: self.command.clone(),
                config: self.config.clone(),
                ..bare
            };
            bare != *self
        })
    }
}

impl Overrides {
    /// The configuration with the command line over it.
    pub fn over(&self, mut config: Config) -> Config {
        let Overrides {
            interfaces,
            throughput_interval,
            jitter_interval,
            bits,
            packet_loss,
            sort,
            columns,
            max_flows,
            record,
            metrics,
            checks,
            listen,
            ipfix,
        } = self;
        if !interfaces.is_empty() {
            let mut seen = HashSet::new();
            let first = interfaces.iter().filter(|glob| seen.insert(*glob));
            config.interfaces = first.cloned().collect();
        }
        if *bits {
            config.appearance.unit = Unit::Bits;
        }
        config.appearance.packet_loss |= packet_loss;
        config.appearance.sort = sort.unwrap_or(config.appearance.sort);
        if let Some(ColumnList(columns)) = columns {
            config.appearance.columns.clone_from(columns);
        }
        config.throughput_interval = throughput_interval.unwrap_or(config.throughput_interval);
        config.jitter_interval = jitter_interval.or(config.jitter_interval);
        config.max_flows = max_flows.unwrap_or(config.max_flows);
        config.listen = listen.or(config.listen);
        if let Some(folder) = record {
            config.record = Some(Record::moved_to(folder, config.record));
        }
        if !metrics.is_empty() {
            config.metrics = metrics.iter().copied().collect::<Groups>().iter().collect();
        }
        if !checks.is_empty() {
            config.checks.clear();
            for check in checks {
                if !config.checks.contains(check) {
                    config.checks.push(check.clone());
                }
            }
        }
        if let Some(collector) = ipfix {
            let own = config.ipfix.take();
            config.ipfix = Some(Ipfix::redirected(own, collector));
        }
        config
    }
}

fn modern_spelling(word: OsString) -> OsString {
    if word == "-packet_loss" {
        return "--packet-loss".into();
    }
    word
}
