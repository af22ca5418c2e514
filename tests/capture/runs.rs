//! The program on captures: what it says, and how it ends.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::NamedTempFile;

use crate::write::{
    Order, block, enhanced, gzip, interface, options, pcap, record, section, told_of, udp, zstd,
};

/// A file with a capture in it.
pub struct File(NamedTempFile);

impl File {
    pub fn of(bytes: &[u8]) -> File {
        let mut file = NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("write");
        File(file)
    }

    pub fn path(&self) -> &str {
        self.0.path().to_str().expect("UTF-8")
    }
}

/// What became of a run.
pub struct Run {
    pub records: Vec<Value>,
    pub output: String,
    pub errors: String,
    pub code: Option<i32>,
}

impl Run {
    pub fn of(arguments: &[&str]) -> Run {
        Run::with_input(arguments, b"")
    }

    /// With these bytes for standard input, which nobody may want.
    pub fn with_input(arguments: &[&str], input: &[u8]) -> Run {
        let home = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
        command.current_dir(home.path()).env("HOME", home.path());
        command.env("XDG_CONFIG_HOME", home.path());
        command.args(arguments);
        let piped = [Command::stdin, Command::stdout, Command::stderr];
        for stream in piped {
            stream(&mut command, Stdio::piped());
        }
        let mut child = command.spawn().expect("flowtop");
        let mut stdin = child.stdin.take().expect("standard input");
        let output = std::thread::scope(|scope| {
            // Refused: it has ended.
            scope.spawn(move || stdin.write_all(input).is_ok());
            child.wait_with_output().expect("flowtop")
        });
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let is_json = arguments.contains(&"--json");
        let lines = text.lines().filter(|_| is_json);
        Run {
            records: lines
                .map(|line| serde_json::from_str(line).expect(line))
                .collect(),
            output: text.clone(),
            errors: String::from_utf8(output.stderr).expect("UTF-8"),
            code: output.status.code(),
        }
    }

    fn last(&self) -> &Value {
        self.records
            .last()
            .unwrap_or_else(|| panic!("no record: {}", self.errors))
    }
}

/// Packets of all interfaces of a record.
pub fn packets(record: &Value) -> u64 {
    let interfaces = record["interfaces"].as_array().expect("interfaces");
    interfaces
        .iter()
        .filter_map(|it| it["seen"]["packets"].as_u64())
        .sum()
}

/// Two flows, the second of which loses five of its numbers; a millisecond between packets.
fn capture() -> Vec<u8> {
    let order = Order::Little;
    let mut file = pcap(order, 0xa1b2_c3d4, 1);
    let lost = |number: u32| (100..105).contains(&number);
    for number in (0..1000u32).filter(|number| !lost(number / 2) || number % 2 == 0) {
        let ports = (4000 + number as u16 % 2, 5000);
        let frame = udp(ports, &(number / 2).to_be_bytes());
        let time = (1_700_000_000, number * 1000);
        file.extend(record(order, time, frame.len() as u32, &frame, 0));
    }
    file
}

const WITH_NUMBERS: &str = r#"{"RULES": {"numbers": {"match": "- - - 5000 UDP", "OFFSET": 0}}}"#;

fn flow(record: &Value, port: u16) -> &Value {
    let flows = record["flows"].as_array().expect("flows");
    let is_it = |flow: &&Value| flow["source_port"] == port;
    flows
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("{record:#}"))
}

#[test]
fn files_of_any_kind_and_streams_give_the_same_record() {
    let plain = capture();
    let config = File::of(WITH_NUMBERS.as_bytes());
    let mut said = Vec::new();
    for bytes in [plain.clone(), gzip(&plain), zstd(&plain)] {
        let file = File::of(&bytes);
        let arguments = ["--json", "-c", config.path(), "-r"];
        let of_file = Run::of(&[&arguments[..], &[file.path()]].concat());
        let of_stream = Run::with_input(&[&arguments[..], &["-"]].concat(), &bytes);
        for run in [of_file, of_stream] {
            assert_eq!((run.code, &*run.errors), (Some(0), ""));
            let record = run.last();
            assert_eq!(packets(record), 995);
            assert_eq!(flow(record, 4000)["packets"], 500);
            assert_eq!(flow(record, 4000)["sequence"]["lost"], 0);
            assert_eq!(flow(record, 4001)["packets"], 495);
            assert_eq!(flow(record, 4001)["sequence"]["lost"], 5);
            assert_eq!(record["capture"]["packets"], 995);
            assert_eq!(record["capture"]["truncated"], false);
            assert_eq!(record["interfaces"][0]["hook"], "capture");
            let mut record = record.clone();
            record["capture"]["bytes_read"] = Value::Null;
            // Another user for each run, and another order in the table.
            record["kernel"]["privileges"] = Value::Null;
            let flows = record["flows"].as_array_mut().expect("flows");
            flows.sort_by_key(|flow| flow["source_port"].as_u64());
            said.push(record);
        }
    }
    assert!(said.iter().all(|record| *record == said[0]));
}

#[test]
fn a_checksum_that_a_packet_tells_of_is_no_part_of_it() {
    for order in [Order::Little, Order::Big] {
        // The last four bytes are one for the interface, but for packets that tell another length; 0 is not told.
        let frame = [udp((4000, 9), &[7; 101]), vec![1; 4]].concat();
        let mut file = [section(order), interface(order, 1, 0, &[(13, &[4])])].concat();
        for (second, (flags, length)) in
            (0_u64..).zip([(None, 4), (Some(0), 4), (Some(2), 2), (Some(4), 4)])
        {
            let flags: Option<u32> = flags.map(|length| length << 5 | 1);
            let flags = flags.map(|flags| order.u32(flags));
            let told: Vec<(u16, &[u8])> = flags.iter().map(|flags| (2, &flags[..])).collect();
            let of_packet = &frame[..frame.len() - 4 + length];
            let stamp = second * 1_000_000;
            file.extend(told_of(order, stamp, of_packet, &told));
        }
        let run = Run::of(&["--json", "-r", File::of(&file).path()]);
        assert_eq!((run.code, &*run.errors), (Some(0), ""));
        let flow = flow(run.last(), 4000);
        assert_eq!(
            (&flow["packets"], &flow["bytes"]),
            (&4.into(), &(4 * 143).into())
        );
    }
}

#[test]
fn the_last_record_is_as_of_the_last_packet() {
    // Seconds of packets, the length of the interval and of the last record; the tenth of a refresh is the least.
    for (seconds, interval, last) in [
        (&[0, 1, 2, 3][..], "10", 3.0),
        (&[0, 1, 2, 3], "2", 1.0),
        (&[0, 10, 13], "10", 3.0),
        (&[0, 10], "10", 0.1),
        (&[0], "0.5", 0.05),
    ] {
        let frame = udp((4000, 9), &[7; 100]);
        let mut file = pcap(Order::Little, 0xa1b2_c3d4, 1);
        for second in seconds {
            file.extend(record(Order::Little, (*second, 0), 142, &frame, 0));
        }
        let run = Run::of(&["--json", "-t", interval, "-r", File::of(&file).path()]);
        assert_eq!(run.code, Some(0), "{}", run.errors);
        let found = run.last()["interval_s"].as_f64().expect("a length");
        assert!((found - last).abs() < 1e-9, "{seconds:?}: {found}");
        assert_eq!(packets(run.last()), seconds.len() as u64);
    }
}

/// Whether a process has a handler of its own for this signal.
fn catches(process: u32, signal: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a status");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = u64::from_str_radix(mask.expect("a mask").trim(), 16).expect("a number");
    mask >> (signal - 1) & 1 != 0
}

#[test]
fn a_stream_that_does_not_begin_holds_up_no_signal() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGQUIT] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
        command.args(["--json", "-r", "-"]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).spawn().expect("flowtop");
        let mut stream = child.stdin.take().expect("standard input");
        let beginning = &pcap(Order::Little, 0xa1b2_c3d4, 1)[..4];
        stream.write_all(beginning).expect("half a header");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !catches(child.id(), signal) {
            assert!(Instant::now() < deadline, "it does not start");
            std::thread::sleep(Duration::from_millis(1));
        }
        // SAFETY: a child that has not been waited for.
        unsafe { libc::kill(child.id() as i32, signal) };
        let status = loop {
            if let Some(status) = child.try_wait().expect("wait") {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().expect("SIGKILL");
                panic!("signal {signal} is held up");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(status.signal(), Some(signal));
        drop(stream);
    }
}

#[test]
fn more_records_than_time_has_are_all_of_them() {
    let file = File::of(&capture());
    let run = Run::of(&[
        "--json",
        "-t",
        "60",
        "--count",
        "307445735",
        "-r",
        file.path(),
    ]);
    assert_eq!((run.code, packets(run.last())), (Some(0), 995));
}

#[test]
fn text_is_the_same_table_as_live() {
    let file = File::of(&capture());
    let run = Run::of(&["-r", file.path(), "--text"]);
    assert_eq!((run.code, &*run.errors), (Some(0), ""));
    assert!(run.output.contains("if0  up  capture"), "{}", run.output);
    assert!(run.output.contains("10.0.0.2:4000"), "{}", run.output);
}

#[test]
fn a_capture_that_is_cut_counts_what_is_there_and_says_so() {
    let whole = capture();
    let file = File::of(&whole[..whole.len() - 3]);
    let run = Run::of(&["-r", file.path(), "--json"]);
    assert_eq!(run.code, Some(0));
    assert_eq!(packets(run.last()), 994);
    assert_eq!(run.last()["capture"]["truncated"], true);
    assert_eq!(run.errors.lines().count(), 1, "{}", run.errors);
    assert!(
        run.errors
            .contains("packet 994 is the last one: it ends within a packet"),
        "{}",
        run.errors
    );
}

#[test]
fn what_cannot_be_read_is_one_line_and_nothing_else() {
    let text = File::of(b"# a text\n");
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().to_str().expect("UTF-8");
    for (name, why) in [
        ("/nonexistent/x.pcap", "No such file"),
        (folder, "it is no file"),
        (text.path(), "neither pcap nor pcapng"),
        ("/dev/null", "too short"),
        ("-", "too short"),
    ] {
        let run = Run::of(&["-r", name, "--json"]);
        assert_eq!((run.code, &*run.output), (Some(2), ""), "{name}");
        assert_eq!(run.errors.lines().count(), 1, "{}", run.errors);
        assert!(
            run.errors.starts_with("flowtop: read ") && run.errors.contains(why),
            "{}",
            run.errors
        );
    }
    let run = Run::of(&["-r", text.path(), "--demo"]);
    assert_eq!((run.code, &*run.output), (Some(2), ""));
}

#[test]
fn headers_that_were_not_kept_are_told_from_malformed_ones() {
    let order = Order::Little;
    let frame = udp((4000, 5000), &[7; 100]);
    let mut wrong = frame.clone();
    wrong[14] = 0x44;
    let mut file = pcap(order, 0xa1b2_c3d4, 1);
    for (bytes, length) in [
        (&frame[..], frame.len()),
        (&frame[..42], frame.len()),
        (&frame[..41], frame.len()),
        (&frame[..33], frame.len()),
        (&frame[..13], frame.len()),
        (&frame[..20], 20),
        (&wrong[..], frame.len()),
        (&wrong[..42], frame.len()),
    ] {
        file.extend(record(order, (1, 0), length as u32, bytes, 0));
    }
    let run = Run::of(&["-r", File::of(&file).path(), "--json"]);
    let interface = &run.last()["interfaces"][0];
    let length = frame.len() as u64;
    assert_eq!(interface["cut_off"]["packets"], 3, "{interface:#}");
    assert_eq!(interface["cut_off"]["bytes"], 3 * length);
    assert_eq!(interface["malformed"]["packets"], 3);
    assert_eq!(interface["malformed"]["reasons"]["ip_header_length"], 2);
    let flow = &run.last()["flows"][0];
    assert_eq!(
        (&flow["packets"], &flow["bytes"]),
        (&2.into(), &(2 * length).into())
    );
    assert_eq!(interface["seen"]["packets"], 8);
}

#[test]
fn a_number_beyond_what_was_kept_is_absent() {
    let order = Order::Little;
    let mut file = pcap(order, 0xa1b2_c3d4, 1);
    for number in 0..10u32 {
        let mut payload = b"0123AAAA".to_vec();
        payload.extend(number.to_be_bytes());
        payload.extend([0; 200]);
        let frame = udp((4000, 5000), &payload);
        // The pattern, and in every other packet the number behind it, too.
        let kept = 42 + 8 + 4 * (number as usize % 2);
        let length = frame.len() as u32;
        file.extend(record(order, (1, number), length, &frame[..kept], 0));
    }
    let config = r#"{"RULES": {"numbers": {"match": "- - - 5000 UDP",
        "PATTERN": "0x41414141", "OFFSET": 4}}}"#;
    let config = File::of(config.as_bytes());
    let run = Run::of(&["-r", File::of(&file).path(), "--json", "-c", config.path()]);
    let sequence = &flow(run.last(), 4000)["sequence"];
    assert_eq!(sequence["absent"], 5, "{sequence:#}");
    assert_eq!(sequence["received"], 5);
}

#[test]
fn that_nothing_is_sent_or_recorded_is_told_where_that_is_configured() {
    let text = br#"{"IPFIX": "192.0.2.1:4739", "RECORD": {"folder": "/nowhere"}}"#;
    let config = File::of(text);
    let file = File::of(&capture());
    let run = Run::of(&["-r", file.path(), "--json", "-c", config.path()]);
    assert_eq!(run.code, Some(0));
    assert_eq!(
        run.errors,
        "flowtop: IPFIX: no flow records are sent of a capture\n\
         flowtop: RECORD: a capture is not recorded, as it can be read again\n"
    );
}

/// Two interfaces, one with drops, and one of a link type that is not read.
fn several() -> Vec<u8> {
    let order = Order::Big;
    let frame = udp((4000, 5000), b"payload");
    let length = frame.len() as u32;
    let head = [1u32, 0, 0].map(|number| order.u32(number)).concat();
    let drops = options(order, &[(5, &order.u64(3)), (7, &order.u64(4))]);
    [
        section(order),
        interface(order, 1, 0, &[(2, b"eth0")]),
        interface(order, 101, 0, &[(2, b"tun\x1b[2J0")]),
        interface(order, 105, 0, &[(2, b"wlan0")]),
        enhanced(order, 0, 1_000_000, length, &frame),
        enhanced(order, 1, 1_000_001, length - 14, &frame[14..]),
        enhanced(order, 2, 1_000_002, length, &frame),
        block(order, 5, &[head, drops].concat()),
        enhanced(order, 0, 1_000_003, length, &frame),
        enhanced(order, 9, 1_000_004, length, &frame),
    ]
    .concat()
}

#[test]
fn each_interface_has_its_own_flows_drops_and_link_type() {
    let run = Run::of(&["-r", File::of(&several()).path(), "--json"]);
    let record = run.last();
    let of_each = |what: &str| {
        let all = record["interfaces"].as_array().expect("interfaces");
        all.iter()
            .map(|it| it.pointer(what).cloned())
            .map(Option::unwrap)
            .collect::<Vec<_>>()
    };
    assert_eq!(of_each("/name"), ["eth0", "tun\\u{1b}[2J0", "wlan0"]);
    assert_eq!(of_each("/seen/packets"), [2, 1, 1]);
    assert_eq!(of_each("/other/packets"), [0, 0, 1]);
    assert_eq!(
        of_each("/device_drops"),
        [Value::Null, 7.into(), Value::Null]
    );
    assert_eq!(record["flows"].as_array().map(Vec::len), Some(2));
    assert_eq!(record["capture"]["unplaced"], 1);
    let lines: Vec<&str> = run.errors.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("wlan0: packets of link type 105 (IEEE 802.11)"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains("1 packets are of interfaces"),
        "{lines:?}"
    );
}

#[test]
fn interfaces_are_picked_by_name_and_one_that_is_not_there_is_named() {
    let file = File::of(&several());
    let run = Run::of(&["-r", file.path(), "--json", "-i", "eth*,lo"]);
    let names: Vec<_> = run.last()["interfaces"]
        .as_array()
        .expect("interfaces")
        .iter()
        .collect();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0]["name"], "eth0");
    assert_eq!(packets(run.last()), 2);
    assert_eq!(run.last()["capture"]["packets"], 4);
    assert!(
        run.errors
            .contains("watch lo: no interface in it has this name"),
        "{}",
        run.errors
    );
    assert_eq!(run.code, Some(0));
}

#[test]
fn interfaces_are_picked_by_the_names_that_the_file_has() {
    let order = Order::Little;
    let frame = udp((4000, 5000), b"payload");
    let file = [
        section(order),
        interface(order, 1, 0, &[(2, br"\Device\NPF_{1}")]),
        enhanced(order, 0, 1_000_000, frame.len() as u32, &frame),
    ]
    .concat();
    let file = File::of(&file);
    let run = Run::of(&["-r", file.path(), "--json", "-i", r"\Device\NPF_*"]);
    assert_eq!((run.code, &*run.errors), (Some(0), ""));
    assert_eq!(packets(run.last()), 1);
}

#[test]
fn packets_that_were_joined_before_they_were_captured_are_told_once() {
    let order = Order::Little;
    let mut file = pcap(order, 0xa1b2_c3d4, 1);
    for size in [1400, 9000, 20_000] {
        let frame = udp((4000, 5000), &vec![0; size]);
        file.extend(record(order, (1, 0), frame.len() as u32, &frame, 0));
    }
    let run = Run::of(&["-r", File::of(&file).path(), "--json"]);
    assert_eq!(run.errors.lines().count(), 1, "{}", run.errors);
    assert!(
        run.errors
            .contains("if0: a packet of 9042 bytes: jumbo frames, or packets that were joined"),
        "{}",
        run.errors
    );
}

#[test]
fn a_hundred_thousand_flows_find_room() {
    let order = Order::Little;
    let mut file = pcap(order, 0xa1b2_c3d4, 1);
    for number in 0..200_000u32 {
        let flow = number % 100_000;
        let frame = udp((flow as u16, (flow >> 16) as u16), b"payload");
        file.extend(record(order, (1, number), frame.len() as u32, &frame, 0));
    }
    let run = Run::of(&["-r", File::of(&file).path(), "--json", "--top", "1"]);
    let record = run.last();
    assert_eq!(record["kernel"]["flows_tracked"], 100_000);
    assert_eq!(record["kernel"]["flows_evicted"], 0);
    let interface = &record["interfaces"][0];
    assert_eq!(interface["untracked"]["packets"], 0);
    assert_eq!(record["flows"][0]["packets"], 2);
    assert_eq!(record["remainder"]["packets"], 199_998);
}

#[test]
fn filters_orders_and_limits_are_as_live() {
    let file = File::of(&capture());
    let run = Run::of(&[
        "-r",
        file.path(),
        "--json",
        "--filter",
        "sport:4001",
        "--top",
        "5",
    ]);
    let flows = run.last()["flows"].as_array().expect("flows");
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0]["source_port"], 4001);
    assert_eq!(run.last()["remainder"]["packets"], 500);
}

#[test]
fn no_thread_keeps_a_right() {
    let run = Run::of(&["-r", File::of(&capture()).path(), "--json"]);
    let privileges = &run.last()["kernel"]["privileges"];
    assert_eq!(privileges["capabilities"], Value::Array(Vec::new()));
    assert_eq!(privileges["no_new_privileges"], true);
    assert_ne!(privileges["uid"], 0);
}
