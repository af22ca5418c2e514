//! What keys write: the view into the configuration, exports into the working directory; and what they read again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::support::pty::{Control, Pty};
use super::support::root;
use super::{Dashboard, flowtop, folder, write_as_caller};

fn exports(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("folder");
    let paths = entries.map(|entry| entry.expect("entry").path());
    let is_export = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name.starts_with("flowtop-") && name.ends_with(ending)
    };
    paths.filter(is_export).collect()
}

#[test]
fn the_export_key_writes_flows_and_events_that_can_be_read() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((180, 40), &[]);
    dashboard.pty.press("e");
    dashboard.pty.wait_for_text(" flows and ");
    let told = dashboard.pty.text();
    let told = told
        .split("wrote ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let flows: usize = told
        .and_then(|count| count.parse().ok())
        .expect("a number of flows");
    assert!(flows >= 11, "{flows}");
    let json = exports(dashboard.folder.path(), ".json");
    let text = fs::read_to_string(&json[0]).expect("file");
    let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(record["flows"].as_array().map(Vec::len), Some(flows));
    let events = record["events"].as_array().expect("events");
    let is_up = |event: &serde_json::Value| {
        event["kind"] == "interface" && event["text"].as_str().is_some_and(|t| t.contains("demo0"))
    };
    assert!(events.iter().any(is_up), "{events:?}");
    let csv = exports(dashboard.folder.path(), ".csv");
    let text = fs::read_to_string(&csv[0]).expect("file");
    // A header, then a row a flow.
    assert_eq!(text.lines().count(), 1 + flows);
}

/// Gives new files in a folder to their owner (all), group (read) and nobody else, whatever the umask: a default ACL.
fn share_with_the_group(folder: &Path) {
    const NOBODYS: u32 = u32::MAX;
    let entries = [(0x01_u16, 7_u16), (0x04, 4), (0x20, 0)];
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, rights) in entries {
        acl.extend(tag.to_le_bytes());
        acl.extend(rights.to_le_bytes());
        acl.extend(NOBODYS.to_le_bytes());
    }
    let path = std::ffi::CString::new(folder.to_str().expect("UTF-8")).expect("a path");
    let name = c"system.posix_acl_default";
    // SAFETY: two texts that end with a zero, and as many bytes as are said.
    let outcome = unsafe {
        libc::setxattr(
            path.as_ptr(),
            name.as_ptr(),
            acl.as_ptr().cast(),
            acl.len(),
            0,
        )
    };
    assert_eq!(outcome, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn exports_are_their_owners_alone_unless_the_folder_says_otherwise_and_never_overwrite() {
    if !root() {
        return;
    }
    let mut dashboard = Dashboard::demo((180, 40), &[]);
    let folder = dashboard.folder.path().to_owned();
    let modes = || {
        let all = [".json", ".csv"].map(|ending| exports(&folder, ending));
        let modes = all.iter().flatten().map(|path| {
            let metadata = fs::metadata(path).expect("an export");
            metadata.permissions().mode() & 0o777
        });
        let mut modes: Vec<_> = modes.collect();
        modes.sort_unstable();
        modes
    };
    // More than one in a second: none takes the place of another.
    for key in ["e", "e", "e"] {
        dashboard.pty.press(key);
    }
    dashboard.pty.wait_for("six files", |_| modes().len() == 6);
    assert_eq!(modes(), [0o600; 6]);
    share_with_the_group(&folder);
    dashboard.pty.press("e");
    dashboard
        .pty
        .wait_for("eight files", |_| modes().len() == 8);
    assert_eq!(
        modes(),
        [0o600, 0o600, 0o600, 0o600, 0o600, 0o600, 0o640, 0o640]
    );
}

#[test]
fn a_full_disk_is_told_and_the_dashboard_goes_on() {
    if !root() {
        return;
    }
    let folder = folder();
    let script = "mount -t tmpfs -o size=4k tmpfs \"$PWD\" && cd \"$PWD\" && exec \"$0\" --demo";
    let program = flowtop(&folder, &[]);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script])
        .arg(program.get_program());
    command
        .current_dir(folder.path())
        .env("HOME", folder.path());
    let pty = Pty::start(&mut command, (180, 40), Control::Controlling);
    let mut dashboard = Dashboard { pty, folder };
    dashboard.wait_for_flows();
    dashboard.pty.press("e");
    dashboard.pty.wait_for_text("export: write flowtop-");
    dashboard.pty.wait_for_text("No space left on device");
    dashboard.pty.press("?");
    dashboard.pty.wait_for_text("a row up");
}

#[test]
fn the_view_is_written_into_the_file_in_use_and_nothing_else_changes() {
    if !root() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("config.json");
    fs::write(&file, "{\"FLOW_TIMEOUT\":  77,\n \"UNIT\": \"bytes\"}\n").expect("write");
    let command = flowtop(&folder, &["--demo", "-c", "config.json"]);
    let mut dashboard = Dashboard::open(command, folder, (120, 40), Control::Controlling);
    dashboard.pty.press("b");
    dashboard.pty.wait_for_text("bit/s");
    dashboard.pty.press("w");
    dashboard.pty.wait_for_text("view written to config.json");
    let text = fs::read_to_string(&file).expect("file");
    assert_eq!(text, "{\"FLOW_TIMEOUT\":  77,\n \"UNIT\": \"bits\"}\n");
    dashboard.pty.press("R");
    dashboard.pty.wait_for_text("nothing changed");
    dashboard.pty.press("w");
    dashboard.pty.wait_for_text("says all this already");
    dashboard.pty.press("4");
    dashboard.pty.wait_for_text("view written to config.json");
    assert!(!dashboard.pty.text().contains("configuration:"));
}

#[test]
fn a_view_that_the_next_start_would_not_trust_is_not_written() {
    if !root() {
        return;
    }
    let folder = folder();
    let mut command = flowtop(&folder, &["--demo"]);
    // Root goes on as somebody whose files root does not take for its own.
    command.env_remove("SUDO_UID");
    let mut dashboard = Dashboard::open(command, folder, (180, 40), Control::Controlling);
    dashboard.pty.press("w");
    dashboard
        .pty
        .wait_for_text("the next start would not read ");
    let left = fs::read_dir(dashboard.folder.path()).expect("a folder");
    assert_eq!(left.count(), 0);
}

#[test]
fn ctrl_c_leaves_though_the_configuration_takes_all_keys_from_leaving() {
    if !root() {
        return;
    }
    for keys in ["", "/", "?", "c"] {
        let folder = folder();
        let file = folder.path().join("config.json");
        write_as_caller(&file, "{\"KEYS\": {\"quit\": []}}");
        let command = flowtop(&folder, &["--demo", "-c", "config.json"]);
        let mut dashboard = Dashboard::open(command, folder, (120, 40), Control::Controlling);
        keys.split_terminator(' ')
            .for_each(|key| dashboard.pty.press(key));
        dashboard.pty.press("Ctrl-C");
        let status = dashboard.pty.wait_for_exit(Duration::from_secs(10));
        assert_eq!(status.code(), Some(0), "{keys}");
    }
}

#[test]
fn what_the_file_says_and_what_is_wrong_with_it_are_events() {
    if !root() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("config.json");
    write_as_caller(&file, "{}");
    let command = flowtop(&folder, &["--demo", "-c", "config.json"]);
    let mut dashboard = Dashboard::open(command, folder, (120, 40), Control::Controlling);
    dashboard.pty.press("b");
    dashboard.pty.wait_for_text("bit/s");
    write_as_caller(&file, "{\"THEME\": \"light\"}");
    dashboard
        .pty
        .wait_for_text("configuration: THEME dark -> light");
    // What a key changed stays where the file did not change it.
    dashboard.pty.wait_for_text("bit/s");
    write_as_caller(&file, "{\n \"THEME\": \"pink\"}");
    dashboard.pty.wait_for_text("config.json:2:11: THEME");
    dashboard.pty.press("R");
    write_as_caller(&file, "{\"THEME\": \"light\"}");
    dashboard.pty.wait_for_text("configuration: mended");
    dashboard.pty.press("4");
    for part in [
        "configuration: THEME dark -> light",
        // The end of a long line is shortened.
        "refused, the last good one stays: config",
        "configuration: mended",
    ] {
        dashboard.pty.wait_for_text(part);
    }
}

#[test]
fn a_file_that_appears_is_found_and_all_that_is_wrong_with_it_is_told() {
    if !root() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("config.json");
    let mut command = flowtop(&folder, &["-i", "lo"]);
    let pty = Pty::start(&mut command, (120, 40), Control::Controlling);
    let mut dashboard = Dashboard { pty, folder };
    dashboard.wait_for_tabs();
    dashboard.pty.press("R");
    dashboard
        .pty
        .wait_for_text("configuration: nothing changed");
    write_as_caller(&file, "{\"UNIT\": \"bit\",\n \"OFSET\": 4}");
    dashboard.pty.wait_for_text("config.json:1:10: UNIT: ");
    dashboard.pty.wait_for_text("(and more)");
    dashboard.pty.press("4");
    dashboard.pty.wait_for_text(
        "refused, too: config.json:2:2: unknown key \"OFSET\" (did you mean OFFSET?)",
    );
    let right =
        r#"{"UNIT": "bits", "COLUMNS": ["source", "packets"], "KEYS": {"view_flows": "F5"}}"#;
    write_as_caller(&file, right);
    dashboard
        .pty
        .wait_for_text("configuration: config.json: COLUMNS: + source, + packets");
    dashboard.pty.wait_for_text("bit/s");
    dashboard.pty.press("R");
    dashboard
        .pty
        .wait_for_text("configuration: nothing changed");
}

#[test]
fn an_alert_marks_its_flow_makes_an_event_and_is_in_the_json() {
    if !root() {
        return;
    }
    let folder = folder();
    let alerts =
        r#"{"ALERTS": [{"column": "packets", "above": 5}, {"column": "jitter_ms", "above": 1e6}]}"#;
    fs::write(folder.path().join("config.json"), alerts).expect("write");
    let mut headless = flowtop(
        &folder,
        &["--demo", "-c", "config.json", "--json", "--count", "2"],
    );
    let output = headless.output().expect("flowtop");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("\"alerts\":[\"packets above 5\"]"), "{text}");
    let command = flowtop(&folder, &["--demo", "-c", "config.json"]);
    let mut dashboard = Dashboard::open(command, folder, (120, 40), Control::Controlling);
    dashboard.pty.wait_for_text(" in alert");
    dashboard.pty.press("4");
    dashboard.pty.wait_for_text(" > 5: ");
}
