//! Values of information elements, as they are in a record (RFC 7011, section 6).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Abstract data types, with their numbers in type records (RFC 5610, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// 8 bits.
    Unsigned8 = 1,
    /// 16 bits.
    Unsigned16 = 2,
    /// 32 bits.
    Unsigned32 = 3,
    /// 64 bits.
    Unsigned64 = 4,
    /// 64 bits, two's complement.
    Signed64 = 8,
    /// UTF-8 of any length.
    Text = 13,
    /// Milliseconds since 1970, UTC.
    Milliseconds = 15,
    /// An address of IPv4.
    Ipv4 = 18,
    /// An address of IPv6.
    Ipv6 = 19,
}

impl DataType {
    /// Bytes in a record; 65535: as many as the record says.
    pub const fn width(self) -> u16 {
        match self {
            DataType::Unsigned8 => 1,
            DataType::Unsigned16 => 2,
            DataType::Unsigned32 | DataType::Ipv4 => 4,
            DataType::Unsigned64 | DataType::Signed64 | DataType::Milliseconds => 8,
            DataType::Ipv6 => 16,
            DataType::Text => u16::MAX,
        }
    }

    /// The name in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            DataType::Unsigned8 => "unsigned8",
            DataType::Unsigned16 => "unsigned16",
            DataType::Unsigned32 => "unsigned32",
            DataType::Unsigned64 => "unsigned64",
            DataType::Signed64 => "signed64",
            DataType::Text => "string",
            DataType::Milliseconds => "dateTimeMilliseconds",
            DataType::Ipv4 => "ipv4Address",
            DataType::Ipv6 => "ipv6Address",
        }
    }
}

/// A value. Numbers are as wide as the element's type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Any unsigned number, and times.
    Number(u64),
    /// A number that may be less than nothing.
    Signed(i64),
    /// UTF-8.
    Text(&'a str),
    /// An address.
    Ipv4(Ipv4Addr),
    /// An address.
    Ipv6(Ipv6Addr),
}

/// The longest text whose length has room in one byte (RFC 7011, section 7); none of ours is longer.
const LONGEST_TEXT: usize = 254;

impl Value<'_> {
    /// Appends the value as one of this type.
    pub fn write(self, data_type: DataType, to: &mut Vec<u8>) {
        match self {
            Value::Number(number) => {
                let width = usize::from(data_type.width());
                to.extend_from_slice(&number.to_be_bytes()[8 - width..]);
            }
            Value::Signed(number) => to.extend_from_slice(&number.to_be_bytes()),
            Value::Ipv4(address) => to.extend_from_slice(&address.octets()),
            Value::Ipv6(address) => to.extend_from_slice(&address.octets()),
            Value::Text(text) => {
                let mut end = text.len().min(LONGEST_TEXT);
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                let text = &text.as_bytes()[..end];
                to.push(text.len() as u8);
                to.extend_from_slice(text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: Value<'_>, data_type: DataType) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.write(data_type, &mut bytes);
        bytes
    }

    #[test]
    fn numbers_are_big_endian_and_as_wide_as_their_type() {
        assert_eq!(
            written(Value::Number(0x1234), DataType::Unsigned16),
            [0x12, 0x34]
        );
        assert_eq!(written(Value::Number(7), DataType::Unsigned8), [7]);
        assert_eq!(written(Value::Signed(-2), DataType::Signed64)[7], 0xfe);
        assert_eq!(written(Value::Number(1), DataType::Milliseconds).len(), 8);
    }

    #[test]
    fn a_text_says_how_long_it_is_and_is_cut_between_characters() {
        assert_eq!(written(Value::Text("ab"), DataType::Text), [2, b'a', b'b']);
        let long = written(Value::Text(&"ä".repeat(200)), DataType::Text);
        assert_eq!((long[0], long.len()), (254, 255));
    }
}
