//! Where a payload carries its sequence number, as the configuration says it.
//!
//! Owns the keys `PATTERN`, `OFFSET` and `SEQUENCE_THRESHOLD`, for the whole file and inside a
//! rule, the keys that only a rule has, and the profiles that are ready made.

use jsonc_parser::ast::{Object, Value};

use super::walk::{Walk, quoted};
use crate::model::flow::Protocol;
use crate::model::rule::{ByteOrder, PayloadRequirement, Rule, SequenceProfile, SequenceWidth};

/// The pattern that stands for no pattern.
pub const PATTERN_OFF: u32 = 0xFFFF_FFFF;
/// The largest offset: the number's four bytes still end within the longest payload.
pub const MAX_OFFSET: u16 = 65531;

/// A profile that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyMade {
    /// The name that `PROFILE` has.
    pub name: &'static str,
    /// Which packets it is for.
    pub protocols: &'static [Protocol],
    /// What it says; the threshold is the global one.
    pub profile: SequenceProfile,
}

/// The profiles that are ready made. Those that read no payload leave TCP and ICMP echo to their own numbers.
pub const READY_MADE: [ReadyMade; 4] = [
    ReadyMade {
        name: "iperf3",
        protocols: &[Protocol::Udp],
        profile: SequenceProfile {
            offset: Some(8),
            ..SequenceProfile::OFF
        },
    },
    ReadyMade {
        name: "rtp",
        protocols: &[Protocol::Udp],
        profile: SequenceProfile {
            offset: Some(2),
            width: SequenceWidth::Bits16,
            require: Some(PayloadRequirement::RtpVersion2),
            ..SequenceProfile::OFF
        },
    },
    ReadyMade {
        name: "icmp-echo",
        protocols: &[Protocol::Icmp, Protocol::Icmpv6],
        profile: SequenceProfile::OFF,
    },
    ReadyMade {
        name: "tcp",
        protocols: &[Protocol::Tcp],
        profile: SequenceProfile::OFF,
    },
];

/// The byte orders by their names in `ENDIAN`.
pub const BYTE_ORDERS: [(&str, ByteOrder); 2] =
    [("big", ByteOrder::Big), ("little", ByteOrder::Little)];

type Read = fn(&mut Walk<'_>, &str, &Value<'_>, &mut SequenceProfile);

/// The keys of a rule object that make up its profile. `PROFILE` comes first: the others refine it.
pub(super) const KEYS: [(&str, Read); 6] = [
    ("PROFILE", read_ready_made),
    ("PATTERN", read_pattern),
    ("OFFSET", read_offset),
    ("SEQUENCE_THRESHOLD", read_threshold),
    ("WIDTH", read_width),
    ("ENDIAN", read_byte_order),
];

/// The profile of a rule object; what it does not say is as in `inherited`. `None` if it says nothing.
pub(super) fn read(
    walk: &mut Walk<'_>,
    path: &str,
    object: &Object<'_>,
    inherited: &SequenceProfile,
) -> Option<SequenceProfile> {
    let mut profile = *inherited;
    let mut said = false;
    for (name, read) in KEYS {
        if let Some(property) = object.get(name) {
            said = true;
            read(
                walk,
                &format!("{path}.{name}"),
                &property.value,
                &mut profile,
            );
        }
    }
    said.then_some(profile)
}

/// Notes a ready-made profile that none of the rule's packets could use.
pub(super) fn check_protocols(walk: &mut Walk<'_>, path: &str, object: &Object<'_>, rule: &Rule) {
    let Some(literal) = object.get_string("PROFILE") else {
        return;
    };
    let fits = |ready: &ReadyMade| rule.protocols.iter().any(|p| ready.protocols.contains(p));
    let misfit = READY_MADE
        .iter()
        .find(|ready| ready.name == literal.value)
        .filter(|ready| !rule.protocols.is_empty() && !fits(ready));
    if let Some(ready) = misfit {
        let words = super::rule::protocol_words(ready.protocols).join(", ");
        let message = format!(
            "{path}.PROFILE: \"{}\" is for {words}, which the rule never matches",
            ready.name
        );
        walk.report(literal, message);
    }
}

fn read_ready_made(
    walk: &mut Walk<'_>,
    key: &str,
    value: &Value<'_>,
    profile: &mut SequenceProfile,
) {
    let words = READY_MADE.map(|ready| (ready.name, ready.profile));
    if let Some(ready) = walk.one_of(key, value, &words) {
        *profile = SequenceProfile {
            threshold: profile.threshold,
            ..ready
        };
    }
}

fn read_width(walk: &mut Walk<'_>, key: &str, value: &Value<'_>, profile: &mut SequenceProfile) {
    match walk.whole_number(key, value) {
        None => {}
        Some(16) => profile.width = SequenceWidth::Bits16,
        Some(32) => profile.width = SequenceWidth::Bits32,
        Some(other) => walk.report(value, format!("{key}: {other} is neither 16 nor 32")),
    }
}

fn read_byte_order(
    walk: &mut Walk<'_>,
    key: &str,
    value: &Value<'_>,
    profile: &mut SequenceProfile,
) {
    if let Some(order) = walk.one_of(key, value, &BYTE_ORDERS) {
        profile.byte_order = order;
    }
}

/// Hexadecimal digits, at most 32 bits.
pub(super) fn read_pattern(
    walk: &mut Walk<'_>,
    key: &str,
    value: &Value<'_>,
    profile: &mut SequenceProfile,
) {
    let Some(literal) = walk.string(key, value) else {
        return;
    };
    let text = literal.value.as_ref();
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    let hexadecimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let message = match u32::from_str_radix(digits, 16) {
        Ok(pattern) if hexadecimal => {
            profile.pattern = (pattern != PATTERN_OFF).then_some(pattern);
            return;
        }
        Err(_) if hexadecimal => format!("{key}: {} has more than 32 bits", quoted(text)),
        _ => format!(
            "{key}: {} is not a hexadecimal number such as \"0x1234ABCD\"",
            quoted(text)
        ),
    };
    walk.report(value, message);
}

/// -1 for off, or a number of bytes.
pub(super) fn read_offset(
    walk: &mut Walk<'_>,
    key: &str,
    value: &Value<'_>,
    profile: &mut SequenceProfile,
) {
    match walk.whole_number(key, value) {
        None => {}
        Some(-1) => profile.offset = None,
        Some(offset) => match u16::try_from(offset) {
            Ok(offset) if offset <= MAX_OFFSET => profile.offset = Some(offset),
            _ => {
                let message =
                    format!("{key}: {offset} is not between 0 and {MAX_OFFSET} (-1 for off)");
                walk.report(value, message);
            }
        },
    }
}

/// At least 1.
pub(super) fn read_threshold(
    walk: &mut Walk<'_>,
    key: &str,
    value: &Value<'_>,
    profile: &mut SequenceProfile,
) {
    if let Some(threshold) = walk.number_within(key, value, 1..=u32::MAX) {
        profile.threshold = threshold;
    }
}
