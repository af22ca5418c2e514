//! Flow records by IPFIX (RFC 7011): readings go in, bodies of messages come out. No socket and no clock.

mod body;
mod element;
mod encoder;
mod flow_elements;
mod interface_elements;
mod meter;
mod record;
mod template;
mod value;

use std::sync::Arc;

use crate::model::ipfix::{Elements, ExportCounts, Ipfix, Transport};
use crate::model::snapshot::Snapshot;

use body::Packer;
use encoder::Encoder;
use meter::Meter;
use record::FlowRecord;
use template::Vocabulary;

pub use body::{Body, Content, Subject};
pub use element::{Element, Meaning, Unit};
pub use flow_elements::FLOW_ELEMENTS;
pub use interface_elements::INTERFACE_ELEMENTS;
pub use meter::Epoch;
pub use value::DataType;

/// Datagrams that no usual way cuts into pieces, with room for a tunnel's headers.
const LONGEST_DATAGRAM: usize = 1400;
/// Messages of a stream: long enough that their headers do not matter.
const LONGEST_OF_STREAM: usize = 16_384;
/// Bodies that are made ahead while the way to the collector is free.
const AHEAD: usize = 32;

/// Makes messages of readings.
#[derive(Debug)]
pub struct Exporter {
    settings: Ipfix,
    vocabulary: Vocabulary,
    meter: Meter,
    encoder: Encoder,
    packer: Packer,
    of_exporter: Packer,
    due_ns: u64,
}

impl Exporter {
    /// An export that begins at `now_ns`, by the clock of arrivals.
    pub fn new(settings: &Ipfix, now_ns: u64) -> Exporter {
        let vocabulary = Vocabulary {
            enterprise: settings.enterprise,
            has_own: settings.elements == Elements::All,
        };
        Exporter {
            vocabulary,
            meter: Meter::default(),
            encoder: Encoder::new(vocabulary),
            packer: packer_of(settings, Subject::Flows),
            of_exporter: packer_of(settings, Subject::Exporter),
            due_ns: now_ns + settings.interval.as_nanos() as u64,
            settings: settings.clone(),
        }
    }

    /// The names of this version's rules; later readings refer to them.
    pub fn set_rules(&mut self, version: u8, names: Vec<Arc<str>>) {
        self.meter.set_rules(version, names);
    }

    /// Takes a reading in: flows that it ends have their last record. Flows idle for `timeout_ns` leave by themselves.
    pub fn observe(&mut self, snapshot: &Snapshot, timeout_ns: u64, epoch: Epoch) {
        let Exporter {
            settings,
            meter,
            encoder,
            packer,
            ..
        } = self;
        let mut ended = packing(settings, encoder, packer);
        meter.observe(snapshot, timeout_ns, epoch, &mut ended);
    }

    /// Whether the interval is over. The next one begins now.
    pub fn is_due(&mut self, now_ns: u64) -> bool {
        let is_due = now_ns >= self.due_ns;
        if is_due {
            let interval = self.settings.interval.as_nanos() as u64;
            self.due_ns = now_ns - (now_ns - self.due_ns) % interval.max(1) + interval;
        }
        is_due
    }

    /// The interval is over: all flows that had packets in it are to have a record, and the meter tells its own counts. A
    /// pass that is under way goes on instead: its flows' next records have it all.
    pub fn begin_interval(&mut self, counts: &ExportCounts) {
        self.push_options(counts);
        self.meter.begin_interval();
    }

    /// The run is over: all flows are to have their last record.
    pub fn begin_end(&mut self) {
        self.meter.begin_end();
    }

    /// The meter tells its own counts.
    pub fn push_options(&mut self, counts: &ExportCounts) {
        for interface in self.meter.interfaces() {
            self.encoder
                .push_interface(interface, &mut self.of_exporter);
        }
        let domain = self.settings.domain;
        let packer = &mut self.of_exporter;
        self.encoder.push_export(domain, counts, packer);
        packer.close();
        self.meter.forget_told();
    }

    /// Makes records ahead; false: none are left to be made.
    pub fn make_ahead(&mut self, epoch: Epoch) -> bool {
        let Exporter {
            settings,
            meter,
            encoder,
            packer,
            ..
        } = self;
        while packer.full() < AHEAD {
            if !meter.go_on(epoch, &mut packing(settings, encoder, packer)) {
                packer.close();
                return false;
            }
        }
        true
    }

    /// The next body, whose records have all their templates among the first [`templates`](Self::templates).
    pub fn take(&mut self) -> Option<Body> {
        self.of_exporter.take().or_else(|| self.packer.take())
    }

    /// Ends the message that is being filled.
    pub fn close(&mut self) {
        self.packer.close();
    }

    /// Templates of flows so far.
    pub fn templates(&self) -> usize {
        self.encoder.templates().len()
    }

    /// What has to be told first in a session, if `known` is `None`; and the templates that came behind the first `known`.
    pub fn introduction(&self, known: Option<usize>) -> impl Iterator<Item = Body> {
        let mut of_exporter = packer_of(&self.settings, Subject::Exporter);
        if known.is_none() {
            self.vocabulary.introduce(&mut of_exporter);
        }
        let mut of_flows = packer_of(&self.settings, Subject::Flows);
        let templates = &self.encoder.templates()[known.unwrap_or(0)..];
        template::pack_templates(templates, &mut of_flows);
        of_exporter.finish().into_iter().chain(of_flows.finish())
    }
}

fn packer_of(settings: &Ipfix, subject: Subject) -> Packer {
    let most = match settings.collector.transport {
        Transport::Udp => LONGEST_DATAGRAM,
        Transport::Tcp => LONGEST_OF_STREAM,
    };
    Packer::new(most, subject)
}

/// Packs the records of the flows that are exported.
fn packing(
    settings: &Ipfix,
    encoder: &mut Encoder,
    packer: &mut Packer,
) -> impl FnMut(&FlowRecord<'_>) {
    let is_named = |rule: &str| settings.rules.iter().any(|name| name == rule);
    move |record| {
        if settings.rules.is_empty() || record.rule.is_some_and(is_named) {
            encoder.push_flow(record, packer);
        }
    }
}
