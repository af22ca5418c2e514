//! The real program as scripts see it: exit codes, one line of error, what goes to standard output.

mod support;
#[path = "cli_binary/trust.rs"]
mod trust;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::Background;

/// The program in a folder of its own, without a configuration of whoever runs the tests.
fn flowtop(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command.current_dir(folder).env("HOME", folder);
    command.env("XDG_CONFIG_HOME", folder.join("xdg"));
    for name in ["SUDO_UID", "SUDO_GID", "SUDO_USER"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn run(arguments: &[&str]) -> Output {
    let folder = folder();
    let mut command = flowtop(folder.path());
    command.args(arguments).output().expect("flowtop")
}

fn run_with_config(text: &str, arguments: &[&str]) -> Output {
    let folder = folder();
    std::fs::write(folder.path().join("config.json"), text).expect("write");
    let mut command = flowtop(folder.path());
    command.args(arguments).output().expect("flowtop")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error, which must be so many lines, each beginning with the program's name.
fn errors(output: &Output, lines: usize) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.lines().count(), lines, "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("flowtop: ")),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
    text
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

#[test]
fn help_and_version_go_to_standard_output() {
    for (arguments, part) in [
        (&["--help"][..], "Examples:"),
        (&["-h"], "--throughput-interval"),
        (&["-V"], concat!("flowtop ", env!("CARGO_PKG_VERSION"))),
        (&["--version"], "flowtop "),
        (&["-packet_loss", "--help"], "Usage:"),
        (&["help"], "Examples:"),
        (&["help", "doctor"], "--clean"),
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 0, "{arguments:?}");
        assert!(stdout(&output).contains(part), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn usage_errors_are_one_line_and_2() {
    for arguments in [
        &["--jsn"][..],
        &["-t", "0"],
        &["-j", "nan"],
        &["--count", "0"],
        &["--json", "--text"],
        &["eth0"],
        &["-i", "eth 0"],
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {output:?}");
        assert!(errors(&output, 1).contains("see: flowtop --help"));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn what_would_be_passed_over_or_waited_for_in_vain_is_refused() {
    for (arguments, told) in [
        (
            &["--json", "replay", "night"][..],
            "stand in front of replay",
        ),
        (
            &["--assert", "=> loss<1", "replay", "night"],
            "stand in front of replay",
        ),
        (
            &["--wait-for", "is:alert or port:5201"],
            "no flow is alert before the run begins",
        ),
        (
            &["--wait-for", "kind:alert"],
            "no flow is of a kind before the run begins",
        ),
        (
            &["--wait-for", "not is:pinned"],
            "no flow is pinned before the run begins",
        ),
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}: {output:?}");
        assert!(
            errors(&output, 1).contains(told),
            "{arguments:?}: {output:?}"
        );
    }
    // The configuration is that of everything.
    let output = run(&["-c", "config.json", "replay", "night"]);
    assert!(errors(&output, 1).contains("replay night: "), "{output:?}");
}

#[test]
fn a_check_that_is_given_twice_is_one() {
    let check = ["--assert", "=> loss<1"];
    let output = run(&[&check[..], &check, &["--print-config"]].concat());
    assert_eq!(
        stdout(&output).matches("=> loss<1").count(),
        1,
        "{output:?}"
    );
    let again = run_with_config(&stdout(&output), &["--check-config"]);
    assert_eq!(code(&again), 0, "{again:?}");
}

#[test]
fn a_report_without_a_check_or_a_place_is_told_before_anything_is_started() {
    let output = run(&["--text", "--report", "report.xml"]);
    assert_eq!(code(&output), 2);
    assert!(errors(&output, 1).contains("there is no check to report"));
    let words = ["--report", "nowhere/report.xml", "--assert", "=> loss<1"];
    let output = run(&words);
    assert_eq!(code(&output), 1);
    let text = errors(&output, 1);
    assert!(text.starts_with("flowtop: write the report to nowhere/report.xml: No such file"));
    assert_eq!(stdout(&output), "");
    let output = run_with_config(r#"{"ASSERT": ["=> los<1"]}"#, &["--text"]);
    assert_eq!(code(&output), 78);
    assert!(errors(&output, 1).contains("config.json:1:13: ASSERT: los: not a number"));
}

#[test]
fn a_missing_interface_is_69() {
    if !support::root() {
        return;
    }
    let output = run(&["--json", "-i", "nonesuch0", "--count", "1"]);
    assert_eq!(code(&output), 69, "{output:?}");
    let text = errors(&output, 1);
    assert!(text.contains("nonesuch0"), "{text}");
    assert!(output.stdout.is_empty());
    let output = run(&["--json", "-i", "\u{1b}[31m"]);
    assert_eq!(code(&output), 69, "{output:?}");
    assert!(errors(&output, 1).contains("no such interface"));
}

#[test]
fn a_glob_without_a_match_is_named_and_waited_for() {
    if !support::root() {
        return;
    }
    let output = run(&["--json", "-i", "lo,nonesuch*", "-t", "0.1", "--count", "1"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let text = errors(&output, 1);
    assert!(
        text.contains("watch nonesuch*: no interface matches"),
        "{text}"
    );
}

/// Runs as a user without any capability.
fn unprivileged(command: &mut Command) -> Output {
    // SAFETY: between fork and exec the closure makes system calls only.
    unsafe {
        command.pre_exec(|| {
            nix::unistd::setgroups(&[])?;
            nix::unistd::setgid(65534.into())?;
            nix::unistd::setuid(65534.into())?;
            Ok(())
        });
    }
    command.output().expect("flowtop")
}

#[test]
fn missing_privileges_are_77_and_named_with_both_ways_to_get_them() {
    if !support::root() {
        return;
    }
    let folder = readable_folder();
    let program = support::program_in(folder.path(), None);
    for arguments in [
        &["--json", "-i", "lo"][..],
        &["--demo", "--text"],
        &["--json"],
    ] {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .current_dir("/")
            .env("HOME", "/nonexistent");
        command.env_remove("XDG_CONFIG_HOME").stdin(Stdio::null());
        let output = unprivileged(&mut command);
        assert_eq!(code(&output), 77, "{arguments:?}: {output:?}");
        let text = errors(&output, 1);
        for part in ["CAP_BPF", "CAP_NET_ADMIN", "sudo", "setcap"] {
            assert!(text.contains(part), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn only_the_missing_capability_is_named() {
    if !support::root() {
        return;
    }
    let folder = folder();
    let mut command = flowtop(folder.path());
    command.args(["--json", "-i", "lo"]);
    // SAFETY: between fork and exec the closure makes one system call.
    unsafe {
        command.pre_exec(|| {
            const CAP_NET_ADMIN: libc::c_ulong = 12;
            match libc::prctl(libc::PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        });
    }
    let output = command.output().expect("flowtop");
    assert_eq!(code(&output), 77, "{output:?}");
    let text = errors(&output, 1);
    assert!(text.contains("lacks CAP_NET_ADMIN ("), "{text}");
}

/// A folder that everybody may look into.
fn readable_folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), all).expect("chmod");
    folder
}

#[test]
fn configuration_errors_are_78_with_their_places_all_at_once() {
    let wrong = "{\n  \"OFFSET\": -2,\n  \"RULES\": {\"voice\": \"- - 6000-5000 - UDP\"},\n  \"UNITS\": \"bits\"\n}\n";
    for arguments in [
        &["--check-config"][..],
        &["--json", "-i", "lo"],
        &["--print-config"],
    ] {
        let output = run_with_config(wrong, arguments);
        assert_eq!(code(&output), 78, "{arguments:?}: {output:?}");
        let text = errors(&output, 3);
        for part in [
            "config.json:2:13: OFFSET",
            "config.json:3:27: RULES.voice: port range 6000-5000 is empty",
            "config.json:4:3: unknown key \"UNITS\" (did you mean UNIT?)",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn checking_a_configuration_says_what_it_means() {
    let text = "{\"RULES\": {\"voice\": \"- - - 5000-5010 UDP\"}, \"UNIT\": \"bits\"}";
    let output = run_with_config(text, &["--check-config", "-packet_loss"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let said = stdout(&output);
    for part in [
        "config.json is valid.",
        "voice: UDP from anywhere to anywhere port 5000-5010",
        "bits per second",
        "loss columns on",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(output.stderr.is_empty());
}

#[test]
fn the_printed_configuration_reads_back_to_itself() {
    let text = "{\"RULES\": {\"voice\": \"- - - 5000-5010 UDP\"}, \"SORT\": \"-loss_percent\", \"THEME\": \"light\"}";
    let first = run_with_config(
        text,
        &[
            "--print-config",
            "-b",
            "-t",
            "0.5",
            "-i",
            "eth*,lo",
            "--ascii",
        ],
    );
    assert_eq!(code(&first), 0, "{first:?}");
    let printed = stdout(&first);
    for part in [
        "\"UNIT\": \"bits\"",
        "\"ASCII\": true",
        "0.5",
        "\"eth*\"",
        "-loss_percent",
        "light",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let second = run_with_config(&printed, &["--print-config"]);
    assert_eq!(stdout(&second), printed);
    assert!(first.stderr.is_empty() && second.stderr.is_empty());
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    if !support::root() {
        return;
    }
    for format in ["--json", "--text"] {
        let folder = folder();
        let mut command = flowtop(folder.path());
        command.args([format, "--demo", "-t", "0.1"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Background::spawn(&mut command);
        let mut out = BufReader::new(running.0.stdout.take().expect("a pipe"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        assert!(!line.is_empty());
        drop(out);
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = running.0.try_wait().expect("wait") {
                break status;
            }
            assert!(Instant::now() < deadline, "{format}: still running");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut errors = String::new();
        let mut pipe = running.0.stderr.take().expect("a pipe");
        pipe.read_to_string(&mut errors).expect("text");
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn a_disk_that_stays_full_is_told_at_once_and_at_the_end_and_is_1() {
    if !support::root() {
        return;
    }
    let folder = folder();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut command = flowtop(folder.path());
    command.args(["--json", "--demo", "-t", "0.1", "--duration", "1"]);
    command.stdout(full.expect("/dev/full"));
    let output = command.output().expect("flowtop");
    assert_eq!(code(&output), 1);
    let text = errors(&output, 2);
    for line in text.lines() {
        assert!(
            line.contains("write to standard output: No space left"),
            "{line}"
        );
    }
    assert!(text.contains("the last records are lost"), "{text}");
}

#[test]
fn a_run_without_a_terminal_prints_tables_and_counts_to_its_end() {
    if !support::root() {
        return;
    }
    let output = run(&["--demo", "-t", "0.2", "--count", "3"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let text = stdout(&output);
    assert!(
        text.contains("192.0.2.2") && !text.contains('\u{1b}'),
        "{text}"
    );
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_configuration_cannot_ask_for_more_than_half_of_the_memory_and_the_command_line_can() {
    if !support::root() {
        return;
    }
    let folder = folder();
    let meminfo = folder.path().join("meminfo");
    std::fs::write(&meminfo, "MemTotal:         100000 kB\n").expect("write");
    let on_a_small_machine = |flows: u32, more: &[&str]| {
        let config = folder.path().join("config.json");
        std::fs::write(&config, format!("{{\"MAX_FLOWS\": {flows}}}")).expect("write");
        let mut command = Command::new("unshare");
        let script = "mount --bind meminfo /proc/meminfo && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script, "sh"]);
        command.arg(env!("CARGO_BIN_EXE_flowtop")).args(more);
        command.args(["-c", "config.json"]).stdin(Stdio::null());
        command
            .current_dir(folder.path())
            .output()
            .expect("unshare")
    };
    let check: &[&str] = &["--check-config"];
    let run: &[&str] = &["--json", "-i", "lo", "-t", "0.1", "--count=1"];
    for what in [check, run] {
        let output = on_a_small_machine(1_000_000, what);
        assert_eq!(code(&output), 78, "{output:?}");
        let bytes = 2_097_152 * 320;
        let expected = format!(
            "flowtop: config.json: MAX_FLOWS: a table for 1000000 flows takes {}, more than half of the {} of memory \
            that there are (a smaller number, or --max-flows 1000000 on the command line)\n",
            flowtop::model::units::bytes(bytes),
            flowtop::model::units::bytes(102_400_000),
        );
        assert_eq!(errors(&output, 1), expected);
        assert_eq!(code(&on_a_small_machine(1000, what)), 0);
        let insisting = [what, &["--max-flows", "1000000"]].concat();
        assert_eq!(code(&on_a_small_machine(1000, &insisting)), 0);
    }
}
