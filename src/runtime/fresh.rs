//! Files that are made beside others, under names that nobody can have taken.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How many more names are tried if one is taken.
const MOST_NAMES: usize = 16;

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Creates a file, never over another one, nor through a link that somebody planted.
pub fn make_file(name: impl Fn(&str) -> PathBuf) -> io::Result<(PathBuf, File)> {
    make_fresh(|time| {
        let path = name(time);
        File::create_new(&path).map(|file| (path, file))
    })
}

/// Creates what is named after this moment. If a name is taken, the next ones have the fraction of the second: nobody can
/// plant all of those.
pub fn make_fresh<T>(create: impl Fn(&str) -> io::Result<T>) -> io::Result<T> {
    let forms = ["%Y%m%d-%H%M%S"].into_iter();
    let forms = forms.chain(std::iter::repeat_n("%Y%m%d-%H%M%S.%9f", MOST_NAMES));
    let mut refused = io::Error::from(ErrorKind::AlreadyExists);
    for form in forms {
        match create(&jiff::Zoned::now().strftime(form).to_string()) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => refused = error,
            made => return made,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_taken_is_no_obstacle_and_nothing_is_written_through_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = folder.path().join("other");
        // Somebody has planted links for a minute.
        let now = jiff::Zoned::now();
        for seconds in 0..60 {
            let then = &now + jiff::SignedDuration::from_secs(seconds);
            let name = then.strftime("%Y%m%d-%H%M%S").to_string();
            std::os::unix::fs::symlink(&other, folder.path().join(name)).expect("a link");
        }
        let first = make_file(|time| folder.path().join(time)).expect("a file");
        let second = make_file(|time| folder.path().join(time)).expect("a file");
        assert_ne!(first.0, second.0);
        assert!(first.0.is_file() && second.0.is_file() && !other.exists());
        let missing = make_file(|time| folder.path().join("nothing").join(time));
        assert!(missing.is_err_and(|error| error.kind() == ErrorKind::NotFound));
    }
}
