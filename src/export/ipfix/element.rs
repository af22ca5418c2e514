//! What there is to say of an information element but for its value.

use super::value::DataType;

/// What a value is: semantics of RFC 5610, section 3.6, and their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing in particular.
    Nothing = 0,
    /// An amount that is known at the time.
    Quantity = 1,
    /// A count since the start.
    TotalCounter = 2,
    /// A count since the record before.
    DeltaCounter = 3,
    /// A number or a name that tells things apart.
    Identifier = 4,
}

/// Units of RFC 5610, section 3.7, and their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// No unit.
    Nothing = 0,
    /// Bytes.
    Octets = 2,
    /// Packets.
    Packets = 3,
    /// 10^-9 s.
    Nanoseconds = 8,
}

impl Unit {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Nothing => "",
            Unit::Octets => "octets",
            Unit::Packets => "packets",
            Unit::Nanoseconds => "ns",
        }
    }
}

/// An information element.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    /// Its number, in the registry or among flowtop's own.
    pub number: u16,
    /// Whether it is one of flowtop's own.
    pub is_own: bool,
    /// Its name.
    pub name: &'static str,
    /// How its values are written.
    pub data_type: DataType,
    /// What a value is.
    pub meaning: Meaning,
    /// Unit of its values.
    pub unit: Unit,
    /// What it says, in a few words.
    pub about: &'static str,
}

impl Element {
    /// One of the registry, whose name tells whether it is a counter, and of what.
    pub const fn standard(
        number: u16,
        name: &'static str,
        data_type: DataType,
        about: &'static str,
    ) -> Element {
        Element {
            number,
            is_own: false,
            name,
            data_type,
            meaning: Meaning::Nothing,
            unit: Unit::Nothing,
            about,
        }
    }

    /// One of flowtop's own.
    pub const fn own(
        number: u16,
        name: &'static str,
        data_type: DataType,
        (meaning, unit): (Meaning, Unit),
        about: &'static str,
    ) -> Element {
        Element {
            number,
            is_own: true,
            name,
            data_type,
            meaning,
            unit,
            about,
        }
    }
}
