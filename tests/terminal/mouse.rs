//! The mouse, as a terminal of the xterm family reports it.

use std::time::{Duration, Instant};

use super::Dashboard;
use super::support::pty::{PATIENCE, sequence};
use super::support::root;

/// The left button.
const LEFT: u8 = 0;
/// The wheel, towards the person.
const WHEEL_DOWN: u8 = 65;

impl Dashboard {
    /// The button goes down on this cell, counted from 0.
    fn click(&mut self, button: u8, x: usize, y: usize) {
        let report = format!("\x1b[<{button};{};{}M", x + 1, y + 1);
        self.pty.send(report.as_bytes());
    }

    /// Where this text stands: cell and line, from 0.
    fn place_of(&self, text: &str) -> (usize, usize) {
        let lines = self.pty.lines();
        let y = lines.iter().position(|line| line.contains(text));
        let y = y.unwrap_or_else(|| panic!("no {text} on the screen:\n{}", self.pty.text()));
        let before = lines[y].split(text).next().unwrap_or_default();
        (before.chars().count(), y)
    }

    fn click_on(&mut self, text: &str) {
        let (x, y) = self.place_of(text);
        self.click(LEFT, x + 1, y);
    }
}

#[test]
fn tabs_titles_and_rows_can_be_clicked_and_the_wheel_turned() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((120, 40), &[]);
    dashboard.click_on("3 Interfaces");
    dashboard.pty.wait_for_text("by interface, a to z");
    dashboard.click_on("1 Flows");
    dashboard.wait_for_flows();
    for order in ["by destination, a to z", "by destination, z to a"] {
        dashboard.click_on("destination");
        dashboard.pty.wait_for_text(order);
    }
    dashboard.pty.press("Home");
    dashboard.pty.wait_for_text("row 1 of");
    dashboard.click(WHEEL_DOWN, 20, 20);
    dashboard.pty.wait_for_text("row 4 of");
    dashboard.pty.press("o");
    dashboard.pty.wait_for_text("order is held");
    dashboard.click_on("192.0.2.2:40010");
    dashboard.pty.wait_for("the row selected", |pty| {
        let is_it = |line: &String| line.starts_with('▶') && line.contains("192.0.2.2:40010");
        pty.lines().iter().any(is_it)
    });
    // The second click after the first makes a pair of them, unless that took too long: then the third does.
    let start = Instant::now();
    while !dashboard.pty.text().contains("other flows") {
        let (x, y) = dashboard.place_of("192.0.2.2:40010");
        dashboard.click(LEFT, x, y);
        dashboard.pty.read_some(Duration::from_millis(50));
        assert!(start.elapsed() < PATIENCE, "{}", dashboard.pty.text());
    }
}

#[test]
fn the_mouse_is_captured_while_the_dashboard_is_open() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((80, 24), &[]);
    assert_eq!(dashboard.pty.count(sequence::MOUSE_ON), 1);
    dashboard.pty.press("m");
    dashboard
        .pty
        .wait_for_text("mouse: the terminal selects text");
    assert_eq!(dashboard.pty.count(sequence::MOUSE_OFF), 1);
    let mode = dashboard.pty.screen().mouse_protocol_mode();
    assert_eq!(mode, vt100::MouseProtocolMode::None);
}
