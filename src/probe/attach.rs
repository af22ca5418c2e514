//! Puts a program on an interface's ingress hook and takes it off again, touching nothing of anybody else.
//!
//! TCX at the head of the chain where the kernel has it; else a filter of our own on the clsact qdisc.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use anyhow::Result;
use libbpf_rs::libbpf_sys::{
    BPF_F_BEFORE, BPF_TCX_INGRESS, bpf_link_create, bpf_link_create_opts, bpf_link_detach,
};
use libbpf_rs::query::{LinkInfo, LinkTypeInfo};
use nix::errno::Errno;

use super::clsact::{ClsactFilter, Handle};
use crate::model::snapshot::Hook;

/// A program on a hook. Dropping it takes the program off.
#[derive(Debug)]
pub enum Attachment {
    /// The link on the TCX hook.
    Tcx(TcxLink),
    /// The filter on the clsact qdisc.
    Clsact(ClsactFilter),
}

impl Attachment {
    /// Which hook it is on.
    pub fn hook(&self) -> Hook {
        match self {
            Attachment::Tcx(_) => Hook::Tcx,
            Attachment::Clsact(_) => Hook::Clsact,
        }
    }

    /// Whether the program is still on the hook of this interface.
    pub fn is_in_place(&self, ifindex: u32) -> bool {
        match self {
            Attachment::Tcx(link) => link.ifindex() == Some(ifindex),
            Attachment::Clsact(filter) => filter.is_in_place(),
        }
    }

    /// Whether programs of others had their turn before ours when it was attached.
    pub fn is_behind_others(&self) -> bool {
        matches!(self, Attachment::Clsact(filter) if filter.is_behind_others())
    }
}

/// A TCX link. It goes with its last descriptor, so also with a process that is killed; dropping it takes the program
/// off whoever has another one.
#[derive(Debug)]
pub struct TcxLink(OwnedFd);

impl TcxLink {
    /// The interface that the link is on, if it still is.
    fn ifindex(&self) -> Option<u32> {
        let info = LinkInfo::from_fd(self.0.as_fd()).ok()?;
        match info.info {
            LinkTypeInfo::Tcx(tcx) => Some(tcx.ifindex),
            _ => None,
        }
    }
}

impl Drop for TcxLink {
    fn drop(&mut self) {
        // Fails where it is off already, with its interface or by somebody's hand.
        // SAFETY: a live descriptor.
        unsafe { bpf_link_detach(self.0.as_raw_fd()) };
    }
}

/// Which ways there are to a hook, and what the clsact way needs.
#[derive(Debug)]
pub struct Ways {
    clsact_only: bool,
    /// Taken when it is first needed.
    handle: Option<Handle>,
}

impl Ways {
    /// All of them, or, for tests, clsact alone.
    pub fn new(clsact_only: bool) -> Ways {
        Ways {
            clsact_only,
            handle: None,
        }
    }

    /// Whether clsact is the only way, even where there is TCX.
    pub fn is_clsact_only(&self) -> bool {
        self.clsact_only
    }

    /// Attaches `program` to the ingress of an interface, by TCX where there is TCX.
    pub fn attach(&mut self, program: BorrowedFd<'_>, ifindex: u32) -> Result<Attachment> {
        if !self.clsact_only {
            match attach_tcx(program, ifindex) {
                Ok(link) => return Ok(Attachment::Tcx(link)),
                Err(Errno::EINVAL) => {} // a kernel before 6.6
                Err(error) => return Err(error.into()),
            }
        }
        let handle = match self.handle.take() {
            Some(handle) => handle,
            None => Handle::acquire()?,
        };
        let handle = self.handle.insert(handle);
        ClsactFilter::attach(program, ifindex, handle).map(Attachment::Clsact)
    }
}

fn attach_tcx(program: BorrowedFd<'_>, ifindex: u32) -> Result<TcxLink, Errno> {
    let options = bpf_link_create_opts {
        sz: size_of::<bpf_link_create_opts>() as _,
        flags: BPF_F_BEFORE,
        ..Default::default()
    };
    // SAFETY: a live program, plain numbers, and options that outlive the call.
    let fd = unsafe {
        bpf_link_create(
            program.as_raw_fd(),
            ifindex as i32,
            BPF_TCX_INGRESS,
            &options,
        )
    };
    if fd < 0 {
        return Err(Errno::from_raw(-fd));
    }
    // SAFETY: a descriptor that the call just made, and that nobody else knows.
    Ok(TcxLink(unsafe { OwnedFd::from_raw_fd(fd) }))
}
