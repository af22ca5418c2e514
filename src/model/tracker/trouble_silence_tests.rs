//! Flows that stop: when that is told, and of which flows it is not.

use super::tests::{CALM, Manner, Run};
use crate::model::tracker::Intervals;
use crate::model::tracker::advance::tests::SECOND;

#[test]
fn a_slow_flow_that_stops_is_told_when_no_gap_of_its_own_was_as_long() {
    let told = Run::new(1, 3).seconds_of_trouble(50, |second| Manner {
        // 500 ms apart: four times as long is over in the second second without a packet.
        rate: if second < 40 { 2.0 } else { 0.0 },
        jitter: 0.0,
        ..CALM
    });
    assert_eq!(told, Vec::from_iter(41..50));
}

#[test]
fn whether_a_flow_came_all_the_time_is_asked_of_each_interval_without_a_packet() {
    let mut run = Run::new(1, 3);
    // As long as there are gaps in the jitter window, its intervals are looked at one by one.
    run.tracker.set_intervals(Intervals {
        refresh_ns: SECOND,
        jitter_ns: 40 * SECOND,
    });
    let told = run.seconds_of_trouble(70, |second| {
        // Of the 60 intervals that are known, in 53 of 59 when it stops, and in 53 of 58 a second later.
        let rate = match second {
            1..7 | 60.. => 0.0,
            _ => CALM.rate,
        };
        Manner { rate, ..CALM }
    });
    assert_eq!(told, Vec::from_iter(61..70));
}

#[test]
fn losses_of_a_flow_that_stops_are_trouble_no_longer_than_of_one_that_goes_on() {
    let told = Run::new(1, 3).seconds_of_trouble(60, |second| Manner {
        // Now and then it does not come, and never as often as the second before: that it stops says nothing.
        rate: match second {
            44.. => 0.0,
            _ => [0.0, 10.0, 30.0, 60.0][second as usize % 4],
        },
        loss: if second == 43 { 0.5 } else { 0.0 },
        ..CALM
    });
    // Losses of three intervals are taken together.
    assert_eq!(told, [43, 44, 45]);
}
