//! Records that list the first flows of an order or of a filter: the others are in the remainder.

use serde_json::Value;

use super::support;
use super::support::frames::{FrameSender, Udp};
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{self, Flowtop, flows, interface, number, volume};

#[test]
fn a_run_lists_the_first_flows_and_each_of_its_records_adds_up() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let config = r#"{"SORT": "-packets", "PATTERN": "0xFFFFFFFF", "OFFSET": 0}"#;
    let arguments = ["-i", RECEIVER_LINK, "-t", "0.1", "--top", "5"];
    let mut run = Flowtop::start(&pair.receiver, config, &arguments);
    let mut sent = 0;
    for _ in 0..3 {
        for flow in 1..=20 {
            // One number is missing in each burst.
            let frames: Vec<_> = (0..=flow)
                .filter(|number| *number != 1)
                .map(|number| {
                    Udp::to_port(5000 + flow as u16)
                        .with_number(number, 0, 58)
                        .frame()
                })
                .collect();
            FrameSender::on(&pair).send_in_step(frames.iter().map(Vec::as_slice));
            sent += u64::from(flow);
        }
        run.settle(sent);
        program::assert_adds_up(run.record());
    }
    let record = run.last_record();
    assert_eq!(volume(interface(&record, RECEIVER_LINK)), (630, 63_000));
    let ports: Vec<_> = flows(&record)
        .map(|flow| number(&flow["destination_port"]))
        .collect();
    assert_eq!(ports, [5020, 5019, 5018, 5017, 5016]);
    let rest = &record["remainder"];
    let packets = 3 * (1..=15).sum::<u64>();
    assert_eq!(
        (number(&rest["flows"]), volume(rest)),
        (15, (packets, packets * 100))
    );
    assert_eq!(rest["payload_bytes"], packets * 58);
    assert_eq!(rest["sequence"]["received"], packets);
    assert_eq!(rest["sequence_tcp"], Value::Null);
}

#[test]
fn a_run_lists_the_flows_of_its_filter_in_its_order_and_its_records_add_up() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let config = r#"{"SORT": "-packets"}"#;
    let filter = "udp and (dport > 5018 or port 5003)";
    let arguments = [
        "-i",
        RECEIVER_LINK,
        "-t",
        "0.1",
        "--filter",
        filter,
        "--sort",
        "packets",
    ];
    let mut run = Flowtop::start(&pair.receiver, config, &arguments);
    for flow in 1..=20 {
        let port = Udp::to_port(5000 + flow);
        let frames: Vec<_> = (0..flow).map(|_| port.clone().frame()).collect();
        FrameSender::on(&pair).send_in_step(frames.iter().map(Vec::as_slice));
    }
    run.settle(210);
    program::assert_adds_up(run.record());
    let record = run.last_record();
    let ports: Vec<_> = flows(&record)
        .map(|flow| number(&flow["destination_port"]))
        .collect();
    assert_eq!(ports, [5003, 5019, 5020]);
    let rest = &record["remainder"];
    assert_eq!(
        (number(&rest["flows"]), volume(rest).0),
        (17, 210 - 3 - 19 - 20)
    );
    assert_eq!(volume(interface(&record, RECEIVER_LINK)).0, 210);
}
