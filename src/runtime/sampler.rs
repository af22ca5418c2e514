//! The thread that counts, and how the main thread talks to it: one that owns the kernel side, or one that plays a capture.
//!
//! Requests come in over a channel, snapshots and notices go out over another; each side is woken through a socket
//! that poll(2) can wait for.

mod links;
pub mod pace;
mod player;
mod playing;
mod source;
mod worker;

use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::panics;
use super::updates::Outlet;
use super::wake;
use crate::model::flow::FlowKey;
use crate::model::past::Travel;
use crate::model::privileges::Privileges;
use crate::model::rule::{Rule, SequenceProfile};
use crate::model::snapshot::Snapshot;
use crate::netns::Namespace;
use crate::probe::Options;
use crate::probe::interfaces::Selection;
use crate::probe::privileges::confine::Identity;
use crate::probe::survey::chain::SAMPLER;

pub use self::playing::Playback;
use self::playing::Playing;
pub use self::source::CaptureFile;
use self::worker::Worker;

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
    /// Readings in a throughput interval.
    pub refreshes: u32,
}

enum Request {
    Assign(Box<Assignment>),
    Focus(Vec<FlowKey>),
    ResetHistograms,
    Reset,
    Recycle(Box<Snapshot>),
    /// Through a capture.
    Travel(Travel),
    Finish,
}

/// What comes in is no capture that can be read. Its text names what was tried.
#[derive(Debug)]
pub struct BadCapture(pub String);

impl fmt::Display for BadCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadCapture {}

/// What is counted.
pub enum Work {
    /// The packets of interfaces, in this namespace if one is given.
    Live(Option<Namespace>),
    /// Those of a capture.
    Capture(Playback),
}

/// What the thread does.
trait Counts {
    /// Gives up all rights that it needs no more.
    fn confine(&self, identity: Option<Identity>) -> Result<Privileges>;
    /// When it began to count, by the clock of all arrivals, ns.
    fn began_ns(&self) -> u64;
    /// Counts until it is to finish. Returns the last numbers.
    fn run(self) -> Snapshot;
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
    /// Counts on a thread of its own; returns when packets are counted and the thread has given up all rights that it needs
    /// no more.
    pub fn start(
        work: Work,
        assignment: Assignment,
        options: Options,
        identity: Option<Identity>,
        outlet: Outlet,
    ) -> Result<Sampler> {
        let (requests, receiver, woken) = Requests::new().context("make a socket pair")?;
        match work {
            Work::Live(namespace) => Sampler::spawn(SAMPLER, requests, identity, move || {
                Worker::make(assignment, options, namespace, outlet, receiver, woken)
            }),
            Work::Capture(playback) => Sampler::spawn("capture", requests, identity, move || {
                Playing::make(playback, assignment, &options, outlet, receiver, woken)
            }),
        }
    }

    fn spawn<W: Counts>(
        name: &str,
        requests: Requests,
        identity: Option<Identity>,
        make: impl FnOnce() -> Result<W> + Send + 'static,
    ) -> Result<Sampler> {
        let (ready, started) = channel();
        let work = move || {
            let confined = make().and_then(|worker| Ok((worker.confine(identity)?, worker)));
            match confined {
                Ok((privileges, worker)) => {
                    panics::counts(true);
                    let began = (worker.began_ns(), Instant::now());
                    let _ = ready.send(Ok((privileges, began)));
                    panics::panic_if_asked("sampler, early");
                    let last = worker.run();
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
            .name(name.into())
            .spawn(|| panics::end_when_unwound(work))
            .context("start the thread that counts")?;
        let (privileges, (began_ns, began)) = started
            .recv()
            .map_err(|_| anyhow!("the thread that counts ended at once"))??;
        Ok(Sampler {
            privileges,
            began_ns,
            began,
            recycler: Recycler(requests.sender.clone()),
            requests,
            thread: Some(thread),
        })
    }

    /// Puts another assignment in force; answered by `Update::Assigned` or `Update::Unassigned`.
    pub fn assign(&self, assignment: Assignment) {
        self.requests.send(Request::Assign(Box::new(assignment)));
    }

    /// These flows keep histograms from here on, besides those whose rules say so; each reading has them.
    pub fn focus(&self, keys: Vec<FlowKey>) {
        self.requests.send(Request::Focus(keys));
    }

    /// Reads once more, and begins histograms anew; answered by `Update::Zero`.
    pub fn reset(&self) {
        self.requests.send(Request::Reset);
    }

    /// All histograms begin anew.
    pub fn reset_histograms(&self) {
        self.requests.send(Request::ResetHistograms);
    }

    /// Gives back a snapshot for its memory. Only a thread that waits for that is woken: who plays a capture.
    pub fn recycle(&self, snapshot: Box<Snapshot>) {
        match snapshot.capture.is_some() {
            true => self.requests.send(Request::Recycle(snapshot)),
            false => self.recycler.recycle(snapshot),
        }
    }

    /// Holds a capture, lets it go on, or changes how fast it is played.
    pub fn travel(&self, travel: Travel) {
        self.requests.send(Request::Travel(travel));
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

#[cfg(test)]
impl Recycler {
    /// Nobody waits for what it gives back.
    pub fn to_nobody() -> Recycler {
        Recycler(channel().0)
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
        let (wake, woken) = wake::pair()?;
        Ok((Requests { sender, wake }, receiver, woken))
    }

    fn send(&self, request: Request) {
        let _ = self.sender.send(request);
        wake::wake(&self.wake);
    }
}

/// The names, and whether their flows keep histograms.
fn heads(rules: &[Rule]) -> Vec<(Arc<str>, bool)> {
    let head = |rule: &Rule| (Arc::from(rule.name.as_str()), rule.histogram);
    rules.iter().map(head).collect()
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
