//! Where a payload carries its sequence number, as the configuration says it.
//!
//! Owns what `PATTERN` and `OFFSET` may be, in the whole file and inside a rule, the keys of a rule, and the profiles
//! that are ready made.

use jsonc_parser::ast::{Object, Value};

use super::json::JsonValue;
use super::kind::{Number, OneOf, ValueKind};
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
    /// The profile; its threshold is replaced by the global one.
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

/// A key of a rule object that says something about its profile.
pub(super) struct RuleKey {
    /// The key in the object.
    pub(super) name: &'static str,
    /// What it is for.
    pub(super) help: &'static str,
    read: fn(&mut Walk<'_>, &str, &Value<'_>, &mut SequenceProfile),
    /// Its value for a profile; `None`: the key is left out.
    write: fn(&SequenceProfile) -> Option<JsonValue>,
    /// Which values are right.
    pub(super) schema: fn() -> JsonValue,
}

/// Makes a row of a key whose value is one field of the profile.
macro_rules! of_field {
    ($name:literal, $field:ident, $kind:expr, $help:literal) => {
        RuleKey {
            name: $name,
            help: $help,
            read: |walk, path, value, profile| {
                if let Some(read) = $kind.read(walk, path, value) {
                    profile.$field = read;
                }
            },
            write: |profile| Some($kind.write(&profile.$field)),
            schema: || $kind.schema(),
        }
    };
}

/// The keys of a rule object that make up its profile. `PROFILE` comes first: the others refine it.
pub(super) static KEYS: [RuleKey; 6] = [
    RuleKey {
        name: "PROFILE",
        help: "a ready-made profile, which the other keys refine: `\"rtp\"` (16 bits at offset 2, RTP version 2 only; \
               *careful:* RTCP on the same port looks like errors), `\"iperf3\"` (UDP, offset 8), `\"icmp-echo\"` and \
               `\"tcp\"` (the protocol's own number)",
        read: read_ready_made,
        write: |profile| {
            let ready = |PayloadRequirement::RtpVersion2| "rtp".into();
            profile.require.map(ready)
        },
        schema: || READY.schema(),
    },
    of_field!(
        "PATTERN",
        pattern,
        Pattern,
        "as above, for this rule's flows"
    ),
    of_field!("OFFSET", offset, Offset, "as above"),
    of_field!(
        "SEQUENCE_THRESHOLD",
        threshold,
        Number(1..=u32::MAX),
        "as above"
    ),
    of_field!("WIDTH", width, SequenceBits, "16 or 32 bits"),
    of_field!(
        "ENDIAN",
        byte_order,
        OneOf(byte_orders),
        "`\"big\"` or `\"little\"`"
    ),
];

const READY: OneOf<SequenceProfile> =
    OneOf(|| READY_MADE.map(|ready| (ready.name, ready.profile)).into());

fn byte_orders() -> Vec<(&'static str, ByteOrder)> {
    vec![("big", ByteOrder::Big), ("little", ByteOrder::Little)]
}

/// Reads the profile of a rule object; keys that are missing are inherited. `None` if all are.
pub(super) fn read(
    walk: &mut Walk<'_>,
    path: &str,
    object: &Object<'_>,
    inherited: &SequenceProfile,
) -> Option<SequenceProfile> {
    let mut profile = *inherited;
    let mut said = false;
    for key in &KEYS {
        if let Some(property) = object.get(key.name) {
            said = true;
            let path = format!("{path}.{}", key.name);
            (key.read)(walk, &path, &property.value, &mut profile);
        }
    }
    said.then_some(profile)
}

/// The members of a rule object that make up this profile.
pub(super) fn write(profile: &SequenceProfile) -> JsonValue {
    let members = KEYS.iter().map(|key| (key.name, (key.write)(profile)));
    JsonValue::object(members.filter_map(|(name, value)| Some((name, value?))))
}

/// Reports a ready-made profile that none of the rule's packets could use.
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
    if let Some(ready) = READY.read(walk, key, value) {
        *profile = SequenceProfile {
            threshold: profile.threshold,
            ..ready
        };
    }
}

/// Bits of a sequence number.
struct SequenceBits;

impl ValueKind for SequenceBits {
    type Parsed = SequenceWidth;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<SequenceWidth> {
        match walk.whole_number(key, value)? {
            16 => Some(SequenceWidth::Bits16),
            32 => Some(SequenceWidth::Bits32),
            other => {
                walk.report(value, format!("{key}: {other} is neither 16 nor 32"));
                None
            }
        }
    }

    fn write(&self, width: &SequenceWidth) -> JsonValue {
        width.bits().into()
    }

    fn schema(&self) -> JsonValue {
        let widths = [16, 32].into_iter().collect();
        JsonValue::object([("type", "integer".into()), ("enum", widths)])
    }
}

/// Hexadecimal digits, at most 32 bits.
pub(super) struct Pattern;

impl ValueKind for Pattern {
    type Parsed = Option<u32>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Option<u32>> {
        let text = walk.string(key, value)?.value.as_ref();
        let digits = text
            .strip_prefix("0x")
            .or_else(|| text.strip_prefix("0X"))
            .unwrap_or(text);
        let hexadecimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let message = match u32::from_str_radix(digits, 16) {
            Ok(pattern) if hexadecimal => return Some((pattern != PATTERN_OFF).then_some(pattern)),
            Err(_) if hexadecimal => format!("{key}: {} has more than 32 bits", quoted(text)),
            _ => format!(
                "{key}: {} is not a hexadecimal number such as \"0x1234ABCD\"",
                quoted(text)
            ),
        };
        walk.report(value, message);
        None
    }

    fn write(&self, pattern: &Option<u32>) -> JsonValue {
        format!("0x{:08X}", pattern.unwrap_or(PATTERN_OFF)).into()
    }

    fn schema(&self) -> JsonValue {
        let digits = "^(0[xX])?0*[0-9a-fA-F]{1,8}$";
        JsonValue::object([("type", "string".into()), ("pattern", digits.into())])
    }
}

/// -1 for off, or a number of bytes.
pub(super) struct Offset;

impl ValueKind for Offset {
    type Parsed = Option<u16>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Option<u16>> {
        let offset = match walk.whole_number(key, value)? {
            -1 => return Some(None),
            offset => offset,
        };
        let found = u16::try_from(offset).ok().filter(|o| *o <= MAX_OFFSET);
        if found.is_none() {
            let message = format!("{key}: {offset} is not between 0 and {MAX_OFFSET} (-1 for off)");
            walk.report(value, message);
        }
        found.map(Some)
    }

    fn write(&self, offset: &Option<u16>) -> JsonValue {
        offset.map_or(-1, i32::from).into()
    }

    fn schema(&self) -> JsonValue {
        let last = i32::from(MAX_OFFSET);
        let from = JsonValue::object([("type", "integer".into()), ("minimum", (-1).into())]);
        from.and(JsonValue::object([("maximum", last.into())]))
    }
}
