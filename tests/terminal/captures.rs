//! Captures on the dashboard: files that are played, and streams that are shown as they come.

use std::fs::File;
use std::io::Write;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::keys::Sign::{Hides, Shows};
use super::{Dashboard, flowtop, folder};
use crate::support::frames::Udp;
use crate::support::pty::{Control, PATIENCE, Pty};

/// The head of a pcap file with its times in microseconds.
fn head() -> Vec<u8> {
    [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0xffff, 1_u32]
        .map(u32::to_le_bytes)
        .concat()
}

/// A packet to this port, so many half seconds behind the first.
fn packet(port: u16, half: u32) -> Vec<u8> {
    let frame = Udp::to_port(port).frame();
    let length = frame.len() as u32;
    let words = [1_700_000_000 + half / 2, half % 2 * 500_000, length, length];
    [&words.map(u32::to_le_bytes).concat()[..], &frame].concat()
}

/// An hour of a flow with two packets a second.
fn an_hour() -> Vec<u8> {
    let packets = (0..7200).flat_map(|half| packet(5201, half));
    head().into_iter().chain(packets).collect()
}

#[test]
fn the_keys_of_captures_hold_them_and_change_their_pace() {
    let folder = folder();
    std::fs::write(folder.path().join("hour.pcap"), an_hour()).expect("a capture");
    let mut command = flowtop(&folder, &["-r", "hour.pcap"]);
    command.env_remove("SUDO_UID");
    let pty = Pty::start(&mut command, (120, 40), Control::Controlling);
    let mut dashboard = Dashboard { pty, folder };
    dashboard.pty.wait_for_text("10.0.0.2:40000");
    for (id, key, sign) in [
        ("hold", ".", Shows(" HELD ")),
        ("hold", ".", Hides(" HELD ")),
        ("faster", "]", Shows(" 10x ")),
        ("slower", "[", Shows(" 1x ")),
        ("hold", ".", Shows(" HELD ")),
    ] {
        dashboard.press(id, key, sign);
    }
    // Of keys that come together each counts, although the pace that they change is not shown yet.
    for (keys, sign) in [
        ("]]", Shows(" then fastest ")),
        ("[", Shows(" then 10x ")),
        ("[].[[", Shows(" 1x ")),
    ] {
        dashboard.press_together(keys, sign);
    }
    dashboard.press("to_end", "E", Shows("at its end"));
}

#[test]
fn a_stream_is_shown_as_it_comes_and_keys_come_from_the_terminal() {
    let folder = folder();
    let fifo = folder.path().join("stream");
    mkfifo(&fifo, Mode::S_IRWXU).expect("a FIFO");
    let program = flowtop(&folder, &[]);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" -r - <stream"]);
    command.arg(program.get_program());
    command
        .current_dir(folder.path())
        .env("HOME", folder.path());
    let pty = Pty::start(&mut command, (120, 40), Control::Controlling);
    let mut dashboard = Dashboard { pty, folder };
    // Waits for the shell.
    let mut stream = File::options().write(true).open(fifo).expect("the FIFO");
    stream.write_all(&head()).expect("write");
    for (half, port) in (0..).zip(5201..5204) {
        // As a connection brings it: a piece that ends anywhere, and the rest whenever it comes.
        let packet = packet(port, half);
        let (piece, rest) = packet.split_at([7, 16, 40][half as usize]);
        stream.write_all(piece).expect("write");
        dashboard.press("help", "?", Shows("a row up"));
        dashboard.press("help", "Esc", Hides("a row up"));
        let shown = format!("10.0.0.1:{port}");
        assert!(!dashboard.pty.text().contains(&shown), "{shown}");
        stream.write_all(rest).expect("write");
        // Nothing comes behind it.
        dashboard.pty.wait_for_text(&shown);
    }
    // The connection breaks.
    stream.write_all(&packet(5204, 3)[..20]).expect("write");
    drop(stream);
    dashboard.pty.wait_for_text("at its end");
    let cut_off = Shows("packet 3 is the last one: it ends within a packet");
    dashboard.press("view_events", "4", cut_off);
    dashboard.pty.press("q");
    let status = dashboard.pty.wait_for_exit(PATIENCE);
    assert_eq!(status.code(), Some(0));
}
