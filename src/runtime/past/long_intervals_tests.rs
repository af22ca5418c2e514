//! The past of a run whose intervals are of many readings, and longer than what there is between two key frames.

use super::*;

/// The script with intervals of so many readings.
fn with_intervals_of(readings: usize, script: &[[u8; 4]]) -> Vec<[u8; 4]> {
    let steps = script.iter().enumerate();
    let reading = |(at, [what, slot, much, more]): (usize, &[u8; 4])| {
        let closes = u8::from(at % readings == readings - 1);
        // Seven more: as many are lost of an odd number as of the even one.
        [*what, *slot, (much & !1) + 7 * closes, *more]
    };
    steps.map(reading).collect()
}

fn plain(readings: usize, length: usize) -> Run {
    run(
        &with_intervals_of(readings, &vec![[8, 0, 10, 3]; length]),
        false,
    )
}

/// What the viewer was told, and when the interval was that is shown in the end.
fn told<S: Source>(viewer: &mut Viewer<S>) -> (Vec<String>, Option<i64>) {
    viewer.settle();
    let updates = viewer.inlet.receive().into_iter();
    let notices = updates.filter_map(|update| match update {
        Update::Past(visit) => visit.notice,
        _ => None,
    });
    (notices.collect(), viewer.player.here().map(|it| it.wall_ns))
}

#[test]
fn the_last_interval_that_ended_by_a_moment_is_found_however_long_it_was() {
    let Run { memory, shown } = plain(150, 560);
    assert_eq!(shown.len(), 3);
    let mut viewer = Viewer::of(memory, false);
    for patience in [0, 60] {
        viewer.player.patience = Duration::from_secs(patience);
        for then in &shown {
            for seconds in [0, 1, 59, 61, 109] {
                let wall_ns = then.wall_ns + seconds * SECOND_NS;
                viewer.player.begin(Begin::At(wall_ns));
                assert_eq!(told(&mut viewer), (vec![], Some(then.wall_ns)), "{seconds}");
            }
        }
        viewer.player.begin(Begin::At(shown[0].wall_ns - 1));
        let (notices, here) = told(&mut viewer);
        assert_eq!((notices.len(), here), (1, Some(shown[0].wall_ns)));
        viewer.player.travel(Travel::End, 1);
        assert_eq!(told(&mut viewer).1, shown.last().map(|it| it.wall_ns));
    }
}

#[test]
fn a_minute_on_is_an_interval_at_least() {
    let Run { memory, shown } = plain(90, 380);
    let mut viewer = Viewer::of(memory, false);
    for patience in [0, 60] {
        viewer.player.patience = Duration::from_secs(patience);
        assert_eq!(viewer.place(Travel::Start), shown[0].wall_ns);
        for then in shown.iter().skip(1).chain(shown.last()) {
            assert_eq!(viewer.place(Travel::Minute(Way::On)), then.wall_ns);
        }
    }
}

#[test]
fn steps_back_are_as_many_as_were_asked_for_also_from_a_moment_that_is_not_whole() {
    let Run { memory, shown } = plain(7, 300);
    let last = shown.len() - 1;
    let mut viewer = Viewer::of(memory, false);
    viewer.player.patience = Duration::ZERO;
    for times in [1, 2, 9, 30, last, 100] {
        viewer.player.travel(Travel::End, 1);
        assert!(viewer.player.is_rough);
        viewer.player.travel(Travel::Interval(Way::Back), times);
        let then = &shown[last.saturating_sub(times)];
        assert_eq!(told(&mut viewer).1, Some(then.wall_ns), "{times}");
    }
}

#[test]
fn the_last_event_is_found_where_its_loss_was_long_before_the_end_of_its_interval() {
    // A flow that loses something now and then.
    let much = |at: usize| if at % 194 == 60 { 6 } else { 10 };
    let steps: Vec<[u8; 4]> = (0..580).map(|at| [8, 0, much(at), 1]).collect();
    for (readings, is_noted) in [(7, true), (45, true), (45, false), (130, true)] {
        let script = with_intervals_of(readings, &steps);
        let Run { memory, shown } = run_by(second, &script, false, is_noted);
        assert!(!events(&shown).is_empty());
        let mut viewer = Viewer::of(memory, false);
        viewer.player.patience = Duration::ZERO;
        for then in shown.iter().rev() {
            viewer.player.travel(Travel::End, 1);
            viewer.player.go(Goal::Time(then.wall_ns));
            let before = events(&shown).into_iter().rfind(|it| *it < then.wall_ns);
            viewer.go(Travel::Event(Way::Back));
            let here = viewer.player.here().map(|here| here.wall_ns);
            assert_eq!(here, before.or(Some(then.wall_ns)), "{readings} {is_noted}");
        }
    }
}
