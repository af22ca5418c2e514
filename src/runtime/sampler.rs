//! The thread that owns the kernel side: attaches to interfaces and reads at a steady pace.
//!
//! Requests come in over a channel, snapshots and notices go out over another; each side is woken through a socket
//! that poll(2) can wait for.

mod links;

use std::collections::{BTreeSet, VecDeque};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::panics;
use super::updates::{Outlet, Update};
use crate::model::flow::FlowKey;
use crate::model::privileges::Privileges;
use crate::model::rule::{Rule, SequenceProfile};
use crate::model::snapshot::Snapshot;
use crate::netns::Namespace;
use crate::probe::interfaces::{Link, LinkMonitor, Selection};
use crate::probe::privileges::confine::{Duty, Identity, Keeps, confine};
use crate::probe::survey::chain::SAMPLER;
use crate::probe::{Options, Probe, privileges};

/// Readings that wait for the main thread at most.
const MOST_UNREAD: usize = 4;

/// What the sampler needs to know, at start and whenever it changes.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The number of the configuration that it comes from.
    pub number: u64,
    /// Interfaces to watch.
    pub selection: Selection,
    /// Which packets are flows.
    pub rules: Vec<Rule>,
    /// Where sequence numbers are, unless a rule says otherwise.
    pub sequence: SequenceProfile,
    /// An idle flow leaves after this.
    pub flow_timeout: Duration,
    /// Time between two readings.
    pub refresh: Duration,
}

enum Request {
    Assign(Box<Assignment>),
    Focus(Vec<FlowKey>),
    ResetHistograms,
    Recycle(Box<Snapshot>),
    Finish,
}

/// The running sampler.
#[derive(Debug)]
pub struct Sampler {
    /// What its thread may still do.
    pub privileges: Privileges,
    /// When it began to count, by the clock of all arrivals, ns.
    pub began_ns: u64,
    /// The same moment by this process's clock.
    pub began: Instant,
    /// The way to give back snapshots.
    pub recycler: Recycler,
    requests: Requests,
    thread: Option<JoinHandle<Option<Snapshot>>>,
}

impl Sampler {
    /// Loads and attaches on a thread of its own, in `namespace` if one is given; returns when packets are counted
    /// and the thread has given up all rights that it needs no more.
    pub fn start(
        assignment: Assignment,
        options: Options,
        namespace: Option<Namespace>,
        identity: Option<Identity>,
        outlet: Outlet,
    ) -> Result<Sampler> {
        let (requests, receiver, woken) = Requests::new().context("make a socket pair")?;
        let (ready, started) = channel();
        let work = move || {
            let made = Worker::make(assignment, options, namespace, outlet, receiver, woken);
            let confined = made.and_then(|worker| Ok((worker.confine(identity)?, worker)));
            match confined {
                Ok((privileges, mut worker)) => {
                    panics::counts(true);
                    let began = (worker.probe.now_ns(), Instant::now());
                    let _ = ready.send(Ok((privileges, began)));
                    panics::panic_if_asked("sampler, early");
                    let last = worker.run();
                    drop(worker);
                    panics::counts(false);
                    Some(last)
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                    None
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name(SAMPLER.into())
            .spawn(|| panics::end_when_unwound(work))
            .context("start the sampler's thread")?;
        let (privileges, (began_ns, began)) = started
            .recv()
            .map_err(|_| anyhow!("the sampler's thread ended at once"))??;
        Ok(Sampler {
            privileges,
            began_ns,
            began,
            recycler: Recycler(requests.sender.clone()),
            requests,
            thread: Some(thread),
        })
    }

    /// Puts another assignment in force; answered by [`Update::Assigned`] or [`Update::Unassigned`].
    pub fn assign(&self, assignment: Assignment) {
        self.requests.send(Request::Assign(Box::new(assignment)));
    }

    /// These flows keep histograms from here on, besides those whose rules say so; each reading has them.
    pub fn focus(&self, keys: Vec<FlowKey>) {
        self.requests.send(Request::Focus(keys));
    }

    /// All histograms begin anew.
    pub fn reset_histograms(&self) {
        self.requests.send(Request::ResetHistograms);
    }

    /// Stops counting and returns the last numbers.
    pub fn finish(&mut self) -> Option<Snapshot> {
        self.requests.send(Request::Finish);
        self.thread.take()?.join().ok().flatten()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Gives back snapshots for their memory.
#[derive(Debug, Clone)]
pub struct Recycler(Sender<Request>);

impl Recycler {
    /// The thread is not woken for it.
    pub fn recycle(&self, snapshot: Box<Snapshot>) {
        let _ = self.0.send(Request::Recycle(snapshot));
    }
}

/// The way to the sampler's thread.
#[derive(Debug)]
struct Requests {
    sender: Sender<Request>,
    wake: UnixStream,
}

impl Requests {
    /// With the thread's ends: where requests arrive, and what it waits for.
    fn new() -> std::io::Result<(Requests, Receiver<Request>, UnixStream)> {
        let (sender, receiver) = channel();
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok((Requests { sender, wake }, receiver, woken))
    }

    fn send(&self, request: Request) {
        let _ = self.sender.send(request);
        // Full: it will be woken anyway.
        let _ = (&self.wake).write(&[0]);
    }
}

struct Worker {
    probe: Probe,
    monitor: LinkMonitor,
    assignment: Assignment,
    outlet: Outlet,
    requests: Receiver<Request>,
    wake: UnixStream,
    /// Links that have a name which the selection asks for, or had it once.
    named: BTreeSet<u32>,
    /// Links that could not be attached to, and are not tried again while they stay as they are.
    refused: Vec<u32>,
    /// Links to attach to or to let go of, one at a time: the kernel waits for a grace period with each, and readings
    /// must not wait for hundreds of them.
    pending: VecDeque<Link>,
    /// Refresh periods since the latest reading.
    periods: u32,
    /// When the links are listed again, whether there was news of them or not.
    list_due: Instant,
}

impl Worker {
    fn make(
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
            pending: VecDeque::new(),
            periods: 0,
            list_due: Instant::now() + links::LIST_EVERY,
        };
        worker.remember_named(&links);
        worker.say_missing(&links);
        for link in &links {
            if worker.assignment.selection.wants(link) {
                let attached = worker.try_attach(link);
                attached.with_context(|| format!("attach to {}", link.display_name))?;
            }
        }
        Ok(worker)
    }

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

    fn run(&mut self) -> Snapshot {
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
                    Request::Recycle(snapshot) => self.probe.recycle(*snapshot),
                    Request::Assign(assignment) => {
                        let began = Instant::now();
                        self.reassign(*assignment);
                        due = began + self.assignment.refresh;
                    }
                }
            }
            if self.monitor.changed().unwrap_or(true) || Instant::now() >= self.list_due {
                self.update_links();
            }
            self.settle_next();
            if Instant::now() >= due {
                self.reattach();
                self.read_when_due();
                panics::panic_if_asked("sampler");
                due = next_due(due, self.assignment.refresh);
            }
        }
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
        if !snapshot.forgotten.is_empty() {
            // There is room for others now.
            self.refused.clear();
        }
        self.outlet.send(Update::Snapshot { snapshot, periods });
    }

    fn wait_until(&mut self, due: Instant) {
        let left = due.saturating_duration_since(Instant::now());
        // Rounded up: a wait that ends too early would be a loop of empty waits.
        let timeout =
            PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        let mut fds = [
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.monitor.as_fd(), PollFlags::POLLIN),
        ];
        // Interrupted: the loop looks at everything anyway.
        let _ = poll(&mut fds, timeout);
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(n) if n > 0) {}
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

/// The names, and whether their flows keep histograms.
fn heads(rules: &[Rule]) -> Vec<(Arc<str>, bool)> {
    let head = |rule: &Rule| (Arc::from(rule.name.as_str()), rule.histogram);
    rules.iter().map(head).collect()
}

/// Readings keep their pace; those that were missed, while the process was stopped say, are skipped.
fn next_due(due: Instant, refresh: Duration) -> Instant {
    let now = Instant::now();
    let next = due + refresh;
    if next > now { next } else { now + refresh }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it does while the kernel waits for a grace period, with the keys that somebody presses meanwhile.
    #[test]
    fn a_thread_that_handles_no_request_holds_up_nobody() {
        let (requests, receiver, _woken) = Requests::new().unwrap();
        let (done, is_done) = channel();
        std::thread::spawn(move || {
            (0..10_000).for_each(|_| requests.send(Request::Focus(Vec::new())));
            done.send(())
        });
        assert_eq!(is_done.recv_timeout(Duration::from_secs(30)), Ok(()));
        assert_eq!(receiver.try_iter().count(), 10_000);
    }
}
