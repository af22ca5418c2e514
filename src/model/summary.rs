//! What a run came to, in a few lines: what stays on the terminal when the dashboard has gone.

use super::counts::Sequence;
use super::event::TimeOfDay;
use super::observer::describe;
use super::snapshot::Volume;
use super::tracker::{Flow, Report, loss_percent};
use super::units;

/// The flows that are named, the worst first.
const WORST: usize = 3;
/// The interfaces that are named.
const NAMED: usize = 4;

/// The summary of a run that took so long; `since` is when its totals were set to zero, if they were.
pub fn lines(report: &Report, seconds: f64, since: Option<TimeOfDay>) -> Vec<String> {
    let volume = report.interfaces.iter().map(|i| i.counts.volume());
    let volume = volume.fold(Volume::default(), |all, one| all + one);
    let since = since.map_or_else(String::new, |at| format!(" (totals since {at})"));
    let mut lines = vec![
        format!(
            "flowtop: {}{since} on {}",
            units::duration(seconds),
            names(report)
        ),
        format!(
            "{} packets, {}, {} flows, {}",
            units::exact(volume.packets),
            units::bytes(volume.bytes).trim(),
            units::exact(report.flows.len() as u64),
            losses(report)
        ),
    ];
    let worst = worst(report);
    if !worst.is_empty() {
        lines.push(format!("{:>6} {:>8}  worst flows", "loss", "jitter"));
        lines.extend(worst.into_iter().map(line_of));
    }
    lines
}

fn names(report: &Report) -> String {
    let names: Vec<_> = report.interfaces.iter().map(|i| i.name.as_str()).collect();
    match names.len() {
        0 => "no interface".to_owned(),
        all if all > NAMED => format!("{} and {} more", names[..NAMED].join(", "), all - NAMED),
        _ => names.join(", "),
    }
}

/// The losses of the listed flows: of TCP's in bytes, of all others in numbers.
fn losses(report: &Report) -> String {
    let is_stream = |sequence: &Sequence| sequence.is_of_stream();
    let sum = |of_streams: bool| {
        let flows = report.flows.iter().filter(|flow| {
            let sequence = flow.counts.sequence.as_ref();
            sequence.map(is_stream) == Some(of_streams)
        });
        let counts = flows.map(|flow| flow.counts.metered());
        counts.fold((0, 0), |(lost, arrived), one| {
            (lost + one.lost, arrived + one.arrived)
        })
    };
    let mut parts = Vec::new();
    let (lost, arrived) = sum(false);
    if let Some(share) = loss_percent(lost, arrived) {
        let (lost, share) = (units::exact(lost), units::percent(share));
        parts.push(format!("{lost} lost ({share})"));
    }
    let (lost, arrived) = sum(true);
    if let Some(share) = loss_percent(lost, arrived) {
        let (bytes, share) = (units::bytes(lost), units::percent(share));
        parts.push(format!("{} of TCP missing ({share})", bytes.trim()));
    }
    match parts.is_empty() {
        true => "loss not known".to_owned(),
        false => parts.join(", "),
    }
}

/// The flows with the largest loss, and of those that lose alike, the largest jitter.
fn worst(report: &Report) -> Vec<&Flow> {
    let rank = |flow: &Flow| {
        (
            flow.loss_percent().unwrap_or(0.0),
            flow.interarrival.jitter_ms().unwrap_or(0.0),
        )
    };
    let mut flows: Vec<&Flow> = report
        .flows
        .iter()
        .filter(|f| rank(f) > (0.0, 0.0))
        .collect();
    flows.sort_by(|a, b| {
        let ((loss, jitter), (other_loss, other_jitter)) = (rank(a), rank(b));
        other_loss
            .total_cmp(&loss)
            .then(other_jitter.total_cmp(&jitter))
    });
    flows.truncate(WORST);
    flows
}

fn line_of(flow: &Flow) -> String {
    let known = |text: Option<String>| text.unwrap_or_else(|| units::UNKNOWN.to_owned());
    format!(
        "{:>6} {:>8}  {}",
        known(flow.loss_percent().map(units::percent)),
        known(flow.interarrival.jitter_ms().map(units::milliseconds)),
        describe(flow)
    )
}
