//! Any size at any moment.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::support::pty::Control;
use super::support::root;
use super::{Dashboard, flowtop, folder};

#[test]
fn any_size_at_any_moment() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((80, 24), &[]);
    for key in ["1", "2", "3", "4", "1", "?", "?", "s"] {
        dashboard.pty.press(key);
        for size in [
            (120, 40),
            (10, 3),
            (200, 50),
            (1, 1),
            (40, 10),
            (0, 0),
            (80, 24),
        ] {
            dashboard.pty.resize(size);
        }
        dashboard.wait_for_tabs();
    }
    dashboard.pty.press("Ctrl-C");
    assert!(
        dashboard
            .pty
            .wait_for_exit(Duration::from_secs(2))
            .success()
    );
    dashboard.pty.assert_restored();
}

#[test]
fn each_size_is_filled() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((80, 24), &[]);
    for size in [(120, 40), (200, 50), (40, 10), (80, 24)] {
        dashboard.pty.resize(size);
        let (columns, lines) = (usize::from(size.0), usize::from(size.1));
        dashboard.pty.wait_for(&format!("{size:?}"), |pty| {
            let shown = pty.lines();
            // The footer stands on the last line, the interval at the right end of the first.
            shown.len() == lines
                && shown[lines - 1].contains("help")
                && shown[0].trim_end().chars().count() + 1 >= columns
        });
    }
    for size in [(10, 3), (1, 1)] {
        dashboard.pty.resize(size);
        dashboard.pty.read_some(Duration::from_millis(300));
    }
    dashboard.pty.resize((80, 24));
    dashboard.wait_for_tabs();
}

#[test]
fn a_terminal_that_is_too_small_says_so() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((80, 24), &[]);
    dashboard.pty.resize((30, 8));
    dashboard.pty.wait_for("a line about the size", |pty| {
        !pty.text().contains("192.0.2.2") && pty.text().contains("40x10")
    });
}

#[test]
fn a_terminal_without_a_size_is_survived() {
    if !root() {
        return;
    }
    let folder = folder();
    let mut command = flowtop(&folder, &["--demo"]);
    let pty = super::Pty::start(&mut command, (0, 0), Control::Controlling);
    let mut dashboard = Dashboard { pty, folder };
    dashboard
        .pty
        .wait_for("a screen", |pty| pty.screen().alternate_screen());
    dashboard.pty.resize((80, 24));
    dashboard.wait_for_flows();
    // As a serial line has it, where nobody said otherwise: it is taken for one of 80x24.
    dashboard.pty.claim_size((0, 0));
    dashboard.pty.press("?");
    dashboard.pty.wait_for_text("Esc back");
    dashboard.pty.signal(Signal::SIGTERM);
    assert!(
        dashboard
            .pty
            .wait_for_exit(Duration::from_secs(2))
            .success()
    );
}

#[test]
fn a_terminal_that_says_that_it_is_huge_is_drawn_as_far_as_anybody_looks() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((80, 24), &[]);
    dashboard.pty.forget_raw();
    dashboard.pty.claim_size((u16::MAX, u16::MAX));
    // The last line that is drawn, and none behind it to the frame's end.
    let row = |row: u32| format!("\x1b[{row};").into_bytes();
    let (last, end) = (row(500), b"\x1b[?2026l");
    dashboard.pty.wait_for("line 500 and the end", |pty| {
        let raw = pty.raw();
        let line = raw.windows(last.len()).position(|bytes| bytes == last);
        line.is_some_and(|at| raw[at..].windows(end.len()).any(|bytes| bytes == end))
    });
    assert_eq!(dashboard.pty.count(&row(501)), 0);
    let column = |column: u32| format!(";{column}H").into_bytes();
    assert_eq!(dashboard.pty.count(&column(1001)), 0);
    dashboard.pty.claim_size((80, 24));
    dashboard.pty.resize((80, 24));
    dashboard.wait_for_tabs();
    dashboard.pty.press("Ctrl-C");
    let status = dashboard.pty.wait_for_exit(Duration::from_secs(5));
    assert!(status.success(), "{status}");
    dashboard.pty.assert_restored();
}
