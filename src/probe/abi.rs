//! The seam between the kernel's structs and the model: sizes are asserted, every field is named once.
//!
//! Pure: copies of raw values come in, domain types go out. Nothing beyond `probe` sees a generated type.
#![allow(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use plain::Plain;

use crate::model::flow::{FlowKey, Protocol};
use crate::model::snapshot::{
    Counts, FlowSample, GapSums, InterfaceSample, Malformed, Sequence, Volume,
};

pub use super::skeleton::types::{
    flow_counters, flow_key, flow_slot, interface_totals, rule_address, rule_bank,
    sequence_profile, settings, volume,
};

const _: () = assert!(size_of::<flow_slot>() == 128);
const _: () = assert!(size_of::<flow_counters>() == 64);
const _: () = assert!(size_of::<interface_totals>() == 256);
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
unsafe impl Plain for interface_totals {}

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
/// `PROFILES` of types.h: one a rule, and the global one behind them.
pub const PROFILES: usize = 65;
/// `RULE_NONE` of types.h.
pub const RULE_NONE: u8 = 64;
const VLAN_NONE: u16 = 0xffff;

/// The word that says whose a slot is: `flow_slot.control` of types.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control(pub u64);

/// Whose a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody's.
    Free,
    /// A CPU is writing the key.
    Claimed,
    /// A flow's.
    Live,
    /// A former flow's, resting.
    Retired,
}

impl Control {
    /// `FLOW_LOCKED`.
    pub const LOCKED: u64 = 1 << 2;
    const SEQUENCED: u64 = 1 << 3;
    /// `FLOW_FOCUSED`.
    pub const FOCUSED: u64 = 1 << 5;

    /// Whose the slot is.
    pub const fn state(self) -> State {
        match self.0 & 3 {
            0 => State::Free,
            1 => State::Claimed,
            2 => State::Live,
            _ => State::Retired,
        }
    }

    /// The same word with another state.
    pub const fn with_state(self, state: State) -> Control {
        Control(self.0 & !3 | state as u64)
    }

    /// Whether a CPU is judging a sequence number of the flow.
    pub const fn is_locked(self) -> bool {
        self.0 & Self::LOCKED != 0
    }

    /// Counts the lives of the slot.
    pub const fn generation(self) -> u32 {
        (self.0 >> 16) as u32
    }

    const fn epoch(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// Whether both are of the same life of the slot and of the same jitter epoch.
    pub const fn is_same_epoch(self, other: Control) -> bool {
        self.0 >> 16 == other.0 >> 16
    }

    /// What a free slot says: only which life was the last one.
    pub const fn freed(self) -> Control {
        Control(self.0 & 0xffff_ffff << 16)
    }

    /// The same word, admitted by no rules that are or will be in force.
    pub const fn without_version(self) -> Control {
        Control(self.0 & !(0xff << 8))
    }

    /// The rule version that admitted the flow.
    pub const fn version(self) -> u8 {
        (self.0 >> 8) as u8
    }
}

/// One slot and every CPU's counters of it, as one flow. `None` where the key is of no protocol that is a flow.
#[inline]
pub fn merge(
    index: u32,
    slot: &flow_slot,
    counters: impl IntoIterator<Item = flow_counters>,
) -> Option<FlowSample> {
    let control = Control(slot.control);
    let key = decode_key(&slot.key)?;
    let (mut volume, mut payload_bytes, mut received) = (Volume::default(), 0u64, 0u64);
    let mut gaps = GapSums::default();
    for of_cpu in counters {
        let flow_counters {
            life,
            gap_squares,
            gap_sum,
            gaps: count,
            packets,
            bytes,
            payload_bytes: payload,
            sequenced,
        } = of_cpu;
        // In the same places as in the slot's control word, once they are shifted as far.
        let of = Control(life << 16);
        if of.generation() != control.generation() {
            continue;
        }
        volume += Volume { packets, bytes };
        payload_bytes = payload_bytes.wrapping_add(payload);
        received = received.wrapping_add(sequenced);
        if of.epoch() == control.epoch() {
            let squares = join_squares((life >> 48) as u16, gap_squares);
            gaps.count = gaps.count.wrapping_add(count);
            gaps.sum = gaps.sum.wrapping_add(gap_sum);
            gaps.squares = gaps.squares.wrapping_add(squares) % GapSums::MODULUS;
        }
    }
    let tracked = key.protocol == Protocol::Tcp || control.0 & Control::SEQUENCED != 0;
    Some(FlowSample {
        slot: index,
        generation: control.generation(),
        key,
        counts: Counts {
            packets: volume.packets,
            bytes: volume.bytes,
            payload_bytes,
            sequence: tracked.then(|| decode_sequence(&key, slot, received)),
        },
        epoch: (u32::from(slot.epochs_high) << 16 | u32::from(control.epoch())).wrapping_add(1),
        gaps,
        profile: slot.profile,
        rule: (slot.rule != RULE_NONE).then_some(slot.rule),
        rules_version: control.version(),
        first_seen_ns: slot.first_arrival,
        last_seen_ns: slot.last_arrival,
    })
}

/// The sum of squares out of its halves, both of which have bit 63: where it is not the same, the carry into the upper one
/// is under way.
fn join_squares(high: u16, low: u64) -> u128 {
    const UPPER: u32 = u64::BITS - 1;
    let carry = (low >> UPPER) as u16 ^ high & 1;
    u128::from(high.wrapping_add(carry)) << UPPER | u128::from(low << 1 >> 1)
}

fn decode_sequence(key: &FlowKey, slot: &flow_slot, received: u64) -> Sequence {
    let is_tcp = key.protocol == Protocol::Tcp;
    let (absent, unjudged_high) = if is_tcp {
        (0, slot.absent)
    } else {
        (slot.absent, 0)
    };
    let unjudged = u64::from(unjudged_high) << 32 | u64::from(slot.unjudged);
    Sequence {
        current: (received > 0).then(|| slot.expected.wrapping_sub(1)),
        received,
        lost: slot.lost.saturating_sub(unjudged),
        reverse_errors: slot.reverse_errors.into(),
        small_errors: slot.small_errors.into(),
        big_errors: slot.big_errors.into(),
        duplicates: (!is_tcp).then_some(slot.duplicates.into()),
        restarts: slot.restarts.into(),
        absent: absent.into(),
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
    } = *key;
    let address = |bytes: [u8; 16]| match family {
        4 => IpAddr::from(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
        _ => IpAddr::from(Ipv6Addr::from(bytes)),
    };
    Some(FlowKey {
        ifindex,
        vlan: (vlan != VLAN_NONE).then_some(vlan),
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

/// Adds one CPU's totals of an interface.
pub fn add_totals(
    sample: &mut InterfaceSample,
    incidents: &mut Incidents,
    of_cpu: &interface_totals,
) {
    let interface_totals {
        ifindex: _,
        is_bare: _,
        seen,
        other,
        filtered,
        untracked,
        malformed,
        evicted,
        contended,
        fragments_unmatched,
        estimated,
        unused_tail: _,
    } = *of_cpu;
    sample.seen += decode_volume(&seen);
    sample.other += decode_volume(&other);
    sample.filtered += decode_volume(&filtered);
    sample.untracked += decode_volume(&untracked);
    for (sum, reason) in sample.malformed.iter_mut().zip(&malformed) {
        *sum += decode_volume(reason);
    }
    sample.fragments_unmatched += fragments_unmatched;
    sample.estimated += estimated;
    incidents.evicted += evicted;
    incidents.contended += contended;
}

const _: () = assert!(Malformed::ALL.len() == 9);

fn decode_volume(volume: &volume) -> Volume {
    Volume {
        packets: volume.packets,
        bytes: volume.bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(control: u64) -> flow_slot {
        let mut slot = flow_slot {
            control,
            ..Default::default()
        };
        slot.key.protocol = 17;
        slot.key.family = 4;
        slot
    }

    #[test]
    fn a_second_cpu_adds_and_a_former_life_does_not() {
        let slot = slot(7 << 16 | 2);
        let counters = |generation, packets| flow_counters {
            life: generation,
            packets,
            gaps: 1,
            ..Default::default()
        };
        let sample = merge(
            3,
            &slot,
            [counters(7, 10), counters(7, 5), counters(6, 1000)],
        )
        .unwrap();
        assert_eq!((sample.counts.packets, sample.gaps.count), (15, 2));
    }

    #[test]
    fn gaps_of_a_former_epoch_do_not_count_but_its_packets_do() {
        let slot = slot(5 << 48 | 1 << 16 | 2);
        let counters = |epoch: u64| flow_counters {
            life: epoch << 32 | 1,
            packets: 1,
            gaps: 1,
            gap_sum: 9,
            ..Default::default()
        };
        let sample = merge(0, &slot, [counters(5), counters(4)]).unwrap();
        assert_eq!(
            (
                sample.counts.packets,
                sample.gaps.count,
                sample.gaps.sum,
                sample.epoch
            ),
            (2, 1, 9, 6)
        );
    }

    /// A carry is published after the lower half: whoever reads in between sees the half of before above it.
    #[test]
    fn squares_are_whole_while_a_carry_is_under_way() {
        const HALF: u128 = 1 << 63;
        let square = 4_000_000_000_000_000_000_u128;
        let mut sum = 0;
        for step in 0..1_000_000 {
            let before = (sum >> 63) as u16;
            sum = (sum + square - step % 7) % GapSums::MODULUS;
            let (high, low) = ((sum / HALF) as u16, sum as u64);
            assert_eq!(join_squares(high, low), sum);
            assert_eq!(join_squares(before, low), sum);
        }
        assert!(sum < square * 500_000, "the sum has not wrapped");
    }
}
