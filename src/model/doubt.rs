//! Why a flow has no loss, or one that is not to be believed.

use super::counts::Sequence;
use super::flow::Protocol;
use super::rule::Profiles;
use super::tracker::Flow;

/// Fewer packets say nothing about what is read as their numbers.
const ENOUGH: u64 = 50;

/// The port of a profile that is ready made.
const PROFILES: [(u16, &str); 1] = [(5201, "iperf3")];

/// What one has to know about the loss of this flow: why it has none, or that what is read are no sequence numbers.
pub fn of_loss(flow: &Flow, profiles: &Profiles) -> Option<String> {
    let protocol = flow.key.protocol;
    let profile = profiles.of(flow.rule.as_deref());
    match &flow.counts.sequence {
        _ if protocol == Protocol::Tcp => None,
        None => Some(format!(
            "no sequence number configured: OFFSET or PROFILE{}",
            suggestion(protocol, [flow.key.destination_port, flow.key.source_port])
        )),
        Some(sequence) if sequence.received == 0 && sequence.absent > 0 => {
            Some(format!("no packet has a sequence number there: {profile}"))
        }
        Some(sequence) if !are_no_numbers(sequence) => None,
        Some(_) if profile.reads_payload() => Some(format!(
            "{profile} looks wrong: these are not sequence numbers"
        )),
        Some(_) => Some("these look like no sequence numbers".to_owned()),
    }
}

/// Why a flow without sequence numbers has none, from the longest text to the shortest.
pub fn of_none(flow: &Flow, profiles: &Profiles) -> Vec<String> {
    let ports = [flow.key.destination_port, flow.key.source_port];
    let shorter = |full| {
        let hint = suggestion(flow.key.protocol, ports);
        let short = "no OFFSET or PROFILE";
        [
            full,
            format!("{short}{hint}"),
            short.into(),
            "no OFFSET".into(),
        ]
    };
    let full = of_loss(flow, profiles);
    full.map_or_else(Vec::new, |full| shorter(full).into())
}

/// Whether what was read are no sequence numbers, by all looks: most packets repeat one, or for a quarter it is further
/// ahead than the threshold or begins another series.
pub fn are_no_numbers(sequence: &Sequence) -> bool {
    let repeated = sequence.duplicates.unwrap_or(0);
    let elsewhere = sequence.big_errors + sequence.restarts;
    sequence.received >= ENOUGH
        && (2 * repeated > sequence.received || 4 * elsewhere > sequence.received)
}

fn suggestion(protocol: Protocol, ports: [u16; 2]) -> String {
    let known = PROFILES.iter().find(|(port, _)| ports.contains(port));
    match known.filter(|_| protocol == Protocol::Udp) {
        Some((port, profile)) => format!(" (port {port}: \"{profile}\"?)"),
        None => String::new(),
    }
}
