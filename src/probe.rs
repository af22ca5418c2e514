//! x
pub mod skeleton;
