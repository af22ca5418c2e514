//! Every way to save a file is noticed, within a second, and never half of it.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use flowtop::config::ConfigError;
use flowtop::config::source::Surroundings;
use flowtop::config::watch::FileWatch;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A good file takes effect within this time; the rest of the second is for the dashboard.
const SOON: Duration = Duration::from_millis(950);
/// Nothing is said for this long where nothing is to be said.
const QUIET: Duration = Duration::from_millis(700);

const OLD: &str = "{\"OFFSET\": 1}\n";
const NEW: &str = "{\"OFFSET\": 2}\n";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder with a `config.json` in a folder of its own.
    fn new() -> Place {
        let place = Place {
            folder: tempfile::tempdir().expect("folder"),
        };
        fs::create_dir(place.at("etc")).expect("folder");
        fs::write(place.file(), OLD).expect("write");
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.at("etc/config.json")
    }

    fn watch(&self) -> FileWatch {
        FileWatch::new(&self.file(), &anybody(), OLD).expect("watch")
    }
}

fn anybody() -> Surroundings {
    Surroundings {
        here: PathBuf::new(),
        user_folder: None,
        system_folder: "/etc".into(),
        starter: nix::unistd::getuid().as_raw(),
        ..Surroundings::default()
    }
}

/// Waits as the owner of a watch does.
fn next(watch: &mut FileWatch, patience: Duration) -> Option<Result<String, ConfigError>> {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        if let Some(outcome) = watch.changed() {
            return Some(outcome);
        }
        let wait = watch.next_check().min(end - Instant::now());
        let timeout = PollTimeout::try_from(wait + Duration::from_millis(1)).expect("timeout");
        poll(
            &mut [PollFd::new(watch.as_fd(), PollFlags::POLLIN)],
            timeout,
        )
        .expect("poll");
    }
    None
}

/// Both with and without events, `save` leads to the text that it leaves, and to that only.
fn is_noticed(prepare: fn(&Place), save: fn(&Place)) {
    is_noticed_within(SOON, prepare, save);
}

fn is_noticed_within(soon: Duration, prepare: fn(&Place), save: fn(&Place)) {
    for events in [true, false] {
        let place = Place::new();
        prepare(&place);
        let open = if events {
            FileWatch::new
        } else {
            FileWatch::without_events
        };
        let mut watch = open(&place.file(), &anybody(), OLD).expect("watch");
        assert_eq!(next(&mut watch, QUIET), None, "before, events: {events}");
        save(&place);
        let outcome = next(&mut watch, soon);
        assert_eq!(outcome, Some(Ok(NEW.into())), "events: {events}");
        assert_eq!(next(&mut watch, QUIET), None, "after, events: {events}");
    }
}

fn nothing(_: &Place) {}

fn shell(place: &Place, script: &str) {
    let status = Command::new("sh")
        .args(["-ec", script])
        .current_dir(place.at("etc"))
        .status();
    assert!(status.expect("sh").success(), "{script}");
}

#[test]
fn a_file_saved_in_place() {
    is_noticed(nothing, |place| {
        fs::write(place.file(), NEW).expect("write")
    });
}

#[test]
fn a_file_replaced_by_rename_with_a_backup_as_vim_does() {
    is_noticed(nothing, |place| {
        fs::rename(place.file(), place.at("etc/config.json~")).expect("rename");
        fs::write(place.file(), NEW).expect("write");
        fs::remove_file(place.at("etc/config.json~")).expect("remove");
    });
}

#[test]
fn a_file_replaced_by_rename() {
    is_noticed(nothing, |place| {
        fs::write(place.at("etc/.config.json.swp"), NEW).expect("write");
        fs::rename(place.at("etc/.config.json.swp"), place.file()).expect("rename");
    });
}

#[test]
fn a_file_edited_by_sed() {
    is_noticed(nothing, |place| shell(place, "sed -i 's/1/2/' config.json"));
}

#[test]
fn a_file_deleted_and_written_again() {
    is_noticed(nothing, |place| {
        fs::remove_file(place.file()).expect("remove");
        fs::write(place.file(), NEW).expect("write");
    });
}

#[test]
fn a_file_replaced_by_a_hard_link() {
    is_noticed(nothing, |place| {
        fs::write(place.at("new.json"), NEW).expect("write");
        fs::remove_file(place.file()).expect("remove");
        fs::hard_link(place.at("new.json"), place.file()).expect("link");
    });
}

#[test]
fn a_file_replaced_by_a_hard_link_whose_other_name_goes_at_once() {
    // For three seconds it looks like a file whose writer is at work.
    is_noticed_within(4 * SOON, nothing, |place| {
        fs::write(place.at("new.json"), NEW).expect("write");
        fs::remove_file(place.file()).expect("remove");
        fs::hard_link(place.at("new.json"), place.file()).expect("link");
        fs::remove_file(place.at("new.json")).expect("remove");
    });
}

/// `config.json` is a link to `old.json`, in another folder.
fn link_to_old(place: &Place) {
    fs::rename(place.file(), place.at("old.json")).expect("rename");
    symlink("../old.json", place.file()).expect("link");
}

#[test]
fn a_link_swapped_by_rename() {
    is_noticed(link_to_old, |place| {
        fs::write(place.at("new.json"), NEW).expect("write");
        symlink("../new.json", place.at("etc/tmp")).expect("link");
        fs::rename(place.at("etc/tmp"), place.file()).expect("rename");
    });
}

#[test]
fn a_link_removed_and_made_again() {
    is_noticed(link_to_old, |place| {
        fs::write(place.at("new.json"), NEW).expect("write");
        fs::remove_file(place.file()).expect("remove");
        symlink("../new.json", place.file()).expect("link");
    });
}

#[test]
fn a_file_behind_a_link_saved_in_place() {
    is_noticed(link_to_old, |place| {
        fs::write(place.at("old.json"), NEW).expect("write");
    });
}

#[test]
fn a_link_in_the_middle_of_a_chain_swapped() {
    let prepare = |place: &Place| {
        link_to_old(place);
        fs::remove_file(place.file()).expect("remove");
        symlink("../old.json", place.at("middle")).expect("link");
        fs::create_dir(place.at("sub")).expect("folder");
        fs::rename(place.at("middle"), place.at("sub/middle")).expect("rename");
        symlink("../sub/middle", place.file()).expect("link");
    };
    is_noticed(prepare, |place| {
        fs::write(place.at("new.json"), NEW).expect("write");
        symlink("../new.json", place.at("sub/tmp")).expect("link");
        fs::rename(place.at("sub/tmp"), place.at("sub/middle")).expect("rename");
    });
}

#[test]
fn a_mounted_volume_that_swaps_its_data_folder() {
    let prepare = |place: &Place| {
        fs::create_dir(place.at("etc/..1")).expect("folder");
        fs::rename(place.file(), place.at("etc/..1/config.json")).expect("rename");
        symlink("..1", place.at("etc/..data")).expect("link");
        symlink("..data/config.json", place.file()).expect("link");
    };
    is_noticed(prepare, |place| {
        fs::create_dir(place.at("etc/..2")).expect("folder");
        fs::write(place.at("etc/..2/config.json"), NEW).expect("write");
        symlink("..2", place.at("etc/..data_tmp")).expect("link");
        fs::rename(place.at("etc/..data_tmp"), place.at("etc/..data")).expect("rename");
        fs::remove_dir_all(place.at("etc/..1")).expect("remove");
    });
}

#[test]
fn a_folder_replaced_by_another() {
    is_noticed(nothing, |place| {
        fs::create_dir(place.at("new")).expect("folder");
        fs::write(place.at("new/config.json"), NEW).expect("write");
        fs::rename(place.at("etc"), place.at("old")).expect("rename");
        fs::rename(place.at("new"), place.at("etc")).expect("rename");
    });
}

#[test]
fn a_folder_deleted_and_made_again() {
    is_noticed(nothing, |place| {
        fs::remove_dir_all(place.at("etc")).expect("remove");
        fs::create_dir(place.at("etc")).expect("folder");
        fs::write(place.file(), NEW).expect("write");
    });
}

#[test]
fn a_replaced_folder_is_watched_like_the_first() {
    let place = Place::new();
    let mut watch = place.watch();
    fs::rename(place.at("etc"), place.at("old")).expect("rename");
    fs::create_dir(place.at("etc")).expect("folder");
    fs::write(place.file(), NEW).expect("write");
    assert_eq!(next(&mut watch, SOON), Some(Ok(NEW.into())));
    fs::write(place.file(), OLD).expect("write");
    assert_eq!(watch.changed(), Some(Ok(OLD.into())), "by an event");
}

/// Writes the new text in pieces, with pauses in which the watch may not say anything.
fn in_pieces(watch: &mut FileWatch, mut file: File, pause: Duration) {
    for piece in NEW.as_bytes().chunks(4) {
        file.write_all(piece).expect("write");
        assert_eq!(next(watch, pause), None);
    }
}

#[test]
fn a_slow_writer_is_waited_for() {
    let place = Place::new();
    let mut watch = place.watch();
    let file = File::create(place.file()).expect("file");
    in_pieces(&mut watch, file, Duration::from_millis(1200));
    assert_eq!(watch.changed(), Some(Ok(NEW.into())), "by an event");
}

#[test]
fn a_slow_writer_of_a_new_file_is_waited_for() {
    let place = Place::new();
    let mut watch = place.watch();
    fs::remove_file(place.file()).expect("remove");
    let file = File::create(place.file()).expect("file");
    assert_eq!(next(&mut watch, Duration::from_millis(1500)), None);
    in_pieces(&mut watch, file, Duration::from_millis(600));
    assert_eq!(next(&mut watch, SOON), Some(Ok(NEW.into())));
}

#[test]
fn without_events_a_file_is_read_when_it_has_settled() {
    let place = Place::new();
    let mut watch = FileWatch::without_events(&place.file(), &anybody(), OLD).expect("watch");
    let file = File::create(place.file()).expect("file");
    in_pieces(&mut watch, file, Duration::from_millis(250));
    assert_eq!(next(&mut watch, SOON), Some(Ok(NEW.into())));
}

#[test]
fn the_same_text_again_is_no_change() {
    let place = Place::new();
    let mut watch = place.watch();
    for _ in 0..2 {
        fs::write(place.file(), OLD).expect("write");
        assert_eq!(next(&mut watch, QUIET), None);
    }
    fs::write(place.at("etc/tmp"), OLD).expect("write");
    fs::rename(place.at("etc/tmp"), place.file()).expect("rename");
    assert_eq!(next(&mut watch, QUIET), None);
}

#[test]
fn a_change_between_reading_and_watching_is_noticed() {
    let place = Place::new();
    fs::write(place.file(), NEW).expect("write");
    let mut watch = FileWatch::new(&place.file(), &anybody(), OLD).expect("watch");
    assert_eq!(next(&mut watch, SOON), Some(Ok(NEW.into())));
}

#[test]
fn other_files_in_the_folder_are_no_change() {
    let place = Place::new();
    let mut watch = place.watch();
    fs::write(place.at("etc/other.json"), NEW).expect("write");
    fs::rename(place.at("etc/other.json"), place.at("etc/another.json")).expect("rename");
    fs::remove_file(place.at("etc/another.json")).expect("remove");
    assert_eq!(next(&mut watch, QUIET), None);
}

#[test]
fn a_file_that_stays_away_is_told_once() {
    let place = Place::new();
    let mut watch = place.watch();
    fs::remove_file(place.file()).expect("remove");
    let patience = Duration::from_secs(2);
    let Some(Err(ConfigError::Unreadable(message))) = next(&mut watch, patience) else {
        panic!("not told");
    };
    assert!(
        message.ends_with("config.json: no such file or directory"),
        "{message}"
    );
    assert_eq!(next(&mut watch, patience), None);
    fs::write(place.file(), OLD).expect("write");
    assert_eq!(next(&mut watch, SOON), Some(Ok(OLD.into())), "it is mended");
}

#[test]
fn a_file_that_may_not_be_trusted_any_more_is_told_and_mended() {
    let place = Place::new();
    let mut watch = place.watch();
    let mode = |mode| fs::set_permissions(place.file(), fs::Permissions::from_mode(mode));
    mode(0o666).expect("mode");
    let outcome = next(&mut watch, SOON).expect("told");
    let message = outcome.expect_err("refused").to_string();
    assert!(message.contains("everybody may write to it"), "{message}");
    mode(0o644).expect("mode");
    assert_eq!(next(&mut watch, SOON), Some(Ok(OLD.into())));
}

#[test]
fn a_file_that_was_not_there_is_told_when_it_is_whole() {
    let place = Place::new();
    fs::remove_file(place.file()).expect("remove");
    let mut watch = FileWatch::for_missing(&place.file(), &anybody()).expect("watch");
    assert_eq!(next(&mut watch, Duration::from_millis(1500)), None);
    let file = File::create(place.file()).expect("file");
    in_pieces(&mut watch, file, Duration::from_millis(600));
    assert_eq!(next(&mut watch, SOON), Some(Ok(NEW.into())));
    let known = watch
        .last_reported()
        .map(|known| known.map(|text| text.text));
    assert_eq!(known, Some(Ok(NEW.into())));
    fs::remove_file(place.file()).expect("remove");
    let gone = next(&mut watch, Duration::from_secs(2));
    assert!(matches!(gone, Some(Err(ConfigError::Unreadable(_)))));
}

#[test]
fn a_file_in_a_folder_that_was_not_there_is_told() {
    let place = Place::new();
    let file = place.at("new/flowtop/config.json");
    let mut watch = FileWatch::for_missing(&file, &anybody()).expect("watch");
    assert_eq!(next(&mut watch, Duration::from_millis(1500)), None);
    fs::create_dir_all(place.at("new/flowtop")).expect("folder");
    fs::write(&file, NEW).expect("write");
    assert_eq!(next(&mut watch, SOON), Some(Ok(NEW.into())));
}

#[test]
fn many_changes_in_a_row_end_with_the_last() {
    let place = Place::new();
    let mut watch = place.watch();
    let mut last = None;
    for number in 0..500 {
        let text = format!("{{\"OFFSET\": {number}}}\n");
        let mut options = OpenOptions::new();
        let file = options.write(true).truncate(true).open(place.file());
        file.expect("file")
            .write_all(text.as_bytes())
            .expect("write");
        if let Some(outcome) = watch.changed() {
            let text = outcome.expect("text");
            assert!(text.ends_with("}\n"), "half a file: {text}");
            last = Some(text);
        }
    }
    while let Some(outcome) = next(&mut watch, SOON) {
        last = Some(outcome.expect("text"));
    }
    assert_eq!(last.as_deref(), Some("{\"OFFSET\": 499}\n"));
}

#[test]
fn a_named_file_without_a_folder_is_watched_too() {
    let file = Path::new("Cargo.toml");
    let text = fs::read_to_string(file).expect("text");
    let mut watch = FileWatch::new(file, &anybody(), &text).expect("watch");
    assert_eq!(next(&mut watch, QUIET), None);
}
