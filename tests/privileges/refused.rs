//! A kernel that does not take the program: who refuses it is said truly, by the run and by `flowtop doctor`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::lacks::{RUN, flowtop, refusal};
use super::support::{program_in, root, seccomp};

const OBJECT: [u8; 7] = *b"\x7fELF\x02\x01\x01";
const EM_BPF: u64 = 247;
/// The section that the hook's programs are in.
const SECTION: &[u8] = b"tc\0";
/// r0 = r9: a register that nobody has written to.
const UNVERIFIABLE: [u8; 8] = [0xbf, 0x90, 0, 0, 0, 0, 0, 0];

fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    let bytes = bytes[at..at + size].iter().rev();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Where the program begins within an object file: the contents of its section.
fn program_within(object: &[u8]) -> usize {
    let sections = number(object, 40, 8) as usize;
    let header = |index: u64| sections + 64 * index as usize;
    let names = number(object, header(number(object, 62, 2)) + 24, 8);
    let is_it = |index: &u64| {
        let name = (names + number(object, header(*index), 4)) as usize;
        object[name..].starts_with(SECTION)
    };
    let found = (0..number(object, 60, 2)).find(is_it).expect("the section");
    number(object, header(found) + 24, 8) as usize
}

/// A copy of flowtop with a program that no verifier takes.
fn with_a_program_that_no_verifier_takes(folder: &Path) -> PathBuf {
    let mut bytes = std::fs::read(env!("CARGO_BIN_EXE_flowtop")).expect("the program");
    let is_object =
        |at: &usize| bytes[*at..].starts_with(&OBJECT) && number(&bytes, at + 18, 2) == EM_BPF;
    let object = (0..bytes.len() - 64).find(is_object).expect("the object");
    let program = object + program_within(&bytes[object..]);
    bytes[program..program + 8].copy_from_slice(&UNVERIFIABLE);
    let draft = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(draft.path(), bytes).expect("write");
    program_in(folder, Some(draft.path()))
}

#[test]
fn a_verifier_that_refuses_is_named_with_its_kernel_and_its_reason() {
    if !root() {
        return;
    }
    let folder = super::readable_folder();
    let program = with_a_program_that_no_verifier_takes(folder.path());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::null());
        command
            .env("HOME", "/nonexistent")
            .output()
            .expect("flowtop")
    };
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("the release");
    let expected = format!(
        "load the kernel program: Linux {} refuses it, its verifier says R9 !read_ok \
        (report it, with what flowtop doctor says)",
        release.trim()
    );
    assert_eq!(refusal(&run(&RUN)), (Some(69), expected.clone()));
    let report = run(&["doctor"]);
    assert_eq!(report.status.code(), Some(0));
    let report = String::from_utf8(report.stdout).expect("UTF-8");
    assert!(
        report.contains(&format!("does not load: {expected}\n")),
        "{report}"
    );
}

/// Maps may be made, programs may not be loaded: the verifier was never asked.
#[test]
fn whoever_keeps_only_programs_away_is_not_taken_for_the_verifier() {
    if !root() {
        return;
    }
    const PROG_LOAD: u32 = 5;
    for errno in [libc::EPERM, libc::EACCES] {
        let mut command = flowtop(&RUN);
        seccomp::answer(&mut command, libc::SYS_bpf, Some(PROG_LOAD), errno);
        let (code, line) = refusal(&command.output().expect("flowtop"));
        let expected = "load the kernel program: a seccomp filter forbids bpf(2) (run it outside of \
            the container, or allow bpf in the container's seccomp profile)";
        assert_eq!((code, line.as_str()), (Some(77), expected), "{errno}");
    }
}
