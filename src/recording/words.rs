//! Samples of flows as rows of words.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::bytes::Bad;
use crate::model::counts::{Counts, Dscp, GapSums, IpMetrics, Sequence};
use crate::model::flow::{Direction, FlowKey, Protocol};
use crate::model::snapshot::FlowSample;

/// Words of a key.
pub const KEY_WORDS: usize = 10;
/// Words of a sample, its slot not among them.
pub const WORDS: usize = 40;
/// What the words are is part of the format: others are another version, and a reader of both.
const _: () = assert!(super::block::VERSION == 1 && WORDS == 40);

/// A sample, its slot not among them.
pub type Words = [u64; WORDS];

/// Those of a slot without a flow.
pub const NOTHING: Words = [0; WORDS];

// Those that others are expected by come first.
pub const FIRST_SEEN: usize = 0;
pub const LAST_SEEN: usize = 1;
pub const PACKETS: usize = 2;
pub const BYTES: usize = 3;
pub const PAYLOAD: usize = 4;
pub const GAPS: usize = 5;
pub const GAP_SUM: usize = 6;
pub const SQUARES_LOW: usize = 7;
pub const SQUARES_HIGH: usize = 8;
pub const RECEIVED: usize = 9;
pub const CURRENT: usize = 10;
pub const IP_BYTES: usize = 11;
pub const LOST: usize = 13;
pub const GENERATION: usize = 25;
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
                lost: words[LOST],
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
pub fn words_of(sample: &FlowSample) -> Words {
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
    words[GENERATION..KEY].copy_from_slice(&[
        (*generation).into(),
        (*epoch).into(),
        (*profile).into(),
        rule.map_or(0, |rule| u64::from(rule) + 1),
        (*rules_version).into(),
    ]);
    words[KEY..].copy_from_slice(&words_of_key(key));
    words
}

/// The sample of these words.
pub fn sample_of(slot: u32, words: &Words) -> Result<FlowSample, Bad> {
    const NO_FLOW: Bad = Bad("no flow is like that");
    let squares = u128::from(words[SQUARES_HIGH]) << 64 | u128::from(words[SQUARES_LOW]);
    let small = |word: usize| u8::try_from(words[word]).map_err(|_| NO_FLOW);
    let wide = |word: usize| u32::try_from(words[word]).map_err(|_| NO_FLOW);
    if squares >= GapSums::MODULUS {
        return Err(NO_FLOW);
    }
    Ok(FlowSample {
        slot,
        generation: wide(GENERATION)?,
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
