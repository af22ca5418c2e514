//! Samples of flows as rows of words: what is said of a row is how far it is from what was to be expected of it.
//!
//! Most words follow from others (a gap ends with each packet, as many bytes come with a packet as before), so that of a flow
//! that goes on as it did little is left.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::bytes::{Bad, Input, fold, unfold};
use super::rows::{put_rows, rows};
use crate::model::counts::{Counts, Dscp, GapSums, IpMetrics, Sequence};
use crate::model::flow::{Direction, FlowKey, Protocol};
use crate::model::snapshot::FlowSample;

/// Words of a key.
pub const KEY_WORDS: usize = 10;
/// Words of a sample, its slot not among them.
const WORDS: usize = 40;

type Words = [u64; WORDS];

// Those that others are expected by come first.
const FIRST_SEEN: usize = 0;
const LAST_SEEN: usize = 1;
const PACKETS: usize = 2;
const BYTES: usize = 3;
const PAYLOAD: usize = 4;
const GAPS: usize = 5;
const GAP_SUM: usize = 6;
const SQUARES_LOW: usize = 7;
const SQUARES_HIGH: usize = 8;
const RECEIVED: usize = 9;
const CURRENT: usize = 10;
const IP_BYTES: usize = 11;
const KEY: usize = WORDS - KEY_WORDS;

/// The words of a key.
pub fn words_of_key(key: &FlowKey) -> [u64; KEY_WORDS] {
    let FlowKey {
        ifindex,
        direction,
        vlan,
        tunnel,
        protocol,
        source,
        destination,
        source_port,
        destination_port,
    } = *key;
    let halves = |address: IpAddr| match address {
        IpAddr::V4(v4) => (0, u64::from(v4.to_bits())),
        IpAddr::V6(v6) => ((v6.to_bits() >> 64) as u64, v6.to_bits() as u64),
    };
    let ((source_high, source_low), (destination_high, destination_low)) =
        (halves(source), halves(destination));
    [
        ifindex.into(),
        u64::from(direction == Direction::Out) | u64::from(source.is_ipv6()) << 1,
        vlan.map_or(0, |vlan| u64::from(vlan) + 1),
        tunnel.map_or(0, |tunnel| tunnel.get().into()),
        protocol.number().into(),
        source_high,
        source_low,
        destination_high,
        destination_low,
        u64::from(source_port) << 16 | u64::from(destination_port),
    ]
}

/// The key of these words.
pub fn key_of_words(words: &[u64]) -> Result<FlowKey, Bad> {
    const NO_KEY: Bad = Bad("no flow has such a key");
    let &[
        ifindex,
        bits,
        vlan,
        tunnel,
        protocol,
        source_high,
        source_low,
        destination_high,
        destination_low,
        ports,
    ] = words
    else {
        return Err(NO_KEY);
    };
    let address = |high: u64, low: u64| match bits & 2 {
        0 => Some(IpAddr::from(u32::try_from(low).ok()?.to_be_bytes())),
        _ => Some(IpAddr::from(
            (u128::from(high) << 64 | u128::from(low)).to_be_bytes(),
        )),
    };
    let key = || {
        Some(FlowKey {
            ifindex: ifindex.try_into().ok()?,
            direction: match bits & 1 {
                0 => Direction::In,
                _ => Direction::Out,
            },
            vlan: match vlan.checked_sub(1) {
                Some(vlan) => Some(vlan.try_into().ok()?),
                None => None,
            },
            tunnel: NonZeroU32::new(tunnel.try_into().ok()?),
            protocol: Protocol::from_number(protocol.try_into().ok()?)?,
            source: address(source_high, source_low)?,
            destination: address(destination_high, destination_low)?,
            source_port: u16::try_from(ports >> 16).ok()?,
            destination_port: ports as u16,
        })
    };
    key().ok_or(NO_KEY)
}

/// Fills in the words of all that is counted of a flow.
fn put_counts(words: &mut Words, counts: &Counts) {
    let Counts {
        packets,
        bytes,
        payload_bytes,
        sequence,
        ip,
    } = *counts;
    (words[PACKETS], words[BYTES], words[PAYLOAD]) = (packets, bytes, payload_bytes);
    if let Some(Sequence {
        current,
        received,
        lost,
        reverse_errors,
        small_errors,
        big_errors,
        duplicates,
        restarts,
        absent,
    }) = sequence
    {
        let is_there = 1 | u64::from(current.is_some()) << 1 | u64::from(duplicates.is_some()) << 2;
        (words[RECEIVED], words[CURRENT]) = (received, current.unwrap_or(0).into());
        words[12..20].copy_from_slice(&[
            is_there,
            lost,
            reverse_errors,
            small_errors,
            big_errors,
            duplicates.unwrap_or(0),
            restarts,
            absent,
        ]);
    }
    if let Some(IpMetrics {
        ce,
        ttl,
        ttl_changes,
        dscp,
        ip_bytes,
    }) = ip
    {
        words[IP_BYTES] = ip_bytes;
        let is_there = 1 | u64::from(ttl.is_some()) << 1 | u64::from(dscp.is_some()) << 2;
        let dscp = dscp.map_or(0, |dscp| dscp.0);
        words[20..25].copy_from_slice(&[
            is_there,
            ce,
            ttl.unwrap_or(0).into(),
            ttl_changes,
            dscp.into(),
        ]);
    }
}

fn counts_of(words: &Words) -> Result<Counts, Bad> {
    const TOO_WIDE: Bad = Bad("a counter is wider than it can be");
    let has = |word: usize, bit: u32| words[word] >> bit & 1 == 1;
    let byte = |word: usize| u8::try_from(words[word]).map_err(|_| TOO_WIDE);
    Ok(Counts {
        packets: words[PACKETS],
        bytes: words[BYTES],
        payload_bytes: words[PAYLOAD],
        sequence: match has(12, 0) {
            false => None,
            true => Some(Sequence {
                current: match has(12, 1) {
                    true => Some(words[CURRENT].try_into().map_err(|_| TOO_WIDE)?),
                    false => None,
                },
                received: words[RECEIVED],
                lost: words[13],
                reverse_errors: words[14],
                small_errors: words[15],
                big_errors: words[16],
                duplicates: has(12, 2).then_some(words[17]),
                restarts: words[18],
                absent: words[19],
            }),
        },
        ip: match has(20, 0) {
            false => None,
            true => Some(IpMetrics {
                ce: words[21],
                ttl: match has(20, 1) {
                    true => Some(byte(22)?),
                    false => None,
                },
                ttl_changes: words[23],
                dscp: match has(20, 2) {
                    true => Some(Dscp(byte(24)?)),
                    false => None,
                },
                ip_bytes: words[IP_BYTES],
            }),
        },
    })
}

/// The words of a sample.
fn words_of(sample: &FlowSample) -> Words {
    let FlowSample {
        slot: _,
        generation,
        key,
        counts,
        epoch,
        gaps,
        profile,
        rule,
        rules_version,
        first_seen_ns,
        last_seen_ns,
    } = sample;
    let mut words = [0; WORDS];
    (words[FIRST_SEEN], words[LAST_SEEN]) = (*first_seen_ns, *last_seen_ns);
    put_counts(&mut words, counts);
    let GapSums {
        count,
        sum,
        squares,
    } = *gaps;
    (words[GAPS], words[GAP_SUM]) = (count, sum);
    (words[SQUARES_LOW], words[SQUARES_HIGH]) = (squares as u64, (squares >> 64) as u64);
    words[25..KEY].copy_from_slice(&[
        (*generation).into(),
        (*epoch).into(),
        (*profile).into(),
        rule.map_or(0, |rule| u64::from(rule) + 1),
        (*rules_version).into(),
    ]);
    words[KEY..].copy_from_slice(&words_of_key(key));
    words
}

fn sample_of(slot: u32, words: &Words) -> Result<FlowSample, Bad> {
    const NO_FLOW: Bad = Bad("no flow is like that");
    let squares = u128::from(words[SQUARES_HIGH]) << 64 | u128::from(words[SQUARES_LOW]);
    let small = |word: usize| u8::try_from(words[word]).map_err(|_| NO_FLOW);
    let wide = |word: usize| u32::try_from(words[word]).map_err(|_| NO_FLOW);
    if squares >= GapSums::MODULUS {
        return Err(NO_FLOW);
    }
    Ok(FlowSample {
        slot,
        generation: wide(25)?,
        key: key_of_words(&words[KEY..])?,
        counts: counts_of(words)?,
        epoch: wide(26)?,
        gaps: GapSums {
            count: words[GAPS],
            sum: words[GAP_SUM],
            squares,
        },
        profile: small(27)?,
        rule: match words[28] {
            0 => None,
            index => Some(u8::try_from(index - 1).map_err(|_| NO_FLOW)?),
        },
        rules_version: small(29)?,
        first_seen_ns: words[FIRST_SEEN],
        last_seen_ns: words[LAST_SEEN],
    })
}

/// What is expected of a word of a flow that was like `before`, once the words in front of it are known.
#[inline]
fn expected(at: usize, before: &Words, now: &Words, taken_ns: u64) -> u64 {
    let came = |word: usize| now[word].wrapping_sub(before[word]);
    let is_new = before[FIRST_SEEN] == 0;
    match at {
        FIRST_SEEN if is_new => taken_ns,
        LAST_SEEN => taken_ns,
        BYTES => before[BYTES].wrapping_add(as_before(BYTES, before, came(PACKETS))),
        PAYLOAD => {
            let headers = before[BYTES].wrapping_sub(before[PAYLOAD]);
            let of_each = headers / before[PACKETS].max(1);
            let headers = of_each.wrapping_mul(came(PACKETS));
            before[PAYLOAD]
                .wrapping_add(came(BYTES))
                .wrapping_sub(headers)
        }
        GAPS if is_new => now[PACKETS].wrapping_sub(1),
        GAPS => before[GAPS].wrapping_add(came(PACKETS)),
        GAP_SUM if is_new => now[LAST_SEEN].wrapping_sub(now[FIRST_SEEN]),
        GAP_SUM => before[GAP_SUM].wrapping_add(came(LAST_SEEN)),
        SQUARES_LOW => expected_squares(before, now) as u64,
        SQUARES_HIGH => {
            let expected = expected_squares(before, now);
            let off = now[SQUARES_LOW].wrapping_sub(expected as u64) as i64;
            let squares = expected.wrapping_add_signed(off.into()) % GapSums::MODULUS;
            (squares >> 64) as u64
        }
        RECEIVED => before[RECEIVED].wrapping_add(came(PACKETS)),
        CURRENT => (before[CURRENT].wrapping_add(came(RECEIVED)) as u32).into(),
        IP_BYTES => before[IP_BYTES].wrapping_add(as_before(IP_BYTES, before, came(PACKETS))),
        _ => before[at],
    }
}

/// What comes with so many packets if each brings as much as those before.
fn as_before(word: usize, before: &Words, packets: u64) -> u64 {
    let product = u128::from(before[word]) * u128::from(packets);
    (product / u128::from(before[PACKETS].max(1))) as u64
}

/// The sum of the squares, if all gaps that came were alike.
fn expected_squares(before: &Words, now: &Words) -> u128 {
    let squares = u128::from(before[SQUARES_HIGH]) << 64 | u128::from(before[SQUARES_LOW]);
    let sum = u128::from(now[GAP_SUM].wrapping_sub(before[GAP_SUM]));
    let count = u128::from(now[GAPS].wrapping_sub(before[GAPS]).max(1));
    squares.wrapping_add(sum.wrapping_mul(sum) / count) % GapSums::MODULUS
}

/// Appends samples; `before` says what was read of a slot last, whoever's it was.
pub fn put_flows<'a>(
    out: &mut Vec<u8>,
    samples: &[FlowSample],
    taken_ns: u64,
    before: impl Fn(u32) -> Option<&'a FlowSample>,
) {
    let (mut ids, mut residues) = (Vec::new(), Vec::new());
    let mut slot = 0_u64;
    for sample in samples {
        let before = before(sample.slot).map_or([0; WORDS], words_of);
        let now = words_of(sample);
        let off = |at: usize| fold(now[at].wrapping_sub(expected(at, &before, &now, taken_ns)));
        residues.push(std::array::from_fn::<u64, WORDS, _>(off));
        ids.push(fold(u64::from(sample.slot).wrapping_sub(slot)));
        slot = sample.slot.into();
    }
    put_rows(out, &ids, &residues);
}

/// Reads samples of a table with so many slots; `before` as above.
pub fn flows<'a>(
    input: &mut Input<'_>,
    slots: u64,
    taken_ns: u64,
    before: impl Fn(u32) -> Option<&'a FlowSample>,
) -> Result<Vec<FlowSample>, Bad> {
    let mut samples = Vec::new();
    let mut slot = 0_u64;
    // A slot may change hands between two readings.
    let most = 2 * slots as usize;
    rows(input, most, |id, residues: Words| {
        slot = slot.wrapping_add(unfold(id));
        if slot >= slots {
            return Err(Bad("a flow is outside of the table"));
        }
        let before = before(slot as u32).map_or([0; WORDS], words_of);
        let mut now = [0; WORDS];
        for at in 0..WORDS {
            let expected = expected(at, &before, &now, taken_ns);
            now[at] = expected.wrapping_add(unfold(residues[at]));
        }
        samples.push(sample_of(slot as u32, &now)?);
        Ok(())
    })?;
    Ok(samples)
}
