//! A block of pcapng: its fields in the section's byte order, and its options.

/// The body of a block.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl<'a> Body<'a> {
    /// In this byte order.
    pub fn new(bytes: &'a [u8], is_big_endian: bool) -> Body<'a> {
        Body {
            bytes,
            is_big_endian,
        }
    }

    /// The number at this offset; `None` beyond the end.
    #[inline]
    pub fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(match self.is_big_endian {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        })
    }

    /// The same of 32 bits.
    #[inline]
    pub fn u32(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(match self.is_big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        })
    }

    /// The same of 64 bits.
    pub fn u64(&self) -> Option<u64> {
        let bytes = *self.bytes.first_chunk()?;
        Some(match self.is_big_endian {
            true => u64::from_be_bytes(bytes),
            false => u64::from_le_bytes(bytes),
        })
    }

    /// All bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The options that begin there, up to the first that is not all there.
    pub fn options(self, at: usize) -> impl Iterator<Item = (u16, Body<'a>)> {
        let mut at = at;
        std::iter::from_fn(move || {
            let (code, length) = (self.u16(at)?, usize::from(self.u16(at + 2)?));
            let value = self.bytes.get(at + 4..at + 4 + length)?;
            at += 4 + length.next_multiple_of(4);
            (code != 0).then(|| (code, Body::new(value, self.is_big_endian)))
        })
    }
}
