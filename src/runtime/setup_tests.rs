//! How command line and configuration become a run: timing, characters, room for flows.

use super::*;
use crate::cli::{Invocation, Output};

fn timing(throughput: f64, jitter: f64) -> (f64, u32) {
    let timing = Timing::new(
        Duration::from_secs_f64(throughput),
        Duration::from_secs_f64(jitter),
    );
    (timing.refresh.as_secs_f64(), timing.refreshes)
}

#[test]
fn a_capture_has_room_for_more_flows_unless_somebody_said_how_many() {
    let usual = Config::default();
    let few = Config {
        max_flows: 512,
        ..Config::default()
    };
    for (config, said, room) in [
        (&usual, None, 262_144),
        (&usual, Some(65_536), 65_536),
        (&few, None, 512),
    ] {
        assert_eq!(options_of_capture(config, said).max_flows, room, "{said:?}");
    }
}

#[test]
fn ascii_characters_are_asked_for_by_the_file_or_by_the_command_line() {
    for (words, file, ascii) in [
        (&["flowtop"][..], Some(false), false),
        (&["flowtop"], Some(true), true),
        (&["flowtop", "--ascii"], Some(false), true),
        (&["flowtop", "--ascii"], None, true),
    ] {
        let Ok(Invocation::Run(arguments)) = Arguments::read(words.iter().map(Into::into)) else {
            panic!("{words:?}");
        };
        let config = Config {
            ascii: file,
            ..Config::default()
        };
        let Output {
            color,
            ascii: wanted,
            ..
        } = arguments.output;
        assert_eq!(look(color, wanted, &config).ascii, ascii, "{words:?}");
    }
}

#[test]
fn the_sampler_reads_at_least_once_a_second_and_evenly() {
    assert_eq!(timing(1.0, 1.0), (1.0, 1));
    assert_eq!(timing(5.0, 5.0), (1.0, 5));
    assert_eq!(timing(2.5, 2.5).1, 3);
    assert_eq!(timing(0.1, 10.0), (0.1, 1));
    assert_eq!(timing(1.0, 0.25), (0.25, 4));
}
