//! Interfaces that change, go and come again under a run: every packet is counted, and what went stays told.

use flowtop::netns::Namespace;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::support::frames::{FrameSender, Udp};
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{self, Flowtop, PROGRAM, interface, interfaces, number, volume};
use super::support::pty::{Control, PATIENCE, Pty};
use super::{chain, clsact, counted, ip, send, support};

/// A run on this interface of the receiver's, on both hooks in turn.
fn on_both_hooks(pair: &Pair, mut check: impl FnMut(&Pair, Flowtop)) {
    check(pair, Flowtop::watch(pair, "{}"));
    check(pair, clsact(&pair.receiver));
}

/// A namespace with a veth pair in it, `near` and `far`, which says nothing by itself.
fn with_pair(near: &str, far: &str) -> Namespace {
    let namespace = Namespace::create().expect("make a namespace");
    silence(&namespace);
    add_pair(&namespace, near, far);
    namespace
}

/// No IPv6 on the links that come: nothing is on them but what a test sends.
pub fn silence(namespace: &Namespace) {
    let file = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
    let switch_off = || match std::fs::exists(file)? {
        true => Ok(std::fs::write(file, "1")?),
        false => Ok(()),
    };
    namespace.within(switch_off).expect("switch IPv6 off");
}

/// Both ends are up.
pub fn add_pair(namespace: &Namespace, near: &str, far: &str) {
    let add = format!("ip link add {near} type veth peer name {far}");
    ip(namespace, &add);
    for name in [near, far] {
        ip(namespace, &format!("ip link set {name} up"));
    }
}

/// Sends numbered packets to port 5000 out of a link.
fn send_on(namespace: &Namespace, link: &str, packets: usize) {
    let frame = Udp::to_port(5000).with_payload(vec![0; 10]).frame();
    let frames = vec![frame; packets];
    FrameSender::open(namespace, link).send_in_step(frames.iter().map(Vec::as_slice));
}

/// The interfaces that have the name, or had it when they went.
pub fn all_named<'a>(record: &'a Value, name: &'a str) -> impl Iterator<Item = &'a Value> {
    interfaces(record).filter(move |i| i["name"] == name)
}

fn packets_on(record: &Value, name: &str) -> u64 {
    all_named(record, name).map(|i| number(&i["packets"])).sum()
}

/// Whatever there was: flows and everything beside them are what all hooks saw.
fn assert_sum(record: &Value) {
    let sum = |volumes: &mut dyn Iterator<Item = (u64, u64)>| {
        volumes.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
    };
    let flows = sum(&mut program::flows(record).map(volume));
    let parts = ["ended", "other", "filtered", "untracked", "malformed"];
    let beside = sum(&mut interfaces(record).flat_map(|i| parts.map(|part| volume(&i[part]))));
    let seen = sum(&mut interfaces(record).map(|i| volume(&i["seen"])));
    assert_eq!((flows.0 + beside.0, flows.1 + beside.1), seen);
}

#[test]
fn down_and_up_a_new_name_a_new_mtu_and_a_new_address_change_no_count() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    for use_clsact in [false, true] {
        // Asked for by the name that it loses.
        let mut run = Flowtop::start_with(&pair.receiver, "{}", &super::ARGUMENTS, |command| {
            if use_clsact {
                command.env("FLOWTOP_CLSACT", "1");
            }
        });
        let changes: [&[&str]; 4] = [
            &["set veth1 down", "set veth1 up"],
            &["set veth1 mtu 1400"],
            &["set veth1 address 02:00:00:00:00:99"],
            &["set veth1 down", "set veth1 name uplink0", "set uplink0 up"],
        ];
        for (times, words) in (1..).zip(changes) {
            send(&pair, 20);
            run.settle(20 * times);
            for words in words {
                ip(&pair.receiver, &format!("ip link {words}"));
            }
            run.until("a link that is up", |record| {
                interfaces(record).any(|i| i["name"] != "lo" && i["state"] == "up")
            });
        }
        run.until("the new name", |record| {
            all_named(record, "uplink0").any(|i| i["state"] == "up")
        });
        send(&pair, 20);
        run.settle(100);
        let ended = run.finish();
        let flow = program::flow_to(&ended.record, "udp", 5000);
        assert_eq!(
            (&flow["interface"], volume(flow).0),
            (&"uplink0".into(), 100)
        );
        assert_eq!(ended.errors, "", "the hook was ours all the time");
        for words in ["set uplink0 down", "set uplink0 name veth1", "set veth1 up"] {
            ip(&pair.receiver, &format!("ip link {words}"));
        }
        let end = [pair.sender_end(), pair.receiver_end()];
        flowtop::netns::set_up(&end[0], &end[1]).expect("set the links up");
    }
}

#[test]
fn a_link_is_watched_by_an_alternative_name_and_shown_by_its_own() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let name = "a-name-that-is-longer-than-others";
    let words = format!("ip link property add dev veth1 altname {name}");
    ip(&pair.receiver, &words);
    let mut run = Flowtop::start(&pair.receiver, "{}", &["-i", name, "-t", "0.1"]);
    send(&pair, 10);
    run.settle(10);
    let ended = run.finish();
    assert_eq!(counted(&ended.record), 10);
    assert_eq!(all_named(&ended.record, RECEIVER_LINK).count(), 1);
    assert_eq!(ended.errors, "");
}

#[test]
fn another_selection_chooses_by_the_names_that_links_have_now() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let asking_for = |name: &str| format!(r#"{{"INTERFACES": ["{name}"]}}"#);
    let mut run = Flowtop::start(&pair.receiver, &asking_for("veth1"), &["-t", "0.1"]);
    for words in ["set veth1 down", "set veth1 name uplink0", "set uplink0 up"] {
        ip(&pair.receiver, &format!("ip link {words}"));
    }
    add_pair(&pair.receiver, "veth1", "far1");
    run.until("both, by a name once and by a name now", |record| {
        ["uplink0", "veth1"].map(|name| interface_is_watched(record, name)) == [true; 2]
    });
    run.rename_config(&asking_for("veth*"));
    run.until("no more of what it was asked for once", |record| {
        ["uplink0", "veth1"].map(|name| interface_is_watched(record, name)) == [false, true]
    });
    run.finish();
}

fn interface_is_watched(record: &Value, name: &str) -> bool {
    all_named(record, name).any(|i| i["state"] == "up" && !i["hook"].is_null())
}

#[test]
fn a_run_whose_interface_is_deleted_waits_for_one_of_its_name_and_keeps_what_it_had() {
    if !support::root() {
        return;
    }
    for use_clsact in [false, true] {
        let namespace = with_pair("near", "far");
        let arguments = ["-i", "near", "-t", "0.1"];
        let mut run = Flowtop::start_with(&namespace, "{}", &arguments, |command| {
            if use_clsact {
                command.env("FLOWTOP_CLSACT", "1");
            }
        });
        for life in 1..=3 {
            run.until("a hook", |record| {
                all_named(record, "near").any(|i| i["state"] == "up" && i["hook"].is_string())
            });
            send_on(&namespace, "far", 10);
            run.until("its packets", |record| {
                packets_on(record, "near") == 10 * life
            });
            ip(&namespace, "ip link delete near");
            run.until("the end of it", |record| {
                all_named(record, "near").all(|i| i["state"] == "gone" && i["hook"].is_null())
            });
            assert_eq!(packets_on(run.record(), "near"), 10 * life);
            add_pair(&namespace, "near", "far");
        }
        run.until("a hook", |record| {
            interface(record, "near")["state"] == "up"
        });
        run.signal(Signal::SIGTERM);
        let ended = run.wait();
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
        assert_eq!(interfaces(&ended.record).count(), 4);
        assert_sum(&ended.record);
    }
}

#[test]
fn an_interface_that_moves_to_another_namespace_and_comes_back_is_followed() {
    if !support::root() {
        return;
    }
    let elsewhere = Namespace::create().expect("make a namespace");
    silence(&elsewhere);
    let held = support::Background::spawn(support::command(&elsewhere, "sleep").arg("100"));
    let away = held.0.id();
    for use_clsact in [false, true] {
        let namespace = with_pair("near", "far");
        let back = support::Background::spawn(support::command(&namespace, "sleep").arg("100"));
        let arguments = ["-i", "near", "-t", "0.1"];
        let mut run = Flowtop::start_with(&namespace, "{}", &arguments, |command| {
            if use_clsact {
                command.env("FLOWTOP_CLSACT", "1");
            }
        });
        send_on(&namespace, "far", 10);
        run.settle(10);
        ip(&namespace, &format!("ip link set near netns {away}"));
        run.until("the end of it", |record| {
            interface(record, "near")["state"] == "gone"
        });
        // What comes there now is none of ours.
        ip(&elsewhere, "ip link set near up");
        send_on(&namespace, "far", 5);
        // Longer than an interface rests before it is forgotten.
        let begun = std::time::Instant::now();
        run.until("some time", |_| begun.elapsed().as_millis() > 1500);
        let home = back.0.id();
        ip(&elsewhere, &format!("ip link set near netns {home}"));
        ip(&namespace, "ip link set near up");
        run.until("a hook", |record| {
            interface(record, "near")["state"] == "up"
        });
        send_on(&namespace, "far", 20);
        run.until("all packets", |record| packets_on(record, "near") == 30);
        let ended = run.finish();
        assert_eq!(counted(&ended.record), 30);
        assert_eq!(ended.errors, "");
        assert_eq!(interfaces(&ended.record).count(), 1, "the same device");
    }
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    silence(&pair.receiver);
    ip(&pair.receiver, "ip link add bridge0 type bridge");
    ip(&pair.receiver, "ip link set bridge0 up");
    on_both_hooks(&pair, |pair, mut run| {
        let mut states = Vec::new();
        for (number, words) in (1..).zip(["master bridge0", "nomaster"].repeat(3)) {
            ip(&pair.receiver, &format!("ip link set veth1 {words}"));
            send(pair, 10);
            run.until("the packets", |record| {
                packets_on(record, RECEIVER_LINK) == 10 * number
            });
            let now = interface(run.record(), RECEIVER_LINK);
            states.push((now["state"].clone(), now["hook"].is_string()));
        }
        assert!(
            states.iter().all(|s| *s == ("up".into(), true)),
            "{states:?}"
        );
        assert_eq!(run.finish().errors, "");
    });
}

#[test]
fn a_link_that_gets_a_name_of_the_glob_is_watched_and_one_that_loses_it_is_not() {
    if !support::root() {
        return;
    }
    let namespace = with_pair("near", "far");
    let arguments = ["-i", "wan*", "-t", "0.1"];
    let mut run = Flowtop::start(&namespace, "{}", &arguments);
    assert_eq!(interfaces(run.record()).count(), 0);
    let rename = |from: &str, to: &str| {
        for words in [
            format!("ip link set {from} down"),
            format!("ip link set {from} name {to}"),
            format!("ip link set {to} up"),
        ] {
            ip(&namespace, &words);
        }
    };
    rename("near", "wan7");
    run.until("the link", |record| {
        all_named(record, "wan7").any(|i| i["state"] == "up" && i["hook"].is_string())
    });
    send_on(&namespace, "far", 10);
    run.until("its packets", |record| packets_on(record, "wan7") == 10);
    rename("wan7", "near");
    run.until("its end", |record| {
        all_named(record, "near").any(|i| i["hook"].is_null())
    });
    send_on(&namespace, "far", 10);
    rename("near", "wan8");
    run.until("the link", |record| {
        all_named(record, "wan8").any(|i| i["state"] == "up" && i["hook"].is_string())
    });
    send_on(&namespace, "far", 10);
    run.until("its packets", |record| packets_on(record, "wan8") == 20);
    assert_eq!(counted(&run.last_record()), 20);
}

/// Makes so many pairs, `stormA...` and `stormB...`, or takes all of them away.
fn add_storm(namespace: &Namespace, pairs: usize) {
    let line = |n| format!("link add stormA{n} group 9 type veth peer name stormB{n} group 9\n");
    batch(namespace, &(0..pairs).map(line).collect::<String>());
    ip(namespace, "ip link set group 9 up");
}

/// Waits until so many interfaces are on their hooks, for each that is still missing anew.
fn until_hooked(run: &mut Flowtop, wanted: usize) {
    let count = |record: &Value| {
        let up = |i: &&Value| i["state"] == "up" && i["hook"] == "tcx";
        interfaces(record).filter(up).count()
    };
    let mut hooked = 0;
    while hooked < wanted {
        hooked = count(run.until("a further hook", |record| count(record) > hooked));
    }
    assert_eq!(hooked, wanted);
}

#[test]
fn two_hundred_pairs_come_and_go_and_each_packet_is_counted() {
    if !support::root() {
        return;
    }
    const PAIRS: usize = 200;
    let namespace = with_pair("lasting0", "lasting1");
    let arguments = ["-i", "lasting1,stormA*", "-t", "0.1"];
    let mut run = Flowtop::start(&namespace, "{}", &arguments);
    let mut sent = 0;
    for time in 1..=2 {
        add_storm(&namespace, PAIRS);
        until_hooked(&mut run, 1 + PAIRS);
        for link in ["stormB0", "stormB111", "stormB199", "lasting0"] {
            send_on(&namespace, link, 25);
            sent += 25;
        }
        let total =
            |record: &Value| -> u64 { interfaces(record).map(|i| number(&i["packets"])).sum() };
        run.until("their packets", |record| total(record) == sent);
        ip(&namespace, "ip link delete group 9");
        let record = run.until("the end of them", |record| {
            let there = |i: &&Value| i["state"] != "gone";
            interfaces(record).filter(there).count() == 1
        });
        assert_eq!(total(record), sent, "after {time} times");
    }
    // Most rows of the past have become one; those with flows keep their own.
    run.until("few rows", |record| interfaces(record).count() <= 120);
    run.signal(Signal::SIGTERM);
    let ended = run.wait();
    assert_eq!(packets_on(&ended.record, "lasting1"), 2 * 25);
    assert_eq!(
        interfaces(&ended.record).last().expect("rows")["name"],
        "former ones"
    );
    assert_sum(&ended.record);
    assert_eq!(ended.errors, waits_for("stormA*"));
}

#[test]
fn a_program_taken_off_its_hook_is_put_back_before_links_that_came_meanwhile() {
    if !support::root() {
        return;
    }
    const PAIRS: usize = 100;
    let pair = Pair::quiet();
    silence(&pair.receiver);
    let arguments = ["-i", "veth1,stormA*", "-t", "0.1"];
    let mut run = Flowtop::start(&pair.receiver, "{}", &arguments);
    // Stopped meanwhile: it would begin with the first of them.
    run.stop();
    chain::clear(&pair);
    add_storm(&pair.receiver, PAIRS);
    run.signal(Signal::SIGCONT);
    let some = run.until("one of them", |record| interfaces(record).count() > 1);
    let count = interfaces(some).count();
    assert!(count <= PAIRS, "the reading waited for all of them");
    until_hooked(&mut run, 1 + PAIRS);
    let taken_off = "flowtop: veth1: the program was taken off the hook; it is attached again\n";
    assert_eq!(run.finish().errors, waits_for("stormA*") + taken_off);
}

/// What a run says of a pattern that matches no interface when it begins.
pub fn waits_for(pattern: &str) -> String {
    format!("flowtop: watch {pattern}: no interface matches yet (waiting for one; see: ip link)\n")
}

/// Interfaces whose totals can only be in the same eight places: there are never more of them, and after those that went
/// come others.
#[test]
fn the_totals_of_interfaces_that_are_gone_make_room_for_others() {
    if !support::root() {
        return;
    }
    let namespace = with_pair("near", "far");
    let mut run = Flowtop::start(&namespace, "{}", &["-i", "same*", "-t", "0.1"]);
    let mut sent = 0;
    for time in 0..3 {
        let line = |n| {
            let index = 5000 + 1024 * (8 * time + n);
            format!("link add same{n} index {index} group 9 type veth peer name peer{n} group 9\n")
        };
        batch(&namespace, &(0..8).map(line).collect::<String>());
        ip(&namespace, "ip link set group 9 up");
        run.until("all of them", |record| {
            let up = |i: &&Value| i["state"] == "up" && i["hook"] == "tcx";
            interfaces(record).filter(up).count() == 8
        });
        // There is no room for a ninth until one of them goes.
        let ninth = 5000 + 1024 * (100 + time);
        ip(
            &namespace,
            &format!("ip link add same8 index {ninth} group 9 up type veth peer name peer8"),
        );
        ip(&namespace, "ip link set peer8 up");
        send_on(&namespace, "peer7", 10);
        ip(&namespace, "ip link delete same3");
        run.until("the ninth", |record| {
            all_named(record, "same8").any(|i| i["state"] == "up" && i["hook"] == "tcx")
        });
        send_on(&namespace, "peer8", 10);
        sent += 20;
        run.until("the packets", |record| {
            interfaces(record)
                .map(|i| number(&i["packets"]))
                .sum::<u64>()
                == sent
        });
        ip(&namespace, "ip link delete group 9");
        run.until("the end of them", |record| {
            interfaces(record).all(|i| i["state"] == "gone")
        });
        // Their places are free after a rest.
        let begun = std::time::Instant::now();
        run.until("some time", |_| begun.elapsed().as_millis() > 1500);
    }
    run.signal(Signal::SIGTERM);
    let ended = run.wait();
    assert_sum(&ended.record);
    let refused =
        "flowtop: attach to same8: there is no room left for the totals of another interface\n";
    assert!(ended.errors.contains(refused), "{}", ended.errors);
    assert_eq!(ended.errors.replace(refused, ""), waits_for("same*"));
}

/// Has ip do all of these lines.
pub fn batch(namespace: &Namespace, lines: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("batch");
    std::fs::write(&path, lines).expect("write a file");
    support::run(namespace, "ip", &["-batch", path.to_str().expect("UTF-8")]);
}

/// Messages that rtnetlink lost for want of room, on any socket of the namespace.
fn overruns(namespace: &Namespace) -> u64 {
    let table = support::run(namespace, "cat", &["/proc/net/netlink"]);
    let drops = |line: &str| line.split_whitespace().nth(8)?.parse::<u64>().ok();
    table.lines().filter_map(drops).sum()
}

#[test]
fn after_an_overrun_of_events_the_links_are_as_they_are() {
    if !support::root() {
        return;
    }
    let namespace = with_pair("near", "far");
    add_pair(&namespace, "other0", "other1");
    let arguments = ["-i", "near,other*,late*", "-t", "0.1"];
    let mut run = Flowtop::start(&namespace, "{}", &arguments);
    assert_eq!(overruns(&namespace), 0);
    run.stop();
    ip(&namespace, "ip link delete other0");
    // More events than a socket keeps by default.
    let lines: Vec<String> = (0..300)
        .map(|n| {
            format!(
                "link set far alias {n}\nlink set far mtu {}\n",
                1200 + n % 2
            )
        })
        .collect();
    batch(&namespace, &lines.concat());
    add_pair(&namespace, "late0", "late1");
    let lost = overruns(&namespace);
    run.signal(Signal::SIGCONT);
    assert!(lost > 0, "no event was lost");
    run.until("all changes", |record| {
        let up = |name| all_named(record, name).any(|i| i["state"] == "up" && i["hook"] == "tcx");
        let gone = |name| all_named(record, name).all(|i| i["state"] == "gone");
        up("late0") && up("late1") && up("near") && gone("other0") && gone("other1")
    });
    send_on(&namespace, "far", 10);
    send_on(&namespace, "late0", 10);
    run.until("the packets", |record| {
        packets_on(record, "near") == 10 && packets_on(record, "late1") == 10
    });
    assert_eq!(run.finish().errors, waits_for("late*"));
}

#[test]
fn links_are_looked_at_without_an_event_too() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    let drops = |record: &Value| interface(record, RECEIVER_LINK)["device_drops"].as_u64();
    let before = drops(run.record()).expect("a device that counts");
    // Of a protocol that nobody takes: the device counts them as dropped, and no event tells it.
    let mut frame = Udp::to_port(5000).frame();
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    let sender = FrameSender::on(&pair);
    (0..7).for_each(|_| sender.send(&frame));
    run.until("the device's drops", |record| {
        drops(record) >= Some(before + 7)
    });
    let record = run.last_record();
    assert_eq!(volume(&interface(&record, RECEIVER_LINK)["other"]).0, 7);
}

#[test]
fn the_dashboard_says_what_is_gone_and_waited_for() {
    if !support::root() {
        return;
    }
    let namespace = with_pair("near", "far");
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = support::command(&namespace, PROGRAM);
    command
        .args(["-i", "near", "-t", "0.2"])
        .current_dir(folder.path());
    command.env("HOME", folder.path());
    command.env("XDG_CONFIG_HOME", folder.path());
    let mut pty = Pty::start(&mut command, (200, 30), Control::Controlling);
    pty.wait_for_text("near up tcx");
    send_on(&namespace, "far", 33);
    pty.wait_for_text("10.0.0.2");
    ip(&namespace, "ip link delete near");
    pty.wait_for_text("near gone, waiting");
    pty.press("3");
    pty.wait_for("its totals", |pty| {
        let lines = pty.lines();
        lines
            .iter()
            .any(|line| line.contains("near") && line.contains("33"))
    });
    pty.press("4");
    pty.wait_for_text("near: gone, waiting");
    add_pair(&namespace, "near", "far");
    pty.wait_for_text("near: up, counted by tcx");
    pty.press("q");
    assert_eq!(pty.wait_for_exit(PATIENCE).code(), Some(0));
}
