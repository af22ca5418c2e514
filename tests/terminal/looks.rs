//! Colours and characters: what is switched off never reaches the terminal.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use flowtop::netns::Namespace;

use super::support::program::PROGRAM;
use super::support::pty::{Control, PATIENCE, Pty};
use super::support::{command, root};
use super::{Dashboard, flowtop, folder, write_as_caller};

impl Dashboard {
    /// Walks through the views, so that all of them have been drawn.
    fn see_all(&mut self) {
        for (key, text) in [
            ("2", "by loss,"),
            ("3", "by interface"),
            ("4", "newest first"),
            ("5", "groups by"),
            ("f", "f fold"),
            ("?", "Esc back"),
            ("?", "groups by"),
            ("1", "by thruput"),
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
fn a_terminal_that_has_ascii_alone_gets_nothing_else_without_being_asked() {
    if !root() {
        return;
    }
    for (name, value, is_ascii) in [
        ("TERM", "linux", true),
        ("LC_ALL", "C", true),
        ("LC_ALL", "C.UTF-8", false),
    ] {
        let folder = folder();
        let mut command = flowtop(&folder, &["--demo"]);
        command.env(name, value);
        let mut dashboard = Dashboard::open(command, folder, (120, 40), Control::Controlling);
        dashboard.see_all();
        dashboard.pty.press("Ctrl-C");
        assert!(dashboard.pty.wait_for_exit(PATIENCE).success());
        assert_eq!(dashboard.pty.raw().is_ascii(), is_ascii, "{name}={value}");
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
    write_as_caller(&folder.path().join("config.json"), hostile);
    let mut command = flowtop(&folder, &["--demo", "-c", "config.json"]);
    let mut pty = Pty::start(&mut command, (180, 40), Control::Controlling);
    assert_eq!(pty.wait_for_exit(PATIENCE).code(), Some(78));
    let raw = String::from_utf8_lossy(pty.raw()).into_owned();
    assert!(raw.contains("a rule needs a printable name"), "{raw}");
    for bad in ["\u{1b}", "\u{7}", "\u{202e}", "\u{9b}"] {
        assert!(!raw.contains(bad), "{bad:?}");
    }
}

/// Names of interfaces that set a title and ring, turn text round, or are no UTF-8; and what is shown of them.
const HOSTILE: [(&[u8], &str); 3] = [
    (b"a\x1b]0;own\x07", r"a\u{1b}]0;own\u{7}"),
    (b"b\xe2\x80\xaeth\xc2\x9b2J", r"b\u{202e}th\u{9b}2J"),
    (b"c\xff\x9b\xc3", r"c\xff\x9b\xc3"),
];

/// A namespace with an interface of each of these names, all of them up.
fn hostile_namespace() -> Namespace {
    let namespace = Namespace::create().expect("make a namespace");
    for (index, (name, _)) in HOSTILE.into_iter().enumerate() {
        let (name, peer) = (OsStr::from_bytes(name), format!("peer{index}"));
        ip(
            &namespace,
            "link add name",
            name,
            &format!("type veth peer name {peer}"),
        );
        ip(&namespace, "link set up dev", name, "");
        ip(&namespace, "link set up dev", OsStr::new(&peer), "");
    }
    namespace
}

/// Runs ip(8) with these words around a name.
fn ip(namespace: &Namespace, before: &str, name: &OsStr, after: &str) {
    let mut ip = command(namespace, "ip");
    ip.args(before.split_ascii_whitespace())
        .arg(name)
        .args(after.split_ascii_whitespace());
    assert!(ip.status().expect("ip").success(), "{ip:?}");
}

/// Fails if anything but what flowtop itself wrote could have steered the terminal.
fn assert_harmless(raw: &[u8], what: &str) {
    let text = std::str::from_utf8(raw).unwrap_or_else(|error| panic!("{what}: {error}"));
    for bad in ["\u{7}", "\u{1b}]", "\u{9b}", "\u{202e}", "\u{fffd}"] {
        assert!(!text.contains(bad), "{what}: {bad:?} in {text:?}");
    }
}

#[test]
fn bytes_of_an_interface_name_never_reach_the_terminal_raw() {
    if !root() {
        return;
    }
    let namespace = hostile_namespace();
    let run = |arguments: &[&str]| {
        let folder = folder();
        let mut flowtop = command(&namespace, PROGRAM);
        flowtop
            .args(arguments)
            .current_dir(folder.path())
            .env("HOME", folder.path());
        let pty = Pty::start(&mut flowtop, (200, 50), Control::Controlling);
        Dashboard { pty, folder }
    };
    let mut dashboard = run(&[]);
    for (key, sign) in [
        ("3", "by interface"),
        ("4", "newest first"),
        ("1", "by thruput"),
    ] {
        dashboard.pty.press(key);
        dashboard.pty.wait_for_text(sign);
        for (_, shown) in HOSTILE {
            dashboard.pty.wait_for_text(shown);
        }
    }
    dashboard.pty.send(b"/iface:a*\r3");
    dashboard.pty.wait_for_text("by interface");
    dashboard.pty.press("End");
    dashboard.pty.press("Enter");
    dashboard.pty.wait_for_text("device drops");
    let gone = OsStr::from_bytes(HOSTILE[1].0);
    ip(&namespace, "link del dev", gone, "");
    dashboard.pty.send(b"4/\x15\r");
    dashboard
        .pty
        .wait_for_text(&format!("{}: gone, waiting", HOSTILE[1].1));
    assert_harmless(dashboard.pty.raw(), "the dashboard");
    for format in ["--text", "--json"] {
        let mut pty = run(&[format, "--count", "1"]).pty;
        assert!(pty.wait_for_exit(PATIENCE).success());
        let text = String::from_utf8_lossy(pty.raw()).replace(r"\\", r"\");
        for (_, shown) in [HOSTILE[0], HOSTILE[2]] {
            assert!(text.contains(shown), "{format}: {shown}: {text}");
        }
        assert_harmless(pty.raw(), format);
    }
}
