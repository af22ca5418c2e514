//! What goes into a recording comes out of it, wherever it is cut, damaged or begun.

use proptest::prelude::*;

use super::frame::{put_entry, read_entry};
use super::world::{BEGAN_NS, INTERVALS, World};
use super::*;
use crate::model::tracker::{FlowTracker, Report, WholeRun};

/// The first place from here on that is right behind a reading, where a run puts its key frames; else the beginning.
fn behind_a_reading(script: &[[u8; 4]], from: usize) -> usize {
    let is_behind = |at: &usize| script[at - 1][0] % 32 > 4;
    (from..script.len()).find(is_behind).unwrap_or(0)
}

/// A segment of a run with a key frame at the beginning and at each of these places; the entries, and where their blocks
/// end.
fn record(script: &[[u8; 4]], keys: &[usize]) -> (Vec<u8>, Vec<Entry>, Vec<usize>, Vec<Report>) {
    let header = Header {
        run: 5,
        number: 0,
        began_wall_ns: -3,
    };
    let mut segment = header.bytes().to_vec();
    let mut encoder = Encoder::new(BEGAN_NS, INTERVALS, "{}".into()).expect("zstd");
    let mut tracker = FlowTracker::new(INTERVALS, BEGAN_NS);
    let mut world = World::new();
    let (mut entries, mut ends, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    for (at, step) in script.iter().enumerate() {
        if at == 0 || keys.contains(&at) {
            let key = encoder
                .key(at as i64, &tracker.carried())
                .expect("a key frame");
            segment.extend(key);
            encoder.has_key();
        }
        let entry = world.step(*step);
        entry.apply(&mut tracker);
        segment.extend(encoder.frame(at as i64, &entry).expect("a frame"));
        entries.push(entry);
        ends.push(segment.len());
        reports.push(tracker.report().clone());
    }
    (segment, entries, ends, reports)
}

fn place_of(segment: &[u8], wall_ns: i64) -> Option<usize> {
    let read = |from: usize, most: usize| {
        let behind = segment.get(from..).unwrap_or_default();
        Ok(behind[..behind.len().min(most)].to_vec())
    };
    Reader::place_of(&read, wall_ns).expect("it can be read")
}

fn entries_of(events: &[Event]) -> Vec<Entry> {
    let entry = |event: &Event| match event {
        Event::Entry { entry, .. } => Some(entry.clone()),
        _ => None,
    };
    events.iter().filter_map(entry).collect()
}

fn read(segment: &[u8]) -> Vec<Event> {
    let mut reader = Reader::default();
    if reader.open(segment).is_err() {
        return Vec::new();
    }
    let mut events = Vec::new();
    while let Some(event) = reader.next(segment) {
        let ends = matches!(event, Event::CutOff { .. });
        events.push(event);
        if ends {
            break;
        }
    }
    events
}

fn scripts(longest: usize) -> impl Strategy<Value = Vec<[u8; 4]>> {
    prop::collection::vec(any::<[u8; 4]>(), 1..longest)
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_and_reports_are_the_same(script in scripts(60), key in 1_usize..60) {
        let (segment, entries, _, reports) = record(&script, &[key]);
        let events = read(&segment);
        let begins = matches!(events[0], Event::Begin { wall_ns: 0, missed: 0, .. });
        prop_assert!(begins);
        prop_assert_eq!(events.len(), entries.len() + 1);
        prop_assert_eq!(entries_of(&events), entries);
        let mut tracker = None;
        let mut replayed = Vec::new();
        for event in events {
            match event {
                Event::Begin { tracker: begun, .. } => tracker = Some(*begun),
                Event::Entry { wall_ns, entry } => {
                    prop_assert_eq!(wall_ns, replayed.len() as i64);
                    let tracker = tracker.as_mut().expect("it begins first");
                    entry.apply(tracker);
                    replayed.push(tracker.report().clone());
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        for (replayed, report) in replayed.iter().zip(&reports) {
            // One revision is that of the beginning.
            let same = Report { revision: replayed.revision, ..report.clone() };
            prop_assert_eq!(replayed, &same);
        }
    }

    #[test]
    fn whoever_begins_at_a_key_frame_has_the_same_totals(script in scripts(60), key in 1_usize..60) {
        let key = behind_a_reading(&script, key);
        let (segment, _, ends, reports) = record(&script, &[key]);
        let mut reader = Reader::default();
        reader.open(&segment).expect("a segment");
        let place = if key == 0 { HEADER } else { ends[key - 1] };
        prop_assert_eq!(place_of(&segment, key as i64), Some(place));
        prop_assert_eq!(place_of(&segment, i64::MAX), Some(place));
        prop_assert_eq!(place_of(&segment, key as i64 - 1), Some(HEADER));
        prop_assert_eq!(place_of(&segment[..place], i64::MAX), (key > 0).then_some(HEADER));
        reader.skip_to(place);
        let Some(Event::Begin { mut tracker, .. }) = reader.next(&segment) else {
            panic!("no key frame");
        };
        for report in &reports[key..] {
            let Some(Event::Entry { entry, .. }) = reader.next(&segment) else {
                panic!("no entry");
            };
            entry.apply(&mut tracker);
            prop_assert_eq!(totals(tracker.report()), totals(report));
        }
    }

    #[test]
    fn what_is_kept_from_a_key_frame_on_is_what_the_run_would_have_kept(
        script in scripts(60),
        key in 1_usize..60,
    ) {
        let key = behind_a_reading(&script, key);
        let (segment, entries, ends, _) = record(&script, &[key]);
        let keep = |tracker: &mut FlowTracker| tracker.keep_flows(1000, Box::new(|_| true));
        let mut live = FlowTracker::new(INTERVALS, BEGAN_NS);
        entries[..key].iter().for_each(|entry| entry.apply(&mut live));
        keep(&mut live);
        let mut reader = Reader::default();
        reader.open(&segment).expect("a segment");
        reader.skip_to(if key == 0 { HEADER } else { ends[key - 1] });
        let Some(Event::Begin { mut tracker, .. }) = reader.next(&segment) else {
            panic!("no key frame");
        };
        let mut beside = reader.beside(&tracker).expect("another one");
        keep(&mut tracker);
        keep(&mut beside);
        for entry in &entries[key..] {
            for it in [&mut live, &mut *tracker, &mut beside] {
                entry.apply(it);
            }
        }
        let expected = kept(&live);
        prop_assert_eq!(kept(&tracker), &*expected);
        prop_assert_eq!(kept(&beside), &*expected);
        let ended = live.end_run(0).expect("flows are kept");
        prop_assert_eq!(told(&ended.whole(&[])), expected);
    }

    #[test]
    fn damage_is_told_and_what_is_behind_the_next_key_frame_is_read(
        script in scripts(40), at in any::<prop::sample::Index>(), bit in 0_u32..8,
    ) {
        let key = script.len() / 2;
        let (mut segment, entries, ends, _) = record(&script, &[key]);
        let at = HEADER + at.index(segment.len() - HEADER);
        segment[at] ^= 1 << bit;
        let places: Vec<usize> = [HEADER].into_iter().chain(ends.iter().copied()).collect();
        prop_assert!(place_of(&segment, i64::MAX).is_none_or(|it| places.contains(&it)));
        let events = read(&segment);
        // In the last frame, it may be that more of it was to come.
        let is_last = ends.iter().rev().nth(1).is_none_or(|end| at >= *end);
        let told = |event: &Event| match event {
            Event::Damage { .. } => true,
            Event::CutOff { .. } => is_last,
            _ => false,
        };
        prop_assert!(events.iter().any(told));
        let read = entries_of(&events);
        let whole = ends.iter().filter(|end| **end <= at).count();
        prop_assert_eq!(&read[..whole], &entries[..whole]);
        if key > 0 && at < ends[key - 1] {
            prop_assert_eq!(&read[whole..], &entries[key..], "all behind the key frame");
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, script in scripts(8), cuts: Vec<(prop::sample::Index, u8)>) {
        let mut raw = super::bytes::Input(&bytes);
        let _ = read_entry(&mut raw, &super::state::State::default());
        let _ = super::carried::read_carried(&mut super::bytes::Input(&bytes));
        // What a checksum would stop: changed bytes of a right entry.
        let mut world = World::new();
        let mut state = super::state::State::default();
        for step in script {
            let entry = world.step(step);
            let mut bytes = Vec::new();
            put_entry(&mut bytes, &entry, &state);
            for (at, byte) in &cuts {
                let mut wrong = bytes.clone();
                let at = at.index(wrong.len());
                wrong[at] = *byte;
                if let Ok(entry) = read_entry(&mut super::bytes::Input(&wrong), &state) {
                    state.clone().apply_entry(&entry);
                }
                let _ = read_entry(&mut super::bytes::Input(&wrong[..at]), &state);
            }
            state.apply_entry(&entry);
        }
    }
}

/// What is counted, in an order that does not depend on where reading began.
fn totals(report: &Report) -> String {
    let mut flows: Vec<String> = report
        .flows
        .iter()
        .map(|flow| {
            let seen = (flow.first_seen_ns, flow.last_seen_ns, flow.jitter_epochs);
            format!(
                "{:?} {:?} {seen:?} {:?} {}",
                flow.key, flow.counts, flow.rule, flow.interface
            )
        })
        .collect();
    flows.sort();
    let interfaces = report.interfaces.iter().map(|it| {
        let counts = (&it.counts, &it.ended, &it.counted, it.flows);
        format!("{} {} {:?} {counts:?}", it.name, it.state.name(), it.hook)
    });
    let rules = report.rules.iter().map(|rule| {
        let counts = (&rule.counts, rule.flows, rule.last_match_ns);
        format!("{} {counts:?} {:?}", rule.name, rule.gaps)
    });
    let all = flows.into_iter().chain(interfaces).chain(rules);
    format!("{}\n{:?}", all.collect::<Vec<_>>().join("\n"), report.table)
}

/// What is kept of a whole run.
fn kept(tracker: &FlowTracker) -> String {
    told(&tracker.whole_run().expect("flows are kept"))
}

fn told(run: &WholeRun) -> String {
    let mut flows: Vec<_> = run.flows().collect();
    flows.sort_by_key(|flow| flow.key);
    let mut text = format!("{} {}\n", run.seconds(), run.ended_ns());
    for flow in flows {
        let seen = (flow.first_seen_ns, flow.last_seen_ns);
        let counts = (flow.counts, flow.rates, flow.interarrival);
        let names = (flow.rule, flow.interface, flow.histogram);
        text += &format!("{:?} {seen:?} {counts:?} {names:?}\n", flow.key);
    }
    let mut interfaces: Vec<_> = run.interfaces().collect();
    interfaces.sort_by_key(|it| it.ifindex);
    for it in interfaces {
        let counted = (
            it.counted.outside_flows(),
            it.counted.seen,
            it.counted.device_drops,
        );
        text += &format!(
            "{} {:?} {counted:?} {:?}\n",
            it.ifindex, it.counts, it.rates
        );
    }
    text
}

#[test]
fn a_segment_behind_one_that_was_cut_off_begins_anew() {
    let script: Vec<[u8; 4]> = (0..20_u8).map(|at| [9, at, at * 3 + 1, 7]).collect();
    let (whole, _, ends, _) = record(&script, &[10]);
    let (first, rest) = whole.split_at(ends[9]);
    let next = Header {
        run: 5,
        number: 1,
        began_wall_ns: 0,
    };
    let second = [&next.bytes(), rest].concat();
    let begins = |cut: usize| {
        let mut reader = Reader::default();
        reader.open(first).expect("a segment");
        let of_first = &first[..first.len() - cut];
        while let Some(event) = reader.next(of_first) {
            if matches!(event, Event::CutOff { .. }) {
                break;
            }
        }
        reader.open(&second).expect("a segment");
        matches!(reader.next(&second), Some(Event::Begin { .. }))
    };
    assert!(begins(1) && !begins(0));
    // Where a frame ends, nothing else tells.
    assert!(begins(ends[9] - ends[8]) && begins(ends[9] - ends[3]));
}

#[test]
fn cut_at_any_byte_it_loses_the_frame_in_progress_and_no_other() {
    let script: Vec<[u8; 4]> = (0..30_u8)
        .map(|at| [at.wrapping_mul(9), at, at * 3, 7])
        .collect();
    let (segment, entries, ends, _) = record(&script, &[20]);
    // From inside of the header on, and from the last frames on.
    let last = ends[ends.len() - 4];
    for length in (0..2 * HEADER).chain(last..segment.len()) {
        let whole = ends.iter().filter(|end| **end <= length).count();
        let events = read(&segment[..length]);
        assert_eq!(entries_of(&events), entries[..whole], "cut at {length}");
        let is_damage = |event: &Event| matches!(event, Event::Damage { .. });
        assert!(!events.iter().any(is_damage), "cut at {length}");
    }
}

#[test]
fn what_found_no_room_is_told_with_the_next_key_frame() {
    let mut encoder = Encoder::new(BEGAN_NS, INTERVALS, "{}".into()).expect("zstd");
    let mut tracker = FlowTracker::new(INTERVALS, BEGAN_NS);
    let header = Header {
        run: 1,
        number: 3,
        began_wall_ns: 0,
    };
    let mut segment = header.bytes().to_vec();
    segment.extend(encoder.key(0, &tracker.carried()).expect("a key frame"));
    let mut world = World::new();
    for step in [[6, 0, 3, 7], [8, 2, 5, 7]] {
        let entry = world.step(step);
        entry.apply(&mut tracker);
        encoder.miss(&entry);
    }
    segment.extend(encoder.key(9, &tracker.carried()).expect("a key frame"));
    let events = read(&segment);
    let [
        Event::Begin { missed: 0, .. },
        Event::Begin {
            wall_ns: 9,
            missed: 2,
            tracker: begun,
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(totals(begun.report()), totals(tracker.report()));
}

#[test]
fn a_newer_version_and_foreign_files_are_told_apart() {
    let mut bytes = Header {
        run: 1,
        number: 2,
        began_wall_ns: 3,
    }
    .bytes();
    assert_eq!(Header::read(&bytes).map(|it| it.number), Ok(2));
    assert_eq!(Header::read(&bytes[..12]), Err(Unreadable::CutOff));
    bytes[30] ^= 1;
    assert_eq!(Header::read(&bytes), Err(Unreadable::Damaged));
    bytes[8] = 9;
    assert_eq!(Header::read(&bytes), Err(Unreadable::Newer(9)));
    assert_eq!(Header::read(&[7; 80]), Err(Unreadable::Foreign));
    assert_eq!(Header::read(b"x"), Err(Unreadable::Foreign));
}
