//! Recordings: what a run's tracker took in, so that another one takes the same in later and reports the same.
//!
//! A recording is a folder of segments. A segment has a header and then blocks, each with a checksum: key frames, at which
//! reading may begin, three times a minute at least and at the beginning of each segment, and frames between them, which say what
//! changed. Pure: bytes come from somewhere and go somewhere.
//!
//! What is recorded are readings ([`crate::model::snapshot::Snapshot`]) and whatever else changes a tracker
//! ([`Entry`]), so that a replay is exact by construction: the same model sees the same.

mod block;
mod bytes;
mod carried;
mod encoder;
mod entry;
mod flows;
mod frame;
mod histograms;
mod index;
mod interfaces;
mod key_frames;
mod known_flows;
mod names;
mod reader;
mod rows;
mod state;
mod words;

pub use block::{HEADER, Header, ReadAt, Unreadable, VERSION};
pub use bytes::Bad;
pub use encoder::Encoder;
pub use entry::Entry;
pub use index::{INDEX_HEADER, Marking, index_record, read_index};
pub use key_frames::{KEY_EVERY_NS, KeyFrames};
pub use names::SegmentName;
pub use reader::{Event, Reader};

use crate::model::tracker::Carried;

#[cfg(test)]
#[path = "recording/recording_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "recording/world_tests.rs"]
pub(crate) mod world;
