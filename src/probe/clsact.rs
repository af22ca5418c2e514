//! The clsact way to an ingress hook: a filter of our own on a qdisc that belongs to everybody.
//!
//! A filter outlives the process that made it. So each run has a handle of its own, and holds a name in the network
//! namespace's abstract sockets as long as it lives: a filter of ours whose name nobody holds is a leftover.
//! What others have put on the hook, and the qdisc, are never touched.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use anyhow::{Context, Result, anyhow};
use libbpf_rs::{ErrorKind, TC_INGRESS, TcHook, TcHookBuilder};

use super::filters::{self, Filter};
use super::interfaces;
use super::privileges::Refusal;

/// The handle of the first run; further ones in the same namespace have those behind it.
const FIRST_HANDLE: u32 = 0xf107;
/// Runs that one network namespace has room for.
const RUNS: u32 = 64;
/// What our program is called, as far as the kernel keeps names, and with that our filters.
pub const PROGRAM_NAME: &str = "flowtop_ingress";

/// The handle of a run, which no other run in its network namespace has while this value lives.
#[derive(Debug)]
pub struct Handle {
    number: u32,
    _name: UnixDatagram,
}

impl Handle {
    /// The first one that is not taken, in the calling thread's network namespace.
    pub fn acquire() -> Result<Handle> {
        for number in FIRST_HANDLE..FIRST_HANDLE + RUNS {
            match hold_name(number) {
                Ok(name) => {
                    let handle = Handle {
                        number,
                        _name: name,
                    };
                    handle.remove_former();
                    return Ok(handle);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error).context("take a handle for clsact filters"),
            }
        }
        Err(anyhow!(
            "the names of all {RUNS} runs that there is room for on clsact are taken (see: ss -xa | grep flowtop-clsact)"
        ))
    }

    /// Removes what a killed run of this handle left on any link: from here on it would count as a living one's. What cannot
    /// be removed is no reason not to count.
    fn remove_former(&self) {
        for link in interfaces::list().unwrap_or_default() {
            let all = filters::list(link.ifindex).unwrap_or_default();
            for filter in all.iter().filter(|filter| self.has(filter)) {
                let _ = filters::remove(link.ifindex, filter);
            }
        }
    }

    /// Whether a filter is ours by this handle: while we hold its name, it cannot be another run's.
    fn has(&self, filter: &Filter) -> bool {
        filter.handle == self.number && is_ours(filter)
    }
}

/// Binds the name that says that the run of this handle lives. The kernel lets go of it with the process.
fn hold_name(handle: u32) -> io::Result<UnixDatagram> {
    let name = format!("flowtop-clsact-{handle:x}");
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

fn is_alive(handle: u32) -> bool {
    // Whatever else goes wrong: a filter is taken for a leftover only where that is certain.
    hold_name(handle).is_err()
}

/// A kernel without this kind of qdisc or filter says that it does not find it.
fn unless_supported(error: libbpf_rs::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Unsupported => Refusal::NoClsact.into(),
        _ => error.into(),
    }
}

/// A filter that is removed when dropped.
#[derive(Debug)]
pub struct ClsactFilter {
    hook: TcHook,
    priority: u32,
    program: u32,
}

impl ClsactFilter {
    /// Puts the program in front of all filters of the interface, or as far in front as others left room.
    pub fn attach(program: BorrowedFd<'_>, ifindex: u32, handle: &Handle) -> Result<ClsactFilter> {
        let mut hook = TcHookBuilder::new(program)
            .ifindex(ifindex as i32)
            .handle(handle.number)
            .hook(TC_INGRESS);
        // The qdisc may be there already, somebody else's or ours.
        hook.create()
            .map_err(unless_supported)
            .context("add the clsact qdisc")?;
        remove_leftovers(ifindex, handle)?;
        let others = filters::list(ifindex).context("list the filters")?;
        let priority = first_priority(&others, handle.number);
        hook.priority(priority);
        let mut hook = hook
            .attach()
            .map_err(unless_supported)
            .context("add the clsact filter")?;
        let found = hook.query().inspect_err(|_| {
            // Nobody else would take it off.
            let _ = hook.detach();
        });
        let program = found.context("find the clsact filter")?;
        Ok(ClsactFilter {
            hook,
            priority,
            program,
        })
    }

    /// Whether it is on the hook, and still has our program.
    pub fn is_in_place(&self) -> bool {
        // A copy, as a query writes into the hook.
        let mut hook = self.hook;
        hook.query().is_ok_and(|program| program == self.program)
    }

    /// Whether filters of others have their turn before it.
    pub fn is_behind_others(&self) -> bool {
        self.priority > 1
    }
}

impl Drop for ClsactFilter {
    fn drop(&mut self) {
        // Gone already, with its interface or by somebody's hand: nothing is left to do.
        if self.is_in_place() {
            let _ = self.hook.detach();
        }
    }
}

/// The first priority at which our filter can be: filters of one priority have one protocol and one kind, and each a
/// handle of its own.
fn first_priority(others: &[Filter], handle: u32) -> u32 {
    let is_free = |priority: &u32| {
        others
            .iter()
            .filter(|other| u32::from(other.priority) == *priority)
            .all(|other| other.is_bpf_for_all() && other.handle != handle)
    };
    (1..=u32::from(u16::MAX)).find(is_free).unwrap_or(1)
}

/// Whether a run of flowtop put it there, this one or another.
pub fn is_ours(filter: &Filter) -> bool {
    let handles = FIRST_HANDLE..FIRST_HANDLE + RUNS;
    handles.contains(&filter.handle) && filter.program_name() == Some(PROGRAM_NAME)
}

/// Filters of ours on an interface that belong to no run that lives.
pub fn leftovers(ifindex: u32) -> io::Result<Vec<Filter>> {
    let mut found = filters::list(ifindex)?;
    found.retain(|filter| is_ours(filter) && !is_alive(filter.handle));
    Ok(found)
}

/// Removes a leftover, unless it has gone or its handle is that of a run by now. Returns whether it did.
pub fn remove_leftover(ifindex: u32, leftover: &Filter) -> io::Result<bool> {
    // While we hold its name, no run begins with its handle.
    let Ok(_name) = hold_name(leftover.handle) else {
        return Ok(false);
    };
    let is_there = filters::list(ifindex)?.contains(leftover);
    if is_there {
        filters::remove(ifindex, leftover)?;
    }
    Ok(is_there)
}

fn remove_leftovers(ifindex: u32, own: &Handle) -> Result<()> {
    let all = filters::list(ifindex).context("list the filters")?;
    for filter in all.iter().filter(|filter| is_ours(filter)) {
        let outcome = match own.has(filter) {
            true => filters::remove(ifindex, filter),
            false => remove_leftover(ifindex, filter).map(drop),
        };
        outcome.context("remove what a former run left on clsact")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::privileges::{Lack, lack};

    #[test]
    fn a_kernel_without_the_qdisc_lacks_something_and_an_interface_that_went_does_not() {
        let lacks = |errno| {
            lack(&unless_supported(libbpf_rs::Error::from_raw_os_error(
                errno,
            )))
        };
        let (not_found, not_supported, no_device) = (2, 95, 19);
        assert_eq!(lacks(not_found), Some(Lack::Kernel));
        assert_eq!(lacks(not_supported), Some(Lack::Kernel));
        assert_eq!(lacks(no_device), None);
    }

    fn filter(priority: u16, protocol: u16, kind: &str, handle: u32) -> Filter {
        Filter {
            priority,
            protocol,
            kind: kind.into(),
            handle,
            name: None,
            program: None,
        }
    }

    #[test]
    fn our_filter_is_the_first_that_others_leave_room_for() {
        let all = filters::ETH_P_ALL;
        assert_eq!(first_priority(&[], 7), 1);
        assert_eq!(first_priority(&[filter(1, all, "bpf", 8)], 7), 1);
        assert_eq!(first_priority(&[filter(1, all, "bpf", 7)], 7), 2);
        assert_eq!(first_priority(&[filter(1, all, "u32", 8)], 7), 2);
        let others = [filter(1, 0x0800, "bpf", 8), filter(2, all, "bpf", 7)];
        assert_eq!(first_priority(&others, 7), 3);
    }

    #[test]
    fn a_filter_is_ours_by_its_handle_and_by_the_name_of_its_program() {
        let ours = Filter {
            name: Some("flowtop_ingress:[12]".into()),
            ..filter(1, filters::ETH_P_ALL, "bpf", FIRST_HANDLE + 3)
        };
        assert!(is_ours(&ours));
        let of_others = ["flowtop_ingress2:[12]", "other.o:[flowtop_ingress]", ""];
        for name in of_others {
            let name = Some(name.into());
            assert!(!is_ours(&Filter {
                name,
                ..ours.clone()
            }));
        }
        assert!(!is_ours(&Filter { handle: 1, ..ours }));
    }
}
