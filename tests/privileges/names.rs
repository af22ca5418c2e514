//! Host names, asked of a name server: by datagrams, and by a stream where an answer does not fit into one.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use flowtop::netns::Namespace;

use super::goes_on::{dashboard, folder_of_caller};
use super::support::root;

/// In a network of the test's own: there may be another run of the same test on this machine.
const SERVER: &str = "127.0.0.1:53";
const NAME: [&[u8]; 2] = [b"sender", b"example"];

/// The answer to a question for the name of an address: cut off (TC), or whole.
fn answer(question: &[u8], is_whole: bool) -> Vec<u8> {
    const PTR_IN: [u8; 4] = [0, 12, 0, 1];
    let end = question[12..]
        .windows(5)
        .position(|w| w == [0, 0, 12, 0, 1]);
    let question = &question[..12 + end.expect("a question for a name") + 5];
    let flags = if is_whole { [0x81, 0x80] } else { [0x83, 0x80] };
    let mut bytes = question[..2].to_vec();
    bytes.extend(flags);
    bytes.extend([0, 1, 0, u8::from(is_whole), 0, 0, 0, 0]);
    bytes.extend(&question[12..]);
    if is_whole {
        let labels = NAME
            .iter()
            .flat_map(|label| [&[label.len() as u8], *label].concat());
        let name: Vec<u8> = labels.chain([0]).collect();
        bytes.extend([0xc0, 12]);
        bytes.extend(PTR_IN);
        bytes.extend([0, 0, 0, 60, 0, name.len() as u8]);
        bytes.extend(name);
    }
    bytes
}

/// Answers each datagram by "ask me by a stream", and each stream in full, as long as the process lives.
fn serve() {
    let datagrams = UdpSocket::bind(SERVER).expect("a name server's port");
    let streams = TcpListener::bind(SERVER).expect("a name server's port");
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, asker)) = datagrams.recv_from(&mut question) {
            let _ = datagrams.send_to(&answer(&question[..length], false), asker);
        }
    });
    std::thread::spawn(move || {
        for mut stream in streams.incoming().flatten() {
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut question = vec![0; u16::from_be_bytes(length).into()];
                stream.read_exact(&mut question).expect("a question");
                let answer = answer(&question, true);
                let length = (answer.len() as u16).to_be_bytes();
                stream
                    .write_all(&[&length[..], &answer].concat())
                    .expect("an answer");
            }
        }
    });
}

#[test]
fn a_name_server_is_asked_by_datagrams_and_by_streams() {
    if !root() {
        return;
    }
    let namespace = Namespace::create().expect("a namespace");
    namespace.within(see_the_name).expect("in the namespace");
}

fn see_the_name() -> anyhow::Result<()> {
    serve();
    let folder = folder_of_caller();
    let address = SERVER.trim_end_matches(":53");
    fs::write(
        folder.path().join("resolv.conf"),
        format!("nameserver {address}\n"),
    )
    .expect("write");
    fs::write(folder.path().join("nsswitch.conf"), "hosts: files dns\n").expect("write");
    let mounts =
        "mount --bind resolv.conf /etc/resolv.conf; mount --bind nsswitch.conf /etc/nsswitch.conf";
    let mut pty = dashboard(folder.path(), mounts);
    pty.press("n");
    pty.wait_for_text("sender.example:40010");
    pty.press("q");
    assert!(pty.wait_for_exit(Duration::from_secs(10)).success());
    Ok(())
}
