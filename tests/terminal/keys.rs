//! Every key of the table of bindings, pressed once: each must show on the screen.

use std::process::Command;
use std::time::{Duration, Instant};

use flowtop::keymap::BINDINGS;
use nix::sys::signal::Signal;

use super::support::root;
use super::{Dashboard, flowtop, folder};
use crate::support::pty::{Control, PATIENCE, Pty};

/// From key to screen.
const PROMISED: Duration = Duration::from_millis(50);

/// Frames of measurements are at least so far apart.
const BETWEEN_FRAMES: Duration = Duration::from_millis(100);

/// What a key must change on the screen.
#[derive(Debug, Clone, Copy)]
pub enum Sign {
    /// This text appears.
    Shows(&'static str),
    /// This text goes away.
    Hides(&'static str),
    /// The status line tells of another order.
    Order,
}

use Sign::{Hides, Order, Shows};

/// A key, and the sign that it worked.
type Press = (&'static str, Sign);

/// How the keys of one action are tried.
struct Trial {
    id: &'static str,
    before: &'static [Press],
    sign: Sign,
    after: &'static [Press],
}

const fn trial(
    id: &'static str,
    before: &'static [Press],
    sign: Sign,
    after: &'static [Press],
) -> Trial {
    Trial {
        id,
        before,
        sign,
        after,
    }
}

/// These end or stop the program, or go through captures and the past, and have tests of their own.
#[rustfmt::skip]
const ELSEWHERE: [&str; 13] = [
    "quit", "suspend", "hold", "slower", "faster", "to_end", "to_start", "interval_back", "interval_on", "minute_back",
    "minute_on", "event_back", "event_on",
];

const TO_FLOWS: Press = ("1", Shows("by thruput, largest"));

#[rustfmt::skip]
const TRIALS: &[Trial] = &[
    trial("help", &[], Shows("a row up"), &[("Esc", Hides("a row up"))]),
    trial("sort_left", &[], Order, &[("Right", Order)]),
    trial("sort_right", &[], Order, &[("Left", Order)]),
    trial("reverse", &[], Shows("smallest first"), &[("r", Shows("largest first"))]),
    trial("sort_menu", &[], Shows("sort by this"), &[("Esc", Hides("sort by this"))]),
    trial("hold_order", &[], Shows("order is held"), &[("o", Hides("held"))]),
    trial("columns", &[], Shows("show or hide"), &[("Esc", Hides("show or hide"))]),
    trial("next_trouble", &[], Shows("no flow is in trouble"), &[]),
    trial("pin", &[("Home", Shows("row 1 of"))], Shows("▶*"), &[("P", Hides("▶*"))]),
    trial("filter", &[], Shows("negates"), &[("Esc", Hides("negates"))]),
    trial("pause", &[], Shows("PAUSED"), &[("p", Hides("PAUSED"))]),
    trial("packet_loss", &[], Shows(" rev "), &[("l", Hides(" rev "))]),
    trial("bits", &[], Shows("bit/s"), &[("b", Hides("bit/s"))]),
    trial("open", &[("Home", Shows("row 1 of"))], Shows("other flows"), &[("Esc", Hides("other flows"))]),
    trial("back", &[("?", Shows("a row up"))], Hides("a row up"), &[]),
    trial("fold", &[("5", Shows("groups by rule"))], Shows("▾"), &[("f", Hides("▾")), TO_FLOWS]),
    trial("fold_all", &[("5", Shows("groups by rule"))], Shows("are unfolded"), &[("F", Shows("are folded")), TO_FLOWS]),
    trial("group_by", &[("5", Shows("groups by rule"))], Shows(" by source, "), &[("B", Shows(" by destination, ")), ("B", Shows(" by source subnet, ")), ("B", Shows(" by destination subnet, ")), ("B", Shows(" by interface, ")), ("B", Shows(" by destination port, ")), ("B", Shows(" by source port, ")), ("B", Shows(" by rule, ")), TO_FLOWS]),
    trial("next_view", &[], Shows("by loss,"), &[TO_FLOWS]),
    trial("previous_view", &[], Shows("groups by"), &[TO_FLOWS]),
    trial("view_flows", &[("2", Shows("by loss,"))], Shows("by thruput"), &[]),
    trial("view_loss", &[], Shows("by loss,"), &[TO_FLOWS]),
    trial("view_interfaces", &[], Shows("by interface"), &[TO_FLOWS]),
    trial("view_events", &[], Shows("newest first"), &[TO_FLOWS]),
    trial("view_groups", &[], Shows("groups by rule"), &[TO_FLOWS]),
    trial("names", &[], Shows("host names"), &[("n", Shows(" addresses"))]),
    trial("hide_own_session", &[], Hides("192.0.2.2:8080"), &[("x", Shows("192.0.2.2:8080"))]),
    trial("hide_ended", &[], Shows("have ended are hidden"), &[("i", Shows("all flows are shown"))]),
    trial("scale", &[("Home", Shows("row 1 of")), ("Enter", Shows("(L: linear)"))], Shows("(L: logarithmic)"), &[("L", Shows("(L: linear)")), ("Esc", Hides("other flows"))]),
    trial("theme", &[], Shows("theme: light"), &[("t", Shows("contrast")), ("t", Shows("blind")), ("t", Shows("dark")), ("Esc", Hides("theme:"))]),
    trial("up", &[("Home", Shows("row 1 of")), ("Down", Shows("row 2 of"))], Shows("row 1 of"), &[]),
    trial("down", &[("Home", Shows("row 1 of"))], Shows("row 2 of"), &[]),
    trial("page_up", &[("End", Hides("row 1 of"))], Shows("row 1 of"), &[]),
    trial("page_down", &[("Home", Shows("row 1 of"))], Hides("row 1 of"), &[]),
    trial("first", &[("End", Hides("row 1 of"))], Shows("row 1 of"), &[]),
    trial("last", &[("Home", Shows("row 1 of"))], Hides("row 1 of"), &[]),
    trial("reset", &[], Shows("totals start at zero"), &[("Esc", Hides("totals start at zero"))]),
    trial("longer_interval", &[], Shows("every 2 s"), &[("-", Shows("every 1 s"))]),
    trial("shorter_interval", &[], Shows("every 0.5 s"), &[("+", Shows("every 1 s"))]),
    trial("export", &[], Shows("wrote "), &[("Esc", Hides("wrote"))]),
    trial("save_view", &[], Shows("view written to"), &[("Esc", Hides("view written"))]),
    trial("reload", &[], Shows("nothing changed"), &[("Esc", Hides("nothing changed"))]),
    trial("mouse", &[], Shows("mouse: the terminal"), &[("m", Shows("mouse: clicks")), ("Esc", Hides("mouse:"))]),
];

#[test]
fn every_key_of_the_help_does_what_it_says() {
    if !root() {
        return;
    }
    let folder = folder();
    let mut command = flowtop(&folder, &["--demo"]);
    // One of the demo's flows is taken for the session that flowtop runs in.
    command.env("SSH_CONNECTION", "192.0.2.2 8080 192.0.2.1 45001");
    let mut dashboard = Dashboard::open(command, folder, (180, 40), Control::Controlling);
    for row in BINDINGS.iter().filter(|row| !ELSEWHERE.contains(&row.id)) {
        let trial = TRIALS.iter().find(|trial| trial.id == row.id);
        let trial = trial.unwrap_or_else(|| panic!("{} has no trial", row.id));
        for key in row.keys {
            for (key, sign) in trial.before {
                dashboard.press(row.id, key, *sign);
            }
            dashboard.press(row.id, key, trial.sign);
            for (key, sign) in trial.after {
                dashboard.press(row.id, key, *sign);
            }
        }
    }
    for row in TRIALS {
        assert!(
            BINDINGS.iter().any(|b| b.id == row.id),
            "{} is gone",
            row.id
        );
    }
}

#[test]
fn the_keys_of_the_past_lead_into_it_and_back_to_now_while_counting_goes_on() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((120, 40), &[]);
    dashboard.pty.press("4");
    // Some seconds have passed then, so that there is a way on from the beginning.
    dashboard.pty.wait_for_text("goes on after a pause");
    for (id, key, sign) in [
        ("interval_back", "(", Shows("past: ")),
        // A later reset is none of then.
        ("reset", "z", Shows("the past is as it was")),
        ("to_start", "S", Shows("past: ")),
        ("hold", ".", Hides(" held")),
        ("hold", ".", Shows(" held")),
        ("pause", "p", Hides(" held")),
        ("pause", "p", Shows(" held")),
        ("to_end", "E", Hides("past: ")),
        ("minute_on", "}", Shows("this is now")),
        ("minute_back", "{", Shows("past: ")),
        ("minute_on", "}", Hides("past: ")),
        ("to_start", "S", Shows("past: ")),
        (
            "event_back",
            "A",
            Shows("no loss and no alert began before"),
        ),
        ("slower", "[", Hides("no loss and no alert began before")),
        ("faster", "]", Shows(" held, then 10x")),
        ("faster", "]", Shows(" held, then fastest")),
        // As fast as it can, it comes to now.
        ("hold", ".", Hides("past: ")),
        ("event_on", "a", Shows("this is now")),
    ] {
        dashboard.press(id, key, sign);
    }
}

/// The moment of the past that the header tells, once it stands there as a whole.
fn moment(pty: &Pty) -> Option<String> {
    let text = pty.text();
    let (_, behind) = text.lines().next()?.split_once("past: ")?;
    let (time, _) = behind.split_once(" held")?;
    (time.len() == "10:38:47".len()).then(|| time.to_owned())
}

#[test]
fn an_interval_on_is_another_moment_and_an_interval_back_the_same_one_again() {
    if !root() {
        return;
    }
    // The header tells seconds: of shorter intervals two may be in the same one.
    let mut dashboard = Dashboard::demo((120, 40), &["-t", "2"]);
    dashboard.pty.press("4");
    // Two intervals are over then, and the key leads to the last but one.
    dashboard.pty.wait_for_text("goes on after a pause");
    dashboard.pty.press("(");
    dashboard
        .pty
        .wait_for("a moment", |pty| moment(pty).is_some());
    let before = moment(&dashboard.pty);
    dashboard.pty.press(")");
    dashboard.pty.wait_for("another moment", |pty| {
        moment(pty).is_some_and(|now| before != Some(now))
    });
    dashboard.pty.press("(");
    dashboard
        .pty
        .wait_for("the moment of before", |pty| moment(pty) == before);
}

impl Dashboard {
    /// Presses a key and waits for its sign.
    pub fn press(&mut self, id: &str, key: &str, sign: Sign) {
        let before = order(&self.pty.text());
        self.pty.press(key);
        self.wait_for(&format!("{id}: {key}"), sign, before);
    }

    /// Presses keys, each of one letter, so fast that the program reads them together.
    pub fn press_together(&mut self, keys: &str, sign: Sign) {
        let before = order(&self.pty.text());
        self.pty.send(keys.as_bytes());
        self.wait_for(keys, sign, before);
    }

    fn wait_for(&mut self, what: &str, sign: Sign, before: Option<String>) {
        self.pty.wait_for(&format!("{what}: {sign:?}"), |pty| {
            let text = pty.text();
            match sign {
                Shows(part) => text.contains(part),
                Hides(part) => !text.contains(part),
                Order => order(&text).is_some() && order(&text) != before,
            }
        });
    }
}

/// What the status line says of the order.
fn order(screen: &str) -> Option<String> {
    let line = screen.lines().find(|line| line.starts_with(" by "))?;
    let end = line.find(" first").or(line.find(" to "))?;
    Some(line[..end].to_owned())
}

#[test]
fn the_ssh_session_is_known_where_sudo_has_cleared_the_environment() {
    if !root() {
        return;
    }
    let folder = folder();
    let program = flowtop(&folder, &[]);
    let mut command = Command::new("sh");
    // The shell stays, as sudo does.
    let script = "env -u SSH_CONNECTION \"$0\" --demo; exit $?";
    command.args(["-c", script]).arg(program.get_program());
    command
        .current_dir(folder.path())
        .env("HOME", folder.path());
    command.env("SSH_CONNECTION", "192.0.2.2 8080 192.0.2.1 45001");
    let mut dashboard = Dashboard::open(command, folder, (120, 40), Control::Controlling);
    dashboard.pty.wait_for_text(" s tcp    192.0.2.2:8080");
    dashboard.pty.press("x");
    dashboard.pty.wait_until_gone("192.0.2.2:8080");
    dashboard.pty.wait_for_text(", 1 hidden");
}

#[test]
fn a_key_shows_at_once_however_lately_a_frame_was_drawn() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((120, 40), &[]);
    // Where the latest frame is long ago, nothing but the machine holds a key up; else each key follows the frame that the one
    // before has made.
    let rested = waits(&mut dashboard, BETWEEN_FRAMES);
    let lately = waits(&mut dashboard, Duration::ZERO);
    assert!(lately[0] < PROMISED, "{lately:?}");
    // Half of them: the machine may be busy with other things.
    assert!(lately[10] < rested[10] + PROMISED, "{lately:?} {rested:?}");
}

/// How long twenty keys take to show that are pressed so long after the one before has, the shortest first.
fn waits(dashboard: &mut Dashboard, pause: Duration) -> Vec<Duration> {
    let mut waits = Vec::new();
    for (key, text) in [("2", "by loss,"), ("1", "by thruput")].repeat(10) {
        let shown = Instant::now();
        while shown.elapsed() < pause {
            dashboard
                .pty
                .read_some(pause.saturating_sub(shown.elapsed()));
        }
        let start = Instant::now();
        dashboard.pty.press(key);
        while !dashboard.pty.text().contains(text) {
            assert!(
                start.elapsed() < PATIENCE,
                "{key}:\n{}",
                dashboard.pty.text()
            );
            dashboard.pty.read_some(Duration::from_millis(5));
        }
        waits.push(start.elapsed());
    }
    waits.sort_unstable();
    waits
}

#[test]
fn totals_that_a_signal_sets_to_zero_are_told_like_those_of_the_key() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((120, 40), &[]);
    dashboard.pty.press("4");
    dashboard.pty.signal(Signal::SIGUSR2);
    dashboard.pty.wait_for("notice, event and header", |pty| {
        let (lines, told) = (pty.lines(), "totals start at zero from here");
        let is_event = |line: &String| line.contains("reset") && line.contains(told);
        let status = &lines[lines.len() - 2];
        lines[0].contains("reset ") && status.contains(told) && lines.iter().any(is_event)
    });
}

#[test]
fn a_histogram_comes_with_the_next_reading_and_not_with_the_next_interval() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((120, 40), &["-t", "10"]);
    dashboard.pty.press("Down");
    dashboard.pty.press("Enter");
    dashboard.pty.wait_for_text("gathering...");
    let start = Instant::now();
    dashboard.pty.wait_for_text("p50 ");
    assert!(
        start.elapsed() < Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
}
