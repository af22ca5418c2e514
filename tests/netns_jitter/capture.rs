//! tcpdump on the same interface: its time stamps are the reference.

use std::collections::BTreeMap;

use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::tcpdump::{self, Tcpdump};

/// Destination port of UDP over IPv4 without options.
const PORT: usize = 14 + 20 + 2;

/// A capture of UDP packets under way.
pub struct Capture {
    tcpdump: Tcpdump,
    packets: u64,
}

/// Arrivals, ns since the epoch, by destination port.
pub type Arrivals = BTreeMap<u16, Vec<u64>>;

impl Capture {
    /// Returns when tcpdump listens. So many packets are to come.
    pub fn start(pair: &Pair, packets: u64) -> Capture {
        let tcpdump = Tcpdump::start(&pair.receiver, RECEIVER_LINK, &["-s", "64", "udp"]);
        Capture { tcpdump, packets }
    }

    /// Waits for its end.
    pub fn arrivals(self) -> Arrivals {
        let file = self.tcpdump.file_of(self.packets);
        let mut arrivals = Arrivals::new();
        for (moment, packet) in tcpdump::records(&file) {
            let port = u16::from_be_bytes([packet[PORT], packet[PORT + 1]]);
            arrivals.entry(port).or_default().push(moment);
        }
        arrivals
    }
}
