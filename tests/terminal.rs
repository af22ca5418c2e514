//! The real program on a pseudo-terminal: keys, sizes, suspension, and every way in which a terminal can end.
//!
//! Run with root rights on the demo's private namespaces; the screen is read by a terminal parser.

mod support;

#[path = "terminal/captures.rs"]
mod captures;
#[path = "terminal/ends.rs"]
mod ends;
#[path = "terminal/files.rs"]
mod files;
#[path = "terminal/keys.rs"]
mod keys;
#[path = "terminal/looks.rs"]
mod looks;
#[path = "terminal/mouse.rs"]
mod mouse;
#[path = "terminal/sizes.rs"]
mod sizes;
#[path = "terminal/stops.rs"]
mod stops;

use std::process::Command;

use support::pty::{Control, Pty};

/// The user who calls sudo, in these tests.
const CALLER: u32 = 65534;

/// A dashboard in a folder of its own, which is its home too.
struct Dashboard {
    pty: Pty,
    folder: tempfile::TempDir,
}

/// The program with these arguments, free of what the environment of the tests would change on the screen.
fn flowtop(folder: &tempfile::TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtop"));
    command.args(arguments).current_dir(folder.path());
    for name in ["NO_COLOR", "COLORTERM", "SSH_CONNECTION"] {
        command.env_remove(name);
    }
    // As if the owner of its folder had called sudo.
    command.env("SUDO_UID", CALLER.to_string());
    command
        .env("HOME", folder.path())
        .env("XDG_CONFIG_HOME", folder.path().join("xdg"));
    command
}

/// A folder of the user that the runs go on as.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let caller = Some(CALLER);
    // Without root the tests that use it say so.
    let _ = std::os::unix::fs::chown(folder.path(), caller, caller);
    folder
}

/// A file of the user who called sudo, there at once as a whole.
fn write_as_caller(file: &std::path::Path, text: &str) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).expect("write");
    std::os::unix::fs::chown(&beside, Some(CALLER), Some(CALLER)).expect("chown");
    std::fs::rename(&beside, file).expect("rename");
}

impl Dashboard {
    /// The demo, with its flows on the screen, and whatever else the two kernels tell each other over IPv6.
    fn demo(size: (u16, u16), arguments: &[&str]) -> Dashboard {
        let folder = folder();
        let mut command = flowtop(&folder, &["--demo"]);
        command.args(arguments);
        Dashboard::open(command, folder, size, Control::Controlling)
    }

    fn open(
        mut command: Command,
        folder: tempfile::TempDir,
        size: (u16, u16),
        control: Control,
    ) -> Dashboard {
        let pty = Pty::start(&mut command, size, control);
        let mut dashboard = Dashboard { pty, folder };
        dashboard.wait_for_flows();
        dashboard
    }

    fn wait_for_flows(&mut self) {
        self.pty.wait_for("flows", |pty| {
            pty.text().contains(" flows ") && pty.text().contains("192.0.2.2:40010")
        });
    }

    fn wait_for_tabs(&mut self) {
        self.pty.wait_for("tabs and footer", |pty| {
            let lines = pty.lines();
            lines
                .first()
                .is_some_and(|line| line.contains("1 Flows  2 Loss"))
        });
    }
}
