//! The newer format: sections of blocks, with several interfaces, each with its own link type and clock.

use super::blocks::Body;
use super::input::Input;
use super::interfaces::Interfaces;
use super::link::Framing;
use super::resolution::Resolution;
use super::{Fault, Item, LONGEST_KEPT, Packet};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// Obsolete, and still found.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Bytes in front of a block's body, and behind it.
const HEAD: usize = 8;
const TAIL: usize = 4;
/// A block that is looked into: the longest packet, and room for its fields and options.
const LONGEST: u32 = LONGEST_KEPT + (1 << 19);
/// Interfaces of a section.
const MOST_INTERFACES: usize = 65_536;
/// Bytes of an interface's name that are taken.
const LONGEST_NAME: usize = 255;

/// Options of interfaces and of their statistics.
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const IF_TSOFFSET: u16 = 14;
const ISB_IFDROP: u16 = 5;
const ISB_OSDROP: u16 = 7;
/// An option of packets.
const FLAGS: u16 = 2;

/// An interface of the section.
#[derive(Debug, Clone, Copy)]
struct Local {
    /// Among all interfaces of the file.
    index: usize,
    framing: Framing,
    resolution: Resolution,
    /// Bytes that are kept of a packet at most; 0: all.
    snap_length: u32,
    /// Packets that were dropped, as its latest statistics say.
    drops: u64,
}

/// A file of this format.
#[derive(Debug, Default)]
pub struct PcapNg {
    is_big_endian: bool,
    interfaces: Vec<Local>,
    /// Packets that were dropped on each interface of the file, in all sections.
    drops: Vec<u64>,
    /// Blocks so far.
    blocks: u64,
}

/// Whether the input begins with a section.
pub fn begins(input: &Input) -> bool {
    input.front(4) == SECTION.to_le_bytes()
}

/// Where a packet is in a block's body.
struct Fields {
    interface: usize,
    stamp: Option<u64>,
    kept: u32,
    length: u32,
    offset: usize,
}

impl PcapNg {
    /// See [`Capture::next_item`](super::Capture::next_item).
    pub fn next_item(
        &mut self,
        input: &mut Input,
        interfaces: &mut Interfaces,
    ) -> Result<Option<Item>, Fault> {
        loop {
            let Some((kind, length)) = self.begin_block(input)? else {
                return Ok(None);
            };
            let is_known = matches!(
                kind,
                SECTION | INTERFACE | PACKET | SIMPLE_PACKET | STATISTICS | ENHANCED_PACKET
            );
            if !is_known {
                self.pass_over(length, input)?;
                continue;
            }
            if length > LONGEST {
                return Err(self.damaged(&format!("{length} bytes")));
            }
            if !input.has(length as usize)? {
                return Err(Fault::CutOff);
            }
            let first = input.position();
            let block = input.take(length as usize);
            self.check_end(length, &block[length as usize - TAIL..])?;
            if matches!(kind, ENHANCED_PACKET | PACKET | SIMPLE_PACKET) {
                return self.packet(kind, block, first).map(Some);
            }
            let body = Body::new(&block[HEAD..block.len() - TAIL], self.is_big_endian);
            match kind {
                SECTION => self.interfaces.clear(),
                INTERFACE => {
                    if let Some(index) = self.describe(body, interfaces)? {
                        return Ok(Some(Item::Described(index)));
                    }
                }
                _ => {
                    if let Some((interface, packets)) = self.drops(body) {
                        return Ok(Some(Item::Dropped { interface, packets }));
                    }
                }
            }
        }
    }

    /// The type and the length of the next block; `None` at the end. The head of a section says the byte order.
    fn begin_block(&mut self, input: &mut Input) -> Result<Option<(u32, u32)>, Fault> {
        if !input.has(HEAD + TAIL)? {
            return match input.is_at_end()? {
                true => Ok(None),
                false => Err(Fault::CutOff),
            };
        }
        let head = input.front(HEAD + TAIL);
        if head[..4] == SECTION.to_le_bytes() {
            let order = Body::new(head, true).u32(HEAD);
            self.is_big_endian = match order {
                Some(BYTE_ORDER) => true,
                Some(order) if order == BYTE_ORDER.swap_bytes() => false,
                _ => return Err(self.damaged("a section without its byte order")),
            };
        }
        let body = Body::new(head, self.is_big_endian);
        let (kind, length) = (body.u32(0).unwrap_or(0), body.u32(4).unwrap_or(0));
        self.blocks += 1;
        if !length.is_multiple_of(4) || (length as usize) < HEAD + TAIL {
            return Err(self.damaged(&format!("{length} bytes")));
        }
        Ok(Some((kind, length)))
    }

    /// Passes over a block that is not looked into.
    fn pass_over(&self, length: u32, input: &mut Input) -> Result<(), Fault> {
        if !input.skip(u64::from(length) - TAIL as u64)? || !input.has(TAIL)? {
            return Err(Fault::CutOff);
        }
        self.check_end(length, input.take(TAIL))
    }

    /// The length stands at the end of a block, too: a wrong one at its beginning would hide the blocks behind it.
    #[inline]
    fn check_end(&self, length: u32, end: &[u8]) -> Result<(), Fault> {
        let told = Body::new(end, self.is_big_endian).u32(0).unwrap_or(0);
        match told == length {
            true => Ok(()),
            false => Err(self.damaged(&format!("{length} bytes by its head, {told} by its end"))),
        }
    }

    fn damaged(&self, what: &str) -> Fault {
        Fault::Damaged(format!("block {}: {what}", self.blocks))
    }

    /// Takes an interface of the section. Its index among all, if none was like it before.
    fn describe(
        &mut self,
        body: Body<'_>,
        interfaces: &mut Interfaces,
    ) -> Result<Option<usize>, Fault> {
        let (Some(link_type), Some(snap_length)) = (body.u16(0), body.u32(4)) else {
            return Err(self.damaged("an interface without its link type"));
        };
        if self.interfaces.len() == MOST_INTERFACES {
            return Err(self.damaged("too many interfaces"));
        }
        let mut name = format!("if{}", self.interfaces.len());
        let mut resolution = Resolution::default();
        let mut checksum = 0;
        for (code, value) in body.options(8) {
            match (code, value.bytes()) {
                (IF_NAME, text) => name = name_of(text).unwrap_or(name),
                (IF_TSRESOL, [told, ..]) => resolution.set_unit(*told),
                (IF_FCSLEN, [length, ..]) => checksum = u32::from(*length),
                (IF_TSOFFSET, _) => {
                    resolution.set_offset(value.u64().unwrap_or(0).cast_signed());
                }
                _ => {}
            }
        }
        let known = interfaces.all().len();
        let index = interfaces.index_of(name, link_type);
        self.interfaces.push(Local {
            index,
            framing: Framing::new(link_type, checksum),
            resolution,
            snap_length,
            drops: 0,
        });
        self.drops.resize(interfaces.all().len(), 0);
        Ok((index == known).then_some(index))
    }

    /// Takes the statistics of an interface of the section: its index among all, and what was dropped on that one so far.
    fn drops(&mut self, body: Body<'_>) -> Option<(usize, u64)> {
        let local = self.interfaces.get_mut(body.u32(0)? as usize)?;
        let told = body.options(12);
        let drops = told.filter(|(code, _)| matches!(*code, ISB_IFDROP | ISB_OSDROP));
        let drops = drops.filter_map(|(_, value)| value.u64());
        let latest = drops.reduce(u64::saturating_add)?;
        let newly = latest.saturating_sub(local.drops);
        local.drops = latest;
        let sum = self.drops.get_mut(local.index)?;
        *sum = sum.saturating_add(newly);
        Some((local.index, *sum))
    }

    /// See [`Capture::has_packet_at_hand`](super::Capture::has_packet_at_hand).
    #[inline]
    pub fn has_packet_at_hand(&self, input: &Input) -> bool {
        let head = Body::new(input.front(HEAD), self.is_big_endian);
        match (head.u32(0), head.u32(4)) {
            (Some(ENHANCED_PACKET), Some(length)) => {
                length <= LONGEST && input.holds((length as usize).max(HEAD + TAIL))
            }
            _ => false,
        }
    }

    /// The packet of a block that begins there in the input.
    fn packet(&self, kind: u32, block: &mut [u8], first: usize) -> Result<Item, Fault> {
        let end = block.len() - TAIL;
        let body = Body::new(&block[HEAD..end], self.is_big_endian);
        let fields = match kind {
            SIMPLE_PACKET => self.simple(body),
            _ => enhanced(kind, body),
        };
        let fields = fields.ok_or_else(|| self.damaged("a packet without its lengths"))?;
        let Some(local) = self.interfaces.get(fields.interface) else {
            return Ok(Item::Unplaced);
        };
        let from = HEAD + fields.offset;
        if fields.kept > LONGEST_KEPT || from + fields.kept as usize > end {
            return Err(self.damaged(&format!("a packet of {} bytes", fields.kept)));
        }
        let framing = match kind {
            SIMPLE_PACKET => local.framing,
            _ => told_of_packet(local.framing, body, &fields),
        };
        let bytes = &mut block[from..from + fields.kept as usize];
        let inside = framing.look(bytes, fields.length);
        let first = first + from;
        Ok(Item::Packet(Packet {
            interface: local.index,
            time_ns: fields
                .stamp
                .map(|stamp| local.resolution.nanoseconds(stamp)),
            length: inside.length,
            start: inside.start,
            at: first + inside.begin..first + inside.end,
        }))
    }

    /// It is the first interface's, has no time, and says only how long it was.
    fn simple(&self, body: Body<'_>) -> Option<Fields> {
        let length = body.u32(0)?;
        let most = match self.interfaces.first().map_or(0, |first| first.snap_length) {
            0 => u32::MAX,
            most => most,
        };
        let there = body.bytes().len() as u32 - 4;
        Some(Fields {
            interface: 0,
            stamp: None,
            kept: length.min(most).min(there),
            length,
            offset: 4,
        })
    }
}

/// What an interface is called, up to a NUL; `None`: nothing. No character is cut in two.
fn name_of(text: &[u8]) -> Option<String> {
    let text = text.split(|byte| *byte == 0).next()?;
    let mut end = text.len().min(LONGEST_NAME);
    // At most three bytes of a character are behind its first one.
    while LONGEST_NAME - end < 3 && text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    (end > 0).then(|| String::from_utf8_lossy(&text[..end]).into_owned())
}

/// What is told of a packet itself goes before what is told of its interface.
#[inline]
fn told_of_packet(framing: Framing, body: Body<'_>, fields: &Fields) -> Framing {
    let behind = fields.offset + (fields.kept as usize).next_multiple_of(4);
    let flags = body.options(behind).find(|(code, _)| *code == FLAGS);
    match flags.and_then(|(_, value)| value.u32(0)) {
        // How long its checksum is, if that is said.
        Some(flags) if flags >> 5 & 0xf > 0 => framing.with_checksum(flags >> 5 & 0xf),
        _ => framing,
    }
}

/// Of an enhanced packet, or of what was there before it.
fn enhanced(kind: u32, body: Body<'_>) -> Option<Fields> {
    let interface = match kind {
        PACKET => u32::from(body.u16(0)?),
        _ => body.u32(0)?,
    };
    Some(Fields {
        interface: interface as usize,
        stamp: Some(u64::from(body.u32(4)?) << 32 | u64::from(body.u32(8)?)),
        kept: body.u32(12)?,
        length: body.u32(16)?,
        offset: 20,
    })
}
