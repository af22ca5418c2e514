//! What the detail of a flow or an interface says in words and numbers.

use super::App;
use crate::model::column::{Context, Value, by_id, part_of};
use crate::model::doubt;
use crate::model::flow::FlowKey;
use crate::model::groups::Group;
use crate::model::snapshot::{Malformed, Volume};
use crate::model::tracker::{Flow, Interface, Report};
use crate::model::units;

/// A name and a text.
pub type Fact = (&'static str, String);

fn cell(id: &str, flow: &Flow, context: &Context) -> String {
    let value = by_id(id).map_or(Value::Unknown, |column| column.value(flow, context));
    value.text(context).trim().to_owned()
}

/// The flow itself: `udp 10.0.0.2:40000 → 10.0.0.1:5201`.
pub fn title(flow: &Flow, context: &Context) -> String {
    let plain = Context {
        names: None,
        ..*context
    };
    let source = cell("source", flow, &plain);
    let destination = cell("destination", flow, &plain);
    format!("{} {source} → {destination}", flow.key.protocol)
}

/// Where the flow is, its service, the rule that admitted it, its alerts, and the groups of metrics that are off.
pub fn place(app: &App, flow: &Flow) -> Vec<Fact> {
    let key = &flow.key;
    let trouble = flow.trouble();
    let mut facts: Vec<Fact> = Vec::from_iter(trouble.map(|it| ("TROUBLE", it.words.clone())));
    facts.push(("on", flow.interface.to_string()));
    if let Some(vlan) = key.vlan {
        facts.push(("vlan", vlan.to_string()));
    }
    let services = &app.preferences().services;
    let service = |port| {
        services
            .name(port, key.protocol)
            .filter(|_| key.protocol.has_ports())
    };
    if let Some(name) = service(key.destination_port) {
        facts.push(("service", name.to_owned()));
    } else if let Some(name) = service(key.source_port) {
        facts.push(("reply from", name.to_owned()));
    }
    if let Some(rule) = &flow.rule {
        facts.push(("rule", rule.to_string()));
    }
    let alerts: Vec<_> = app.alerts().raised_words(key).collect();
    if !alerts.is_empty() {
        facts.push(("ALERT", alerts.join(", ")));
    }
    if flow.comes_in_aggregates() {
        facts.push((
            "IAT",
            "per aggregate: packets come several at a time".to_owned(),
        ));
    }
    let doubt = doubt::of_loss(flow, &app.preferences().profiles);
    facts.extend(doubt.map(|text| ("loss", text)));
    facts.extend(uncounted(flow));
    facts
}

/// The numbers of a flow, by columns.
pub fn numbers(flow: &Flow, context: &Context) -> Vec<Fact> {
    const PLAIN: [(&str, &str); 14] = [
        ("throughput", "throughput"),
        ("goodput", "goodput"),
        ("packets/s", "packet_rate"),
        ("IAT mean", "interarrival_mean"),
        ("jitter (sd)", "jitter"),
        ("samples", "samples"),
        ("jitter epochs", "jitter_epochs"),
        ("packets", "packets"),
        ("bytes", "bytes"),
        ("payload", "payload_bytes"),
        ("first seen", "age"),
        ("last seen", "idle"),
        ("loss", "loss_percent"),
        ("lost", "lost"),
    ];
    const SEQUENCE: [(&str, &str); 9] = [
        ("sequence", "sequence"),
        ("received", "received"),
        ("reordered", "reordered"),
        ("duplicates", "duplicates"),
        ("reverse", "reverse_errors"),
        ("small gaps", "small_errors"),
        ("big gaps", "big_errors"),
        ("restarts", "restarts"),
        ("absent", "absent"),
    ];
    let fact = |(name, id): &(&'static str, &str)| {
        let mut text = cell(id, flow, context);
        if matches!(*id, "age" | "idle") {
            text.push_str(" ago");
        }
        let name = match *id {
            "interarrival_mean" if flow.comes_in_aggregates() => "IAT/aggregate",
            _ => *name,
        };
        (name, text)
    };
    let mut facts: Vec<Fact> = PLAIN.iter().map(fact).collect();
    if flow.counts.sequence.is_some() {
        facts.extend(SEQUENCE.iter().map(fact));
    }
    for group in Group::ALL {
        let part = part_of(group);
        if (part.is_known)(&flow.counts) {
            let columns = part.cells.iter().filter_map(|id| by_id(id));
            facts.extend(columns.map(|column| (column.title, cell(column.id, flow, context))));
        }
    }
    facts
}

/// The groups of metrics that are off, and how to have them.
fn uncounted(flow: &Flow) -> Option<Fact> {
    let is_off = |group: &Group| !(part_of(*group).is_known)(&flow.counts);
    let (names, abouts): (Vec<_>, Vec<_>) = Group::ALL
        .into_iter()
        .filter(is_off)
        .map(|group| (group.name(), group.about()))
        .unzip();
    let text = format!("{} (--metrics {})", abouts.join(", "), names.join(","));
    (!names.is_empty()).then_some(("off:", text))
}

/// The same conversation seen elsewhere or in the other direction, one line each.
pub fn relatives(flow: &Flow, shown: &Report, context: &Context) -> Vec<String> {
    let ends = |key: &FlowKey| {
        let source = (key.source, key.source_port);
        (
            key.protocol,
            source,
            (key.destination, key.destination_port),
        )
    };
    let (protocol, source, destination) = ends(&flow.key);
    let has_ports = protocol.has_ports();
    let line = |other: &Flow| {
        let way = match ends(&other.key) {
            _ if other.key == flow.key => return None,
            found if found == (protocol, source, destination) => "also",
            found if has_ports && found == (protocol, destination, source) => "back",
            _ => return None,
        };
        let cell = |id| cell(id, other, context);
        Some(format!(
            "{way} on {}: {}, jitter {}, loss {}",
            other.interface,
            cell("throughput"),
            cell("jitter"),
            cell("loss_percent")
        ))
    };
    shown.flows.iter().filter_map(line).take(4).collect()
}

/// A number in at most `room` cells: exact where there is room for that.
fn number(count: u64, room: usize) -> String {
    let exact = units::exact(count);
    match exact.len() <= room {
        true => exact,
        false => units::count(count),
    }
}

/// Packets in at most `room` cells, and their bytes where there is room for them.
fn volume(volume: Volume, room: usize) -> String {
    let (packets, bytes) = (units::exact(volume.packets), units::bytes(volume.bytes));
    let text = format!("{packets} in {}", bytes.trim());
    match text.len() <= room {
        true => text,
        false => number(volume.packets, room),
    }
}

/// What an interface's hook counted, each text in at most `room` cells.
pub fn interface(interface: &Interface, room: usize) -> Vec<Fact> {
    let counted = &interface.counted;
    let volume = |it| volume(it, room);
    let number = |it| number(it, room);
    let drops = counted
        .device_drops
        .map_or(units::UNKNOWN.to_owned(), number);
    let mut facts = vec![
        ("packets", volume(interface.counts.volume())),
        ("ended", volume(interface.ended.volume())),
        ("other", volume(counted.other)),
        ("filtered", volume(counted.filtered)),
        ("untracked", volume(counted.untracked)),
        ("malformed", volume(counted.malformed_total())),
        ("unmatched fragments", number(counted.fragments_unmatched)),
        ("estimated", number(counted.estimated)),
        ("device drops", drops),
        ("flows", number(interface.flows as u64)),
    ];
    if counted.cut_off.packets > 0 {
        facts.push(("cut off", volume(counted.cut_off)));
    }
    facts
}

/// Its malformed packets, by reason, each number in at most `room` cells.
pub fn malformed(interface: &Interface, room: usize) -> Vec<Fact> {
    let by_reason = Malformed::ALL.iter().zip(&interface.counted.malformed);
    let fact = |(reason, it): (&Malformed, &Volume)| (reason.name(), number(it.packets, room));
    by_reason.map(fact).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_give_way_first_and_then_what_is_exact() {
        let of = |packets| Volume {
            packets,
            bytes: 1_234_567,
        };
        assert_eq!(volume(of(5001), 16), "5,001 in 1.23 MB");
        assert_eq!(volume(of(5001), 15), "5,001");
        assert_eq!(volume(of(1_234_567_890), 13), "1,234,567,890");
        assert_eq!(volume(of(1_234_567_890), 12), "1.23G");
        assert_eq!(volume(of(u64::MAX), 17), "18.4E");
    }
}
