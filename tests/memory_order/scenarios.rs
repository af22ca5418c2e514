//! What must be true in whatever order the steps of two or three CPUs come out.

use flowtop::model::snapshot::GapSums;
use loom::sync::Arc;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use crate::slot::{CLAIMED, EPOCH, FOCUSED, FREE, LIVE, STATE, Slot, Step, generation, life};

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
            slot.publish(2, NEW_KEY);
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
    let is_taken = slot.replace();
    if is_taken {
        slot.publish(2, NEW_KEY);
    }
    is_taken
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

/// User space reads while a CPU that counted the former flow meets the new one.
pub fn counters_of_a_new_life_are_its_own(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    slot.packets.store(100, Relaxed);
    let newcomer = on_another(&slot, |slot| slot.publish(2, NEW_KEY));
    let packet = on_another(&slot, |slot| {
        let control = slot.control.load(Relaxed);
        if generation(control) == 2 {
            slot.count(control);
        }
    });
    if let Some(reading) = slot.read() {
        let packets = reading.packets;
        let is_own = match generation(reading.control) {
            1 => packets == 100,
            _ => packets <= 1,
        };
        assert!(is_own, "order: {reading:?}");
    }
    newcomer.join().expect("a newcomer");
    packet.join().expect("a packet");
}

/// User space reads while an epoch begins.
pub fn an_epochs_gaps_are_its_own(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    slot.gaps.store(100, Relaxed);
    let other = on_another(&slot, |slot| slot.next_epoch(life(1, LIVE)));
    let packet = on_another(&slot, |slot| {
        let control = slot.control.load(Relaxed);
        if control >= EPOCH {
            slot.count(control);
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

/// User space reads while the squares outgrow their lower half, twice.
pub fn squares_are_whole(weakened: Option<Step>) {
    const SQUARE: u64 = 4_000_000_000_000_000_000;
    const ADDED: u64 = 5;
    let slot = shared(life(1, LIVE), weakened);
    let sums: Vec<u128> = (0..=ADDED)
        .map(|count| u128::from(count) * u128::from(SQUARE) % GapSums::MODULUS)
        .collect();
    let packets = on_another(&slot, |slot| {
        (0..ADDED).for_each(|_| slot.add_square(SQUARE));
    });
    let reading = slot.read().expect("a flow");
    let squares = match slot.is_weakened(Step::CommonBit) {
        // The halves side by side, as if a carry were never under way.
        true => {
            let life = slot.life.load(Relaxed);
            u128::from(life >> 48) << 63 | u128::from(slot.squares.load(Relaxed) << 1 >> 1)
        }
        false => reading.squares,
    };
    assert!(sums.contains(&squares), "order: {squares}");
    packets.join().expect("packets");
}

/// Two packets with sequence numbers.
pub fn the_lock_hands_over_what_it_protects(weakened: Option<Step>) {
    let slot = shared(life(1, LIVE), weakened);
    let other = on_another(&slot, |slot| u64::from(slot.judge().is_some()));
    let judged = u64::from(slot.judge().is_some());
    let judged = judged + other.join().expect("a packet");
    let expected = slot.expected.load(Relaxed);
    assert_eq!(expected, judged, "order: numbers judged and not seen");
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
