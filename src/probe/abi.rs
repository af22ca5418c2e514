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
use crate::model::snapshot::{
    Counts, FlowSample, GapSums, InterfaceSample, Malformed, Sequence, Volume,
};

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

/// One slot, its owner's counters and those of all other CPUs, where there are any, as one flow. `None` where the key is of no
/// protocol that is a flow.
#[inline]
pub fn merge(
    index: u32,
    slot: &flow_slot,
    of_owner: &flow_counters,
    of_others: Option<&flow_shared>,
) -> Option<FlowSample> {
    let control = Control(slot.control);
    let key = decode_key(&slot.key)?;
    let mut counted = decode_owners(control, of_owner);
    if let Some(shared) = of_others {
        counted.add_others(control, shared);
    }
    let tracked = key.protocol == Protocol::Tcp || control.is_sequenced();
    Some(FlowSample {
        slot: index,
        generation: control.generation(),
        key,
        counts: Counts {
            packets: counted.volume.packets,
            bytes: counted.volume.bytes,
            payload_bytes: counted.payload_bytes,
            sequence: tracked.then(|| decode_sequence(&key, slot, &counted)),
            // Of groups: see `GroupRecords`.
            ip: None,
        },
        epoch: (u32::from(slot.epochs_high) << 16 | u32::from(control.epoch())).wrapping_add(1),
        gaps: counted.gaps,
        profile: slot.profile,
        rule: (slot.rule != RULE_NONE).then_some(slot.rule),
        rules_version: control.version(),
        first_seen_ns: slot.first_arrival,
        last_seen_ns: slot.last_arrival,
    })
}

/// What CPUs counted of a flow.
struct OwnersCounts {
    volume: Volume,
    payload_bytes: u64,
    sequenced: u64,
    unjudged: u64,
    gaps: GapSums,
}

fn decode_owners(control: Control, counters: &flow_counters) -> OwnersCounts {
    let flow_counters {
        owner,
        gap_squares,
        gap_sum,
        gaps: count,
        packets,
        bytes,
        payload_bytes,
        sequenced,
    } = *counters;
    let mut gaps = GapSums::default();
    if (owner >> 32) as u16 == control.epoch() {
        gaps = GapSums {
            count,
            sum: gap_sum,
            squares: join_squares(owner >> 48, gap_squares),
        };
    }
    OwnersCounts {
        volume: Volume { packets, bytes },
        payload_bytes,
        sequenced,
        unjudged: 0,
        gaps,
    }
}

impl OwnersCounts {
    fn add_others(&mut self, control: Control, shared: &flow_shared) {
        let flow_shared {
            packets,
            bytes,
            payload_bytes,
            sequenced,
            unjudged,
            unused: _,
            gaps,
        } = *shared;
        let shared_gaps {
            squares,
            squares_high,
            sum,
            count,
        } = gaps[control.shared_gaps()];
        self.volume += Volume { packets, bytes };
        self.payload_bytes = self.payload_bytes.wrapping_add(payload_bytes);
        self.sequenced = self.sequenced.wrapping_add(sequenced);
        self.unjudged = self.unjudged.wrapping_add(unjudged);
        self.gaps = self.gaps.plus(GapSums {
            count,
            sum,
            squares: join_squares(squares_high, squares),
        });
    }
}

/// The sum of squares out of its halves, both of which have bit 63: where it is not the same, the carry into the upper one
/// is under way.
fn join_squares(high: u64, low: u64) -> u128 {
    const UPPER: u32 = u64::BITS - 1;
    let carry = low >> UPPER ^ high & 1;
    (u128::from(high.wrapping_add(carry)) << UPPER | u128::from(low << 1 >> 1)) % GapSums::MODULUS
}

fn decode_sequence(key: &FlowKey, slot: &flow_slot, counted: &OwnersCounts) -> Sequence {
    let received = counted.sequenced;
    Sequence {
        current: (received > 0).then(|| slot.expected.wrapping_sub(1)),
        received,
        lost: slot.lost.saturating_sub(counted.unjudged),
        reverse_errors: slot.reverse_errors.into(),
        small_errors: slot.small_errors.into(),
        big_errors: slot.big_errors.into(),
        duplicates: (key.protocol != Protocol::Tcp).then_some(slot.duplicates.into()),
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
    fn a_direction_and_a_tunnel_tell_flows_apart() {
        let key = |ifindex, tunnel| flow_key {
            ifindex,
            tunnel,
            ..slot(0).key
        };
        let decode = |ifindex, tunnel| decode_key(&key(ifindex, tunnel)).unwrap();
        let plain = decode(7, 0);
        assert_eq!((plain.direction, plain.tunnel), (Direction::In, None));
        let outgoing = decode(7 | KEY_OUTGOING, 0);
        assert_eq!((outgoing.ifindex, outgoing.direction), (7, Direction::Out));
        let tunnelled = decode(7, u32::MAX);
        assert_eq!(tunnelled.tunnel, NonZeroU32::new(u32::MAX));
        for other in [outgoing, tunnelled] {
            assert_ne!(other, plain);
        }
    }

    fn shared_gaps_of(epoch: usize, count: u64) -> flow_shared {
        let mut shared = flow_shared {
            packets: 5,
            ..Default::default()
        };
        shared.gaps[epoch % 2].count = count;
        shared
    }

    #[test]
    fn what_other_cpus_counted_is_added() {
        let slot = slot(7 << 16 | 2);
        let own = flow_counters {
            owner: 3,
            packets: 10,
            gaps: 1,
            ..Default::default()
        };
        let merge = |others| merge(3, &slot, &own, others).unwrap();
        let shared = shared_gaps_of(0, 1);
        let sample = merge(Some(&shared));
        assert_eq!((sample.counts.packets, sample.gaps.count), (15, 2));
        let sample = merge(None);
        assert_eq!((sample.counts.packets, sample.gaps.count), (10, 1));
    }

    #[test]
    fn gaps_of_a_former_epoch_do_not_count_but_its_packets_do() {
        let slot = slot(5 << 48 | 1 << 16 | 2);
        let own = |epoch: u64| flow_counters {
            owner: epoch << 32 | 1,
            packets: 1,
            gaps: 1,
            gap_sum: 9,
            ..Default::default()
        };
        for (own, others, gaps) in [
            (own(5), shared_gaps_of(4, 7), (1, 9)),
            (own(4), shared_gaps_of(5, 7), (7, 0)),
        ] {
            let sample = merge(0, &slot, &own, Some(&others)).unwrap();
            assert_eq!(sample.counts.packets, 6);
            assert_eq!((sample.gaps.count, sample.gaps.sum), gaps);
            assert_eq!(sample.epoch, 6);
        }
    }

    /// A carry is published after the lower half: whoever reads in between sees the half of before above it.
    #[test]
    fn squares_are_whole_while_a_carry_is_under_way() {
        const HALF: u128 = 1 << 63;
        let square = 4_000_000_000_000_000_000_u128;
        let mut sum = 0;
        for step in 0..1_000_000 {
            let before = (sum >> 63) as u64;
            sum = (sum + square - step % 7) % GapSums::MODULUS;
            let (high, low) = ((sum / HALF) as u64, sum as u64);
            assert_eq!(join_squares(high, low), sum);
            assert_eq!(join_squares(before, low), sum);
        }
        assert!(sum < square * 500_000, "the sum has not wrapped");
    }
}
