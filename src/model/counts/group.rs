//! Counters of optional metrics, each made of the one list that its group has.

/// The set of a group.
macro_rules! group_counters {
    ($group:ident $member:ident $Counters:ident: $about:literal
     $($metric:ident: $type:ty = $kind:ident, $title:literal, $cells:literal, $what:literal;)*) => {
        counter_set! {
            #[doc = $about]
            $Counters {
                $(#[doc = $what] $metric: $type = $kind,)*
            }
        }
    };
}
pub(super) use group_counters;

/// A number that stands for something.
pub trait Named: Copy {
    /// The number.
    fn number(self) -> u64;

    /// What it stands for, where that is known.
    fn name(self) -> Option<&'static str>;
}
