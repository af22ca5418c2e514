//! Samples of flows: rows of words, each encoded as its difference from a prediction.
//!
//! Most words follow from others (a gap ends with each packet, as many bytes come with a packet as before), so that of a flow
//! that goes on as it did little is left.

use super::bytes::{Bad, Input, fold, unfold};
use super::known_flows::KnownFlows;
use super::rows::{put_rows, rows};
use super::words::{
    BYTES, CURRENT, FIRST_SEEN, GAP_SUM, GAPS, IP_BYTES, LAST_SEEN, NOTHING, PACKETS, PAYLOAD,
    RECEIVED, SQUARES_HIGH, SQUARES_LOW, WORDS, Words, sample_of, words_of,
};
use crate::model::counts::GapSums;
use crate::model::snapshot::FlowSample;

/// The words of a flow that was like `before`, one after the other: of each, `word` says what it is, given what is expected
/// of it once the words in front of it are known.
#[inline(always)]
fn words_by(before: &Words, taken_ns: u64, mut word: impl FnMut(usize, u64) -> u64) -> Words {
    let mut now = *before;
    let is_new = before[FIRST_SEEN] == 0;
    let first_seen = if is_new { taken_ns } else { before[FIRST_SEEN] };
    now[FIRST_SEEN] = word(FIRST_SEEN, first_seen);
    now[LAST_SEEN] = word(LAST_SEEN, taken_ns);
    now[PACKETS] = word(PACKETS, before[PACKETS]);
    let came = |now: &Words, word: usize| now[word].wrapping_sub(before[word]);
    let packets = came(&now, PACKETS);
    let as_before = |word: usize| before[word].wrapping_add(as_before(word, before, packets));
    now[BYTES] = word(BYTES, as_before(BYTES));
    let headers = before[BYTES].wrapping_sub(before[PAYLOAD]) / before[PACKETS].max(1);
    let payload = came(&now, BYTES).wrapping_sub(headers.wrapping_mul(packets));
    now[PAYLOAD] = word(PAYLOAD, before[PAYLOAD].wrapping_add(payload));
    let gaps = match is_new {
        true => now[PACKETS].wrapping_sub(1),
        false => before[GAPS].wrapping_add(packets),
    };
    now[GAPS] = word(GAPS, gaps);
    let gap_sum = match is_new {
        true => now[LAST_SEEN].wrapping_sub(now[FIRST_SEEN]),
        false => before[GAP_SUM].wrapping_add(came(&now, LAST_SEEN)),
    };
    now[GAP_SUM] = word(GAP_SUM, gap_sum);
    let squares = expected_squares(before, came(&now, GAP_SUM), came(&now, GAPS));
    now[SQUARES_LOW] = word(SQUARES_LOW, squares as u64);
    let off = now[SQUARES_LOW].wrapping_sub(squares as u64) as i64;
    let squares = squares.wrapping_add_signed(off.into()) % GapSums::MODULUS;
    now[SQUARES_HIGH] = word(SQUARES_HIGH, (squares >> 64) as u64);
    now[RECEIVED] = word(RECEIVED, before[RECEIVED].wrapping_add(packets));
    let current = before[CURRENT].wrapping_add(came(&now, RECEIVED)) as u32;
    now[CURRENT] = word(CURRENT, current.into());
    now[IP_BYTES] = word(IP_BYTES, as_before(IP_BYTES));
    for at in IP_BYTES + 1..WORDS {
        now[at] = word(at, before[at]);
    }
    now
}

/// What comes with so many packets if each brings as much as those before.
fn as_before(word: usize, before: &Words, packets: u64) -> u64 {
    let all = before[PACKETS].max(1);
    match before[word].checked_mul(packets) {
        Some(product) => product / all,
        None => (u128::from(before[word]) * u128::from(packets) / u128::from(all)) as u64,
    }
}

/// The sum of the squares, if all of so many gaps that came were alike, and lasted so long together.
fn expected_squares(before: &Words, sum: u64, gaps: u64) -> u128 {
    let squares = u128::from(before[SQUARES_HIGH]) << 64 | u128::from(before[SQUARES_LOW]);
    let gaps = gaps.max(1);
    let came = match sum.checked_mul(sum) {
        Some(product) => (product / gaps).into(),
        None => u128::from(sum) * u128::from(sum) / u128::from(gaps),
    };
    squares.wrapping_add(came) % GapSums::MODULUS
}

/// Appends samples, each as what is not to be expected of it by what is known of its slot.
pub fn put_flows(out: &mut Vec<u8>, samples: &[FlowSample], taken_ns: u64, known: &KnownFlows) {
    let mut ids = Vec::with_capacity(samples.len());
    let mut residues = Vec::with_capacity(samples.len());
    let mut slot = 0_u64;
    for sample in samples {
        let now = words_of(sample);
        let mut off = NOTHING;
        words_by(known.words(sample.slot), taken_ns, |at, expected| {
            off[at] = fold(now[at].wrapping_sub(expected));
            now[at]
        });
        residues.push(off);
        ids.push(fold(u64::from(sample.slot).wrapping_sub(slot)));
        slot = sample.slot.into();
    }
    put_rows(out, &ids, &residues);
}

/// Reads samples of a table with so many slots.
pub fn flows(
    input: &mut Input<'_>,
    slots: u64,
    taken_ns: u64,
    known: &KnownFlows,
) -> Result<Vec<FlowSample>, Bad> {
    let mut samples = Vec::new();
    let mut slot = 0_u64;
    // A slot may change hands between two readings.
    let most = 2 * slots as usize;
    rows(input, most, |id, residues: &Words| {
        slot = slot.wrapping_add(unfold(id));
        if slot >= slots {
            return Err(Bad("a flow is outside of the table"));
        }
        let now = words_by(known.words(slot as u32), taken_ns, |at, expected| {
            expected.wrapping_add(unfold(residues[at]))
        });
        samples.push(sample_of(slot as u32, &now)?);
        Ok(())
    })?;
    Ok(samples)
}
