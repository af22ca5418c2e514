//! A slot and one CPU's counters of it, and each step that is done to their words.

use flowtop::probe::abi::{self, flow_counters, flow_slot};
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use loom::sync::atomic::{AtomicU64, fence};

/// What keeps an order, and may be weakened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `key_behind()`: the key's address depends on the control word.
    Dependency,
    /// `claim_slot()`: from free to claimed.
    Claim,
    /// `publish()`: from claimed to live.
    Publish,
    /// `account_arrival()`: the last arrival is exchanged.
    Arrival,
    /// `replace_flow()`: from live to claimed, of the same life.
    Mark,
    /// `replace_flow()`: it marks and leaves flags and epoch as they are.
    MarkAlone,
    /// `replace_flow()`: the last arrival is looked at behind the mark.
    SecondLook,
    /// `keep_flow()`: a packet does not only wait.
    TakeMarkAway,
    /// `keep_flow()`: it changes the state alone.
    Restore,
    /// `next_epoch()`: not where the slot has gone to another flow.
    EpochOfLife,
    /// `begin_epoch()`: what makes the counters valid is exchanged.
    Own,
    /// `begin_epoch()`: behind all that it makes valid.
    OwnLast,
    /// `add_gap()`: the carry is added behind the lower half.
    Carry,
    /// `FlowTable::retire_if_idle`: not under a judge.
    RetireUnlocked,
    /// `lock_as_found()`.
    Lock,
    /// `unlock_flow()`.
    Unlock,
    /// `FlowTable::read_flow`: whether the control word is still of the same life and epoch.
    LookAgain,
    /// `read_counters`: a fence behind all that was read, also before the control word is looked at again.
    FenceBehindCounters,
    /// `read_counters`: whether the word is still the same.
    LookAgainAtCounters,
    /// `abi::merge`: the bit that both halves of the squares have.
    CommonBit,
}

pub const FREE: u64 = 0;
pub const CLAIMED: u64 = 1;
pub const LIVE: u64 = 2;
pub const STATE: u64 = 3;
pub const LOCKED: u64 = 1 << 2;
pub const FOCUSED: u64 = 1 << 5;
pub const EPOCH: u64 = 1 << 48;

/// The control word of a life.
pub fn life(generation: u64, state: u64) -> u64 {
    generation << 16 | state
}

pub fn generation(control: u64) -> u64 {
    control >> 16 & 0xffff_ffff
}

/// The words that matter here; the key has two of them, so that half of one can be met.
#[derive(Debug)]
pub struct Slot {
    pub control: AtomicU64,
    pub last_arrival: AtomicU64,
    pub key: [AtomicU64; 2],
    pub expected: AtomicU64,
    pub life: AtomicU64,
    pub packets: AtomicU64,
    pub gaps: AtomicU64,
    pub squares: AtomicU64,
    weakened: Option<Step>,
}

impl Slot {
    pub fn new(control: u64, key: u64, weakened: Option<Step>) -> Slot {
        Slot {
            control: AtomicU64::new(control),
            last_arrival: AtomicU64::new(1),
            key: [key, key].map(AtomicU64::new),
            expected: AtomicU64::new(0),
            life: AtomicU64::new(control >> 16),
            packets: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            squares: AtomicU64::new(0),
            weakened,
        }
    }

    pub fn is_weakened(&self, step: Step) -> bool {
        self.weakened == Some(step)
    }

    /// An atomic operation of BPF's that returns what was there before: a full barrier on either side. Weakened: atomic, and no
    /// more than that, as those are that return nothing.
    fn fully_ordered<T>(&self, step: Step, operation: impl Fn() -> T) -> T {
        if self.is_weakened(step) {
            return operation();
        }
        fence(SeqCst);
        let before = operation();
        fence(SeqCst);
        before
    }

    pub fn exchange(&self, step: Step, word: &AtomicU64, next: u64) -> u64 {
        self.fully_ordered(step, || word.swap(next, Relaxed))
    }

    pub fn add(&self, step: Step, word: &AtomicU64, more: u64) -> u64 {
        self.fully_ordered(step, || word.fetch_add(more, Relaxed))
    }

    pub fn swap_if(&self, step: Step, word: &AtomicU64, expected: u64, next: u64) -> bool {
        self.fully_ordered(step, || {
            word.compare_exchange(expected, next, Relaxed, Relaxed)
                .is_ok()
        })
    }

    /// A load of the control word before loads whose address depends on it.
    pub fn find(&self, key: u64) -> Option<u64> {
        let order = if self.is_weakened(Step::Dependency) {
            Relaxed
        } else {
            Acquire
        };
        let control = self.control.load(order);
        let is_this = self.key.iter().all(|word| word.load(Relaxed) == key);
        (control & STATE == LIVE && is_this).then_some(control)
    }

    /// User space retires the flow.
    pub fn retire(&self) {
        let control = self.control.load(Acquire);
        let is_locked = control & LOCKED != 0 && !self.is_weakened(Step::RetireUnlocked);
        if control & STATE == LIVE && !is_locked {
            let _ = self
                .control
                .compare_exchange(control, control | STATE, AcqRel, Relaxed);
        }
    }

    /// Judges a number where the lock is to be had. Returns what the control word said as it was given back.
    pub fn judge(&self) -> Option<u64> {
        let control = self.control.load(Relaxed);
        if control & (STATE | LOCKED) != LIVE
            || !self.swap_if(Step::Lock, &self.control, control, control | LOCKED)
        {
            return None;
        }
        self.expected
            .store(self.expected.load(Relaxed) + 1, Relaxed);
        Some(self.add(Step::Unlock, &self.control, LOCKED.wrapping_neg()))
    }

    /// Claims a free slot; `from` is what it says.
    pub fn claim(&self, from: u64) -> bool {
        let claimed = life(generation(from) + 1, CLAIMED);
        self.swap_if(Step::Claim, &self.control, from, claimed)
    }

    pub fn publish(&self, generation: u64, key: u64) {
        self.key.iter().for_each(|word| word.store(key, Relaxed));
        self.last_arrival.store(3, Relaxed);
        self.exchange(Step::Publish, &self.control, life(generation, LIVE));
    }

    /// Takes the slot of a flow of generation 1. Returns whether it did.
    pub fn replace(&self) -> bool {
        let control = self.control.load(Relaxed);
        let arrival = self.last_arrival.load(Relaxed);
        if control & (STATE | LOCKED) != LIVE || generation(control) != 1 || arrival > 1 {
            return false;
        }
        let next = life(2, CLAIMED);
        let marked = match self.is_weakened(Step::MarkAlone) {
            true => next,
            false => control ^ LIVE ^ CLAIMED,
        };
        if !self.swap_if(Step::Mark, &self.control, control, marked) {
            return false;
        }
        let is_idle =
            self.is_weakened(Step::SecondLook) || self.last_arrival.load(Relaxed) == arrival;
        if is_idle && self.swap_if(Step::Claim, &self.control, marked, next) {
            return true;
        }
        if self.is_weakened(Step::MarkAlone) || self.is_weakened(Step::Restore) {
            self.control.swap(control, AcqRel);
        } else {
            self.keep(control);
        }
        false
    }

    /// Whether the slot still is the flow's; takes a mark away.
    pub fn keep(&self, control: u64) -> bool {
        loop {
            let now = self.control.load(Relaxed);
            if generation(now) != generation(control) || now & STATE == FREE {
                return false;
            }
            if now & STATE != CLAIMED || self.is_weakened(Step::TakeMarkAway) {
                return true;
            }
            if self.swap_if(Step::Mark, &self.control, now, now ^ CLAIMED ^ LIVE) {
                return true;
            }
        }
    }

    /// A packet's arrival; whether its flow still is there.
    pub fn arrive(&self, control: u64) -> bool {
        self.exchange(Step::Arrival, &self.last_arrival, 2);
        self.keep(control)
    }

    pub fn next_epoch(&self, control: u64) {
        loop {
            let now = self.control.load(Relaxed);
            if generation(now) != generation(control) && !self.is_weakened(Step::EpochOfLife) {
                return;
            }
            if self.swap_if(Step::Mark, &self.control, now, now + EPOCH) {
                return;
            }
        }
    }

    /// One packet and one gap, counted on this CPU, which found `control`. Stores that depend on a load come behind it, and where
    /// one of them is seen on another CPU, so is what was loaded.
    pub fn count(&self, control: u64) {
        fence(AcqRel);
        let (own, wanted) = (self.life.load(Relaxed), control >> 16);
        if own as u32 != wanted as u32 {
            self.begin(wanted, || self.packets.store(0, Relaxed));
        } else if own != wanted {
            self.begin(wanted, || ());
        }
        self.packets.store(self.packets.load(Relaxed) + 1, Relaxed);
        self.gaps.store(self.gaps.load(Relaxed) + 1, Relaxed);
    }

    fn begin(&self, wanted: u64, clear: impl Fn()) {
        if self.is_weakened(Step::OwnLast) {
            self.exchange(Step::Own, &self.life, wanted);
        }
        clear();
        self.gaps.store(0, Relaxed);
        if !self.is_weakened(Step::OwnLast) {
            self.exchange(Step::Own, &self.life, wanted);
        }
    }

    pub fn add_square(&self, square: u64) {
        let before = self.squares.load(Relaxed);
        let squares = before.wrapping_add(square);
        self.squares.store(squares, Relaxed);
        if (squares ^ before) >> 63 != 0 {
            self.add(Step::Carry, &self.life, EPOCH);
        }
    }

    fn read_counters(&self) -> flow_counters {
        loop {
            let life = self.life.load(Acquire);
            let counters = flow_counters {
                life,
                packets: self.packets.load(Relaxed),
                gaps: self.gaps.load(Relaxed),
                gap_squares: self.squares.load(Relaxed),
                ..flow_counters::default()
            };
            if !self.is_weakened(Step::FenceBehindCounters) {
                fence(Acquire);
            }
            let is_same = self.life.load(Relaxed) == life;
            if is_same || self.is_weakened(Step::LookAgainAtCounters) {
                return counters;
            }
        }
    }

    /// What user space reads of the flow: control word, packets, gaps, squares. `None` where the slot is nobody's, or was another's
    /// before the reading came to its end.
    pub fn read(&self) -> Option<Reading> {
        let mut control = self.control.load(Acquire);
        let of = generation(control);
        while control & STATE == LIVE && generation(control) == of {
            let sample = decode(control, self.read_counters());
            let now = self.control.load(Acquire);
            if now >> 16 == control >> 16 || self.is_weakened(Step::LookAgain) {
                return Some(Reading { control, ..sample });
            }
            control = now;
        }
        None
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub control: u64,
    pub packets: u64,
    pub gaps: u64,
    pub squares: u128,
}

/// By the program's own hand.
fn decode(control: u64, counters: flow_counters) -> Reading {
    let mut slot = flow_slot {
        control,
        ..flow_slot::default()
    };
    slot.key.protocol = 17;
    slot.key.family = 4;
    let sample = abi::merge(0, &slot, [counters]).expect("a flow");
    Reading {
        control,
        packets: sample.counts.packets,
        gaps: sample.gaps.count,
        squares: sample.gaps.squares,
    }
}
