//! The columns of optional metrics, and their objects in JSON: made of the one list that each group has.

use super::part::Part;
use super::{Column, Value};
use crate::model::counts::*;
use crate::model::groups::Group;

/// How a metric is shown, by its type.
pub trait Shown: Copy {
    /// Whether a sum over flows means something.
    const ADDS_UP: bool;
    /// The cell.
    fn value(self) -> Value<'static>;
}

impl Shown for u64 {
    const ADDS_UP: bool = true;
    fn value(self) -> Value<'static> {
        Value::Count(self)
    }
}

impl Shown for Option<u8> {
    const ADDS_UP: bool = false;
    fn value(self) -> Value<'static> {
        self.map_or(Value::Unknown, |number| Value::Number(number.into()))
    }
}

impl<N: Named> Shown for Option<N> {
    const ADDS_UP: bool = false;
    fn value(self) -> Value<'static> {
        self.map_or(Value::Unknown, |it| Value::Named(it.number(), it.name()))
    }
}

/// The columns of a group, and its object in JSON.
macro_rules! group_columns {
    ($group:ident $member:ident $Counters:ident: $about:literal
     $($metric:ident: $type:ty = $kind:ident, $title:literal, $cells:literal, $what:literal;)*) => {
        pub mod $member {
            use super::*;

            pub const COLUMNS: &[Column] = &[$({
                const fn shown(set: Option<&$Counters>) -> Option<$type> {
                    match set {
                        Some(set) => Some(set.$metric),
                        None => None,
                    }
                }
                let (id, width) = (stringify!($metric), $crate::model::column::Width::Fixed($cells));
                let column: Column = match <$type as Shown>::ADDS_UP {
                    true => Column::of_counts(id, $title, $what, width, |counts| {
                        shown(counts.$member.as_ref()).map_or(Value::Unknown, Shown::value)
                    }),
                    false => Column::new(id, $title, $what, width, |flow, _| {
                        shown(flow.counts.$member.as_ref()).map_or(Value::Unknown, Shown::value)
                    }),
                };
                column.priority(70)
            }),*];

            pub static PART: Part = Part {
                name: Group::$group.name(),
                is_known: |counts| counts.$member.is_some(),
                cells: &[$(stringify!($metric)),*],
            };
        }
    };
}
ip_metrics!(group_columns);

/// Columns one list behind the other.
pub const fn join<T, const N: usize>(lists: &[&[Column<T>]]) -> [Column<T>; N] {
    let mut all = [lists[0][0]; N];
    let (mut list, mut at) = (0, 0);
    while list < lists.len() {
        let mut next = 0;
        while next < lists[list].len() {
            all[at] = lists[list][next];
            (at, next) = (at + 1, next + 1);
        }
        list += 1;
    }
    assert!(at == N);
    all
}
