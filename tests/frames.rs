//! The views as text, at several sizes: what a person sees, never a clock.

#[path = "frames/fixture.rs"]
mod fixture;

use fixture::{dashboard, frame, many, mixed, report};
use flowtop::model::flow::Protocol;

/// Draws the report after some keys and compares the frame with the one kept in `snapshots`.
macro_rules! frame_is {
    ($name:expr, $report:expr, $size:expr, $keys:expr) => {{
        let report = $report;
        let app = dashboard(&report, $size, $keys);
        insta::assert_snapshot!($name, frame(&app, &report));
    }};
}

#[test]
fn flows_at_every_size() {
    frame_is!("flows_80x24", mixed(), (80, 24), "Down");
    frame_is!("flows_120x40", mixed(), (120, 40), "Down");
    frame_is!("flows_40x10", mixed(), (40, 10), "Down");
    frame_is!("flows_200x50", mixed(), (200, 50), "Down");
}

#[test]
fn loss_columns_and_bits() {
    frame_is!("loss_columns_80x24", mixed(), (80, 24), "l");
    frame_is!("loss_columns_120x40", mixed(), (120, 40), "l b");
    frame_is!("loss_columns_200x50", mixed(), (200, 50), "l");
}

#[test]
fn views() {
    frame_is!("loss_view_80x24", mixed(), (80, 24), "2");
    frame_is!("loss_view_120x40", mixed(), (120, 40), "2");
    frame_is!("interfaces_80x24", mixed(), (80, 24), "3");
    frame_is!("interfaces_120x40", mixed(), (120, 40), "3 Down Down");
}

#[test]
fn empty_states_say_what_to_do() {
    frame_is!("empty", report(Vec::new()), (80, 24), "");
    let mut nothing = report(Vec::new());
    nothing.interfaces.clear();
    frame_is!("no_interface", nothing, (80, 24), "");
    let mut filtered = report(Vec::new());
    filtered.interfaces[0].counted.filtered.packets = 1234;
    frame_is!("nothing_matches_a_rule", filtered, (40, 10), "");
}

#[test]
fn ten_thousand_rows() {
    frame_is!("ten_thousand_80x24", many(10_000), (80, 24), "");
    frame_is!("ten_thousand_last_80x24", many(10_000), (80, 24), "End");
}

#[test]
fn a_paused_screen_says_so() {
    frame_is!("paused_80x24", mixed(), (80, 24), "p");
    frame_is!("paused_40x10", mixed(), (40, 10), "p");
}

#[test]
fn help_is_made_from_the_bindings() {
    frame_is!("help_80x24", mixed(), (80, 24), "?");
    frame_is!("help_120x40", mixed(), (120, 40), "? PgDn");
}

#[test]
fn a_small_terminal_gets_one_line() {
    frame_is!("too_small_39x12", mixed(), (39, 12), "");
    frame_is!("too_small_12x3", mixed(), (12, 3), "");
}

#[test]
fn long_ipv6_addresses_are_shortened_in_the_middle() {
    let v6 = "2001:db8:85a3:1234:5678:8a2e:370:7334";
    let flows = || vec![fixture::flow(Protocol::Tcp, v6, 51234, v6, 443)];
    frame_is!("ipv6_40x10", report(flows()), (40, 10), "");
    frame_is!("ipv6_80x24", report(flows()), (80, 24), "");
    frame_is!("ipv6_200x50", report(flows()), (200, 50), "");
}
