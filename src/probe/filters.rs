//! The filters on the ingress of an interface, everybody's, as rtnetlink tells them.
//!
//! Reading them needs no privilege. Knows nothing of which are ours.

use std::io;

use netlink_packet_core::{NlaBuffer, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcHandle, TcHeader, TcMessage};

use crate::netlink::Connection;

const RTM_NEWTFILTER: u16 = 44;
/// struct tcmsg.
const HEADER_BYTES: usize = 20;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_CHAIN: u16 = 11;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;
/// The protocol of a filter that gets every packet.
pub const ETH_P_ALL: u16 = 3;
/// TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS): of a clsact qdisc as well as of an ingress one.
const INGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0xfff2,
};

/// A filter in chain 0, where packets come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Lower ones have their turn earlier.
    pub priority: u16,
    /// Ethernet type of the packets that it gets.
    pub protocol: u16,
    /// `bpf`, `u32`, `flower` and the like.
    pub kind: String,
    /// Names it among those of its priority.
    pub handle: u32,
    /// What a BPF filter is called.
    pub name: Option<String>,
    /// Id of its BPF program.
    pub program: Option<u32>,
}

impl Filter {
    /// Whether it leaves room for other BPF filters of all protocols at its priority.
    pub fn is_bpf_for_all(&self) -> bool {
        self.kind == "bpf" && self.protocol == ETH_P_ALL
    }

    /// The name of its program, where libbpf attached it: it calls filters `name:[id]`.
    pub fn program_name(&self) -> Option<&str> {
        let (name, id) = self.name.as_ref()?.rsplit_once(":[")?;
        id.ends_with(']').then_some(name)
    }

    fn decode(payload: &[u8]) -> Option<Filter> {
        let header = TcHeader::parse(payload).ok()?;
        let mut filter = Filter {
            priority: (header.info >> 16) as u16,
            protocol: u16::from_be(header.info as u16),
            kind: String::new(),
            handle: header.handle.into(),
            name: None,
            program: None,
        };
        for attribute in NlasIterator::new(payload.get(HEADER_BYTES..)?).flatten() {
            match attribute.kind() {
                TCA_KIND => filter.kind = text(&attribute),
                TCA_OPTIONS => filter.read_options(attribute.value()),
                TCA_CHAIN if number(&attribute) != Some(0) => return None,
                _ => {}
            }
        }
        Some(filter)
    }

    /// The options of a BPF filter; those of others have other meanings.
    fn read_options(&mut self, options: &[u8]) {
        if self.kind != "bpf" {
            return;
        }
        for option in NlasIterator::new(options).flatten() {
            match option.kind() {
                TCA_BPF_NAME => self.name = Some(text(&option)),
                TCA_BPF_ID => self.program = number(&option),
                _ => {}
            }
        }
    }
}

fn text(attribute: &NlaBuffer<&[u8]>) -> String {
    let bytes = attribute.value();
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn number(attribute: &NlaBuffer<&[u8]>) -> Option<u32> {
    attribute
        .value()
        .first_chunk()
        .map(|bytes| u32::from_ne_bytes(*bytes))
}

fn message(ifindex: u32) -> TcMessage {
    let mut message = TcMessage::with_index(ifindex as i32);
    message.header.parent = INGRESS;
    message
}

/// All filters on the ingress of an interface of the calling thread's network namespace, in the kernel's order.
pub fn list(ifindex: u32) -> io::Result<Vec<Filter>> {
    let request = RouteNetlinkMessage::GetTrafficFilter(message(ifindex));
    Connection::open()?.dump(&request, |incoming| {
        (incoming.kind == RTM_NEWTFILTER)
            .then(|| Filter::decode(incoming.payload))
            .flatten()
    })
}

/// Takes one filter off, if it is still there.
pub fn remove(ifindex: u32, filter: &Filter) -> io::Result<()> {
    let mut message = message(ifindex);
    message.header.handle = filter.handle.into();
    message.header.info = u32::from(filter.priority) << 16 | u32::from(filter.protocol.to_be());
    let request = RouteNetlinkMessage::DelTrafficFilter(message);
    match Connection::open()?.change(request, 0) {
        // Somebody else was quicker.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
