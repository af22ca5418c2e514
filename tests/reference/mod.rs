//! An independent model of the measurement definitions, against which the kernel program is judged.
//!
//! Written from the definitions alone, in the plainest way there is: no code is shared with the kernel
//! program, headers are read by etherparse wherever it can express what the definitions want, and nothing
//! here tries to be fast. Where the text is silent, the choice made is said beside the code that makes it.

#![allow(dead_code)]

pub mod account;
pub mod aggregate;
pub mod build;
pub mod gaps;
pub mod generate;
pub mod ip;
pub mod packet;
pub mod payload;
pub mod sender;
pub mod sequence;
pub mod spec;
pub mod tcp;
pub mod transport;
