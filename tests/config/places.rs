//! Where the file is looked for, whom it must belong to, and what the command line adds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowtop::config::Config;
use flowtop::config::source::{self, Surroundings};

/// A place of its own for each test: a working directory, a user's folder and a system's folder.
fn surroundings(root: &Path) -> Surroundings {
    for name in ["here", "user/flowtop", "etc/flowtop"] {
        fs::create_dir_all(root.join(name)).expect("folder");
    }
    Surroundings {
        here: root.join("here"),
        user_folder: Some(root.join("user")),
        system_folder: root.join("etc"),
        starter: nix::unistd::getuid().as_raw(),
        ..Surroundings::default()
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("write");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("mode");
}

fn open(named: Option<&Path>, surroundings: &Surroundings) -> Result<Config, String> {
    let surroundings = Surroundings {
        named: named.map(Path::to_path_buf),
        ..surroundings.clone()
    };
    source::open(&surroundings)
        .map(|opened| opened.config)
        .map_err(|refusal| refusal.to_string())
}

#[test]
fn the_first_place_that_has_a_file_is_read() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    assert_eq!(open(None, &surroundings), Ok(Config::default()));
    for (place, seconds) in surroundings.places().iter().rev().zip(2..) {
        write(place, &format!("{{\"THROUGHPUT_INTERVAL\": {seconds}}}"));
        let config = open(None, &surroundings).expect("valid");
        assert_eq!(config.path.as_ref(), Some(place));
        assert_eq!(config.throughput_interval, Duration::from_secs(seconds));
    }
}

#[test]
fn a_named_file_must_exist() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    write(&surroundings.places()[0], "{}");
    let named = root.path().join("nothing.json");
    let error = open(Some(&named), &surroundings).expect_err("refused");
    let expected = format!(
        "read configuration {}: no such file or directory (name a file that exists, or leave -c out)",
        named.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_bad_file_is_an_error_and_no_reason_to_look_further() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    let [first, second, _] = <[PathBuf; 3]>::try_from(surroundings.places()).expect("three");
    write(&second, "{}");
    write(&first, "{\n  \"UNIT\": 1,\n  \"OFFSET\": \"\"\n}");
    let error = open(None, &surroundings).expect_err("refused");
    assert_eq!(error.lines().count(), 2);
    assert!(
        error.starts_with(&format!("{}:2:11: UNIT: ", first.display())),
        "{error}"
    );
}

#[test]
fn what_is_no_trusted_regular_file_is_refused() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    let place = &surroundings.places()[0];
    let refused = |part: &str| {
        let error = open(None, &surroundings).expect_err(part);
        assert!(
            error.contains(part) && error.lines().count() == 1,
            "{error}"
        );
        assert!(error.starts_with("read configuration "), "{error}");
    };
    fs::create_dir(place).expect("folder");
    refused("not a regular file");
    fs::remove_dir(place).expect("remove");
    nix::unistd::mkfifo(place, nix::sys::stat::Mode::S_IRWXU).expect("fifo");
    refused("not a regular file");
    fs::remove_file(place).expect("remove");
    write(place, "{}");
    fs::set_permissions(place, fs::Permissions::from_mode(0o666)).expect("mode");
    refused("everybody may write to it");
    write(place, &" ".repeat(2 << 20));
    refused("larger than");
}

#[test]
fn a_file_to_which_others_may_lead_the_way_is_read_only_if_it_is_named() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    let place = &surroundings.places()[1];
    write(place, "{\"OFFSET\": 4}");
    assert_eq!(
        open(None, &surroundings).map(|it| it.path),
        Ok(Some(place.clone()))
    );
    let bytes = surroundings.read(place).expect("trusted").into_bytes();
    assert_eq!(bytes, b"{\"OFFSET\": 4}");
    let folder = place.parent().expect("a folder");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("mode");
    let error = open(None, &surroundings).expect_err("refused");
    let why = format!("everybody may write to {}, on its way", folder.display());
    assert!(error.contains(&why), "{error}");
    let named = open(Some(place), &surroundings);
    assert_eq!(named.map(|it| it.path), Ok(Some(place.clone())));
}

#[test]
fn bytes_that_are_no_text_have_a_place_too() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    let place = &surroundings.places()[0];
    fs::write(place, b"{\n  \"\xc3\xb6\xff\": 1}").expect("write");
    fs::set_permissions(place, fs::Permissions::from_mode(0o644)).expect("mode");
    let error = open(None, &surroundings).expect_err("refused");
    assert_eq!(error, format!("{}:2:5: not valid UTF-8", place.display()));
}
