//! The seam between the kernel's structs and the model: sizes are asserted, every field is named once.
//!
//! Pure: copies of raw values come in, domain types go out. Nothing beyond `probe` sees a generated type.
#![allow(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;

use plain::Plain;

use super::control::Control;
use crate::model::flow::{Direction, FlowKey, Protocol};
use crate::model::histogram::BUCKETS;
use crate::model::snapshot::{FlowSample, GapSums, InterfaceSample, Malformed, Sequence, Volume};

pub use super::skeleton::types::{
    flow_counters, flow_key, flow_shared, flow_slot, fragment_key, fragment_ports, gap_histogram,
    interface, interface_totals, ip_metrics, rule_address, rule_bank, sequence_profile, settings,
    shared_gaps, verdict, volume,
};

const _: () = assert!(size_of::<flow_slot>() == 128);
const _: () = assert!(size_of::<flow_counters>() == 64);
const _: () = assert!(size_of::<flow_shared>() == 128);
const _: () = assert!(size_of::<interface>() == 192);
const _: () = assert!(size_of::<interface_totals>() == 64);
const _: () = assert!(size_of::<gap_histogram>() == 8 + 8 * BUCKETS);
const _: () = assert!(size_of::<ip_metrics>() == 64);
const _: () = assert!(size_of::<verdict>() == 64);
const _: () = assert!(size_of::<settings>() == 32);
const _: () = assert!(size_of::<rule_address>() == 24);
const _: () = assert!(size_of::<rule_bank>() == 48);
const _: () = assert!(size_of::<sequence_profile>() == 16);

// SAFETY: integers and arrays of integers without padding: any bit pattern is valid.
unsafe impl Plain for rule_address {}
// SAFETY: as above.
unsafe impl Plain for rule_bank {}
// SAFETY: as above.
unsafe impl Plain for sequence_profile {}
// SAFETY: as above.
unsafe impl Plain for settings {}
// SAFETY: as above.
unsafe impl Plain for flow_slot {}
// SAFETY: as above.
unsafe impl Plain for flow_counters {}
// SAFETY: as above.
unsafe impl Plain for flow_shared {}
// SAFETY: as above.
unsafe impl Plain for interface {}
// SAFETY: as above.
unsafe impl Plain for interface_totals {}
// SAFETY: as above.
unsafe impl Plain for ip_metrics {}

/// A key as the kernel wants it.
pub fn as_bytes(key: &rule_address) -> &[u8] {
    // SAFETY: `rule_address` is plain, by the promise above.
    unsafe { plain::as_bytes(key) }
}

/// `FLOWS_PER_SET` of types.h.
pub const FLOWS_PER_SET: usize = 8;
/// `INTERFACE_SLOTS` of types.h.
pub const INTERFACE_SLOTS: usize = 1024;
/// `INTERFACE_PROBES` of types.h.
pub const INTERFACE_PROBES: usize = 8;
/// `VERDICTS` of rules.h: so many a CPU.
pub const VERDICTS: usize = 512;
/// `PROFILES` of types.h: one a rule, and the global one behind them.
pub const PROFILES: usize = 65;
/// `RULE_NONE` of types.h.
pub const RULE_NONE: u8 = 64;
const VLAN_NONE: u16 = 0xffff;
const KEY_OUTGOING: u32 = 1 << 31;

/// The flow of a slot with its first line: nothing of it is counted yet. `None` where the key is of no protocol that is a flow. Behind
/// this come [`describe`], [`count`], [`add_others`] where there are any, and [`finish`], in this order.
#[inline]
pub fn begin(index: u32, control: Control, slot: &flow_slot) -> Option<FlowSample> {
    Some(FlowSample {
        generation: control.generation(),
        rules_version: control.version(),
        last_seen_ns: slot.last_arrival,
        ..FlowSample::new(index, decode_key(&slot.key)?)
    })
}

/// Adds what the second line of its slot says.
#[inline]
pub fn describe(sample: &mut FlowSample, control: Control, slot: &flow_slot) {
    sample.epoch = (u32::from(slot.epochs_high) << 16 | u32::from(control.epoch())).wrapping_add(1);
    sample.profile = slot.profile;
    sample.rule = (slot.rule != RULE_NONE).then_some(slot.rule);
    sample.first_seen_ns = slot.first_arrival;
    let is_stream = sample.key.protocol == Protocol::Tcp;
    if is_stream || control.is_sequenced() {
        sample.counts.sequence = Some(decode_sequence(is_stream, slot));
    }
}

/// Says what its owner counted.
#[inline]
pub fn count(sample: &mut FlowSample, control: Control, of_owner: &flow_counters) {
    let flow_counters {
        owner,
        gap_squares,
        gap_sum,
        gaps,
        packets,
        bytes,
        payload_bytes,
        sequenced,
    } = *of_owner;
    let counts = &mut sample.counts;
    (counts.packets, counts.bytes) = (packets, bytes);
    counts.payload_bytes = payload_bytes;
    if let Some(sequence) = &mut counts.sequence {
        sequence.received = sequenced;
    }
    if (owner >> 32) as u16 == control.epoch() {
        sample.gaps = GapSums {
            count: gaps,
            sum: gap_sum,
            squares: join_squares(owner >> 48, gap_squares),
        };
    }
}

/// Adds what all other CPUs counted of it.
pub fn add_others(sample: &mut FlowSample, control: Control, of_others: &flow_shared) {
    let flow_shared {
        packets,
        bytes,
        payload_bytes,
        sequenced,
        unjudged,
        unused: _,
        gaps,
    } = *of_others;
    let shared_gaps {
        squares,
        squares_high,
        sum,
        count,
    } = gaps[control.shared_gaps()];
    let counts = &mut sample.counts;
    counts.packets = counts.packets.wrapping_add(packets);
    counts.bytes = counts.bytes.wrapping_add(bytes);
    counts.payload_bytes = counts.payload_bytes.wrapping_add(payload_bytes);
    if let Some(sequence) = &mut counts.sequence {
        sequence.received = sequence.received.wrapping_add(sequenced);
        sequence.lost = sequence.lost.saturating_sub(unjudged);
    }
    sample.gaps = sample.gaps.plus(GapSums {
        count,
        sum,
        squares: join_squares(squares_high, squares),
    });
}

/// Once all is counted: before the first number there is no latest one.
#[inline]
pub fn finish(sample: &mut FlowSample) {
    if let Some(sequence) = &mut sample.counts.sequence
        && sequence.received == 0
    {
        sequence.current = None;
    }
}

/// The sum of squares out of its halves, both of which have bit 63: where it is not the same, the carry into the upper one
/// is under way.
fn join_squares(high: u64, low: u64) -> u128 {
    const UPPER: u32 = u64::BITS - 1;
    let carry = low >> UPPER ^ high & 1;
    (u128::from(high.wrapping_add(carry)) << UPPER | u128::from(low << 1 >> 1)) % GapSums::MODULUS
}

fn decode_sequence(is_stream: bool, slot: &flow_slot) -> Sequence {
    Sequence {
        current: Some(slot.expected.wrapping_sub(1)),
        received: 0,
        lost: slot.lost,
        reverse_errors: slot.reverse_errors.into(),
        small_errors: slot.small_errors.into(),
        big_errors: slot.big_errors.into(),
        duplicates: (!is_stream).then_some(slot.duplicates.into()),
        restarts: slot.restarts.into(),
        absent: slot.absent.into(),
    }
}

/// The key of a slot; `None` where it is of no protocol that flows have.
pub fn decode_key(key: &flow_key) -> Option<FlowKey> {
    let flow_key {
        ifindex,
        source_port,
        destination_port,
        source,
        destination,
        vlan,
        protocol,
        family,
        tunnel,
    } = *key;
    let address = |bytes: [u8; 16]| match family {
        4 => IpAddr::from(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
        _ => IpAddr::from(Ipv6Addr::from(bytes)),
    };
    let direction = match ifindex & KEY_OUTGOING {
        0 => Direction::In,
        _ => Direction::Out,
    };
    Some(FlowKey {
        ifindex: ifindex & !KEY_OUTGOING,
        direction,
        vlan: (vlan != VLAN_NONE).then_some(vlan),
        tunnel: NonZeroU32::new(tunnel),
        protocol: Protocol::from_number(protocol)?,
        source: address(source),
        destination: address(destination),
        source_port,
        destination_port,
    })
}

/// What one interface's totals say, beyond what goes into its sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incidents {
    /// Flows replaced.
    pub evicted: u64,
    /// Sequence numbers not judged.
    pub contended: u64,
}

/// What is rare on an interface, of all CPUs.
pub fn decode_interface(ifindex: u32, of_all: &interface) -> (InterfaceSample, Incidents) {
    let interface {
        malformed,
        evicted,
        contended,
        fragments_unmatched,
        estimated,
        cut_off,
    } = *of_all;
    let sample = InterfaceSample {
        ifindex,
        malformed: malformed.map(|reason| decode_volume(&reason)),
        fragments_unmatched,
        estimated,
        cut_off: decode_volume(&cut_off),
        ..InterfaceSample::default()
    };
    (sample, Incidents { evicted, contended })
}

/// Adds one CPU's totals of an interface, and the bytes of what found no room there.
pub fn add_totals(sample: &mut InterfaceSample, of_cpu: &interface_totals, untracked_bytes: u64) {
    let interface_totals {
        ifindex: _,
        is_bare: _,
        seen,
        other,
        filtered,
        untracked,
    } = *of_cpu;
    sample.seen += decode_volume(&seen);
    sample.other += decode_volume(&other);
    sample.filtered += decode_volume(&filtered);
    sample.untracked += Volume {
        packets: untracked,
        bytes: untracked_bytes,
    };
}

const _: () = assert!(Malformed::ALL.len() == 9);

fn decode_volume(volume: &volume) -> Volume {
    Volume {
        packets: volume.packets,
        bytes: volume.bytes,
    }
}

#[cfg(test)]
#[path = "abi_tests.rs"]
mod tests;
