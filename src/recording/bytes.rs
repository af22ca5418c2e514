//! Numbers and texts as bytes: seven bits of a number in each byte, the lowest first (LEB128), and texts behind their
//! length.

use std::borrow::Cow;
use std::fmt;

use crate::model::harmless::harmless;

/// Why bytes are no recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bad(pub &'static str);

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The longest text, bytes: a configuration is not larger than a MiB.
const LONGEST_TEXT: u64 = 4 << 20;

/// Appends a number.
#[inline]
pub fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a text.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// A difference that may be below zero, as a number that is small where the difference is (zigzag).
#[inline]
pub fn fold(difference: u64) -> u64 {
    let signed = difference as i64;
    (signed << 1 ^ signed >> 63) as u64
}

/// The difference that was folded.
#[inline]
pub fn unfold(number: u64) -> u64 {
    number >> 1 ^ (number & 1).wrapping_neg()
}

/// Bytes that are read from their beginning.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next number.
    #[inline]
    pub fn number(&mut self) -> Result<u64, Bad> {
        match *self.0 {
            [byte, ref rest @ ..] if byte & 0x80 == 0 => {
                self.0 = rest;
                Ok(byte.into())
            }
            _ => self.long_number(),
        }
    }

    /// One of up to eight bytes is put together at once, seven bits and seven bits, then fourteen and fourteen.
    fn long_number(&mut self) -> Result<u64, Bad> {
        const ENDS: u64 = 0x8080_8080_8080_8080;
        let word = u64::from_le_bytes(match self.0.first_chunk() {
            Some(bytes) => *bytes,
            None => return self.longest_number(),
        });
        let length = match !word & ENDS {
            0 => return self.longest_number(),
            ends => ends.trailing_zeros() as usize / 8 + 1,
        };
        let word = word & !ENDS & u64::MAX >> (64 - 8 * length);
        let word = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
        let word = word & 0x0000_3fff_0000_3fff | (word & 0x3fff_0000_3fff_0000) >> 2;
        let word = word & 0x0fff_ffff | (word & 0x0fff_ffff_0000_0000) >> 4;
        self.0 = &self.0[length..];
        Ok(word)
    }

    #[cold]
    fn longest_number(&mut self) -> Result<u64, Bad> {
        let mut number = 0;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(number);
            }
        }
        Err(Bad("a number has no end"))
    }

    /// The next number, of at most so much.
    pub fn up_to(&mut self, most: u64) -> Result<u64, Bad> {
        let number = self.number()?;
        match number <= most {
            true => Ok(number),
            false => Err(Bad("a number is beyond its bound")),
        }
    }

    /// How many there are of something that takes at least a byte each.
    pub fn count(&mut self) -> Result<usize, Bad> {
        let count = self.number()?;
        match count <= self.0.len() as u64 {
            true => Ok(count as usize),
            false => Err(Bad("there is not as much as it says")),
        }
    }

    /// The next text, which is a name that is shown: that of a run is harmless from its beginning.
    pub fn name(&mut self) -> Result<&'a str, Bad> {
        let name = self.text()?;
        match harmless(name) {
            Cow::Borrowed(name) => Ok(name),
            Cow::Owned(_) => Err(Bad("a name has characters that no terminal may be sent")),
        }
    }

    /// The next text.
    pub fn text(&mut self) -> Result<&'a str, Bad> {
        let length = self.up_to(LONGEST_TEXT)? as usize;
        let (text, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Bad("a text has no end"))?;
        self.0 = rest;
        str::from_utf8(text).map_err(|_| Bad("a text is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_and_texts_come_out_as_they_went_in(numbers: Vec<u64>, text: String) {
            let mut bytes = Vec::new();
            for number in &numbers {
                put(&mut bytes, fold(*number));
            }
            put_text(&mut bytes, &text);
            let mut input = Input(&bytes);
            for number in &numbers {
                prop_assert_eq!(input.number().map(unfold), Ok(*number));
            }
            prop_assert_eq!(input.text(), Ok(text.as_str()));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn a_name_has_nothing_in_it_that_a_terminal_obeys(
            before in "[a-z0-9@:.]{0,9}", between in "[\\x00-\\x1f\\x7f-\\u{9f}\u{202e}]?", behind in "[a-z0-9]{0,9}",
        ) {
            let text = before + &between + &behind;
            let mut bytes = Vec::new();
            put_text(&mut bytes, &text);
            let read = Input(&bytes).name();
            prop_assert_eq!(read.ok(), between.is_empty().then_some(text.as_str()));
        }

        #[test]
        fn small_differences_are_small_numbers(difference in -64_i64..64) {
            let mut bytes = Vec::new();
            put(&mut bytes, fold(difference as u64));
            prop_assert_eq!(bytes.len(), 1);
        }
    }
}
