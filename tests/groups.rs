//! Groups of flows: each flow is in one, what a group says of its flows is what they say, and its filter finds them.

#[path = "support/dice.rs"]
#[allow(dead_code)]
mod dice;
#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use std::collections::HashSet;
use std::sync::Arc;

use dice::Dice;
use fixture::{CLOCK, dashboard, frame, many, mixed, press, report, ruled};
use flowtop::app::{App, Mode, Mouse, MouseKind, Msg, Preferences, View};
use flowtop::model::alert::{AlertRule, Side};
use flowtop::model::appearance::Appearance;
use flowtop::model::column::{Context, by_id};
use flowtop::model::flow::Protocol;
use flowtop::model::flow_groups::{FlowGroups, GroupBy, GroupFigures};
use flowtop::model::query::Query;
use flowtop::model::service::Services;
use flowtop::model::tracker::{Flow, Interarrival, Lasted, Report, Trouble};

const SIZE: (u16, u16) = (160, 40);

/// Flows of all kinds that have many things in common.
fn flows(count: u64) -> Vec<Flow> {
    let mut dice = Dice(7);
    let rules = ["voice", "web (all)", "10.0.0.0/8 - - - -"].map(Arc::<str>::from);
    let interfaces = ["veth1", "eth0,1", "wlan0"].map(Arc::<str>::from);
    let mut all = Vec::new();
    for _ in 0..count {
        let protocol = Protocol::ALL[dice.below(4)];
        let v6 = protocol == Protocol::Icmpv6 || protocol != Protocol::Icmp && dice.below(2) == 0;
        let mut address = || match v6 {
            true => format!(
                "2001:db8:{}:{}::{}",
                dice.below(2),
                dice.below(2),
                dice.below(3)
            ),
            false => format!("10.0.{}.{}", dice.below(3), dice.below(4)),
        };
        let (source, destination) = (address(), address());
        let port = |dice: &mut Dice| 5000 + dice.below(4) as u16;
        let (sport, dport) = (port(&mut dice), port(&mut dice));
        let mut flow = fixture::flow(protocol, &source, sport, &destination, dport);
        flow = fixture::at_rate(flow, dice.below(1_000_000) as f64);
        flow.counts.packets = dice.roll() >> 24;
        flow.counts.bytes = dice.roll() >> 14;
        if dice.below(3) > 0 {
            flow = fixture::losing(flow, dice.roll() % 100);
        }
        if dice.below(9) == 0 {
            flow.rates = None;
        }
        let jitter = (dice.below(5) > 0).then(|| dice.below(9000) as f64 / 1000.0);
        flow.interarrival = Interarrival::new(Some(1.0), jitter, 7);
        flow.rule = rules.get(dice.below(4)).cloned();
        flow.interface = interfaces[dice.below(3)].clone();
        all.push(flow);
    }
    all
}

fn severity(flow: &Flow) -> Option<f64> {
    let packets = flow.counts.packets;
    packets.is_multiple_of(5).then_some((packets % 35) as f64)
}

/// The share of what was lost in all that was sent, by its definition, of flows of TCP or of all others.
fn loss(flows: &[&Flow], of_tcp: bool) -> Option<f64> {
    let (mut lost, mut arrived) = (0, 0);
    for flow in flows
        .iter()
        .filter(|f| (f.key.protocol == Protocol::Tcp) == of_tcp)
    {
        let Some(sequence) = flow.counts.sequence else {
            continue;
        };
        lost += sequence.lost;
        arrived += match sequence.duplicates {
            Some(duplicates) => sequence.received - duplicates,
            None => flow.counts.payload_bytes,
        };
    }
    (lost + arrived > 0).then(|| 100.0 * lost as f64 / (lost + arrived) as f64)
}

/// Holds the figures of a group against its flows.
fn assert_sums(figures: &GroupFigures, flows: &[&Flow]) {
    assert_eq!(figures.flows, flows.len());
    let troubles: Vec<f64> = flows.iter().filter_map(|flow| severity(flow)).collect();
    assert_eq!(figures.in_trouble, troubles.len());
    assert_eq!(figures.severity, troubles.into_iter().reduce(f64::max));
    assert_eq!(
        figures.losing,
        flows.iter().filter(|flow| flow.is_losing()).count()
    );
    assert_eq!(
        figures.volume.packets,
        flows.iter().map(|f| f.counts.packets).sum::<u64>()
    );
    assert_eq!(
        figures.volume.bytes,
        flows.iter().map(|f| f.counts.bytes).sum::<u64>()
    );
    let rates: Vec<f64> = flows
        .iter()
        .filter_map(|f| Some(f.rates?.throughput))
        .collect();
    let sum: f64 = rates.iter().sum();
    assert_eq!(figures.rates.is_some(), !rates.is_empty());
    assert!((figures.rates.map_or(0.0, |rates| rates.throughput) - sum).abs() <= 1e-9 * sum);
    assert_eq!(figures.loss_percent(), loss(flows, false));
    assert_eq!(figures.tcp_loss_percent(), loss(flows, true));
    let of_each = |flow: &&Flow| loss(&[flow], flow.key.protocol == Protocol::Tcp);
    assert_eq!(
        figures.worst_loss,
        flows.iter().filter_map(of_each).reduce(f64::max)
    );
    let mut jitters: Vec<f64> = flows
        .iter()
        .filter_map(|f| f.interarrival.jitter_ms())
        .collect();
    jitters.sort_by(f64::total_cmp);
    let median = match jitters.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(jitters[odd / 2]),
        even => Some((jitters[even / 2 - 1] + jitters[even / 2]) / 2.0),
    };
    assert_eq!(figures.jitter_ms, median);
    assert_eq!(figures.worst_jitter_ms, jitters.last().copied());
}

#[test]
fn groups_part_the_flows_and_say_what_their_flows_say_and_their_filter_finds_them() {
    let flows = flows(3000);
    let context = Context::default();
    for by in GroupBy::ALL {
        let groups = FlowGroups::of(flows.iter(), by, severity);
        assert!(groups.all().len() > 2, "{by:?}");
        let mut scratch = String::new();
        let mut seen = 0;
        for (place, group) in groups.all().iter().enumerate() {
            let is_its = |at: usize| groups.place_of_each()[at] as usize == place;
            let its: Vec<&Flow> = (0..flows.len())
                .filter(|at| is_its(*at))
                .map(|at| &flows[at])
                .collect();
            assert_sums(&group.figures, &its);
            assert_eq!(groups.figures(&group.key), Some(&group.figures));
            seen += its.len();
            let filter = by.filter(&group.key);
            let query = Query::parse(&filter).unwrap_or_else(|error| panic!("{filter}: {error:?}"));
            let found = flows
                .iter()
                .filter(|flow| query.matches(flow, &context, &[], &mut scratch));
            let found: Vec<_> = found.map(|flow| flow as *const Flow).collect();
            let its: Vec<_> = its.into_iter().map(|flow| flow as *const Flow).collect();
            assert_eq!(found, its, "{filter}");
        }
        assert_eq!(seen, flows.len(), "{by:?}");
    }
    assert!(
        FlowGroups::of([].iter(), GroupBy::Rule, severity)
            .all()
            .is_empty()
    );
}

/// The groups view at first, with flows grouped by this.
fn preferring(by: GroupBy) -> Preferences {
    Preferences {
        appearance: Appearance {
            view: View::Groups,
            group_by: Some(by),
            ..Appearance::default()
        },
        ..Preferences::default()
    }
}

/// The dashboard with flows grouped by this.
fn grouped(report: &Report, by: GroupBy, keys: &str) -> App {
    let mut app = App::new(preferring(by), SIZE);
    app.update(Msg::Refreshed(CLOCK), report);
    app.scene(report);
    press(&mut app, report, keys);
    app
}

/// What stands in the rows of the body, in front of the numbers.
fn names(app: &mut App, report: &Report) -> Vec<String> {
    let (top, lines) = app.screen().expect("large enough").body;
    let drawn = frame(app, report);
    let rows = drawn.lines().skip(top.into()).take(lines.into());
    let name = |row: &str| {
        row.chars()
            .skip(3)
            .take(40)
            .collect::<String>()
            .trim_end()
            .to_owned()
    };
    rows.map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn groups_are_in_order_unfold_and_fold_again() {
    let report = mixed();
    let mut app = grouped(&report, GroupBy::Source, "");
    let folded = [
        "▸ 192.168.100.200",
        "▸ 10.0.0.2",
        "▸ 2001:db8:85a3:1234:5678:8a2e:370:7334",
        "▸ fe80::1",
        "▸ 10.0.0.7",
        "▸ 10.0.0.3",
    ];
    assert_eq!(names(&mut app, &report), folded);
    press(&mut app, &report, "Down Down f");
    let mut unfolded = folded.map(str::to_owned).to_vec();
    unfolded[1] = "▾ 10.0.0.2".to_owned();
    unfolded.insert(2, "    udp 10.0.0.2:40000 → 10.0.0.1:5201".to_owned());
    unfolded.insert(3, "    icmp 10.0.0.2 #1234 → 10.0.0.1 echo".to_owned());
    assert_eq!(names(&mut app, &report), unfolded);
    // The flows are in the order of the groups.
    press(&mut app, &report, "r");
    let at = |names: &[String], text: &str| names.iter().position(|name| name.contains(text));
    let reversed = names(&mut app, &report);
    assert!(
        at(&reversed, "icmp 10.0.0.2") < at(&reversed, "udp 10.0.0.2"),
        "{reversed:#?}"
    );
    assert_eq!(reversed.first().map(String::as_str), Some("▸ 10.0.0.7"));
    // A flow folds the group that it is in, which is selected then.
    press(&mut app, &report, "r Down Down f");
    assert_eq!(names(&mut app, &report), folded);
    assert_eq!(app.selection(), Some((1, 6)));
    press(&mut app, &report, "F");
    assert_eq!(app.selection().map(|(_, rows)| rows), Some(6 + 7));
    press(&mut app, &report, "F");
    assert_eq!(names(&mut app, &report), folded);
}

#[test]
fn the_selected_row_stays_with_its_group_and_its_flow() {
    let mut report = mixed();
    let mut app = grouped(&report, GroupBy::Source, "Down Down f Down Down");
    assert_eq!(app.selection(), Some((3, 8)));
    let selected = app.groups().table().selected();
    report.flows[1].rates = None;
    report.revision += 1;
    app.update(Msg::Refreshed(CLOCK), &report);
    frame(&mut app, &report);
    assert_eq!(app.groups().table().selected(), selected);
    assert_eq!(app.selection(), Some((2, 8)));
    // Flows that have gone take their rows with them.
    report
        .flows
        .retain(|flow| flow.key.source.to_string() != "10.0.0.2");
    report.revision += 1;
    app.update(Msg::Refreshed(CLOCK), &report);
    frame(&mut app, &report);
    assert_eq!(app.selection(), Some((2, 5)));
}

#[test]
fn enter_leads_to_the_flows_of_a_group_and_to_one_of_them() {
    let report = mixed();
    let mut app = grouped(&report, GroupBy::Source, "Down Down Enter");
    assert_eq!((app.view(), app.mode()), (View::Flows, Mode::View));
    assert_eq!(app.filter().text(), "src:10.0.0.2");
    assert_eq!(app.scene(&report).flows().items().count(), 2);
    // The group is still there, and so is its selection.
    press(&mut app, &report, "5 f Down Down Enter");
    assert_eq!((app.view(), app.mode()), (View::Flows, Mode::Detail(0)));
    let selected = app.scene(&report).selected_flow().map(|flow| flow.key);
    assert_eq!(selected, Some(report.flows[3].key));
    // The filter of the groups goes along, in brackets where it would mean something else.
    press(&mut app, &report, "Esc 5 / u d p Enter Home Enter");
    assert_eq!(app.filter().text(), "udp src:10.0.0.2");
    press(
        &mut app,
        &report,
        "5 Esc / u d p Space o r Space t c p Enter Home Enter",
    );
    assert_eq!(app.filter().text(), "src:192.168.100.200 (udp or tcp)");
    assert_eq!(app.scene(&report).flows().items().count(), 1);
}

#[test]
fn the_filter_is_their_own_and_what_is_hidden_is_in_no_group() {
    let report = mixed();
    let mut app = grouped(&report, GroupBy::DestinationPort, "");
    let all = [
        "▸ 443/tcp",
        "▸ 5201/udp",
        "▸ 5004/udp",
        "▸ icmpv6",
        "▸ icmp",
        "▸ 22/tcp",
        "▸ 53/udp",
    ];
    assert_eq!(names(&mut app, &report), all);
    press(&mut app, &report, "/ u d p Enter");
    assert_eq!(
        names(&mut app, &report),
        ["▸ 5201/udp", "▸ 5004/udp", "▸ 53/udp"]
    );
    let drawn = frame(&mut app, &report);
    assert!(drawn.contains("7 flows, 4 hidden"), "{drawn}");
    press(&mut app, &report, "1");
    assert_eq!(app.filter().text(), "");
    press(&mut app, &report, "5 Esc i");
    assert_eq!(names(&mut app, &report).len(), 6, "22/tcp has ended");
    press(&mut app, &report, "/ s c t p Enter");
    let drawn = frame(&mut app, &report);
    assert!(drawn.contains("All 7 flows are hidden."), "{drawn}");
}

#[test]
fn a_key_groups_by_the_next_thing_and_by_rule_at_first_where_there_are_rules() {
    let mut report = ruled(mixed(), 3);
    report.flows[0].rule = Some(report.rules[0].name.clone());
    let mut app = dashboard(&report, SIZE, "B");
    assert_eq!(app.view(), View::Groups);
    assert_eq!(names(&mut app, &report), ["▸ no rule", "▸ voice"]);
    let mut seen = HashSet::new();
    for by in GroupBy::ALL {
        assert_eq!(app.groups().by(), by);
        let drawn = frame(&mut app, &report);
        assert!(drawn.contains(&format!(" by {}, ", by.words())), "{drawn}");
        seen.insert(names(&mut app, &report));
        press(&mut app, &report, "Down f B");
        assert_eq!(app.selection(), None);
    }
    assert!(seen.len() >= GroupBy::ALL.len() - 1, "{seen:#?}");
    assert_eq!(app.preferences().appearance.group_by, Some(GroupBy::Rule));
    let app = dashboard(&mixed(), SIZE, "5");
    assert_eq!(app.groups().by(), GroupBy::Source);
}

#[test]
fn every_column_of_groups_can_be_sorted_by() {
    let report = report(flows(60));
    let mut app = grouped(&report, GroupBy::SourceSubnet, "F");
    let mut sorts = Vec::new();
    for _ in 0..app.placed_group_columns().len() {
        let sort = app.groups().table().sort();
        assert!(
            app.placed_group_columns()
                .iter()
                .any(|p| p.column == sort.column)
        );
        sorts.push(sort.column.id);
        press(&mut app, &report, "Right");
    }
    sorts.sort_unstable();
    sorts.dedup();
    assert_eq!(sorts.len(), app.placed_group_columns().len());
    let last = app.sort_menu().len();
    press(&mut app, &report, "s End Enter");
    assert_eq!(
        app.groups().table().sort().column.id,
        app.sort_menu()[last - 1].id
    );
    let placed = app.placed_group_columns();
    assert!(
        placed.iter().any(|place| place.column.id == "bytes"),
        "the sorted one is shown"
    );
}

#[test]
fn a_click_on_the_mark_of_a_group_unfolds_it_and_two_open_it() {
    let report = mixed();
    let mut app = grouped(&report, GroupBy::Source, "");
    let screen = app.screen().expect("large enough");
    let click = |app: &mut App, kind, x| {
        app.scene(&report);
        let y = screen.body.0 + 1;
        app.update(Msg::Mouse(Mouse { kind, x, y }), &report);
    };
    click(&mut app, MouseKind::Click, 3);
    assert_eq!(names(&mut app, &report).len(), 8);
    click(&mut app, MouseKind::Click, 3);
    assert_eq!(names(&mut app, &report).len(), 6);
    click(&mut app, MouseKind::Click, 8);
    assert_eq!(app.selection(), Some((1, 6)));
    click(&mut app, MouseKind::DoubleClick, 8);
    assert_eq!(
        (app.view(), app.filter().text()),
        (View::Flows, "src:10.0.0.2".to_owned())
    );
}

#[test]
fn a_flow_of_a_group_can_be_pinned_and_is_looked_at() {
    let report = mixed();
    let mut app = grouped(&report, GroupBy::Source, "Down P");
    assert_eq!(
        app.notices().notice(),
        Some("select a flow first, to pin it")
    );
    press(&mut app, &report, "f Down P");
    assert!(app.flows().is_pinned(&report.flows[1].key));
    press(&mut app, &report, "1 5 4");
    assert!(app.flows().is_pinned(&report.flows[1].key));
    // It is the first of its group, whatever the order.
    let mut app = grouped(&report, GroupBy::Source, "Down Down f Down Down P");
    let top = "    icmp 10.0.0.2 #1234 → 10.0.0.1 echo";
    assert_eq!(names(&mut app, &report)[2], top);
    press(&mut app, &report, "r r");
    assert_eq!(names(&mut app, &report)[2], top);
}

#[test]
fn a_held_order_stays_whatever_the_numbers_become() {
    let mut report = mixed();
    let mut app = grouped(&report, GroupBy::Source, "Down Down f o");
    let before = names(&mut app, &report);
    for (flow, rate) in report
        .flows
        .iter_mut()
        .zip([1.0, 9.0, 5.0, 7.0, 3.0, 8.0, 2.0])
    {
        *flow = fixture::at_rate(flow.clone(), rate);
    }
    let mut new = report.flows[3].clone();
    new.key.source_port = 4321;
    report.flows.push(fixture::at_rate(new, 1e9));
    report.revision += 1;
    app.update(Msg::Refreshed(CLOCK), &report);
    let mut expected = before.clone();
    expected.insert(4, "    icmp 10.0.0.2 #4321 → 10.0.0.1 echo".to_owned());
    assert_eq!(names(&mut app, &report), expected);
    press(&mut app, &report, "Esc");
    let drawn = frame(&mut app, &report);
    assert!(drawn.contains("6 groups by source, order held"), "{drawn}");
    press(&mut app, &report, "o");
    assert_eq!(names(&mut app, &report)[0], "▾ 10.0.0.2");
}

#[test]
fn groups_with_trouble_come_first_and_those_beyond_a_threshold_before_all() {
    let mut report = mixed();
    let trouble = Trouble {
        severity: 300.0,
        words: "silent for 3.0 s".to_owned(),
        lasted: Lasted::default(),
    };
    report.flows[5].set_trouble(Some(trouble));
    let alerts = vec![AlertRule::new(
        by_id("loss_percent").expect("a column"),
        Side::Above,
        1.0,
    )];
    let preferences = Preferences {
        alerts,
        ..Preferences::default()
    };
    let mut app = App::new(preferences, SIZE);
    app.update(Msg::Refreshed(CLOCK), &report);
    press(&mut app, &report, "5");
    let first: Vec<_> = names(&mut app, &report).into_iter().take(3).collect();
    let expected = [
        "▸ 2001:db8:85a3:1234:5678:8a2e:370:7334",
        "▸ 10.0.0.7",
        "▸ 192.168.100.200",
    ];
    assert_eq!(first, expected);
    let drawn = frame(&mut app, &report);
    let marked = drawn
        .lines()
        .filter(|line| line.starts_with(" ! ▸"))
        .count();
    assert_eq!(marked, 2, "{drawn}");
    assert!(
        drawn.contains("by source, in trouble first, then by thruput"),
        "{drawn}"
    );
    press(&mut app, &report, "r r");
    assert_eq!(
        names(&mut app, &report)[0],
        "▸ 192.168.100.200",
        "who asks for an order gets it"
    );
}

#[test]
fn ports_have_the_names_of_their_services() {
    let preferences = Preferences {
        services: Arc::new(Services::parse("https 443/tcp\ndomain 53/udp\n")),
        ..preferring(GroupBy::DestinationPort)
    };
    let report = mixed();
    let mut app = App::new(preferences, SIZE);
    app.update(Msg::Refreshed(CLOCK), &report);
    let names = names(&mut app, &report);
    assert!(names.contains(&"▸ 443/tcp https".to_owned()), "{names:?}");
    assert!(names.contains(&"▸ 53/udp domain".to_owned()), "{names:?}");
}

#[test]
fn rules_have_the_figures_of_their_flows() {
    let mut report = ruled(mixed(), 3);
    for at in [0, 2] {
        report.flows[at].rule = Some(report.rules[0].name.clone());
    }
    let mut app = dashboard(&report, (200, 50), "3");
    let drawn = frame(&mut app, &report);
    let row = drawn
        .lines()
        .find(|line| line.trim_start().starts_with("voice "));
    let row = row
        .expect("the rule")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    // 500 and 98.8 kB/s; 253 of 10,247 lost, 250 of 5,247 at worst.
    for part in ["599 kB/s", "2.47%", "4.76%", "11.0 µs"] {
        assert!(row.contains(part), "{part}: {row}");
    }
}

#[test]
fn many_groups_are_unfolded_at_once() {
    let report = many(10_000);
    let mut app = grouped(&report, GroupBy::SourceSubnet, "F End");
    assert_eq!(app.selection(), Some((10_039, 10_040)));
    press(&mut app, &report, "F Home");
    assert_eq!(app.selection(), Some((0, 40)));
}
