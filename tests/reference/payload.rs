//! The sequence number in a payload, at the configured place.

use flowtop::model::rule::{PATTERN_SEARCH_BYTES, SequenceProfile};

/// The number that a payload carries; `None` if the place is not there.
pub fn read_number(payload: &[u8], profile: &SequenceProfile) -> Option<u32> {
    let offset = usize::from(profile.offset.unwrap_or(0));
    match profile.pattern {
        None => word(payload, offset),
        Some(pattern) => {
            let found = (0..PATTERN_SEARCH_BYTES).find(|p| word(payload, *p) == Some(pattern))?;
            word(payload, found + offset)
        }
    }
}

/// The big-endian 32-bit word at a position, if all of it is there.
fn word(payload: &[u8], at: usize) -> Option<u32> {
    let bytes = payload.get(at..at + 4)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// The payloads in a buffer: one for each segment of an aggregate, at least one.
pub fn segments(payload: &[u8], segment_size: usize) -> Vec<&[u8]> {
    if segment_size == 0 || payload.is_empty() {
        return vec![payload];
    }
    payload.chunks(segment_size).collect()
}
