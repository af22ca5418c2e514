//! The checks of a run: what they will ask for is kept, and at the end they are judged, told and reported.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use nix::fcntl::OFlag;

use super::confined::start_confined;
use super::error::failure;
use super::rights;
use super::sink::Destination;
use crate::cli::{Arguments, Exit, Failure, Replay};
use crate::config::Config;
use crate::config::source::Surroundings;
use crate::export::junit;
use crate::model::check::{self, Check, Outcome};
use crate::model::flow::FlowKey;
use crate::model::preferences::Unit;
use crate::model::tracker::{FlowTracker, WholeRun};
use crate::probe::interfaces::display_name;
use crate::probe::privileges::confine::Identity;

/// So many times as many flows as the table has room for are kept until the end: those that leave it, too.
const FLOWS_KEPT: usize = 8;

/// The checks of a run, and where they are reported.
pub struct Checks {
    list: Vec<Check>,
    report: Option<ReportFile>,
}

impl Checks {
    /// Those of this configuration. The file of the report is made, or emptied, at once: what is in there afterwards is
    /// of this run.
    pub fn of(
        arguments: &Arguments,
        config: &Config,
        surroundings: &Surroundings,
        identity: Option<&Identity>,
    ) -> Result<Checks, Failure> {
        let list = config.checks.clone();
        let path = arguments.output.report.as_deref();
        if path.is_some() && list.is_empty() {
            return Err(nothing_to_report());
        }
        // Root who is nobody else, neither by sudo nor by choice, names the file as root.
        let is_own = surroundings.invoking_user.is_none() && arguments.user.is_none();
        let user = identity.filter(|_| !is_own);
        let open = |path| ReportFile::open(path, user);
        let report = path.map(open).transpose()?;
        Ok(Checks { list, report })
    }

    /// Those of the command line of a replay; where that has none, they [are found](Self::find) in the recording.
    pub fn of_replay(arguments: &Replay, surroundings: &Surroundings) -> Result<Checks, Failure> {
        let open = |path: &PathBuf| {
            let user = match surroundings.invoking_user {
                Some(_) => rights::identity(surroundings, None)?,
                None => None,
            };
            ReportFile::open(path, user.as_ref())
        };
        Ok(Checks {
            list: arguments.checks.clone(),
            report: arguments.report.as_ref().map(open).transpose()?,
        })
    }

    /// Those of a recording's configuration are judged, if no others are.
    pub fn find(&mut self, config: &Config) -> Result<(), Failure> {
        if self.list.is_empty() {
            self.list.clone_from(&config.checks);
        }
        match self.list.is_empty() && self.report.is_some() {
            true => Err(nothing_to_report()),
            false => Ok(()),
        }
    }

    /// Whether these are the checks.
    pub fn are(&self, checks: &[Check]) -> bool {
        self.list == checks
    }

    /// The tracker keeps what they will ask for.
    pub fn begin(&self, tracker: &mut FlowTracker, config: &Config) {
        if !self.list.is_empty() {
            let checks = self.list.clone();
            let wanted = move |key: &FlowKey| checks.iter().any(|check| check.may_take(key));
            let room = config.max_flows as usize * FLOWS_KEPT;
            tracker.keep_flows(room, Box::new(wanted));
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Judges them by a run that is over, tells of them line by line, and writes the report. Returns how many do not
    /// hold, in words; `None` where all do.
    pub fn judge(
        &mut self,
        run: &WholeRun,
        unit: Unit,
        tell: impl FnMut(&String),
    ) -> Result<Option<String>, Failure> {
        let outcomes = check::judge(&self.list, run, unit);
        check::table(&outcomes, run.seconds()).iter().for_each(tell);
        if let Some(report) = self.report.take() {
            report.write(&outcomes, run.seconds())?;
        }
        Ok(check::unmet(&outcomes))
    }
}

#[cfg(test)]
impl From<Vec<Check>> for Checks {
    fn from(list: Vec<Check>) -> Checks {
        Checks { list, report: None }
    }
}

fn nothing_to_report() -> Failure {
    let text = "command line: --report: there is no check to report \
                (--assert 'port:5201 => loss<0.1', or ASSERT in the configuration)";
    Failure::new(Exit::Usage, text)
}

/// The file of `--report`, which is open from the start on.
struct ReportFile {
    path: PathBuf,
    file: File,
    began: Timestamp,
}

impl ReportFile {
    /// Opens it as this user, by a thread that has no other rights; `None`: as who this is.
    fn open(path: &Path, user: Option<&Identity>) -> Result<ReportFile, Failure> {
        let opened = match user {
            None => open(path),
            Some(user) => open_as(path, user),
        };
        let file = opened.map_err(|error| {
            let what = format!("write the report to {}", display_name(path.as_os_str()));
            failure(&what, &error)
        })?;
        Ok(ReportFile {
            path: path.to_owned(),
            file,
            began: Timestamp::now(),
        })
    }

    fn write(mut self, outcomes: &[Outcome], seconds: f64) -> Result<(), Failure> {
        let mut text = Vec::new();
        let began = format!("{:.0}", self.began);
        let written = junit::write(outcomes, seconds, &began, &mut text);
        written
            .and_then(|()| self.file.write_all(&text))
            .map_err(|error| {
                let path = display_name(self.path.as_os_str());
                let text = format!("write the report to {path}: {error}");
                Failure::new(Exit::Failed, text)
            })
    }
}

fn open(path: &Path) -> Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true);
    let file = options.custom_flags(flags.bits()).open(path)?;
    ensure!(file.metadata()?.is_file(), "it is not a regular file");
    file.set_len(0)?;
    Ok(file)
}

fn open_as(path: &Path, user: &Identity) -> Result<File> {
    let file = Destination::File(path.to_owned(), None);
    let keeps = rights::of_writer(Some(user.clone()), &file);
    let (sender, receiver) = channel();
    let path = path.to_owned();
    start_confined(
        "report",
        keeps,
        move |_| open(&path),
        move |file| _ = sender.send(file),
    )?;
    receiver.recv().context("the thread that opens it ended")
}
