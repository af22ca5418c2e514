//! How a run on a terminal ends, and what it leaves behind.

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::sys::termios::LocalFlags;

use super::support::pty::{Control, PATIENCE, Pty, sequence};
use super::support::root;
use super::{Dashboard, flowtop, folder};

/// What is promised: the program has ended so long after the terminal, or a signal, said so.
const PROMISED: Duration = Duration::from_secs(2);

#[test]
fn both_keys_that_quit_restore_the_terminal() {
    if !root() {
        return;
    }
    for key in ["q", "Ctrl-C"] {
        let mut dashboard = Dashboard::demo((80, 24), &[]);
        let screen = dashboard.pty.screen();
        assert!(screen.alternate_screen() && screen.hide_cursor());
        dashboard.pty.press(key);
        let status = dashboard.pty.wait_for_exit(PROMISED);
        assert_eq!(status.code(), Some(0), "{key}");
        dashboard.pty.assert_restored();
        assert_eq!(summary(&dashboard.pty).len(), 3 + 3, "{key}");
    }
}

/// The lines that stay on the terminal, which are those of a summary if there are any.
fn summary(pty: &Pty) -> Vec<String> {
    let left = pty.after_leaving().replace("\x1b[?25h", "");
    let lines: Vec<String> = left.lines().map(str::to_owned).collect();
    if let [first, totals, title, flows @ ..] = &lines[..] {
        assert!(
            first.starts_with("flowtop: ") && first.contains(" s on "),
            "{first}"
        );
        assert!(
            totals.contains(" packets, ") && totals.contains(" lost ("),
            "{totals}"
        );
        assert_eq!(title, "  loss   jitter  worst flows");
        assert!(flows.iter().all(|flow| flow.contains(" > ")), "{flows:?}");
    }
    assert!(left.is_empty() || left.ends_with("\r\n"), "{left:?}");
    lines
}

#[test]
fn a_run_that_is_to_be_quiet_leaves_nothing_behind() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((80, 24), &["--quiet"]);
    dashboard.pty.press("q");
    assert!(dashboard.pty.wait_for_exit(PROMISED).success());
    dashboard.pty.assert_restored();
    assert_eq!(summary(&dashboard.pty), [""; 0]);
}

#[test]
fn a_run_ends_by_itself_after_its_count_and_after_its_duration() {
    if !root() {
        return;
    }
    for limit in ["--count", "--duration"] {
        let folder = folder();
        let began = Instant::now();
        let mut command = flowtop(&folder, &["--demo", limit, "2"]);
        let mut pty = Pty::start(&mut command, (80, 24), Control::Controlling);
        let status = pty.wait_for_exit(PATIENCE);
        let took = began.elapsed();
        assert_eq!(status.code(), Some(0), "{limit}");
        assert!(took > Duration::from_millis(1500), "{limit}: {took:?}");
        assert!(pty.count(sequence::ENTER) > 0, "{limit}: no screen");
        pty.assert_restored();
        assert!(!summary(&pty).is_empty(), "{limit}");
    }
}

/// The beginning of a sequence, as Alt-[ and Alt-O send it, one that means nothing here, and half a letter.
#[test]
fn bytes_that_are_no_key_yet_hold_up_nothing() {
    if !root() {
        return;
    }
    for bytes in [&b"\x1b["[..], b"\x1bO", b"\x1b[E", b"\xc3"] {
        let mut dashboard = Dashboard::demo((80, 24), &["-t", "0.2"]);
        dashboard.pty.send(bytes);
        dashboard.pty.forget_raw();
        // One of them may have been on its way already.
        let frames = |pty: &Pty| pty.count(b"\x1b[?2026h");
        dashboard
            .pty
            .wait_for("three frames", |pty| frames(pty) >= 3);
        dashboard.pty.signal(Signal::SIGTERM);
        let status = dashboard.pty.wait_for_exit(PROMISED);
        assert_eq!(status.code(), Some(0), "{bytes:?}");
        dashboard.pty.assert_restored();
    }
}

#[test]
fn checks_are_told_behind_the_summary_and_decide_how_a_run_ends() {
    if !root() {
        return;
    }
    for (arguments, code, last) in [
        (
            &["--assert", "=> untracked=0"][..],
            0,
            "flowtop: the check holds",
        ),
        (
            &[
                "--quiet",
                "--assert",
                "=> flows>=1",
                "--assert",
                "port 1 => flows>=1",
            ],
            3,
            "flowtop: 1 of 2 checks does not hold",
        ),
    ] {
        let mut dashboard = Dashboard::demo((120, 24), arguments);
        dashboard.pty.press("q");
        let status = dashboard.pty.wait_for_exit(PROMISED);
        dashboard.pty.assert_restored();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
        let left = dashboard.pty.after_leaving().replace("\x1b[?25h", "");
        let lines: Vec<&str> = left.lines().collect();
        let is_quiet = arguments.contains(&"--quiet");
        assert_eq!(lines[0].contains(" s on "), !is_quiet, "{left}");
        assert!(lines.contains(&"result   taken  failed  check"), "{left}");
        assert_eq!(lines.last(), Some(&last), "{left}");
    }
}

#[test]
fn signals_end_the_run_in_time_and_restore_the_terminal() {
    if !root() {
        return;
    }
    let signals = [
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
    ];
    for signal in signals {
        let mut dashboard = Dashboard::demo((80, 24), &[]);
        dashboard.pty.signal(signal);
        let status = dashboard.pty.wait_for_exit(PROMISED);
        assert_eq!(status.code(), Some(0), "{signal}");
        dashboard.pty.assert_restored();
        let is_summed_up = !summary(&dashboard.pty).is_empty();
        assert_eq!(is_summed_up, signal != Signal::SIGHUP, "{signal}");
    }
}

#[test]
fn a_panic_of_any_thread_restores_the_terminal_and_says_where_it_happened() {
    // A release build has no way to be asked for a panic.
    if !root() || !cfg!(debug_assertions) {
        return;
    }
    for (thread, name) in [
        ("dashboard", "main"),
        ("sampler", "sampler"),
        ("signals", "signals"),
    ] {
        let folder = folder();
        let mut command = flowtop(&folder, &["--demo"]);
        command.env("FLOWTOP_PANIC", thread);
        let mut pty = Pty::start(&mut command, (80, 24), Control::Controlling);
        if thread == "signals" {
            pty.wait_for_text("flowtop  1 Flows");
            pty.signal(Signal::SIGUSR2);
        }
        let status = pty.wait_for_exit(super::support::pty::PATIENCE);
        assert_eq!(status.code(), Some(101), "{thread}");
        pty.assert_restored();
        let told = pty.after_leaving();
        for part in [
            format!("thread '{name}'"),
            "panicked at src/runtime/panics.rs:".to_owned(),
            "asked for by FLOWTOP_PANIC\r\n".to_owned(),
        ] {
            assert!(told.contains(&part), "{thread}: {part}: {told:?}");
        }
        assert!(!told.contains("flowtop  1 Flows"), "drawn again: {told:?}");
        assert!(!told.contains("worst flows"), "summed up: {told:?}");
    }
}

/// The sampler takes its programs off the hooks after its last words; the dashboard would be opened meanwhile.
#[test]
fn a_panic_before_the_screen_is_opened_leaves_it_closed() {
    if !root() || !cfg!(debug_assertions) {
        return;
    }
    let folder = folder();
    let mut command = flowtop(&folder, &["--demo"]);
    command.env("FLOWTOP_PANIC", "sampler, early");
    let mut pty = Pty::start(&mut command, (80, 24), Control::Controlling);
    let status = pty.wait_for_exit(super::support::pty::PATIENCE);
    assert_eq!(status.code(), Some(101));
    let told = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(told.contains("thread 'sampler'"), "{told:?}");
    assert!(told.contains("asked for by FLOWTOP_PANIC\r\n"), "{told:?}");
    assert!(!told.contains('\x1b'), "the terminal was touched: {told:?}");
}

#[test]
fn a_signal_while_the_help_is_open_or_the_screen_is_paused_ends_the_run_too() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((80, 24), &[]);
    for (key, text) in [("p", "PAUSED"), ("?", "Esc back")] {
        dashboard.pty.press(key);
        dashboard.pty.wait_for_text(text);
    }
    dashboard.pty.signal(Signal::SIGTERM);
    assert!(dashboard.pty.wait_for_exit(PROMISED).success());
    dashboard.pty.assert_restored();
}

/// A terminal may hang up between our wait for it and the reading: that must come to an end.
#[test]
fn reading_keys_of_a_terminal_that_has_hung_up_comes_to_an_end() {
    const IS_READER: &str = "FLOWTOP_TEST_READS_KEYS";
    if std::env::var_os(IS_READER).is_some() {
        let read = || crossterm::event::poll(Duration::from_millis(1));
        assert!(matches!(read(), Ok(false)));
        println!("reads keys");
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::NONE).expect("wait for the end of the terminal");
        for _ in 0..10 {
            // An error is an end, too.
            let _ = read();
        }
        return;
    }
    let this = std::env::current_exe().expect("this program");
    let name = "ends::reading_keys_of_a_terminal_that_has_hung_up_comes_to_an_end";
    let mut command = Command::new(this);
    command.args(["--exact", "--nocapture", name]);
    command.env(IS_READER, "1");
    let mut pty = Pty::start(&mut command, (80, 24), Control::JustOpen);
    pty.wait_for_text("reads keys");
    pty.hang_up();
    pty.wait_for_exit(PROMISED);
}

#[test]
fn a_terminal_that_hangs_up_ends_the_run_with_and_without_a_signal() {
    if !root() {
        return;
    }
    for control in [Control::Controlling, Control::JustOpen] {
        let folder = folder();
        let command = flowtop(&folder, &["--demo"]);
        let mut dashboard = Dashboard::open(command, folder, (80, 24), control);
        let before = dashboard.pty.cpu_time().expect("a running process");
        let start = Instant::now();
        dashboard.pty.hang_up();
        let mut used = before;
        let status = loop {
            used = dashboard.pty.cpu_time().unwrap_or(used);
            if let Some(status) = dashboard.pty.try_exit() {
                break status;
            }
            assert!(start.elapsed() < PROMISED, "{control:?}: still running");
            std::thread::sleep(Duration::from_millis(5));
        };
        let burnt = used.saturating_sub(before);
        assert!(
            burnt < Duration::from_millis(500),
            "{control:?}: {burnt:?} of CPU"
        );
        // A controlling terminal sends SIGHUP, which is handled; nothing else may end the process.
        assert_eq!(status.signal(), None, "{control:?}: {status}");
        assert_eq!(status.code(), Some(0), "{control:?}");
    }
}

/// As of a connection that stands still: the main thread waits in write(2), and hears of no signal.
#[test]
fn a_terminal_that_takes_nothing_holds_up_no_second_signal() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((200, 50), &[]);
    let call = format!("/proc/{}/syscall", dashboard.pty.pid());
    let is_stuck = || {
        let call = std::fs::read_to_string(&call).expect("a system call");
        call.starts_with(&format!("{} 0x1 ", libc::SYS_write))
    };
    let deadline = Instant::now() + PATIENCE;
    let pause = || {
        assert!(Instant::now() < deadline, "still running");
        std::thread::sleep(Duration::from_millis(5));
    };
    // Nobody reads the frames, each of which is a whole one.
    let sizes = [(200, 51), (200, 50)].into_iter().cycle();
    for size in sizes.take_while(|_| !is_stuck()) {
        dashboard.pty.claim_size(size);
        pause();
    }
    // Two of a kind may come as one.
    dashboard.pty.signal(Signal::SIGTERM);
    dashboard.pty.signal(Signal::SIGINT);
    let status = loop {
        if let Some(status) = dashboard.pty.try_exit() {
            break status;
        }
        pause();
    };
    assert_eq!(status.code(), Some(1), "{status}");
    let modes = dashboard.pty.modes();
    assert!(
        modes.contains(LocalFlags::ICANON | LocalFlags::ECHO),
        "{modes:?}"
    );
}

/// Memory that the program can write to, bytes.
fn data_of(pty: &Pty) -> u64 {
    1024 * crate::support::status(pty.pid(), "VmData")
}

#[test]
fn memory_that_cannot_be_had_leaves_the_terminal_as_it_was() {
    if !root() {
        return;
    }
    // A little more than a run needs, and less than a large frame does.
    let most = data_of(&Dashboard::demo((80, 24), &[]).pty) + (16 << 20);
    let folder = folder();
    let mut command = Command::new("prlimit");
    let program = flowtop(&folder, &[]);
    command
        .arg(format!("--data={most}"))
        .arg(program.get_program())
        .arg("--demo");
    command
        .current_dir(folder.path())
        .env("HOME", folder.path());
    let mut dashboard = Dashboard::open(command, folder, (80, 24), Control::Controlling);
    let modes = dashboard.pty.modes();
    assert!(!modes.contains(LocalFlags::ICANON), "raw");
    dashboard.pty.claim_size((1000, 500));
    let status = dashboard.pty.wait_for_exit(PROMISED);
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
    dashboard.pty.assert_restored();
    let modes = dashboard.pty.modes();
    assert!(
        modes.contains(LocalFlags::ICANON | LocalFlags::ECHO),
        "{modes:?}"
    );
    let said = dashboard.pty.after_leaving();
    assert!(
        said.contains("flowtop: aborted: memory could not be had"),
        "{said}"
    );
}

#[test]
fn a_terminal_that_cannot_show_a_dashboard_is_one_line() {
    if !root() {
        return;
    }
    let folder = folder();
    let mut command = flowtop(&folder, &["--demo"]);
    command.env("TERM", "dumb");
    let mut pty = Pty::start(&mut command, (80, 24), Control::Controlling);
    let status = pty.wait_for_exit(super::support::pty::PATIENCE);
    assert_eq!(status.code(), Some(1));
    let text = String::from_utf8_lossy(pty.raw()).into_owned();
    assert_eq!(
        text,
        "flowtop: open the dashboard: TERM=dumb cannot move the cursor (use --text or --json)\r\n"
    );
}
