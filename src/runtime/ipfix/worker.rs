//! The thread that makes messages of readings and sends them.
//!
//! It never waits for the collector but in poll(2): readings are taken in as ever. While the collector is away, flows that go on
//! have no records and lose nothing by it, as their next ones have it all; last records are kept, so many of them. So they are
//! while it takes records more slowly than flows end.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::link::{Change, Link, Sent};
use super::session::Session;
use super::tally::Tally;
use crate::export::ipfix::{Body, Content, Epoch, Exporter};
use crate::model::ipfix::{Ipfix, Transport};
use crate::model::snapshot::Snapshot;
use crate::model::units;
use crate::runtime::sampler::Recycler;
use crate::runtime::updates::{Outlet, Update};
use crate::runtime::wake;

/// Records of flows that are kept while nobody takes them; while somebody does, as many more as the table has slots, whose
/// flows may all end at once.
const MOST_KEPT: u32 = 65_536;
/// Templates go out again after this where nobody says whether they came (RFC 7011, section 8.1).
const INTRODUCE_EVERY: Duration = Duration::from_secs(30);
/// At the end nobody waits longer for a collector that takes nothing.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What the main thread has to say.
pub enum Order {
    /// A reading, and the time after which idle flows leave, ns.
    Observe(Box<Snapshot>, u64),
    /// Rules of this version are in force.
    Ruled(u8, Vec<Arc<str>>),
    /// There are no more readings: the run is over.
    Finish,
    /// What has not been sent is lost: somebody is in a hurry.
    GiveUp,
}

/// All that the thread has.
pub struct Worker {
    pub settings: Ipfix,
    pub exporter: Exporter,
    pub link: Link,
    pub orders: Receiver<Order>,
    pub wake: UnixStream,
    pub outlet: Outlet,
    pub recycler: Recycler,
    /// A moment by the clock of arrivals, ns, and by this process's.
    pub began: (u64, Instant),
    pub tally: Arc<Tally>,
    pub session: Session,
}

impl Worker {
    /// Works until the last record is sent, or nobody takes it.
    pub fn run(mut self) {
        let mut end: Option<Instant> = None;
        let mut is_told = false;
        loop {
            self.wait(end);
            while let Ok(order) = self.orders.try_recv() {
                match order {
                    Order::Finish => {
                        self.link.hurry();
                        end = Some(Instant::now() + LAST_WAIT);
                        self.exporter.begin_end();
                    }
                    Order::GiveUp => return self.give_up(),
                    Order::Ruled(version, names) => self.exporter.set_rules(version, names),
                    Order::Observe(snapshot, timeout_ns) => self.observe(snapshot, timeout_ns),
                }
            }
            if let Some(change) = self.link.advance() {
                self.note(change);
            }
            let before = self.session.counts.messages;
            let mut is_done = self.send_all();
            if end.is_some() && is_done && !is_told {
                // Behind all records of flows, which these count.
                is_told = true;
                self.exporter.push_options(&self.session.counts);
                self.keep();
                is_done = self.send_all();
            }
            self.session.counts.is_connected = self.link.is_open();
            self.tally.set(&self.session.counts);
            if self.session.counts.messages != before {
                end = end.map(|_| Instant::now() + LAST_WAIT);
            }
            if end.is_some_and(|end| is_done || Instant::now() >= end) {
                break;
            }
        }
        self.give_up();
    }

    fn wait(&mut self, end: Option<Instant>) {
        let session = &self.session;
        let has_more = !(session.queue.is_empty() && session.first.is_empty());
        let (link, mut longest) = self.link.waits_for(has_more);
        if let Some(end) = end {
            longest = longest.min(end.saturating_duration_since(Instant::now()));
        }
        let timeout = match longest {
            Duration::MAX => PollTimeout::NONE,
            longest => wake::timeout(longest),
        };
        let mut fds = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        fds.extend(link.map(|(fd, flags)| PollFd::new(fd, flags)));
        // Interrupted: the loop looks at everything anyway.
        let _ = poll(&mut fds, timeout);
        wake::drain(&self.wake);
    }

    fn observe(&mut self, snapshot: Box<Snapshot>, timeout_ns: u64) {
        if std::mem::take(&mut self.session.is_in_doubt) {
            self.session.known = None;
        }
        let epoch = self.epoch();
        self.exporter.observe(&snapshot, timeout_ns, epoch);
        if self.link.is_open() && self.exporter.is_due(snapshot.taken_ns) {
            self.exporter.begin_interval(&self.session.counts);
        }
        self.session.slots = snapshot.table.capacity.min(1 << 30) as u32;
        self.recycler.recycle(snapshot);
        self.exporter.close();
        self.keep();
    }

    /// Takes over what the exporter has made, and drops the oldest where there is too much of it.
    fn keep(&mut self) {
        let session = &mut self.session;
        while let Some(body) = self.exporter.take() {
            session.kept += body.content.flows;
            session.queue.push_back(body);
        }
        let (most, why) = match self.link.is_open() {
            true => (MOST_KEPT + session.slots, "takes records too slowly"),
            false => (MOST_KEPT, "is away"),
        };
        while session.kept > most
            && let Some(oldest) = session.queue.pop_front()
        {
            session.kept -= oldest.content.flows;
            session.lose(oldest.content);
            if !session.has_dropped {
                session.has_dropped = true;
                let most = units::exact(most.into());
                let text = format!(
                    "ipfix: {} {why}: more than {most} flows have ended meanwhile, and records are lost",
                    self.settings.collector
                );
                self.outlet.send(Update::Notice(text));
            }
        }
    }

    /// Sends as long as there is something to send and room for it. Returns whether nothing is left.
    fn send_all(&mut self) -> bool {
        loop {
            if self.session.begun.is_some() || !self.link.is_open() {
                return false;
            }
            if self.session.first.is_empty() && self.session.queue.is_empty() {
                self.exporter.make_ahead(self.epoch());
                self.keep();
                if self.session.queue.is_empty() {
                    return true;
                }
            }
            if !self.send_next() {
                return false;
            }
        }
    }

    /// Sends the next message. False: there is no room for it now.
    fn send_next(&mut self) -> bool {
        self.introduce();
        let session = &mut self.session;
        let Some((mut body, is_first)) = session.take_next() else {
            return true;
        };
        let at_s = since_1970().as_secs() as u32;
        let domain = self.settings.domain;
        let sequence = session.sequences[body.subject as usize];
        let message = body.message(sequence, at_s, domain);
        let mut sent = self.link.send(message);
        if let Sent::Failed(error) = &sent
            && error.kind() == ErrorKind::ConnectionRefused
            && self.settings.collector.transport == Transport::Udp
        {
            // That was of an earlier one.
            session.count_failure();
            let why = io::Error::from(ErrorKind::ConnectionRefused);
            sent = self.link.send(message);
            self.complain("send to", &why, "sending goes on");
        }
        let session = &mut self.session;
        match sent {
            Sent::Whole => session.count(&body),
            Sent::Begun => session.begun = Some(body),
            Sent::Later if is_first => {
                session.first.push_front(body);
                return false;
            }
            Sent::Later => {
                session.put_back(body);
                return false;
            }
            Sent::Failed(error) => return self.fail(body, is_first, &error),
        }
        true
    }

    /// A message could not be sent: of a stream the session is over, a datagram is lost.
    fn fail(&mut self, body: Body, is_first: bool, error: &io::Error) -> bool {
        if self.settings.collector.transport == Transport::Tcp {
            if !is_first {
                self.session.put_back(body);
            }
            self.disconnect(error);
            return false;
        }
        let session = &mut self.session;
        session.count_failure();
        session.lose(body.content);
        self.complain(
            "send to",
            error,
            "sending goes on, what cannot be sent is counted",
        );
        true
    }

    /// Sees to it that the collector is told what it does not know of the next records.
    fn introduce(&mut self) {
        let session = &mut self.session;
        if self.settings.collector.transport == Transport::Udp
            && let Some((_, told)) = session.known
            && told.elapsed() >= INTRODUCE_EVERY
        {
            session.known = None;
            let is_well = session.failed.is_none_or(|at| at < told);
            if session.has_complained && is_well {
                session.has_complained = false;
                let text = format!("ipfix: {}: no more trouble", self.settings.collector);
                self.outlet.send(Update::Notice(text));
            }
        }
        let templates = self.exporter.templates();
        let known = session.known.map(|(known, _)| known);
        if known == Some(templates) {
            return;
        }
        session.first.extend(self.exporter.introduction(known));
        let told = session.known.map_or_else(Instant::now, |(_, told)| told);
        session.known = Some((templates, told));
    }

    fn note(&mut self, change: Change) {
        match change {
            Change::Finished => {
                let session = &mut self.session;
                if let Some(body) = session.begun.take() {
                    session.count(&body);
                }
            }
            Change::Connected => {
                let session = &mut self.session;
                session.sequences = [0; 2];
                session.known = None;
                session.first.clear();
                session.has_dropped = false;
                if std::mem::take(&mut session.has_complained) {
                    let text = format!("ipfix: {}: connected", self.settings.collector);
                    self.outlet.send(Update::Notice(text));
                }
            }
            Change::Disconnected(error) => self.disconnect(&error),
        }
    }

    /// What a connection has taken a part of goes out as a whole in the next one.
    fn disconnect(&mut self, error: &io::Error) {
        let session = &mut self.session;
        // It was connected when it was looked at last.
        let what = match session.counts.is_connected {
            true => "send to",
            false => "connect to",
        };
        session.counts.failures += 1;
        if let Some(body) = session.begun.take()
            && body.content.flows > 0
        {
            session.put_back(body);
        }
        self.complain(what, error, "it is tried again, and records are kept");
    }

    /// Says it once.
    fn complain(&mut self, what: &str, error: &io::Error, goes_on: &str) {
        if !std::mem::replace(&mut self.session.has_complained, true) {
            let collector = &self.settings.collector;
            let text = format!("ipfix: {what} {collector}: {error} ({goes_on})");
            self.outlet.send(Update::Notice(text));
        }
    }

    /// Counts what is left as lost.
    fn give_up(&mut self) {
        let epoch = self.epoch();
        let Worker {
            session, exporter, ..
        } = self;
        let mut left: Vec<Content> = session.begun.iter().map(|body| body.content).collect();
        left.extend(session.queue.iter().map(|body| body.content));
        loop {
            let goes_on = exporter.make_ahead(epoch);
            left.extend(std::iter::from_fn(|| exporter.take()).map(|body| body.content));
            if !goes_on {
                break;
            }
        }
        left.into_iter().for_each(|content| session.lose(content));
        self.tally.set(&self.session.counts);
    }

    fn epoch(&self) -> Epoch {
        let (began_ns, began) = self.began;
        let now_ns = began_ns + began.elapsed().as_nanos() as u64;
        Epoch((since_1970().as_nanos() as u64).saturating_sub(now_ns))
    }
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
