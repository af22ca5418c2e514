//! Messages without their header (RFC 7011, section 3): sets, and what is in them.
//!
//! A header has a sequence number, which belongs to the session that the message goes out in: so a body can be kept for
//! another session, and gets its header when it is sent.

use std::collections::VecDeque;

/// Bytes of a message header.
const HEADER: usize = 16;
/// Bytes of a set header.
const SET_HEADER: usize = 4;
/// Of IPFIX.
const VERSION: u16 = 10;

/// What is in records, or was in those that could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// Data records, which sequence numbers count: not those of templates.
    pub records: u32,
    /// Flow records among them.
    pub flows: u32,
    /// Packets in these.
    pub packets: u64,
    /// Bytes on the wire in these.
    pub bytes: u64,
}

impl Content {
    /// A data record that is of no flow.
    pub const OF_OPTIONS: Content = Content {
        records: 1,
        flows: 0,
        packets: 0,
        bytes: 0,
    };
    /// A template.
    pub const OF_TEMPLATE: Content = Content {
        records: 0,
        ..Content::OF_OPTIONS
    };

    fn add(&mut self, other: Content) {
        self.records += other.records;
        self.flows += other.flows;
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// What a message is about. Sequence numbers and templates of each are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The exporter itself: observation domain 0 (RFC 7011, section 3.1). Some collectors do not count such records.
    Exporter,
    /// Flows.
    Flows,
}

/// A message but for its header, for which there is room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    bytes: Vec<u8>,
    /// Where the last set begins, and its id.
    set: (usize, u16),
    /// What is in it.
    pub content: Content,
    /// What it is about.
    pub subject: Subject,
}

impl Body {
    fn new(subject: Subject) -> Body {
        Body {
            subject,
            bytes: vec![0; HEADER],
            set: (0, 0),
            content: Content::default(),
        }
    }

    fn append(&mut self, set: u16, record: &[u8], content: Content) {
        if self.set.1 != set {
            self.set = (self.bytes.len(), set);
            self.bytes.extend_from_slice(&set.to_be_bytes());
            self.bytes.extend_from_slice(&[0; 2]);
        }
        self.bytes.extend_from_slice(record);
        let start = self.set.0;
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
        self.content.add(content);
    }

    /// Bytes of the message, its header included.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// The message: `sequence` counts the data records of the session and subject before it, `at_s` is when it goes out, s
    /// since 1970, and `domain` the one that flows are in.
    pub fn message(&mut self, sequence: u32, at_s: u32, domain: u32) -> &[u8] {
        let length = self.bytes.len() as u16;
        let domain = match self.subject {
            Subject::Exporter => 0,
            Subject::Flows => domain,
        };
        let header = &mut self.bytes[..HEADER];
        header[0..2].copy_from_slice(&VERSION.to_be_bytes());
        header[2..4].copy_from_slice(&length.to_be_bytes());
        header[4..8].copy_from_slice(&at_s.to_be_bytes());
        header[8..12].copy_from_slice(&sequence.to_be_bytes());
        header[12..16].copy_from_slice(&domain.to_be_bytes());
        &self.bytes
    }
}

/// Makes bodies of records.
#[derive(Debug)]
pub struct Packer {
    most: usize,
    open: Body,
    full: VecDeque<Body>,
}

impl Packer {
    /// For messages of so many bytes at most, which have room for any record.
    pub fn new(most: usize, subject: Subject) -> Packer {
        Packer {
            most,
            open: Body::new(subject),
            full: VecDeque::new(),
        }
    }

    /// Appends a record to the set of that id.
    pub fn push(&mut self, set: u16, record: &[u8], content: Content) {
        if self.open.bytes.len() + SET_HEADER + record.len() > self.most {
            self.close();
        }
        self.open.append(set, record, content);
    }

    /// What comes next is in a set of its own.
    pub fn part(&mut self) {
        self.open.set.1 = 0;
    }

    /// Ends the message that is being filled, if there is anything in it.
    pub fn close(&mut self) {
        if self.open.bytes.len() > HEADER {
            let next = Body::new(self.open.subject);
            self.full.push_back(std::mem::replace(&mut self.open, next));
        }
    }

    /// Bodies that are full.
    pub fn full(&self) -> usize {
        self.full.len()
    }

    /// The first of them.
    pub fn take(&mut self) -> Option<Body> {
        self.full.pop_front()
    }

    /// Ends the last message; all of them.
    pub fn finish(mut self) -> VecDeque<Body> {
        self.close();
        self.full
    }
}
