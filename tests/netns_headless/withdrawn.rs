//! Rules that the kernel does not take at a reload: the configuration of before goes on as a whole, and that is said.

use serde_json::Value;

use super::send;
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{self, Flowtop, interface, number, volume};
use super::support::{self, seccomp};

/// What bpf(2) is told to remove an entry of a map.
const MAP_DELETE: u32 = 3;

/// Packets of a pair's sender to this port are flows. Each length is a prefix of its own: a configuration of another one
/// has to remove that of the last but one, which had the same half of the maps.
fn only(port: u16, length: u8, threshold: u32) -> String {
    format!(
        r#"{{"RULES": {{"to {port}": "0.0.0.0/{length} - - {port} UDP"}}, "SEQUENCE_THRESHOLD": {threshold}}}"#
    )
}

fn generation(record: &Value) -> u64 {
    number(&record["config"]["generation"])
}

/// Sends three packets to each of two ports, of which only this one has a rule.
fn assert_counts_only(run: &mut Flowtop, pair: &Pair, port: u16) {
    let figures = |record: &Value| {
        let all = interface(record, RECEIVER_LINK);
        let flow = program::flows(record).find(|flow| flow["destination_port"] == port);
        let packets = flow.map_or(0, |flow| number(&flow["packets"]));
        (volume(all).0, volume(&all["filtered"]).0, packets)
    };
    let before = figures(run.record());
    for to in [5000, 5001] {
        send(pair, to, 0..3);
    }
    run.settle(before.0 + 6);
    let record = run.record();
    let expected = (before.0 + 6, before.1 + 3, before.2 + 3);
    assert_eq!(figures(record), expected, "{record:#}");
    program::assert_adds_up(record);
}

#[test]
fn rules_that_cannot_be_written_leave_the_configuration_of_before_in_force() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let arguments = ["-i", RECEIVER_LINK, "-t", "0.1"];
    let mut run = Flowtop::start_with(&pair.receiver, &only(5000, 1, 3), &arguments, |command| {
        seccomp::answer(command, libc::SYS_bpf, Some(MAP_DELETE), libc::EPERM);
    });
    run.rename_config(&only(5001, 2, 3));
    run.until("the second one", |record| generation(record) == 2);
    run.rename_config(&only(5000, 3, 4));
    let record = run.until("the error", |record| !record["config"]["error"].is_null());
    let error = "put the rules in force: remove the former rules: \
        Operation not permitted (os error 1) (the former ones stay)";
    assert_eq!(record["config"]["error"], error);
    assert_eq!(generation(record), 2);
    assert_counts_only(&mut run, &pair, 5001);
    let record = run.record();
    assert_eq!(
        (generation(record), &record["config"]["error"]),
        (2, &error.into()),
        "for as long as the file says so"
    );
    // What is in force is in the file again; then something that the kernel takes: nothing has to be removed for it.
    run.rename_config(&only(5001, 2, 3));
    let record = run.until("its mending", |record| record["config"]["error"].is_null());
    assert_eq!(generation(record), 2);
    let both = only(5000, 1, 3).replace(r#"UDP"}"#, r#"UDP", "z": "0.0.0.0/3 - - 9 UDP"}"#);
    run.rename_config(&both);
    run.until("the third one", |record| generation(record) == 3);
    assert_counts_only(&mut run, &pair, 5000);
    let ended = run.finish();
    assert!(
        ended.errors.contains(&format!("flowtop: {error}\n")),
        "{}",
        ended.errors
    );
}
