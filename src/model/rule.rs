//! Rules (which packets are flows) and sequence profiles (where a packet's sequence number is).
//!
//! Pure values: the text form is read in `config::rule`, the kernel form is made in `probe::rules`.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::flow::{FlowKey, Protocol};

/// At most this many rules: one bit each in a 64-bit mask.
pub const MAX_RULES: usize = 64;
/// At most this many combinations of list items over all rules.
pub const MAX_RULE_TERMS: usize = 1024;

/// The bits of a payload's sequence number, after which it begins again at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SequenceWidth {
    /// Two bytes.
    Bits16,
    /// Four bytes.
    #[default]
    Bits32,
}

impl SequenceWidth {
    /// Number of bits.
    pub const fn bits(self) -> u32 {
        match self {
            SequenceWidth::Bits16 => 16,
            SequenceWidth::Bits32 => 32,
        }
    }
}

/// The order of the bytes of a payload's sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ByteOrder {
    /// Most significant byte first: network order.
    #[default]
    Big,
    /// Least significant byte first.
    Little,
}

/// What a payload must look like for its number to be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadRequirement {
    /// The top two bits of byte 0 are 2: the version of RTP (RFC 3550 section 5.1).
    RtpVersion2,
}

/// Where a UDP or ICMP payload carries its sequence number, and how its gaps are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SequenceProfile {
    /// The big-endian 32-bit word to look for at any alignment, whatever the number's
    /// own `width` and `byte_order`; `None`: no search.
    pub pattern: Option<u32>,
    /// Bytes from the payload's start, or from the pattern's first byte, to the number.
    /// `None` without a pattern: no payload sequence; `None` with a pattern counts as 0.
    pub offset: Option<u16>,
    /// A gap is small while sequence number - previous one <= threshold, else big. At least 1.
    pub threshold: u32,
    /// Size of the number. Differences are signed and modulo 2^bits.
    pub width: SequenceWidth,
    /// Order of the number's bytes.
    pub byte_order: ByteOrder,
    /// A payload that does not meet this has no number: it counts as `absent`. `None`: any payload does.
    pub require: Option<PayloadRequirement>,
}

impl SequenceProfile {
    /// Payloads carry no sequence number that flowtop knows of.
    pub const OFF: SequenceProfile = SequenceProfile {
        pattern: None,
        offset: None,
        threshold: 10,
        width: SequenceWidth::Bits32,
        byte_order: ByteOrder::Big,
        require: None,
    };

    /// Whether payloads are looked at with this profile.
    pub const fn reads_payload(&self) -> bool {
        self.pattern.is_some() || self.offset.is_some()
    }
}

impl std::fmt::Display for SequenceProfile {
    /// Where the number is, by the keys of the configuration that say so: `OFFSET 8`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offset = self.offset.unwrap_or(0);
        match (self.pattern, self.require) {
            (Some(pattern), _) => write!(f, "PATTERN {pattern:#010x}, OFFSET {offset}"),
            (None, Some(PayloadRequirement::RtpVersion2)) => {
                write!(f, "PROFILE rtp, OFFSET {offset}")
            }
            (None, None) => write!(f, "OFFSET {offset}"),
        }
    }
}

/// Where the sequence numbers of all flows are, by the rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profiles {
    global: SequenceProfile,
    /// Those of rules that have one of their own.
    of_rules: Vec<(String, SequenceProfile)>,
}

impl Profiles {
    /// The global one, and those of these rules.
    pub fn new(global: SequenceProfile, rules: &[Rule]) -> Profiles {
        let own = |rule: &Rule| Some((rule.name.clone(), rule.profile?));
        Profiles {
            global,
            of_rules: rules.iter().filter_map(own).collect(),
        }
    }

    /// That of flows of the rule with this name, or of no rule.
    pub fn of(&self, rule: Option<&str>) -> &SequenceProfile {
        let mut own = self.of_rules.iter();
        let found = own.find(|(name, _)| Some(name.as_str()) == rule);
        found.map_or(&self.global, |(_, profile)| profile)
    }
}

impl Default for SequenceProfile {
    fn default() -> Self {
        SequenceProfile::OFF
    }
}

/// One rule: a packet matches when each of the five fields does. An empty list means any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The rule's name in the configuration.
    pub name: String,
    /// Source prefixes.
    pub sources: Vec<IpNet>,
    /// Destination prefixes.
    pub destinations: Vec<IpNet>,
    /// Source ports. A rule with ports matches TCP and UDP only.
    pub source_ports: Vec<RangeInclusive<u16>>,
    /// Destination ports. A rule with ports matches TCP and UDP only.
    pub destination_ports: Vec<RangeInclusive<u16>>,
    /// Protocols; the word ICMP in a rule stands for both families.
    pub protocols: Vec<Protocol>,
    /// The sequence profile of flows whose first matching rule this is; `None`: the global one.
    pub profile: Option<SequenceProfile>,
    /// Its flows keep histograms of the time between their packets.
    pub histogram: bool,
    /// So many of its flows, the largest, have series of their own in what `LISTEN` serves.
    pub export: u32,
}

impl Rule {
    /// The combinations of list items that the rule stands for: at least 1.
    pub fn terms(&self) -> usize {
        [
            self.sources.len(),
            self.destinations.len(),
            self.source_ports.len(),
            self.destination_ports.len(),
            self.protocols.len(),
        ]
        .into_iter()
        .map(|n| n.max(1))
        .fold(1, usize::saturating_mul)
    }

    /// Whether a flow with this key matches. This is the definition; the kernel program is held to it by a test.
    pub fn matches(&self, key: &FlowKey) -> bool {
        fn any<T>(list: &[T], matches: impl Fn(&T) -> bool) -> bool {
            list.is_empty() || list.iter().any(matches)
        }
        let ports = |list: &[RangeInclusive<u16>], port: u16| {
            list.is_empty() || key.protocol.has_ports() && list.iter().any(|r| r.contains(&port))
        };
        any(&self.sources, |net| net.contains(&key.source))
            && any(&self.destinations, |net| net.contains(&key.destination))
            && ports(&self.source_ports, key.source_port)
            && ports(&self.destination_ports, key.destination_port)
            && any(&self.protocols, |protocol| *protocol == key.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any flow.
    fn any() -> Rule {
        Rule {
            name: "a rule".into(),
            sources: Vec::new(),
            destinations: Vec::new(),
            source_ports: Vec::new(),
            destination_ports: Vec::new(),
            protocols: Vec::new(),
            profile: None,
            histogram: false,
            export: 0,
        }
    }

    fn flow(protocol: Protocol) -> FlowKey {
        FlowKey::incoming(7, protocol, ([10, 0, 0, 2], 4000), ([10, 0, 9, 1], 2048))
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        let nets = texts.iter().map(|text| text.parse().expect("a prefix"));
        nets.collect()
    }

    #[test]
    fn each_field_is_a_condition_and_one_item_of_a_list_is_enough() {
        let udp = flow(Protocol::Udp);
        assert!(any().matches(&udp));
        type Edit = fn(&mut Rule);
        let cases: [(Edit, bool); 10] = [
            (|r| r.sources = nets(&["10.0.0.0/24"]), true),
            (|r| r.sources = nets(&["10.0.9.0/24", "10.0.0.2/32"]), true),
            (|r| r.sources = nets(&["10.0.9.0/24", "::/0"]), false),
            (|r| r.destinations = nets(&["10.0.9.0/24"]), true),
            (|r| r.destinations = nets(&["10.0.0.0/24"]), false),
            (|r| r.source_ports = vec![1..=2, 4000..=4000], true),
            (|r| r.source_ports = vec![1..=3999, 4001..=9999], false),
            (|r| r.destination_ports = vec![2000..=2048], true),
            (|r| r.destination_ports = vec![4000..=4000], false),
            (|r| r.protocols = vec![Protocol::Tcp], false),
        ];
        for (at, (change, expected)) in cases.into_iter().enumerate() {
            let mut rule = any();
            change(&mut rule);
            assert_eq!(rule.matches(&udp), expected, "case {at}");
            rule.protocols = vec![Protocol::Icmp];
            assert!(!rule.matches(&udp), "case {at} of another protocol");
        }
    }

    #[test]
    fn what_has_no_ports_matches_no_rule_with_ports() {
        for protocol in [Protocol::Icmp, Protocol::Icmpv6] {
            let flow = flow(protocol);
            let of_source = Rule {
                source_ports: vec![0..=u16::MAX],
                ..any()
            };
            let of_destination = Rule {
                destination_ports: vec![0..=u16::MAX],
                ..any()
            };
            assert!(any().matches(&flow));
            assert!(!of_source.matches(&flow) && !of_destination.matches(&flow));
        }
    }

    #[test]
    fn numbers_are_where_the_rule_says_or_else_where_the_whole_file_does() {
        let at = |offset| SequenceProfile {
            offset: Some(offset),
            ..SequenceProfile::OFF
        };
        let named = |name: &str, profile| Rule {
            name: name.into(),
            profile,
            ..any()
        };
        let profiles = Profiles::new(at(4), &[named("voice", Some(at(8))), named("rest", None)]);
        for (rule, offset) in [(Some("voice"), 8), (Some("rest"), 4), (None, 4)] {
            assert_eq!(profiles.of(rule), &at(offset), "{rule:?}");
        }
        assert_eq!(at(8).to_string(), "OFFSET 8");
    }

    #[test]
    fn lists_multiply() {
        assert_eq!(any().terms(), 1);
        let rule = Rule {
            sources: nets(&["10.0.0.0/8", "::/0"]),
            source_ports: vec![1..=1, 2..=9, 20..=21],
            protocols: vec![Protocol::Tcp, Protocol::Udp],
            ..any()
        };
        assert_eq!(rule.terms(), 12);
    }
}
