//! What a device does to packets before the hook sees them: aggregation and time stamps, as ethtool tells them.
//!
//! Only asks; no privilege is needed. A device that does not answer a question has `None` for it.
#![allow(unsafe_code)]

use std::ffi::{OsStr, c_void};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::libc;

use crate::netlink::Connection;

const SIOCETHTOOL: libc::c_ulong = 0x8946;
const SIOCGHWTSTAMP: libc::c_ulong = 0x89b1;
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
/// ETH_FLAG_LRO.
const LRO: u32 = 1 << 15;

/// What is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offloads {
    /// The kernel joins packets of a flow before the hook.
    pub gro: Option<bool>,
    /// The device does.
    pub lro: Option<bool>,
    /// The device stamps packets that come in.
    pub rx_timestamps: Option<bool>,
}

/// struct ifreq, whose union has the address of what the call reads and writes.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    data: *mut c_void,
    unused: [u8; 16],
}

/// Asks about the interface of this name, in the calling thread's network namespace.
pub fn offloads(interface: &OsStr) -> Offloads {
    // Any socket of the namespace will do.
    let Ok(socket) = Connection::open() else {
        return Offloads::default();
    };
    let ask = |request, data: &mut [u32]| ask(&socket, interface, request, data);
    let value = |command| {
        // struct ethtool_value.
        let mut value = [command, 0];
        ask(SIOCETHTOOL, &mut value).ok().map(|()| value[1])
    };
    // struct hwtstamp_config: flags, tx_type, rx_filter.
    let mut stamps = [0; 3];
    Offloads {
        gro: value(ETHTOOL_GGRO).map(|on| on != 0),
        lro: value(ETHTOOL_GFLAGS).map(|flags| flags & LRO != 0),
        rx_timestamps: match ask(SIOCGHWTSTAMP, &mut stamps) {
            Ok(()) => Some(stamps[2] != 0),
            Err(Errno::EOPNOTSUPP) => Some(false),
            Err(_) => None,
        },
    }
}

fn ask(
    socket: &impl AsFd,
    interface: &OsStr,
    request: libc::c_ulong,
    data: &mut [u32],
) -> Result<(), Errno> {
    let name = interface.as_bytes();
    let mut question = InterfaceRequest {
        name: [0; 16],
        data: data.as_mut_ptr().cast(),
        unused: [0; 16],
    };
    // With the NUL behind it.
    if name.len() >= question.name.len() {
        return Err(Errno::ENODEV);
    }
    question.name[..name.len()].copy_from_slice(name);
    // SAFETY: the request is laid out as the kernel's struct ifreq, and what it points to is as large as the structure
    // that the call names; both outlive the call.
    let outcome = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), request as _, &mut question) };
    Errno::result(outcome).map(drop)
}
