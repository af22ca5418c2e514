//! Which sets of the table a pass has to visit: those where there was a flow since they were found empty.
//!
//! Only of the program in this process, whose passes are many and may find little.

use std::ffi::c_void;
use std::ptr::NonNull;

use anyhow::Result;

use crate::probe::sys::MappedArray;

/// The marks of src/bpf/host/bpf/bpf_helpers.h, and what passes left of them.
#[derive(Debug)]
pub struct Marks {
    /// A word for each set, not 0 where it is marked.
    of_sets: MappedArray<u64>,
    /// Sets that were marked since the latest pass: their number, then which.
    marked: MappedArray<u64>,
    /// All others that are marked, in order.
    known: Vec<u64>,
}

impl Marks {
    /// For so many sets, none of which is marked.
    pub fn of_process(sets: usize) -> Result<Marks> {
        Ok(Marks {
            of_sets: MappedArray::of_process(sets)?,
            marked: MappedArray::of_process(sets + 1)?,
            known: Vec::new(),
        })
    }

    /// Where the program finds the words of sets, and where it says which it has marked.
    pub fn places(&self) -> [NonNull<c_void>; 2] {
        [self.of_sets.start(), self.marked.start()]
    }

    /// Visits the marked sets in order; the mark stays where `visit` returns true.
    pub(super) fn retain(&mut self, mut visit: impl FnMut(usize) -> bool) {
        let more = self.marked.read(0);
        if more > 0 {
            let marked = (1..=more as usize).map(|at| self.marked.read(at));
            self.known.extend(marked);
            self.known.sort_unstable();
            self.marked.write(0, 0);
        }
        self.known.retain(|set| {
            let stays = visit(*set as usize);
            if !stays {
                self.of_sets.write(*set as usize, 0);
            }
            stays
        });
    }
}
