//! What each thread of a run may still do once packets are counted.
//!
//! The sampler and the thread of signals need no file. The main thread needs the configuration, the files of TLS and, with a
//! screen, the folders to write to; the thread that looks up host names needs what the system's resolver reads; the demo's traffic
//! needs only its sockets.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::export_folder::ExportFolder;
use super::fresh::folder_of;
use super::sink::Destination;
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::config::listen::TlsFiles;
use crate::config::source::Surroundings;
use crate::model::ipfix::{Collector, Transport};
use crate::model::privileges::Privileges;
use crate::probe::interfaces::display_name;
use crate::probe::privileges::confine::{Duty, Identity, Keeps, Need, confine};

/// The time zone, which is read again now and then, and the names of services.
const OF_THE_SCREEN: [&str; 3] = ["/etc/localtime", "/usr/share/zoneinfo", "/etc/services"];
/// Settings and libraries of the C library's resolver.
const OF_THE_RESOLVER: [&str; 6] = [
    "/etc",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/run/systemd/resolve",
];

/// The port of name servers.
const DNS: u16 = 53;

/// Who the run continues as: the user that was asked for, or the default.
pub fn identity(
    surroundings: &Surroundings,
    wanted: Option<&str>,
) -> Result<Option<Identity>, Failure> {
    Identity::to_become(surroundings.invoking_user, wanted).map_err(|error| {
        let code = if wanted.is_some() {
            Exit::Usage
        } else {
            Exit::Failed
        };
        let user = wanted.map_or_else(
            || "another user".into(),
            |user| display_name(OsStr::new(user)),
        );
        Failure::new(code, format!("go on as {user}: {error:#}"))
    })
}

/// What the main thread keeps; `exports`: with a screen, the folder that keys write to.
pub fn of_main(
    surroundings: &Surroundings,
    identity: Option<Identity>,
    config: &Config,
    exports: Option<&ExportFolder>,
) -> Keeps {
    let tls = config.listen_tls.iter().flat_map(TlsFiles::paths);
    let tls: Vec<&Path> = tls.collect();
    let config = config.path.as_deref();
    let mut folders = match config {
        Some(path) => folders_of(path),
        // One may appear, perhaps in a folder that does not exist yet.
        None => {
            let places = surroundings.places();
            let folders = places.iter().flat_map(|place| folders_of(place));
            let is_there = |folder: PathBuf| match folder.is_dir() {
                true => Some(folder),
                false => folder.parent().map(Path::to_path_buf),
            };
            folders.filter_map(is_there).collect()
        }
    };
    folders.extend(tls.iter().flat_map(|path| folders_of(path)));
    let config_itself = config.map(|path| (path, "the configuration is the superuser's only"));
    let tls = tls
        .into_iter()
        .map(|path| (path, "the key of LISTEN_TLS is the superuser's only"));
    let files = config_itself.into_iter().chain(tls);
    let files: Vec<Need<PathBuf>> = files.map(|(path, why)| (path.to_path_buf(), why)).collect();
    // By themselves, too: a folder may be `/`, which is never granted.
    folders.extend(files.iter().map(|(path, _)| path.clone()));
    let mut keeps = Keeps {
        identity,
        files,
        readable: folders,
        duty: Some(Duty::Main {
            has_screen: exports.is_some(),
        }),
        ..Keeps::default()
    };
    if let Some(exports) = exports {
        keeps.readable.extend(OF_THE_SCREEN.map(PathBuf::from));
        keeps.writable = vec![exports.path().to_path_buf()];
        keeps.writable.extend(match config {
            Some(path) => folders_of(path),
            None => surroundings
                .user_folder
                .iter()
                .map(|folder| {
                    let own = folder.join("flowtop");
                    // If it has to be made, it is made inside of the other one.
                    if own.is_dir() { own } else { folder.clone() }
                })
                .collect(),
        });
    }
    keeps
}

/// What the thread keeps that looks up host names.
pub fn of_resolver(identity: Option<Identity>) -> Keeps {
    let settings = Path::new("/etc/resolv.conf").canonicalize().ok();
    let folder = settings.as_deref().and_then(Path::parent);
    Keeps {
        identity,
        readable: OF_THE_RESOLVER
            .iter()
            .map(PathBuf::from)
            .chain(folder.map(Path::to_path_buf))
            .collect(),
        ports: vec![DNS],
        duty: Some(Duty::Names),
        ..Keeps::default()
    }
}

/// What the thread keeps that writes records.
pub fn of_writer(identity: Option<Identity>, destination: &Destination) -> Keeps {
    let folder: Vec<PathBuf> = destination
        .file()
        .map(folder_of)
        .map(PathBuf::from)
        .into_iter()
        .collect();
    Keeps {
        identity,
        readable: folder.clone(),
        writable: folder,
        duty: Some(Duty::Writer {
            to_file: destination.file().is_some(),
        }),
        ..Keeps::default()
    }
}

/// What the thread keeps that serves metrics: a configuration may name another place at any time.
pub fn of_metrics(identity: Option<Identity>) -> Keeps {
    Keeps {
        identity,
        listens: true,
        duty: Some(Duty::Metrics),
        ..Keeps::default()
    }
}

/// What the thread keeps that sends flow records: datagrams go through a socket that is connected already.
pub fn of_ipfix(identity: Option<Identity>, collector: &Collector) -> Keeps {
    let connects = collector.transport == Transport::Tcp;
    Keeps {
        ports: connects.then_some(collector.port).into_iter().collect(),
        ..without_files(identity, Duty::Export { connects })
    }
}

/// What the thread keeps that records.
pub fn of_recorder(identity: Option<Identity>, folder: &Path) -> Keeps {
    Keeps {
        identity,
        readable: vec![folder.to_path_buf()],
        writable: vec![folder.to_path_buf()],
        duty: Some(Duty::Recorder),
        ..Keeps::default()
    }
}

/// Gives up all rights of this thread but to read a folder.
pub fn become_reader(folder: &Path, identity: Option<Identity>) -> anyhow::Result<Privileges> {
    confine(&Keeps {
        identity,
        readable: vec![folder.to_path_buf()],
        duty: Some(Duty::Main { has_screen: false }),
        ..Keeps::default()
    })
}

/// What the main thread of a replay on a screen keeps: the folder that keys write to.
pub fn of_viewer(identity: Option<Identity>, exports: &ExportFolder) -> Keeps {
    Keeps {
        identity,
        readable: OF_THE_SCREEN.map(PathBuf::from).to_vec(),
        writable: vec![exports.path().to_path_buf()],
        duty: Some(Duty::Main { has_screen: true }),
        ..Keeps::default()
    }
}

/// What the thread keeps that goes through a recording.
pub fn of_player(identity: Option<Identity>, folder: &Path) -> Keeps {
    Keeps {
        identity,
        readable: vec![folder.to_path_buf()],
        duty: Some(Duty::Replay),
        ..Keeps::default()
    }
}

/// The identity to assume when reading a folder that this user owns: the owner's, if this process can become that.
pub fn reader(owner: u32) -> anyhow::Result<Option<Identity>> {
    match owner {
        // Whoever is no superuser, or owns it as one, stays who it is.
        0 => Ok(None),
        owner => Identity::to_become(Some(owner), None),
    }
}

/// What a thread keeps that needs no file: the one of signals, and the demo's traffic, whose sockets are open already.
pub fn without_files(identity: Option<Identity>, duty: Duty) -> Keeps {
    Keeps {
        identity,
        duty: Some(duty),
        ..Keeps::default()
    }
}

/// The folder in which the file is looked up, and the one in which it really is.
fn folders_of(path: &Path) -> Vec<PathBuf> {
    let real = path.canonicalize().ok();
    [Some(path), real.as_deref()]
        .into_iter()
        .flatten()
        .map(|path| folder_of(path).to_path_buf())
        .collect()
}

/// What helps where exports may not be written.
pub const ANOTHER_FOLDER: &str = "a new folder of theirs: --export-dir DIR";
/// What helps where the output may not be written.
pub const ANOTHER_USER: &str =
    "a folder of theirs will do, or to go on as another one: --user USER";

/// Describes an error of writing, and what to do where it comes from rights that were given up.
pub fn explain(error: &anyhow::Error, privileges: &Privileges, what_to_do: &str) -> String {
    let is_denied = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::PermissionDenied);
    let text = format!("{error:#}");
    match is_denied {
        true => format!(
            "{text} (flowtop goes on as user {}, who may not write there; {what_to_do})",
            privileges.user
        ),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_in_the_root_folder_is_granted_by_itself() {
        let path = PathBuf::from("/config.json");
        let config = Config {
            path: Some(path.clone()),
            ..Config::default()
        };
        let keeps = of_main(&Surroundings::default(), None, &config, None);
        assert!(keeps.readable.contains(&path), "{:?}", keeps.readable);
        assert!(keeps.writable.is_empty());
    }
}
