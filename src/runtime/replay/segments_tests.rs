//! What the indices of a recording leave open.

use std::fs;

use super::*;
use crate::model::tracker::{FlowTracker, Intervals};
use crate::recording::{Encoder, Entry, Header, INDEX_HEADER, index_record};

const SECOND_NS: i64 = 1_000_000_000;

/// Writes a segment of a run with a reading in each of ten seconds, and an index that says of so many.
fn write(folder: &Path, run: u64, number: u64, began_s: i64, marked: i64) -> SegmentName {
    let intervals = Intervals {
        refresh_ns: SECOND_NS as u64,
        jitter_ns: SECOND_NS as u64,
    };
    let mut encoder = Encoder::new(0, intervals, Arc::from("{}")).expect("zstd");
    let began_wall_ns = began_s * SECOND_NS;
    let name = SegmentName {
        began_ms: began_s as u64 * 1000,
        run,
        number,
    };
    let header = Header {
        run,
        number,
        began_wall_ns,
    };
    let mut bytes = header.bytes().to_vec();
    let carried = FlowTracker::new(intervals, 0).carried();
    bytes.extend(encoder.key(began_wall_ns, &carried).expect("zstd"));
    for second in 1..=10 {
        let wall_ns = began_wall_ns + second * SECOND_NS;
        bytes.extend(encoder.frame(wall_ns, &Entry::Close(1)).expect("zstd"));
    }
    fs::write(folder.join(name.to_string()), bytes).expect("written");
    let mut index = INDEX_HEADER.to_vec();
    if marked > 0 {
        let mark = Mark {
            from_ns: began_wall_ns,
            to_ns: began_wall_ns + marked * SECOND_NS,
            ..Mark::default()
        };
        index.extend(index_record(&mark));
    }
    fs::write(folder.join(name.index()), index).expect("written");
    name
}

#[test]
fn what_a_run_that_came_to_a_sudden_end_said_nothing_of_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    // Two segments of a run, the second one not said to the end of; one of which nothing is said; one that is said to its end, though
    // another run comes; and the last one.
    write(folder.path(), 7, 0, 1000, 10);
    write(folder.path(), 7, 1, 1010, 4);
    write(folder.path(), 8, 0, 2000, 0);
    write(folder.path(), 9, 0, 3000, 10);
    write(folder.path(), 10, 0, 4000, 0);
    let (mut segments, _) = Segments::open(folder.path()).expect("opened");
    segments.refresh().expect("listed");
    let ns = |(from, to): (i64, i64)| (from * SECOND_NS, to * SECOND_NS);
    let expected = [(1014, 1020), (2000, 2010)].map(ns);
    assert_eq!(segments.unmarked(), expected);
    assert_eq!(segments.unmarked(), expected, "and asked again");
}
