//! Templates and type records: what tells a collector how records are to be read, and what its names are.

use super::body::{Content, Packer};
use super::element::Element;
use super::flow_elements::FLOW_ELEMENTS;
use super::interface_elements::{INTERFACE_ELEMENTS, SCOPE};
use super::value::{DataType, Value};

/// Sets of templates, and of those of options.
const TEMPLATES: u16 = 2;
const OPTIONS_TEMPLATES: u16 = 3;

/// The templates whose numbers are fixed; flows have those behind.
pub const OF_TYPES: u16 = 256;
/// An interface's counts.
pub const OF_INTERFACES: u16 = 257;
/// How the export went.
pub const OF_EXPORT: u16 = 258;
/// The first template of flows.
pub const FIRST_OF_FLOWS: u16 = 259;

/// The fields of a type record (RFC 5610, section 3.9), the first two of which are its scope. Some collectors want all of them.
const OF_TYPE: [(u16, DataType); 9] = [
    (346, DataType::Unsigned32), // privateEnterpriseNumber
    (303, DataType::Unsigned16), // informationElementId
    (339, DataType::Unsigned8),  // informationElementDataType
    (344, DataType::Unsigned8),  // informationElementSemantics
    (345, DataType::Unsigned16), // informationElementUnits
    (342, DataType::Unsigned64), // informationElementRangeBegin
    (343, DataType::Unsigned64), // informationElementRangeEnd
    (341, DataType::Text),       // informationElementName
    (340, DataType::Text),       // informationElementDescription
];
const SCOPE_OF_TYPE: u16 = 2;

/// What is said of the export (RFC 7011, sections 4.1 and 4.3), the first of which is its scope.
pub const OF_EXPORT_FIELDS: [(u16, DataType); 6] = [
    (149, DataType::Unsigned32), // observationDomainId
    (41, DataType::Unsigned64),  // exportedMessageTotalCount
    (40, DataType::Unsigned64),  // exportedOctetTotalCount
    (42, DataType::Unsigned64),  // exportedFlowRecordTotalCount
    (166, DataType::Unsigned64), // notSentFlowTotalCount
    (167, DataType::Unsigned64), // notSentPacketTotalCount
];
const SCOPE_OF_EXPORT: u16 = 1;

/// Which elements there are, and under which enterprise number flowtop's own are.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// The private enterprise number.
    pub enterprise: u32,
    /// Whether flowtop's own elements are used.
    pub has_own: bool,
}

impl Vocabulary {
    /// Whether this element is used.
    pub fn has(self, element: &Element) -> bool {
        self.has_own || !element.is_own
    }

    fn specify(self, element: &Element, to: &mut Vec<u8>) {
        let own = if element.is_own { 0x8000 } else { 0 };
        specify(element.number | own, element.data_type, to);
        if element.is_own {
            to.extend_from_slice(&self.enterprise.to_be_bytes());
        }
    }

    /// Packs what comes first in a session: flowtop's own elements by name, and the templates of options.
    pub fn introduce(self, packer: &mut Packer) {
        if self.has_own {
            let template = options_template(OF_TYPES, SCOPE_OF_TYPE, &OF_TYPE);
            packer.push(OPTIONS_TEMPLATES, &template, Content::OF_TEMPLATE);
            let mut record = Vec::new();
            for element in own_elements() {
                record.clear();
                self.write_type(element, &mut record);
                packer.push(OF_TYPES, &record, Content::OF_OPTIONS);
            }
        }
        let used: Vec<_> = self.of_interfaces().collect();
        let mut template = options_head(OF_INTERFACES, used.len(), SCOPE);
        for element in used {
            self.specify(element, &mut template);
        }
        packer.push(OPTIONS_TEMPLATES, &template, Content::OF_TEMPLATE);
        // nfacctd reads one template of options in a set.
        packer.part();
        let template = options_template(OF_EXPORT, SCOPE_OF_EXPORT, &OF_EXPORT_FIELDS);
        packer.push(OPTIONS_TEMPLATES, &template, Content::OF_TEMPLATE);
    }

    fn of_interfaces(self) -> impl Iterator<Item = &'static Element> {
        let all = INTERFACE_ELEMENTS.iter().map(|row| &row.element);
        all.filter(move |element| self.has(element))
    }

    /// The template of flow records with the elements that a mask has, by their places among [`FLOW_ELEMENTS`].
    pub fn flow_template(self, id: u16, mask: u64) -> Vec<u8> {
        let mut template = Vec::new();
        template.extend_from_slice(&id.to_be_bytes());
        template.extend_from_slice(&(mask.count_ones() as u16).to_be_bytes());
        for (place, row) in FLOW_ELEMENTS.iter().enumerate() {
            if mask >> place & 1 != 0 {
                self.specify(&row.element, &mut template);
            }
        }
        template
    }

    fn write_type(self, element: &Element, to: &mut Vec<u8>) {
        let values = [
            Value::Number(self.enterprise.into()),
            Value::Number(element.number.into()),
            Value::Number(element.data_type as u64),
            Value::Number(element.meaning as u64),
            Value::Number(element.unit as u64),
            // Both 0: the range of the data type.
            Value::Number(0),
            Value::Number(0),
            Value::Text(element.name),
            Value::Text(element.about),
        ];
        write(&OF_TYPE, &values, to);
    }
}

/// Packs templates of flows.
pub fn pack_templates(templates: &[Vec<u8>], packer: &mut Packer) {
    for template in templates {
        packer.push(TEMPLATES, template, Content::OF_TEMPLATE);
    }
}

/// Appends values, each as one of its field.
pub fn write(fields: &[(u16, DataType)], values: &[Value<'_>], to: &mut Vec<u8>) {
    for ((_, data_type), value) in fields.iter().zip(values) {
        value.write(*data_type, to);
    }
}

/// flowtop's own elements.
pub fn own_elements() -> impl Iterator<Item = &'static Element> {
    let of_flows = FLOW_ELEMENTS.iter().map(|row| &row.element);
    let of_interfaces = INTERFACE_ELEMENTS.iter().map(|row| &row.element);
    of_flows
        .chain(of_interfaces)
        .filter(|element| element.is_own)
}

fn options_head(id: u16, fields: usize, scope: u16) -> Vec<u8> {
    let head = [id, fields as u16, scope];
    head.into_iter().flat_map(u16::to_be_bytes).collect()
}

fn options_template(id: u16, scope: u16, fields: &[(u16, DataType)]) -> Vec<u8> {
    let mut template = options_head(id, fields.len(), scope);
    for (number, data_type) in fields {
        specify(*number, *data_type, &mut template);
    }
    template
}

fn specify(number: u16, data_type: DataType, to: &mut Vec<u8>) {
    to.extend_from_slice(&number.to_be_bytes());
    to.extend_from_slice(&data_type.width().to_be_bytes());
}
