//! Colours and characters: what is switched off never reaches the terminal.

use super::support::pty::{Control, PATIENCE, Pty};
use super::support::root;
use super::{Dashboard, flowtop, folder};

impl Dashboard {
    /// Walks through the views, so that all of them have been drawn.
    fn see_all(&mut self) {
        for (key, text) in [
            ("2", "by loss_percent"),
            ("3", "by name"),
            ("4", "newest first"),
            ("?", "Esc back"),
            ("?", "newest first"),
            ("1", "by throughput"),
            ("Home", "row 1 of"),
            ("Enter", "other flows"),
        ] {
            self.pty.press(key);
            self.pty.wait_for_text(text);
        }
    }

    /// Whether a colour was ever set: SGR 30 to 48, 90 to 107.
    fn has_colours(&self) -> bool {
        let raw = String::from_utf8_lossy(self.pty.raw()).into_owned();
        raw.split("\x1b[").skip(1).any(|part| {
            let Some((codes, _)) = part.split_once('m') else {
                return false;
            };
            codes.bytes().all(|b| b.is_ascii_digit() || b == b';')
                && codes
                    .split(';')
                    .filter_map(|code| code.parse().ok())
                    .any(|code: u32| matches!(code, 30..=38 | 40..=48 | 90..=107))
        })
    }
}

#[test]
fn colours_are_there_unless_they_are_switched_off() {
    if !root() {
        return;
    }
    for (arguments, no_color, colours) in [
        (&["--demo"][..], false, true),
        (&["--demo"], true, false),
        (&["--demo", "--color", "never"], false, false),
        (&["--demo", "--color", "always"], true, true),
    ] {
        let folder = folder();
        let mut command = flowtop(&folder, arguments);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let mut dashboard = Dashboard::open(command, folder, (80, 24), Control::Controlling);
        dashboard.see_all();
        assert_eq!(
            dashboard.has_colours(),
            colours,
            "{arguments:?}, NO_COLOR: {no_color}"
        );
    }
}

#[test]
fn ascii_means_that_every_byte_is_ascii() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((120, 40), &["--ascii"]);
    dashboard.see_all();
    assert!(dashboard.pty.raw().is_ascii());
}

#[test]
fn control_characters_of_a_configuration_never_reach_the_terminal() {
    if !root() {
        return;
    }
    let folder = folder();
    let hostile =
        r#"{"RULES": {"a\u001b]0;owned\u0007b\u202ec\u009bd": "- - - - -"}, "EXAMPLES": {}}"#;
    std::fs::write(folder.path().join("config.json"), hostile).expect("write");
    let mut command = flowtop(&folder, &["--demo", "-c", "config.json"]);
    let mut pty = Pty::start(&mut command, (180, 40), Control::Controlling);
    assert_eq!(pty.wait_for_exit(PATIENCE).code(), Some(78));
    let raw = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(raw.contains("a rule needs a printable name"), "{raw}");
    for bad in ["\u{1b}", "\u{7}", "\u{202e}", "\u{9b}"] {
        assert!(!raw.contains(bad), "{bad:?}");
    }
}
