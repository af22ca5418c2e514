//! Where a payload carries its sequence number, as the configuration says it.
//!
//! Owns the keys `PATTERN`, `OFFSET` and `SEQUENCE_THRESHOLD`, for the whole file and inside a rule.

use jsonc_parser::ast::{Object, Value};

use super::walk::{Walk, quoted};
use crate::model::rule::SequenceProfile;

/// The pattern that stands for no pattern.
pub const PATTERN_OFF: u32 = 0xFFFF_FFFF;
/// The largest offset: the number's four bytes still end within the longest payload.
pub const MAX_OFFSET: u16 = 65531;

type Read = fn(&mut Walk<'_>, &str, &Value<'_>, &mut SequenceProfile);

/// The keys of a rule object that make up its profile.
pub(super) const KEYS: [(&str, Read); 3] = [
    ("PATTERN", read_pattern),
    ("OFFSET", read_offset),
    ("SEQUENCE_THRESHOLD", read_threshold),
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
    if let Some(number) = walk.whole_number(key, value) {
        match u32::try_from(number) {
            Ok(threshold) if threshold >= 1 => profile.threshold = threshold,
            _ => {
                let message = format!("{key}: {number} is not between 1 and {}", u32::MAX);
                walk.report(value, message);
            }
        }
    }
}
