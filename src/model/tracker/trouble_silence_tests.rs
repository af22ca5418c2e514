//! Flows that stop: when that is told, and of which flows it is not.

use super::tests::{CALM, Manner, Run};
use crate::model::tracker::Intervals;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_slow_flow_that_stops_is_told_when_no_gap_of_its_own_was_as_long() {
    let mut run = Run::new(1, 3);
    let mut told = Vec::new();
    for second in 0..50 {
        // 500 ms apart: four times as long is over in the second second without a packet.
        let rate = if second < 40 { 2.0 } else { 0.0 };
        run.pass(|_| Manner {
            rate,
            jitter: 0.0,
            ..CALM
        });
        if run.troubles().next().is_some() {
            told.push(second);
        }
    }
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
    let mut told = Vec::new();
    for second in 0..70 {
        // Of the 60 intervals that are known, in 53 of 59 when it stops, and in 53 of 58 a second later.
        let rate = match second {
            1..7 | 60.. => 0.0,
            _ => CALM.rate,
        };
        run.pass(|_| Manner { rate, ..CALM });
        if run.troubles().next().is_some() {
            told.push(second);
        }
    }
    assert_eq!(told, Vec::from_iter(61..70));
}
