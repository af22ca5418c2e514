//! What a thread keeps of its rights.

use std::path::PathBuf;

use caps::Capability;

use super::calls::Duty;
use super::identity::Identity;

/// Something that is still needed, and what for.
pub type Need<T = Capability> = (T, &'static str);

/// What a thread keeps; all else goes.
#[derive(Debug, Clone, Default)]
pub struct Keeps {
    /// Who it is from now on; `None`: who it was.
    pub identity: Option<Identity>,
    /// Capabilities.
    pub capabilities: Vec<Need>,
    /// Folders and files to read.
    pub readable: Vec<PathBuf>,
    /// Folders to make, replace and remove files in.
    pub writable: Vec<PathBuf>,
    /// Files that have to stay readable, even if only the superuser may read them; and what a capability for it is called
    /// for then.
    pub files: Vec<Need<PathBuf>>,
    /// Any port to listen at for TCP.
    pub listens: bool,
    /// Ports to connect to.
    pub ports: Vec<u16>,
    /// What it is there for, and which system calls it has for that; `None`: all.
    pub duty: Option<Duty>,
}
