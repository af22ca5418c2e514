//! Who is on the ingress hooks of an interface: XDP, the TCX chain, the filters of clsact and ingress.
//!
//! Only looks, and takes away a filter of ours that a killed run left behind. Program names need CAP_SYS_ADMIN.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::{fs, io};

use libbpf_rs::libbpf_sys::{BPF_TCX_INGRESS, bpf_prog_query_opts};
use netlink_packet_core::NlasIterator;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcHeader, TcMessage};
use nix::errno::Errno;

use crate::netlink::Connection;
use crate::probe::attach::{CLSACT_HANDLE, CLSACT_PRIORITY, PROGRAM_NAME};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWTFILTER: u16 = 44;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_PROG_ID: u16 = 4;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;
/// struct ifinfomsg.
const LINK_HEADER_BYTES: usize = 16;
/// struct tcmsg.
const TC_HEADER_BYTES: usize = 20;
/// The ingress side of clsact; the ingress qdisc takes it for its own, too.
const INGRESS: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0xfff2,
};
/// ETH_P_ALL as the kernel keeps it.
const ALL_PROTOCOLS: u32 = 0x0003u16.to_be() as u32;
/// Programs that are asked for at most; chains have a handful.
const LONGEST_CHAIN: usize = 64;

/// What a run's thread is called that has the programs.
pub const SAMPLER: &str = "sampler";
/// The loopback device has this index in every namespace.
const LOOPBACK: u32 = 1;

/// A filter on the ingress of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The lower, the earlier.
    pub priority: u16,
    /// Its number among those of the priority.
    pub handle: u32,
    /// What sort of filter it is, as `tc` calls it.
    pub kind: OsString,
    /// The name that whoever attached a BPF filter gave it.
    pub name: Option<OsString>,
    /// The BPF program behind it.
    pub program: Option<u32>,
}

impl Filter {
    /// Whether a run of flowtop put it there, this one or another.
    pub fn is_ours(&self) -> bool {
        let name = self.name.as_deref().unwrap_or_default().as_bytes();
        let bare = name.split(|byte| *byte == b':').next().unwrap_or(name);
        self.kind == "bpf"
            && (self.handle, u32::from(self.priority)) == (CLSACT_HANDLE, CLSACT_PRIORITY)
            && PROGRAM_NAME.as_bytes() == bare
    }
}

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

/// The filters on the ingress of an interface, in the order in which packets meet them.
pub fn filters(ifindex: u32) -> io::Result<Vec<Filter>> {
    let request = RouteNetlinkMessage::GetTrafficFilter(message(ifindex, 0, 0));
    let mut found = Connection::open()?.dump(&request, |incoming| {
        (incoming.kind == RTM_NEWTFILTER)
            .then(|| Filter::decode(incoming.payload))
            .flatten()
    })?;
    found.sort_by_key(|filter| filter.priority);
    Ok(found)
}

/// Removes our filter from the ingress of an interface. The caller has looked whose it is.
pub fn remove_ours(ifindex: u32) -> io::Result<()> {
    let mut message = message(
        ifindex,
        CLSACT_HANDLE,
        CLSACT_PRIORITY << 16 | ALL_PROTOCOLS,
    );
    message.attributes = vec![TcAttribute::Kind("bpf".into())];
    Connection::open()?.change(RouteNetlinkMessage::DelTrafficFilter(message), 0)
}

fn message(ifindex: u32, handle: u32, info: u32) -> TcMessage {
    TcMessage::from_parts(
        TcHeader {
            index: ifindex as i32,
            handle: handle.into(),
            parent: INGRESS,
            info,
            ..TcHeader::default()
        },
        Vec::new(),
    )
}

impl Filter {
    /// Reads what follows the netlink header of an RTM_NEWTFILTER message. Each priority is listed twice: once
    /// for itself, with the handle 0, and once for each filter.
    fn decode(payload: &[u8]) -> Option<Filter> {
        let handle = number(payload.get(8..12)?)?;
        let info = number(payload.get(16..20)?)?;
        let attributes = payload.get(TC_HEADER_BYTES..)?;
        let options = attribute(attributes, TCA_OPTIONS).unwrap_or_default();
        let text = |bytes: Vec<u8>| OsString::from_vec(until_nul(&bytes).to_vec());
        let filter = Filter {
            priority: (info >> 16) as u16,
            handle,
            kind: text(attribute(attributes, TCA_KIND)?),
            name: attribute(&options, TCA_BPF_NAME).map(text),
            program: attribute(&options, TCA_BPF_ID).and_then(|id| number(&id)),
        };
        (handle != 0 || !options.is_empty()).then_some(filter)
    }
}

fn attribute(attributes: &[u8], kind: u16) -> Option<Vec<u8>> {
    let mut all = NlasIterator::new(attributes).flatten();
    let found = all.find(|attribute| attribute.kind() == kind)?;
    Some(found.value().to_vec())
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or(bytes)
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
