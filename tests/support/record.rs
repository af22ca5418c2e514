//! What stands in a record of the program.

use serde_json::Value;

/// A count in a record.
pub fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("a count, not {value}"))
}

/// The interfaces of a record.
pub fn interfaces(record: &Value) -> impl Iterator<Item = &Value> {
    record["interfaces"].as_array().expect("interfaces").iter()
}

/// The flows of a record.
pub fn flows(record: &Value) -> impl Iterator<Item = &Value> {
    record["flows"].as_array().expect("flows").iter()
}

/// An interface by name.
pub fn interface<'a>(record: &'a Value, name: &str) -> &'a Value {
    interfaces(record)
        .find(|interface| interface["name"] == name)
        .unwrap_or_else(|| panic!("no interface {name} in {record:#}"))
}

/// The one flow of this protocol to this port.
pub fn flow_to<'a>(record: &'a Value, protocol: &str, port: u16) -> &'a Value {
    only(record, |flow| {
        flow["protocol"] == protocol && flow["destination_port"] == port
    })
}

/// The one flow that is as wanted.
pub fn only(record: &Value, wanted: impl Fn(&Value) -> bool) -> &Value {
    let found: Vec<_> = flows(record).filter(|flow| wanted(flow)).collect();
    let [flow] = found[..] else {
        panic!("{} flows instead of one: {record:#}", found.len());
    };
    flow
}

/// Packets and bytes of a part of an interface, or of a flow.
pub fn volume(value: &Value) -> (u64, u64) {
    (number(&value["packets"]), number(&value["bytes"]))
}

/// On each interface: flows and everything beside them are what the hook saw, in packets and in bytes.
pub fn assert_adds_up(record: &Value) {
    for interface in interfaces(record) {
        let of_flows = flows(record)
            .filter(|flow| flow["interface"] == interface["name"])
            .map(volume);
        let beside = ["ended", "other", "filtered", "untracked", "malformed"]
            .into_iter()
            .map(|part| volume(&interface[part]))
            .chain(
                ["unlisted", "cut_off"]
                    .into_iter()
                    .filter_map(|part| interface.get(part))
                    .map(volume),
            );
        let sum = of_flows
            .chain(beside)
            .fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        assert_eq!(sum, volume(interface), "parts and whole: {interface:#}");
        assert_eq!(sum, volume(&interface["seen"]), "parts and hook");
    }
}
