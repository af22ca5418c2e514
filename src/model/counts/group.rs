//! Records of optional metrics, each made of the one list that its group has.

/// The record of a group.
macro_rules! group_record {
    ($group:ident $member:ident $Record:ident: $about:literal
     $($metric:ident: $type:ty = $kind:ident, $title:literal, $cells:literal, $what:literal;)*) => {
        record! {
            #[doc = $about]
            $Record {
                $(#[doc = $what] $metric: $type = $kind,)*
            }
        }
    };
}
pub(super) use group_record;

/// A number that stands for something.
pub trait Named: Copy {
    /// The number.
    fn number(self) -> u64;

    /// What it stands for, where that is known.
    fn name(self) -> Option<&'static str>;
}
