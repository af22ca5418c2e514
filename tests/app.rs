//! What keys and mouse do to the dashboard, without drawing it.

#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use fixture::{CLOCK, dashboard, frame, many, mixed, press, ruled};
use flowtop::app::{
    App, Effect, HELP_KEYS, HelpLine, Journal, MOST_NAMES, Mode, Moment, Mouse, MouseKind, Msg,
    Preferences, SshSession, View, help_lines,
};
use flowtop::keymap::{Action, BINDINGS, Key, Keymap, parse_chord};
use flowtop::model::alert::{AlertRule, Side};
use flowtop::model::appearance::Appearance;
use flowtop::model::capture::CaptureSample;
use flowtop::model::column::{Sort, by_id};
use flowtop::model::event::{EventKind, TimeOfDay};
use flowtop::model::histogram::{Histogram, bucket_of};
use flowtop::model::past::{Place, Travel, Way};
use flowtop::model::preferences::{ThemeName, Unit};
use flowtop::model::query::Query;
use flowtop::model::tracker::{Flow, Lasted, RecentLoss, Report, Trouble};

const SIZE: (u16, u16) = (120, 40);

fn sources(app: &mut App, report: &Report) -> Vec<u16> {
    let flows = app.scene(report).flows();
    flows.items().map(|flow| flow.key.source_port).collect()
}

fn key(app: &mut App, report: &Report, key: &str) -> Vec<Effect> {
    app.update(Msg::Key(parse_chord(key).expect("a key")), report)
}

/// Clicks on what is drawn.
fn click(app: &mut App, report: &Report, kind: MouseKind, x: u16, y: u16) {
    app.scene(report);
    app.update(Msg::Mouse(Mouse { kind, x, y }), report);
}

/// Clicks on this text, which is drawn somewhere.
fn click_on(app: &mut App, report: &Report, kind: MouseKind, text: &str) {
    let drawn = frame(app, report);
    let line = drawn.lines().position(|line| line.contains(text));
    let y = line.unwrap_or_else(|| panic!("no {text} in\n{drawn}"));
    let before = drawn
        .lines()
        .nth(y)
        .and_then(|line| line.split(text).next());
    let x = before.unwrap_or_default().chars().count();
    click(app, report, kind, x as u16, y as u16);
}

#[test]
fn keys_in_the_footer_can_be_clicked() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "Down");
    click_on(&mut app, &report, MouseKind::Click, "pause");
    assert!(app.paused().is_some());
    click_on(&mut app, &report, MouseKind::Click, "Space pause");
    assert!(app.paused().is_none());
    for (key, column) in [
        ("→ sort", "goodput"),
        ("←→ sort", "throughput"),
        ("sort", "goodput"),
    ] {
        click_on(&mut app, &report, MouseKind::Click, key);
        assert_eq!(app.flow_table().sort().column.id, column, "{key}");
    }
    let selected = app.flow_table().selected();
    click_on(&mut app, &report, MouseKind::Click, "Enter detail");
    assert_eq!(app.mode(), Mode::Detail(0));
    click_on(&mut app, &report, MouseKind::Click, "↓ other flows");
    assert_ne!(app.flow_table().selected(), selected);
    click_on(&mut app, &report, MouseKind::Click, "↑↓ other flows");
    assert_eq!(app.flow_table().selected(), selected);
    click_on(&mut app, &report, MouseKind::Click, "Esc back");
    press(&mut app, &report, "/ u d p");
    click_on(&mut app, &report, MouseKind::Click, "keep");
    assert_eq!(
        (app.mode(), app.filter().text()),
        (Mode::View, "udp".to_owned())
    );
    click_on(&mut app, &report, MouseKind::Click, "? help");
    assert_eq!(app.mode(), Mode::Help(0));
}

#[test]
fn items_of_menus_can_be_clicked_and_a_second_click_does_nothing_else() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "s");
    let screen = app.screen().expect("large enough");
    // The second click of two comes down on the row that the menu has covered.
    let line = frame(&mut app, &report)
        .lines()
        .position(|line| line.contains("] packet_rate"));
    let y = line.expect("an item") as u16;
    assert!(y >= screen.body.0);
    click(&mut app, &report, MouseKind::Click, 8, y);
    assert_eq!(
        (app.mode(), app.flow_table().sort().column.id),
        (Mode::View, "packet_rate")
    );
    click(&mut app, &report, MouseKind::DoubleClick, 8, y);
    click(&mut app, &report, MouseKind::DoubleClick, 8, screen.body.0);
    assert_eq!(app.mode(), Mode::View);
    click(&mut app, &report, MouseKind::DoubleClick, 8, screen.body.0);
    assert_eq!(app.mode(), Mode::Detail(0));

    let mut app = dashboard(&report, (80, 12), "c End");
    let columns = app.preferences().appearance.columns.len();
    click_on(&mut app, &report, MouseKind::Click, "] samples");
    assert_eq!(app.preferences().appearance.columns.len(), columns + 1);
    assert!(matches!(app.mode(), Mode::Columns(_)));
}

#[test]
fn the_wheel_scrolls_what_is_under_it() {
    let report = ruled(mixed(), 9);
    let mut app = dashboard(&report, SIZE, "3 Down");
    let screen = app.screen().expect("large enough");
    for (kind, y, in_rules, at) in [
        (MouseKind::WheelDown, screen.body.0, false, 1),
        (MouseKind::WheelDown, screen.body.0, false, 1),
        (MouseKind::WheelDown, screen.rules.0 + 1, true, 0),
        (MouseKind::WheelDown, screen.rules.0 + 1, true, 3),
        (MouseKind::WheelUp, screen.rules.0 + 1, true, 0),
        (MouseKind::WheelUp, screen.rules.0 + 1, true, 0),
        (MouseKind::WheelUp, screen.body.0, false, 0),
    ] {
        click(&mut app, &report, kind, 5, y);
        assert_eq!(app.in_rules(), in_rules);
        assert_eq!(app.selection().map(|(at, _)| at), Some(at));
    }
    let mut app = dashboard(&report, (80, 24), "Down Enter");
    let selected = app.flow_table().selected();
    click(&mut app, &report, MouseKind::WheelDown, 5, 10);
    assert_eq!(
        (app.mode(), app.flow_table().selected()),
        (Mode::Detail(3), selected)
    );
}

#[test]
fn the_selection_follows_its_flow() {
    let mut report = mixed();
    let mut app = dashboard(&report, SIZE, "Down Down");
    let selected = app.flow_table().selected();
    press(&mut app, &report, "r");
    assert_eq!(app.flow_table().selected(), selected);
    report.flows.remove(1);
    app.update(Msg::Refreshed(CLOCK), &report);
    assert_eq!(app.flow_table().selected(), selected);
    assert_eq!(
        app.scene(&report)
            .selected_flow()
            .map(|flow| Some(flow.key)),
        Some(selected)
    );
}

/// What a reading does to a report before an interval is over: a flow has left and the last one is in its place, one
/// has come, and totals went on.
fn read_on(report: &mut Report) {
    report.flows.swap_remove(1);
    let mut new = report.flows[0].clone();
    new.key.source_port = 40999;
    report.flows.push(new);
    for (flow, packets) in report.flows.iter_mut().zip([70, 10, 50, 20, 60]) {
        flow.counts.packets = packets;
    }
    report.taken_ns += 200_000_000;
    report.revision += 1;
}

/// The rows of a frame as source ports, and the one that is marked, as they are drawn.
fn drawn(frame: &str) -> (Vec<String>, Option<String>) {
    let port = |line: &str| {
        let source = line.split_whitespace().find(|word| word.contains(':'))?;
        Some(source.rsplit(':').next()?.to_owned())
    };
    let rows = frame
        .lines()
        .filter(|line| line.contains(" udp ") || line.contains(" tcp "));
    let marked = frame.lines().find(|line| line.starts_with('▶'));
    (rows.filter_map(port).collect(), marked.and_then(port))
}

#[test]
fn a_frame_between_two_intervals_shows_one_reading_whatever_made_it_be_drawn() {
    for msg in [
        Msg::Notice("something else".to_owned()),
        Msg::Logged(EventKind::Notice, "something else".to_owned()),
        Msg::Name("10.0.0.1".parse().expect("an address"), "srv".into()),
        Msg::ConfigError(Some("config.json:1:2: no".to_owned())),
        Msg::Resize(SIZE.0, SIZE.1 - 1),
        Msg::Key(parse_chord("b").expect("a key")),
    ] {
        let mut report = mixed();
        report.flows.retain(|flow| flow.key.protocol.has_ports());
        for (flow, packets) in report.flows.iter_mut().zip([5, 4, 3, 2, 1]) {
            flow.counts.packets = packets;
        }
        let preferences = Preferences {
            appearance: Appearance {
                sort: Sort::parse("-packets").expect("a column"),
                ..Appearance::default()
            },
            ..Preferences::default()
        };
        let mut app = App::new(preferences, SIZE);
        press(&mut app, &report, "Home Down Down");
        let selected = app.flow_table().selected().expect("a selection");
        let was_shown = frame(&mut app, &report);
        assert_eq!(drawn(&was_shown).1, Some(selected.source_port.to_string()));
        read_on(&mut report);
        app.update(msg, &report);
        let (rows, marked) = drawn(&frame(&mut app, &report));
        let mut flows: Vec<&Flow> = report.flows.iter().collect();
        flows.sort_by_key(|flow| Reverse(flow.counts.packets));
        let expected: Vec<_> = flows
            .iter()
            .map(|f| f.key.source_port.to_string())
            .collect();
        assert_eq!(rows, expected);
        assert_eq!(marked, Some(selected.source_port.to_string()));
    }
}

#[test]
fn a_click_means_the_flow_that_was_drawn_there() {
    let mut report = many(60);
    let mut app = dashboard(&report, SIZE, "");
    let screen = app.screen().expect("large enough");
    let scene = app.scene(&report);
    let drawn: Vec<_> = scene.flows().page(20).map(|(_, flow)| flow.key).collect();
    // Each flow above has left meanwhile, and the one below them is clicked.
    report.flows.retain(|flow| !drawn[..9].contains(&flow.key));
    report.revision += 1;
    let click = |y| {
        Msg::Mouse(Mouse {
            kind: MouseKind::Click,
            x: 5,
            y,
        })
    };
    app.update(click(screen.body.0 + 9), &report);
    assert_eq!(app.flow_table().selected(), Some(drawn[9]));
    assert_eq!(app.flow_table().position(), Some(0));
    // One that has left is not there to be clicked.
    app.update(click(screen.body.0 + 3), &report);
    assert_eq!(app.flow_table().selected(), Some(drawn[9]));
}

/// A dashboard in which flows with a loss above 1 % are in an alert.
fn with_alert_on_loss(report: &Report) -> App {
    let column = by_id("loss_percent").expect("a column");
    let preferences = Preferences {
        alerts: vec![AlertRule::new(column, Side::Above, 1.0)],
        ..Preferences::default()
    };
    let mut app = App::new(preferences, SIZE);
    app.update(Msg::Refreshed(CLOCK), report);
    app
}

#[test]
fn an_alert_names_its_flow_and_its_rule_though_it_is_silent_or_gone() {
    let mut report = mixed();
    let column = by_id("throughput").expect("a column");
    let preferences = Preferences {
        alerts: vec![AlertRule::new(column, Side::Below, 1e9)],
        ..Preferences::default()
    };
    let mut app = App::new(preferences, SIZE);
    report.flows.truncate(1);
    report.flows[0].rule = Some("voice".into());
    report.flows[0].last_seen_ns = report.taken_ns - 3_000_000_000;
    report.flows[0].rates.as_mut().expect("rates").throughput = 0.0;
    app.update(Msg::Refreshed(CLOCK), &report);
    let key = report.flows.remove(0).key;
    report.taken_ns += 14_000_000_000;
    app.update(Msg::Refreshed(CLOCK), &report);
    let ends = format!(
        "{}:{} > {}:{}",
        key.source, key.source_port, key.destination, key.destination_port
    );
    let expected = [
        format!(
            "thruput 0 B/s < 1 GB/s, silent for 3.0 s: {} {ends} veth1 (rule voice)",
            key.protocol
        ),
        format!(
            "thruput < 1 GB/s over after 14 s, at worst 0 B/s: {} {ends} veth1, which has left",
            key.protocol
        ),
    ];
    press(&mut app, &report, "4");
    let told: Vec<_> = app
        .shown_log()
        .events()
        .iter()
        .map(|event| event.text.as_str())
        .collect();
    assert!(
        told.ends_with(&expected.each_ref().map(String::as_str)),
        "{told:?}"
    );
}

#[test]
fn a_key_turns_the_axis_of_gaps_from_logarithmic_to_linear_and_back() {
    let mut report = mixed();
    let mut app = App::new(Preferences::default(), SIZE);
    app.update(Msg::Refreshed(CLOCK), &report);
    press(&mut app, &report, "Down Enter");
    let key = app.flow_table().selected().expect("a selection");
    let mut histogram = Histogram::default();
    for gap in [1_000_000, 100_000_000] {
        histogram.counts[bucket_of(gap)] = 1;
        histogram.longest = gap;
    }
    let is_selected = |flow: &&mut Flow| flow.key == key;
    let flow = report.flows.iter_mut().find(is_selected).expect("listed");
    flow.histogram = Some(Box::new(histogram));
    report.revision += 1;
    // The times that stand at even distances below the bars.
    let times = |app: &mut App| -> Vec<f64> {
        let frame = frame(app, &report);
        let words =
            |line: &str| -> Vec<String> { line.split_whitespace().map(String::from).collect() };
        let axis = frame.lines().map(words).rfind(|words| {
            words.len() > 4
                && words
                    .iter()
                    .skip(1)
                    .step_by(2)
                    .all(|word| word.ends_with('s'))
        });
        let axis = axis.expect("an axis");
        let time = |pair: &[String]| {
            let number: f64 = pair[0].parse().expect("a number");
            if pair[1] == "ms" {
                number
            } else {
                number / 1000.0
            }
        };
        axis.chunks(2).map(time).collect()
    };
    let is_even = |steps: Vec<f64>| {
        steps
            .iter()
            .all(|step| (step / steps[0] - 1.0).abs() < 0.06)
    };
    let differences = |times: &[f64]| times.windows(2).map(|w| w[1] - w[0]).collect();
    let ratios = |times: &[f64]| times.windows(2).map(|w| w[1] / w[0]).collect();
    let logarithmic = times(&mut app);
    assert!(is_even(ratios(&logarithmic)), "{logarithmic:?}");
    press(&mut app, &report, "L");
    let linear = times(&mut app);
    assert!(is_even(differences(&linear)), "{linear:?}");
    press(&mut app, &report, "L");
    assert_eq!(times(&mut app), logarithmic);
}

#[test]
fn a_paused_screen_keeps_its_histogram_and_its_alerts() {
    let mut report = mixed();
    let mut app = with_alert_on_loss(&report);
    press(&mut app, &report, "Down Enter");
    let key = app.flow_table().selected().expect("a selection");
    let mut histogram = Histogram::default();
    histogram.counts[bucket_of(20_000_000)] = 1;
    let is_selected = |flow: &&mut Flow| flow.key == key;
    let flow = report.flows.iter_mut().find(is_selected).expect("listed");
    flow.histogram = Some(Box::new(histogram));
    report.revision += 1;
    assert!(frame(&mut app, &report).contains("p50 "));
    press(&mut app, &report, "p");
    let paused = frame(&mut app, &report);
    for flow in &mut report.flows {
        flow.histogram = None;
        flow.counts.sequence = None;
    }
    report.revision += 1;
    app.update(Msg::Refreshed(CLOCK), &report);
    assert_eq!(frame(&mut app, &report), paused);
    assert_eq!(app.alerts().count(), 1);
    press(&mut app, &report, "p");
    assert!(frame(&mut app, &report).contains("gathering..."));
    assert_eq!(app.alerts().count(), 0);
}

#[test]
fn totals_start_at_zero_when_the_run_says_so() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "4");
    assert_eq!(key(&mut app, &report, "z"), [Effect::ResetBaseline]);
    assert_eq!(app.reset_at(), None);
    assert_eq!(app.update(Msg::Zero, &report), []);
    assert_eq!(app.reset_at(), Some(CLOCK));
    let notice = app.notices().notice();
    assert!(notice.is_some_and(|text| text.contains("zero")));
    assert!(frame(&mut app, &report).contains("reset     totals start at zero"));
}

#[test]
fn host_names_stay_within_limits_and_those_on_the_screen_stay() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "n");
    let on_screen = "10.0.0.1".parse().expect("an address");
    app.update(Msg::Name(on_screen, "srv".into()), &report);
    let elsewhere = "192.0.2.9".parse().expect("an address");
    app.update(Msg::Name(elsewhere, "far".into()), &report);
    for number in 0..20_000_u32 {
        let address = (0x0b00_0000 + number).to_be_bytes().into();
        app.update(Msg::Name(address, "other".into()), &report);
        let names = app.names().expect("names are shown");
        assert!(names.len() <= MOST_NAMES && names.contains_key(&on_screen));
        let had_room = number as usize + 2 < MOST_NAMES;
        assert_eq!(names.contains_key(&elsewhere), had_room, "{number}");
    }
    assert!(!app.scene(&report).unnamed().contains(&on_screen));
}

#[test]
fn the_title_of_a_detail_has_addresses_also_where_names_are_shown() {
    let report = mixed();
    let mut app = dashboard(&report, (200, 50), "n");
    let key = report.flows[0].key;
    app.update(Msg::Name(key.destination, "srv".into()), &report);
    assert!(frame(&mut app, &report).contains("srv"));
    let filter = format!("/ {}", key.source_port).replace("", " ");
    press(&mut app, &report, &format!("{filter} Enter Home Enter"));
    assert_eq!(
        app.scene(&report).selected_flow().map(|flow| flow.key),
        Some(key)
    );
    let from = format!("{}:{}", key.source, key.source_port);
    let to = format!("{}:{}", key.destination, key.destination_port);
    let title = format!("{} {from} → {to}", key.protocol);
    let drawn = frame(&mut app, &report);
    assert!(drawn.contains(&title), "{title}\n{drawn}");
}

#[test]
fn a_filter_that_is_far_too_long_takes_no_time_and_is_told() {
    let report = many(20_000);
    let mut app = dashboard(&report, SIZE, "/");
    let start = Instant::now();
    for c in "10.0.0.7 ".chars().cycle().take(64_000) {
        app.update(Msg::Key(Key::Char(c).into()), &report);
    }
    // It took 14 s, and 1000 letters are read within microseconds each.
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(app.filter().text().chars().count(), Query::LONGEST);
    assert!(app.filter().error().is_none());
    let frame = frame(&mut app, &report);
    assert!(
        frame.contains("a filter has 1024 characters at most"),
        "{frame}"
    );
}

#[test]
fn unknown_rates_stay_last_in_either_direction() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    assert_eq!(sources(&mut app, &report).last(), Some(&40001));
    press(&mut app, &report, "r");
    assert_eq!(
        sources(&mut app, &report),
        [49152, 1234, 0, 40002, 40000, 51234, 40001]
    );
}

#[test]
fn the_selection_goes_from_the_interfaces_to_the_rules_and_back() {
    let report = ruled(mixed(), 3);
    let mut app = dashboard(&report, SIZE, "3 Down Down");
    assert_eq!((app.in_rules(), app.selection()), (false, Some((1, 2))));
    press(&mut app, &report, "Down");
    assert_eq!((app.in_rules(), app.selection()), (true, Some((0, 3))));
    press(&mut app, &report, "Up");
    assert_eq!((app.in_rules(), app.selection()), (false, Some((1, 2))));
    press(&mut app, &report, "End");
    assert_eq!((app.in_rules(), app.selection()), (true, Some((2, 3))));
    press(&mut app, &report, "Home");
    assert_eq!((app.in_rules(), app.selection()), (false, Some((0, 2))));
    press(&mut app, &report, "End");
    let without_rules = mixed();
    app.update(Msg::Refreshed(CLOCK), &without_rules);
    app.scene(&without_rules);
    assert!(!app.in_rules(), "the rules are gone");
}

#[test]
fn the_detail_of_an_interface_leads_to_other_interfaces_and_to_no_rule() {
    let report = ruled(mixed(), 3);
    let mut app = dashboard(&report, SIZE, "3 Down Enter");
    for (keys, place) in [("Down", 1), ("Down", 1), ("Home", 0), ("End", 1), ("Up", 0)] {
        press(&mut app, &report, keys);
        let found = (app.in_rules(), app.selection());
        assert_eq!(found, (false, Some((place, 2))), "after {keys}");
        assert!(app.scene(&report).selected_interface().is_some());
    }
}

#[test]
fn an_open_detail_stays_with_its_flow_whatever_becomes_of_that() {
    let mut report = mixed();
    let mut app = dashboard(&report, SIZE, "/ i s : l o s i n g Enter Down Enter");
    let key = report.flows[2].key;
    let opened = |app: &mut App, report: &Report| {
        app.update(Msg::Refreshed(CLOCK), report);
        app.scene(report).selected_flow().map(|flow| flow.key)
    };
    assert_eq!(opened(&mut app, &report), Some(key));
    // The filter leaves it out, and lets another one in.
    report.flows[2].recent_loss = RecentLoss::default();
    report.flows[0].recent_loss = RecentLoss::new(Some(0.1), None);
    report.revision += 1;
    assert_eq!(opened(&mut app, &report), Some(key));
    press(&mut app, &report, "Esc");
    let selected = app.scene(&report).selected_flow().map(|flow| flow.key);
    assert_eq!(selected, Some(report.flows[0].key));
    // It leaves the table.
    press(&mut app, &report, "Enter");
    let gone = report.flows.remove(0);
    report.flows[0].recent_loss = RecentLoss::new(Some(0.1), None);
    report.revision += 1;
    assert_eq!(opened(&mut app, &report), None);
    assert_eq!(app.selection(), None);
    assert!(frame(&mut app, &report).contains("This flow is not in the table."));
    // And comes again.
    report.flows.push(gone);
    report.revision += 1;
    let again = report.flows.last().map(|flow| flow.key);
    assert_eq!(opened(&mut app, &report), again);
}

#[test]
fn enter_on_a_rule_shows_its_flows() {
    let mut report = ruled(mixed(), 3);
    report.flows[1].rule = Some(report.rules[1].name.clone());
    report.flows[2].rule = Some(report.rules[0].name.clone());
    let mut app = dashboard(&report, SIZE, "3 End Up Enter");
    assert_eq!(app.view(), View::Flows);
    assert_eq!(
        sources(&mut app, &report),
        [51234],
        "{}",
        app.filter().text()
    );
    press(&mut app, &report, "Esc 3");
    let screen = app.screen().expect("large enough");
    for kind in [MouseKind::Click, MouseKind::DoubleClick] {
        click(&mut app, &report, kind, 5, screen.rules.0 + 1);
    }
    assert_eq!(
        sources(&mut app, &report),
        [40002],
        "{}",
        app.filter().text()
    );
}

#[test]
fn enter_on_an_event_opens_its_flow_and_that_view_is_the_one_to_be_saved() {
    let report = mixed();
    let mut app = with_alert_on_loss(&report);
    press(&mut app, &report, "4 / a l e r t Enter Home Enter");
    assert_eq!((app.view(), app.mode()), (View::Flows, Mode::Detail(0)));
    assert_eq!(app.preferences().appearance.view, View::Flows);
    let selected = app.scene(&report).selected_flow().map(|flow| flow.key);
    assert_eq!(selected, Some(report.flows[2].key));
    // One that is there no more leads nowhere, and says so.
    let mut left = report.clone();
    left.flows.remove(2);
    left.revision += 1;
    press(&mut app, &left, "Esc 4 Enter");
    assert_eq!((app.view(), app.mode()), (View::Events, Mode::View));
    assert_eq!(app.notices().notice(), Some("this flow has left the table"));
}

/// The texts of the events that are shown.
fn events(app: &mut App, report: &Report) -> Vec<String> {
    let events = app.scene(report).events();
    events.items().map(|event| event.text.clone()).collect()
}

#[test]
fn each_view_has_a_filter_of_its_own() {
    let report = ruled(mixed(), 3);
    let mut app = dashboard(&report, SIZE, "/ u d p Enter 2 / t c p Enter");
    assert_eq!(sources(&mut app, &report).len(), 2);
    press(&mut app, &report, "1");
    assert_eq!(
        (
            app.filter().text().as_str(),
            sources(&mut app, &report).len()
        ),
        ("udp", 3)
    );
    press(&mut app, &report, "3");
    assert!(app.filter().is_empty());
    press(&mut app, &report, "4 / n o n e Enter 1 Esc 4");
    assert_eq!(app.filter().text(), "none");
    press(&mut app, &report, "1");
    assert!(app.filter().is_empty() && sources(&mut app, &report).len() == 7);
    // Earlier ones come back in any of them.
    press(&mut app, &report, "3 / Up Up");
    assert_eq!(app.filter().text(), "tcp");
}

#[test]
fn interfaces_are_sorted_by_the_column_and_in_the_direction_that_keys_choose() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "3");
    let ifindexes = |app: &mut App| {
        let scene = app.scene(&report);
        let interfaces = scene.interfaces().items();
        interfaces.map(|it| it.ifindex).collect::<Vec<_>>()
    };
    assert!(frame(&mut app, &report).contains("interface▲"));
    let by_name = ifindexes(&mut app);
    press(&mut app, &report, "r");
    assert!(frame(&mut app, &report).contains("interface▼"));
    assert!(ifindexes(&mut app).iter().eq(by_name.iter().rev()));
    press(&mut app, &report, "Right");
    assert!(frame(&mut app, &report).contains("state▲"));
}

#[test]
fn interfaces_are_filtered_by_name_and_state_and_rules_by_name() {
    let report = ruled(mixed(), 3);
    let mut app = dashboard(&report, SIZE, "3");
    let mut shown = |filter: &str| {
        app.update(Msg::Key(parse_chord("/").expect("a key")), &report);
        for c in filter.chars() {
            app.update(Msg::Key(Key::Char(c).into()), &report);
        }
        app.update(Msg::Key(parse_chord("Enter").expect("a key")), &report);
        let scene = app.scene(&report);
        let interfaces: Vec<_> = scene.interfaces().items().map(|it| it.ifindex).collect();
        let rules: Vec<_> = scene.rules().items().map(|it| it.name.clone()).collect();
        press(&mut app, &report, "Esc");
        (interfaces, rules.len())
    };
    assert_eq!(shown("veth1"), (vec![7], 0));
    assert_eq!(shown("gone"), (vec![9], 0));
    assert_eq!(shown("iface:wlan*"), (vec![9], 3));
    assert_eq!(shown("rule:ssh"), (vec![7, 9], 1));
    assert_eq!(shown("not rule:ssh"), (vec![7, 9], 2));
    // What concerns neither hides nothing.
    assert_eq!(shown("port:22"), (vec![7, 9], 3));
    press(&mut app, &report, "/ r u l e : s s h Enter End");
    assert_eq!((app.in_rules(), app.selection()), (true, Some((0, 1))));
    press(&mut app, &report, "Esc / v e t h 1 Enter End Down");
    assert_eq!((app.in_rules(), app.selection()), (false, Some((0, 1))));
    press(&mut app, &report, "Esc / n o n e Enter");
    assert!(frame(&mut app, &report).contains("No interface matches the filter."));
}

#[test]
fn events_are_filtered_by_their_flow_and_their_kind() {
    let mut report = mixed();
    report.flows[2].rule = Some("voice".into());
    let mut app = with_alert_on_loss(&report);
    app.update(
        Msg::Logged(EventKind::Config, "port 5004 of the file".to_owned()),
        &report,
    );
    press(&mut app, &report, "4");
    let all = events(&mut app, &report);
    let shown = |app: &mut App, filter: &str| {
        press(app, &report, "Esc Esc");
        app.update(Msg::Key(parse_chord("/").expect("a key")), &report);
        for c in filter.chars() {
            app.update(Msg::Key(Key::Char(c).into()), &report);
        }
        let shown = events(app, &report);
        let places = shown
            .iter()
            .map(|text| all.iter().position(|it| it == text));
        let places: Option<Vec<usize>> = places.collect();
        press(app, &report, "Enter");
        places.expect("events")
    };
    // What is about the flow to port 5004: an alert, a gap and late packets; then what is about other flows.
    let (its, others) = ([1, 4, 5], [6, 7, 8]);
    for (place, text) in (0..).zip(&all) {
        assert_eq!(text.contains("]:5004 "), its.contains(&place), "{all:?}");
        assert_eq!(
            text.contains("> 10.0.0.1:"),
            others.contains(&place),
            "{all:?}"
        );
    }
    for (filter, expected) in [
        ("5004", &[0, 1, 4, 5][..]),
        ("port:5004", &its),
        ("port 5004 and udp", &its),
        ("not port 5004", &[0, 2, 3, 6, 7, 8]),
        ("host 2001:db8::1", &its),
        ("dst:2001:db8::/32 src:10.0.0.0/8", &[]),
        ("kind:alert", &[1]),
        ("kind:gap,config", &[0, 4, 7]),
        ("kind=alert loss>1", &[1]),
        ("loss>1", &its),
        ("loss>50", &[]),
        ("is:losing", &its),
        ("rule:voice or kind:config", &[0, 1, 4, 5]),
        ("iface:veth*", &[1, 4, 5, 6, 7, 8]),
    ] {
        assert_eq!(shown(&mut app, filter), expected, "{filter}");
    }
    // Of a flow that has left, what its key says is known.
    let mut left = mixed();
    left.flows.remove(2);
    left.revision += 1;
    press(&mut app, &report, "Esc / p o r t : 5 0 0 4 Enter");
    assert_eq!(events(&mut app, &left).len(), 3);
    press(&mut app, &left, "Esc / l o s s > 1 Enter");
    assert_eq!(events(&mut app, &left).len(), 0);
}

#[test]
fn enter_leads_to_a_view_that_shows_something() {
    let report = mixed();
    // A filter that hides the flow of an event goes, one that does not stays.
    for (filter, kept) in [("t c p", ""), ("u d p", "udp")] {
        let mut app = with_alert_on_loss(&report);
        press(
            &mut app,
            &report,
            &format!("/ {filter} Enter 4 / k i n d : a l e r t Enter Home Enter"),
        );
        assert_eq!((app.view(), app.mode()), (View::Flows, Mode::Detail(0)));
        let selected = app.scene(&report).selected_flow().map(|flow| flow.key);
        assert_eq!(selected, Some(report.flows[2].key));
        assert_eq!(app.filter().text(), kept);
        press(&mut app, &report, "4");
        assert_eq!(app.filter().text(), "kind:alert");
    }
    // A rule that no flow has leads nowhere, and says so.
    let mut report = ruled(mixed(), 3);
    let app = dashboard(&report, SIZE, "3 End Enter");
    assert_eq!(app.view(), View::Interfaces);
    assert_eq!(
        app.notices().notice(),
        Some("no flow of this rule is in the table")
    );
    // One whose only flow was hidden shows it.
    report.flows[5].rule = Some(report.rules[2].name.clone());
    report.revision += 1;
    let preferences = Preferences {
        session: SshSession::parse("10.0.0.7 49152 10.0.0.1 22"),
        ..Preferences::default()
    };
    let mut app = App::new(preferences, SIZE);
    app.update(Msg::Refreshed(CLOCK), &report);
    press(&mut app, &report, "x 3 End Enter");
    assert_eq!(
        (app.view(), app.filter().text().as_str()),
        (View::Flows, "rule:ssh")
    );
    assert_eq!(sources(&mut app, &report), [49152]);
}

#[test]
fn the_header_has_the_sums_of_what_is_filtered_beside_those_of_all() {
    let report = mixed();
    let mut app = dashboard(&report, (160, 40), "/ p o r t : 5 2 0 1 , 5 0 0 4 Enter");
    // 500 kB/s and 98.8 kB/s of flows that are shown; 1.23 MB/s of all interfaces.
    let shown = frame(&mut app, &report);
    let totals = shown.lines().nth(screen_line(&app)).expect("a line");
    for part in [
        "7 flows, 5 hidden",
        "599 kB/s of 1.23 MB/s",
        "goodput 539 kB/s of 1.00 MB/s",
    ] {
        assert!(totals.contains(part), "{totals}");
    }
    press(&mut app, &report, "4");
    let shown = frame(&mut app, &report);
    let totals = shown.lines().nth(screen_line(&app)).expect("a line");
    assert!(
        !totals.contains("hidden") && !totals.contains(" of "),
        "{totals}"
    );
    press(&mut app, &report, "1 Esc");
    let shown = frame(&mut app, &report);
    assert!(
        shown.contains("7 flows ") && !shown.contains("kB/s of"),
        "{shown}"
    );
}

/// The line of the totals.
fn screen_line(app: &App) -> usize {
    app.screen().expect("large enough").totals.into()
}

#[test]
fn a_report_that_was_not_announced_is_no_harm() {
    let mut report = mixed();
    let mut app = dashboard(&report, SIZE, "End");
    report.flows.truncate(2);
    report.revision += 1;
    frame(&mut app, &report);
    press(&mut app, &report, "Down Up");
    assert_eq!(sources(&mut app, &report).len(), 2);
}

#[test]
fn every_visible_column_can_be_sorted_by() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    let mut sorts = Vec::new();
    for _ in 0..app.placed_flow_columns().len() {
        sorts.push(app.flow_table().sort().column.id);
        press(&mut app, &report, "Right");
    }
    sorts.sort_unstable();
    sorts.dedup();
    assert_eq!(sorts.len(), app.placed_flow_columns().len());
    assert_eq!(app.flow_table().sort().column.id, "throughput");
}

#[test]
fn pinned_flows_stay_on_top_and_are_focused() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "End");
    let key_of_last = app.flow_table().selected().expect("a selection");
    press(&mut app, &report, "P Home r");
    assert_eq!(
        app.scene(&report).flows().items().next().map(|f| f.key),
        Some(key_of_last)
    );
    let effects = key(&mut app, &report, "End");
    assert!(
        matches!(&effects[..], [Effect::Focus(keys)] if keys.len() == 2),
        "{effects:?}"
    );
    press(&mut app, &report, "Home P");
    assert!(!app.flows().is_pinned(&key_of_last));
}

#[test]
fn a_held_order_stays_whatever_the_numbers_become() {
    let mut report = mixed();
    let mut app = dashboard(&report, SIZE, "o");
    let order = sources(&mut app, &report);
    for flow in &mut report.flows {
        if let Some(rates) = &mut flow.rates {
            rates.throughput = 1e9 - rates.throughput;
        }
    }
    app.update(Msg::Refreshed(CLOCK), &report);
    assert_eq!(sources(&mut app, &report), order);
    press(&mut app, &report, "o");
    assert_ne!(sources(&mut app, &report), order);
}

#[test]
fn a_mistake_in_the_filter_of_groups_leaves_the_way_to_their_flows() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "5 / l o s s > > 3 Enter Down Enter");
    assert_eq!(app.view(), View::Flows);
    assert!(app.filter().error().is_none(), "{}", app.filter().text());
    let shown = sources(&mut app, &report).len();
    assert!(shown < report.flows.len() && shown > 0, "{shown}");
}

#[test]
fn what_cannot_be_done_is_said_and_a_click_takes_it_away() {
    let report = mixed();
    for (keys, notice) in [
        ("3 o", "the order of flows and of groups can be held"),
        ("- - - - - - - - -", "the interval is the shortest already"),
        ("+ + + + + + + + +", "the interval is the longest already"),
    ] {
        let mut app = dashboard(&report, SIZE, keys);
        assert_eq!(app.notices().notice(), Some(notice));
        let body = app.screen().expect("large enough").body.0;
        click(&mut app, &report, MouseKind::Click, 8, body);
        assert_eq!(app.notices().notice(), None, "{keys}");
    }
}

#[test]
fn an_order_that_is_held_stays_though_events_are_reversed() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "o 4 r 1");
    assert!(app.flows().is_held(View::Flows));
    press(&mut app, &report, "r");
    assert!(!app.flows().is_held(View::Flows));
}

#[test]
fn each_view_holds_an_order_of_its_own() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "o 2");
    assert!(!app.flows().is_held(View::Loss));
    let losses: Vec<_> = app.scene(&report).flows().items().collect();
    let worst = losses.iter().filter_map(|flow| flow.recent_loss.interval());
    assert!(worst.is_sorted_by(|one, other| one >= other));
    press(&mut app, &report, "o");
    assert!(app.flows().is_held(View::Loss) && app.flows().is_held(View::Flows));
    press(&mut app, &report, "r");
    assert!(!app.flows().is_held(View::Loss) && app.flows().is_held(View::Flows));
}

#[test]
fn an_order_that_was_asked_for_outlasts_a_configuration_that_says_nothing_of_it() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "> <");
    assert!(!app.flows().puts_trouble_first(View::Flows));
    let changed = Preferences {
        appearance: Appearance {
            theme: ThemeName::Light,
            ..Appearance::default()
        },
        ..Preferences::default()
    };
    app.update(Msg::Preferences(Box::new(changed)), &report);
    assert!(!app.flows().puts_trouble_first(View::Flows));
}

#[test]
fn what_happens_between_two_intervals_has_the_time_of_then() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    let later = TimeOfDay {
        second: CLOCK.second + 40,
        ..CLOCK
    };
    app.set_time(later);
    app.update(Msg::Zero, &report);
    press(&mut app, &report, "Space");
    assert_eq!(app.reset_at(), Some(later));
    assert_eq!(app.paused().map(Moment::at), Some(later));
    app.update(Msg::ConfigError(Some("no".to_owned())), &report);
    press(&mut app, &report, "Space 4");
    let events = app.scene(&report).events();
    let refused = events.items().find(|event| event.kind == EventKind::Config);
    assert_eq!(refused.map(|event| event.at), Some(later));
}

#[test]
fn a_click_on_a_rule_that_has_gone_meanwhile_selects_none() {
    let before = ruled(mixed(), 3);
    let mut app = dashboard(&before, SIZE, "3");
    let screen = app.screen().expect("large enough");
    let mut report = ruled(mixed(), 1);
    report.revision = before.revision + 1;
    let line = screen.rules.0 + 1;
    click(&mut app, &report, MouseKind::Click, 8, line + 2);
    assert_eq!(app.interfaces().rules().selected(), None);
}

#[test]
fn an_order_that_is_held_is_that_of_an_export_from_another_view() {
    let mut report = mixed();
    let mut app = dashboard(&report, SIZE, "o");
    let keys = |app: &mut App, report: &Report| {
        let scene = app.scene_in_order(report);
        scene
            .flows()
            .items()
            .map(|flow| flow.key)
            .collect::<Vec<_>>()
    };
    let held = keys(&mut app, &report);
    report.flows.reverse();
    for flow in &mut report.flows {
        flow.rates = None;
    }
    report.revision += 1;
    press(&mut app, &report, "4");
    assert_eq!(keys(&mut app, &report), held);
}

#[test]
fn the_selected_rule_stays_selected_where_another_is_put_before_it() {
    let mut report = ruled(mixed(), 2);
    let mut app = dashboard(&report, SIZE, "3 End");
    let name = report.rules[1].name.clone();
    assert_eq!(app.interfaces().rules().selected(), Some(name.clone()));
    let another = ruled(mixed(), 3).rules.swap_remove(2);
    report.rules.insert(0, another);
    report.revision += 1;
    app.update(Msg::Refreshed(CLOCK), &report);
    app.scene(&report);
    assert_eq!(app.interfaces().rules().selected(), Some(name));
    assert_eq!(app.interfaces().rules().position(), Some(2));
}

#[test]
fn the_selected_event_is_the_same_in_the_past_or_none() {
    let live = mixed();
    let mut app = dashboard(&live, SIZE, "");
    let notice = |text: &str| Msg::Logged(EventKind::Notice, text.to_owned());
    for text in ["one", "two", "three"] {
        app.update(notice(text), &live);
    }
    press(&mut app, &live, "4 Down Down");
    let selected = |app: &mut App| {
        app.scene(&live);
        let event = app.events().selected(app.shown_log());
        event.map(|event| event.text.clone())
    };
    assert_eq!(selected(&mut app).as_deref(), Some("two"));
    let mut journal = Journal::new(Vec::new());
    journal.set_time(CLOCK);
    let past = |journal: &Journal| {
        let moment = Moment::past(&live, journal, Place::default());
        Msg::Past(Some(Box::new(moment)))
    };
    // Another course has numbers of its own.
    journal.record(EventKind::Notice, "two");
    app.update(past(&journal), &live);
    assert_eq!(selected(&mut app).as_deref(), Some("two"));
    app.update(Msg::Past(None), &live);
    assert_eq!(selected(&mut app).as_deref(), Some("two"));
    app.update(past(&Journal::new(Vec::new())), &live);
    assert_eq!(selected(&mut app), None);
}

#[test]
fn a_paused_screen_stands_still_and_works() {
    let before = mixed();
    let mut app = dashboard(&before, SIZE, "p");
    let mut after = mixed();
    after.flows.truncate(1);
    after.taken_ns += 5_000_000_000;
    app.update(Msg::Refreshed(CLOCK), &after);
    assert_eq!(sources(&mut app, &after).len(), 7);
    press(&mut app, &after, "r / 4 0 0 0 Enter");
    assert_eq!(sources(&mut app, &after), [40002, 40000, 40001]);
    app.update(Msg::Resize(40, 10), &after);
    assert!(frame(&mut app, &after).contains("PAUSED"));
    press(&mut app, &after, "Esc p");
    assert_eq!(sources(&mut app, &after), [40000]);
}

#[test]
fn keys_become_effects() {
    let report = mixed();
    for (keys, effect) in [
        ("q", Effect::Quit),
        ("Ctrl-C", Effect::Quit),
        ("Ctrl-Z", Effect::Suspend),
        ("e", Effect::Export),
        ("w", Effect::SaveView),
        ("z", Effect::ResetBaseline),
        ("+", Effect::SetInterval(2.0)),
        ("-", Effect::SetInterval(0.5)),
        ("m", Effect::CaptureMouse(false)),
    ] {
        let mut app = dashboard(&report, SIZE, "");
        assert_eq!(key(&mut app, &report, keys), [effect]);
    }
}

#[test]
fn control_c_leaves_from_everywhere_and_q_leaves_what_covers_the_view() {
    let report = mixed();
    for keys in ["?", "s", "c", "Down Enter", "/"] {
        let mut app = dashboard(&report, SIZE, keys);
        assert_eq!(key(&mut app, &report, "Ctrl-C"), [Effect::Quit], "{keys}");
        let mut app = dashboard(&report, SIZE, keys);
        assert_eq!(key(&mut app, &report, "q"), [], "{keys}");
        let mode = if keys == "/" {
            Mode::Filter
        } else {
            Mode::View
        };
        assert_eq!(app.mode(), mode, "{keys}");
    }
}

#[test]
fn a_key_that_is_no_letter_closes_the_filter_line_where_it_stands_for_q() {
    let report = mixed();
    let f10 = parse_chord("F10").expect("a key");
    let preferences = Preferences {
        keymap: Keymap::with_overrides([(Action::Quit, vec![f10])]).expect("no conflict"),
        ..Preferences::default()
    };
    let mut app = App::new(preferences, SIZE);
    press(&mut app, &report, "/ u d p");
    assert_eq!(key(&mut app, &report, "F10"), []);
    assert_eq!(
        (app.mode(), app.filter().text()),
        (Mode::View, "udp".to_owned())
    );
    assert_eq!(key(&mut app, &report, "F10"), [Effect::Quit]);
}

#[test]
fn every_binding_does_something_that_can_be_seen() {
    let report = mixed();
    for row in &BINDINGS {
        for chord in row.keys {
            let mut app = dashboard(&report, SIZE, "/ 1 Enter Down Down Down");
            let before = frame(&mut app, &report);
            let effects = key(&mut app, &report, chord);
            let after = frame(&mut app, &report);
            let seen = !effects.is_empty() || before != after;
            let still = matches!(row.action, Action::ViewFlows | Action::Theme);
            assert!(seen || still, "{} by {chord}", row.id);
        }
    }
}

#[test]
fn rows_can_be_stepped_through_while_a_filter_is_typed() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "Home / u d p PgUp");
    let first = app.flow_table().selected();
    press(&mut app, &report, "PgDn");
    assert!(first.is_some() && app.flow_table().selected() != first);
    press(&mut app, &report, "PgUp");
    assert_eq!(app.flow_table().selected(), first);
    assert_eq!(app.mode(), Mode::Filter);
}

#[test]
fn a_filter_that_stands_is_edited_at_its_end_and_kept_without_spaces() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "/ u d p Enter /");
    assert_eq!(
        (app.filter().text().as_str(), app.filter().cursor()),
        ("udp ", 4)
    );
    press(&mut app, &report, "p o r t : 5 3 Enter");
    assert_eq!(app.filter().text(), "udp port:53");
    assert_eq!(sources(&mut app, &report), [40001]);
    press(&mut app, &report, "/ Enter");
    assert_eq!(app.filter().text(), "udp port:53");
    press(&mut app, &report, "Esc / Space Space Enter");
    assert!(app.filter().is_empty());
}

#[test]
fn a_filter_of_the_command_line_stands_at_first() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    app.update(Msg::Filter("udp port:53".to_owned()), &report);
    assert_eq!(app.filter().text(), "udp port:53");
    assert_eq!(sources(&mut app, &report), [40001]);
    press(&mut app, &report, "Esc / Up");
    assert_eq!(app.filter().text(), "udp port:53");
}

#[test]
fn earlier_filters_come_back_by_the_arrow_keys() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "/ u d p Enter Esc / t c p Enter Esc / i c");
    let after = |app: &mut App, keys: &str| {
        press(app, &report, keys);
        app.filter().text()
    };
    assert_eq!(after(&mut app, "Up"), "tcp");
    assert_eq!(sources(&mut app, &report), [51234, 49152]);
    assert_eq!(after(&mut app, "Up"), "udp");
    assert_eq!(after(&mut app, "Up"), "udp", "there is none before it");
    assert_eq!(after(&mut app, "Down Down"), "ic", "what was being typed");
    assert_eq!(after(&mut app, "Down"), "ic");
    // One that is used again is the latest one, and there once. The one that stands is passed over.
    assert_eq!(after(&mut app, "Up Up Enter / Up"), "tcp");
    assert_eq!(after(&mut app, "Up"), "tcp");
}

#[test]
fn nothing_in_the_help_is_cut_off_at_the_edge() {
    for width in [40, 60, 80, 120] {
        for line in help_lines(&Keymap::default(), width) {
            let end = match &line {
                HelpLine::Heading(text) => 1 + text.chars().count(),
                HelpLine::Entry(_, text) => 3 + HELP_KEYS + text.chars().count(),
            };
            assert!(end < width, "{width}: {line:?}");
        }
    }
}

#[test]
fn many_keys_of_an_action_are_in_the_help_on_several_lines() {
    let chord = |key| parse_chord(key).expect("a key");
    let paging = ["PgDn", "Ctrl-F", "Space"].map(chord).to_vec();
    let overrides = [
        (Action::PageDown, paging),
        (Action::Pause, vec![chord("F10")]),
    ];
    let keymap = Keymap::with_overrides(overrides).expect("no conflict");
    for width in [40, 80] {
        let mut shown = Vec::new();
        for line in help_lines(&keymap, width) {
            if let HelpLine::Entry(keys, _) = line {
                assert!(keys.chars().count() <= HELP_KEYS, "{width}: {keys}");
                shown.extend(keys.split_whitespace().map(str::to_owned));
            }
        }
        let shown = shown.join(" ");
        assert!(shown.contains("PgDn, Ctrl-F, Space"), "{width}: {shown}");
    }
}

#[test]
fn the_help_scrolls_back_from_its_end_at_once() {
    let report = mixed();
    for size in [(80, 24), (120, 40), (40, 10)] {
        let mut app = dashboard(&report, size, "?");
        let top = frame(&mut app, &report);
        press(&mut app, &report, "End");
        let end = frame(&mut app, &report);
        assert_ne!(end, top);
        press(&mut app, &report, "PgDn Down");
        assert_eq!(frame(&mut app, &report), end, "there is nothing below");
        press(&mut app, &report, "Up");
        assert_ne!(frame(&mut app, &report), end);
        press(&mut app, &report, "Down");
        assert_eq!(frame(&mut app, &report), end);
        press(&mut app, &report, "Home Up");
        assert_eq!(frame(&mut app, &report), top);
    }
}

#[test]
fn each_view_has_its_key() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    for from in View::ALL {
        for (key, view) in ["1", "2", "3", "4", "5"].into_iter().zip(View::ALL) {
            let first = View::ALL.iter().position(|other| *other == from);
            press(&mut app, &report, &(first.expect("a view") + 1).to_string());
            press(&mut app, &report, key);
            assert_eq!(app.view(), view, "{key} in {from:?}");
        }
    }
}

#[test]
fn clicks_sort_select_open_and_turn_to_views() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    let screen = app.screen().expect("large enough");
    let jitter = app.placed_flow_columns();
    let jitter = jitter
        .iter()
        .find(|p| p.column.id == "jitter")
        .expect("a column")
        .x;
    click(&mut app, &report, MouseKind::Click, jitter, screen.titles);
    assert_eq!(app.flow_table().sort().id(), "-jitter");
    click(&mut app, &report, MouseKind::Click, jitter, screen.titles);
    assert_eq!(app.flow_table().sort().id(), "jitter");
    click(&mut app, &report, MouseKind::Click, 5, screen.body.0 + 2);
    assert_eq!(app.flow_table().position(), Some(2));
    click(&mut app, &report, MouseKind::WheelUp, 5, 20);
    assert_eq!(app.flow_table().position(), Some(0));
    click(&mut app, &report, MouseKind::Click, 5, screen.body.0 + 30);
    assert_eq!(app.flow_table().position(), Some(0));
    click(&mut app, &report, MouseKind::DoubleClick, 5, screen.body.0);
    assert_eq!(app.mode(), Mode::Detail(0));
    click(&mut app, &report, MouseKind::Click, 30, 0);
    assert_eq!((app.mode(), app.view()), (Mode::View, View::Interfaces));
}

#[test]
fn this_ssh_session_can_be_hidden() {
    let report = mixed();
    let preferences = Preferences {
        session: SshSession::parse("10.0.0.7 49152 10.0.0.1 22"),
        ..Preferences::default()
    };
    let mut app = App::new(preferences, SIZE);
    app.update(Msg::Refreshed(CLOCK), &report);
    press(&mut app, &report, "x");
    assert_eq!(app.flows().hidden(), 1);
    assert!(!sources(&mut app, &report).contains(&49152));
    let mut alone = mixed();
    alone.flows.retain(|flow| flow.key.source_port == 49152);
    app.update(Msg::Refreshed(CLOCK), &alone);
    assert!(frame(&mut app, &alone).contains("x shows the flow of this SSH session again."));
}

#[test]
fn names_are_asked_for_the_rows_on_the_screen_and_shown() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    assert!(app.scene(&report).unnamed().is_empty());
    press(&mut app, &report, "n");
    assert!(app.scene(&report).unnamed().len() > 5);
    for (keys, back) in [("3", "1"), ("4", "1"), ("h", "Esc"), ("Down Enter", "Esc")] {
        press(&mut app, &report, keys);
        assert!(app.scene(&report).unnamed().is_empty(), "{keys}");
        press(&mut app, &report, back);
        assert!(app.scene(&report).unnamed().len() > 5, "{back}");
    }
    let address = "10.0.0.1".parse().expect("an address");
    app.update(Msg::Name(address, "srv\u{1b}[31m".into()), &report);
    assert!(!app.scene(&report).unnamed().contains(&address));
    let frame = frame(&mut app, &report);
    assert!(
        frame.contains("srv\u{fffd}[31m:443") && !frame.contains('\u{1b}'),
        "{frame}"
    );
}

#[test]
fn a_new_configuration_changes_what_it_changes_and_nothing_else() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "b Right");
    let f5 = parse_chord("F5").expect("a key");
    let changed = Preferences {
        appearance: Appearance {
            theme: ThemeName::Light,
            ..Appearance::default()
        },
        keymap: Keymap::with_overrides([(Action::Reverse, vec![f5])]).expect("no conflict"),
        ..Preferences::default()
    };
    app.update(
        Msg::ConfigError(Some("config.json:1:2: no".to_owned())),
        &report,
    );
    assert!(frame(&mut app, &report).contains("config.json:1:2: no"));
    let both = "config.json:1:2: no\nconfig.json:3:4: nor this".to_owned();
    app.update(Msg::ConfigError(Some(both)), &report);
    assert!(frame(&mut app, &report).contains("config.json:1:2: no (and more)"));
    app.update(Msg::Preferences(Box::new(changed)), &report);
    let now = app.preferences();
    let look = &now.appearance;
    assert_eq!((look.theme, look.unit), (ThemeName::Light, Unit::Bits));
    assert_eq!(app.flow_table().sort().column.id, "packet_rate");
    assert_eq!(app.notices().config_error(), None);
    press(&mut app, &report, "F5");
    assert_eq!(app.flow_table().sort().id(), "packet_rate");
    press(&mut app, &report, "4");
    let events = app.scene(&report).events();
    let told: Vec<_> = events.items().map(|event| event.text.as_str()).collect();
    assert_eq!(
        events.items().next().map(|e| e.kind),
        Some(EventKind::Config)
    );
    let expected = [
        "refused, the last good one stays: config.json:1:2: no",
        "refused, too: config.json:3:4: nor this",
        "refused, the last good one stays: config.json:1:2: no",
    ];
    assert_eq!(told[..3], expected);
}

#[test]
fn columns_are_chosen_moved_and_never_all_gone() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "c");
    for _ in 0..20 {
        press(&mut app, &report, "Home Space");
    }
    assert_eq!(app.preferences().appearance.columns.len(), 1);
    press(&mut app, &report, "Home Down Space Left");
    assert_eq!(app.preferences().appearance.columns.len(), 2);
    assert!(by_id(app.preferences().appearance.columns[0].id).is_some());
}

/// Other rates for all flows, no two of them alike.
fn other_rates(report: &mut Report, beat: u32) {
    for (flow, i) in report.flows.iter_mut().zip(1_u32..) {
        let rate = i.wrapping_mul(2_654_435_761).wrapping_mul(2 * beat + 1);
        flow.rates.as_mut().expect("rates").throughput = f64::from(rate);
    }
    report.taken_ns += 1_000_000_000;
}

/// Checks rows and selection against all rates, the largest first, behind the flows that are pinned.
fn check_order(app: &mut App, report: &Report, all: bool) {
    let scene = match all {
        true => app.scene_in_order(report),
        false => app.scene(report),
    };
    let rate = |flow: &Flow| flow.rates.expect("rates").throughput as u32;
    let rank = |flow: &Flow| {
        (
            !scene.app().flows().is_pinned(&flow.key),
            Reverse(rate(flow)),
        )
    };
    let mut expected: Vec<_> = report.flows.iter().map(rank).collect();
    expected.sort_unstable();
    let flows = scene.flows();
    let lines = match all {
        true => report.flows.len(),
        false => SIZE.1.into(),
    };
    let (at, from) = (flows.table.position(), flows.table.offset());
    if all {
        assert!(flows.items().map(rank).eq(expected.iter().copied()));
    }
    for (at, flow) in flows.page(lines) {
        assert_eq!(rank(flow), expected[at], "row {at} of a page from {from}");
    }
    let selected = scene.selected_flow().map(rank);
    assert_eq!(selected, at.map(|at| expected[at]));
}

#[test]
fn of_thousands_of_flows_those_on_the_screen_are_in_order_and_all_that_are_exported() {
    let mut report = many(3000);
    for keys in [
        "",
        "Down",
        "Down P",
        "PgDn PgDn PgDn",
        "End",
        "End P PgUp PgUp",
    ] {
        let mut app = dashboard(&report, SIZE, keys);
        for beat in 1..4 {
            other_rates(&mut report, beat);
            app.update(Msg::Refreshed(CLOCK), &report);
            check_order(&mut app, &report, false);
            assert!(!app.flow_table().has_order(), "nobody asked for all");
            for step in [
                "PgDn", "Up", "PgDn", "PgUp", "PgUp", "PgUp", "End", "PgUp", "Home",
            ] {
                press(&mut app, &report, step);
                check_order(&mut app, &report, false);
            }
        }
        other_rates(&mut report, 4);
        app.update(Msg::Refreshed(CLOCK), &report);
        assert_eq!(key(&mut app, &report, "e"), [Effect::Export]);
        check_order(&mut app, &report, true);
    }
}

#[test]
fn what_is_in_trouble_comes_first_until_an_order_is_asked_for() {
    let mut report = mixed();
    let trouble = |severity, words: &str| {
        Some(Trouble {
            severity,
            words: words.to_owned(),
            lasted: Lasted::default(),
        })
    };
    let mut begin = |at: usize, found| report.flows[at].set_trouble(found);
    begin(3, trouble(2008.0, "jitter 8.00 x its usual"));
    begin(4, trouble(4009.0, "loss 9.00%, 40 in 3.0 s"));
    let (jittery, lossy) = (report.flows[3].key, report.flows[4].key);
    let mut app = dashboard(&report, (200, 50), "");
    let first = |app: &mut App| {
        let scene = app.scene(&report);
        scene.flows().items().next().map(|flow| flow.key)
    };
    assert_eq!(first(&mut app), Some(lossy));
    let screen = frame(&mut app, &report);
    assert!(screen.contains("2 in trouble") && screen.contains("loss 9.00%, 40 in 3.0 s"));
    assert!(screen.contains("in trouble first, then by thruput"));
    // What is the matter stands beside the rate where both ends have their room.
    for (width, begins) in [
        (120, "loss 9.00%, 40 in 3.0 s"),
        (100, "loss 9.00%, 40 in 3.0 s"),
        (80, "loss 9.00%, 40…"),
    ] {
        app.update(Msg::Resize(width, 24), &report);
        let screen = frame(&mut app, &report);
        assert!(screen.contains(begins), "{screen}");
    }
    app.update(Msg::Resize(60, 24), &report);
    let screen = frame(&mut app, &report);
    assert!(
        screen.contains(" jitter ") && !screen.contains("loss 9"),
        "{screen}"
    );
    app.update(Msg::Resize(200, 50), &report);
    // From one to the next and round, wherever they are.
    for expected in [lossy, jittery, lossy] {
        press(&mut app, &report, "T");
        let selected = app.scene(&report).selected_flow().map(|flow| flow.key);
        assert_eq!(selected, Some(expected));
    }
    press(&mut app, &report, "Enter");
    let detail = frame(&mut app, &report);
    let place = detail
        .lines()
        .position(|line| line.contains("TROUBLE loss 9.00%"));
    assert_eq!(
        place,
        detail.lines().position(|line| line.contains(" on veth1"))
    );
    press(&mut app, &report, "Esc r r");
    assert!(![Some(lossy), Some(jittery)].contains(&first(&mut app)));
    assert!(!frame(&mut app, &report).contains("in trouble first"));
}

#[test]
fn a_column_that_does_not_fit_says_so_and_what_it_takes_the_place_of() {
    let report = mixed();
    let mut app = dashboard(&report, (80, 24), "c");
    let shown = |app: &App| -> Vec<_> {
        let placed = app.placed_flow_columns();
        placed.iter().map(|placed| placed.column.id).collect()
    };
    let toggle = |app: &mut App, id: &str| {
        press(app, &report, "Home");
        let place = app.column_menu().iter().position(|item| item.id == id);
        let down = "Down ".repeat(place.expect("a column"));
        press(app, &report, &(down + "Space"));
        app.notices().notice().map(str::to_owned)
    };
    let said = toggle(&mut app, "rule").expect("a notice");
    let missing = said
        .strip_prefix("rule needs ")
        .and_then(|rest| rest.strip_suffix(" more columns of the terminal"));
    let missing: u16 = missing
        .and_then(|n| n.parse().ok())
        .unwrap_or_else(|| panic!("{said}"));
    let before = shown(&app);
    app.update(Msg::Resize(80 + missing - 1, 24), &report);
    assert!(!shown(&app).contains(&"rule"));
    app.update(Msg::Resize(80 + missing, 24), &report);
    assert!(shown(&app).contains(&"rule"));
    app.update(Msg::Resize(80, 24), &report);
    assert_eq!(shown(&app), before);
    // What rows are sorted by is shown, whatever there is room for, chosen or not.
    press(&mut app, &report, "Esc s");
    let place = app
        .sort_menu()
        .iter()
        .position(|item| item.id == "idle")
        .expect("a column");
    press(
        &mut app,
        &report,
        &("Home ".to_owned() + &"Down ".repeat(place) + "Enter"),
    );
    assert!(shown(&app).contains(&"idle"));
}

#[test]
fn the_key_of_loss_columns_says_only_what_is_so() {
    let report = mixed();
    for (size, keys, said) in [
        // Some take the places of others.
        ((120, 40), "l", None),
        ((200, 50), "l", None),
        (
            (80, 24),
            "l",
            Some("no room for more loss columns; the Loss view has them"),
        ),
        ((80, 24), "l Esc l", None),
        (
            (120, 40),
            "2 l",
            Some("the Flows view shows all loss columns that it has room for"),
        ),
        (
            (120, 40),
            "5 l l",
            Some("the Flows view has its own columns again"),
        ),
        // The columns of the Loss view are its own.
        ((120, 40), "2 c Home Space Down Space", None),
    ] {
        let app = dashboard(&report, size, keys);
        assert_eq!(app.notices().notice(), said, "{keys} at {size:?}");
    }
}

#[test]
fn flows_that_have_ended_are_hidden_by_a_key_but_not_what_is_pinned_or_in_trouble() {
    let mut report = mixed();
    let ended = |report: &Report| -> Vec<_> {
        let flows = report.flows.iter().enumerate();
        let is_old = |flow: &Flow| report.taken_ns - flow.last_seen_ns > 2_000_000_000;
        flows
            .filter(|(_, flow)| is_old(flow))
            .map(|(at, flow)| (at, flow.key))
            .collect()
    };
    let (at, key) = ended(&report)[0];
    let mut app = dashboard(&report, SIZE, "");
    let is_shown = |app: &mut App, report: &Report| {
        let scene = app.scene(report);
        let shown = scene.flows().items().any(|flow| flow.key == key);
        (shown, scene.flows().items().count())
    };
    let all = report.flows.len();
    assert_eq!(is_shown(&mut app, &report), (true, all));
    press(&mut app, &report, "i");
    assert_eq!(
        is_shown(&mut app, &report),
        (false, all - ended(&report).len())
    );
    assert!(frame(&mut app, &report).contains(&format!("{} hidden", ended(&report).len())));
    press(&mut app, &report, "i");
    assert_eq!(is_shown(&mut app, &report), (true, all));
    press(&mut app, &report, "i");
    report.flows[at].set_trouble(Some(Trouble {
        severity: 5012.0,
        words: "silent for 12 s".to_owned(),
        lasted: Lasted::default(),
    }));
    report.revision += 1;
    assert!(is_shown(&mut app, &report).0);
    press(&mut app, &report, "i");
    assert_eq!(is_shown(&mut app, &report), (true, all));
}

#[test]
fn keys_of_a_capture_ask_for_a_way_through_it_whatever_pace_is_shown() {
    let mut live = mixed();
    live.capture = Some(CaptureSample::default());
    let mut app = dashboard(&live, SIZE, "");
    for (pressed, travel) in [
        (".", Travel::Hold),
        ("[", Travel::Speed(Way::Back)),
        ("]", Travel::Speed(Way::On)),
        ("]", Travel::Speed(Way::On)),
        ("E", Travel::End),
    ] {
        assert_eq!(key(&mut app, &live, pressed), [Effect::Travel(travel)]);
    }
    live.capture = Some(CaptureSample {
        is_over: true,
        ..CaptureSample::default()
    });
    for (pressed, said) in [("]", "at its end"), ("(", "only goes on")] {
        assert_eq!(key(&mut app, &live, pressed), []);
        let notice = app.notices().notice().unwrap_or_default();
        assert!(notice.contains(said), "{pressed}: {notice}");
    }
}

#[test]
fn keys_of_the_past_ask_for_it_and_what_comes_is_shown_until_now_comes_back() {
    let mut live = mixed();
    let mut app = dashboard(&live, SIZE, "");
    for (pressed, travel) in [
        ("(", Travel::Interval(Way::Back)),
        ("{", Travel::Minute(Way::Back)),
        ("A", Travel::Event(Way::Back)),
        ("S", Travel::Start),
    ] {
        assert_eq!(key(&mut app, &live, pressed), [Effect::Travel(travel)]);
    }
    // There is nothing behind now.
    for pressed in [")", "}", "a", "E", ".", "[", "]"] {
        assert_eq!(key(&mut app, &live, pressed), []);
        let said = app.notices().notice().unwrap_or_default();
        assert!(said.contains("this is now"), "{pressed}: {said}");
    }
    let mut then = mixed();
    then.flows.truncate(2);
    let place = Place::default();
    let moment = Moment::past(&then, &Journal::new(Vec::new()), place);
    app.update(Msg::Past(Some(Box::new(moment))), &live);
    for (pressed, travel) in [
        (")", Travel::Interval(Way::On)),
        ("}", Travel::Minute(Way::On)),
        ("a", Travel::Event(Way::On)),
        ("E", Travel::End),
        (".", Travel::Hold),
        ("Space", Travel::Hold),
        ("[", Travel::Speed(Way::Back)),
        ("]", Travel::Speed(Way::On)),
    ] {
        assert_eq!(key(&mut app, &live, pressed), [Effect::Travel(travel)]);
    }
    // What is counted meanwhile shows nowhere, and nothing of it is changed by mistake.
    live.flows.truncate(1);
    app.update(Msg::Refreshed(CLOCK), &live);
    assert_eq!(app.scene(&live).flows().items().count(), 2);
    for pressed in ["z", "+", "-"] {
        assert_eq!(key(&mut app, &live, pressed), []);
    }
    assert!(app.past().is_some() && app.paused().is_none());
    app.update(Msg::Past(None), &live);
    assert_eq!(app.scene(&live).flows().items().count(), 1);
}
