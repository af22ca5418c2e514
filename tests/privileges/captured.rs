//! Captures need no right: anybody reads them, also where the kernel has no BPF.

use std::path::Path;
use std::process::{Command, Stdio};

use super::lacks::assert_runs;
use super::support::frames::Udp;
use super::support::{program_in, root, seccomp};
use super::{NOBODY, readable_folder};

/// A pcap file of one packet.
fn write_capture(file: &Path) {
    let frame = Udp::to_port(5201).with_payload(vec![7; 100]).frame();
    let length = frame.len() as u32;
    let head = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0xffff, 1];
    let packet = [1_700_000_000, 0, length, length];
    let words = [&head[..], &packet].concat();
    let words: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    std::fs::write(file, [words, frame].concat()).expect("write");
}

#[test]
fn nobody_reads_a_capture_whatever_the_kernel_says_of_bpf() {
    if !root() {
        return;
    }
    let folder = readable_folder();
    let program = program_in(folder.path(), None);
    write_capture(&folder.path().join("one.pcap"));
    for errno in [libc::EPERM, libc::ENOSYS] {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.args(["--no-new-privs", "--bounding-set=-all"]);
        command.arg(&program).args(["--json", "-r", "one.pcap"]);
        command.current_dir(folder.path()).stdin(Stdio::null());
        command.env_remove("SUDO_UID").env("HOME", "/nonexistent");
        seccomp::answer(&mut command, libc::SYS_bpf, None, errno);
        let record = assert_runs(&command.output().expect("setpriv"), "a capture");
        assert_eq!(record["kernel"]["privileges"]["uid"], NOBODY);
        assert_eq!(record["flows"][0]["destination_port"], 5201);
        assert_eq!(record["flows"][0]["payload_bytes"], 100);
    }
}
