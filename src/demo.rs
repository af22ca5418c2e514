//! `--demo`: two private network namespaces, a veth pair between them, and traffic of every kind.
//!
//! Everything hangs on descriptors of this process: the namespaces have no names, and the kernel removes them, the
//! pair and the traffic with the process, however it ends. A crash leaves nothing for the next start to clean up.
//! Knows nothing of BPF; the runtime attaches to [`INTERFACE`] inside [`Demo::namespace`], the receiving end.

mod ledger;
mod payload;
mod plan;
mod script;
mod sockets;
mod traffic;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use ipnet::IpNet;

use crate::model::flow::Protocol;
use crate::netns::{self, End, Namespace};

pub use ledger::LedgerEntry;
use ledger::Tally;
pub use plan::config;
use plan::{FLOWS, FlowKind, Row, STREAM_PORT};
use sockets::Builder;
pub use traffic::Work;
use traffic::{Drain, Running, Sender};

/// The watched interface: the receiving end of the pair, in [`Demo::namespace`].
pub const INTERFACE: &str = "demo0";
/// The sending end, in the other namespace.
const SENDING_INTERFACE: &str = "demo1";

const RECEIVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SENDER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Addresses for documentation (RFC 5737, RFC 3849), so that nobody takes them for their own.
const RECEIVER_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SENDER_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const RECEIVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
const SENDER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);

/// The demo: removed with everything in it when dropped.
#[derive(Debug)]
pub struct Demo {
    receiver: Namespace,
    sender: Namespace,
    flows: Vec<(LedgerEntry, Arc<Tally>)>,
    traffic: Option<Running>,
    waiting: Waiting,
}

/// The senders before they start.
struct Waiting(Vec<Box<dyn Sender>>);

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} senders", self.0.len())
    }
}

impl Demo {
    /// Builds everything that needs privileges (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW). Nothing is sent yet, so
    /// that flowtop can attach first and drop its privileges; then [`begin`](Demo::begin).
    pub fn prepare() -> Result<Demo> {
        let receiver = Namespace::create().context("build the demo")?;
        let sender = Namespace::create().context("build the demo")?;
        let v6 = join(&sender, &receiver).context("build the demo")?;
        let mut demo = Demo {
            receiver,
            sender,
            flows: Vec::new(),
            traffic: None,
            waiting: Waiting(Vec::new()),
        };
        demo.add_flows(v6).context("build the demo")?;
        Ok(demo)
    }

    /// Starts the traffic, in a thread with the privileges of the calling one. It needs none.
    pub fn begin(&mut self) -> Result<()> {
        self.begin_by(|name, work| Ok(thread::Builder::new().name(name.to_owned()).spawn(work)?))
    }

    /// Starts the traffic in a thread of this name that the caller makes. What it is to do needs no privilege, and of
    /// sockets only those that are open, and connected.
    pub fn begin_by(
        &mut self,
        start: impl FnOnce(&str, Work) -> Result<JoinHandle<()>>,
    ) -> Result<()> {
        let senders = std::mem::take(&mut self.waiting.0);
        if !senders.is_empty() {
            self.traffic =
                Some(Running::start(senders, start).context("start the demo's traffic")?);
        }
        Ok(())
    }

    /// [`prepare`](Demo::prepare) and [`begin`](Demo::begin).
    pub fn start() -> Result<Demo> {
        let mut demo = Demo::prepare()?;
        demo.begin()?;
        Ok(demo)
    }

    /// Ends the traffic for good; the namespaces and the watched interface stay, with their numbers.
    pub fn quiet(&mut self) {
        self.traffic = None;
        self.waiting.0.clear();
    }

    /// Removes everything. Dropping does the same.
    pub fn stop(self) {}

    /// The name of the watched interface.
    pub fn interface(&self) -> &'static str {
        INTERFACE
    }

    /// The namespace of the watched interface: a thread that loads and attaches has to
    /// [`enter`](Namespace::enter) it first.
    pub fn namespace(&self) -> &Namespace {
        &self.receiver
    }

    /// A config.json with a named rule for each kind of flow, which says where its sequence number is.
    pub fn config(&self) -> String {
        plan::config()
    }

    /// What the senders have sent so far: an entry for each flow.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.flows
            .iter()
            .map(|(entry, tally)| tally.fill(entry.clone()))
            .collect()
    }

    fn add_flows(&mut self, v6: bool) -> Result<()> {
        let mut arriving = Vec::new();
        for row in FLOWS.iter().filter(|row| v6 || !row.v6) {
            let entry = entry(row);
            let tally = Arc::new(Tally::default());
            let mut builder = Builder {
                sender: &self.sender,
                receiver: &self.receiver,
                entry: &entry,
                tally: Arc::clone(&tally),
                arriving: &mut arriving,
            };
            let sender = builder
                .build(row.kind)
                .with_context(|| format!("open the sockets of {}", row.name))?;
            self.waiting.0.push(sender);
            self.flows.push((entry, tally));
        }
        self.waiting.0.push(Box::new(Drain::new(arriving)));
        Ok(())
    }
}

/// Makes the pair, and says whether it has IPv6.
fn join(sender: &Namespace, receiver: &Namespace) -> Result<bool> {
    let far = End {
        namespace: sender,
        name: SENDING_INTERFACE,
        hardware_address: SENDER_MAC,
    };
    let near = End {
        namespace: receiver,
        name: INTERFACE,
        hardware_address: RECEIVER_MAC,
    };
    netns::join(&far, &near)?;
    netns::set_up(&far, &near)?;
    let v6 = netns::has_ipv6(&far)? && netns::has_ipv6(&near)?;
    for (end, v4, address) in [
        (&far, SENDER_V4, SENDER_V6),
        (&near, RECEIVER_V4, RECEIVER_V6),
    ] {
        netns::add_address(end, IpNet::new(v4.into(), 24)?)?;
        if v6 {
            netns::add_address(end, IpNet::new(address.into(), 64)?)?;
        }
    }
    Ok(v6)
}

/// The first page of a flow's book.
fn entry(row: &Row) -> LedgerEntry {
    let (protocol, source_port, destination_port) = match (row.kind, row.v6) {
        (FlowKind::Datagrams { port, .. }, _) => (Protocol::Udp, port + 35000, port),
        (FlowKind::Stream { port, .. }, _) => (Protocol::Tcp, STREAM_PORT, port),
        (FlowKind::Echo { identifier, .. }, false) => {
            (Protocol::Icmp, identifier, u16::from(payload::ECHO_V4) << 8)
        }
        (FlowKind::Echo { identifier, .. }, true) => {
            let destination = u16::from(payload::ECHO_V6) << 8;
            (Protocol::Icmpv6, identifier, destination)
        }
    };
    let (source, destination): (IpAddr, IpAddr) = match row.v6 {
        false => (SENDER_V4.into(), RECEIVER_V4.into()),
        true => (SENDER_V6.into(), RECEIVER_V6.into()),
    };
    LedgerEntry {
        name: row.name,
        rule: row.rule,
        protocol,
        source,
        destination,
        source_port,
        destination_port,
        packets: (protocol != Protocol::Tcp).then_some(0),
        payload_bytes: 0,
        skipped: 0,
        gaps: 0,
        duplicates: 0,
        reordered: 0,
        refused: 0,
    }
}
