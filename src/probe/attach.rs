//! Puts a program on an interface's ingress hook and takes it off again, touching nothing of anybody else.
//!
//! TCX at the head of the chain where the kernel has it; else a filter of our own on the clsact qdisc, which is
//! shared with others and therefore never removed.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result, anyhow};
use libbpf_rs::libbpf_sys::{BPF_F_BEFORE, BPF_TCX_INGRESS, bpf_link_create, bpf_link_create_opts};
use libbpf_rs::query::LinkTypeInfo;
use libbpf_rs::{TC_INGRESS, TcHook, TcHookBuilder};
use nix::errno::Errno;

use crate::model::snapshot::Hook;

/// Names our filter among others at the same priority.
pub const CLSACT_HANDLE: u32 = 0xf107;
/// Before the filters that others usually add: a program that ends the chain would hide packets from us.
pub const CLSACT_PRIORITY: u32 = 1;
/// What our program is called, as far as the kernel keeps names: a filter with such a program is ours.
pub const PROGRAM_NAME: &str = "flowtop_ingress";

/// A program on a hook. Dropping it takes the program off.
#[derive(Debug)]
pub enum Attachment {
    /// The link; closing it detaches.
    Tcx(OwnedFd),
    /// The filter on the clsact qdisc.
    Clsact(ClsactFilter),
}

/// A filter that is removed when dropped.
#[derive(Debug)]
pub struct ClsactFilter(TcHook);

impl ClsactFilter {
    fn is_in_place(&self) -> bool {
        // A copy, as a query writes into the hook.
        let mut hook = self.0;
        hook.query().is_ok()
    }
}

impl Drop for ClsactFilter {
    fn drop(&mut self) {
        // Gone already, with its interface or by somebody's hand: nothing is left to do.
        let _ = self.0.detach();
    }
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
            Attachment::Tcx(link) => tcx_ifindex(link) == Some(ifindex),
            Attachment::Clsact(filter) => filter.is_in_place(),
        }
    }
}

/// Attaches `program` to the ingress of an interface, by TCX where there is TCX and `clsact_only` does not forbid it.
pub fn attach(program: BorrowedFd<'_>, ifindex: u32, clsact_only: bool) -> Result<Attachment> {
    if !clsact_only {
        match attach_tcx(program, ifindex) {
            Ok(link) => return Ok(Attachment::Tcx(link)),
            Err(Errno::EINVAL) => {} // a kernel before 6.6
            Err(error) => return Err(error.into()),
        }
    }
    attach_clsact(program, ifindex).map(Attachment::Clsact)
}

fn attach_tcx(program: BorrowedFd<'_>, ifindex: u32) -> Result<OwnedFd, Errno> {
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
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn tcx_ifindex(link: &OwnedFd) -> Option<u32> {
    let info = libbpf_rs::query::LinkInfo::from_fd(std::os::fd::AsFd::as_fd(link)).ok()?;
    match info.info {
        LinkTypeInfo::Tcx(tcx) => Some(tcx.ifindex),
        _ => None,
    }
}

fn attach_clsact(program: BorrowedFd<'_>, ifindex: u32) -> Result<ClsactFilter> {
    let mut hook = TcHookBuilder::new(program)
        .ifindex(ifindex as i32)
        .handle(CLSACT_HANDLE)
        .priority(CLSACT_PRIORITY)
        .hook(TC_INGRESS);
    // The qdisc may be there already, somebody else's or ours.
    hook.create().context("add the clsact qdisc")?;
    if let Ok(id) = hook.query() {
        if !is_ours(id) {
            return Err(anyhow!(
                "filter handle {CLSACT_HANDLE:#x} at priority {CLSACT_PRIORITY} is somebody else's (see: tc filter show dev <interface> ingress)"
            ));
        }
        hook.replace(true);
    }
    Ok(ClsactFilter(
        hook.attach().context("add the clsact filter")?,
    ))
}

/// Whether the program of that id is one of ours, left behind by a run that was killed.
fn is_ours(id: u32) -> bool {
    libbpf_rs::query::ProgInfoIter::default()
        .find(|program| program.id == id)
        .is_some_and(|program| program.name.as_encoded_bytes() == PROGRAM_NAME.as_bytes())
}
