//! Which configuration files are believed, and what errors say of those that somebody else may not read.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;
use std::process::Output;

use super::{code, errors, flowtop, folder, run, support};

const USER: u32 = 61_234;
const OTHER: u32 = 61_235;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

/// A file of this user's, a new one: Linux may keep root from writing to another's in a folder that is everybody's.
fn write(path: &Path, owner: u32, mode: u32, text: &str) {
    let _ = fs::remove_file(path);
    fs::write(path, text).expect("write");
    chown(path, Some(owner), Some(owner)).expect("chown");
    set_mode(path, mode);
}

/// What `--check-config` says in a folder, with these words behind it.
fn check(folder: &Path, caller: Option<u32>, words: &[&str]) -> Output {
    let mut command = flowtop(folder);
    if let Some(caller) = caller {
        command.env("SUDO_UID", caller.to_string());
    }
    command.arg("--check-config").args(words);
    command.output().expect("flowtop")
}

#[test]
fn a_named_configuration_must_exist() {
    let output = run(&["--check-config", "-c", "nonesuch.json"]);
    assert_eq!(code(&output), 78);
    let text = errors(&output, 1);
    assert!(
        text.contains("read configuration nonesuch.json: "),
        "{text}"
    );
}

#[test]
fn a_configuration_that_everybody_may_write_is_refused() {
    let folder = folder();
    let file = folder.path().join("config.json");
    fs::write(&file, "{}").expect("write");
    fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("chmod");
    let output = flowtop(folder.path()).arg("--check-config").output();
    let output = output.expect("flowtop");
    assert_eq!(code(&output), 78);
    assert!(errors(&output, 1).contains("everybody may write to it"));
}

#[test]
fn under_sudo_only_files_of_the_invoking_user_and_of_root_are_read() {
    if !support::root() {
        return;
    }
    let folder = folder();
    let users_own = folder.path().join("xdg/flowtop");
    fs::create_dir_all(&users_own).expect("a folder");
    let target = folder.path().join("target.json");
    fs::write(&target, "{}").expect("write");
    let judge = |link: &Path, owner, mode| {
        chown(&target, Some(owner), Some(USER)).expect("chown");
        fs::set_permissions(&target, Permissions::from_mode(mode)).expect("chmod");
        symlink(&target, link).expect("a link");
        // Whose the link is says nothing.
        lchown(link, Some(USER), None).expect("lchown");
        let mut command = flowtop(folder.path());
        command.env("SUDO_UID", USER.to_string());
        let output = command.arg("--check-config").output().expect("flowtop");
        fs::remove_file(link).expect("remove");
        output
    };
    for link in [folder.path(), &users_own].map(|place| place.join("config.json")) {
        for (owner, mode) in [(USER, 0o644), (USER, 0o600), (0, 0o644)] {
            let output = judge(&link, owner, mode);
            assert_eq!(code(&output), 0, "{owner} {mode:o}: {output:?}");
        }
        for (owner, mode, reason) in [
            (
                OTHER,
                0o644,
                "it belongs to user 61235; under sudo it must belong to you (user 61234) or root (chown)",
            ),
            (
                USER,
                0o664,
                "its group may write to it; under sudo only you may (chmod g-w)",
            ),
            (
                0,
                0o664,
                "its group may write to it; under sudo only you may (chmod g-w)",
            ),
            (USER, 0o646, "everybody may write to it (chmod o-w)"),
        ] {
            let output = judge(&link, owner, mode);
            assert_eq!(code(&output), 78, "{owner} {mode:o}: {output:?}");
            let text = errors(&output, 1);
            let place = link.strip_prefix(folder.path()).expect("inside");
            assert!(
                text.contains(&format!("{}: {reason}", place.display())),
                "{text}"
            );
            assert!(output.stdout.is_empty());
        }
    }
}

#[test]
fn a_file_that_nobody_named_and_that_is_a_strangers_is_refused_to_root() {
    if !support::root() {
        return;
    }
    let folder = folder();
    set_mode(folder.path(), 0o1777);
    let file = folder.path().join("config.json");
    write(&file, OTHER, 0o644, "{\"KEYS\": {\"quit\": []}}");
    let output = check(folder.path(), None, &[]);
    assert_eq!(code(&output), 78, "{output:?}");
    let text = errors(&output, 1);
    assert!(text.contains("it belongs to user 61235"), "{text}");
    // Who names it wants it.
    assert_eq!(code(&check(folder.path(), None, &["-c", "config.json"])), 0);
    // In a sticky folder, a file of root's is as good as anywhere, unless a stranger's link leads to it.
    write(&file, 0, 0o644, "{}");
    assert_eq!(code(&check(folder.path(), None, &[])), 0);
    let real = folder.path().join("real");
    fs::rename(&file, &real).expect("rename");
    symlink(&real, &file).expect("a link");
    assert_eq!(code(&check(folder.path(), None, &[])), 0);
    lchown(&file, Some(OTHER), None).expect("lchown");
    if fs::metadata(&file).is_err() {
        // Linux itself does not follow it (fs.protected_symlinks).
        return;
    }
    let text = errors(&check(folder.path(), None, &[]), 1);
    assert!(
        text.contains("config.json, on its way, belongs to user 61235"),
        "{text}"
    );
}

#[test]
fn each_folder_on_the_way_to_a_file_that_nobody_named_must_be_trusted() {
    if !support::root() {
        return;
    }
    let root = folder();
    let here = root.path().join("theirs/here");
    fs::create_dir_all(&here).expect("folders");
    let users = root.path().join("theirs/here/xdg/flowtop");
    for place in [&here, &users] {
        fs::create_dir_all(place).expect("folders");
        write(&place.join("config.json"), 0, 0o644, "{}");
        assert_eq!(code(&check(&here, None, &[])), 0);
        let theirs = root.path().join("theirs");
        chown(&theirs, Some(OTHER), None).expect("chown");
        let text = errors(&check(&here, None, &[]), 1);
        assert!(
            text.contains("/theirs, on its way, belongs to user 61235"),
            "{text}"
        );
        // Theirs is as good as root's where they call sudo.
        assert_eq!(code(&check(&here, Some(OTHER), &[])), 0);
        assert_eq!(code(&check(&here, Some(USER), &[])), 78);
        chown(&theirs, Some(0), None).expect("chown");
        set_mode(&theirs, 0o777);
        let text = errors(&check(&here, None, &[]), 1);
        assert!(text.contains("everybody may write to "), "{text}");
        set_mode(&theirs, 0o755);
        fs::remove_file(place.join("config.json")).expect("remove");
    }
}

#[test]
fn sudo_says_nothing_of_what_is_in_a_file_of_somebody_else() {
    if !support::root() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("secret");
    for text in [
        "root:$y$j9T$s3cret:19000:0:99999:7:::\n",
        "{\"s3cret\": \"s3cret\", \"UNIT\": \"s3cret\"}",
        "{\"RULES\": {\"s3cret\": \"s3cret\"}, \"OFFSET\": 1",
        "s3cret",
    ] {
        write(&file, 0, 0o600, text);
        let output = check(folder.path(), Some(USER), &["-c", "secret"]);
        assert_eq!(code(&output), 78);
        let said = errors(&output, 1);
        assert!(
            said.contains("secret:1:") && !said.contains("s3cret"),
            "{said}"
        );
        assert!(output.stdout.is_empty());
        // Their own, and root's own, are told in full.
        let full = errors(
            &check(folder.path(), None, &["-c", "secret"]),
            text.matches("UNIT").count() + 1,
        );
        chown(&file, Some(USER), None).expect("chown");
        let own = check(folder.path(), Some(USER), &["-c", "secret"]);
        assert_eq!(String::from_utf8_lossy(&own.stderr), full);
    }
}

#[test]
fn sudo_prints_no_configuration_of_somebody_else() {
    if !support::root() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("secret");
    let text = "{\"RULES\": {\"s3cret\": \"- - - 7 UDP\"}}";
    write(&file, 0, 0o600, text);
    let print = |caller: Option<u32>| {
        let mut command = flowtop(folder.path());
        command.envs(caller.map(|caller| ("SUDO_UID", caller.to_string())));
        command.args(["--print-config", "-c", "secret"]);
        command.output().expect("flowtop")
    };
    let output = print(Some(USER));
    assert_eq!(code(&output), 78);
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = errors(&output, 1);
    assert!(
        said.contains("secret: the file is not yours") && !said.contains("s3cret"),
        "{said}"
    );
    let output = check(folder.path(), Some(USER), &["-c", "secret"]);
    assert_eq!(output.stdout, b"secret is valid.\n");
    assert_eq!(code(&output), 0);
    // What everybody may read and reach, root's own and their own are told in full.
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
    };
    for (of_folder, of_file, is_told) in [
        (0o755, 0o644, true),
        (0o755, 0o640, false),
        (0o754, 0o644, false),
    ] {
        mode(folder.path(), of_folder);
        mode(&file, of_file);
        let found = print(Some(USER)).status.success();
        assert_eq!(found, is_told, "{of_folder:o} {of_file:o}");
    }
    let full = print(None);
    assert!(String::from_utf8_lossy(&full.stdout).contains("s3cret"));
    chown(&file, Some(USER), None).expect("chown");
    assert_eq!(print(Some(USER)).stdout, full.stdout);
}

#[test]
fn of_many_errors_the_first_ten_are_told_and_how_many_more_there_are() {
    let folder = folder();
    let file = folder.path().join("config.json");
    let keys: Vec<_> = (0..80_000).map(|i| format!("\"x{i}\": 0")).collect();
    fs::write(&file, format!("{{\n{}\n}}", keys.join(",\n"))).expect("write");
    let output = check(folder.path(), None, &[]);
    assert_eq!(code(&output), 78);
    let text = errors(&output, 11);
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[9].ends_with("config.json:11:1: unknown key \"x9\""),
        "{}",
        lines[9]
    );
    let last = "config.json:12:1: and 79990 more errors from here on";
    assert!(lines[10].ends_with(last), "{}", lines[10]);
    fs::write(&file, format!("{{{}}}", keys[..11].join(","))).expect("write");
    let text = errors(&check(folder.path(), None, &[]), 11);
    assert!(
        text.ends_with(": and 1 more error from here on\n"),
        "{text}"
    );
}

#[test]
fn ctrl_c_leaves_whatever_the_keys_say() {
    let folder = folder();
    let file = folder.path().join("config.json");
    fs::write(
        &file,
        "{\"KEYS\": {\"quit\": [\"F5\"], \"pause\": [\"ctrl-C\"]}}",
    )
    .expect("write");
    let text = errors(&check(folder.path(), None, &[]), 1);
    let why = "KEYS.pause: the key \"ctrl-C\" always leaves (take another one)";
    assert!(text.contains(why), "{text}");
    fs::write(&file, "{\"KEYS\": {\"quit\": [\"F5\", \"Ctrl-C\"]}}").expect("write");
    assert_eq!(code(&check(folder.path(), None, &[])), 0);
}
