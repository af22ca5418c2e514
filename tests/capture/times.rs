//! Packet time rules a run: marks, pauses, clocks that go back.

use serde_json::Value;

use crate::runs::{File, Run, packets};
use crate::write::{Order, pcap, record, udp};

const SECOND: u64 = 1_000_000_000;
/// When all of it begins, ns since 1970: not on a second.
const BEGIN: u64 = 1_700_000_000_250_000_000;

/// A capture of packets of one flow at these times, ns.
fn at_times(times: impl IntoIterator<Item = u64>) -> Vec<u8> {
    frames_at(&udp((4000, 5000), &[7; 20]), times)
}

/// A capture of this frame at these times, ns.
fn frames_at(frame: &[u8], times: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let order = Order::Little;
    let mut file = pcap(order, 0xa1b2_3c4d, 1);
    for ns in times {
        let time = ((ns / SECOND) as u32, (ns % SECOND) as u32);
        file.extend(record(order, time, frame.len() as u32, frame, 0));
    }
    file
}

/// The time of a record, ns since 1970.
fn time_of(record: &Value) -> u64 {
    let text = record["time"].as_str().expect("a time");
    let time: jiff::Timestamp = text.parse().expect("RFC 3339");
    time.as_nanosecond() as u64
}

#[test]
fn records_are_at_exact_marks_of_the_packets_time() {
    // 37 to a second, and one on a mark: it belongs to the interval that begins there.
    let mut times: Vec<u64> = (0..370).map(|n| BEGIN + n * SECOND / 37).collect();
    times.insert(75, BEGIN + 2 * SECOND);
    times.sort_unstable();
    let file = File::of(&at_times(times.clone()));
    for (interval, per_record) in [("1", SECOND), ("0.1", SECOND / 10), ("2", 2 * SECOND)] {
        let run = Run::of(&["-r", file.path(), "--json", "-t", interval]);
        let (last, records) = run.records.split_last().expect("records");
        for (number, record) in (1..).zip(records) {
            let mark = BEGIN + number * per_record;
            // Records say milliseconds.
            assert_eq!(time_of(record) / 1_000_000, mark / 1_000_000, "{interval}");
            let before = times.iter().filter(|time| **time < mark).count();
            assert_eq!(packets(record), before as u64, "{interval}: {number}");
            assert_eq!(record["intervals"], 1);
            let length = record["interval_s"].as_f64().expect("a length");
            assert!((length - per_record as f64 / 1e9).abs() < 1e-12, "{length}");
        }
        let end = times[times.len() - 1];
        assert_eq!(records.len() as u64, (end - BEGIN) / per_record);
        assert_eq!(packets(last), times.len() as u64);
        assert!(time_of(last) <= end && end - time_of(last) < 1_000_000);
    }
}

#[test]
fn jitter_is_that_of_the_time_stamps() {
    let mut gap = 1_000_003u64;
    let mut times = vec![BEGIN];
    for _ in 0..500 {
        gap = gap * 48_271 % 2_147_483_647;
        times.push(times[times.len() - 1] + gap % 9_000_000);
    }
    // One comes a little early: queues are read one after the other.
    times[250] -= 20_000_000;
    let file = File::of(&at_times(times.clone()));
    let run = Run::of(&["-r", file.path(), "--json", "-t", "60"]);
    let gap = |two: &[u64]| two[1].wrapping_sub(two[0]).cast_signed() as f64;
    let gaps: Vec<f64> = times.windows(2).map(gap).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>();
    let deviation = (variance / (gaps.len() - 1) as f64).sqrt();
    let [record] = &run.records[..] else {
        panic!("{} records", run.records.len());
    };
    let flow = &record["flows"][0];
    let figure = |name: &str| flow[name].as_f64().expect("a figure");
    assert!((figure("interarrival_mean_ms") - mean / 1e6).abs() < 1e-9);
    assert!((figure("jitter_ms") - deviation / 1e6).abs() < 1e-6);
}

#[test]
fn a_duration_is_over_where_there_is_no_flow_and_nothing_comes_for_hours() {
    let mut arp = udp((4000, 5000), &[7; 20]);
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    let file = File::of(&frames_at(&arp, [BEGIN, BEGIN + 7200 * SECOND]));
    let records = Run::of(&["-r", file.path(), "--json", "--duration", "10"]).records;
    let last = records.last().expect("a record");
    assert_eq!(time_of(last) / 1_000_000, (BEGIN + 10 * SECOND) / 1_000_000);
    assert_eq!(last["interfaces"][0]["other"]["packets"], 1);
}

#[test]
fn the_run_ends_by_packet_time_and_by_intervals() {
    let file = File::of(&at_times((0..1000).map(|n| BEGIN + n * SECOND / 100)));
    let ends = |more: &[&str]| {
        let arguments = [&["-r", file.path(), "--json"], more].concat();
        let records = Run::of(&arguments).records;
        (records.len(), packets(&records[records.len() - 1]))
    };
    assert_eq!(ends(&["--duration", "3"]), (3, 300));
    assert_eq!(ends(&["--duration", "2.5"]), (3, 250));
    assert_eq!(ends(&["--count", "4"]), (4, 400));
    assert_eq!(ends(&["--count", "4", "-t", "0.5"]), (4, 200));
    assert_eq!(ends(&["--duration", "60"]), (10, 1000));
}

#[test]
fn a_day_of_few_packets_has_its_records_and_nothing_is_missing() {
    const HOUR: u64 = 3600 * SECOND;
    let file = File::of(&at_times((0..48).map(|n| BEGIN + n * HOUR / 2)));
    let run = Run::of(&["-r", file.path(), "--json", "-t", "60"]);
    assert_eq!(packets(&run.records[run.records.len() - 1]), 48);
    assert_eq!(run.records.len(), 24 * 60 - 29);
    let flow_leaves = &run.records[10];
    assert_eq!(flow_leaves["flows"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_pause_of_years_is_one_record() {
    const YEAR: u64 = 365 * 24 * 3600 * SECOND;
    let times = [0, SECOND, 50 * YEAR, 50 * YEAR + SECOND / 2];
    let file = File::of(&at_times(times));
    let run = Run::of(&["-r", file.path(), "--json"]);
    let records = &run.records;
    assert!(records.len() < 200, "{} records", records.len());
    assert_eq!(packets(&records[records.len() - 1]), 4);
    let counted: u64 = records
        .iter()
        .filter_map(|it| it["intervals"].as_u64())
        .sum();
    assert_eq!(counted, 50 * YEAR / SECOND + 1);
    let long = records.iter().filter(|it| it["intervals"] != 1);
    let long: Vec<_> = long.filter_map(|it| it["flows"].as_array()).collect();
    assert!(!long.is_empty() && long.iter().all(|flows| flows.is_empty()));
}

#[test]
fn a_joined_record_ends_where_an_interval_does() {
    let times = [0, 2 * 3600 + 30, 2 * 3600 + 100].map(|seconds| BEGIN + seconds * SECOND);
    let file = File::of(&at_times(times));
    let records = Run::of(&["-r", file.path(), "--json", "-t", "60"]).records;
    let (last, records) = records.split_last().expect("records");
    assert_eq!(packets(last), 3);
    assert!(records.iter().any(|record| record["intervals"] != 1));
    for record in records {
        assert_eq!((time_of(record) - BEGIN) % (60 * SECOND), 0, "{record:#}");
    }
}

#[test]
fn behind_each_long_pause_is_a_record_a_second_until_the_flow_has_left() {
    let times = [0, 2, 4].map(|hours| BEGIN + hours * 3600 * SECOND);
    let file = File::of(&at_times(times));
    let records = Run::of(&["-r", file.path(), "--json", "-t", "1"]).records;
    let between = records.split(|record| record["intervals"] != 1);
    let [first, second, last] = between.map(<[Value]>::len).collect::<Vec<_>>()[..] else {
        panic!("{} records", records.len());
    };
    assert!(first > 60 && last == 1, "{first} {last}");
    assert_eq!(second, first);
}

#[test]
fn a_clock_that_goes_back_loses_no_packet_and_makes_no_gap() {
    let first = (0..300).map(|n| BEGIN + n * SECOND / 100);
    let second = (0..300).map(|n| BEGIN - 7200 * SECOND + n * SECOND / 100);
    let file = File::of(&at_times(first.chain(second)));
    let run = Run::of(&["-r", file.path(), "--json", "-j", "100"]);
    let last = &run.records[run.records.len() - 1];
    assert_eq!(packets(last), 600);
    assert_eq!(last["capture"]["clock_steps"], 1);
    let end = BEGIN - 7200 * SECOND + 299 * SECOND / 100;
    assert_eq!(time_of(last) / 1_000_000, end / 1_000_000);
    // All gaps are 10 ms: that over the step is none.
    let jitter = last["flows"][0]["jitter_ms"].as_f64().expect("jitter");
    let mean = last["flows"][0]["interarrival_mean_ms"]
        .as_f64()
        .expect("a mean");
    assert!(
        jitter < 1e-6 && (mean - 10.0).abs() < 1e-6,
        "{mean} {jitter}"
    );
    let most = run
        .records
        .iter()
        .filter_map(|it| it["interfaces"][0]["packet_rate"].as_f64());
    let most = most.fold(0.0, f64::max);
    assert!((most - 100.0).abs() < 2.0, "{most} a second");
}
