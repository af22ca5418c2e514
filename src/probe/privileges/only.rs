//! For which arguments a system call is allowed. Those that are pointers cannot be looked into.

use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::{BackendError, SeccompCmpOp, SeccompCondition, SeccompRule};

use Only::{All, Always, Null, OneOf};

/// For which arguments a call is allowed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Only {
    Always,
    /// This argument, of 32 bits, is one of these.
    OneOf(u8, &'static [u64]),
    /// Each of these arguments, of 32 bits, has these values in the bits of a mask.
    All(&'static [(u8, u64, u64)]),
    /// This argument, a pointer, is null.
    Null(u8),
    /// The first argument is this process, and the third this number.
    OwnAnd(u64),
}

impl Only {
    /// One of these has to hold; none: always.
    pub(super) fn rules(self) -> Result<Vec<SeccompRule>, BackendError> {
        let is = |argument, value| SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, value);
        let all = match self {
            Always => return Ok(Vec::new()),
            OneOf(argument, values) => {
                let one = |value: &u64| SeccompRule::new(vec![is(argument, *value)?]);
                return values.iter().map(one).collect();
            }
            All(conditions) => {
                let one = |(argument, mask, value): &(u8, u64, u64)| {
                    let has = SeccompCmpOp::MaskedEq(*mask);
                    SeccompCondition::new(*argument, Dword, has, *value)
                };
                conditions.iter().map(one).collect::<Result<_, _>>()?
            }
            Null(argument) => {
                vec![SeccompCondition::new(argument, Qword, SeccompCmpOp::Eq, 0)?]
            }
            Only::OwnAnd(third) => vec![is(0, std::process::id().into())?, is(2, third)?],
        };
        Ok(vec![SeccompRule::new(all)?])
    }
}
