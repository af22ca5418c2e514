//! The text of a page.

use std::io::{self, Write};
use std::net::IpAddr;

use super::families::FAMILIES;
use super::family::{Family, Kind, Number, Samples};
use super::{Format, Page, Refusal, Service};
use crate::model::metrics::{Identity, Spread};
use crate::model::snapshot::Malformed;

/// The labels of many samples, each with its braces and the space behind them, written once for all families that have them.
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
            labels.text.extend(b"} ");
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

    fn add_number(&mut self, name: &str, value: u16) -> &mut Self {
        self.begin(name);
        put_number(self.text, value);
        self.text.push(b'"');
        self
    }

    fn add_address(&mut self, name: &str, value: IpAddr) -> &mut Self {
        self.begin(name);
        match value {
            IpAddr::V4(address) => {
                for (place, octet) in address.octets().into_iter().enumerate() {
                    if place > 0 {
                        self.text.push(b'.');
                    }
                    put_number(self.text, octet);
                }
            }
            // Memory always takes it.
            IpAddr::V6(address) => _ = write!(self.text, "{address}"),
        }
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

fn put_number(text: &mut Vec<u8>, value: impl itoa::Integer) {
    text.extend(itoa::Buffer::new().format(value).as_bytes());
}

/// All labels that many samples share.
struct AllLabels {
    interfaces: Labels,
    rules: Labels,
    flows: Labels,
}

/// Writes the whole page to `out`, in many small pieces.
pub fn write(
    page: &Page,
    service: &Service,
    format: Format,
    out: &mut impl Write,
) -> io::Result<()> {
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
        out,
        format,
        name: String::new(),
    };
    for family in FAMILIES {
        text.begin(family)?;
        text.write_samples(family, page, service, &labels)?;
    }
    match format {
        Format::OpenMetrics => out.write_all(b"# EOF\n"),
        Format::Text => Ok(()),
    }
}

/// How many series flows have.
fn flow_series(page: &Page) -> u64 {
    let flows = &page.exposition.flows;
    let of_family = |family: &Family| match family.samples {
        Samples::Flow(value) => flows.iter().filter(|flow| value(flow).is_some()).count(),
        _ => 0,
    };
    FAMILIES.iter().map(of_family).sum::<usize>() as u64
}

fn label_flow(identity: &Identity, labels: &mut LabelSet<'_>) {
    let key = &identity.key;
    labels.add("interface", &identity.interface);
    labels.add("rule", identity.rule.as_deref().unwrap_or_default());
    labels.add("protocol", key.protocol.name());
    label_end(
        labels,
        ["source", "source_port"],
        key.source,
        key.source_port,
    );
    let names = ["destination", "destination_port"];
    label_end(labels, names, key.destination, key.destination_port);
    if let Some(vlan) = key.vlan {
        labels.add_number("vlan", vlan);
    }
}

fn label_end(labels: &mut LabelSet<'_>, names: [&str; 2], address: IpAddr, port: u16) {
    labels
        .add_address(names[0], address)
        .add_number(names[1], port);
}

/// The text, and how it is written.
struct Text<'a, W> {
    out: &'a mut W,
    format: Format,
    /// The name of the samples of the family under way.
    name: String,
}

impl<W: Write> Text<'_, W> {
    /// Writes what stands in front of a family's samples.
    fn begin(&mut self, family: &Family) -> io::Result<()> {
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
        self.out.write_all(head.as_bytes())
    }

    fn write_samples(
        &mut self,
        family: &Family,
        page: &Page,
        service: &Service,
        labels: &AllLabels,
    ) -> io::Result<()> {
        let all = &page.exposition;
        match family.samples {
            Samples::One(value) => self.sample(b" ", value(page, service))?,
            Samples::SeriesOfFlows => self.sample(b" ", Some(Number::Whole(flow_series(page))))?,
            Samples::Export(value) => {
                self.sample(b" ", page.ipfix.as_ref().map(value).map(Number::Whole))?;
            }
            Samples::Interface(value) => {
                for ((_, series), labels) in all.interfaces.iter().zip(labels.interfaces.iter()) {
                    self.sample(labels, value(series).map(Number::Whole))?;
                }
            }
            Samples::Rule(value) => {
                for (row, labels) in all.rules.iter().zip(labels.rules.iter()) {
                    self.sample(labels, Some(Number::Whole(value(row))))?;
                }
            }
            Samples::Flow(value) => {
                for (flow, labels) in all.flows.iter().zip(labels.flows.iter()) {
                    self.sample(labels, value(flow))?;
                }
            }
            Samples::Malformed(value) => {
                for (name, series) in &all.interfaces {
                    for (reason, volume) in Malformed::ALL.iter().zip(&series.malformed) {
                        let labels = |set: &mut LabelSet<'_>| {
                            set.add("interface", name).add("reason", reason.name());
                        };
                        self.labelled(labels, Number::Whole(value(volume)))?;
                    }
                }
            }
            Samples::Spread(value) => {
                for row in &all.figures {
                    if let Some(spread) = value(row) {
                        self.quantiles(row.rule.as_deref().unwrap_or_default(), &spread)?;
                    }
                }
            }
            Samples::Alerts => {
                for row in &all.alerts {
                    let rule = row.rule.as_deref().unwrap_or_default();
                    let labels = |set: &mut LabelSet<'_>| {
                        set.add("rule", rule).add("alert", &row.alert);
                    };
                    self.labelled(labels, Number::Whole(row.flows))?;
                }
            }
            Samples::Build => self.build()?,
            Samples::Refused => {
                for (reason, count) in Refusal::ALL.iter().zip(service.refused) {
                    let labels = |set: &mut LabelSet<'_>| _ = set.add("reason", reason.name());
                    self.labelled(labels, Number::Whole(count))?;
                }
            }
        }
        Ok(())
    }

    fn build(&mut self) -> io::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        let labels = |set: &mut LabelSet<'_>| _ = set.add("version", version);
        self.labelled(labels, Number::Whole(1))
    }

    fn quantiles(&mut self, rule: &str, spread: &Spread) -> io::Result<()> {
        for (quantile, value) in [
            ("0.5", spread.median),
            ("0.95", spread.p95),
            ("1", spread.max),
        ] {
            let labels =
                |set: &mut LabelSet<'_>| _ = set.add("rule", rule).add("quantile", quantile);
            self.labelled(labels, Number::Seconds(value))?;
        }
        Ok(())
    }

    fn labelled(&mut self, labels: impl Fn(&mut LabelSet<'_>), value: Number) -> io::Result<()> {
        let labels = Labels::of(&[()], |(), set| labels(set));
        self.sample(&labels.text, Some(value))
    }

    /// Writes a sample; what is not known has none. `labels`: with the space behind them.
    fn sample(&mut self, labels: &[u8], value: Option<Number>) -> io::Result<()> {
        let Some(value) = value else {
            return Ok(());
        };
        self.out.write_all(self.name.as_bytes())?;
        self.out.write_all(labels)?;
        match value {
            Number::Whole(count) => write_count(self.out, count)?,
            Number::Seconds(seconds) => write_seconds(self.out, seconds)?,
        }
        self.out.write_all(b"\n")
    }
}

fn write_count(out: &mut impl Write, count: u64) -> io::Result<()> {
    out.write_all(itoa::Buffer::new().format(count).as_bytes())
}

/// To the picosecond: digits behind that are noise, and cost more than all others.
fn write_seconds(out: &mut impl Write, seconds: f64) -> io::Result<()> {
    const PLACES: usize = 12;
    const UNIT: u64 = 10_u64.pow(PLACES as u32);
    let scaled = (seconds * UNIT as f64).round();
    if !(0.0..1e18).contains(&scaled) {
        return write!(out, "{seconds}");
    }
    let scaled = scaled as u64;
    write_count(out, scaled / UNIT)?;
    let mut digits = itoa::Buffer::new();
    // The one in front keeps the zeros behind it.
    let digits = digits.format(UNIT + scaled % UNIT)[1..].trim_end_matches('0');
    if digits.is_empty() {
        return Ok(());
    }
    out.write_all(b".")?;
    out.write_all(digits.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_decimals_to_the_picosecond() {
        for (seconds, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.5, "0.5"),
            (12_345.25, "12345.25"),
            (1e-9, "0.000000001"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3e6, "0.000000333333"),
            (4e-13, "0"),
            (0.999_999_999_999_9, "1"),
            (2e6, "2000000"),
            (f64::INFINITY, "inf"),
        ] {
            let mut text = Vec::new();
            write_seconds(&mut text, seconds).expect("room");
            assert_eq!(String::from_utf8_lossy(&text), expected);
        }
    }
}
