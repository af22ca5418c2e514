//! A configuration that changes while the program runs: what it says counts soon, and nothing that was counted is lost.

use std::cell::Cell;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use flowtop::netns::Namespace;
use serde_json::Value;

use super::support::frames::{FrameSender, Udp};
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{self, Flowtop, flows, interface, number, volume};
use super::{send, support};

/// A configuration that takes in only what goes to this port.
fn only(port: u16) -> String {
    format!(r#"{{"RULES": {{"to {port}": {{"match": "- - - {port} UDP", "OFFSET": 0}}}}}}"#)
}

fn generation(record: &Value) -> u64 {
    number(&record["config"]["generation"])
}

/// As records tell it.
fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// Waits until the configuration counts as the n-th, which must be soon; then only that port's packets are a flow's.
fn assert_in_force(run: &mut Flowtop, pair: &Pair, since: &str, nth: u64, port: u16) {
    let passed = Cell::new(0);
    let record = run.until("the new configuration", |record| {
        passed.set(passed.get() + u32::from(record["time"].as_str() > Some(since)));
        generation(record) >= nth
    });
    assert_eq!(
        (generation(record), &record["config"]["error"]),
        (nth, &Value::Null)
    );
    // A second, told by the run's own intervals: it may be held up like anybody else.
    assert!(passed.get() <= 11, "only after {} records", passed.get());
    let filtered = |record: &Value| volume(&interface(record, RECEIVER_LINK)["filtered"]).0;
    // The record may be a little ahead of the rules: readings under way are of before.
    for _ in 0..3 {
        run.record();
    }
    let record = run.record();
    let seen = volume(interface(record, RECEIVER_LINK)).0;
    let before = filtered(record);
    for to in 5000..5004 {
        send(pair, to, [1, 2, 5]);
    }
    run.settle(seen + 12);
    let record = run.record();
    assert_eq!(filtered(record) - before, 9, "{record:#}");
    let flow = program::flow_to(record, "udp", port);
    assert_eq!(volume(flow), (3, 300), "{flow:#}");
    assert_eq!(flow["sequence"]["lost"], 2, "{flow:#}");
    assert_eq!(flow["rule"], format!("to {port}"), "{flow:#}");
    program::assert_adds_up(record);
}

#[test]
fn intervals_end_when_they_would_have_however_often_the_configuration_is_saved() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let arguments = ["-i", RECEIVER_LINK, "-t", "2"];
    let mut run = Flowtop::start(&pair.receiver, "{}", &arguments);
    let path = run.config_path();
    std::thread::scope(|scope| {
        // Dropped at the end, on panic, too.
        let watching = Arc::new(());
        let watched = Arc::downgrade(&watching);
        // More often than a reading is due, as long as intervals are waited for.
        scope.spawn(move || {
            for threshold in (2..).take_while(|_| watched.strong_count() > 0) {
                let text = format!(r#"{{"SEQUENCE_THRESHOLD": {threshold}}}"#);
                program::replace(&path, &text);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        for _ in 0..3 {
            run.record();
        }
        drop(watching);
    });
    assert!(generation(run.record()) > 3, "it was read again and again");
}

#[test]
fn a_configuration_takes_effect_in_whatever_way_it_is_saved() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    assert_eq!(generation(run.record()), 1);
    let path = run.config_path();
    let folder = path.parent().expect("a folder").to_owned();
    let saved = now();
    run.rename_config(&only(5000));
    assert_in_force(&mut run, &pair, &saved, 2, 5000);
    let saved = now();
    std::fs::write(&path, only(5001)).expect("write in place");
    assert_in_force(&mut run, &pair, &saved, 3, 5001);
    for (nth, port) in [(4, 5002), (5, 5003)] {
        let target = folder.join(format!("version-{nth}"));
        std::fs::write(&target, only(port)).expect("write");
        symlink(&target, folder.join("link")).expect("a symlink");
        let saved = now();
        std::fs::rename(folder.join("link"), &path).expect("swap");
        assert_in_force(&mut run, &pair, &saved, nth, port);
    }
    run.last_record();
}

#[test]
fn a_configuration_that_appears_is_found_and_stays_the_one_in_use() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch_without_config(&pair);
    let here = run.config_path();
    let users = here.with_file_name("user").join("flowtop/config.json");
    let record = run.record();
    assert_eq!(
        (generation(record), &record["config"]["path"]),
        (1, &Value::Null)
    );
    std::fs::write(&here, "{\"OFFSET\": -7}").expect("write");
    let record = run.until("the error", |record| !record["config"]["error"].is_null());
    let error = record["config"]["error"].as_str().expect("a text");
    assert!(error.starts_with("config.json:1:12: OFFSET: "), "{error}");
    assert_eq!(generation(record), 1);
    std::fs::remove_file(&here).expect("remove");
    run.until("no error", |record| record["config"]["error"].is_null());
    std::fs::create_dir_all(users.parent().expect("a folder")).expect("a folder");
    let saved = now();
    std::fs::write(&users, only(5000)).expect("write");
    assert_in_force(&mut run, &pair, &saved, 2, 5000);
    assert_eq!(run.record()["config"]["path"], users.display().to_string());
    std::fs::write(&here, only(5001)).expect("write");
    let saved = now();
    std::fs::write(&users, only(5002)).expect("write");
    assert_in_force(&mut run, &pair, &saved, 3, 5002);
    let ended = run.finish();
    let told = format!(
        "flowtop: configuration: {}: RULES: + to 5000",
        users.display()
    );
    assert!(ended.errors.contains(&told), "{}", ended.errors);
}

#[test]
fn a_bad_configuration_is_reported_and_changes_nothing_until_it_is_mended() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, &only(5000));
    send(&pair, 5000, [1, 2]);
    run.settle(2);
    run.rename_config("{\n  \"RULES\": {\"bad\": \"- - - 70000 UDP\"}\n}");
    let record = run.until("the error", |record| !record["config"]["error"].is_null());
    let error = record["config"]["error"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert!(error.contains("config.json:2:"), "{error}");
    assert_eq!(generation(record), 1);
    send(&pair, 5000, [4]);
    send(&pair, 5001, [1]);
    run.settle(4);
    let record = run.record();
    assert_eq!(
        volume(&interface(record, RECEIVER_LINK)["filtered"]),
        (1, 100)
    );
    let flow = program::flow_to(record, "udp", 5000);
    assert_eq!(
        (&flow["packets"], &flow["sequence"]["lost"]),
        (&3.into(), &1.into())
    );
    run.rename_config(&only(5000));
    let record = run.until("its mending", |record| record["config"]["error"].is_null());
    assert_eq!(generation(record), 1, "the same as before");
    let ended = run.finish();
    assert!(ended.errors.contains(&error), "{}", ended.errors);
}

#[test]
fn rules_that_change_again_and_again_under_traffic_lose_no_packet() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    let mut sent = 0;
    for nth in 2..12 {
        run.rename_config(&only(5000 + nth % 3));
        loop {
            for port in 5000..5003 {
                send(&pair, port, sent as u32..sent as u32 + 50);
            }
            sent += 150;
            if generation(run.record()) >= u64::from(nth) {
                break;
            }
        }
    }
    run.settle(sent);
    let record = run.last_record();
    assert_eq!(
        volume(interface(&record, RECEIVER_LINK)),
        (sent, sent * 100)
    );
    assert_eq!(
        volume(&interface(&record, RECEIVER_LINK)["seen"]),
        (sent, sent * 100)
    );
}

/// Ten records a second, with further settings.
fn fast(settings: &str) -> String {
    format!(r#"{{"THROUGHPUT_INTERVAL": 0.1{settings}}}"#)
}

/// Saves the n-th configuration and waits for a record under it: the second one, as the first was begun before.
fn save<'a>(run: &'a mut Flowtop, nth: u64, text: &str) -> &'a Value {
    run.rename_config(text);
    run.until("the new configuration", |record| generation(record) >= nth);
    assert_eq!(generation(run.record()), nth);
    run.record()
}

#[test]
fn interfaces_come_and_go_with_the_configuration_and_the_others_count_on() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let link = "link add side0 type veth peer name side1";
    let ip =
        |words: &str| support::run(&pair.receiver, "ip", &words.split(' ').collect::<Vec<_>>());
    ip(link);
    for name in ["side0", "side1"] {
        silence(&pair.receiver, name);
        ip(&format!("link set {name} up"));
    }
    let side = FrameSender::open(&pair.receiver, "side0");
    let send_aside = |packets| {
        let frame = Udp::to_port(6000).with_payload(vec![0; 58]).frame();
        side.send_in_step(vec![frame.as_slice(); packets]);
    };
    let counted = |record: &Value, name: &str| volume(interface(record, name)).0;
    let watches = |record: &Value, name: &str| {
        let mut found = program::interfaces(record).filter(|i| i["name"] == name);
        found.any(|interface| !interface["hook"].is_null())
    };
    let both = fast(r#", "INTERFACES": ["veth1", "side1"]"#);
    let mut run = Flowtop::start(&pair.receiver, &fast(r#", "INTERFACES": ["veth1"]"#), &[]);
    send(&pair, 5000, 0..10);
    run.settle(10);
    save(&mut run, 2, &both);
    run.until("the new one", |record| watches(record, "side1"));
    send_aside(5);
    send(&pair, 5000, 10..15);
    run.settle(15);
    run.until("both", |record| counted(record, "side1") == 5);
    save(&mut run, 3, &fast(r#", "INTERFACES": ["side1"]"#));
    run.until("the end of one", |record| !watches(record, "veth1"));
    send(&pair, 5000, 15..20);
    send_aside(20);
    let record = run.until("the other", |record| counted(record, "side1") == 25);
    assert_eq!(counted(record, RECEIVER_LINK), 15, "no hook, no packets");
    save(&mut run, 4, &both);
    run.until("both hooks", |record| watches(record, "veth1"));
    send(&pair, 5000, 20..30);
    run.until("its packets", |record| counted(record, "veth1") == 25);
    let record = run.last_record();
    assert_eq!(volume(program::flow_to(&record, "udp", 5000)).0, 25);
    assert_eq!(volume(program::flow_to(&record, "udp", 6000)).0, 25);
}

/// Nothing but what a test sends is on this link.
fn silence(namespace: &Namespace, link: &str) {
    let file = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
    let write = || Ok(std::fs::write(&file, "1")?);
    namespace.within(write).expect("switch IPv6 off");
}

#[test]
fn settings_take_effect_while_it_runs() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let arguments = ["-i", RECEIVER_LINK];
    let mut run = Flowtop::start(&pair.receiver, &fast(""), &arguments);
    send(&pair, 5000, 0..10);
    run.settle(10);
    let memory = number(&run.record()["kernel"]["map_memory_bytes"]);
    // Other white space, the same meaning.
    run.rename_config("{\n  \"THROUGHPUT_INTERVAL\": 0.1\n}\n");
    for _ in 0..12 {
        assert_eq!(generation(run.record()), 1);
    }
    save(&mut run, 2, r#"{"THROUGHPUT_INTERVAL": 0.4}"#);
    // Not the first one, if the machine is busy at that moment.
    run.until("the new interval", |record| {
        (0.35..0.8).contains(&record["interval_s"].as_f64().expect("seconds"))
    });
    let record = save(&mut run, 3, &fast(r#", "MAX_FLOWS": 100"#));
    assert_eq!(number(&record["kernel"]["map_memory_bytes"]), memory);
    let alert = r#", "ALERTS": [{"column": "packets", "above": 5}]"#;
    let record = save(&mut run, 4, &fast(alert));
    let flow = program::flow_to(record, "udp", 5000);
    assert_eq!(flow["alerts"], serde_json::json!(["packets above 5"]));
    assert_eq!(volume(flow).0, 10);
    save(&mut run, 5, &fast(r#", "FLOW_TIMEOUT": 0.2"#));
    run.until("the flow's end", |record| flows(record).count() == 0);
    let ended = run.finish();
    let parts = interface(&ended.record, RECEIVER_LINK);
    assert_eq!(volume(&parts["ended"]).0, 10);
    for line in [
        "flowtop: configuration: THROUGHPUT_INTERVAL 0.1 -> 0.4\n",
        "MAX_FLOWS 65536 -> 100 (from the next start on)",
        "FLOW_TIMEOUT 60 -> 0.2",
    ] {
        assert!(ended.errors.contains(line), "{line}: {}", ended.errors);
    }
}

#[test]
fn numbers_in_another_place_begin_anew_and_the_flow_goes_on() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    // One number at the beginning, one at 8, one behind a pattern.
    let send = |numbers: std::ops::Range<u32>| {
        let frame = |n: u32| {
            let mut payload = vec![0; 58];
            payload[..4].copy_from_slice(&n.to_be_bytes());
            payload[8..12].copy_from_slice(&(0x4000_0000 + n).to_be_bytes());
            payload[20..24].copy_from_slice(&0xCAFE_F00Du32.to_be_bytes());
            payload[24..28].copy_from_slice(&(0x8000_0000 + n).to_be_bytes());
            Udp::to_port(5000).with_payload(payload).frame()
        };
        let frames: Vec<_> = numbers.map(frame).collect();
        FrameSender::on(&pair).send_in_step(frames.iter().map(Vec::as_slice));
    };
    let mut run = Flowtop::watch(&pair, r#"{"OFFSET": 0}"#);
    let places = [
        (r#"{"OFFSET": 8}"#, 0x4000_0000),
        (r#"{"OFFSET": 4, "PATTERN": "0xCAFEF00D"}"#, 0x8000_0000),
        (
            r#"{"RULES": {"a": {"match": "- - - - UDP", "OFFSET": 8}}}"#,
            0x4000_0000,
        ),
        (
            r#"{"RULES": {"a": {"match": "- - - - UDP", "OFFSET": 0}}}"#,
            0,
        ),
    ];
    send(0..10);
    run.settle(10);
    for (nth, (text, start)) in (1..).zip(places) {
        save(&mut run, u64::from(nth) + 1, text);
        send(10 * nth..10 * nth + 10);
        run.settle(10 * (u64::from(nth) + 1));
        let record = run.record();
        let flow = program::flow_to(record, "udp", 5000);
        let packets = 10 * (u64::from(nth) + 1);
        assert_eq!(volume(flow), (packets, packets * 100));
        let sequence = &flow["sequence"];
        assert_eq!(sequence["current"], start + 10 * nth + 9, "{text}");
        for error in [
            "lost",
            "reverse_errors",
            "small_errors",
            "big_errors",
            "restarts",
            "absent",
        ] {
            assert_eq!(sequence[error], 0, "{text}: {error}: {sequence}");
        }
    }
    run.last_record();
}

#[test]
fn a_flow_that_new_rules_exclude_leaves_though_it_is_silent() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    for port in [5000, 5001] {
        send(&pair, port, 0..10);
    }
    run.settle(20);
    run.rename_config(r#"{"RULES": {"one": "- - - 5001 UDP"}}"#);
    let record = run.until("its end", |record| flows(record).count() == 1);
    assert_eq!(volume(program::flow_to(record, "udp", 5001)), (10, 1000));
    let parts = interface(record, RECEIVER_LINK);
    assert_eq!(volume(&parts["ended"]), (10, 1000));
    assert_eq!(volume(&parts["filtered"]), (0, 0));
    for port in [5000, 5001] {
        send(&pair, port, 10..15);
    }
    run.settle(30);
    let record = run.last_record();
    assert_eq!(volume(program::flow_to(&record, "udp", 5001)), (15, 1500));
    let parts = interface(&record, RECEIVER_LINK);
    assert_eq!(volume(&parts["filtered"]), (5, 500));
}

#[test]
fn each_rule_counts_what_it_takes_in_whatever_place_it_has() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let rules = |list: &str, more: &str| fast(&format!(r#", "RULES": {{{list}}}{more}"#));
    let (voice, rest) = (
        r#""voice": "- - - [5000,5001] UDP""#,
        r#""rest": "- - - 5000-5002 UDP""#,
    );
    let list = format!("{voice}, {rest}");
    let mut run = Flowtop::start(&pair.receiver, &rules(&list, ""), &["-i", RECEIVER_LINK]);
    let send_all = || (5000..5004).for_each(|port| send(&pair, port, 0..10));
    let counters = |record: &Value| {
        let rules = record["rules"].as_array().expect("rules").iter();
        let counter = |rule: &Value| (rule["name"].clone(), volume(rule), number(&rule["flows"]));
        rules.map(counter).collect::<Vec<_>>()
    };
    let expect = |name: &str, packets, flows| (name.into(), (packets, 100 * packets), flows);
    send_all();
    run.settle(40);
    let record = run.record();
    assert_eq!(
        counters(record),
        [expect("voice", 20, 2), expect("rest", 10, 1)]
    );
    // Only now: sending alone may take longer than that.
    save(&mut run, 2, &rules(&list, r#", "FLOW_TIMEOUT": 0.5"#));
    let record = run.until("the flows' end", |record| flows(record).count() == 0);
    assert_eq!(
        counters(record),
        [expect("voice", 20, 0), expect("rest", 10, 0)]
    );
    save(&mut run, 3, &rules(&format!("{rest}, {voice}"), ""));
    send_all();
    run.settle(80);
    assert_eq!(
        counters(run.record()),
        [expect("rest", 40, 3), expect("voice", 20, 0)]
    );
    assert_eq!(counters(save(&mut run, 4, &fast(""))), []);
}
