//! Ctrl-Z and back under a shell with job control, and stops that the program does not see coming.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::pty::{Control, Pty, sequence};
use super::support::root;
use super::{Dashboard, flowtop, folder};

/// Runs the program as a job; when it stops, waits for a line and brings it back to the foreground.
const SHELL: &str = r#"set -m
"$0" --demo
printf 'STOPPED %s\n' "$(stty -a | grep -o -e '-*icanon')"
# A stop that the program did not see coming leaves the terminal as it was then.
stty icanon echo min 1
read -r line
fg >/dev/null
printf 'ENDED %s\n' "$?"
read -r line"#;

fn shell() -> Dashboard {
    job_of(SHELL)
}

fn job_of(script: &str) -> Dashboard {
    let folder = folder();
    let program = flowtop(&folder, &[]);
    let mut command = Command::new("bash");
    command.args(["-c", script]).arg(program.get_program());
    command
        .current_dir(folder.path())
        .env("HOME", folder.path());
    let pty = Pty::start(&mut command, (120, 30), Control::Controlling);
    let mut dashboard = Dashboard { pty, folder };
    dashboard.wait_for_flows();
    dashboard
}

/// The same with a parent of the superuser's between the two, as `make demo` has one. Stopped twice.
const SHELL_AND_MAKE: &str = r#"set -m
printf 'demo:\n\t@"$(PROGRAM)" --demo\n' >makefile
make -s PROGRAM="$0"
printf 'STOPPED %s\n' "$(stty -a | grep -o -e '-*icanon')"
# A stop that the program did not see coming leaves the terminal as it was then.
stty icanon echo min 1
read -r line
fg >/dev/null
printf 'AGAIN %s\n' "$(stty -a | grep -o -e '-*icanon')"
read -r line
fg >/dev/null
printf 'ENDED %s\n' "$?"
read -r line"#;

impl Dashboard {
    fn come_back_and_leave(&mut self) {
        self.come_back();
        self.pty.press("Ctrl-C");
        self.pty.wait_for_text("ENDED 0");
        self.pty.assert_restored();
    }

    fn come_back(&mut self) {
        self.pty.forget_raw();
        self.pty.send(b"\n");
        self.pty.wait_for("the terminal taken again", |pty| {
            pty.count(sequence::MOUSE_ON) > 0 && pty.screen().alternate_screen()
        });
        self.wait_for_flows();
        self.pty.press("?");
        self.pty.wait_for_text("Esc back");
    }

    /// The process of the job, a child of the shell.
    fn job(&self) -> Pid {
        let shell = self.pty.pid();
        let file = format!("/proc/{shell}/task/{shell}/children");
        let children = std::fs::read_to_string(file).expect("children");
        let first = children.split_ascii_whitespace().next().expect("a child");
        Pid::from_raw(first.parse().expect("a number"))
    }
}

#[test]
fn a_suspended_dashboard_gives_the_terminal_back_and_takes_it_again() {
    if !root() {
        return;
    }
    let mut dashboard = shell();
    dashboard.pty.press("Ctrl-Z");
    dashboard.pty.wait_for_text("STOPPED icanon");
    dashboard.pty.assert_restored();
    dashboard.come_back_and_leave();
}

#[test]
fn a_make_that_waits_for_the_dashboard_stops_with_it_whoever_it_belongs_to() {
    if !root() {
        return;
    }
    let mut dashboard = job_of(SHELL_AND_MAKE);
    dashboard.pty.press("Ctrl-Z");
    dashboard.pty.wait_for_text("STOPPED icanon");
    dashboard.pty.assert_restored();
    dashboard.come_back();
    dashboard.pty.press("Esc");
    dashboard.wait_for_flows();
    dashboard.pty.press("Ctrl-Z");
    dashboard.pty.wait_for_text("AGAIN icanon");
    dashboard.pty.assert_restored();
    dashboard.come_back_and_leave();
}

#[test]
fn a_dashboard_that_was_stopped_from_outside_comes_back_whole() {
    if !root() {
        return;
    }
    let mut dashboard = shell();
    kill(dashboard.job(), Signal::SIGSTOP).expect("kill");
    dashboard.pty.wait_for_text("STOPPED");
    dashboard.come_back_and_leave();
}

#[test]
fn a_stop_asked_for_from_outside_gives_the_terminal_back_first() {
    if !root() {
        return;
    }
    let mut dashboard = shell();
    kill(dashboard.job(), Signal::SIGTSTP).expect("kill");
    dashboard.pty.wait_for_text("STOPPED icanon");
    dashboard.pty.assert_restored();
    dashboard.come_back_and_leave();
}

#[test]
fn a_terminal_that_changed_its_size_meanwhile_is_filled_again() {
    if !root() {
        return;
    }
    for signal in [Signal::SIGTSTP, Signal::SIGSTOP] {
        let mut dashboard = shell();
        kill(dashboard.job(), signal).expect("kill");
        dashboard.pty.wait_for_text("STOPPED");
        // The shell is in the foreground: its job is not told of this.
        dashboard.pty.resize((100, 40));
        dashboard.come_back_and_leave();
    }
}

#[test]
fn without_a_shell_to_come_back_to_nothing_stops() {
    if !root() {
        return;
    }
    // The leader of its own session: nobody could continue it.
    let mut dashboard = Dashboard::demo((80, 24), &[]);
    dashboard.pty.press("Ctrl-Z");
    dashboard.pty.press("?");
    dashboard.pty.wait_for_text("Esc back");
    dashboard.pty.signal(Signal::SIGTSTP);
    dashboard.pty.press("Esc");
    dashboard.wait_for_flows();
    dashboard.pty.wait_for("the terminal taken again", |pty| {
        pty.screen().alternate_screen()
    });
    dashboard.pty.press("Ctrl-C");
    assert!(
        dashboard
            .pty
            .wait_for_exit(Duration::from_secs(2))
            .success()
    );
    dashboard.pty.assert_restored();
}
