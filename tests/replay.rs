//! Recordings made by hand: each record of a span is written, whatever the clock did, and no more is read than that takes.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use flowtop::model::flow::{FlowKey, Protocol};
use flowtop::model::past::Mark;
use flowtop::model::snapshot::{FlowSample, Snapshot, TableSample};
use flowtop::model::tracker::{FlowTracker, Intervals};
use flowtop::recording::{
    Encoder, Entry, Header, INDEX_HEADER, Marking, SegmentName, index_record,
};
use serde_json::Value;
use support::program::PROGRAM;
use tempfile::TempDir;

const SECOND_NS: i64 = 1_000_000_000;
/// A midnight, s since 1970.
const MIDNIGHT: i64 = 1_764_028_800;
const HOUR: i64 = 3600;
/// Readings from one key frame to the next.
const BETWEEN_KEYS: usize = 20;

/// A run that has one flow, which counts its readings from `first` on.
struct Run {
    number: u64,
    first: u64,
    /// When its readings came, segment by segment, s behind midnight.
    segments: Vec<Vec<i64>>,
}

/// A segment as a recorder leaves it.
struct Segment {
    name: SegmentName,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

impl Run {
    fn record(&self) -> Vec<Segment> {
        self.record_behind(0, "{}")
    }

    /// The same with this configuration, behind so many readings that found no room.
    fn record_behind(&self, missed: u64, config: &str) -> Vec<Segment> {
        let intervals = Intervals {
            refresh_ns: SECOND_NS as u64,
            jitter_ns: SECOND_NS as u64,
        };
        let mut encoder = Encoder::new(0, intervals, Arc::from(config)).expect("zstd");
        let mut tracker = FlowTracker::new(intervals, 0);
        let (mut marking, mut made) = (Marking::default(), Vec::<Segment>::new());
        let (mut readings, mut named_ms) = (0, 0);
        for _ in 0..missed {
            readings += 1;
            let entry = reading(readings, self.first + readings - 1);
            entry.apply(&mut tracker);
            encoder.miss(&entry);
        }
        let mut latest_ns = (MIDNIGHT + self.segments[0][0]) * SECOND_NS;
        for (number, times) in (0..).zip(&self.segments) {
            if let (Some(ended), Some(before)) = (marking.begin(latest_ns), made.last_mut()) {
                before.marks.push(ended);
            }
            let header = Header {
                run: self.number,
                number,
                began_wall_ns: latest_ns,
            };
            named_ms = (latest_ns as u64 / 1_000_000).max(named_ms + 1);
            let mut segment = Segment {
                name: SegmentName {
                    began_ms: named_ms,
                    run: self.number,
                    number,
                },
                bytes: header.bytes().to_vec(),
                marks: Vec::new(),
            };
            for (at, time) in times.iter().enumerate() {
                if at % BETWEEN_KEYS == 0 {
                    let key = encoder.key(latest_ns, &tracker.carried()).expect("zstd");
                    segment.bytes.extend(key);
                    encoder.has_key();
                    if at > 0 {
                        segment.marks.extend(marking.begin(latest_ns));
                    }
                }
                latest_ns = (MIDNIGHT + time) * SECOND_NS;
                segment.marks.extend(marking.pass_to(latest_ns));
                readings += 1;
                let entry = reading(readings, self.first + readings - 1);
                entry.apply(&mut tracker);
                let frame = encoder.frame(latest_ns, &entry).expect("zstd");
                segment.bytes.extend(frame);
            }
            made.push(segment);
        }
        if let Some(last) = made.last_mut() {
            last.marks.extend(marking.begin(latest_ns));
        }
        made
    }
}

fn reading(number: u64, packets: u64) -> Entry {
    let source = ([10, 0, 0, 2], 40_000);
    let mut flow = FlowSample::new(
        0,
        FlowKey::incoming(1, Protocol::Udp, source, ([10, 0, 0, 1], 5201)),
    );
    flow.counts.packets = packets;
    flow.counts.bytes = 100 * packets;
    (flow.first_seen_ns, flow.last_seen_ns) = (1, number * SECOND_NS as u64);
    let snapshot = Box::new(Snapshot {
        taken_ns: number * SECOND_NS as u64,
        flows: vec![flow],
        table: TableSample {
            capacity: 64,
            tracked: 1,
            ..TableSample::default()
        },
        ..Snapshot::default()
    });
    let closes = 1;
    Entry::Snapshot { snapshot, closes }
}

/// What becomes of the indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Indices {
    Whole,
    /// All but the first mark of each is missing: the disk had no room.
    CutOff,
    Damaged,
    Missing,
}

fn write(folder: &Path, segments: &[Segment], indices: Indices) {
    for segment in segments {
        fs::write(folder.join(segment.name.to_string()), &segment.bytes).expect("written");
        let mut index = INDEX_HEADER.to_vec();
        let marks = match indices {
            Indices::CutOff => &segment.marks[..1],
            _ => &segment.marks,
        };
        marks.iter().for_each(|it| index.extend(index_record(it)));
        match indices {
            Indices::Missing => continue,
            Indices::Damaged => index[20] ^= 1,
            _ => {}
        }
        fs::write(folder.join(segment.name.index()), index).expect("written");
    }
}

fn replay(folder: &Path, from: i64, to: i64) -> Output {
    let when = |seconds: i64| {
        let time = jiff::Timestamp::from_second(MIDNIGHT + seconds).expect("a time");
        time.to_string()
    };
    replay_between(folder, &when(from), &when(to))
}

fn replay_between(folder: &Path, from: &str, to: &str) -> Output {
    Command::new(PROGRAM)
        .arg("replay")
        .arg(folder)
        .args(["--json", "--from", from, "--to", to])
        .output()
        .expect("it runs")
}

/// What the flow had counted at each record.
fn counted(output: &Output) -> Vec<u64> {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // Nothing at all is told from a mistyped time.
    let says_so = String::from_utf8_lossy(&output.stderr).contains("no interval ended then");
    assert_eq!(says_so, output.stdout.is_empty(), "{output:?}");
    assert!(says_so || output.stderr.is_empty(), "{output:?}");
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let records = lines.filter(|line| !line.is_empty()).map(|line| {
        let record: Value = serde_json::from_slice(line).expect("a record");
        record["flows"][0]["packets"].as_u64().expect("a count")
    });
    records.collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Seconds one after the other.
fn seconds(from: i64, count: i64) -> Vec<i64> {
    (from..from + count).collect()
}

/// Every span has exactly its records, run by run and in the order in which they were made.
fn assert_spans(runs: &[Run], spans: &[(i64, i64)]) {
    let all: Vec<Segment> = runs.iter().flat_map(Run::record).collect();
    for indices in [
        Indices::Whole,
        Indices::CutOff,
        Indices::Damaged,
        Indices::Missing,
    ] {
        let folder = folder();
        write(folder.path(), &all, indices);
        for (from, to) in spans {
            let of_run = |run: &Run| {
                let times = run.segments.concat();
                let numbered = times.into_iter().zip(run.first..);
                let wanted = numbered.filter(|(time, _)| (from..=to).contains(&time));
                wanted.map(|(_, count)| count).collect::<Vec<_>>()
            };
            let expected: Vec<u64> = runs.iter().flat_map(of_run).collect();
            assert!(!expected.is_empty());
            let found = counted(&replay(folder.path(), *from, *to));
            assert_eq!(found, expected, "{indices:?}: {from} to {to}");
        }
    }
}

#[test]
fn a_span_may_begin_and_end_centuries_away() {
    let run = Run {
        number: 7,
        first: 1,
        segments: vec![seconds(0, 5)],
    };
    let folder = folder();
    write(folder.path(), &run.record(), Indices::Whole);
    let found = counted(&replay_between(folder.path(), "1600-01-01", "2900-01-01"));
    assert_eq!(found, [1, 2, 3, 4, 5]);
}

#[test]
fn an_hour_that_came_twice_is_written_twice() {
    // Set back by an hour in the middle of the second segment, and again between two.
    let run = Run {
        number: 7,
        first: 1000,
        segments: vec![
            seconds(8 * HOUR, 90),
            [seconds(8 * HOUR + 90, 33), seconds(7 * HOUR + 123, 67)].concat(),
            seconds(6 * HOUR + 190, 90),
            seconds(6 * HOUR + 280, 50),
        ],
    };
    let spans = [
        (7 * HOUR + 130, 7 * HOUR + 135),
        (6 * HOUR + 200, 6 * HOUR + 300),
        (6 * HOUR + 328, 7 * HOUR + 123),
        (8 * HOUR + 121, 8 * HOUR + 121),
        (6 * HOUR, 9 * HOUR),
    ];
    assert_spans(&[run], &spans);
    let twice = Run {
        number: 8,
        first: 1,
        segments: vec![
            [seconds(0, 65), seconds(30, 50)].concat(),
            seconds(80, 30),
            seconds(40, 30),
        ],
    };
    assert_spans(&[twice], &[(50, 60), (0, 5), (100, 105), (79, 80)]);
}

#[test]
fn a_clock_that_was_wrong_for_a_while_hides_nothing() {
    let away = 2000 * 24 * HOUR;
    // Set forward by years, for some seconds, and for good; and back where a year was forgotten.
    let run = Run {
        number: 9,
        first: 1,
        segments: vec![
            [seconds(0, 25), seconds(away, 4), seconds(29, 40)].concat(),
            seconds(away + 70, 40),
            [
                seconds(away + 110, 10),
                seconds(-away, 10),
                seconds(130, 20),
            ]
            .concat(),
            seconds(150, 20),
        ],
    };
    let spans = [
        (away, away + 2),
        (away + 100, away + 115),
        (-away + 3, -away + 4),
        (60, 135),
        (165, 169),
    ];
    assert_spans(&[run], &spans);
}

#[test]
fn runs_whose_times_overlap_are_written_one_after_the_other() {
    let first = Run {
        number: 20,
        first: 1,
        segments: vec![seconds(0, 60), seconds(60, 60), seconds(120, 60)],
    };
    // The clock was set back between them.
    let second = Run {
        number: 3,
        first: 5000,
        segments: vec![seconds(30, 60), seconds(90, 60)],
    };
    let spans = [(50, 70), (100, 130), (0, 500), (20, 40), (170, 175)];
    assert_spans(&[first, second], &spans);
}

#[test]
fn a_minute_is_found_without_reading_what_has_nothing_of_it() {
    let hour = |hour: i64| seconds(hour * HOUR, 1000);
    let run = Run {
        number: 4,
        first: 1,
        segments: (0..12).map(hour).collect(),
    };
    let mut segments = run.record();
    // Whoever reads what is in one of these says that it is damaged; the last one has no index to its end.
    for at in [0, 1, 2, 3, 5, 6, 7, 8, 9, 10] {
        let bytes = &mut segments[at].bytes;
        let behind_header = bytes.len() / 2;
        bytes[60..behind_header].fill(0);
    }
    let folder = folder();
    write(folder.path(), &segments, Indices::Whole);
    let (from, to) = (4 * HOUR + 700, 4 * HOUR + 760);
    let found = counted(&replay(folder.path(), from, to));
    assert_eq!(found, (4701..=4761).collect::<Vec<u64>>());
    // A moment near its beginning needs what came before.
    let output = replay(folder.path(), 4 * HOUR + 100, 4 * HOUR + 110);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.contains(&segments[3].name.to_string()), "{text}");
    assert!(!text.contains(&segments[2].name.to_string()), "{text}");
}

#[test]
fn checks_of_a_recording_are_unsure_where_something_was_not_recorded() {
    const CHECKED: &str = r#"{"ASSERT": ["=> packets>0"]}"#;
    let run = Run {
        number: 1,
        first: 1,
        segments: vec![seconds(0, 30)],
    };
    let whole = folder();
    write(whole.path(), &run.record_behind(0, CHECKED), Indices::Whole);
    let late = folder();
    write(late.path(), &run.record_behind(7, CHECKED), Indices::Whole);
    for (folder, span, code, said) in [
        (&whole, (5, 10), 0, "holds"),
        (&whole, (100, 110), 3, "nothing was recorded then"),
        (&whole, (10, 5), 2, "is later than --to"),
        (&late, (0, 30), 3, "a part of the recording is missing"),
        (&late, (5, 10), 0, "holds"),
    ] {
        let output = replay(folder.path(), span.0, span.1);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{span:?}: {errors}");
        assert!(errors.contains(said), "{span:?}: {errors}");
    }
}
