//! The views as text, at several sizes: what a person sees, never a clock.

#[path = "frames/fixture.rs"]
mod fixture;

use std::sync::Arc;

use fixture::{dashboard, frame, many, mixed, press, report, ruled};
use flowtop::app::{App, Journal, Mode, Moment, Msg, Preferences, SshSession, View};
use flowtop::keymap::Key;
use flowtop::model::alert::{AlertRule, Side};
use flowtop::model::capture::{CaptureSample, Pace};
use flowtop::model::column::{FLOW_COLUMNS, by_id, part_of};
use flowtop::model::counts::IpMetrics;
use flowtop::model::event::EventKind;
use flowtop::model::flow::Protocol;
use flowtop::model::groups::Group;
use flowtop::model::histogram::{Histogram, bucket_of};
use flowtop::model::past::{Mark, Place};
use flowtop::model::preferences::ThemeName;
use flowtop::model::service::Services;
use flowtop::model::snapshot::LinkState;
use flowtop::model::tracker::Report;
use flowtop::ui::{self, Depth, Look};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

/// Draws the report after some keys and compares the frame with the one kept in `snapshots`.
macro_rules! frame_is {
    ($name:expr, $report:expr, $size:expr, $keys:expr) => {{
        let report = $report;
        let mut app = dashboard(&report, $size, $keys);
        insta::assert_snapshot!($name, frame(&mut app, &report));
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
fn groups_folded_and_unfolded() {
    for (width, height) in [
        (40, 10),
        (60, 15),
        (80, 24),
        (100, 20),
        (120, 40),
        (200, 50),
    ] {
        let name = format!("groups_{width}x{height}");
        frame_is!(name, mixed(), (width, height), "5 Down Down f Down");
    }
    frame_is!("groups_by_port_80x24", mixed(), (80, 24), "5 B B B B B F");
}

#[test]
fn rules_stand_below_the_interfaces() {
    frame_is!("rules_80x24", ruled(mixed(), 3), (80, 24), "3");
    frame_is!(
        "rules_120x40",
        ruled(mixed(), 3),
        (120, 40),
        "3 Down Down Down"
    );
    frame_is!("rules_40x10", ruled(mixed(), 12), (40, 10), "3");
    frame_is!("rules_last_80x24", ruled(mixed(), 64), (80, 24), "3 End");
}

#[test]
fn empty_states_say_what_to_do() {
    frame_is!("empty", report(Vec::new()), (80, 24), "");
    frame_is!("before_the_first_reading", Report::default(), (80, 24), "");
    let mut nothing = report(Vec::new());
    nothing.interfaces.clear();
    frame_is!("no_interface", nothing, (80, 24), "");
    let mut filtered = report(Vec::new());
    filtered.interfaces[0].counted.filtered.packets = 1234;
    frame_is!("nothing_matches_a_rule", filtered, (40, 10), "");
}

#[test]
fn flows_that_have_all_ended_are_not_said_to_have_never_come() {
    let mut nothing = report(Vec::new());
    nothing.interfaces[0].ended.packets = 1234;
    let drawn = frame(&mut dashboard(&nothing, (80, 24), ""), &nothing);
    assert!(
        drawn.contains("No flow is left of the 1,234 packets"),
        "{drawn}"
    );
    assert!(!drawn.contains(" yet."), "{drawn}");
}

#[test]
fn every_view_has_words_for_nothing_and_room_for_one() {
    let one = || report(vec![mixed().flows.swap_remove(2)]);
    for (view, name) in [
        ("2", "loss"),
        ("3", "interfaces"),
        ("4", "events"),
        ("5", "groups"),
    ] {
        frame_is!(
            format!("empty_{name}_80x24"),
            Report::default(),
            (80, 24),
            view
        );
        frame_is!(format!("one_flow_{name}_80x24"), one(), (80, 24), view);
        frame_is!(
            format!("paused_{name}_80x24"),
            mixed(),
            (80, 24),
            &format!("{view} p")
        );
    }
    frame_is!("one_flow_80x24", one(), (80, 24), "");
    frame_is!("one_flow_40x10", one(), (40, 10), "");
}

#[test]
fn ten_thousand_rows() {
    frame_is!("ten_thousand_loss_120x40", many(10_000), (120, 40), "2 End");
    frame_is!(
        "ten_thousand_groups_80x24",
        many(10_000),
        (80, 24),
        "5 B B f"
    );
    frame_is!("ten_thousand_80x24", many(10_000), (80, 24), "");
    frame_is!("ten_thousand_last_80x24", many(10_000), (80, 24), "End");
}

#[test]
fn a_paused_screen_says_so() {
    frame_is!("paused_80x24", mixed(), (80, 24), "p");
    frame_is!("paused_40x10", mixed(), (40, 10), "p");
}

/// A night of which the last hour was not recorded, a quarter into it; or the last minutes of a run.
fn place(is_of_run: bool) -> Place {
    const SECOND_NS: i64 = 1_000_000_000;
    let (length, words) = match is_of_run {
        true => (600, ["2026-03-01", "10:38:47", "10:32", "now"]),
        false => (
            36_000,
            ["2026-03-01", "00:30:00", "Feb 28 22:00", "Mar 1 08:00"],
        ),
    };
    let mark = |part: i64| Mark {
        from_ns: part * length * SECOND_NS / 100,
        to_ns: (part + 1) * length * SECOND_NS / 100,
        losing: u32::from(part % 30 < 4),
        alerts: u32::from(part == 61),
    };
    Place {
        wall_ns: length * SECOND_NS / 4,
        span: (0, length * SECOND_NS),
        words: words.map(str::to_owned),
        marks: Arc::new((0..90).map(mark).collect()),
        pace: Pace {
            speed: Some(1),
            is_held: true,
        },
        is_of_run,
        ..Place::default()
    }
}

#[test]
fn the_past_says_which_moment_it_is_and_what_happened_around_it() {
    for (name, is_of_run, size) in [
        ("past_80x24", true, (80, 24)),
        ("past_120x40", true, (120, 40)),
        ("past_40x10", true, (40, 10)),
        ("replay_80x24", false, (80, 24)),
        ("replay_120x40", false, (120, 40)),
        ("replay_40x10", false, (40, 10)),
    ] {
        let mut live = mixed();
        let mut app = dashboard(&live, size, "");
        let past = Moment::past(&live, &Journal::new(Vec::new()), place(is_of_run));
        live.taken_ns += 200_000_000_000;
        app.update(Msg::Past(Some(Box::new(past))), &live);
        insta::assert_snapshot!(name, frame(&mut app, &live));
        let look = Look {
            ascii: true,
            ..Look::default()
        };
        assert!(fixture::frame_with(&mut app, &live, &look).is_ascii());
    }
}

#[test]
fn a_capture_says_how_fast_it_is_played_how_far_it_is_and_by_which_keys() {
    let of_capture = |is_over| Report {
        capture: Some(CaptureSample {
            size: Some(1000),
            bytes_used: if is_over { 1000 } else { 420 },
            is_over,
            pace: Pace {
                speed: Some(10),
                is_held: false,
            },
            ..CaptureSample::default()
        }),
        ..mixed()
    };
    frame_is!("capture_80x24", of_capture(false), (80, 24), "");
    frame_is!("capture_120x40", of_capture(false), (120, 40), "");
    frame_is!("capture_40x10", of_capture(false), (40, 10), "");
    frame_is!("capture_ended_80x24", of_capture(true), (80, 24), "");
    let of_stream = Report {
        capture: Some(CaptureSample::default()),
        ..mixed()
    };
    frame_is!("capture_stream_80x24", of_stream, (80, 24), "");
}

#[test]
fn interfaces_of_a_capture_are_on_the_screen_or_counted_however_narrow_it_is() {
    let capture = Report {
        capture: Some(CaptureSample {
            size: Some(1000),
            ..CaptureSample::default()
        }),
        ..mixed()
    };
    for width in 40..80 {
        for height in [14, 20, 29, 30] {
            let drawn = frame(&mut dashboard(&capture, (width, height), ""), &capture);
            let line = drawn.lines().nth(1).unwrap_or_default();
            let is_told = ["veth1", "+2 more"].iter().any(|text| line.contains(text));
            assert!(is_told, "{width}x{height}:\n{drawn}");
        }
    }
}

#[test]
fn the_axis_of_time_is_that_of_the_intervals_that_are_drawn() {
    let mut report = mixed();
    for seconds in [1.0; 40].into_iter().chain([2.0; 20]) {
        report.lengths.push(Some(seconds));
    }
    // 20 of 2 s and 39 of 1 s; half of them are 29.5.
    let drawn = frame(&mut dashboard(&report, (120, 40), "Down Enter"), &report);
    assert!(
        drawn.contains("-1m19s") && drawn.contains("-50 s"),
        "{drawn}"
    );
    let drawn = frame(&mut dashboard(&report, (120, 40), "3 Down Enter"), &report);
    assert!(drawn.contains("-1m19s"), "{drawn}");
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

#[test]
fn filters() {
    frame_is!(
        "filter_80x24",
        mixed(),
        (80, 24),
        "/ u d p Space l o s s > 1"
    );
    frame_is!("filter_kept_80x24", mixed(), (80, 24), "/ u d p Enter");
    frame_is!(
        "filter_mistake_80x24",
        mixed(),
        (80, 24),
        "/ u d p Space p o r t : x y Left"
    );
    frame_is!("filter_mistake_40x10", mixed(), (40, 10), "/ s p e e d > 5");
    frame_is!(
        "filter_mistake_kept_80x24",
        mixed(),
        (80, 24),
        "/ u d p Space p o r t : x y Enter"
    );
    frame_is!(
        "filter_mistake_kept_40x10",
        mixed(),
        (40, 10),
        "/ s p e e d > 5 Enter"
    );
    frame_is!(
        "filter_hides_all_80x24",
        mixed(),
        (80, 24),
        "/ s c t p Enter"
    );
}

/// What the export key says where nobody but root may write.
const REFUSED: &str = "export: write flowtop-20260301-104207.json: Permission denied (os error 13) (flowtop goes on \
    as user 61184, who may not write there)";

#[test]
fn what_failed_is_said_as_a_whole_and_stays_in_the_events() {
    for size in [(40, 10), (60, 15), (80, 24), (120, 40)] {
        let report = mixed();
        let mut app = dashboard(&report, size, "Down Down Down Down Down Down Down");
        app.update(
            Msg::Happened(EventKind::Notice, REFUSED.to_owned()),
            &report,
        );
        let said = |frame: &str| {
            let lines = frame.lines().rev().skip(1).take(6).collect::<Vec<_>>();
            let words = lines.iter().rev().flat_map(|line| line.split_whitespace());
            words.collect::<Vec<_>>().join(" ")
        };
        let text = frame(&mut app, &report);
        assert!(said(&text).ends_with(REFUSED), "{size:?}: {text}");
        fixture::press(&mut app, &report, "4 Down");
        let text = frame(&mut app, &report);
        assert!(said(&text).ends_with(REFUSED), "{size:?}: {text}");
    }
    let report = mixed();
    let mut app = dashboard(&report, (80, 24), "l End");
    app.update(
        Msg::Happened(EventKind::Notice, REFUSED.to_owned()),
        &report,
    );
    insta::assert_snapshot!("refused_80x24", frame(&mut app, &report));
}

#[test]
fn menus() {
    frame_is!("sort_menu_80x24", mixed(), (80, 24), "s Down");
    frame_is!("sort_menu_40x10", mixed(), (40, 10), "s PgDn PgDn");
    frame_is!("columns_80x24", mixed(), (80, 24), "c Down Space End Space");
    frame_is!(
        "columns_changed_80x24",
        mixed(),
        (80, 24),
        "c Down Right End Space Esc"
    );
}

/// A dashboard in which things have happened: alerts, events, a pinned flow, a histogram.
fn eventful(size: (u16, u16), keys: &str) -> (App, Report) {
    let before = ruled(mixed(), 2);
    let jitter = by_id("loss_percent").expect("a column");
    let preferences = Preferences {
        alerts: vec![AlertRule::new(jitter, Side::Above, 1.0)],
        services: Arc::new(Services::parse("rfe 5002/udp\nhttps 443/tcp\nssh 22/tcp\n")),
        session: SshSession::parse("10.0.0.7 49152 10.0.0.1 22"),
        ..Preferences::default()
    };
    let mut app = App::new(preferences, size);
    app.update(Msg::Refreshed(fixture::CLOCK), &before);
    let mut after = ruled(mixed(), 2);
    after.taken_ns += 1_000_000_000;
    after.interfaces[0].state = LinkState::Down;
    for flow in &mut after.flows {
        flow.last_seen_ns = after.taken_ns - 1000;
        if let Some(sequence) = &mut flow.counts.sequence {
            sequence.small_errors += 1;
            sequence.lost += 2;
        }
    }
    app.update(Msg::Refreshed(fixture::CLOCK), &after);
    fixture::press(&mut app, &after, keys);
    let mut histogram = Histogram::default();
    for i in 0..1000_u64 {
        let gap = 150_000 + i * i % 400_000;
        histogram.counts[bucket_of(gap)] += 1;
        histogram.longest = histogram.longest.max(gap);
    }
    let selected = app.flow_table().selected();
    let its = |flow: &&mut flowtop::model::tracker::Flow| Some(flow.key) == selected;
    if let Some(flow) = after.flows.iter_mut().find(its) {
        flow.histogram = Some(Box::new(histogram));
    }
    (app, after)
}

#[test]
fn events_alerts_and_pins() {
    for (name, size, keys) in [
        ("alert_80x24", (80, 24), "Down Down P Home"),
        ("alert_120x40", (120, 40), "2"),
        ("events_80x24", (80, 24), "4 Down"),
        ("events_120x40", (120, 40), "4"),
        ("events_filtered_80x24", (80, 24), "4 / i c m p"),
    ] {
        let (mut app, report) = eventful(size, keys);
        insta::assert_snapshot!(name, frame(&mut app, &report));
    }
}

#[test]
fn the_selected_event_is_seen_however_long_its_text_is() {
    for size in [(40, 10), (40, 12), (60, 15), (80, 24)] {
        let (mut app, report) = eventful(size, "4 Home");
        let count = app.shown_log().events().len();
        assert!(count > 8);
        for event in 0..count {
            let shown = frame(&mut app, &report);
            assert!(shown.contains('▶'), "{event} at {size:?}:\n{shown}");
            fixture::press(&mut app, &report, "Down");
        }
    }
}

#[test]
fn a_screen_that_stands_still_says_so_in_every_view_however_narrow_it_is() {
    let report = ruled(mixed(), 2);
    for width in 40..90 {
        for view in 1..=5 {
            let mut app = dashboard(&report, (width, 12), &format!("{view} p"));
            let shown = frame(&mut app, &report);
            assert!(shown.contains("PAUSED"), "{width}:\n{shown}");
        }
    }
}

#[test]
fn details() {
    for (name, size, keys) in [
        ("detail_80x24", (80, 24), "Down Enter"),
        ("detail_120x40", (120, 40), "Down Enter"),
        ("detail_40x10", (40, 10), "Down Enter"),
        ("detail_v6_80x24", (80, 24), "Down Down Down Enter"),
        ("detail_200x50", (200, 50), "Down Enter"),
        (
            "detail_from_an_event_80x24",
            (80, 24),
            "4 Down Down Down Down Down Enter",
        ),
        ("detail_interface_80x24", (80, 24), "3 Down Enter"),
    ] {
        let (mut app, report) = eventful(size, keys);
        insta::assert_snapshot!(name, frame(&mut app, &report));
    }
}

#[test]
fn a_detail_of_an_interface_has_all_digits_of_what_was_counted() {
    let mut report = mixed();
    report.interfaces[0].counts.packets = 12_345_678_901;
    report.interfaces[0].counts.bytes = 9_876_543_210_000;
    report.interfaces[0].counted.malformed[3].packets = 1_234_567_890;
    for width in [60, 80, 100, 120, 160, 200] {
        let mut app = dashboard(&report, (width, 50), "3 Enter");
        let drawn = frame(&mut app, &report);
        for text in [
            "12,345,678,901 in 9.88 TB",
            "malformed, by reason",
            "1,234,567,890",
        ] {
            assert!(drawn.contains(text), "{width}: {text}\n{drawn}");
        }
    }
}

#[test]
fn a_number_of_an_interface_is_whole_or_a_shorter_one_where_the_screen_is_narrow() {
    let mut report = mixed();
    let veth1 = &mut report.interfaces[0];
    veth1.counts.packets = 1_234_567_890;
    veth1.counts.bytes = 123_456_789_000;
    veth1.counted.other.packets = 123_456_789_012_345_678;
    veth1.counted.malformed[6].packets = 123_456_789_012_345_678;
    let mut app = dashboard(&report, (40, 50), "3 Enter");
    let drawn = frame(&mut app, &report);
    for (name, text) in [
        ("packets", "1,234,567,890"),
        ("ended", "0 in 0 B"),
        ("other", "123P"),
        ("transport_truncated", "123P"),
    ] {
        let line = format!(" {name:<19} {text}");
        assert!(drawn.lines().any(|it| it == line), "{line}\n{drawn}");
    }
}

#[test]
fn an_alert_stands_in_the_detail_however_wide_the_characters_before_it_are() {
    for width in 40..100 {
        let (mut app, mut report) = eventful((width, 24), "Down Enter");
        for flow in &mut report.flows {
            flow.rule = Some(Arc::from("日本語".repeat(4)));
        }
        let drawn = frame(&mut app, &report);
        assert!(drawn.contains("ALERT loss > 1%"), "{width}\n{drawn}");
    }
}

#[test]
fn a_flag_is_explained_in_words_or_not_named_at_all() {
    let report = mixed();
    for width in 40..140 {
        for keys in ["", "Down", "2", "5 Down"] {
            let mut app = dashboard(&report, (width, 24), keys);
            let drawn = frame(&mut app, &report);
            let status = drawn.lines().nth(22).expect("the status line");
            let is_explained = status.contains("losing now");
            assert_eq!(
                status.contains('↓'),
                is_explained,
                "{width} {keys}: {status}"
            );
        }
    }
}

#[test]
fn all_of_a_detail_can_be_scrolled_to_where_the_screen_is_low() {
    let report = mixed();
    let mut app = dashboard(&report, (60, 15), "Down Enter");
    let first = frame(&mut app, &report);
    assert!(first.contains('▼') && !first.contains('▲'), "{first}");
    let mut seen = first.clone();
    let mut presses = 0;
    while frame(&mut app, &report).contains('▼') {
        press(&mut app, &report, "PgDn");
        presses += 1;
        seen += &frame(&mut app, &report);
    }
    for text in [
        "192.168.100.200:51234 → 10.0.0.1:443",
        "on veth1",
        "--metrics ip",
        "throughput    12.3 MB/s",
        "last seen     0.0 s ago",
        "absent        0",
        "IAT mean  jitter (sd)",
        "time between packets",
        "throughput  goodput",
        "lost ",
        "now",
    ] {
        assert!(seen.contains(text), "{text} in\n{seen}");
    }
    let last = frame(&mut app, &report);
    press(&mut app, &report, "PgDn PgDn");
    assert_eq!(frame(&mut app, &report), last, "there is no more");
    for _ in 0..presses {
        press(&mut app, &report, "PgUp");
    }
    assert_eq!(frame(&mut app, &report), first);
}

#[test]
fn a_detail_leaves_no_lines_empty_for_a_chart_that_has_no_room() {
    for size in [(100, 20), (80, 20), (80, 21)] {
        let (mut app, report) = eventful(size, "Down Enter");
        let drawn = frame(&mut app, &report);
        let empty = drawn.lines().filter(|line| line.trim().is_empty()).count();
        assert!(empty <= 1, "{size:?}\n{drawn}");
        assert!(drawn.contains("IAT mean  jitter"), "{size:?}\n{drawn}");
    }
}

#[test]
fn a_detail_has_each_metric_of_a_group_that_is_on() {
    let (mut app, mut report) = eventful((120, 40), "Down Enter");
    for flow in &mut report.flows {
        flow.counts.ip = Some(IpMetrics::default());
    }
    let drawn = frame(&mut app, &report);
    for id in Group::ALL.iter().flat_map(|group| part_of(*group).cells) {
        let title = by_id(id).expect("a column").title;
        assert!(drawn.contains(&format!(" {title} ")), "{id}: {drawn}");
    }
    assert!(!drawn.contains("--metrics"), "{drawn}");
}

#[test]
fn ascii_frames_are_ascii() {
    let look = Look {
        ascii: true,
        ..Look::default()
    };
    for keys in ["l", "3", "4", "5 Down f", "?", "Down Enter", "s", "/ x"] {
        let (mut app, report) = eventful((120, 40), keys);
        let frame = fixture::frame_with(&mut app, &report, &look);
        assert!(frame.is_ascii(), "{frame}");
    }
    let (mut app, report) = eventful((80, 24), "Down Enter");
    insta::assert_snapshot!(
        "detail_ascii_80x24",
        fixture::frame_with(&mut app, &report, &look)
    );
}

#[test]
fn the_background_of_the_high_contrast_theme_has_no_holes() {
    let look = Look {
        depth: Depth::True,
        ..Look::default()
    };
    for keys in [
        "l",
        "2",
        "3 Down",
        "4",
        "5 F Down",
        "?",
        "s",
        "c",
        "/ x :",
        "p",
        "Down Enter",
        "3 Down Enter",
    ] {
        let (mut app, report) = eventful((120, 40), &format!("t t {keys}"));
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a terminal");
        let scene = app.scene(&report);
        let drawn = terminal.draw(|frame| ui::draw(frame, &scene, &look));
        let buffer = drawn.expect("a frame").buffer;
        for (index, cell) in buffer.content().iter().enumerate() {
            let place = (keys, index % 120, index / 120);
            assert_eq!(cell.bg, Color::Rgb(0, 0, 0), "{place:?}");
            assert_ne!(cell.fg, Color::Reset, "{place:?}");
        }
    }
}

/// Every word of the first and of the last line, whatever is open.
const WORDS: &str = "flowtop 1 2 3 4 5 Flows Loss Interfaces Events Groups PAUSED since 10:42:07 10:42:07, 0.0 s every \
    ? help q quit / filter Enter detail Tab view Space pause ←→ sort b bits l loss r reverse z reset e export \
    its flow flows Esc back ↑↓ PgDn other P pin interfaces scroll move by this show or hide earlier later \
    f fold unfold B group keep clear port:443 src:10.0.0.0/8 proto:udp loss>1 jitter>5ms rate>1M ! negates";

/// Below 40x10 there is a line about that and nothing else.
fn assert_too_small(lines: &[String], (width, height): (u16, u16), what: &str) {
    let mut said = lines
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty());
    let size = format!("flowtop needs 40x10, this is {width}x{height}");
    match said.next() {
        Some(line) => assert!(
            [&size, "needs 40x10", "small"].contains(&line),
            "{what}: {line}"
        ),
        None => assert!(width < 5 || height == 0, "{what}: nothing"),
    }
    assert_eq!(said.next(), None, "{what}");
}

/// What stands in the first line, in the last one and above the rows of flows is there as a whole.
fn assert_whole(app: &App, lines: &[String], what: &str) {
    let is_known = |word: &str| WORDS.split_ascii_whitespace().any(|known| known == word);
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert!(first.starts_with(" flowtop ") && !last.is_empty(), "{what}");
    for word in [first, last]
        .into_iter()
        .flat_map(|line| line.split_ascii_whitespace())
    {
        assert!(is_known(word), "{what}: {word}");
    }
    let titles = app.screen().expect("large enough").titles;
    if app.mode() == Mode::View && matches!(app.view(), View::Flows | View::Loss) {
        for title in lines[usize::from(titles)].split_ascii_whitespace() {
            let title = title.trim_end_matches(['▼', '▲']);
            let known = FLOW_COLUMNS.iter().any(|column| column.title == title);
            assert!(known, "{what}: {title}");
        }
    }
}

#[test]
fn every_view_is_drawn_at_every_size() {
    let keys = [
        "",
        "l b",
        "2",
        "3",
        "4",
        "?",
        "s",
        "c",
        "p",
        "/ x",
        "/ s r c :",
        "Down Enter",
        "3 Down Enter",
        "3 End",
        "4 Down Enter",
        "5 F",
        "5 Down f p",
        "End",
        "n",
        "? End",
        "s End",
        "c End",
    ];
    for keys in keys {
        let (mut app, report) = eventful((80, 24), keys);
        let backend = TestBackend::new(80, 24);
        let mut terminal = Terminal::new(backend).expect("a terminal");
        for (width, height) in (0..=60).flat_map(|w| (0..=20).map(move |h| (w, h))) {
            app.update(Msg::Resize(width, height), &report);
            terminal.backend_mut().resize(width, height);
            let scene = app.scene(&report);
            let drawn = terminal.draw(|frame| ui::draw(frame, &scene, &Look::default()));
            assert!(drawn.is_ok(), "{keys} at {width}x{height}");
            let lines = fixture::lines(terminal.backend().buffer());
            let what = format!("{keys} at {width}x{height}");
            match app.screen() {
                None => assert_too_small(&lines, (width, height), &what),
                Some(_) => assert_whole(&app, &lines, &what),
            }
        }
    }
}

/// The line of status or filter of a frame.
fn status(app: &mut App, report: &Report) -> String {
    let line = usize::from(app.size().1) - 2;
    let drawn = frame(app, report);
    drawn.lines().nth(line).unwrap_or_default().to_owned()
}

#[test]
fn a_filter_that_is_longer_than_the_line_is_shortened() {
    let report = mixed();
    for (length, width, end) in [
        (17, 80, "udp udp"),
        (18, 80, "…  by thruput, largest first  row 1 of 3"),
        (50, 80, "…  by thruput, largest first  row 1 of 3"),
        (50, 40, "udp…"),
    ] {
        let mut app = dashboard(&report, (width, 24), "");
        let filter = vec!["udp"; length].join(" ");
        app.update(Msg::Filter(filter), &report);
        press(&mut app, &report, "Down");
        let line = status(&mut app, &report);
        assert!(line.starts_with(" filter: udp udp "), "{line}");
        assert!(line.ends_with(end), "{length} at {width}: {line}");
    }
}

#[test]
fn a_filter_scrolls_by_cells_while_it_is_typed_and_marks_stay_on_their_characters() {
    let report = mixed();
    for character in ["日", "e\u{301}", "x"] {
        let mut app = dashboard(&report, (40, 10), "/");
        for c in format!("{}z", character.repeat(60)).chars() {
            app.update(Msg::Key(Key::Char(c).into()), &report);
        }
        let line = status(&mut app, &report);
        let line = line.replace(' ', "");
        assert!(line.starts_with(&format!("/{character}")), "{line}");
        assert!(line.ends_with(&format!("{character}z")), "{line}");
    }
}

#[test]
fn a_notice_leaves_half_of_the_line_to_the_filter_that_is_typed() {
    let report = mixed();
    for (keys, typed) in [
        ("/ u d p", " /udp  reload "),
        ("/ s p e e d > 5", " /speed>5  not a number"),
    ] {
        let mut app = dashboard(&report, (80, 24), keys);
        app.update(Msg::Notice("reload ".repeat(20)), &report);
        let line = status(&mut app, &report);
        assert!(line.starts_with(typed), "{line}");
    }
    let mut app = dashboard(&report, (80, 24), &format!("/{}", " x".repeat(60)));
    app.update(Msg::Notice("reload ".repeat(20)), &report);
    let line = status(&mut app, &report);
    assert!(line.starts_with(&format!(" /{}", "x".repeat(38))), "{line}");
    assert!(line.contains(" reload reload"), "{line}");
}

#[test]
fn a_filter_with_a_mistake_stands_in_the_colour_of_errors_also_when_it_is_kept() {
    let report = mixed();
    let look = Look {
        depth: Depth::Sixteen,
        ..Look::default()
    };
    for (keys, colour) in [
        ("/ l o s s > 1 Enter", look.theme(ThemeName::Dark).accent.fg),
        ("/ l o s s > Enter", look.theme(ThemeName::Dark).bad.fg),
        (
            "4 / l o s s > Enter Home",
            look.theme(ThemeName::Dark).bad.fg,
        ),
    ] {
        let mut app = dashboard(&report, (80, 24), keys);
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        let scene = app.scene(&report);
        let drawn = terminal.draw(|frame| ui::draw(frame, &scene, &look));
        let buffer = drawn.expect("a frame").buffer;
        let line = &fixture::lines(buffer)[22];
        assert!(line.starts_with(" filter: loss>"), "{keys}: {line}");
        assert_eq!(Some(buffer[(1, 22)].fg), colour, "{keys}");
    }
}

#[test]
fn no_style_is_the_only_sign_of_an_alert() {
    let (mut app, report) = eventful((80, 24), "");
    let marked = frame(&mut app, &report);
    assert!(
        marked.lines().any(|line| line.starts_with(" ! ")),
        "{marked}"
    );
}
