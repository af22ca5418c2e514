//! Reads captures: packets with their times out of pcap and pcapng files and streams, compressed or not.
//!
//! Knows nothing of flows and opens no file: bytes come in from a reader, packets go out one at a time. What a file says of itself
//! is not believed: no length in it decides how much memory is taken.

mod blocks;
mod compressed;
mod input;
mod interfaces;
pub mod link;
mod pcap;
mod pcapng;
mod resolution;
pub mod timeline;

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;

use self::input::Input;
use self::interfaces::Interfaces;
use self::link::Start;
use self::pcap::Pcap;
use self::pcapng::PcapNg;

/// Packets that are longer are not believed; the longest that libpcap keeps.
const LONGEST_KEPT: u32 = 262_144;

/// Where a packet or a number of drops belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// As the file calls it, without what is no UTF-8; `if0` and on where it does not.
    pub name: String,
    /// A number of the list of link types.
    pub link_type: u16,
}

/// A packet. Its bytes are those of [`Capture::bytes`].
#[derive(Debug, Clone)]
pub struct Packet {
    /// Index of [`Capture::interfaces`].
    pub interface: usize,
    /// When it came, ns since 1970; `None`: not said.
    pub time_ns: Option<u64>,
    /// Bytes that it had from `start` on.
    pub length: u32,
    /// What it starts with.
    pub start: Start,
    /// Where those that were kept are in the input: `length` at most.
    at: Range<usize>,
}

/// What comes next in a capture.
#[derive(Debug)]
pub enum Item {
    /// An interface that was not there before, by its index in [`Capture::interfaces`].
    Described(usize),
    /// A packet.
    Packet(Packet),
    /// What the capturer dropped on an interface so far.
    Dropped {
        /// Index of [`Capture::interfaces`].
        interface: usize,
        /// Packets.
        packets: u64,
    },
    /// A packet of an interface that is not described.
    Unplaced,
}

/// Why a capture goes no further. All that came before is right.
#[derive(Debug)]
pub enum Fault {
    /// It cannot be read.
    Read(io::Error),
    /// It ends within a packet.
    CutOff,
    /// What is there cannot be.
    Damaged(String),
    /// It is no capture, or none that can be read.
    Unknown(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Read(error) => write!(f, "{error}"),
            Fault::CutOff => write!(f, "it ends within a packet"),
            Fault::Damaged(what) => write!(f, "it is damaged: {what}"),
            Fault::Unknown(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::CutOff,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Fault::Damaged(error.to_string())
            }
            _ => Fault::Read(error),
        }
    }
}

enum Format {
    Pcap(Pcap),
    PcapNg(Box<PcapNg>),
}

/// A capture that is being read.
pub struct Capture {
    input: Input,
    interfaces: Interfaces,
    format: Format,
}

impl Capture {
    /// Finds out what it is, by its first bytes.
    pub fn open(reader: impl Read + 'static) -> Result<Capture, Fault> {
        let mut input = compressed::plain(Input::new(Box::new(reader)))?;
        let mut interfaces = Interfaces::default();
        if !input.has(4)? {
            return Err(Fault::Unknown("it is too short for a capture".to_owned()));
        }
        let format = match pcap::magic(&input) {
            Some(magic) => Format::Pcap(Pcap::open(magic, &mut input, &mut interfaces)?),
            None if pcapng::begins(&input) => Format::PcapNg(Box::default()),
            None => {
                let text =
                    "it is neither pcap nor pcapng, nor either of them compressed by gzip or zstd";
                return Err(Fault::Unknown(text.to_owned()));
            }
        };
        Ok(Capture {
            input,
            interfaces,
            format,
        })
    }

    /// The interfaces that were described so far; there may be more to come. Those of equal name and link type are one.
    pub fn interfaces(&self) -> &[Interface] {
        self.interfaces.all()
    }

    /// Which part is used up of the bytes that were read, as they were before they were compressed.
    pub fn used(&self) -> f64 {
        self.input.used()
    }

    /// What was kept of a packet, as long as nothing was read behind it.
    #[inline]
    pub fn bytes(&self, packet: &Packet) -> &[u8] {
        self.input.within(packet.at.clone())
    }

    /// Whether the next item is a packet that can be had without reading: what was kept of others stays.
    #[inline]
    pub fn has_packet_at_hand(&self) -> bool {
        match &self.format {
            Format::Pcap(pcap) => pcap.has_packet_at_hand(&self.input),
            Format::PcapNg(pcapng) => pcapng.has_packet_at_hand(&self.input),
        }
    }

    /// What comes next; `None` at the end.
    #[inline]
    pub fn next_item(&mut self) -> Result<Option<Item>, Fault> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.next_item(&mut self.input),
            Format::PcapNg(pcapng) => pcapng.next_item(&mut self.input, &mut self.interfaces),
        }
    }
}
