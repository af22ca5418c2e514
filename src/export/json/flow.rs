//! Flows and the sums over them in JSON: the cells of their columns, under the names and in the order that the table of
//! columns gives them.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::export::Record;
use crate::model::alert::AlertRule;
use crate::model::column::{Column, Context, MEMBERS, Member, Part, SEQUENCE, Value, by_id};
use crate::model::counts::Counts;
use crate::model::histogram::Histogram;
use crate::model::top::Remainder;
use crate::model::tracker::Flow;

/// The flows that a record lists.
pub struct FlowList<'a>(pub Record<'a>);

/// The sums over those that it does not list.
pub struct Sums<'a>(pub &'a Remainder);

impl Serialize for FlowList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = &self.0;
        let members: Vec<_> = MEMBERS.iter().map(find_columns).collect();
        // Thresholds are a member of their own: trouble is how a flow is far from its own past alone.
        let context = Context {
            now_ns: record.report.taken_ns,
            ..Context::default()
        };
        serializer.collect_seq(record.flows().map(|flow| FlowObject {
            flow,
            members: &members,
            context: &context,
            record,
        }))
    }
}

/// A member, and the columns of its cells.
type Found = (&'static Member, Vec<&'static Column>);

fn find_columns(member: &'static Member) -> Found {
    (
        member,
        member.cells().iter().filter_map(|id| by_id(id)).collect(),
    )
}

struct FlowObject<'a> {
    flow: &'a Flow,
    members: &'a [Found],
    context: &'a Context<'a>,
    record: &'a Record<'a>,
}

impl Serialize for FlowObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flow = self.flow;
        let cell = |column: &&'static Column| (column.json, Cell(column.value(flow, self.context)));
        let mut object = serializer.serialize_map(None)?;
        for (member, columns) in self.members {
            let mut cells = columns.iter().map(cell);
            match member {
                Member::Cell(_) => {
                    cells.try_for_each(|(name, cell)| object.serialize_entry(name, &cell))?
                }
                Member::Part(part) => {
                    let is_known = (part.is_known)(&flow.counts);
                    object.serialize_entry(part.name, &is_known.then_some(Object(cells)))?;
                }
                Member::Buckets => {
                    let buckets = flow.histogram.as_deref().map(buckets);
                    object.serialize_entry("interarrival_buckets", &buckets)?;
                }
                Member::Aggregates => {
                    object.serialize_entry("aggregates_seen", &flow.comes_in_aggregates())?;
                }
                Member::Alerts => {
                    let raised = self.record.alerts.raised(&flow.key);
                    let alerts: Vec<_> = raised.map(AlertRule::describe).collect();
                    object.serialize_entry("alerts", &alerts)?;
                }
            }
        }
        object.end()
    }
}

impl Serialize for Sums<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Remainder {
            flows,
            counts,
            rates,
            tcp,
        } = self.0;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("flows", flows)?;
        for (member, columns) in MEMBERS.iter().map(find_columns) {
            if let Member::Part(part) = member {
                object.serialize_entry(part.name, &part_of_sum(part, counts))?;
                continue;
            }
            for column in columns {
                if let Some(sum) = column.sum(counts, rates.as_ref()) {
                    object.serialize_entry(column.json, &Cell(sum))?;
                }
            }
        }
        let of_tcp = Counts {
            sequence: *tcp,
            ..Counts::default()
        };
        object.serialize_entry("sequence_tcp", &part_of_sum(&SEQUENCE, &of_tcp))?;
        object.end()
    }
}

/// What a histogram holds, bucket by bucket: from, to, ms, and how many.
pub fn buckets(histogram: &Histogram) -> Vec<(f64, f64, u64)> {
    let ms = |ns| ns as f64 / 1e6;
    let held = histogram.occupied();
    held.map(|(from, to, count)| (ms(from), ms(to), count))
        .collect()
}

/// A part of the sums, null where no flow has any of it; what does not add up in it is not known.
fn part_of_sum(part: &Part, counts: &Counts) -> Option<impl Serialize> {
    let columns = part.cells.iter().filter_map(|id| by_id(id));
    let cell = |column: &Column| column.sum(counts, None).unwrap_or(Value::Unknown);
    let cells = columns.map(move |column| (column.json, Cell(cell(column))));
    (part.is_known)(counts).then_some(Object(cells))
}

/// Names and cells.
struct Object<I>(I);

impl<'a, I: Iterator<Item = (&'static str, Cell<'a>)> + Clone> Serialize for Object<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.clone())
    }
}

/// A bare value; null where it is not known.
struct Cell<'a>(Value<'a>);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Unknown | Value::History(_) => serializer.serialize_none(),
            Value::Text(text) | Value::Sentence(text) | Value::Verdict { words: text, .. } => {
                serializer.serialize_str(text)
            }
            Value::Endpoint { address, .. } => address.serialize(serializer),
            Value::Number(n) | Value::Count(n) | Value::Bytes(n) => serializer.serialize_u64(n),
            Value::Named(number, name) => {
                let mut object = serializer.serialize_map(Some(2))?;
                object.serialize_entry("number", &number)?;
                object.serialize_entry("name", &name)?;
                object.end()
            }
            Value::Rate(x)
            | Value::PerSecond(x)
            | Value::Milliseconds(x)
            | Value::Seconds(x)
            | Value::Percent(x) => serializer.serialize_f64(x),
            service @ Value::Service(..) => {
                serializer.serialize_str(&service.text(&Context::default()))
            }
            Value::Moment { at, .. } => serializer.collect_str(&at),
        }
    }
}
