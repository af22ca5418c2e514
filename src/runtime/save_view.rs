//! Writes what a person chose on the screen into the configuration file, on request.
//!
//! Everything else in the file stays as it is. The file is replaced by rename: whoever reads it meanwhile sees the
//! old text or the new one.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::export_folder::ExportFolder;
use super::fresh::{folder_of, make_file};
use super::setup::choose;
use crate::app::Preferences;
use crate::config::edited;
use crate::config::source::{self, FileText, Surroundings};

/// What was written.
#[derive(Debug)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// Its text now.
    pub text: FileText,
    /// Whether it had to be changed at all.
    pub changed: bool,
    /// It is none that is in use: it could not be written where that is, and `-c` has to name it.
    pub is_copy: bool,
}

/// Writes the choices into the file that is in use, or would be; where there is none, into a new one. `user` is whom new
/// files belong to; what they may not write goes to a new file in the folder for exports, if one was asked for.
pub fn save(
    choices: &Preferences,
    in_use: Option<&Path>,
    surroundings: &Surroundings,
    user: u32,
    exports: Option<&ExportFolder>,
) -> Result<Saved> {
    let path = match in_use.map(Path::to_path_buf) {
        Some(path) => path,
        None => surroundings
            .find()
            .unwrap_or_else(|| new_place(surroundings)),
    };
    let name = path.display().to_string();
    let exports = exports.filter(|folder| folder.is_asked_for);
    let may_begin_anew = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => in_use.is_none(),
        // There may be one that the user of the run cannot reach; it is not in use.
        io::ErrorKind::PermissionDenied => in_use.is_none() && exports.is_some(),
        _ => false,
    };
    let existing = match surroundings.read(&path) {
        Ok(found) => Some(found.decode(&name)?),
        Err(error) if may_begin_anew(&error) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "{name} is gone: a new one would say nothing but this, and all else that is in force would end with it \
            (put it back first)"
        ),
        Err(error) => return Err(error).context(name),
    };
    let (old, is_foreign) = match &existing {
        Some(existing) => (existing.text.as_str(), existing.is_foreign),
        None => ("{}\n", false),
    };
    let text = edited(old, &name, |config| choose(config, choices)).map_err(|mut errors| {
        errors.truncate(1);
        let refusal = match is_foreign {
            true => source::withheld(errors),
            false => errors.into(),
        };
        anyhow!("{refusal} (mend it first)")
    })?;
    let text = FileText { text, is_foreign };
    let changed = existing.as_ref() != Some(&text);
    let written = match changed {
        true => write_in_place(&path, &text.text, surroundings, user),
        false => Ok(()),
    };
    match (written, exports) {
        (Err(_), Some(_)) if is_foreign => bail!(
            "{name} is not yours, so under sudo no copy of it is made (if you may read it: copy it yourself, and \
            name that: -c)"
        ),
        (Err(_), Some(folder)) => save_copy(folder, text),
        (written, _) => written.map(|()| Saved {
            path,
            text,
            changed,
            is_copy: false,
        }),
    }
}

fn write_in_place(path: &Path, text: &str, surroundings: &Surroundings, user: u32) -> Result<()> {
    let name = path.display();
    if !surroundings.trusts(user) && !surroundings.is_named(path) {
        bail!(
            "the next start would not read {name} of user {user} (use sudo, or name the file: -c)"
        );
    }
    replace(path, text, surroundings).with_context(|| format!("write {name}"))
}

fn save_copy(folder: &ExportFolder, text: FileText) -> Result<Saved> {
    let write = |_, file: &File| Ok(write_safely(file, &text.text)?);
    let name = folder.write("config", &["json"], write)?.remove(0);
    Ok(Saved {
        path: Path::new(&folder.name()).join(name),
        text,
        changed: true,
        is_copy: true,
    })
}

/// In the user's own folder: the working directory of the moment is nobody's.
fn new_place(surroundings: &Surroundings) -> PathBuf {
    match &surroundings.user_folder {
        Some(folder) => folder.join("flowtop/config.json"),
        None => surroundings.here.join("config.json"),
    }
}

/// Puts the text in the place of the file, with the owner and the mode that it had; a link stays a link.
fn replace(path: &Path, text: &str, surroundings: &Surroundings) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = folder_of(&target);
    let before = fs::metadata(&target).ok();
    let owner = match &before {
        Some(metadata) => Some((metadata.uid(), Some(metadata.gid()))),
        None => surroundings.invoking_user.map(|user| (user, None)),
    };
    make_folder(folder, owner)?;
    let (beside, file) = make_file(|time| folder.join(format!(".config.json.{time}")))?;
    let written = write_safely(&file, text).and_then(|()| {
        let mut mode = before.as_ref().map_or(0o644, |m| m.mode() & 0o7777);
        if let Some((user, group)) = owner {
            // Without the right to give files away the new one is our own.
            let _ = chown(&beside, Some(user), None);
            if let Some(group) = group
                && chown(&beside, None, Some(group)).is_err()
                && file.metadata()?.gid() != group
            {
                // What its group might, another one may not.
                mode &= !0o070;
            }
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        fs::rename(&beside, &target)
    });
    written.inspect_err(|_| _ = fs::remove_file(&beside))
}

fn make_folder(folder: &Path, owner: Option<(u32, Option<u32>)>) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above, owner)?;
    }
    fs::create_dir(folder)?;
    if let Some((user, group)) = owner {
        let _ = chown(folder, Some(user), group);
    }
    Ok(())
}

fn write_safely(mut file: &File, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::appearance::Appearance;
    use crate::model::preferences::Unit;

    fn surroundings(folder: &Path) -> Surroundings {
        Surroundings {
            here: folder.to_path_buf(),
            user_folder: Some(folder.join("xdg")),
            system_folder: folder.join("etc"),
            starter: me(),
            ..Surroundings::default()
        }
    }

    fn me() -> u32 {
        nix::unistd::getuid().as_raw()
    }

    fn bits() -> Preferences {
        Preferences {
            appearance: Appearance {
                unit: Unit::Bits,
                ..Appearance::default()
            },
            interval_s: 0.5,
            ..Preferences::default()
        }
    }

    #[test]
    fn without_a_file_one_is_made_in_the_users_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let saved = save(&bits(), None, &surroundings(folder.path()), me(), None).expect("saved");
        assert_eq!(saved.path, folder.path().join("xdg/flowtop/config.json"));
        let text = fs::read_to_string(&saved.path).expect("file");
        assert_eq!(
            text,
            "{\n  \"THROUGHPUT_INTERVAL\": 0.5,\n  \"UNIT\": \"bits\"\n}\n"
        );
        let again = save(&bits(), None, &surroundings(folder.path()), me(), None).expect("saved");
        assert!(!again.changed && again.text.text == text);
    }

    #[test]
    fn a_file_in_use_that_is_gone_is_not_begun_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.json");
        let surroundings = surroundings(folder.path());
        let error = save(&bits(), Some(&file), &surroundings, me(), None).expect_err("refused");
        assert!(format!("{error:#}").contains("is gone"), "{error:#}");
        assert!(!file.exists());
    }

    #[test]
    fn a_link_its_mode_and_everything_else_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (
            folder.path().join("real"),
            folder.path().join("config.json"),
        );
        fs::write(&real, "{\"OFFSET\": 4, \"UNIT\": \"bytes\"}").expect("write");
        fs::set_permissions(&real, Permissions::from_mode(0o640)).expect("chmod");
        std::os::unix::fs::symlink("real", &link).expect("link");
        let surroundings = surroundings(folder.path());
        save(
            &Preferences {
                interval_s: 1.0,
                ..bits()
            },
            Some(&link),
            &surroundings,
            me(),
            None,
        )
        .expect("saved");
        let text = fs::read_to_string(&real).expect("file");
        assert_eq!(text, "{\"OFFSET\": 4, \"UNIT\": \"bits\"}");
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
        assert_eq!(fs::metadata(&real).expect("file").mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 2);
    }

    #[test]
    fn of_a_file_that_is_not_the_callers_there_is_no_copy() {
        // Only root reads the files of others.
        if me() != 0 {
            return;
        }
        let (caller, runs_as) = (61_234, 61_235);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.json");
        fs::write(&file, "{\"OFFSET\": 4}").expect("write");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("chmod");
        let surroundings = Surroundings {
            invoking_user: Some(caller),
            ..surroundings(folder.path())
        };
        let exports = folder.path().join("exports");
        let exports = ExportFolder::open(&Some(exports), None).expect("a folder");
        let save = || save(&bits(), Some(&file), &surroundings, runs_as, Some(&exports));
        let error = save().expect_err("refused");
        assert!(format!("{error:#}").contains("is not yours"), "{error:#}");
        let copies = || fs::read_dir(exports.path()).expect("a folder").count();
        assert_eq!(copies(), 0);
        chown(&file, Some(caller), None).expect("chown");
        assert!(save().expect("saved").is_copy);
        assert_eq!(copies(), 1);
    }

    #[test]
    fn a_file_with_errors_is_left_alone_and_the_place_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.json");
        fs::write(&file, "{\n  \"OFFSET\": 4,\n}").expect("write");
        let error = save(
            &bits(),
            Some(&file),
            &surroundings(folder.path()),
            me(),
            None,
        )
        .expect_err("refused");
        assert!(
            format!("{error:#}").contains("config.json:2:14: "),
            "{error:#}"
        );
        assert_eq!(
            fs::read_to_string(&file).expect("file"),
            "{\n  \"OFFSET\": 4,\n}"
        );
    }
}
