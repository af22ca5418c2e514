//! Records as bytes: each flow record by a template that has what is known of the flow and nothing else.

use rustc_hash::FxHashMap;

use super::body::{Content, Packer};
use super::flow_elements::FLOW_ELEMENTS;
use super::interface_elements::INTERFACE_ELEMENTS;
use super::record::FlowRecord;
use super::template::{
    FIRST_OF_FLOWS, OF_EXPORT, OF_EXPORT_FIELDS, OF_INTERFACES, Vocabulary, write,
};
use super::value::Value;
use crate::model::ipfix::ExportCounts;
use crate::model::snapshot::InterfaceSample;

/// A row has a bit in the mask of a template.
const _: () = assert!(FLOW_ELEMENTS.len() <= 64);

/// Writes records, and remembers the templates that they need.
#[derive(Debug)]
pub struct Encoder {
    vocabulary: Vocabulary,
    by_mask: FxHashMap<u64, u16>,
    templates: Vec<Vec<u8>>,
    scratch: Vec<u8>,
}

impl Encoder {
    /// With these elements.
    pub fn new(vocabulary: Vocabulary) -> Encoder {
        Encoder {
            vocabulary,
            by_mask: FxHashMap::default(),
            templates: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The templates of flows so far, in the order of their ids. None is ever changed.
    pub fn templates(&self) -> &[Vec<u8>] {
        &self.templates
    }

    /// Packs a flow record.
    pub fn push_flow(&mut self, record: &FlowRecord<'_>, packer: &mut Packer) {
        self.scratch.clear();
        let mut mask = 0;
        for (place, row) in FLOW_ELEMENTS.iter().enumerate() {
            if !self.vocabulary.has(&row.element) {
                continue;
            }
            if let Some(value) = (row.value)(record) {
                mask |= 1 << place;
                value.write(row.element.data_type, &mut self.scratch);
            }
        }
        let content = Content {
            records: 1,
            flows: 1,
            packets: record.now.packets - record.then.packets,
            bytes: record.now.bytes - record.then.bytes,
        };
        packer.push(self.template_of(mask), &self.scratch, content);
    }

    fn template_of(&mut self, mask: u64) -> u16 {
        if let Some(id) = self.by_mask.get(&mask) {
            return *id;
        }
        let id = FIRST_OF_FLOWS + self.templates.len() as u16;
        let template = self.vocabulary.flow_template(id, mask);
        self.templates.push(template);
        self.by_mask.insert(mask, id);
        id
    }

    /// Packs an interface's own counts.
    pub fn push_interface(&mut self, interface: &InterfaceSample, packer: &mut Packer) {
        self.scratch.clear();
        for row in INTERFACE_ELEMENTS {
            if self.vocabulary.has(&row.element) {
                (row.value)(interface).write(row.element.data_type, &mut self.scratch);
            }
        }
        packer.push(OF_INTERFACES, &self.scratch, Content::OF_OPTIONS);
    }

    /// Packs how the export of a domain went so far.
    pub fn push_export(&mut self, domain: u32, counts: &ExportCounts, packer: &mut Packer) {
        self.scratch.clear();
        let values = [
            domain.into(),
            counts.messages,
            counts.bytes,
            counts.flow_records,
            counts.records_lost,
            counts.packets_lost,
        ];
        write(
            &OF_EXPORT_FIELDS,
            &values.map(Value::Number),
            &mut self.scratch,
        );
        packer.push(OF_EXPORT, &self.scratch, Content::OF_OPTIONS);
    }
}
