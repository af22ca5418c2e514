//! Which segments are kept, and when one is full.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const HOUR_MS: u64 = 3_600_000;

fn record(path: &Path, bytes: u64, days: u32) -> Record {
    Record {
        folder: path.to_owned(),
        bytes,
        days,
    }
}

fn open(path: &Path, bytes: u64) -> RecordingFolder {
    let mut folder = RecordingFolder::open(&record(path, bytes, 2), false, None).expect("a folder");
    folder.prepare().expect("a list of it");
    folder
}

fn header(number: u64, hour: u64) -> Header {
    Header {
        run: 7,
        number,
        began_wall_ns: (hour * HOUR_MS * 1_000_000) as i64,
    }
}

/// Begins a segment by a clock that nobody has set.
fn begin(folder: &mut RecordingFolder, number: u64, hour: u64, block: &[u8]) -> io::Result<()> {
    folder.begin(&header(number, hour), hour * HOUR_MS * 1_000_000, block)
}

fn hours(path: &Path) -> Vec<u64> {
    let names = fs::read_dir(path).expect("a folder").map(|entry| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("a name")
    });
    let names: Vec<String> = names.collect();
    let of = |parse: fn(&str) -> Option<SegmentName>| {
        let found = names.iter().filter_map(|name| parse(name));
        let mut hours: Vec<u64> = found.map(|name| name.began_ms / HOUR_MS).collect();
        hours.sort_unstable();
        hours
    };
    // Each has its index.
    let hours = of(SegmentName::parse);
    assert_eq!(of(SegmentName::parse_index), hours);
    assert_eq!(names.len(), 2 * hours.len());
    hours
}

#[test]
fn the_oldest_segments_go_when_there_are_too_many_or_they_are_too_old() {
    let parent = tempfile::tempdir().expect("a folder");
    let path = parent.path().join("recording");
    let mut folder = open(&path, 3000);
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode()
    };
    assert_eq!(mode(&path) & 0o777, 0o700);
    for hour in 100..106 {
        begin(&mut folder, hour, hour, &[1; 500]).expect("begun");
        folder.append(&[2; 100]).expect("written");
    }
    assert_eq!(hours(&path), [102, 103, 104, 105]);
    for entry in fs::read_dir(&path).expect("a folder") {
        assert_eq!(mode(&entry.expect("an entry").path()) & 0o777, 0o600);
    }
    // A run after it goes on with what is there; what is two days old is not there any more.
    let other = RecordingFolder::open(&record(&path, 3000, 2), false, None);
    assert!(other.is_err_and(|error| error.message.contains("another run records there")));
    drop(folder);
    fs::write(path.join("other"), "not ours").expect("written");
    let mut folder = open(&path, 3000);
    begin(&mut folder, 0, 103 + 49, &[3; 10]).expect("begun");
    fs::remove_file(path.join("other")).expect("it was left alone");
    assert_eq!(hours(&path), [104, 105, 103 + 49]);
    let held = Holding::of(&path).expect("a folder");
    let bytes = fs::read_dir(&path).expect("a folder").map(|entry| {
        let metadata = entry.expect("an entry").metadata();
        metadata.expect("it is there").len()
    });
    assert_eq!((held.runs, held.bytes), (1, bytes.sum()));
    assert_eq!(held.since_ms, Some(104 * HOUR_MS));
}

#[test]
fn a_segment_is_full_by_size_and_by_time() {
    let parent = tempfile::tempdir().expect("a folder");
    let mut folder = open(&parent.path().join("recording"), 160_000);
    assert!(!folder.has_room(0) && !folder.is_open());
    begin(&mut folder, 0, 50, &[1; 5000]).expect("begun");
    let now = 50 * HOUR_MS;
    assert!(folder.has_room(now) && folder.has_room(now + HOUR_MS - 1));
    assert!(!folder.has_room(now + HOUR_MS));
    assert!(!folder.has_room(now - HOUR_MS), "the clock was set back");
    folder.append(&[1; 5000]).expect("written");
    assert!(!folder.has_room(now));
    begin(&mut folder, 1, 30, &[1; 5000]).expect("begun");
    assert!(folder.has_room(30 * HOUR_MS) && !folder.has_room(now));
    let names = Found::in_folder(&folder.folder).expect("a list").segments;
    let in_order = [(50 * HOUR_MS, 0), (50 * HOUR_MS + 1, 1)];
    assert!(
        names
            .iter()
            .map(|(it, _)| (it.began_ms, it.number))
            .eq(in_order)
    );
}

#[test]
fn a_segment_that_somebody_removed_takes_nothing_more() {
    let parent = tempfile::tempdir().expect("a folder");
    let path = parent.path().join("recording");
    let mut folder = open(&path, 1 << 20);
    begin(&mut folder, 0, 1, &[1; 10]).expect("begun");
    for entry in fs::read_dir(&path).expect("a folder") {
        fs::remove_file(entry.expect("an entry").path()).expect("removed");
    }
    assert!(folder.append(&[1; 10]).is_err());
    assert!(!folder.is_open() && folder.append(&[1; 10]).is_err());
    begin(&mut folder, 1, 2, &[1; 10]).expect("begun");
    fs::remove_dir_all(&path).expect("removed");
    assert!(folder.append(&[1; 10]).is_err());
    assert!(begin(&mut folder, 2, 3, &[1; 10]).is_err());
}

#[test]
fn a_clock_that_is_set_makes_no_segment_older_and_keeps_none_longer() {
    let parent = tempfile::tempdir().expect("a folder");
    let path = parent.path().join("recording");
    let begin_at = |folder: &mut RecordingFolder, (run, number), hour, up: u64| {
        let header = Header {
            run,
            ..header(number, hour)
        };
        let begun = folder.begin(&header, up * HOUR_MS * 1_000_000, &[1; 10]);
        begun.expect("begun");
    };
    let mut folder = open(&path, 1 << 20);
    begin_at(&mut folder, (7, 0), 1000, 5);
    begin_at(&mut folder, (7, 1), 1001, 6);
    // Forward by a year, and back again; names stay in order.
    begin_at(&mut folder, (7, 2), 9762, 7);
    begin_at(&mut folder, (7, 3), 1003, 8);
    assert_eq!(hours(&path), [1000, 1001, 9762, 9762]);
    // Two days later the first ones go, whatever the clock says.
    begin_at(&mut folder, (7, 4), 20, 54);
    assert_eq!(hours(&path), [1001, 9762, 9762, 9762]);
    begin_at(&mut folder, (7, 5), 20, 56);
    assert_eq!(hours(&path), [9762; 3]);
    // Those whose clock was ahead are as old as the run that finds them.
    drop(folder);
    let mut folder = open(&path, 1 << 20);
    begin_at(&mut folder, (8, 0), 1060, 3);
    begin_at(&mut folder, (8, 1), 1108, 51);
    assert_eq!(hours(&path), [1060, 1108, 9762, 9762, 9762]);
    begin_at(&mut folder, (8, 2), 1109, 52);
    assert_eq!(hours(&path), [1108, 1109]);
}
