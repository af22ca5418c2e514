//! What the service writes, by the command line of its unit: records and files of a bounded size, as another user.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use flowtop::cli::{Arguments, Invocation};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::support::Background;
use super::support::frames::{FrameSender, Udp};
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{assert_adds_up, flows, interface, volume};
use super::{DEBIAN_PACKAGE, Machine, as_the_service, path, source, support};

/// The words that the unit starts, with these values in place of those in its environment.
fn words(replaced: &[(&str, &str)]) -> Vec<String> {
    let unit = fs::read_to_string(source("packaging/flowtop.service")).expect("the unit");
    let values = |key: &'static str| unit.lines().filter_map(move |line| line.strip_prefix(key));
    let value_of = |name: &str| {
        let mut given = replaced.iter().filter(|(other, _)| *other == name);
        let given = given.next().map(|(_, value)| (*value).to_owned());
        let prefix = format!("\"{name}=");
        let mut own = values("Environment=").filter_map(|text| text.strip_prefix(&prefix));
        given.unwrap_or_else(|| {
            own.next()
                .expect("a variable")
                .trim_end_matches('"')
                .to_owned()
        })
    };
    let line = values("ExecStart=").next().expect("a command");
    let words = line.split(' ').map(|word| match word.strip_prefix('$') {
        Some(name) => value_of(name),
        None => word.to_owned(),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn its_records_and_files_are_bounded_by_themselves() {
    let read = Arguments::read(words(&[]).into_iter().map(Into::into));
    let Ok(Invocation::Run(arguments)) = read else {
        panic!("{read:?}");
    };
    let output = arguments.output;
    let rotation = output.rotate.expect("a bound for files");
    assert!(output.json && output.top.is_some_and(|most| most <= 1000));
    assert!(rotation.size * u64::from(rotation.files) <= 1_000_000_000);
    assert_eq!(output.file, Some("/var/log/flowtop/flowtop.jsonl".into()));
    // Unless RECORD says otherwise: a gigabyte or a week, whichever is less.
    assert_eq!(arguments.overrides.record, Some("/var/lib/flowtop".into()));
}

#[test]
fn a_flood_of_flows_fills_so_many_files_and_no_more_and_nothing_is_missing() {
    if !support::root() {
        return;
    }
    let machine = Machine::new();
    machine.dpkg(&["--install", path(&DEBIAN_PACKAGE)]);
    // As systemd makes it for a user of its own.
    let folders = "for folder in log lib; do \
                   install -d -m 750 -o 65534 -g 65534 /var/$folder/private/flowtop && \
                   ln -s private/flowtop /var/$folder/flowtop && chmod 711 /var/$folder/private || exit 1; done";
    machine.run(&["sh", "-c", folders]);
    let pair = Pair::quiet();
    let options = format!("--throughput-interval 0.1 -i {RECEIVER_LINK}");
    let mut command = as_the_service(&machine, &pair);
    command.args(words(&[
        ("BOUNDS", "--top 2 --rotate 8K:3"),
        ("OPTIONS", &options),
    ]));
    let mut run = Background::spawn(command.stdin(Stdio::null()));
    let logs = machine.holder.path("/var/log/private/flowtop".as_ref());
    let file = |name: &str| logs.join(name);
    let names = ["flowtop.jsonl.2", "flowtop.jsonl.1", "flowtop.jsonl"];
    // A record is of a hook that is there.
    support::clock::wait_for("a record", || {
        file(names[2]).metadata().is_ok_and(|file| file.len() > 0)
    });
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut sent = 0;
    while !file(names[0]).exists() {
        assert!(Instant::now() < deadline, "there are no three files");
        let frame = Udp::to_port(1000 + sent).with_payload(vec![0; 58]).frame();
        FrameSender::on(&pair).send_in_step([frame.as_slice()]);
        sent += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    kill(Pid::from_raw(run.0.id() as i32), Signal::SIGTERM).expect("kill");
    assert_eq!(run.0.wait().expect("wait").code(), Some(0));
    assert_eq!(fs::read_dir(file("")).expect("a folder").count(), 3);
    let mut last = Value::Null;
    for name in names {
        let text = fs::read_to_string(file(name)).expect("records");
        assert!(text.len() <= 8000 && text.ends_with('\n'), "{name}");
        for line in text.lines() {
            last = serde_json::from_str(line).expect("a record");
            assert!(flows(&last).count() <= 2, "{last:#}");
        }
    }
    assert_adds_up(&last);
    let counted = volume(interface(&last, RECEIVER_LINK)).0;
    assert!(sent > 2, "all flows are in each record");
    assert_eq!(counted, u64::from(sent));
    assert_all_is_recorded(&machine, u64::from(sent));
}

/// What no file of records has any more is in the recording.
fn assert_all_is_recorded(machine: &Machine, sent: u64) {
    let replay = ["flowtop", "replay", "/var/lib/flowtop", "--json"];
    let replayed = machine.run(&replay);
    let last = replayed.lines().next_back().expect("a record");
    let last: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(flows(&last).count(), sent as usize);
    assert_eq!(volume(interface(&last, RECEIVER_LINK)).0, sent);
    let report = machine.run(&["flowtop", "doctor"]);
    let mut lines = report.lines();
    let line = lines.find_map(|line| line.strip_prefix("recordings "));
    let line = line.expect("what is recorded").trim_start();
    assert!(
        line.starts_with("/var/lib/flowtop: 1 run since 2"),
        "{line}"
    );
}
