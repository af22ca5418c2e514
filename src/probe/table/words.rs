//! What is done to the control words of flows from outside of a pass: marks, locks, and lives that end with their rules.

use std::mem::offset_of;
use std::sync::atomic::Ordering;

use super::{CONTROL, FlowTable};
use crate::model::flow::FlowKey;
use crate::model::rule::Rule;
use crate::probe::abi::{self, flow_slot};
use crate::probe::control::{Control, SlotState};

const SERIES: usize = offset_of!(flow_slot, expected);

/// `RUN_PLAIN` of types.h, in the word of a series.
const SERIES_PLAIN: u64 = 1 << 63;

impl FlowTable {
    /// Whether the slot is still, or rests as, that of this life's flow.
    pub fn holds(&self, slot: u32, generation: u32) -> bool {
        let control = self.control(slot as usize);
        control.state() != SlotState::Free && control.generation() == generation
    }

    /// Marks a flow as one that keeps a histogram, or no longer; a slot that has another flow by now stays as it is.
    pub fn set_focused(&self, slot: u32, generation: u32, focused: bool) {
        self.change_control(slot as usize, |control| {
            // Claimed: it may be about to be replaced, and may yet stay.
            let is_there = matches!(control.state(), SlotState::Live | SlotState::Claimed);
            let same = is_there && control.generation() == generation;
            let flag = if focused { Control::FOCUSED } else { 0 };
            same.then_some(Control(control.0 & !Control::FOCUSED | flag))
        });
    }

    /// Takes the lock of a flow and closes its series, as a CPU does that judges a number, or gives the lock back. Whether it could.
    /// The next number judged opens the series again.
    pub fn set_locked(&self, slot: u32, locked: bool) -> bool {
        let is_changed = self.change_control(slot as usize, |control| {
            let is_free = control.state() == SlotState::Live && control.is_locked() != locked;
            is_free.then_some(Control(control.0 ^ Control::LOCKED))
        });
        if locked && is_changed {
            let series = self.slots.word(slot as usize, SERIES);
            series.fetch_and(!SERIES_PLAIN, Ordering::AcqRel);
        }
        is_changed
    }

    /// Retires flows that rules of `version` exclude and that no packet came of since: it would have done the same.
    pub fn retire_excluded(&self, version: u8, rules: &[Rule]) {
        if rules.is_empty() {
            return;
        }
        let is_admitted = |key: &FlowKey| rules.iter().any(|rule| rule.matches(key));
        for index in 0..self.slots.len() {
            let word = self.slots.word(index, CONTROL);
            let control = Control(word.load(Ordering::Acquire));
            let is_old = control.state() == SlotState::Live && control.version() != version;
            // Who holds the lock is a packet that judges the flow by these rules.
            if !is_old || control.is_locked() {
                continue;
            }
            let key = abi::decode_key(&self.slots.read(index).key);
            if key.is_some_and(|key| !is_admitted(&key)) {
                let retired = control.with_state(SlotState::Retired).0;
                // Refused: a packet came after all, or another flow.
                let _ =
                    word.compare_exchange(control.0, retired, Ordering::AcqRel, Ordering::Relaxed);
            }
        }
    }

    /// Makes every flow be considered anew at its next packet that other rules than those of `version` admitted:
    /// before versions are used again, and halfway to that.
    pub fn forget_versions_before(&self, version: u8) {
        for slot in 0..self.slots.len() {
            let word = self.slots.word(slot, CONTROL);
            loop {
                let control = Control(word.load(Ordering::Acquire));
                if control.version() == version {
                    break;
                }
                // Versions are the lock holder's alone, who never takes long.
                if control.is_locked() {
                    std::thread::yield_now();
                    continue;
                }
                let forgotten = control.without_version().0;
                if word
                    .compare_exchange(control.0, forgotten, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
                {
                    break;
                }
            }
        }
    }

    /// Changes the word, unless `change` refuses. Returns whether it did.
    fn change_control(&self, index: usize, change: impl Fn(Control) -> Option<Control>) -> bool {
        let change = |word| change(Control(word)).map(|control| control.0);
        let word = self.slots.word(index, CONTROL);
        word.fetch_update(Ordering::AcqRel, Ordering::Acquire, change)
            .is_ok()
    }
}
