//! What keys and mouse do to the dashboard, without drawing it.

#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use std::cmp::Reverse;

use fixture::{CLOCK, dashboard, frame, many, mixed, press, ruled};
use flowtop::app::{App, Effect, Mode, Mouse, MouseKind, Msg, Preferences, SshSession, View};
use flowtop::keymap::{Action, BINDINGS, Keymap, parse_chord};
use flowtop::model::column::by_id;
use flowtop::model::event::EventKind;
use flowtop::model::preferences::{ThemeName, Unit};
use flowtop::model::tracker::{Flow, Report};

const SIZE: (u16, u16) = (120, 40);

fn sources(app: &App, report: &Report) -> Vec<u16> {
    app.shown_flows(report)
        .map(|flow| flow.key.source_port)
        .collect()
}

fn key(app: &mut App, report: &Report, key: &str) -> Vec<Effect> {
    app.update(Msg::Key(parse_chord(key).expect("a key")), report)
}

fn click(app: &mut App, report: &Report, kind: MouseKind, x: u16, y: u16) {
    app.update(Msg::Mouse(Mouse { kind, x, y }), report);
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
        app.selected_flow(&report).map(|flow| Some(flow.key)),
        Some(selected)
    );
}

#[test]
fn unknown_rates_stay_last_in_either_direction() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    assert_eq!(sources(&app, &report).last(), Some(&40001));
    press(&mut app, &report, "r");
    assert_eq!(
        sources(&app, &report),
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
    app.update(Msg::Refreshed(CLOCK), &mixed());
    assert!(!app.in_rules(), "the rules are gone");
}

#[test]
fn enter_on_a_rule_shows_its_flows() {
    let mut report = ruled(mixed(), 3);
    report.flows[1].rule = Some(report.rules[1].name.clone());
    report.flows[2].rule = Some(report.rules[0].name.clone());
    let mut app = dashboard(&report, SIZE, "3 End Up Enter");
    assert_eq!(app.view(), View::Flows);
    assert_eq!(sources(&app, &report), [51234], "{}", app.filter().text());
    press(&mut app, &report, "Esc 3");
    let screen = app.screen().expect("large enough");
    click(
        &mut app,
        &report,
        MouseKind::DoubleClick,
        5,
        screen.rules.0 + 1,
    );
    assert_eq!(sources(&app, &report), [40002], "{}", app.filter().text());
}

#[test]
fn a_report_that_was_not_announced_is_no_harm() {
    let mut report = mixed();
    let mut app = dashboard(&report, SIZE, "End");
    report.flows.truncate(2);
    frame(&app, &report);
    press(&mut app, &report, "Down Up");
    assert_eq!(sources(&app, &report).len(), 2);
}

#[test]
fn every_visible_column_can_be_sorted_by() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    let mut sorts = Vec::new();
    for _ in 0..app.placed_flow_columns().len() {
        sorts.push(app.flow_table().sort.column.id);
        press(&mut app, &report, "Right");
    }
    sorts.sort_unstable();
    sorts.dedup();
    assert_eq!(sorts.len(), app.placed_flow_columns().len());
    assert_eq!(app.flow_table().sort.column.id, "throughput");
}

#[test]
fn pinned_flows_stay_on_top_and_are_focused() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "End");
    let key_of_last = app.flow_table().selected().expect("a selection");
    press(&mut app, &report, "P Home r");
    assert_eq!(
        app.shown_flows(&report).next().map(|f| f.key),
        Some(key_of_last)
    );
    let effects = key(&mut app, &report, "End");
    assert!(
        matches!(&effects[..], [Effect::Focus(keys)] if keys.len() == 2),
        "{effects:?}"
    );
    press(&mut app, &report, "Home P");
    assert!(!app.is_pinned(&key_of_last));
}

#[test]
fn a_held_order_stays_whatever_the_numbers_become() {
    let mut report = mixed();
    let mut app = dashboard(&report, SIZE, "o");
    let order = sources(&app, &report);
    for flow in &mut report.flows {
        if let Some(rates) = &mut flow.rates {
            rates.throughput = 1e9 - rates.throughput;
        }
    }
    app.update(Msg::Refreshed(CLOCK), &report);
    assert_eq!(sources(&app, &report), order);
    press(&mut app, &report, "o");
    assert_ne!(sources(&app, &report), order);
}

#[test]
fn a_paused_screen_stands_still_and_works() {
    let before = mixed();
    let mut app = dashboard(&before, SIZE, "p");
    let mut after = mixed();
    after.flows.truncate(1);
    after.taken_ns += 5_000_000_000;
    app.update(Msg::Refreshed(CLOCK), &after);
    assert_eq!(sources(&app, &after).len(), 7);
    press(&mut app, &after, "r / 4 0 0 0 Enter");
    assert_eq!(sources(&app, &after), [40002, 40000, 40001]);
    app.update(Msg::Resize(40, 10), &after);
    assert!(frame(&app, &after).contains("PAUSED"));
    press(&mut app, &after, "Esc p");
    assert_eq!(sources(&app, &after), [40000]);
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
        ("n", Effect::ResolveNames(true)),
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
fn every_binding_does_something_that_can_be_seen() {
    let report = mixed();
    for row in &BINDINGS {
        for chord in row.keys {
            let mut app = dashboard(&report, SIZE, "/ 1 Enter Down Down Down");
            let before = frame(&app, &report);
            let effects = key(&mut app, &report, chord);
            let after = frame(&app, &report);
            let seen = !effects.is_empty() || before != after;
            let still = matches!(row.action, Action::ViewFlows | Action::Theme);
            assert!(seen || still, "{} by {chord}", row.id);
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
    assert_eq!(app.flow_table().sort.id(), "-jitter");
    click(&mut app, &report, MouseKind::Click, jitter, screen.titles);
    assert_eq!(app.flow_table().sort.id(), "jitter");
    click(&mut app, &report, MouseKind::Click, 5, screen.body.0 + 2);
    assert_eq!(app.flow_table().position(), Some(2));
    click(&mut app, &report, MouseKind::WheelUp, 5, 20);
    assert_eq!(app.flow_table().position(), Some(0));
    click(&mut app, &report, MouseKind::Click, 5, screen.body.0 + 30);
    assert_eq!(app.flow_table().position(), Some(0));
    click(&mut app, &report, MouseKind::DoubleClick, 5, screen.body.0);
    assert_eq!(app.mode(), Mode::Detail);
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
    assert_eq!(app.hidden(), 1);
    assert!(!sources(&app, &report).contains(&49152));
    let mut alone = mixed();
    alone.flows.retain(|flow| flow.key.source_port == 49152);
    app.update(Msg::Refreshed(CLOCK), &alone);
    assert!(frame(&app, &alone).contains("x shows the flow of this SSH session again."));
}

#[test]
fn names_are_asked_for_the_rows_on_the_screen_and_shown() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "");
    assert!(app.unnamed(&report).is_empty());
    press(&mut app, &report, "n");
    assert!(app.unnamed(&report).len() > 5);
    let address = "10.0.0.1".parse().expect("an address");
    app.update(Msg::Name(address, "srv\u{1b}[31m".into()), &report);
    assert!(!app.unnamed(&report).contains(&address));
    let frame = frame(&app, &report);
    assert!(
        frame.contains("srv?[31m:443") && !frame.contains('\u{1b}'),
        "{frame}"
    );
}

#[test]
fn a_new_configuration_changes_what_it_changes_and_nothing_else() {
    let report = mixed();
    let mut app = dashboard(&report, SIZE, "b Right");
    let f5 = parse_chord("F5").expect("a key");
    let changed = Preferences {
        theme: ThemeName::Light,
        keymap: Keymap::with_overrides([(Action::Reverse, vec![f5])]).expect("no conflict"),
        ..Preferences::default()
    };
    app.update(
        Msg::ConfigError(Some("config.json:1:2: no".to_owned())),
        &report,
    );
    assert!(frame(&app, &report).contains("config.json:1:2: no"));
    let both = "config.json:1:2: no\nconfig.json:3:4: nor this".to_owned();
    app.update(Msg::ConfigError(Some(both)), &report);
    assert!(frame(&app, &report).contains("config.json:1:2: no (and 1 more)"));
    app.update(Msg::Preferences(Box::new(changed)), &report);
    let now = app.preferences();
    assert_eq!((now.theme, now.unit), (ThemeName::Light, Unit::Bits));
    assert_eq!(app.flow_table().sort.column.id, "goodput");
    assert_eq!(app.config_error(), None);
    press(&mut app, &report, "F5");
    assert_eq!(app.flow_table().sort.id(), "goodput");
    press(&mut app, &report, "4");
    let kinds: Vec<_> = app.shown_events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds[0], EventKind::Config);
    let told: Vec<_> = app.shown_events().iter().map(|e| e.text.clone()).collect();
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
    assert_eq!(app.preferences().columns.len(), 1);
    press(&mut app, &report, "Home Down Space Left");
    assert_eq!(app.preferences().columns.len(), 2);
    assert!(by_id(app.preferences().columns[0].id).is_some());
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
fn check_order(app: &App, report: &Report, all: bool) {
    let rate = |flow: &Flow| flow.rates.expect("rates").throughput as u32;
    let rank = |flow: &Flow| (!app.is_pinned(&flow.key), Reverse(rate(flow)));
    let mut expected: Vec<_> = report.flows.iter().map(rank).collect();
    expected.sort_unstable();
    let table = app.flow_table();
    let (from, lines) = match all {
        true => (0, report.flows.len()),
        false => (table.offset(), SIZE.1.into()),
    };
    for (at, row) in table.rows().iter().enumerate().skip(from).take(lines) {
        assert_eq!(rank(&report.flows[*row as usize]), expected[at], "row {at}");
    }
    let selected = app.selected_flow(report).map(rank);
    assert_eq!(selected, table.position().map(|at| expected[at]));
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
            assert!(!app.flow_table().has_order(), "nobody asked for all");
            check_order(&app, &report, false);
            for step in [
                "PgDn", "Up", "PgDn", "PgUp", "PgUp", "PgUp", "End", "PgUp", "Home",
            ] {
                press(&mut app, &report, step);
                check_order(&app, &report, false);
            }
        }
        other_rates(&mut report, 4);
        app.update(Msg::Refreshed(CLOCK), &report);
        assert_eq!(key(&mut app, &report, "e"), [Effect::Export]);
        check_order(&app, &report, true);
    }
}
