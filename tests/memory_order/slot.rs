//! A slot, its owner's counters and those of all others, and each step that is done to their words.

use flowtop::probe::abi::{self, flow_counters, flow_shared, flow_slot};
use flowtop::probe::control::Control;
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use loom::sync::atomic::{AtomicU64, fence};

/// What keeps an order, and may be weakened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// `key_behind()`: the key's address depends on the control word.
    Dependency,
    /// `claim_slot()`: from free to claimed.
    Claim,
    /// `tell_claim()`: behind the claim.
    TellBehind,
    /// `Occupied::take_claims`: slots are looked at behind what is taken back.
    FenceBehindClaims,
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
    /// `account_flow()`: counted behind the look at whether the flow still is there.
    CheckFirst,
    /// `begin_epoch()`: what makes the counters valid is exchanged.
    Own,
    /// `begin_epoch()`: behind all that it makes valid.
    OwnLast,
    /// `add_gap()`: the carry is added behind the lower half. `add_shared_gap()`: the same.
    Carry,
    /// `next_epoch()`: what is shared of the epoch to come is emptied before it begins.
    EmptyFirst,
    /// `claim_slot()`: what others counted of the former flow is emptied.
    EmptyShared,
    /// `FlowTable::retire_if_idle`: not under a judge.
    RetireUnlocked,
    /// `lock_as_found()`.
    Lock,
    /// `unlock_flow()`.
    Unlock,
    /// `close_series()`: what is judged with the lock held lets nothing pass.
    Close,
    /// `close_series()`: what has passed is known.
    EndRun,
    /// `open_series()`: the number and what says that the next one may pass are one word.
    OneWord,
    /// `series_behind_number()`: not where something is open or judged.
    LookAtPlain,
    /// `FlowTable::read_flow`: whether the control word is still of the same life and epoch.
    LookAgain,
    /// `read_behind`: a fence behind all that was read, also before the control word is looked at again.
    FenceBehindCounters,
    /// `read_behind`: whether the word is still the same.
    LookAgainAtCounters,
    /// `abi::join_squares`: the bit that both halves of the squares have.
    CommonBit,
}

pub const FREE: u64 = 0;
pub const CLAIMED: u64 = 1;
pub const LIVE: u64 = 2;
pub const STATE: u64 = 3;
pub const LOCKED: u64 = 1 << 2;
pub const SHARED: u64 = 1 << 4;
pub const FOCUSED: u64 = 1 << 5;
pub const EPOCH: u64 = 1 << 48;

/// A series: the number expected, how many passed, and whether the next one may.
pub const RUN: u64 = 1 << 56;
pub const PLAIN: u64 = 1 << 63;

/// What a series expects, and how long its run is.
pub fn expected(series: u64) -> u64 {
    series & 0xffff_ffff
}

pub fn run(series: u64) -> u64 {
    (series & !PLAIN) / RUN
}

/// The control word of a life.
pub fn life(generation: u64, state: u64) -> u64 {
    generation << 16 | state
}

pub fn generation(control: u64) -> u64 {
    control >> 16 & 0xffff_ffff
}

/// The CPU that owns the slot's counters.
const OWNER: u64 = 3;

/// What other CPUs counted.
#[derive(Debug, Default)]
pub struct Shared {
    pub packets: AtomicU64,
    pub gaps: [AtomicU64; 2],
    /// Of the epoch 0 and each second one after it.
    pub squares: AtomicU64,
    pub squares_high: AtomicU64,
}

/// The words that matter here; the key has two of them, so that half of one can be met.
#[derive(Debug)]
pub struct Slot {
    pub control: AtomicU64,
    /// In `claimed_sets`.
    pub is_told: AtomicU64,
    pub last_arrival: AtomicU64,
    pub key: [AtomicU64; 2],
    pub series: AtomicU64,
    /// How many numbers are known to have come.
    pub seen: AtomicU64,
    pub owner: AtomicU64,
    pub packets: AtomicU64,
    pub gaps: AtomicU64,
    pub squares: AtomicU64,
    pub shared: Shared,
    weakened: Option<Step>,
}

impl Slot {
    pub fn new(control: u64, key: u64, weakened: Option<Step>) -> Slot {
        Slot {
            control: AtomicU64::new(control),
            is_told: AtomicU64::new(0),
            last_arrival: AtomicU64::new(1),
            key: [key, key].map(AtomicU64::new),
            series: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            owner: AtomicU64::new(owner_of(control)),
            packets: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            squares: AtomicU64::new(0),
            shared: Shared::default(),
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
        let number = expected(self.close_series());
        self.seen.store(self.seen.load(Relaxed) + 1, Relaxed);
        if self.is_weakened(Step::OneWord) {
            self.series.store(PLAIN | number, Relaxed);
        }
        self.series.store(PLAIN | (number + 1), Relaxed);
        Some(self.add(Step::Unlock, &self.control, LOCKED.wrapping_neg()))
    }

    fn close_series(&self) -> u64 {
        let mut series = self.series.load(Relaxed);
        if series & PLAIN != 0 && !self.is_weakened(Step::Close) {
            series = self.series.fetch_sub(PLAIN, Relaxed);
        }
        if !self.is_weakened(Step::EndRun) {
            let seen = self.seen.load(Relaxed) + run(series);
            self.seen.store(seen, Relaxed);
        }
        series
    }

    /// The next number passes without the lock. Whether it did.
    pub fn pass(&self) -> bool {
        let series = self.series.load(Relaxed);
        if series & PLAIN == 0 && !self.is_weakened(Step::LookAtPlain) {
            return false;
        }
        self.series
            .compare_exchange(series, series + RUN + 1, Relaxed, Relaxed)
            .is_ok()
    }

    /// Claims a free slot; `from` is what it says.
    pub fn claim(&self, from: u64) -> bool {
        let claimed = life(generation(from) + 1, CLAIMED);
        self.swap_if(Step::Claim, &self.control, from, claimed)
    }

    /// The same, and tells user space of it.
    pub fn claim_and_tell(&self, from: u64) -> bool {
        let tell = || {
            if self.is_told.load(Relaxed) == 0 {
                self.is_told.fetch_or(1, Relaxed);
            }
        };
        if self.is_weakened(Step::TellBehind) {
            tell();
            return self.claim(from);
        }
        let is_claimed = self.claim(from);
        tell();
        is_claimed
    }

    /// Whether a pass of user space finds the slot not to be free, which was so before.
    pub fn is_visited(&self) -> bool {
        if self.is_told.swap(0, AcqRel) == 0 {
            return false;
        }
        if !self.is_weakened(Step::FenceBehindClaims) {
            fence(SeqCst);
        }
        self.control.load(Acquire) & STATE != FREE
    }

    /// Makes the slot that said `from` a flow's, with its first packet.
    pub fn publish(&self, from: u64, key: u64) {
        let generation = generation(from) + 1;
        self.owner.store(OWNER, Relaxed);
        self.packets.store(1, Relaxed);
        self.gaps.store(0, Relaxed);
        self.series.store(0, Relaxed);
        if from & SHARED != 0 && !self.is_weakened(Step::EmptyShared) {
            self.shared.packets.store(0, Relaxed);
            self.shared
                .gaps
                .iter()
                .for_each(|gaps| gaps.store(0, Relaxed));
        }
        self.key.iter().for_each(|word| word.store(key, Relaxed));
        self.last_arrival.store(3, Relaxed);
        self.exchange(Step::Publish, &self.control, life(generation, LIVE));
    }

    /// Takes the slot of a flow of generation 1. Returns what it said, if it did.
    pub fn replace(&self) -> Option<u64> {
        let control = self.control.load(Relaxed);
        let arrival = self.last_arrival.load(Relaxed);
        if control & (STATE | LOCKED) != LIVE || generation(control) != 1 || arrival > 1 {
            return None;
        }
        let next = life(2, CLAIMED);
        let marked = match self.is_weakened(Step::MarkAlone) {
            true => next,
            false => control ^ LIVE ^ CLAIMED,
        };
        if !self.swap_if(Step::Mark, &self.control, control, marked) {
            return None;
        }
        let is_idle =
            self.is_weakened(Step::SecondLook) || self.last_arrival.load(Relaxed) == arrival;
        if is_idle && self.swap_if(Step::Claim, &self.control, marked, next) {
            return Some(control);
        }
        if self.is_weakened(Step::MarkAlone) || self.is_weakened(Step::Restore) {
            self.control.swap(control, AcqRel);
        } else {
            self.keep(control);
        }
        None
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

    /// A packet's arrival, and what it adds to the counters unless its flow is gone. Whether it was counted.
    pub fn arrive_and_count(&self, control: u64, count: impl Fn()) -> bool {
        if self.is_weakened(Step::CheckFirst) {
            count();
            return self.arrive(control);
        }
        let is_still = self.arrive(control);
        if is_still {
            count();
        }
        is_still
    }

    pub fn next_epoch(&self, control: u64) {
        loop {
            let now = self.control.load(Relaxed);
            if generation(now) != generation(control) && !self.is_weakened(Step::EpochOfLife) {
                return;
            }
            let empty = || self.shared.gaps[bank(now + EPOCH)].store(0, Relaxed);
            if now & SHARED != 0 && !self.is_weakened(Step::EmptyFirst) {
                empty();
            }
            if self.swap_if(Step::Mark, &self.control, now, now + EPOCH) {
                if self.is_weakened(Step::EmptyFirst) {
                    empty();
                }
                return;
            }
        }
    }

    /// One packet and one gap, counted by the owner. Stores that depend on a load come behind it, and where one of them is seen on
    /// another CPU, so is what was loaded.
    pub fn count_as_owner(&self, control: u64) {
        fence(AcqRel);
        self.packets.store(self.packets.load(Relaxed) + 1, Relaxed);
        let wanted = owner_of(control);
        if self.owner.load(Relaxed) << 16 != wanted << 16 {
            self.begin_epoch(wanted);
        }
        self.gaps.store(self.gaps.load(Relaxed) + 1, Relaxed);
    }

    fn begin_epoch(&self, wanted: u64) {
        if self.is_weakened(Step::OwnLast) {
            self.exchange(Step::Own, &self.owner, wanted);
        }
        self.gaps.store(0, Relaxed);
        if !self.is_weakened(Step::OwnLast) {
            self.exchange(Step::Own, &self.owner, wanted);
        }
    }

    /// One packet and one gap, counted by another CPU, in the epoch of `control`.
    pub fn count_as_other(&self, control: u64) {
        if self.control.load(Relaxed) & SHARED == 0 {
            fence(SeqCst);
            self.control.fetch_or(SHARED, Relaxed);
            fence(SeqCst);
        }
        self.shared.packets.fetch_add(1, Relaxed);
        self.shared.gaps[bank(control)].fetch_add(1, Relaxed);
    }

    pub fn add_shared_square(&self, square: u64) {
        let before = self.add(Step::Carry, &self.shared.squares, square);
        if (before.wrapping_add(square) ^ before) >> 63 != 0 {
            self.shared.squares_high.fetch_add(1, Relaxed);
        }
    }

    pub fn add_square(&self, square: u64) {
        let before = self.squares.load(Relaxed);
        let squares = before.wrapping_add(square);
        self.squares.store(squares, Relaxed);
        if (squares ^ before) >> 63 != 0 {
            self.add(Step::Carry, &self.owner, EPOCH);
        }
    }

    /// What is read behind a word that has to be the same afterwards.
    fn read_behind<T>(&self, word: &AtomicU64, read: impl Fn(u64) -> T) -> T {
        let mut before = word.load(Acquire);
        loop {
            let counters = read(before);
            if !self.is_weakened(Step::FenceBehindCounters) {
                fence(Acquire);
            }
            let now = word.load(Acquire);
            if now == before || self.is_weakened(Step::LookAgainAtCounters) {
                return counters;
            }
            before = now;
        }
    }

    fn read_owners(&self) -> flow_counters {
        self.read_behind(&self.owner, |owner| flow_counters {
            owner,
            packets: self.packets.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            gap_squares: self.squares.load(Relaxed),
            ..flow_counters::default()
        })
    }

    fn read_others(&self, control: u64) -> flow_shared {
        self.read_behind(&self.shared.squares_high, |squares_high| {
            let mut shared = flow_shared::default();
            let gaps = &mut shared.gaps[bank(control)];
            gaps.squares_high = squares_high;
            gaps.squares = self.shared.squares.load(Relaxed);
            gaps.count = self.shared.gaps[bank(control)].load(Relaxed);
            shared.packets = self.shared.packets.load(Relaxed);
            shared
        })
    }

    /// What user space reads of the flow: control word, packets, gaps, squares. `None` where the slot is nobody's, or was another's
    /// before the reading came to its end.
    pub fn read(&self) -> Option<Reading> {
        let mut control = self.control.load(Acquire);
        let of = generation(control);
        while control & STATE == LIVE && generation(control) == of {
            let of_owner = self.read_owners();
            let of_others = (control & SHARED != 0).then(|| self.read_others(control));
            let now = self.control.load(Acquire);
            if now >> 16 == control >> 16 || self.is_weakened(Step::LookAgain) {
                return Some(decode(control, of_owner, of_others));
            }
            control = now;
        }
        None
    }
}

/// What the owner's word says, where the control word is this.
fn owner_of(control: u64) -> u64 {
    control >> 48 << 32 | OWNER
}

/// Where shared gaps of the epoch are.
fn bank(control: u64) -> usize {
    (control >> 48) as usize % 2
}

#[derive(Debug, Clone, Copy)]
pub struct Reading {
    pub control: u64,
    pub packets: u64,
    pub gaps: u64,
    pub squares: u128,
}

/// By the program's own hand.
fn decode(control: u64, of_owner: flow_counters, of_others: Option<flow_shared>) -> Reading {
    let mut slot = flow_slot {
        control,
        ..flow_slot::default()
    };
    slot.key.protocol = 17;
    slot.key.family = 4;
    let control = Control(control);
    let mut sample = abi::begin(0, control, &slot).expect("a flow");
    abi::describe(&mut sample, control, &slot);
    abi::count(&mut sample, control, &of_owner);
    if let Some(of_others) = of_others {
        abi::add_others(&mut sample, control, &of_others);
    }
    abi::finish(&mut sample);
    Reading {
        control: control.0,
        packets: sample.counts.packets,
        gaps: sample.gaps.count,
        squares: sample.gaps.squares,
    }
}
