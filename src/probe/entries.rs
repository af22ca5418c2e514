//! A map whose entries come and go: the kernel's, or one of this process for the program that runs there.
//!
//! Knows nothing of what is in it.

use anyhow::Result;
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::stores::Store;

/// Where the entries are.
#[derive(Debug)]
pub enum Entries {
    /// In the kernel.
    Kernel(MapHandle),
    /// In this process.
    Process(Store),
}

impl Entries {
    /// Makes an entry, or replaces it.
    pub fn update(&self, key: &[u8], value: &[u8]) -> Result<()> {
        match self {
            Entries::Kernel(map) => map.update(key, value, MapFlags::ANY)?,
            Entries::Process(store) => store.update(key, value),
        }
        Ok(())
    }

    /// Removes an entry.
    pub fn delete(&self, key: &[u8]) -> Result<()> {
        match self {
            Entries::Kernel(map) => map.delete(key)?,
            Entries::Process(store) => store.delete(key),
        }
        Ok(())
    }

    /// Copies an entry's value; false where there is none.
    pub fn read(&self, key: &[u8], value: &mut [u8]) -> bool {
        match self {
            Entries::Kernel(map) => map.lookup_into(key, value, MapFlags::ANY).unwrap_or(false),
            Entries::Process(store) => store.read(key, value),
        }
    }
}
