//! The export of flow records: a thread of its own has the readings once the main thread has counted them.

mod link;
mod session;
mod tally;
mod worker;

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

use super::confined::start_confined;
use super::rights;
use super::sampler::Sampler;
use super::updates::Outlet;
use super::wake;
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::export::ipfix::Exporter;
use crate::model::ipfix::{ExportCounts, Ipfix, Transport};
use crate::model::privileges::Privileges;
use crate::model::snapshot::Snapshot;
use crate::model::units;
use crate::probe::privileges::confine::Identity;

use link::{Datagrams, Link, Stream};
use session::Session;
use tally::Tally;
use worker::{Order, Worker};

/// What can fail before anything is shown, done: the collector's address is known, and a socket open where that is all it
/// takes.
pub struct Prepared {
    settings: Ipfix,
    link: Link,
}

impl Prepared {
    /// As the configuration says, if it does.
    pub fn of(config: &Config) -> Result<Option<Prepared>, Failure> {
        let Some(settings) = &config.ipfix else {
            return Ok(None);
        };
        let collector = &settings.collector;
        let failed = |error: std::io::Error| {
            let text = format!(
                "ipfix: reach {collector}: {error} (name another collector, or its address)"
            );
            Failure::new(Exit::Failed, text)
        };
        let found = (collector.host.as_str(), collector.port).to_socket_addrs();
        let addresses: Vec<SocketAddr> = found.map_err(failed)?.collect();
        let link = match collector.transport {
            Transport::Udp => Link::Datagrams(Datagrams::open(&addresses).map_err(failed)?),
            Transport::Tcp => Link::Stream(Stream::to(addresses)),
        };
        let settings = settings.clone();
        Ok(Some(Prepared { settings, link }))
    }
}

/// The running export.
pub struct Export {
    /// What its thread may still do.
    pub privileges: Privileges,
    orders: Sender<Order>,
    wake: UnixStream,
    tally: Arc<Tally>,
    thread: Option<JoinHandle<()>>,
}

impl Export {
    /// Starts the thread, which keeps what it needs for the collector and nothing else.
    pub fn start(
        prepared: Prepared,
        sampler: &Sampler,
        identity: Option<Identity>,
        outlet: &Outlet,
    ) -> Result<Export> {
        let Prepared { settings, link } = prepared;
        let (orders, receiver) = channel();
        let (wake, woken) = wake::pair().context("make a socket pair")?;
        let tally = Arc::new(Tally::default());
        let keeps = rights::of_ipfix(identity, &settings.collector);
        let worker = Worker {
            exporter: Exporter::new(&settings, sampler.began_ns),
            settings,
            link,
            orders: receiver,
            wake: woken,
            outlet: outlet.try_clone()?,
            recycler: sampler.recycler.clone(),
            began: (sampler.began_ns, sampler.began),
            tally: tally.clone(),
            session: Session::default(),
        };
        let (thread, privileges) =
            start_confined("ipfix", keeps, |_| Ok(worker), |worker| worker.run())?;
        Ok(Export {
            privileges,
            orders,
            wake,
            tally,
            thread: Some(thread),
        })
    }

    /// Hands over a reading; its memory goes back to the sampler from there.
    pub fn observe(&self, snapshot: Box<Snapshot>, flow_timeout: Duration) {
        self.send(Order::Observe(snapshot, flow_timeout.as_nanos() as u64));
    }

    /// Rules of this version are in force; later readings refer to them.
    pub fn set_rules(&self, version: u8, names: Vec<Arc<str>>) {
        self.send(Order::Ruled(version, names));
    }

    /// Says that there was the last reading: what is left is sent, as long as somebody takes it.
    pub fn begin_end(&self) {
        self.send(Order::Finish);
    }

    /// What is left is not sent any more.
    pub fn give_up(&self) {
        self.send(Order::GiveUp);
    }

    /// Whether all is sent, or given up.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the end. Returns what could not be sent, in words.
    pub fn finish(&mut self) -> Option<String> {
        let _ = self.thread.take()?.join();
        let counts = self.counts();
        (counts.records_lost > 0).then(|| {
            format!(
                "ipfix: {} records of {} packets could not be sent",
                units::exact(counts.records_lost),
                units::exact(counts.packets_lost)
            )
        })
    }

    /// How it went so far.
    pub fn counts(&self) -> ExportCounts {
        self.tally.get()
    }

    fn send(&self, order: Order) {
        // If the thread has ended, so will the run.
        let _ = self.orders.send(order);
        wake::wake(&self.wake);
    }
}

/// Hangs up when the thread ends.
impl AsFd for Export {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}
