//! What connections are secured by: read at the start, and again where its files change, as certificates are renewed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::tls::server_config;
use crate::config::listen::TlsFiles;
use crate::config::source::Surroundings;
use crate::config::watch::Stamp;

/// The files are looked at this often, and read when they are the same twice: a certificate and its key are two.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The files of TLS, if it is wanted, and what they came to.
#[derive(Debug)]
pub struct Certificates {
    files: Option<TlsFiles>,
    /// By the latest files that were right; `None`: nothing.
    config: Option<Arc<ServerConfig>>,
    /// The files when they were read last, right or wrong, and when they were looked at last.
    read: Vec<Stamp>,
    seen: Vec<Stamp>,
    next_look: Instant,
}

impl Certificates {
    /// None: TLS is not wanted.
    pub fn none() -> Certificates {
        Certificates {
            files: None,
            config: None,
            read: Vec::new(),
            seen: Vec::new(),
            next_look: Instant::now(),
        }
    }

    /// Reads these files, if there are any; the error says what is wrong.
    pub fn read(
        files: Option<TlsFiles>,
        surroundings: &Surroundings,
    ) -> Result<Certificates, String> {
        let mut certificates = Certificates::none();
        certificates.choose(files);
        certificates.read_again(surroundings)?;
        Ok(certificates)
    }

    /// The files in use.
    pub fn files(&self) -> Option<&TlsFiles> {
        self.files.as_ref()
    }

    /// What connections are secured by.
    pub fn config(&self) -> Option<&Arc<ServerConfig>> {
        self.config.as_ref()
    }

    /// Whether anybody may be served: nobody is without TLS where it is wanted.
    pub fn may_serve(&self) -> bool {
        self.files.is_none() || self.config.is_some()
    }

    /// These are the files from here on; they are to be read.
    pub fn choose(&mut self, files: Option<TlsFiles>) {
        if files.is_none() {
            self.config = None;
        }
        self.files = files;
    }

    /// Reads the files; the error says what is wrong, and what they came to before stays.
    pub fn read_again(&mut self, surroundings: &Surroundings) -> Result<(), String> {
        self.read = self.look();
        self.seen.clone_from(&self.read);
        if let Some(files) = &self.files {
            self.config = Some(server_config(files, surroundings)?);
        }
        Ok(())
    }

    /// Whether the files are others than those that were read.
    pub fn have_changed(&self) -> bool {
        self.look() != self.read
    }

    /// Whether it is time to look at the files, and they have changed, but not since they were looked at before.
    pub fn have_settled(&mut self) -> bool {
        let now = Instant::now();
        if self.files.is_none() || now < self.next_look {
            return false;
        }
        self.next_look = now + LOOK_EVERY;
        let stamps = self.look();
        let former = std::mem::replace(&mut self.seen, stamps);
        former == self.seen && self.seen != self.read
    }

    fn look(&self) -> Vec<Stamp> {
        let files = self.files.iter().flat_map(TlsFiles::paths);
        files.map(Stamp::of).collect()
    }
}
