//! iperf3 between two namespaces, and its own report.

use std::process::Stdio;
use std::time::{Duration, Instant};

use flowtop::netns::Namespace;
use serde_json::Value;

use super::support::{self, Background};

/// What both sides say.
#[derive(Debug)]
pub struct Report {
    client: Value,
    server: Value,
}

impl Report {
    /// Runs a server for one test, and a client with these arguments.
    pub fn of(client: &Namespace, server: &Namespace, arguments: &[&str]) -> Report {
        let mut listening = support::command(server, "iperf3");
        listening.args(["-s", "-1", "-J"]).stdout(Stdio::piped());
        let mut listening = Background::spawn(&mut listening);
        wait_for_listener(listening.0.id());
        let client = support::run(client, "iperf3", &[arguments, &["-J"]].concat());
        let mut output = listening.0.stdout.take().expect("standard output");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut output, &mut said).expect("read");
        let parse = |text: &str| serde_json::from_str(text).expect("a report");
        Report {
            client: parse(&client),
            server: parse(&said),
        }
    }

    /// The client's port of the connection that carries the data.
    pub fn client_port(&self) -> u64 {
        let port = &self.client["start"]["connected"][0]["local_port"];
        port.as_u64().expect("a port")
    }

    /// Bytes that the server read.
    pub fn received_bytes(&self) -> u64 {
        let bytes = &self.server["end"]["sum_received"]["bytes"];
        bytes.as_u64().expect("bytes")
    }

    /// Bytes that the client wrote.
    pub fn sent_bytes(&self) -> u64 {
        let bytes = &self.client["end"]["sum_sent"]["bytes"];
        bytes.as_u64().expect("bytes")
    }

    /// Datagrams up to the last one that came, those of them that are lost, and those that came late: as the server
    /// says.
    pub fn datagrams(&self) -> (u64, u64, u64) {
        let udp = &self.server["end"]["streams"][0]["udp"];
        let of = |name: &str| {
            udp[name]
                .as_u64()
                .unwrap_or_else(|| panic!("{name}: {udp}"))
        };
        (of("packets"), of("lost_packets"), of("out_of_order"))
    }
}

/// Returns when a process listens on iperf3's port.
fn wait_for_listener(process: u32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let listens = |table: &str| {
        let path = format!("/proc/{process}/net/{table}");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines()
            .any(|line| line.contains(":1451 ") && line.contains(" 0A "))
    };
    while !listens("tcp6") && !listens("tcp") {
        assert!(Instant::now() < deadline, "iperf3 does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
}
