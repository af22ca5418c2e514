//! Who is on the ingress hooks of an interface, beside the filters: XDP and the TCX chain; and whose programs they are.
//!
//! Only looks. Program names need CAP_SYS_ADMIN.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::{fs, io};

use libbpf_rs::libbpf_sys::{BPF_TCX_INGRESS, bpf_prog_query_opts};
use netlink_packet_core::NlasIterator;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;
use nix::errno::Errno;

use crate::netlink::Connection;

const RTM_NEWLINK: u16 = 16;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_PROG_ID: u16 = 4;
/// struct ifinfomsg.
const LINK_HEADER_BYTES: usize = 16;
/// Programs that are asked for at most; chains have a handful.
const LONGEST_CHAIN: usize = 64;

/// What a run's thread is called that has the programs.
pub const SAMPLER: &str = "sampler";
/// The loopback device has this index in every namespace.
const LOOPBACK: u32 = 1;

/// Whether this kernel has TCX. Needs CAP_NET_ADMIN.
pub fn has_tcx() -> bool {
    tcx_programs(LOOPBACK).is_ok()
}

/// The ids of the programs in the TCX chain, first one first.
pub fn tcx_programs(ifindex: u32) -> Result<Vec<u32>, Errno> {
    let mut ids = [0u32; LONGEST_CHAIN];
    let mut options = bpf_prog_query_opts {
        sz: size_of::<bpf_prog_query_opts>() as _,
        prog_ids: ids.as_mut_ptr(),
        ..Default::default()
    };
    options.__bindgen_anon_1.count = LONGEST_CHAIN as u32;
    // SAFETY: the options and the list of ids outlive the call, and the list is as long as the options say.
    let outcome = unsafe {
        libbpf_rs::libbpf_sys::bpf_prog_query_opts(ifindex as i32, BPF_TCX_INGRESS, &mut options)
    };
    if outcome < 0 {
        return Err(Errno::from_raw(-outcome));
    }
    // SAFETY: both members of the union are the same number.
    let count = unsafe { options.__bindgen_anon_1.count } as usize;
    Ok(ids[..count.min(LONGEST_CHAIN)].to_vec())
}

/// The XDP programs of all interfaces, by ifindex.
pub fn xdp_programs() -> io::Result<BTreeMap<u32, u32>> {
    let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let found = Connection::open()?.dump(&request, |incoming| {
        let ifindex = u32::from_ne_bytes(*incoming.payload.get(4..)?.first_chunk()?);
        let xdp = attribute(incoming.payload.get(LINK_HEADER_BYTES..)?, IFLA_XDP)?;
        let id = number(&attribute(&xdp, IFLA_XDP_PROG_ID)?)?;
        (incoming.kind == RTM_NEWLINK && id != 0).then_some((ifindex, id))
    })?;
    Ok(found.into_iter().collect())
}

fn attribute(attributes: &[u8], kind: u16) -> Option<Vec<u8>> {
    let mut all = NlasIterator::new(attributes).flatten();
    let found = all.find(|attribute| attribute.kind() == kind)?;
    Some(found.value().to_vec())
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// The names of all loaded BPF programs, by id; empty where this process may not ask.
pub fn program_names() -> BTreeMap<u32, OsString> {
    libbpf_rs::query::ProgInfoIter::default()
        .map(|program| {
            (
                program.id,
                OsStr::from_bytes(program.name.as_bytes()).to_owned(),
            )
        })
        .collect()
}

/// A process that holds the BPF program; an error where a run of flowtop did not let us look.
pub fn holder(program: u32) -> io::Result<Option<u32>> {
    let mark = format!("prog_id:\t{program}\n");
    let mut denied = None;
    for process in fs::read_dir("/proc")?.flatten() {
        let Some(id) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        match holds(&process.path().join("fdinfo"), &mark) {
            Ok(true) => return Ok(Some(id)),
            Ok(false) => {}
            Err(error) if is_run(&process.path()) => denied = Some(error),
            // Somebody else's, or gone meanwhile.
            Err(_) => {}
        }
    }
    denied.map_or(Ok(None), Err)
}

/// Whether a process that lets nobody look at its descriptors is a run of flowtop: by a thread of that name.
fn is_run(process: &Path) -> bool {
    let threads = fs::read_dir(process.join("task")).into_iter().flatten();
    let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm"));
    threads
        .flatten()
        .any(|thread| name(thread).is_ok_and(|name| name.trim_end() == SAMPLER))
}

fn holds(descriptors: &Path, mark: &str) -> io::Result<bool> {
    for descriptor in fs::read_dir(descriptors)?.flatten() {
        if fs::read_to_string(descriptor.path()).is_ok_and(|info| info.contains(mark)) {
            return Ok(true);
        }
    }
    Ok(false)
}
