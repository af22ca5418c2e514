//! A plain table an interval, for people who read a log: busiest flows first (of a bounded number, those that were
//! chosen in their order), the same columns as the screen.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::{Exporter, Record};
use crate::model::column::{Align, Column, Context, DEFAULT, LOSS, TROUBLE, by_id};
use crate::model::harmless::harmless;
use crate::model::top::Remainder;
use crate::model::tracker::{Flow, Interface};
use crate::model::units;

/// Interfaces line by line, then the flows.
pub struct Text;

impl Exporter for Text {
    fn write(&self, record: &Record, out: &mut dyn Write) -> io::Result<()> {
        let context = Context {
            unit: record.unit,
            now_ns: record.report.taken_ns,
            alerts: Some(record.alerts),
            ..Context::default()
        };
        writeln!(out, "{}", record.time)?;
        if let Some(error) = record.config.error {
            writeln!(out, "configuration refused: {error}")?;
        }
        for interface in &record.report.interfaces {
            writeln!(out, "{}", summary(interface, &context))?;
        }
        write_flows(record, &context, out)?;
        if let Some(top) = record.top.filter(|top| top.remainder.flows > 0) {
            writeln!(out, "{}", of_the_rest(&top.remainder, &context))?;
        }
        writeln!(out)
    }
}

fn of_the_rest(rest: &Remainder, context: &Context) -> String {
    let rate = rest.rates.map_or(units::UNKNOWN.to_owned(), |r| {
        units::rate(r.throughput, context.unit)
    });
    format!(
        "and {} more flows  {}  {} packets",
        rest.flows,
        rate.trim_start(),
        rest.counts.packets
    )
}

fn summary(interface: &Interface, context: &Context) -> String {
    let hook = interface.hook.map_or("not attached", |hook| hook.name());
    let rate = interface.rates.map_or(units::UNKNOWN.to_owned(), |r| {
        units::rate(r.throughput, context.unit)
    });
    let mut line = format!(
        "{}  {}  {hook}  {}  {} flows  {} packets",
        harmless(&interface.name),
        interface.state.name(),
        rate.trim_start(),
        interface.flows,
        interface.counts.packets,
    );
    let counted = &interface.counted;
    for (name, volume) in [
        ("ended", interface.ended.volume()),
        ("other", counted.other),
        ("filtered", counted.filtered),
        ("untracked", counted.untracked),
        ("malformed", counted.malformed_total()),
        ("cut off", counted.cut_off),
    ] {
        if volume.packets > 0 {
            line += &format!("  {name} {}", volume.packets);
        }
    }
    line
}

/// The columns of a new dashboard and those of losses, but for what is drawn, and for what is not known of any flow.
fn columns(has_histograms: bool) -> Vec<&'static Column> {
    let is_other = |id: &&&str| !LOSS.contains(id) && **id != TROUBLE;
    let others = DEFAULT.iter().filter(is_other);
    let columns = others.chain(LOSS).chain([&TROUBLE]);
    let is_shown =
        |column: &&Column| !column.is_history() && (has_histograms || !column.is_of_histogram());
    columns
        .filter_map(|id| by_id(id))
        .filter(is_shown)
        .collect()
}

fn write_flows(record: &Record, context: &Context, out: &mut dyn Write) -> io::Result<()> {
    let mut flows: Vec<&Flow> = record.flows().collect();
    let columns = match record.columns {
        Some(chosen) => chosen
            .iter()
            .copied()
            .filter(|it| !it.is_history())
            .collect(),
        None => columns(flows.iter().any(|flow| flow.histogram.is_some())),
    };
    if record.top.is_none() {
        let throughput = |flow: &Flow| flow.rates.map_or(0.0, |r| r.throughput);
        flows.sort_by(|a, b| {
            throughput(b)
                .total_cmp(&throughput(a))
                .then(a.key.cmp(&b.key))
        });
    }
    let rows: Vec<Vec<String>> = flows
        .iter()
        .map(|flow| {
            columns
                .iter()
                .map(|c| harmless(c.value(flow, context).text(context).trim()).into_owned())
                .collect()
        })
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            rows.iter()
                .map(|row| row[at].width())
                .chain([column.title.width()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let titles: Vec<String> = columns
        .iter()
        .map(|column| column.title.to_owned())
        .collect();
    for row in std::iter::once(&titles).chain(&rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&columns)
            .zip(&widths)
            .map(|((text, column), width)| padded(text, column.align, *width))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn padded(text: &str, align: Align, width: usize) -> String {
    let space = " ".repeat(width.saturating_sub(text.width()));
    match align {
        Align::Left => text.to_owned() + &space,
        Align::Right => space + text,
    }
}
