//! What the counters of a slot come to.

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

/// The flow of slot 3 with these counters.
fn merge(
    slot: &flow_slot,
    of_owner: &flow_counters,
    of_others: Option<&flow_shared>,
) -> FlowSample {
    let control = Control(slot.control);
    let mut sample = begin(3, control, slot).unwrap();
    describe(&mut sample, control, slot);
    count(&mut sample, control, of_owner);
    if let Some(of_others) = of_others {
        add_others(&mut sample, control, of_others);
    }
    finish(&mut sample);
    sample
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
    let shared = shared_gaps_of(0, 1);
    let sample = merge(&slot, &own, Some(&shared));
    assert_eq!((sample.counts.packets, sample.gaps.count), (15, 2));
    let sample = merge(&slot, &own, None);
    assert_eq!((sample.counts.packets, sample.gaps.count), (10, 1));
}

#[test]
fn a_number_is_known_once_any_cpu_counted_one_and_what_nobody_judged_is_not_lost() {
    let mut slot = slot(1 << 3 | 2);
    (slot.expected, slot.lost) = (8, 5);
    let own = |sequenced| flow_counters {
        sequenced,
        ..Default::default()
    };
    let others = flow_shared {
        sequenced: 2,
        unjudged: 3,
        ..Default::default()
    };
    for (own, others, current, received, lost) in [
        (own(0), None, None, 0, 5),
        (own(1), None, Some(7), 1, 5),
        (own(0), Some(&others), Some(7), 2, 2),
        (own(1), Some(&others), Some(7), 3, 2),
    ] {
        let sequence = merge(&slot, &own, others).counts.sequence.unwrap();
        assert_eq!(sequence.current, current);
        assert_eq!((sequence.received, sequence.lost), (received, lost));
    }
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
        let sample = merge(&slot, &own, Some(&others));
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
