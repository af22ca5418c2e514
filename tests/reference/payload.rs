//! The sequence number in a payload, at the configured place.

use flowtop::model::rule::{ByteOrder, PayloadRequirement, SequenceProfile, SequenceWidth};

/// A pattern is looked for at the first so many bytes of a payload.
const PATTERN_SEARCH_BYTES: usize = 5000;

/// The number that a payload carries; `None` if the place is not there.
pub fn read_number(payload: &[u8], profile: &SequenceProfile) -> Option<u32> {
    let version = payload.first().map(|byte| byte >> 6);
    if profile.require == Some(PayloadRequirement::RtpVersion2) && version != Some(2) {
        return None;
    }
    let offset = usize::from(profile.offset.unwrap_or(0));
    let start = match profile.pattern {
        None => 0,
        Some(pattern) => {
            let mut positions = payload.windows(4).take(PATTERN_SEARCH_BYTES);
            positions.position(|word| word == pattern.to_be_bytes())?
        }
    };
    word(payload, start + offset, profile)
}

/// The number at a position, if all of it is there.
fn word(payload: &[u8], at: usize, profile: &SequenceProfile) -> Option<u32> {
    let bytes = payload.get(at..at + profile.width.bits() as usize / 8)?;
    let read = match (profile.width, profile.byte_order) {
        (SequenceWidth::Bits32, ByteOrder::Big) => u32::from_be_bytes(bytes.try_into().ok()?),
        (SequenceWidth::Bits32, ByteOrder::Little) => u32::from_le_bytes(bytes.try_into().ok()?),
        (SequenceWidth::Bits16, ByteOrder::Big) => {
            u16::from_be_bytes(bytes.try_into().ok()?).into()
        }
        (SequenceWidth::Bits16, ByteOrder::Little) => {
            u16::from_le_bytes(bytes.try_into().ok()?).into()
        }
    };
    Some(read)
}

/// The payloads in a buffer: one for each segment of an aggregate, at least one.
pub fn segments(payload: &[u8], segment_size: usize) -> Vec<&[u8]> {
    if segment_size == 0 || payload.is_empty() {
        return vec![payload];
    }
    payload.chunks(segment_size).collect()
}
