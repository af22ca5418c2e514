//! The older format: a header, then packets of one interface.

use super::input::Input;
use super::interfaces::Interfaces;
use super::link::Framing;
use super::{Fault, Item, LONGEST_KEPT, Packet};

/// Bytes of the file's header.
const HEADER: usize = 24;

/// What the first bytes say.
#[derive(Debug, Clone, Copy)]
pub struct Magic {
    is_big_endian: bool,
    /// ns in a unit of the time stamps' fractions.
    unit_ns: u64,
    /// Bytes of a packet's header.
    record: usize,
}

/// A file of this format.
#[derive(Debug)]
pub struct Pcap {
    magic: Magic,
    interface: usize,
    framing: Framing,
    is_described: bool,
    /// Packets so far.
    packets: u64,
}

/// Whether the input begins with a magic number of this format.
pub fn magic(input: &Input) -> Option<Magic> {
    let bytes = *input.front(4).first_chunk()?;
    let told = |number, is_big_endian| {
        let (unit_ns, record) = match number {
            0xa1b2_c3d4 => (1000, 16),
            0xa1b2_3c4d => (1, 16),
            // With an interface's index, a protocol and a packet's type behind each header.
            0xa1b2_cd34 => (1000, 24),
            _ => return None,
        };
        Some(Magic {
            is_big_endian,
            unit_ns,
            record,
        })
    };
    told(u32::from_le_bytes(bytes), false).or_else(|| told(u32::from_be_bytes(bytes), true))
}

impl Magic {
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let word = bytes[at..].first_chunk().copied().unwrap_or_default();
        match self.is_big_endian {
            true => u32::from_be_bytes(word),
            false => u32::from_le_bytes(word),
        }
    }
}

impl Pcap {
    /// Reads the header, which begins with that number.
    pub fn open(
        magic: Magic,
        input: &mut Input,
        interfaces: &mut Interfaces,
    ) -> Result<Pcap, Fault> {
        if !input.has(HEADER)? {
            return Err(Fault::Unknown("it ends within its header".to_owned()));
        }
        let kind = magic.u32(input.take(HEADER), 20);
        // The upper bits: whether it is said how many pairs of bytes of a checksum are behind each frame.
        let checksum = if kind & 1 << 26 == 0 {
            0
        } else {
            2 * (kind >> 28)
        };
        let link_type = kind as u16;
        Ok(Pcap {
            magic,
            interface: interfaces.index_of("if0".to_owned(), link_type),
            framing: Framing::new(link_type, checksum),
            is_described: false,
            packets: 0,
        })
    }

    /// See [`Capture::next_item`](super::Capture::next_item).
    #[inline]
    pub fn next_item(&mut self, input: &mut Input) -> Result<Option<Item>, Fault> {
        if !std::mem::replace(&mut self.is_described, true) {
            return Ok(Some(Item::Described(self.interface)));
        }
        let magic = self.magic;
        if !input.has(magic.record)? {
            return match input.is_at_end()? {
                true => Ok(None),
                false => Err(Fault::CutOff),
            };
        }
        let header = input.front(magic.record);
        let [seconds, fraction, kept, length] = [0, 4, 8, 12].map(|at| magic.u32(header, at));
        if kept > LONGEST_KEPT {
            return Err(Fault::Damaged(format!(
                "{kept} bytes of packet {}",
                self.packets + 1
            )));
        }
        let whole = magic.record + kept as usize;
        if !input.has(whole)? {
            return Err(Fault::CutOff);
        }
        self.packets += 1;
        let first = input.position() + magic.record;
        let bytes = &mut input.take(whole)[magic.record..];
        let inside = self.framing.look(bytes, length);
        Ok(Some(Item::Packet(Packet {
            interface: self.interface,
            time_ns: Some(u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * magic.unit_ns),
            length: inside.length,
            start: inside.start,
            at: first + inside.begin..first + inside.end,
        })))
    }

    /// See [`Capture::has_packet_at_hand`](super::Capture::has_packet_at_hand).
    #[inline]
    pub fn has_packet_at_hand(&self, input: &Input) -> bool {
        let header = input.front(self.magic.record);
        if header.len() < self.magic.record {
            return false;
        }
        let kept = self.magic.u32(header, 8);
        kept <= LONGEST_KEPT && input.holds(self.magic.record + kept as usize)
    }
}
