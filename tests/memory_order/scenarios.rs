//! What must be true in whatever order the steps of two or three CPUs come out.

use flowtop::model::snapshot::GapSums;
use loom::sync::Arc;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use crate::slot::{
    CLAIMED, EPOCH, FOCUSED, FREE, LIVE, PLAIN, SHARED, STATE, Slot, Step, expected, generation,
    life, run,
};

const OLD_KEY: u64 = 10;
const NEW_KEY: u64 = 20;

fn shared(control: u64, weakened: Option<Step>) -> Arc<Slot> {
    Arc::new(Slot::new(control, OLD_KEY, weakened))
}

/// Runs it on another CPU.
fn on_another<T: 'static>(
    slot: &Arc<Slot>,
    steps: impl Fn(&Slot) -> T + 'static,
) -> thread::JoinHandle<T> {
    let slot = Arc::clone(slot);
    thread::spawn(move || steps(&slot))
}

/// A slot gets its next flow while two packets look for the former and for the new one.
pub fn the_key_is_that_of_the_life_found(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    let newcomer = on_another(&slot, |slot| {
        // Its user space, after a rest; no packet is on its way to the former flow.
        slot.control
            .store(life(1, FREE), loom::sync::atomic::Ordering::Release);
        if slot.claim(life(1, FREE)) {
            slot.publish(life(1, FREE), NEW_KEY);
        }
    });
    let stranger = on_another(&slot, |slot| {
        // Of a flow that the key may look like while it is half written.
        slot.find(NEW_KEY)
            .map(|control| (control, slot.arrive(control)))
    });
    if let Some(control) = slot.find(OLD_KEY) {
        assert_eq!(
            generation(control),
            1,
            "order: the former key in the new life"
        );
    }
    if let Some((control, true)) = stranger.join().expect("a packet") {
        assert_eq!(
            generation(control),
            2,
            "order: the new key in the former life"
        );
    }
    newcomer.join().expect("a newcomer");
}

/// A newcomer takes the place of the flow there, if it may; whether it did.
fn wants_the_place(slot: &Slot) -> bool {
    let replaced = slot.replace();
    if let Some(control) = replaced {
        slot.publish(control, NEW_KEY);
    }
    replaced.is_some()
}

/// A newcomer wants the place of an idle flow at the moment of its next packet: the flow stays, or the packet knows.
pub fn the_place_of_a_flow_with_a_packet_is_not_taken(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    let newcomer = on_another(&slot, wants_the_place);
    let is_counted = slot.find(OLD_KEY).map(|control| slot.arrive(control));
    let is_taken = newcomer.join().expect("a newcomer");
    if let Some(is_counted) = is_counted {
        assert_ne!(
            is_taken, is_counted,
            "order: the flow's place and its packet"
        );
    }
    if !is_taken {
        let control = slot.control.load(Relaxed);
        assert_eq!(control, life(1, LIVE), "order: the flow that stayed");
    }
}

/// The same where the packet begins an epoch, and user space asks for a histogram.
pub fn what_changes_meanwhile_stays(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    let newcomer = on_another(&slot, wants_the_place);
    let reader = on_another(&slot, |slot| {
        let change = |control: u64| {
            let is_there = matches!(control & STATE, LIVE | CLAIMED) && generation(control) == 1;
            is_there.then_some(control | FOCUSED)
        };
        slot.control.fetch_update(Relaxed, Relaxed, change).is_ok()
    });
    let mut epochs = 0;
    if let Some(control) = slot.find(OLD_KEY) {
        let is_counted = slot.arrive(control);
        slot.next_epoch(control);
        epochs = u64::from(is_counted);
    }
    let is_taken = newcomer.join().expect("a newcomer");
    let is_focused = reader.join().expect("a reader");
    let expected = match is_taken {
        true => life(2, LIVE),
        false => life(1, LIVE) + epochs * EPOCH + u64::from(is_focused) * FOCUSED,
    };
    let control = slot.control.load(Relaxed);
    assert_eq!(control, expected, "order: changes of the control word");
}

/// User space reads while a newcomer takes the place of an idle flow.
pub fn counters_of_a_new_life_are_its_own(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE) | SHARED, weakened);
    slot.packets.store(100, Relaxed);
    slot.shared.packets.store(50, Relaxed);
    let newcomer = on_another(&slot, wants_the_place);
    if let Some(reading) = slot.read() {
        let packets = match generation(reading.control) {
            1 => 150,
            _ => 1,
        };
        assert_eq!(reading.packets, packets, "order: {reading:?}");
    }
    newcomer.join().expect("a newcomer");
}

/// User space reads while a newcomer takes a free slot.
pub fn a_new_flow_has_its_first_packet(weakened: Option<Step>) {
    let slot = shared(life(1, FREE), weakened);
    slot.packets.store(100, Relaxed);
    let newcomer = on_another(&slot, |slot| {
        assert!(slot.claim(life(1, FREE)), "a free slot");
        slot.publish(life(1, FREE), NEW_KEY);
    });
    if let Some(reading) = slot.read() {
        assert_eq!(reading.packets, 1, "order: {reading:?}");
    }
    newcomer.join().expect("a newcomer");
}

/// User space passes while a newcomer takes a free slot, and once more: one of both finds it. `is_told`: so is another flow of
/// the set.
fn visits_find_a_new_flow(weakened: Option<Step>, is_told: u64) {
    let slot = shared(life(1, FREE), weakened);
    slot.is_told.store(is_told, Relaxed);
    let newcomer = on_another(&slot, |slot| {
        assert!(slot.claim_and_tell(life(1, FREE)), "a free slot");
        slot.publish(life(1, FREE), NEW_KEY);
    });
    let is_visited = slot.is_visited();
    newcomer.join().expect("a newcomer");
    assert!(is_visited || slot.is_visited(), "order: nobody visits it");
}

/// The first one of its set since the pass before.
pub fn a_new_flow_is_visited(weakened: Option<Step>) {
    visits_find_a_new_flow(weakened, 0);
}

/// Not the first one.
pub fn a_new_flow_is_visited_beside_another_one_of_its_set(weakened: Option<Step>) {
    visits_find_a_new_flow(weakened, 1);
}

/// A newcomer wants the place of an idle flow, whose owner has a packet of it.
pub fn what_the_owner_counted_stays_with_its_life(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    slot.packets.store(100, Relaxed);
    let newcomer = on_another(&slot, wants_the_place);
    let is_counted = slot
        .find(OLD_KEY)
        .map(|control| slot.arrive_and_count(control, || slot.count_as_owner(control)));
    let is_taken = newcomer.join().expect("a newcomer");
    let packets = slot.packets.load(Relaxed);
    let expected = match is_taken {
        true => 1,
        false => 100 + u64::from(is_counted == Some(true)),
    };
    assert_eq!(packets, expected, "order: the owner's packets");
}

/// The same where another CPU has the packet, and has had packets before.
pub fn what_others_counted_stays_with_its_life(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE) | SHARED, weakened);
    slot.packets.store(100, Relaxed);
    slot.shared.packets.store(50, Relaxed);
    let newcomer = on_another(&slot, wants_the_place);
    let is_counted = slot
        .find(OLD_KEY)
        .map(|control| slot.arrive_and_count(control, || slot.count_as_other(control)));
    let is_taken = newcomer.join().expect("a newcomer");
    let expected = match is_taken {
        true => 0,
        false => 50 + u64::from(is_counted == Some(true)),
    };
    let packets = slot.shared.packets.load(Relaxed);
    assert_eq!(packets, expected, "order: packets of others");
}

/// Another CPU has the second packet of a new flow, in a slot whose former flow had been counted by others, too.
pub fn what_others_count_first_is_not_lost(weakened: Option<Step>) {
    let slot = shared(life(1, FREE) | SHARED, weakened);
    slot.shared.packets.store(50, Relaxed);
    let newcomer = on_another(&slot, |slot| {
        let from = life(1, FREE) | SHARED;
        assert!(slot.claim(from), "a free slot");
        slot.publish(from, NEW_KEY);
    });
    let counted = slot
        .find(NEW_KEY)
        .map(|control| slot.arrive_and_count(control, || slot.count_as_other(control)));
    newcomer.join().expect("a newcomer");
    let packets = slot.shared.packets.load(Relaxed);
    let expected = u64::from(counted == Some(true));
    assert_eq!(packets, expected, "order: packets of others");
    let reading = slot.read().expect("a flow");
    assert_eq!(reading.packets, 1 + expected, "order: {reading:?}");
}

/// User space reads while an epoch begins.
pub fn an_epochs_gaps_are_its_own(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    slot.gaps.store(100, Relaxed);
    let other = on_another(&slot, |slot| slot.next_epoch(life(1, LIVE)));
    let packet = on_another(&slot, |slot| {
        let control = slot.control.load(Relaxed);
        if control >= EPOCH {
            slot.count_as_owner(control);
        }
    });
    let reading = slot.read().expect("a flow");
    let is_own = match reading.control >= EPOCH {
        false => reading.gaps == 100,
        true => reading.gaps <= 1,
    };
    assert!(is_own, "order: {reading:?}");
    other.join().expect("a packet");
    packet.join().expect("a packet");
}

/// User space reads while two epochs begin, one after the other, and another CPU than the owner has a packet in one of them. (In the
/// epoch before both it has none any more: it would be two seconds late.)
pub fn an_epochs_shared_gaps_are_its_own(weakened: Option<Step>) {
    let slot = shared((life(1, LIVE) | SHARED) + EPOCH, weakened);
    let [before, now] = [0, 1].map(|bank| &slot.shared.gaps[bank]);
    before.store(50, Relaxed);
    now.store(100, Relaxed);
    let pauses = on_another(&slot, |slot| {
        (0..2).for_each(|_| slot.next_epoch(life(1, LIVE)));
    });
    let packet = on_another(&slot, |slot| {
        let control = slot.control.load(loom::sync::atomic::Ordering::Acquire);
        let is_in_time = control >= 2 * EPOCH;
        if is_in_time {
            slot.count_as_other(control);
        }
        is_in_time
    });
    let reading = slot.read().expect("a flow");
    let is_own = match reading.control >= 2 * EPOCH {
        false => reading.gaps == 100,
        true => reading.gaps <= 1,
    };
    assert!(is_own, "order: {reading:?}");
    pauses.join().expect("pauses");
    let is_counted = packet.join().expect("a packet");
    let sum = slot
        .shared
        .gaps
        .iter()
        .map(|gaps| gaps.load(Relaxed))
        .sum::<u64>();
    assert_eq!(sum, u64::from(is_counted), "order: gaps that were lost");
}

const SQUARE: u64 = 4_000_000_000_000_000_000;

/// The sums of none to so many squares, after `start`.
fn sums(start: u64, squares: u64) -> Vec<u128> {
    (0..=squares)
        .map(|count| {
            (u128::from(start) + u128::from(count) * u128::from(SQUARE)) % GapSums::MODULUS
        })
        .collect()
}

/// Two halves side by side, as if a carry were never under way.
fn side_by_side(high: u64, low: u64) -> u128 {
    u128::from(high) << 63 | u128::from(low << 1 >> 1)
}

/// User space reads while the squares outgrow their lower half, twice.
pub fn squares_are_whole(weakened: Option<Step>) {
    const ADDED: u64 = 5;
    let slot = shared(life(1, LIVE), weakened);
    let packets = on_another(&slot, |slot| {
        (0..ADDED).for_each(|_| slot.add_square(SQUARE));
    });
    let reading = slot.read().expect("a flow");
    let squares = match slot.is_weakened(Step::CommonBit) {
        true => side_by_side(slot.owner.load(Relaxed) >> 48, slot.squares.load(Relaxed)),
        false => reading.squares,
    };
    assert!(sums(0, ADDED).contains(&squares), "order: {squares}");
    packets.join().expect("packets");
}

/// The same of those that are shared.
pub fn shared_squares_are_whole(weakened: Option<Step>) {
    const ADDED: u64 = 5;
    let slot = shared(life(1, LIVE) | SHARED, weakened);
    let packets = on_another(&slot, |slot| {
        (0..ADDED).for_each(|_| slot.add_shared_square(SQUARE));
    });
    let reading = slot.read().expect("a flow");
    let squares = match slot.is_weakened(Step::CommonBit) {
        true => {
            let high = slot.shared.squares_high.load(Relaxed);
            side_by_side(high, slot.shared.squares.load(Relaxed))
        }
        false => reading.squares,
    };
    assert!(sums(0, ADDED).contains(&squares), "order: {squares}");
    packets.join().expect("packets");
}

/// Two CPUs add, and one of them has the carry. (The next one is more than two seconds away.)
pub fn squares_of_two_cpus_are_whole(weakened: Option<Step>) {
    const START: u64 = 2_000_000_000_000_000_000;
    let slot = shared(life(1, LIVE) | SHARED, weakened);
    slot.shared.squares.store(START, Relaxed);
    let packets = [0, 1].map(|_| on_another(&slot, |slot| slot.add_shared_square(SQUARE)));
    let reading = slot.read().expect("a flow");
    let squares = reading.squares;
    assert!(sums(START, 2).contains(&squares), "order: {squares}");
    for packet in packets {
        packet.join().expect("a packet");
    }
}

/// Two packets with sequence numbers.
pub fn the_lock_hands_over_what_it_protects(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    let other = on_another(&slot, |slot| u64::from(slot.judge().is_some()));
    let judged = u64::from(slot.judge().is_some());
    let judged = judged + other.join().expect("a packet");
    let numbers = expected(slot.series.load(Relaxed));
    assert_eq!(numbers, judged, "order: numbers judged and not seen");
}

/// A packet with the next number, and two with numbers that need the lock.
pub fn what_passes_beside_the_lock_is_known(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    slot.series.store(PLAIN, Relaxed);
    let passes = on_another(&slot, |slot| {
        u64::from(slot.pass()) + u64::from(slot.pass())
    });
    let judged = (0..2).filter_map(|_| slot.judge()).count() as u64;
    let numbers = judged + passes.join().expect("packets");
    let series = slot.series.load(Relaxed);
    assert_eq!(expected(series), numbers, "order: {series:#x}");
    let seen = slot.seen.load(Relaxed) + run(series);
    assert_eq!(seen, numbers, "order: numbers that came and are not known");
}

/// Two packets that both may pass, and a third one that needs the lock.
pub fn what_passes_on_two_cpus_is_known(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    slot.series.store(PLAIN, Relaxed);
    let packets = [0, 1].map(|_| on_another(&slot, |slot| u64::from(slot.pass())));
    let judged = u64::from(slot.judge().is_some());
    let passed: u64 = packets
        .into_iter()
        .map(|packet| packet.join().expect("a packet"))
        .sum();
    let series = slot.series.load(Relaxed);
    assert_eq!(expected(series), judged + passed, "order: {series:#x}");
    let seen = slot.seen.load(Relaxed) + run(series);
    assert_eq!(seen, judged + passed, "order: numbers not known");
}

/// A newcomer wants the place of an idle flow whose next number comes, and is in the same place of its own series.
pub fn what_passes_is_of_the_life_found(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    slot.series.store(PLAIN | 5, Relaxed);
    let newcomer = on_another(&slot, |slot| {
        let is_taken = wants_the_place(slot);
        if is_taken {
            slot.series.store(PLAIN | 5, Relaxed);
        }
        is_taken
    });
    let has_passed = std::cell::Cell::new(false);
    let is_counted = slot
        .find(OLD_KEY)
        .is_some_and(|control| slot.arrive_and_count(control, || has_passed.set(slot.pass())));
    let is_taken = newcomer.join().expect("a newcomer");
    let series = slot.series.load(Relaxed);
    let numbers = match is_taken {
        true => 5,
        false => 5 + u64::from(is_counted && has_passed.get()),
    };
    assert_eq!(expected(series), numbers, "order: another flow's number");
}

/// User space retires a flow while a packet with a sequence number is judged, or before, or after.
pub fn no_flow_is_retired_under_a_judge(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    let reader = on_another(&slot, Slot::retire);
    if let Some(given_back) = slot.judge() {
        assert_eq!(given_back & STATE, LIVE, "order: retired under a judge");
    }
    reader.join().expect("a reader");
}
