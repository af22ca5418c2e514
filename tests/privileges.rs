//! Rights: what is missing is said in one true line, and what is not needed any more is given up.

#[path = "privileges/alone.rs"]
mod alone;
#[path = "privileges/attacked.rs"]
mod attacked;
#[path = "privileges/captured.rs"]
mod captured;
#[path = "privileges/confined.rs"]
mod confined;
#[path = "privileges/goes_on.rs"]
mod goes_on;
#[path = "privileges/installed.rs"]
mod installed;
#[path = "privileges/lacks.rs"]
mod lacks;
#[path = "privileges/names.rs"]
mod names;
#[path = "privileges/refused.rs"]
mod refused;
mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A user that anything may run as.
const NOBODY: u32 = 65534;
/// Numbers that nobody has, out of which the superuser's runs take one to go on as.
const FREE_NUMBERS: std::ops::RangeInclusive<u32> = 61184..=65519;

/// A folder that everybody may look into.
fn readable_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    set_mode(folder.path(), 0o755);
    folder
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
}
