//! Who a run goes on as: a user that nobody else is, in no group but those that it needs.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::goes_on::{own_user, start, threads, value};
use super::lacks::{RUN, assert_runs, flowtop, refusal};
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{Flowtop, PROGRAM};
use super::support::{self, root};
use super::{FREE_NUMBERS, NOBODY, readable_folder, set_mode};

/// The user who called sudo, and groups: the user's first one and two others.
const CALLER: u32 = 54321;
const READERS: u32 = 54330;
const OTHERS: u32 = 54331;

/// Does it as another user, or fails; returns what it said.
fn do_as(user: u32, words: &[&str]) -> Result<(), String> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).uid(user).gid(user);
    let output = command.output().expect("a command");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn no_process_of_nobody_can_signal_a_run_nor_limit_it() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = start(&pair, |_| {});
    let process = run.pid().to_string();
    for words in [
        &["kill", "-USR2", &process][..],
        &["kill", "-KILL", &process],
        &["prlimit", "--nofile=1:1", "--pid", &process],
    ] {
        let refused = do_as(NOBODY, words).expect_err("it could");
        assert!(refused.contains("not permitted"), "{words:?}: {refused}");
    }
    // What tries it is able to: on a process of its own user it works.
    let mut sleep = Command::new("sleep");
    let mut sleep = support::Background::spawn(sleep.arg("60").uid(NOBODY).gid(NOBODY));
    let own = sleep.0.id().to_string();
    do_as(NOBODY, &["prlimit", "--nofile=9:9", "--pid", &own]).expect("own limits");
    do_as(NOBODY, &["kill", "-TERM", &own]).expect("own signal");
    assert!(!sleep.0.wait().expect("wait").success());
    run.record();
    run.finish();
}

#[test]
fn two_runs_are_two_users() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let [mut one, mut other] = [start(&pair, |_| {}), start(&pair, |_| {})];
    assert_ne!(own_user(&mut one), own_user(&mut other));
}

#[test]
fn a_run_goes_on_as_the_user_that_it_was_told() {
    if !root() {
        return;
    }
    let told = |arguments: &[&str]| {
        let output = flowtop(&[&RUN, arguments].concat()).output();
        assert_runs(&output.expect("flowtop"), "--user")["kernel"]["privileges"].clone()
    };
    let nobody = told(&["--user", "nobody"]);
    assert_eq!(
        (&nobody["user"], &nobody["uid"]),
        (&json!("nobody"), &json!(NOBODY))
    );
    assert_eq!(nobody["groups"], json!([]));
    assert_eq!(told(&["--user", "54321"])["uid"], json!(CALLER));
    for (user, reason) in [
        ("root", "go on as root: that is the superuser again"),
        ("0", "go on as 0: that is the superuser again"),
        ("no-such", "go on as no-such: there is no such user"),
        ("\u{1b}[31m", "go on as \\u{1b}[31m: there is no such user"),
    ] {
        let output = flowtop(&[&RUN[..], &["--user", user]].concat()).output();
        let refused = refusal(&output.expect("flowtop"));
        assert_eq!(refused, (Some(2), reason.to_owned()));
    }
}

#[test]
fn who_is_not_the_superuser_cannot_ask_to_be_another() {
    if !root() {
        return;
    }
    let folder = readable_folder();
    let mut command = Command::new(support::program_in(folder.path(), None));
    command
        .args(RUN)
        .args(["--user", "nobody"])
        .current_dir("/");
    let output = command.uid(CALLER).gid(CALLER).output().expect("flowtop");
    let reason = "go on as nobody: only the superuser can become another user";
    assert_eq!(refusal(&output), (Some(2), reason.to_owned()));
}

/// A run behind lists of users and groups with these lines at their ends, seen by nobody else.
fn run_among(
    pair: &Pair,
    users: &str,
    groups: &str,
    prepare: impl FnOnce(&mut Command),
) -> Flowtop {
    let folder = readable_folder();
    for (list, lines) in [("passwd", users), ("group", groups)] {
        let text = fs::read_to_string(format!("/etc/{list}")).expect("a list") + lines;
        fs::write(folder.path().join(list), text).expect("write");
        set_mode(&folder.path().join(list), 0o644);
    }
    let config = folder.path().join("config.json");
    fs::write(&config, "{}").expect("write");
    let mut command = support::command(&pair.receiver, "unshare");
    let script =
        "mount --bind passwd /etc/passwd && mount --bind group /etc/group && exec \"$0\" \"$@\"";
    command.args(["--mount", "sh", "-c", script, PROGRAM]);
    command.args(["--json", "-t", "0.1", "-i", RECEIVER_LINK, "-c"]);
    command.arg(config).current_dir(folder.path());
    command.env_remove("SUDO_UID");
    prepare(&mut command);
    Flowtop::from_command(&mut command, folder)
}

fn privileges(run: &mut Flowtop) -> Value {
    run.record()["kernel"]["privileges"].clone()
}

#[test]
fn where_there_is_a_user_flowtop_a_run_is_his() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let users = "flowtop:x:54399:54398::/nonexistent:/usr/sbin/nologin\n";
    let mut run = run_among(&pair, users, "flowtop:x:54398:\n", |_| {});
    let told = privileges(&mut run);
    assert_eq!(
        (&told["user"], &told["uid"]),
        (&json!("flowtop"), &json!(54399))
    );
    for (name, status) in threads(run.pid()) {
        assert_eq!(value(&status, "Gid:"), ["54398"; 4].join("\t"), "{name}");
    }
    run.finish();
}

#[test]
fn of_the_callers_groups_only_that_one_stays_which_reads_the_configuration() {
    if !root() {
        return;
    }
    let pair = Pair::quiet();
    let users = format!("caller:x:{CALLER}:{CALLER}::/nonexistent:/bin/sh\n");
    let groups =
        format!("caller:x:{CALLER}:\nreaders:x:{READERS}:caller\nothers:x:{OTHERS}:caller\n");
    for (mode, group, kept, capabilities) in [
        (0o644, READERS, json!([]), json!([])),
        (0o640, READERS, json!(["readers"]), json!([])),
        (0o640, CALLER, json!([]), json!([])),
        (0o600, READERS, json!([]), json!(["CAP_DAC_READ_SEARCH"])),
    ] {
        let mut run = run_among(&pair, &users, &groups, |command| {
            command.env("SUDO_UID", CALLER.to_string());
            let words = command.get_args().skip_while(|word| *word != "-c");
            let config = words.last().expect("a configuration");
            chown(config, Some(0), Some(group)).expect("chown");
            set_mode(config.as_ref(), mode);
        });
        let told = privileges(&mut run);
        let what = format!("{mode:o} of {group}: {told}");
        assert_eq!(
            (&told["user"], &told["uid"]),
            (&json!("caller"), &json!(CALLER))
        );
        assert_eq!(told["groups"], kept, "{what}");
        assert_eq!(told["capabilities"], capabilities, "{what}");
        for (name, status) in threads(run.pid()) {
            let is_reader = name == "flowtop" && kept != json!([]);
            let expected = if is_reader {
                READERS.to_string()
            } else {
                String::new()
            };
            assert_eq!(value(&status, "Groups:"), expected, "{name} {what}");
        }
        // It is enough to follow the file.
        fs::write(run.config_path(), "{\"UNIT\": \"bits\"}").expect("write");
        run.until("the new file", |record| record["config"]["generation"] == 2);
        run.finish();
    }
}

#[test]
fn a_number_that_is_in_use_is_not_taken() {
    if !root() {
        return;
    }
    // All but one belong to users, as somebody's list of users says; which one is this test's own affair, as another one on this
    // machine may run at the same time.
    let (first, last) = FREE_NUMBERS.into_inner();
    let free = first + std::process::id() % (last - first + 1);
    let taken = (first..=last).filter(|number| *number != free);
    let users: String = taken
        .map(|n| format!("u{n}:x:{n}:{n}::/:/bin/sh\n"))
        .collect();
    let pair = Pair::quiet();
    let mut run = run_among(&pair, &users, "", |_| {});
    assert_eq!(privileges(&mut run)["uid"], json!(free));
    run.signal(Signal::SIGTERM);
    assert_eq!(run.wait().code, Some(0));
}
