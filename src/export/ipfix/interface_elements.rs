//! The information elements of an interface's own counts, as options records have them: one row each, as those of flows.

use super::element::{Element, Meaning, Unit};
use super::value::{DataType, Value};
use crate::model::snapshot::InterfaceSample;

use DataType::{Text, Unsigned32, Unsigned64};

/// A row: the element, and where its value is from.
pub struct InterfaceElement {
    /// The element.
    pub element: Element,
    /// Its value.
    pub value: for<'a> fn(&'a InterfaceSample) -> Value<'a>,
}

/// So many of the first ones are the scope: what the counts are of.
pub const SCOPE: u16 = 1;

const PACKETS: (Meaning, Unit) = (Meaning::TotalCounter, Unit::Packets);
const OCTETS: (Meaning, Unit) = (Meaning::TotalCounter, Unit::Octets);

/// All of them, in their order in a record.
pub static INTERFACE_ELEMENTS: &[InterfaceElement] = &[
    standard(
        10,
        "ingressInterface",
        Unsigned32,
        "index of the interface: the scope",
        |i| Value::Number(i.ifindex.into()),
    ),
    standard(82, "interfaceName", Text, "its name", |i| {
        Value::Text(&i.name)
    }),
    standard(
        86,
        "packetTotalCount",
        Unsigned64,
        "packets that the hook saw",
        |i| Value::Number(i.seen.packets),
    ),
    standard(
        353,
        "layer2OctetTotalCount",
        Unsigned64,
        "their bytes on the wire",
        |i| Value::Number(i.seen.bytes),
    ),
    standard(
        164,
        "ignoredPacketTotalCount",
        Unsigned64,
        "packets that are in no flow by intention: other, filtered and malformed",
        |i| Value::Number((i.other + i.filtered + i.malformed_total()).packets),
    ),
    standard(
        135,
        "droppedPacketTotalCount",
        Unsigned64,
        "packets in no flow as there was no room: untracked",
        |i| Value::Number(i.untracked.packets),
    ),
    own(
        32,
        "otherPacketTotalCount",
        PACKETS,
        "packets that are no flow's: ARP, other protocols",
        |i| Value::Number(i.other.packets),
    ),
    own(
        33,
        "otherLayer2OctetTotalCount",
        OCTETS,
        "their bytes on the wire",
        |i| Value::Number(i.other.bytes),
    ),
    own(
        34,
        "filteredPacketTotalCount",
        PACKETS,
        "packets that no rule matched",
        |i| Value::Number(i.filtered.packets),
    ),
    own(
        35,
        "filteredLayer2OctetTotalCount",
        OCTETS,
        "their bytes on the wire",
        |i| Value::Number(i.filtered.bytes),
    ),
    own(
        36,
        "untrackedPacketTotalCount",
        PACKETS,
        "packets of flows for which the table had no room",
        |i| Value::Number(i.untracked.packets),
    ),
    own(
        37,
        "untrackedLayer2OctetTotalCount",
        OCTETS,
        "their bytes on the wire",
        |i| Value::Number(i.untracked.bytes),
    ),
    own(
        38,
        "malformedPacketTotalCount",
        PACKETS,
        "malformed packets",
        |i| Value::Number(i.malformed_total().packets),
    ),
    own(
        39,
        "malformedLayer2OctetTotalCount",
        OCTETS,
        "their bytes on the wire",
        |i| Value::Number(i.malformed_total().bytes),
    ),
];

const fn standard(
    number: u16,
    name: &'static str,
    data_type: DataType,
    about: &'static str,
    value: for<'a> fn(&'a InterfaceSample) -> Value<'a>,
) -> InterfaceElement {
    let element = Element::standard(number, name, data_type, about);
    InterfaceElement { element, value }
}

const fn own(
    number: u16,
    name: &'static str,
    counter: (Meaning, Unit),
    about: &'static str,
    value: for<'a> fn(&'a InterfaceSample) -> Value<'a>,
) -> InterfaceElement {
    let element = Element::own(number, name, Unsigned64, counter, about);
    InterfaceElement { element, value }
}
