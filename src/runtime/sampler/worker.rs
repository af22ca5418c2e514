//! The live sampler: attaches to interfaces and reads what the kernel counts at a steady pace.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, poll};

use super::{Assignment, Counts, Request, heads};
use crate::model::privileges::Privileges;
use crate::model::snapshot::Snapshot;
use crate::netns::Namespace;
use crate::probe::interfaces::{Link, LinkMonitor};
use crate::probe::privileges::confine::{Duty, Identity, Keeps, confine};
use crate::probe::{Options, Probe, privileges};
use crate::runtime::panics;
use crate::runtime::updates::{Outlet, Update};
use crate::runtime::wake;

/// Readings that wait for the main thread at most.
const MOST_UNREAD: usize = 4;

/// rtnetlink announces changes of links. Those that it never announces, and the devices' own counters, are found this
/// often, and links that could not be attached to are tried again.
pub(super) const LIST_EVERY: Duration = Duration::from_secs(2);

pub(super) struct Worker {
    pub(super) probe: Probe,
    pub(super) monitor: LinkMonitor,
    pub(super) assignment: Assignment,
    pub(super) outlet: Outlet,
    pub(super) requests: Receiver<Request>,
    pub(super) wake: UnixStream,
    /// Links that have a name which the selection asks for, or had it once.
    pub(super) named: BTreeSet<u32>,
    /// Links that could not be attached to, and are not tried again before it is time to list the links.
    pub(super) refused: Vec<u32>,
    /// Why they could not, as it was said of each: not again while it stays like that.
    pub(super) told: BTreeMap<u32, String>,
    /// Links to attach to or to let go of, one at a time: the kernel waits for a grace period with each, and readings
    /// must not wait for hundreds of them.
    pub(super) pending: VecDeque<Link>,
    /// Refresh periods since the latest reading.
    pub(super) periods: u32,
    /// When the links are listed again, whether there was news of them or not.
    pub(super) list_due: Instant,
}

impl Counts for Worker {
    /// From here on it needs no file, and of the rights only what its hooks ask for.
    fn confine(&self, identity: Option<Identity>) -> Result<Privileges> {
        confine(&Keeps {
            identity,
            capabilities: self.probe.needs(),
            duty: Some(Duty::Sampler {
                on_clsact: self.probe.is_on_clsact(),
            }),
            ..Keeps::default()
        })
    }

    fn began_ns(&self) -> u64 {
        self.probe.now_ns()
    }

    fn run(mut self) -> Snapshot {
        let mut due = Instant::now() + self.assignment.refresh;
        loop {
            let is_busy = !self.pending.is_empty();
            self.wait_until(if is_busy { Instant::now() } else { due });
            if panics::is_over() {
                return self.probe.finish();
            }
            while let Ok(request) = self.requests.try_recv() {
                match request {
                    Request::Finish => return self.finish(),
                    Request::Focus(keys) => self.probe.focus(keys),
                    Request::ResetHistograms => self.probe.reset_histograms(),
                    Request::Reset => {
                        // What came before belongs to the totals that were.
                        self.read(0);
                        self.probe.reset_histograms();
                        self.outlet.send(Update::Zero);
                    }
                    Request::Recycle(snapshot) => self.probe.recycle(*snapshot),
                    // Only captures have one.
                    Request::Travel(_) => {}
                    Request::Assign(assignment) => {
                        let (began, refresh) = (Instant::now(), self.assignment.refresh);
                        self.reassign(*assignment);
                        // An interval that is under way ends when it would have, unless its length changes.
                        if self.assignment.refresh != refresh {
                            due = began + self.assignment.refresh;
                        }
                    }
                }
            }
            self.follow_links();
            self.settle_next();
            if Instant::now() >= due {
                self.reattach();
                self.read_when_due();
                panics::panic_if_asked("sampler");
                due = next_due(due, self.assignment.refresh);
            }
        }
    }
}

impl Worker {
    pub(super) fn make(
        assignment: Assignment,
        options: Options,
        namespace: Option<Namespace>,
        outlet: Outlet,
        requests: Receiver<Request>,
        wake: UnixStream,
    ) -> Result<Worker> {
        if let Some(namespace) = namespace {
            namespace.enter()?;
        }
        privileges::check().context("load the kernel program")?;
        let monitor = LinkMonitor::open().context("follow the interfaces")?;
        let links = crate::probe::interfaces::list().context("list the interfaces")?;
        assignment.selection.require_names(&links)?;
        let mut probe = Probe::load(&options)?;
        let version = probe.apply_rules(&assignment.rules, &assignment.sequence)?;
        outlet.send(Update::Ruled(version, heads(&assignment.rules)));
        let mut worker = Worker {
            probe,
            monitor,
            assignment,
            outlet,
            requests,
            wake,
            named: BTreeSet::new(),
            refused: Vec::new(),
            told: BTreeMap::new(),
            pending: VecDeque::new(),
            periods: 0,
            list_due: Instant::now() + LIST_EVERY,
        };
        worker.remember_named(&links);
        worker.say_missing(&links);
        worker.attach_first(&links)?;
        Ok(worker)
    }

    /// The last numbers, those of the devices among them.
    fn finish(&mut self) -> Snapshot {
        if let Ok(links) = self.monitor.list() {
            self.probe.update_links(&links);
        }
        self.probe.finish()
    }

    /// While the main thread is stuck, readings would pile up, so none is made. Nothing is lost: no flow leaves the table,
    /// or is replaced, before it was read.
    fn read_when_due(&mut self) {
        self.periods += 1;
        if self.outlet.unread() < MOST_UNREAD {
            let periods = std::mem::take(&mut self.periods);
            self.read(periods);
        }
    }

    fn read(&mut self, periods: u32) {
        let snapshot = Box::new(self.probe.snapshot());
        self.outlet.send(Update::Snapshot { snapshot, periods });
    }

    fn wait_until(&mut self, due: Instant) {
        let left = due.saturating_duration_since(Instant::now());
        let mut fds = [
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.monitor.as_fd(), PollFlags::POLLIN),
        ];
        // Interrupted: the loop looks at everything anyway.
        let _ = poll(&mut fds, wake::timeout(left));
        wake::drain(&self.wake);
    }

    /// Rules come first: they may be refused, and then nothing else of the assignment is put in force.
    fn reassign(&mut self, assignment: Assignment) {
        if let Err(error) = self.change_rules(&assignment) {
            let text = format!("put the rules in force: {error:#} (the former ones stay)");
            let update = Update::Unassigned(assignment.number, text);
            return self.outlet.send(update);
        }
        self.probe
            .set_ageing(assignment.flow_timeout, assignment.refresh);
        let reselected = assignment.selection != self.assignment.selection;
        self.assignment = assignment;
        if reselected {
            self.choose_anew();
        }
        self.outlet.send(Update::Assigned(self.assignment.number));
    }

    fn change_rules(&mut self, assignment: &Assignment) -> Result<()> {
        let former = &self.assignment;
        if assignment.rules == former.rules && assignment.sequence == former.sequence {
            return Ok(());
        }
        // What was counted under the former rules is read first: it belongs to them.
        self.read(0);
        let version = self
            .probe
            .apply_rules(&assignment.rules, &assignment.sequence)?;
        self.outlet
            .send(Update::Ruled(version, heads(&assignment.rules)));
        Ok(())
    }
}

/// Readings keep their pace; those that were missed, while the process was stopped say, are skipped.
fn next_due(due: Instant, refresh: Duration) -> Instant {
    let now = Instant::now();
    let next = due + refresh;
    if next > now { next } else { now + refresh }
}
