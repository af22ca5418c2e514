//! What is shown of the past is what was shown then, whatever way led there.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use self::viewer::{Crumbs, Run, SECOND_NS, Shown, Viewer, run, run_by, second};
use super::*;
use crate::app::Moment;
use crate::model::tracker::{Flow, Report};
use crate::runtime::past::visit::Visit;
use crate::runtime::updates::Update;

#[path = "cost_tests.rs"]
mod cost;
#[path = "long_intervals_tests.rs"]
mod long_intervals;
#[path = "viewer_tests.rs"]
mod viewer;

/// What does not depend on how far back a tracker has seen.
fn without_past(report: &Report) -> Report {
    let mut report = report.clone();
    report.revision = 0;
    for flow in &mut report.flows {
        flow.history = Default::default();
        flow.set_trouble(None);
        flow.watched = Default::default();
    }
    report
}

fn assert_same(shown: &Report, live: &Report) {
    let revision = shown.revision;
    assert_eq!(
        *shown,
        Report {
            revision,
            ..live.clone()
        }
    );
}

fn scripts(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<[u8; 4]>> {
    prop::collection::vec(any::<[u8; 4]>(), length)
}

fn cases(count: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: count,
        failure_persistence: None,
        // Each try takes a while.
        max_shrink_iters: 20,
        ..ProptestConfig::default()
    })
}

#[test]
fn a_moment_of_the_past_looks_as_it_looked_then() {
    let check = |script: Vec<[u8; 4]>| {
        let Run { memory, shown } = run(&script, true);
        let mut viewer = Viewer::of(memory, false);
        let mut travel = Travel::Start;
        for then in &shown {
            let moment = viewer.go(travel).expect("a moment");
            for (past, live) in viewer.frames(moment).iter().zip(&then.frames) {
                assert_eq!(past, live);
            }
            travel = Travel::Interval(Way::On);
        }
        Ok(())
    };
    cases(3)
        .run(&scripts(5..40), check)
        .expect("they are the same");
}

#[test]
fn every_way_to_a_moment_leads_to_the_same_report() {
    let check = |(script, ways): (Vec<[u8; 4]>, Vec<u8>)| {
        let Run { memory, shown } = run(&script, false);
        prop_assume!(shown.len() > 2);
        let mut viewer = Viewer::of(Crumbs::of(memory), false);
        let mut at = 0;
        assert_eq!(viewer.place(Travel::Start), shown[0].wall_ns);
        for way in ways {
            let last = shown.len() - 1;
            let by_time = |wall_ns: i64| {
                let behind = shown.partition_point(|it| it.wall_ns <= wall_ns);
                behind.saturating_sub(1)
            };
            let here_ns = shown[at].wall_ns;
            let travel = match way % 6 {
                0 => (Travel::Interval(Way::On), (at + 1).min(last)),
                1 => (Travel::Interval(Way::Back), at.saturating_sub(1)),
                2 => (Travel::Minute(Way::On), by_time(here_ns + MINUTE_NS)),
                3 => (Travel::Minute(Way::Back), by_time(here_ns - MINUTE_NS)),
                4 => (Travel::Start, 0),
                _ => (Travel::End, last),
            };
            at = travel.1;
            let moment = viewer.go(travel.0).expect("a moment");
            let place = moment.place().expect("of the past").clone();
            assert_eq!(place.wall_ns, shown[at].wall_ns, "{travel:?}");
            assert_eq!(place.is_at_end, at == last);
            assert!(!place.is_rough);
            assert_same(&viewer.report(moment), &shown[at].report);
        }
        Ok(())
    };
    let ways = (scripts(70..160), prop::collection::vec(any::<u8>(), 1..12));
    cases(4).run(&ways, check).expect("they are the same");
}

#[test]
fn what_is_not_soon_read_is_shown_at_once_and_whole_in_the_end() {
    let check = |mut script: Vec<[u8; 4]>| {
        // Intervals end behind the last key frame.
        script.extend([[8, 0, 1, 1]; 5]);
        let Run { memory, shown } = run(&script, false);
        let mut viewer = Viewer::of(memory, false);
        viewer.player.patience = Duration::ZERO;
        viewer.player.travel(Travel::End, 1);
        let mut moments = Vec::new();
        loop {
            for update in viewer.inlet.receive() {
                if let Update::Past(Visit {
                    shows: Shows::Moment(moment),
                    ..
                }) = update
                {
                    moments.push(*moment);
                }
            }
            if viewer.player.making.is_none() {
                break;
            }
            viewer.player.work();
        }
        let then = &shown.last().expect("an interval").report;
        let is_rough = |moment: &Moment| moment.place().expect("of the past").is_rough;
        assert_eq!(
            moments.iter().map(is_rough).collect::<Vec<_>>(),
            [true, false]
        );
        let [rough, whole] = [0, 1].map(|at| viewer.report(moments[at].clone()));
        assert_eq!(without_past(&rough).interfaces.len(), then.interfaces.len());
        for (rough, then) in rough.flows.iter().map(|it| (it, find(then, it))) {
            assert_eq!((rough.counts, rough.key), (then.counts, then.key));
        }
        assert_same(&whole, then);
        Ok(())
    };
    cases(3).run(&scripts(70..110), check).expect("it is");
}

fn find<'a>(report: &'a Report, like: &Flow) -> &'a Flow {
    let found = report.flows.iter().find(|flow| flow.key == like.key);
    found.expect("it was there")
}

/// Where losses began or an alert was raised, by the reports.
fn events(shown: &[Shown]) -> Vec<i64> {
    let is_losing = |it: &Shown| it.report.flows.iter().any(|flow| flow.is_losing());
    let pairs = shown.windows(2);
    let begins =
        |pair: &&[Shown]| pair[1].raised > 0 || is_losing(&pair[1]) && !is_losing(&pair[0]);
    pairs.filter(begins).map(|pair| pair[1].wall_ns).collect()
}

/// From one end to the other and back, keys find just these.
fn assert_found<S: Source>(mut viewer: Viewer<S>, events: &[i64]) {
    for (start, way) in [(Travel::Start, Way::On), (Travel::End, Way::Back)] {
        let from = viewer.place(start);
        let mut expected: Vec<i64> = events.iter().copied().filter(|it| *it != from).collect();
        if way == Way::Back {
            expected.reverse();
        }
        for wall_ns in expected {
            assert_eq!(viewer.place(Travel::Event(way)), wall_ns, "{way:?}");
        }
        let last = viewer.player.here();
        viewer.go(Travel::Event(way));
        assert_eq!(viewer.player.here(), last);
    }
}

#[test]
fn keys_find_each_event_and_no_other_with_marks_and_without() {
    let check = |script: Vec<[u8; 4]>| {
        for has_marks in [false, true] {
            let Run { memory, shown } = run_by(second, &script, false, has_marks);
            assert_found(Viewer::of(memory, false), &events(&shown));
        }
        let Run { memory, shown } = run_by(second, &script, false, true);
        assert_found(Viewer::of(Crumbs::unmarked(memory), false), &events(&shown));
        Ok(())
    };
    cases(2)
        .run(&scripts(40..90), check)
        .expect("they are found");
}

#[test]
fn a_moment_that_is_not_whole_yet_is_the_one_that_was_asked_for_and_events_are_found_from_it() {
    let check = |script: Vec<[u8; 4]>| {
        let Run { memory, shown } = run(&script, false);
        let mut viewer = Viewer::of(memory, false);
        viewer.player.patience = Duration::ZERO;
        for then in shown.iter().rev() {
            viewer.player.travel(Travel::End, 1);
            viewer.player.go(Goal::Time(then.wall_ns));
            assert!(viewer.player.is_rough);
            assert_eq!(
                viewer.player.here().map(|it| it.wall_ns),
                Some(then.wall_ns)
            );
            let before = events(&shown).into_iter().rfind(|it| *it < then.wall_ns);
            viewer.go(Travel::Event(Way::Back));
            let here = viewer.player.here().map(|here| here.wall_ns);
            assert_eq!(here, before.or(Some(then.wall_ns)));
        }
        Ok(())
    };
    cases(2).run(&scripts(70..90), check).expect("it is found");
}

#[test]
fn from_the_past_of_a_run_all_ways_on_lead_to_now() {
    let script: Vec<[u8; 4]> = (0..200_u8)
        .map(|at| [8, at, at.wrapping_mul(37) | 1, 3])
        .collect();
    let Run { memory, shown } = run(&script, false);
    let last = shown.len() - 1;
    let mut viewer = Viewer::of(memory, true);
    // The latest interval is what was on the screen.
    assert_eq!(
        viewer.place(Travel::Interval(Way::Back)),
        shown[last - 1].wall_ns
    );
    assert_eq!(viewer.place(Travel::Interval(Way::On)), shown[last].wall_ns);
    assert_eq!(viewer.go(Travel::Interval(Way::On)), None);
    for (back, on) in [
        (Travel::Minute(Way::Back), Travel::Minute(Way::On)),
        (Travel::Start, Travel::End),
    ] {
        assert!(viewer.place(back) < shown[last - 5].wall_ns);
        assert_eq!(viewer.go(on), None);
        assert_eq!(viewer.player.patience(), None, "it has nothing to do");
    }
    // Played as fast as it can, it comes to now, too.
    viewer.place(Travel::Start);
    viewer.player.travel(Travel::Speed(Way::On), 2);
    assert_eq!(viewer.player.clock.pace().speed, None);
    viewer.player.travel(Travel::Hold, 1);
    let mut is_now = false;
    while !is_now {
        let updates = viewer.inlet.receive();
        is_now = updates.iter().any(|it| {
            matches!(
                it,
                Update::Past(Visit {
                    shows: Shows::ThePresent,
                    ..
                })
            )
        });
        drop(updates);
        viewer.player.work();
    }
}

#[test]
fn moments_on_both_sides_of_a_clock_that_was_set_are_found() {
    // For 110 s, and then on from a minute before the first of them.
    let set_back = |at: usize| match at {
        0..110 => second(at),
        _ => second(at - 110) - 60 * SECOND_NS,
    };
    // For a minute it is an hour later.
    let was_wrong = |at: usize| match at {
        60..120 => second(at) + 3600 * SECOND_NS,
        _ => second(at),
    };
    let script = [[8, 3, 5, 2]; 170];
    for (run, moments) in [
        (
            run_by(set_back, &script, false, true),
            [100, 130, 160, 5, 59, 125, 108],
        ),
        (
            run_by(was_wrong, &script, false, true),
            [100, 130, 160, 5, 58, 118, 60],
        ),
    ] {
        let Run { memory, shown } = run;
        let mut viewer = Viewer::of(memory, false);
        for at in moments {
            let then = &shown[at];
            for patience in [0, 60] {
                viewer.player.patience = Duration::from_secs(patience);
                viewer.player.begin(Begin::At(then.wall_ns + 1));
                let moment = viewer.latest().expect("a moment");
                let place = moment.place().expect("of the past");
                assert_eq!((place.wall_ns, place.is_rough), (then.wall_ns, false));
                let report = viewer.report(moment);
                assert_eq!(without_past(&report), without_past(&then.report), "{at}");
            }
        }
    }
}

#[test]
fn a_course_that_is_where_it_is_to_come_to_does_not_go_on() {
    let Run { memory, .. } = run(&[[8, 0, 1, 7]; 5], false);
    let mut course = Course::begin(&memory, &TimeZone::UTC, i64::MIN).expect("a course");
    for _ in 0..2 {
        let reached = goal::run(&mut course, &memory, Goal::Next, None);
        assert_eq!(reached, Reached::Goal);
    }
    let here = course.latest().expect("an interval");
    let reached = goal::run(&mut course, &memory, Goal::Spot(here), None);
    assert_eq!((reached, course.latest()), (Reached::Goal, Some(here)));
}

#[test]
fn metrics_count_what_is_played_since_the_latest_jump() {
    const ON: Travel = Travel::Interval(Way::On);
    // An interval a second, in each of which something comes.
    let script: Vec<[u8; 4]> = (0..200_u8).map(|at| [8, at, 1, 7]).collect();
    for patience in [Duration::ZERO, Duration::from_secs(60)] {
        let Run { memory, shown } = run(&script, false);
        let mut viewer = Viewer::of(memory, false);
        viewer.player.patience = patience;
        viewer.player.serve();
        // Where each way leads to, and where what is counted there began.
        let ways: [(&[Travel], usize, usize); 6] = [
            (&[Travel::Start, ON, ON], 2, 0),
            (&[Travel::Minute(Way::On)], 62, 62),
            (&[ON, ON, ON], 65, 62),
            (&[Travel::Interval(Way::Back)], 64, 64),
            (&[Travel::End], 199, 199),
            // While it is made whole, what is shown goes on.
            (&[Travel::Minute(Way::Back), ON, ON], 141, 139),
        ];
        for (travels, at, began) in ways {
            for travel in travels {
                viewer.player.travel(*travel, 1);
            }
            viewer.settle();
            let pages = viewer.inlet.receive().into_iter();
            let page = pages.filter_map(|update| match update {
                Update::Past(visit) => visit.page,
                _ => None,
            });
            let page = page.last().expect("a page").exposition;
            let counted: u64 = page.interfaces.iter().map(|(_, it)| it.all.packets).sum();
            let came = |at: usize| -> u64 {
                let interfaces = &shown[at].report.interfaces;
                interfaces.iter().map(|it| it.counts.packets).sum()
            };
            assert_eq!(counted, came(at) - came(began), "{travels:?}");
            assert!(came(at) > came(began) || at == began);
        }
    }
}
