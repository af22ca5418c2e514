//! Two namespaces and a veth pair: [`Pair::new`] for real programs, [`Pair::quiet`] for frames counted one by one.

use std::net::IpAddr;

use flowtop::netns::{self, End, Namespace};
use flowtop::probe::interfaces::{self, DeviceCounters, Link};

/// The link in the sending namespace.
pub const SENDER_LINK: &str = "veth0";
/// The link in the receiving namespace: the one to watch.
pub const RECEIVER_LINK: &str = "veth1";
/// Hardware address of the sender's link.
pub const SENDER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Hardware address of the receiver's link.
pub const RECEIVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The sender's IPv4 address.
pub const SENDER_V4: [u8; 4] = [10, 0, 0, 2];
/// The receiver's IPv4 address.
pub const RECEIVER_V4: [u8; 4] = [10, 0, 0, 1];
/// The sender's IPv6 address, fd00::2.
pub const SENDER_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
/// The receiver's IPv6 address, fd00::1.
pub const RECEIVER_V6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A veth pair between two namespaces. Both ends are up.
#[derive(Debug)]
pub struct Pair {
    /// The namespace that sends.
    pub sender: Namespace,
    /// The namespace that receives.
    pub receiver: Namespace,
}

impl Pair {
    /// A pair with IPv4 and IPv6 addresses that know each other: nobody has to ask for a hardware address.
    /// (The kernel still announces its IPv6 multicast groups, some ICMPv6 packets a second or two after the start.)
    pub fn new() -> Pair {
        let pair = Pair::joined();
        let (sender, receiver) = (pair.sender_end(), pair.receiver_end());
        netns::set_up(&sender, &receiver).expect("set the links up");
        give_addresses(&sender, &receiver);
        pair
    }

    /// A pair without addresses and without IPv6: nothing is on it but what a test sends.
    pub fn quiet() -> Pair {
        let pair = Pair::joined();
        for end in [pair.sender_end(), pair.receiver_end()] {
            let file = format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", end.name);
            let silence = || match std::fs::exists(&file)? {
                true => Ok(std::fs::write(&file, "1")?),
                false => Ok(()),
            };
            end.namespace.within(silence).expect("switch IPv6 off");
        }
        netns::set_up(&pair.sender_end(), &pair.receiver_end()).expect("set the links up");
        pair
    }

    fn joined() -> Pair {
        let pair = Pair {
            sender: Namespace::create().expect("make a namespace"),
            receiver: Namespace::create().expect("make a namespace"),
        };
        netns::join(&pair.sender_end(), &pair.receiver_end()).expect("make a veth pair");
        pair
    }

    /// The sending end.
    pub fn sender_end(&self) -> End<'_> {
        End {
            namespace: &self.sender,
            name: SENDER_LINK,
            hardware_address: SENDER_MAC,
        }
    }

    /// The receiving end.
    pub fn receiver_end(&self) -> End<'_> {
        End {
            namespace: &self.receiver,
            name: RECEIVER_LINK,
            hardware_address: RECEIVER_MAC,
        }
    }

    /// Index of the receiving link, in the receiver's namespace.
    pub fn receiver_ifindex(&self) -> u32 {
        self.receiver.ifindex(RECEIVER_LINK).expect("veth1")
    }

    /// The receiving link's own counters.
    pub fn received(&self) -> DeviceCounters {
        link(&self.receiver, RECEIVER_LINK)
            .counters
            .expect("counters")
    }
}

/// Gives a sending and a receiving end, with their hardware addresses, the addresses of both families.
pub fn give_addresses(sender: &End, receiver: &End) {
    let families: [(IpAddr, IpAddr, &str); 2] = [
        (SENDER_V4.into(), RECEIVER_V4.into(), "24"),
        (SENDER_V6.into(), RECEIVER_V6.into(), "64"),
    ];
    for (ours, theirs, prefix) in families {
        for (end, address, other, mac) in [
            (sender, ours, theirs, RECEIVER_MAC),
            (receiver, theirs, ours, SENDER_MAC),
        ] {
            let net = format!("{address}/{prefix}").parse().expect("an address");
            netns::add_address(end, net).expect("add an address");
            netns::add_neighbour(end, other, mac).expect("add a neighbour");
        }
    }
}

/// A link of a namespace, as rtnetlink tells it now.
pub fn link(namespace: &Namespace, name: &str) -> Link {
    namespace
        .within(|| Ok(interfaces::list()?))
        .expect("list links")
        .into_iter()
        .find(|link| link.name == *name)
        .unwrap_or_else(|| panic!("no link {name}"))
}
