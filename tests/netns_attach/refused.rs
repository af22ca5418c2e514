//! Interfaces that cannot be attached to: they are told once and tried again, and end only a run that is for nothing else.

use flowtop::netns::Namespace;
use serde_json::Value;

use super::links::{add_pair, all_named, batch, silence, waits_for};
use super::others::{Names, no_name_left};
use super::support::frames::{FrameSender, Udp};
use super::support::program::{self, Flowtop, interface, interfaces};
use super::{ip, support};

/// What is said of the last one of [`nine_links`].
const NO_ROOM: &str =
    "flowtop: attach to same8: there is no room left for the totals of another interface\n";

/// A namespace with nine links whose totals can only be in the same eight places.
fn nine_links() -> Namespace {
    let namespace = Namespace::create().expect("make a namespace");
    silence(&namespace);
    let line = |n: u32| {
        let index = 5000 + 1024 * n;
        format!("link add same{n} index {index} group 9 type veth peer name peer{n} group 9\n")
    };
    batch(&namespace, &(0..9).map(line).collect::<String>());
    ip(&namespace, "ip link set group 9 up");
    namespace
}

fn has_hook(record: &Value, name: &str) -> bool {
    all_named(record, name).any(|i| i["hook"].is_string())
}

#[test]
fn a_link_of_a_glob_that_there_is_no_room_for_is_told_once_and_watched_when_there_is() {
    if !support::root() {
        return;
    }
    let namespace = nine_links();
    let mut run = Flowtop::start(&namespace, "{}", &["-i", "same*", "-t", "0.1"]);
    assert_eq!(interfaces(run.record()).count(), 8);
    // Drops, which no event tells, show that the links were listed, and with that the ninth tried, again.
    let mut frame = Udp::to_port(5000).frame();
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    let sender = FrameSender::open(&namespace, "peer0");
    let drops = |record: &Value| interface(record, "same0")["device_drops"].as_u64();
    for _ in 0..3 {
        let before = drops(run.record());
        sender.send(&frame);
        run.until("the device's drops", |record| drops(record) > before);
    }
    ip(&namespace, "ip link delete same3");
    run.until("the ninth", |record| has_hook(record, "same8"));
    assert_eq!(run.finish().errors, NO_ROOM);
}

#[test]
fn a_link_that_was_asked_for_by_its_name_and_cannot_be_attached_to_ends_the_run() {
    if !support::root() {
        return;
    }
    let namespace = nine_links();
    let output = program::run_to_end(&namespace, &["--json", "-i", "same*,same8"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), NO_ROOM);
    assert_eq!(output.status.code(), Some(1));
}

/// No link comes, goes or changes when what stood in the way is gone.
#[test]
fn a_link_that_could_not_be_attached_to_is_tried_again() {
    if !support::root() {
        return;
    }
    let namespace = Namespace::create().expect("make a namespace");
    silence(&namespace);
    let arguments = ["-i", "wan*", "-t", "0.1"];
    let mut run = Flowtop::start_with(&namespace, "{}", &arguments, |command| {
        command.env("FLOWTOP_CLSACT", "1");
    });
    let names = Names::hold(&namespace, 0xf107..0xf107 + 64);
    add_pair(&namespace, "wan0", "far");
    let refused = no_name_left("wan0");
    super::wait_for("a refusal", || run.said().contains(&refused));
    names.let_go();
    run.until("a hook", |record| has_hook(record, "wan0"));
    assert_eq!(run.finish().errors, waits_for("wan*") + &refused);
}
