//! Everything that a run does after it has given up its rights: interfaces that come, rules that change, names, files.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::support::frames::{FrameSender, Udp};
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{self, Flowtop, interface, number, volume};
use super::support::pty::{Control, Pty};
use super::support::{self, root};
use super::{FREE_NUMBERS, readable_folder, set_mode};

/// The user who called sudo, in these tests: nobody whom the system knows.
const CALLER: u32 = 54321;

const ARGUMENTS: [&str; 4] = ["-i", "veth*", "-t", "0.1"];

/// What the kernel says of each thread of a process: its name and the lines of its status.
pub fn threads(process: Pid) -> Vec<(String, String)> {
    let entries = fs::read_dir(format!("/proc/{process}/task")).expect("threads");
    let status = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("a thread").path().join("status");
        let text = fs::read_to_string(path).expect("a status");
        let name = text.lines().next().unwrap_or_default();
        (name.replace("Name:\t", ""), text)
    };
    entries.map(status).collect()
}

/// A line of a status.
pub fn value<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name}")).trim()
}

/// Fails unless all threads are the user's, and have no capability but those of the sampler.
fn assert_given_up(process: Pid, user: u32, of_sampler: u64) {
    let threads = threads(process);
    assert!(threads.iter().any(|(name, _)| name == "sampler"));
    for (name, status) in &threads {
        let ids = [user; 4].map(|id| id.to_string()).join("\t");
        assert_eq!(value(status, "Uid:"), ids, "{name}");
        assert_eq!(value(status, "Gid:"), ids, "{name}");
        assert_eq!(value(status, "Groups:"), "", "{name}");
        assert_eq!(value(status, "NoNewPrivs:"), "1", "{name}");
        assert_eq!(value(status, "Seccomp:"), "2", "{name}");
        let kept = if name == "sampler" { of_sampler } else { 0 };
        for (set, expected) in [
            ("CapEff:", kept),
            ("CapPrm:", kept),
            ("CapInh:", 0),
            ("CapAmb:", 0),
            ("CapBnd:", 0),
        ] {
            let mask = u64::from_str_radix(value(status, set), 16).expect("a mask");
            assert_eq!(mask, expected, "{name}: {set}");
        }
    }
}

/// The number that the run took, which nobody has.
pub fn own_user(run: &mut Flowtop) -> u32 {
    let user = number(&run.record()["kernel"]["privileges"]["uid"]) as u32;
    assert!(FREE_NUMBERS.contains(&user), "{user}");
    user
}

fn ip(pair: &Pair, words: &str) {
    let words: Vec<_> = words.split(' ').collect();
    support::run(&pair.receiver, "ip", &words);
}

fn send(pair: &Pair, port: u16, packets: usize) {
    let frame = Udp::to_port(port).with_payload(vec![0; 58]).frame();
    FrameSender::on(pair).send_in_step(vec![frame.as_slice(); packets]);
}

/// A rule of prefixes, which are kept in a trie, and ports.
fn rules(port: u16) -> String {
    format!(
        r#"{{"RULES": {{"to {port}": "10.0.0.0/24 [10.0.0.1,10.9.0.0/16,fd00::/64] - {port} UDP"}}}}"#
    )
}

/// Starts with a configuration that the user to become can read.
pub fn start(pair: &Pair, prepare: impl FnOnce(&mut Command)) -> Flowtop {
    Flowtop::start_with(&pair.receiver, &rules(5000), &ARGUMENTS, |command| {
        command.env_remove("SUDO_UID");
        prepare(command);
        let config = command.get_args().skip_while(|word| *word != "-c").nth(1);
        let folder = Path::new(config.expect("a configuration")).parent();
        set_mode(folder.expect("a folder"), 0o755);
    })
}

/// Makes the run do all that a run may have to do.
fn exercise(mut run: Flowtop, pair: &Pair, hook: &str) {
    send(pair, 5000, 10);
    run.settle(10);
    // Rules: several changes, so that both banks are written again.
    for (nth, port) in [(2, 5001), (3, 5002), (4, 5003)] {
        run.rename_config(&rules(port));
        run.until("the new rules", |record| {
            record["config"]["generation"] == nth
        });
    }
    // Each of those rules would leave out another number.
    for (port, packets) in [(5000, 3), (5001, 4), (5002, 5), (5003, 7)] {
        send(pair, port, packets);
    }
    run.settle(29);
    let record = run.until("what the new rules leave out", |record| {
        interface(record, RECEIVER_LINK)["filtered"]["packets"] == 12
    });
    assert_eq!(number(&interface(record, RECEIVER_LINK)["packets"]), 29);
    assert_eq!(volume(program::flow_to(record, "udp", 5003)), (7, 700));
    program::assert_adds_up(record);
    // An interface that comes, one that is renamed, one that goes.
    ip(pair, "link add veth7 type veth peer name other7");
    ip(pair, "link set veth7 up");
    let attached = |record: &Value, name: &str| {
        program::interfaces(record).any(|i| i["name"] == name && i["hook"] == hook)
    };
    run.until("the new interface", |record| attached(record, "veth7"));
    ip(pair, "link set veth7 down");
    ip(pair, "link set veth7 name veth8");
    run.until("the new name", |record| attached(record, "veth8"));
    ip(pair, "link delete veth8");
    run.until("its end", |record| {
        interface(record, "veth8")["state"] == "gone"
    });
    // Totals from zero.
    run.signal(Signal::SIGUSR2);
    run.until("zero", |record| {
        interface(record, RECEIVER_LINK)["packets"] == 0
    });
    let ended = run.finish();
    for refused in ["not permitted", "denied", "rules: "] {
        assert!(!ended.errors.contains(refused), "{}", ended.errors);
    }
}

#[test]
fn on_tcx_nothing_is_kept_and_everything_goes_on() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = start(&pair, |_| {});
    let user = own_user(&mut run);
    assert_given_up(run.pid(), user, 0);
    let said = &run.record()["kernel"]["privileges"];
    assert_eq!(
        *said,
        json!({"user": user.to_string(), "uid": user, "groups": [], "capabilities": [],
            "no_new_privileges": true, "landlock": "full", "seccomp": true})
    );
    exercise(run, &pair, "tcx");
}

#[test]
fn on_clsact_the_sampler_keeps_what_filters_need_and_says_so() {
    if !root() {
        return;
    }
    const CAP_NET_ADMIN: u64 = 1 << 12;
    let pair = Pair::quiet();
    let mut run = start(&pair, |command| _ = command.env("FLOWTOP_CLSACT", "1"));
    let user = own_user(&mut run);
    assert_given_up(run.pid(), user, CAP_NET_ADMIN);
    let said = &run.record()["kernel"]["privileges"];
    assert_eq!(said["capabilities"], json!(["CAP_NET_ADMIN"]));
    exercise(run, &pair, "clsact");
    let left = support::run(
        &pair.receiver,
        "tc",
        &["filter", "show", "dev", "veth1", "ingress"],
    );
    assert_eq!(left, "");
}

#[test]
fn under_sudo_the_run_is_the_callers() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let run = start(&pair, |command| {
        command.env("SUDO_UID", CALLER.to_string());
        let config = command.get_args().skip_while(|word| *word != "-c").nth(1);
        chown(config.expect("a configuration"), Some(CALLER), Some(CALLER)).expect("chown");
    });
    assert_given_up(run.pid(), CALLER, 0);
    // A file that root puts in its place is believed, too.
    exercise(run, &pair, "tcx");
}

#[test]
fn nobody_of_the_same_user_may_look_into_the_process() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = start(&pair, |_| {});
    let user = own_user(&mut run);
    // Of a /proc of its own: this machine's may hide the processes of others (hidepid).
    let mount = "mount -t proc -o hidepid=0 proc /proc && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", mount, "sh", "setpriv"]);
    command.args(["--reuid", "--regid"].map(|option| format!("{option}={user}")));
    command.args(["--clear-groups", "dd", "count=1", "status=none"]);
    command.arg(format!("if=/proc/{}/mem", run.pid()));
    let output = command.output().expect("dd");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("Permission denied"), "{said}");
}

/// The demo on a screen, by somebody who called sudo, in a folder of his own; `first` is done by a shell before.
pub fn dashboard(folder: &Path, first: &str) -> Pty {
    let mut command = Command::new("unshare");
    let script = format!("{first}\nexec \"$0\" --demo -c config.json");
    command.args([
        "--mount",
        "sh",
        "-c",
        &script,
        env!("CARGO_BIN_EXE_flowtop"),
    ]);
    command.current_dir(folder).env("HOME", folder);
    command.env("SUDO_UID", CALLER.to_string());
    command
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("SSH_CONNECTION");
    let mut pty = Pty::start(&mut command, (160, 40), Control::Controlling);
    pty.wait_for_text("192.0.2.2:40010");
    pty
}

/// A folder of the caller's, with a configuration.
pub fn folder_of_caller() -> tempfile::TempDir {
    let folder = readable_folder();
    let config = folder.path().join("config.json");
    fs::write(&config, "{}").expect("write");
    for path in [folder.path(), &config] {
        chown(path, Some(CALLER), Some(CALLER)).expect("chown");
    }
    folder
}

#[test]
fn the_dashboard_finds_names_reads_and_writes_as_the_caller() {
    if !root() {
        return;
    }
    let folder = folder_of_caller();
    fs::write(folder.path().join("hosts"), "192.0.2.2 sender.example\n").expect("write");
    let mut pty = dashboard(folder.path(), "mount --bind hosts /etc/hosts");
    pty.press("n");
    pty.wait_for_text("sender.example:40010");
    pty.press("n");
    pty.wait_for_text("192.0.2.2:40010");
    // A histogram is made in the kernel for whoever is looked at, and given back.
    pty.press("Enter");
    pty.wait_for("a histogram", |pty| pty.text().contains("max "));
    pty.press("Esc");
    pty.wait_until_gone("max ");
    pty.press("b");
    pty.wait_for_text("bit/s");
    pty.press("w");
    pty.wait_for_text("view written to config.json");
    pty.press("e");
    pty.wait_for_text(" flows and ");
    fs::write(folder.path().join("config.json"), "{\"THEME\": \"light\"}").expect("write");
    pty.wait_for_text("configuration: ");
    pty.press("4");
    pty.wait_for_text("goes on as user 54321, no capability, no new privileges");
    pty.press("q");
    assert!(pty.wait_for_exit(Duration::from_secs(10)).success());
    pty.assert_restored();
    let written = fs::read_dir(folder.path()).expect("folder").flatten();
    let owners: Vec<_> = written
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("flowtop-"))
        .map(|entry| entry.metadata().expect("metadata").uid())
        .collect();
    assert_eq!(owners, [CALLER; 2], "two files, and both the caller's");
}

#[test]
fn what_may_not_be_written_any_more_is_said_and_the_dashboard_goes_on() {
    if !root() {
        return;
    }
    let folder = folder_of_caller();
    for path in [folder.path(), &folder.path().join("config.json")] {
        chown(path, Some(0), Some(0)).expect("chown");
    }
    let mut pty = dashboard(folder.path(), "");
    // The view has to differ from what the file says.
    pty.press("b");
    pty.wait_for_text("bit/s");
    for key in ["e", "w"] {
        pty.press(key);
        pty.wait_for("why not", |pty| {
            let words = pty.text().split_whitespace().collect::<Vec<_>>().join(" ");
            words.contains("(flowtop goes on as user 54321, who may not write there; a new folder")
        });
        pty.press("?");
        pty.wait_for_text("a row up");
        pty.press("Esc");
        pty.wait_until_gone("a row up");
    }
    pty.press("q");
    assert!(pty.wait_for_exit(Duration::from_secs(10)).success());
    assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
}

#[test]
fn without_sudo_root_gets_exports_and_views_in_a_folder_that_is_made_for_them() {
    if !root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command
        .current_dir(folder.path())
        .env("HOME", folder.path());
    command.args(["--demo", "--user", "54321", "--export-dir", "exports"]);
    for variable in ["SUDO_UID", "XDG_CONFIG_HOME", "SSH_CONNECTION"] {
        command.env_remove(variable);
    }
    let mut pty = Pty::start(&mut command, (160, 40), Control::Controlling);
    pty.wait_for_text("192.0.2.2:40010");
    pty.press("e");
    pty.wait_for_text(" flows and ");
    pty.press("b");
    pty.wait_for_text("bit/s");
    pty.press("w");
    pty.wait_for_text("to start with it: flowtop -c ");
    pty.press("q");
    assert!(pty.wait_for_exit(Duration::from_secs(10)).success());
    let names = |path: &Path| -> Vec<String> {
        let entries = fs::read_dir(path).expect("a folder").flatten();
        let mut names: Vec<_> = entries
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(folder.path()), ["exports"]);
    let exports = folder.path().join("exports");
    let made = names(&exports);
    // A second may have passed between the two that the export key made.
    let (exported, views): (Vec<_>, Vec<_>) =
        made.iter().partition(|name| name.starts_with("flowtop-"));
    let has = |ending| exported.iter().any(|name| name.ends_with(ending));
    assert!(
        exported.len() == 2 && has(".csv") && has(".json"),
        "{made:?}"
    );
    let [view] = views[..] else {
        panic!("{made:?}");
    };
    let text = fs::read_to_string(exports.join(view)).expect("the view");
    assert!(text.contains("\"UNIT\": \"bits\""), "{text}");
    for path in std::iter::once(exports.clone()).chain(made.iter().map(|name| exports.join(name))) {
        let metadata = fs::metadata(&path).expect("metadata");
        assert_eq!(
            (metadata.uid(), metadata.mode() & 0o077),
            (54321, 0),
            "{path:?}"
        );
    }
}
