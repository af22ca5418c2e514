//! The demo's flows and the rules of its configuration: two tables.
//!
//! A new flow is a row in [`FLOWS`]; if its packets carry a number, its rule in [`RULES`] says where.

use std::fmt::Write;
use std::time::Duration;

use super::script::{self, Rhythm};

/// The word that the `pattern` flow hides its number behind ("FLOW").
pub const PATTERN: u32 = 0x464c_4f57;

/// One flow.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Name of the sender.
    pub name: &'static str,
    /// Name of its rule in [`RULES`].
    pub rule: &'static str,
    /// IPv6 instead of IPv4.
    pub v6: bool,
    /// What is sent.
    pub kind: FlowKind,
}

/// What a flow is made of.
#[derive(Debug, Clone, Copy)]
pub enum FlowKind {
    /// UDP packets.
    Datagrams {
        /// Destination port; the source port is 35000 higher.
        port: u16,
        /// Bytes in each packet.
        payload: usize,
        /// Where the number is.
        place: Place,
        /// When packets are sent, and which numbers they carry.
        rhythm: Rhythm,
    },
    /// Echo requests.
    Echo {
        /// Their identifier.
        identifier: u16,
        /// When they are sent.
        rhythm: Rhythm,
    },
    /// A TCP connection, opened from the watched side; the data comes from the other one, port 8080.
    Stream {
        /// Port on the watched side.
        port: u16,
        /// Bytes handed to the kernel at a time.
        chunk: usize,
        /// How often.
        every: Duration,
    },
}

/// Where in a payload the big-endian 32-bit sequence number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At the beginning.
    Start,
    /// Behind [`PATTERN`], at an odd position that is another one in each packet.
    BehindPattern,
}

/// Port on which the streams come from.
pub const STREAM_PORT: u16 = 8080;

const fn udp(name: &'static str, v6: bool, port: u16, payload: usize, rhythm: Rhythm) -> Row {
    Row {
        name,
        rule: name,
        v6,
        kind: FlowKind::Datagrams {
            port,
            payload,
            place: Place::Start,
            rhythm,
        },
    }
}

const fn echo(name: &'static str, v6: bool, identifier: u16) -> Row {
    Row {
        name,
        rule: "ping",
        v6,
        kind: FlowKind::Echo {
            identifier,
            rhythm: script::PING,
        },
    }
}

const fn stream(name: &'static str, v6: bool, port: u16, chunk: usize, milliseconds: u64) -> Row {
    Row {
        name,
        rule: "web",
        v6,
        kind: FlowKind::Stream {
            port,
            chunk,
            every: Duration::from_millis(milliseconds),
        },
    }
}

/// All flows.
pub const FLOWS: [Row; 11] = [
    udp("voice", false, 5004, 172, script::VOICE),
    udp("bursts", true, 5006, 1000, script::BURSTS),
    udp("lossy", false, 5010, 300, script::LOSSY),
    udp("reordering", false, 5011, 300, script::REORDERING),
    udp("duplicates", true, 5012, 300, script::DUPLICATES),
    Row {
        name: "pattern",
        rule: "pattern",
        v6: false,
        kind: FlowKind::Datagrams {
            port: 5013,
            payload: 1200,
            place: Place::BehindPattern,
            rhythm: script::STEADY,
        },
    },
    udp("pausing", false, 5014, 500, script::PAUSING),
    echo("ping", false, 0x4601),
    echo("ping6", true, 0x4602),
    stream("web", false, 45001, 8 * 1024, 40),
    stream("web6", true, 45002, 32 * 1024, 200),
];

/// The rules, in their order: name, what matches, and the keys that say where the number is.
const RULES: [(&str, &str, &str); 10] = [
    ("voice", "- - - 5004 UDP", r#""OFFSET": 0"#),
    ("bursts", "- - - 5006 UDP", r#""OFFSET": 0"#),
    ("lossy", "- - - 5010 UDP", r#""OFFSET": 0"#),
    ("reordering", "- - - 5011 UDP", r#""OFFSET": 0"#),
    ("duplicates", "- - - 5012 UDP", r#""OFFSET": 0"#),
    (
        "pattern",
        "- - - 5013 UDP",
        r#""PATTERN": "0x464C4F57", "OFFSET": 4"#,
    ),
    ("pausing", "- - - 5014 UDP", r#""OFFSET": 0"#),
    ("ping", "- - - - ICMP", ""),
    ("web", "- - 8080 - TCP", ""),
    ("rest", "- - - - -", ""),
];

/// The demo's config.json.
pub fn config() -> String {
    let mut text = String::from("{\n  \"RULES\": {\n");
    for (index, (name, matches, profile)) in RULES.iter().enumerate() {
        let comma = if index + 1 < RULES.len() { "," } else { "" };
        // Writing to a String does not fail.
        let _ = match profile.is_empty() {
            true => writeln!(text, r#"    "{name}": "{matches}"{comma}"#),
            false => writeln!(
                text,
                r#"    "{name}": {{"match": "{matches}", {profile}}}{comma}"#
            ),
        };
    }
    text.push_str("  }\n}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_json_with_a_rule_for_each_flow_and_the_catch_all_last() {
        let text = config();
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for row in FLOWS {
            let rule = &json["RULES"][row.rule];
            if let FlowKind::Datagrams { port, .. } = row.kind {
                assert_eq!(rule["match"], format!("- - - {port} UDP"), "{}", row.name);
            }
            assert!(!rule.is_null(), "{}", row.name);
        }
        let pattern = format!("0x{PATTERN:X}");
        assert_eq!(json["RULES"]["pattern"]["PATTERN"], pattern);
        assert_eq!(RULES.last().map(|rule| rule.0), Some("rest"));
    }

    #[test]
    fn flows_have_names_and_ports_of_their_own() {
        let identity = |row: &Row| match row.kind {
            FlowKind::Datagrams { port, .. } | FlowKind::Stream { port, .. } => port,
            FlowKind::Echo { identifier, .. } => identifier,
        };
        for (index, row) in FLOWS.iter().enumerate() {
            for other in &FLOWS[index + 1..] {
                assert_ne!(row.name, other.name);
                assert_ne!(identity(row), identity(other));
            }
        }
    }
}
