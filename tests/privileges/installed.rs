//! `make install-caps`: those of the group may run it, and need nothing else; nobody else may.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use super::set_mode;
use super::support::{program_in, root};

const GROUP: u32 = 54322;
const USER: u32 = 54323;

fn make(arguments: &[String]) -> Output {
    let mut command = Command::new("make");
    command.arg("--silent").arg("install-caps").args(arguments);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env_remove("MAKEFLAGS").env_remove("PREFIX");
    command.output().expect("make")
}

fn run_as(program: &Path, group: u32) -> std::io::Result<Output> {
    let mut command = Command::new(program);
    command.args(["--json", "-i", "lo", "-t", "0.1", "--count=1"]);
    command.current_dir("/").env("HOME", "/nonexistent");
    command.env_remove("XDG_CONFIG_HOME").env_remove("SUDO_UID");
    command.uid(USER).gid(group).output()
}

#[test]
fn the_group_runs_the_installed_program_without_sudo_and_others_do_not() {
    if !root() {
        return;
    }
    // In a folder without rights on files, as systemd's /tmp is one, there would be none.
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    set_mode(folder.path(), 0o755);
    let place = folder.path().join("usr/bin");
    std::fs::create_dir_all(&place).expect("folders");
    let program = program_in(&place, None);
    let stage = [
        format!("DESTDIR={}", folder.path().display()),
        "PREFIX=/usr".to_owned(),
    ];
    let missing = make(&[&stage[..], &["GROUP=no-such-group".to_owned()]].concat());
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success(), "{said}");
    assert!(
        said.contains("no group no-such-group (run: groupadd --system no-such-group"),
        "{said}"
    );
    let done = make(&[&stage[..], &[format!("GROUP={GROUP}")]].concat());
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let metadata = std::fs::metadata(&program).expect("metadata");
    assert_eq!(metadata.mode() & 0o7777, 0o750);
    assert_eq!((metadata.uid(), metadata.gid()), (0, GROUP));
    let output = run_as(&program, GROUP).expect("run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    let record: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a record");
    // Its own descriptors are still its own to look at.
    let memory = record["kernel"]["map_memory_bytes"].as_u64();
    assert!(memory > Some(131_072 * 128), "{memory:?}");
    let privileges = &record["kernel"]["privileges"];
    assert_eq!(privileges["uid"], USER);
    assert_eq!(privileges["capabilities"], serde_json::json!([]));
    assert_eq!(privileges["landlock"], "full");
    let refused = run_as(&program, USER).expect_err("not for everybody");
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
}
