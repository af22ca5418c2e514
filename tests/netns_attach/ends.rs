//! After every way to end, on both hooks: what others have there is as it was, and nothing of ours is left.

use std::process::Command;

use nix::sys::signal::Signal;

use super::chain::{self, Counter};
use super::support::pair::Pair;
use super::support::program::{Flowtop, PROGRAM};
use super::support::pty::{Control, PATIENCE, Pty};
use super::{ARGUMENTS, everything, filters, ip, send, shared_pair, support};

/// A receiving end that others use too: filters with statistics, a program on the TCX hook.
struct Shared {
    pair: Pair,
    _counter: Counter,
}

/// All that anybody can see of a hook: qdiscs, filters with their statistics, links, and the TCX chain.
type State = ([String; 3], String, Vec<(u32, u32)>);

impl Shared {
    fn new() -> Shared {
        let pair = shared_pair("clsact");
        let counter = Counter::attach(&pair, -1, false);
        // So that there are statistics that a replaced filter would lack.
        send(&pair, 7);
        super::wait_for("statistics", || {
            let all = filters(&pair.receiver);
            all.iter()
                .all(|filter| filter["options"]["actions"][0]["stats"]["packets"] == 7)
        });
        Shared {
            pair,
            _counter: counter,
        }
    }

    /// Without the times since a filter was used, which go on.
    fn state(&self) -> State {
        let statistics = ip(&self.pair.receiver, "tc -s filter show dev veth1 ingress");
        let lines = statistics.lines().filter(|line| !line.contains(" sec"));
        (
            everything(&self.pair.receiver),
            lines.collect::<Vec<_>>().join("\n"),
            chain::on_hook(&self.pair),
        )
    }

    /// Whether a run of ours is on the hook.
    fn is_used(&self, use_clsact: bool) -> bool {
        match use_clsact {
            true => filters(&self.pair.receiver).len() == 3,
            false => chain::length(&self.pair) == 2,
        }
    }
}

fn choose(command: &mut Command, use_clsact: bool) {
    if use_clsact {
        command.env("FLOWTOP_CLSACT", "1");
    }
}

fn headless(shared: &Shared, use_clsact: bool) -> Flowtop {
    Flowtop::start_with(&shared.pair.receiver, "{}", &ARGUMENTS, |command| {
        choose(command, use_clsact);
    })
}

fn dashboard_command(shared: &Shared, folder: &tempfile::TempDir, use_clsact: bool) -> Command {
    let mut command = support::command(&shared.pair.receiver, PROGRAM);
    command.args(ARGUMENTS).current_dir(folder.path());
    command.env("HOME", folder.path());
    command.env("XDG_CONFIG_HOME", folder.path());
    choose(&mut command, use_clsact);
    command
}

/// A dashboard that shows that it counts.
fn dashboard(shared: &Shared, folder: &tempfile::TempDir, use_clsact: bool) -> Pty {
    let mut command = dashboard_command(shared, folder, use_clsact);
    let mut pty = Pty::start(&mut command, (100, 30), Control::Controlling);
    let hook = if use_clsact { "up clsact" } else { "up tcx" };
    pty.wait_for_text(&format!("veth1 {hook}"));
    pty
}

#[test]
fn signals_leave_the_hooks_as_they_were() {
    if !support::root() {
        return;
    }
    let shared = Shared::new();
    let before = shared.state();
    for use_clsact in [false, true] {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            let run = headless(&shared, use_clsact);
            assert!(shared.is_used(use_clsact));
            run.signal(signal);
            assert_eq!(run.wait().code, Some(0), "{signal}");
            assert_eq!(shared.state(), before, "{signal}, clsact: {use_clsact}");
        }
    }
}

#[test]
fn a_dashboard_that_ends_leaves_the_hooks_as_they_were() {
    if !support::root() {
        return;
    }
    let shared = Shared::new();
    let before = shared.state();
    let folder = tempfile::tempdir().expect("a folder");
    type End = fn(&mut Pty);
    let ways: [(&str, End); 4] = [
        ("q", |pty| pty.press("q")),
        ("SIGINT", |pty| pty.signal(Signal::SIGINT)),
        ("SIGTERM", |pty| pty.signal(Signal::SIGTERM)),
        ("a hang-up", Pty::hang_up),
    ];
    for use_clsact in [false, true] {
        for (name, end) in ways {
            let mut pty = dashboard(&shared, &folder, use_clsact);
            assert!(shared.is_used(use_clsact));
            end(&mut pty);
            let status = pty.wait_for_exit(PATIENCE);
            assert_eq!(status.code(), Some(0), "{name}");
            assert_eq!(shared.state(), before, "{name}, clsact: {use_clsact}");
        }
    }
}

#[test]
fn after_sigkill_the_kernel_or_the_next_run_takes_away_what_was_ours() {
    if !support::root() {
        return;
    }
    let shared = Shared::new();
    let before = shared.state();
    for use_clsact in [false, true] {
        let run = headless(&shared, use_clsact);
        run.signal(Signal::SIGKILL);
        assert_eq!(run.wait().code, None);
        if use_clsact {
            assert!(shared.is_used(use_clsact), "a filter outlives its process");
            assert_eq!(headless(&shared, use_clsact).finish().code, Some(0));
        }
        super::wait_for("an empty hook", || !shared.is_used(use_clsact));
        assert_eq!(shared.state(), before, "clsact: {use_clsact}");
    }
}

/// A panic unwinds, on whatever thread, and takes the programs off on its way.
#[test]
fn a_panic_leaves_the_hooks_as_they_were() {
    if !support::root() {
        return;
    }
    let shared = Shared::new();
    let before = shared.state();
    for use_clsact in [false, true] {
        for thread in ["dashboard", "sampler"] {
            let folder = tempfile::tempdir().expect("a folder");
            let mut command = dashboard_command(&shared, &folder, use_clsact);
            command.env("FLOWTOP_PANIC", thread);
            let mut pty = Pty::start(&mut command, (100, 30), Control::Controlling);
            let status = pty.wait_for_exit(PATIENCE);
            let said = String::from_utf8_lossy(pty.raw()).into_owned();
            assert!(
                said.contains("asked for by FLOWTOP_PANIC"),
                "{thread}: {said}"
            );
            assert!(!status.success(), "{thread}: {status}");
            assert_eq!(shared.state(), before, "{thread}, clsact: {use_clsact}");
        }
    }
}
