//! A collector that is written from RFC 7011 and knows no element but by its number.

use std::collections::BTreeMap;

/// What stands for flowtop's own elements here: their number and this bit, as in a template.
pub const OWN: u16 = 0x8000;

/// A data record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Observation domain.
    pub domain: u32,
    /// Its template.
    pub template: u16,
    /// Whether it is one of options.
    pub is_of_options: bool,
    /// Bytes by element.
    pub fields: BTreeMap<u16, Vec<u8>>,
}

impl Record {
    /// Whether it has this element.
    pub fn has(&self, element: u16) -> bool {
        self.fields.contains_key(&element)
    }

    /// An unsigned number.
    pub fn number(&self, element: u16) -> u64 {
        let bytes = self.fields.get(&element);
        let bytes = bytes.unwrap_or_else(|| panic!("no element {element:#x} in {self:?}"));
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The same where it is there, as a difference that may be less than nothing.
    pub fn signed(&self, element: u16) -> i64 {
        match self.has(element) {
            true => self.number(element) as i64,
            false => 0,
        }
    }

    /// A text.
    pub fn text(&self, element: u16) -> String {
        String::from_utf8(self.fields[&element].clone()).expect("UTF-8")
    }
}

#[derive(Debug, Clone)]
struct Template {
    /// Element, length, enterprise number.
    fields: Vec<(u16, u16, Option<u32>)>,
    is_of_options: bool,
}

/// What was received in a session.
#[derive(Debug, Default)]
pub struct Reader {
    templates: BTreeMap<(u32, u16), Template>,
    sequences: BTreeMap<u32, u32>,
    /// All data records.
    pub records: Vec<Record>,
    /// Enterprise numbers that were seen.
    pub enterprises: Vec<u32>,
    /// Templates that were received, the same ones again included.
    pub templates_received: usize,
    /// Data records that are missing by their sequence numbers.
    pub missing: u32,
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self, length: usize) -> u32 {
        let bytes = self.take(length);
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte))
    }
}

impl Reader {
    /// A message in a datagram.
    pub fn receive(&mut self, message: &[u8]) {
        let mut bytes = Bytes(message);
        assert_eq!(bytes.number(2), 10, "the version of IPFIX");
        assert_eq!(bytes.number(2) as usize, message.len(), "its length");
        let _time = bytes.number(4);
        let sequence = bytes.number(4);
        let domain = bytes.number(4);
        let before = self.records.len();
        let expected = self.sequences.get(&domain).copied().unwrap_or(0);
        self.missing += sequence.wrapping_sub(expected);
        while !bytes.0.is_empty() {
            let id = bytes.number(2) as u16;
            let length = bytes.number(2) as usize;
            let mut set = Bytes(bytes.take(length - 4));
            match id {
                2 | 3 => self.receive_templates(domain, id == 3, &mut set),
                id => self.receive_records(domain, id, &mut set),
            }
        }
        let records = (self.records.len() - before) as u32;
        self.sequences
            .insert(domain, sequence.wrapping_add(records));
    }

    /// Whether it was told of all templates of a message, for who did not hear all from the beginning.
    pub fn can_read(&self, message: &[u8]) -> bool {
        let mut bytes = Bytes(message);
        bytes.take(12);
        let domain = bytes.number(4);
        while !bytes.0.is_empty() {
            let id = bytes.number(2) as u16;
            let length = bytes.number(2) as usize;
            bytes.take(length - 4);
            if id > 3 && !self.templates.contains_key(&(domain, id)) {
                return false;
            }
        }
        true
    }

    /// As many messages of a stream as are there as a whole; what is left of it.
    pub fn receive_stream<'a>(&mut self, mut stream: &'a [u8]) -> &'a [u8] {
        while stream.len() >= 4 {
            let length = usize::from(u16::from_be_bytes([stream[2], stream[3]]));
            let Some((message, rest)) = stream.split_at_checked(length) else {
                break;
            };
            self.receive(message);
            stream = rest;
        }
        stream
    }

    fn receive_templates(&mut self, domain: u32, is_of_options: bool, set: &mut Bytes<'_>) {
        while set.0.len() >= 4 {
            let id = set.number(2) as u16;
            let count = set.number(2);
            if is_of_options {
                let scope = set.number(2);
                assert!((1..=count).contains(&scope), "a scope");
            }
            let fields = (0..count).map(|_| {
                let (element, length) = (set.number(2) as u16, set.number(2) as u16);
                let enterprise = (element & OWN != 0).then(|| set.number(4));
                (element, length, enterprise)
            });
            let fields: Vec<_> = fields.collect();
            self.enterprises
                .extend(fields.iter().filter_map(|(_, _, number)| *number));
            let template = Template {
                fields,
                is_of_options,
            };
            self.templates_received += 1;
            self.templates.insert((domain, id), template);
        }
    }

    fn receive_records(&mut self, domain: u32, id: u16, set: &mut Bytes<'_>) {
        let template = self.templates.get(&(domain, id));
        let template = template.unwrap_or_else(|| panic!("no template {id} in {domain}"));
        while !set.0.is_empty() {
            let field = |(element, length, _): &(u16, u16, Option<u32>)| {
                let length = match length {
                    0xffff => set.number(1) as usize,
                    length => usize::from(*length),
                };
                assert!(length < 255, "three bytes of length");
                (*element, set.take(length).to_vec())
            };
            let fields: BTreeMap<_, _> = template.fields.iter().map(field).collect();
            assert_eq!(fields.len(), template.fields.len(), "an element twice");
            self.records.push(Record {
                domain,
                template: id,
                is_of_options: template.is_of_options,
                fields,
            });
        }
    }

    /// Those of flows.
    pub fn flows(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| !record.is_of_options)
    }

    /// Names that type records tell, by element.
    pub fn names(&self) -> BTreeMap<u16, String> {
        let types = self.records.iter().filter(|record| record.has(341));
        types
            .map(|record| (record.number(303) as u16 | OWN, record.text(341)))
            .collect()
    }
}
