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
    /// The hook that runs of ours take.
    use_clsact: bool,
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
            use_clsact: false,
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
    fn is_used(&self) -> bool {
        match self.use_clsact {
            true => filters(&self.pair.receiver).len() == 3,
            false => chain::length(&self.pair) == 2,
        }
    }

    fn choose_hook(&self, command: &mut Command) {
        if self.use_clsact {
            command.env("FLOWTOP_CLSACT", "1");
        }
    }

    fn headless(&self) -> Flowtop {
        let run = Flowtop::start_with(&self.pair.receiver, "{}", &ARGUMENTS, |command| {
            self.choose_hook(command);
        });
        assert!(self.is_used());
        run
    }

    fn dashboard_command(&self, folder: &tempfile::TempDir) -> Command {
        let mut command = support::command(&self.pair.receiver, PROGRAM);
        command.args(ARGUMENTS).current_dir(folder.path());
        command.env("HOME", folder.path());
        command.env("XDG_CONFIG_HOME", folder.path());
        self.choose_hook(&mut command);
        command
    }

    /// A dashboard that shows that it counts.
    fn dashboard(&self, command: &mut Command) -> Pty {
        let mut pty = Pty::start(command, (100, 30), Control::Controlling);
        let hook = if self.use_clsact { "clsact" } else { "tcx" };
        pty.wait_for_text(&format!("veth1 up {hook}"));
        assert!(self.is_used());
        pty
    }
}

/// Ends runs in some ways, on each hook; `end` says after each of them that it is over.
fn assert_nothing_is_left(end: impl Fn(&Shared, &dyn Fn(&str))) {
    if !support::root() {
        return;
    }
    let mut shared = Shared::new();
    let before = shared.state();
    for use_clsact in [false, true] {
        shared.use_clsact = use_clsact;
        end(&shared, &|way| {
            assert_eq!(shared.state(), before, "{way}, clsact: {use_clsact}");
        });
    }
}

#[test]
fn signals_leave_the_hooks_as_they_were() {
    assert_nothing_is_left(|shared, is_over| {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            let run = shared.headless();
            run.signal(signal);
            assert_eq!(run.wait().code, Some(0), "{signal}");
            is_over(signal.as_str());
        }
    });
}

#[test]
fn a_dashboard_that_ends_leaves_the_hooks_as_they_were() {
    type End = fn(&mut Pty);
    let ways: [(&str, End); 4] = [
        ("q", |pty| pty.press("q")),
        ("SIGINT", |pty| pty.signal(Signal::SIGINT)),
        ("SIGTERM", |pty| pty.signal(Signal::SIGTERM)),
        ("a hang-up", Pty::hang_up),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    assert_nothing_is_left(|shared, is_over| {
        for (name, end) in ways {
            let mut pty = shared.dashboard(&mut shared.dashboard_command(&folder));
            end(&mut pty);
            let status = pty.wait_for_exit(PATIENCE);
            assert_eq!(status.code(), Some(0), "{name}");
            is_over(name);
        }
    });
}

#[test]
fn after_sigkill_the_kernel_or_the_next_run_takes_away_what_was_ours() {
    assert_nothing_is_left(|shared, is_over| {
        let run = shared.headless();
        run.signal(Signal::SIGKILL);
        assert_eq!(run.wait().code, None);
        if shared.use_clsact {
            assert!(shared.is_used(), "a filter outlives its process");
            assert_eq!(shared.headless().finish().code, Some(0));
        }
        super::wait_for("an empty hook", || !shared.is_used());
        is_over("SIGKILL");
    });
}

/// Main thread and sampler unwind, and take the programs off on their way; of the others the sampler hears.
#[test]
fn a_panic_of_any_thread_leaves_the_hooks_as_they_were() {
    // A release build has no way to be asked for a panic.
    if !cfg!(debug_assertions) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    assert_nothing_is_left(|shared, is_over| {
        for thread in ["dashboard", "sampler", "signals"] {
            let mut command = shared.dashboard_command(&folder);
            command.env("FLOWTOP_PANIC", thread);
            let mut pty = match thread {
                "signals" => shared.dashboard(&mut command),
                _ => Pty::start(&mut command, (100, 30), Control::Controlling),
            };
            if thread == "signals" {
                pty.signal(Signal::SIGUSR2);
            }
            let status = pty.wait_for_exit(PATIENCE);
            let said = String::from_utf8_lossy(pty.raw()).into_owned();
            assert!(
                said.contains("asked for by FLOWTOP_PANIC"),
                "{thread}: {said}"
            );
            assert_eq!(status.code(), Some(101), "{thread}: {status}");
            is_over(thread);
        }
    });
}
