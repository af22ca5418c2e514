//! The word that says whose a slot of the flow table is, and what of its counters is valid.
//!
//! Pure: the bits of `flow_slot.control` in types.h, by name.

/// The word that says whose a slot is: `flow_slot.control` of types.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control(pub u64);

/// Whose a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotState {
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
    const SHARED: u64 = 1 << 4;
    /// `FLOW_FOCUSED`.
    pub const FOCUSED: u64 = 1 << 5;

    /// Whose the slot is.
    pub const fn state(self) -> SlotState {
        match self.0 & 3 {
            0 => SlotState::Free,
            1 => SlotState::Claimed,
            2 => SlotState::Live,
            _ => SlotState::Retired,
        }
    }

    /// The same word with another state.
    pub const fn with_state(self, state: SlotState) -> Control {
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

    /// Whether the flow's packets carry sequence numbers.
    pub const fn is_sequenced(self) -> bool {
        self.0 & Self::SEQUENCED != 0
    }

    /// The lower half of the number of the jitter epoch.
    pub const fn epoch(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// Whether both are of the same life of the slot and of the same jitter epoch.
    pub const fn is_same_epoch(self, other: Control) -> bool {
        self.0 >> 16 == other.0 >> 16
    }

    /// Whether other CPUs than the owner counted something of the flow.
    pub const fn is_shared(self) -> bool {
        self.0 & Self::SHARED != 0
    }

    /// What of a word stays in a free slot: which life was the last one, and whether its shared counters are to be emptied.
    pub const LEFT_BEHIND: u64 = 0xffff_ffff << 16 | Self::SHARED;

    /// Which of the shared gaps are those of the epoch.
    pub const fn shared_gaps(self) -> usize {
        self.epoch() as usize % 2
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
