//! The text of a page.

use std::io::Write;
use std::net::IpAddr;

use super::families::{FAMILIES, Family, Kind, Number, Samples};
use super::{Format, Page, Refusal, Service};
use crate::model::metrics::{FlowSeries, Identity, Spread};
use crate::model::snapshot::Malformed;

/// The labels of many samples, each with its braces, written once for all families that have them.
#[derive(Default)]
struct Labels {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Labels {
    fn of<T>(rows: &[T], write: impl Fn(&T, &mut LabelSet<'_>)) -> Labels {
        let mut labels = Labels::default();
        for row in rows {
            labels.text.push(b'{');
            let text = &mut labels.text;
            write(
                row,
                &mut LabelSet {
                    text,
                    is_first: true,
                },
            );
            labels.text.push(b'}');
            labels.ends.push(labels.text.len());
        }
        labels
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ends = self.ends.iter();
        starts.zip(ends).map(|(start, end)| &self.text[start..*end])
    }
}

/// The labels of one sample.
struct LabelSet<'a> {
    text: &'a mut Vec<u8>,
    is_first: bool,
}

impl LabelSet<'_> {
    fn add(&mut self, name: &str, value: &str) -> &mut Self {
        self.begin(name);
        for byte in value.bytes() {
            match byte {
                b'\\' => self.text.extend(b"\\\\"),
                b'"' => self.text.extend(b"\\\""),
                b'\n' => self.text.extend(b"\\n"),
                other => self.text.push(other),
            }
        }
        self.text.push(b'"');
        self
    }

    /// A value without anything to escape.
    fn add_plain(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.begin(name);
        put(self.text, value);
        self.text.push(b'"');
        self
    }

    fn begin(&mut self, name: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.text.push(b',');
        }
        self.text.extend(name.as_bytes());
        self.text.extend(b"=\"");
    }
}

/// Appends what memory always takes.
fn put(text: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(text, "{value}");
}

/// All labels that many samples share.
struct AllLabels {
    interfaces: Labels,
    rules: Labels,
    flows: Labels,
}

/// The whole page.
pub fn write(page: &Page, service: &Service, format: Format) -> Vec<u8> {
    let exposition = &page.exposition;
    let labels = AllLabels {
        interfaces: Labels::of(&exposition.interfaces, |(name, _), labels| {
            labels.add("interface", name);
        }),
        rules: Labels::of(&exposition.rules, |row, labels| {
            let rule = row.rule.as_deref().unwrap_or_default();
            labels.add("rule", rule).add("interface", &row.interface);
        }),
        flows: Labels::of(&exposition.flows, |flow, labels| {
            label_flow(&flow.identity, labels);
        }),
    };
    let mut text = Text {
        bytes: Vec::with_capacity(16 << 10),
        format,
        name: String::new(),
    };
    for family in FAMILIES {
        text.begin(family);
        text.write_samples(family, page, service, &labels);
    }
    if format == Format::OpenMetrics {
        text.bytes.extend(b"# EOF\n");
    }
    text.bytes
}

/// How many series flows have.
fn flow_series(page: &Page) -> u64 {
    let of_flow = |flow: &FlowSeries| {
        let has = |family: &&Family| match family.samples {
            Samples::Flow(value) => value(flow).is_some(),
            _ => false,
        };
        FAMILIES.iter().filter(has).count() as u64
    };
    page.exposition.flows.iter().map(of_flow).sum()
}

fn label_flow(identity: &Identity, labels: &mut LabelSet<'_>) {
    let key = &identity.key;
    labels.add("interface", &identity.interface);
    labels.add("rule", identity.rule.as_deref().unwrap_or_default());
    labels.add_plain("protocol", key.protocol);
    label_end(
        labels,
        ["source", "source_port"],
        key.source,
        key.source_port,
    );
    let names = ["destination", "destination_port"];
    label_end(labels, names, key.destination, key.destination_port);
    if let Some(vlan) = key.vlan {
        labels.add_plain("vlan", vlan);
    }
}

fn label_end(labels: &mut LabelSet<'_>, names: [&str; 2], address: IpAddr, port: u16) {
    labels
        .add_plain(names[0], address)
        .add_plain(names[1], port);
}

/// The text as far as it is written.
struct Text {
    bytes: Vec<u8>,
    format: Format,
    /// The name of the samples of the family under way.
    name: String,
}

impl Text {
    /// Writes what stands in front of a family's samples.
    fn begin(&mut self, family: &Family) {
        self.name = format!("{}{}", family.name, family.kind.suffix());
        let (name, kind) = match (self.format, family.kind) {
            (Format::OpenMetrics, kind) => (family.name, kind),
            (Format::Text, Kind::Info) => (&*self.name, Kind::Gauge),
            (Format::Text, kind) => (&*self.name, kind),
        };
        let mut head = format!("# HELP {name} {}\n", family.help);
        head += &format!("# TYPE {name} {}\n", kind.name());
        if let (Format::OpenMetrics, Some(unit)) = (self.format, family.unit()) {
            head += &format!("# UNIT {name} {unit}\n");
        }
        self.bytes.extend(head.as_bytes());
    }

    fn write_samples(
        &mut self,
        family: &Family,
        page: &Page,
        service: &Service,
        labels: &AllLabels,
    ) {
        let all = &page.exposition;
        match family.samples {
            Samples::One(value) => self.sample(b"", value(page, service)),
            Samples::SeriesOfFlows => self.sample(b"", Some(Number::Whole(flow_series(page)))),
            Samples::Interface(value) => {
                for ((_, series), labels) in all.interfaces.iter().zip(labels.interfaces.iter()) {
                    self.sample(labels, value(series).map(Number::Whole));
                }
            }
            Samples::Rule(value) => {
                for (row, labels) in all.rules.iter().zip(labels.rules.iter()) {
                    self.sample(labels, Some(Number::Whole(value(row))));
                }
            }
            Samples::Flow(value) => {
                for (flow, labels) in all.flows.iter().zip(labels.flows.iter()) {
                    self.sample(labels, value(flow));
                }
            }
            Samples::Malformed(value) => {
                for (name, series) in &all.interfaces {
                    for (reason, volume) in Malformed::ALL.iter().zip(&series.malformed) {
                        let labels = |set: &mut LabelSet<'_>| {
                            set.add("interface", name).add("reason", reason.name());
                        };
                        self.labelled(labels, Number::Whole(value(volume)));
                    }
                }
            }
            Samples::Spread(value) => {
                for row in &all.figures {
                    let rule = row.rule.as_deref().unwrap_or_default();
                    if let Some(spread) = value(row) {
                        self.quantiles(rule, &spread);
                    }
                }
            }
            Samples::Alerts => {
                for row in &all.alerts {
                    let rule = row.rule.as_deref().unwrap_or_default();
                    let labels = |set: &mut LabelSet<'_>| {
                        set.add("rule", rule).add("alert", &row.alert);
                    };
                    self.labelled(labels, Number::Whole(row.flows));
                }
            }
            Samples::Build => {
                let version = env!("CARGO_PKG_VERSION");
                let labels = |set: &mut LabelSet<'_>| _ = set.add("version", version);
                self.labelled(labels, Number::Whole(1));
            }
            Samples::Refused => {
                for (reason, count) in Refusal::ALL.iter().zip(service.refused) {
                    let labels = |set: &mut LabelSet<'_>| _ = set.add("reason", reason.name());
                    self.labelled(labels, Number::Whole(count));
                }
            }
        }
    }

    fn quantiles(&mut self, rule: &str, spread: &Spread) {
        for (quantile, value) in [
            ("0.5", spread.median),
            ("0.95", spread.p95),
            ("1", spread.max),
        ] {
            let labels =
                |set: &mut LabelSet<'_>| _ = set.add("rule", rule).add("quantile", quantile);
            self.labelled(labels, Number::Real(value));
        }
    }

    fn labelled(&mut self, labels: impl Fn(&mut LabelSet<'_>), value: Number) {
        let labels = Labels::of(&[()], |(), set| labels(set));
        self.sample(&labels.text, Some(value));
    }

    /// Writes a sample; what is not known has none.
    fn sample(&mut self, labels: &[u8], value: Option<Number>) {
        let Some(value) = value else {
            return;
        };
        self.bytes.extend(self.name.as_bytes());
        self.bytes.extend(labels);
        match value {
            Number::Whole(count) => put(&mut self.bytes, format_args!(" {count}\n")),
            Number::Real(value) => put(&mut self.bytes, format_args!(" {value}\n")),
        }
    }
}
