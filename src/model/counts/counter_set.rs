//! What a set of counters is: the kinds of counters, and all that follows from them.

use std::ops::AddAssign;

/// Counters that are read, told apart and added up together.
pub trait CounterSet: Copy + Default + AddAssign {
    /// What came between `earlier` and this, readings of the same counters; `earlier` may as well be a total that is wider.
    fn since(&self, earlier: &Self) -> Self;

    /// Brings a total up to this reading, where the reading before is in it: adds what came since.
    fn advance(&mut self, now: &Self);

    /// The same with all counts zero; what is no count, such as the latest number, stays.
    fn emptied(&self) -> Self;
}

/// How a counter is told apart in time, added up, and set to zero.
pub trait CounterKind<T: Copy> {
    fn since(now: T, earlier: T) -> T;
    fn add(total: T, newly: T) -> T;
    fn advance(total: &mut T, now: &T) {
        *total = Self::add(*total, Self::since(*now, *total));
    }
    fn emptied(total: T) -> T;
}

/// Counts up, in 64 bits.
pub struct Sum64;
/// Counts up, in 32 bits of which a reading has no more.
pub struct Sum32;
/// Goes down as well, in 64 bits: numbers that were lost come late. What comes may be less than nothing, but a total stays
/// above zero, as that may be from before a reset.
pub struct Net64;
/// The same in 32 bits.
pub struct Net32;
/// No count: the latest one that is known.
pub struct LatestValue;
/// Another set.
pub struct NestedSet;

impl CounterKind<u64> for Sum64 {
    fn since(now: u64, earlier: u64) -> u64 {
        now.wrapping_sub(earlier)
    }
    fn add(total: u64, newly: u64) -> u64 {
        total.wrapping_add(newly)
    }
    fn emptied(_: u64) -> u64 {
        0
    }
}

impl CounterKind<u64> for Sum32 {
    fn since(now: u64, earlier: u64) -> u64 {
        (now as u32).wrapping_sub(earlier as u32).into()
    }
    fn add(total: u64, newly: u64) -> u64 {
        total.wrapping_add(newly)
    }
    fn emptied(_: u64) -> u64 {
        0
    }
}

impl CounterKind<u64> for Net64 {
    fn since(now: u64, earlier: u64) -> u64 {
        now.wrapping_sub(earlier)
    }
    fn add(total: u64, newly: u64) -> u64 {
        total.saturating_add_signed(newly as i64)
    }
    // A reading is as wide as the total, which it is then.
    fn advance(total: &mut u64, now: &u64) {
        *total = *now;
    }
    fn emptied(_: u64) -> u64 {
        0
    }
}

impl CounterKind<u64> for Net32 {
    fn since(now: u64, earlier: u64) -> u64 {
        (now as u32).wrapping_sub(earlier as u32) as i32 as u64
    }
    fn add(total: u64, newly: u64) -> u64 {
        Net64::add(total, newly)
    }
    fn emptied(_: u64) -> u64 {
        0
    }
}

/// A count that some flows do not have: where what comes has none, the total has none any more.
impl<K: CounterKind<u64>> CounterKind<Option<u64>> for K {
    fn since(now: Option<u64>, earlier: Option<u64>) -> Option<u64> {
        now.map(|now| K::since(now, earlier.unwrap_or(0)))
    }
    fn add(total: Option<u64>, newly: Option<u64>) -> Option<u64> {
        newly.map(|newly| K::add(total.unwrap_or(0), newly))
    }
    fn emptied(total: Option<u64>) -> Option<u64> {
        total.map(K::emptied)
    }
}

impl<T: Copy> CounterKind<Option<T>> for LatestValue {
    fn since(now: Option<T>, _: Option<T>) -> Option<T> {
        now
    }
    fn add(total: Option<T>, newly: Option<T>) -> Option<T> {
        newly.or(total)
    }
    fn emptied(total: Option<T>) -> Option<T> {
        total
    }
}

/// A set that some flows do not have: where what comes has none, the total stays.
impl<R: CounterSet> CounterKind<Option<R>> for NestedSet {
    #[inline(always)]
    fn since(now: Option<R>, earlier: Option<R>) -> Option<R> {
        now.map(|now| now.since(&earlier.unwrap_or_default()))
    }
    // A call would copy the set there and back.
    #[inline(always)]
    fn add(mut total: Option<R>, newly: Option<R>) -> Option<R> {
        if let Some(newly) = newly {
            *total.get_or_insert_default() += newly;
        }
        total
    }
    #[inline]
    fn advance(total: &mut Option<R>, now: &Option<R>) {
        if let Some(now) = now {
            total.get_or_insert_default().advance(now);
        }
    }
    fn emptied(total: Option<R>) -> Option<R> {
        total.map(|total| total.emptied())
    }
}

/// A set: its counters by name, type and kind.
macro_rules! counter_set {
    ($(#[$about:meta])* $name:ident {
        $($(#[$what:meta])* $field:ident: $type:ty = $kind:ident,)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name {
            $($(#[$what])* pub $field: $type,)*
        }

        impl $name {
            /// The names of the counters: exports and documents have all of them.
            pub const FIELDS: &[&str] = &[$(stringify!($field),)*];
        }

        #[allow(unused_variables, reason = "a group's set begins without a field")]
        impl CounterSet for $name {
            #[inline(always)]
            fn since(&self, earlier: &$name) -> $name {
                $name { $($field: $kind::since(self.$field, earlier.$field),)* }
            }

            #[inline]
            fn advance(&mut self, now: &$name) {
                $($kind::advance(&mut self.$field, &now.$field);)*
            }

            fn emptied(&self) -> $name {
                $name { $($field: $kind::emptied(self.$field),)* }
            }
        }

        #[allow(unused_variables, reason = "as above")]
        impl std::ops::AddAssign for $name {
            #[inline]
            fn add_assign(&mut self, newly: $name) {
                *self = $name { $($field: $kind::add(self.$field, newly.$field),)* };
            }
        }

        impl std::ops::Add for $name {
            type Output = $name;
            fn add(mut self, other: $name) -> $name {
                self += other;
                self
            }
        }
    };
}

pub(in crate::model) use counter_set;
