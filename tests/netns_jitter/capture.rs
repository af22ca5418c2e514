//! tcpdump on both sides of the hook. A machine that is busy may stand still between a stamp and the hook: what flowtop
//! measured lies between the stamp that a packet got before it and the one that it got behind it, however far apart
//! these are.

use std::collections::BTreeMap;

use super::support;
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::tcpdump::{self, Direction, Tcpdump};
use flowtop::netns::{self, End};

/// Destination port of UDP over IPv4 without options.
const PORT: usize = 14 + 20 + 2;

/// What the receiver's link passes packets on to, and where they end.
const BEHIND: &str = "behind";
const END: &str = "end";

/// A capture of UDP packets under way.
pub struct Capture {
    before: Tcpdump,
    behind: Tcpdump,
    packets: u64,
}

/// When a packet came to the hook: not before the one and not after the other, ns since the epoch.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    pub from: u64,
    pub to: u64,
}

/// By destination port.
pub type Arrivals = BTreeMap<u16, Vec<Arrival>>;

impl Capture {
    /// Returns when tcpdump listens. So many packets are to come.
    pub fn start(pair: &Pair, packets: u64) -> Capture {
        pass_on(pair);
        let tcpdump =
            |link, direction| Tcpdump::start(&pair.receiver, link, direction, &["-s", "64", "udp"]);
        Capture {
            before: tcpdump(RECEIVER_LINK, Direction::In),
            behind: tcpdump(BEHIND, Direction::Out),
            packets,
        }
    }

    /// Waits for its end.
    pub fn arrivals(self) -> Arrivals {
        let [before, behind] = [self.before, self.behind].map(|side| side.file_of(self.packets));
        let mut arrivals = Arrivals::new();
        for ((from, packet), (to, same)) in tcpdump::records(&before).zip(tcpdump::records(&behind))
        {
            assert_eq!(packet, same, "the order is kept");
            assert!(from <= to, "{from} ns before the hook, {to} ns behind it");
            let port = u16::from_be_bytes([packet[PORT], packet[PORT + 1]]);
            arrivals.entry(port).or_default().push(Arrival { from, to });
        }
        arrivals
    }
}

/// Makes the receiver's link the port of a bridge, whose other port gets each packet right behind the hook: in the same
/// turn of the kernel, and with a stamp of its own.
fn pass_on(pair: &Pair) {
    let end = |name, last| End {
        namespace: &pair.receiver,
        name,
        hardware_address: [2, 0, 0, 0, 8, last],
    };
    let (behind, last) = (end(BEHIND, 1), end(END, 2));
    netns::join(&behind, &last).expect("make a veth pair");
    netns::set_up(&behind, &last).expect("set the links up");
    netns::wait_until_up(&pair.receiver, RECEIVER_LINK).expect("a link that comes up");
    netns::wait_until_up(&pair.receiver, BEHIND).expect("a link that comes up");
    // What is for a port's own address would stay here.
    for command in [
        "link set veth1 address 02:00:00:00:08:03",
        "link add bridge up type bridge mcast_snooping 0",
        "link set behind master bridge",
        "link set veth1 master bridge",
    ] {
        let words: Vec<_> = command.split(' ').collect();
        support::run(&pair.receiver, "ip", &words);
    }
}
