//! Programs of others on the TCX hook, before us and behind us: raw instructions that count and say what becomes of a
//! packet.

use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use libbpf_rs::libbpf_sys::{
    BPF_F_BEFORE, BPF_PROG_TYPE_SCHED_CLS, BPF_TCX_INGRESS, bpf_link_create, bpf_link_create_opts,
    bpf_link_detach, bpf_link_get_fd_by_id, bpf_map_create_opts, bpf_prog_load,
};
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use super::support::hook;
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{Flowtop, interface, number};
use super::{counted, send, support};

/// What becomes of a packet.
const NEXT: i32 = -1;
const PASS: i32 = 0;
const DROP: i32 = 2;

/// Programs and links on the TCX ingress hook of the receiving link, in their order.
pub fn on_hook(pair: &Pair) -> Vec<(u32, u32)> {
    hook::programs(&pair.receiver, pair.receiver_ifindex())
}

/// Programs on the TCX ingress hook.
pub fn length(pair: &Pair) -> usize {
    on_hook(pair).len()
}

/// Takes all programs off the TCX ingress hook, whoever holds their links.
pub fn clear(pair: &Pair) {
    for (_, link) in on_hook(pair) {
        let link = open(link);
        // SAFETY: a live descriptor.
        let outcome = unsafe { bpf_link_detach(link.as_raw_fd()) };
        assert_eq!(outcome, 0, "detach a link");
    }
}

fn open(link: u32) -> OwnedFd {
    // SAFETY: a plain number.
    owned(unsafe { bpf_link_get_fd_by_id(link) }, "open a link")
}

/// A program that counts packets, on the hook as long as this lives.
pub struct Counter {
    map: MapHandle,
    link: OwnedFd,
}

impl Drop for Counter {
    /// By a call: a child that another test forks at this moment has the descriptor until its exec. With the device gone,
    /// so is the program.
    fn drop(&mut self) {
        // SAFETY: a live descriptor.
        unsafe { bpf_link_detach(self.link.as_raw_fd()) };
    }
}

impl Counter {
    /// In front of all others, or behind them.
    pub fn attach(pair: &Pair, verdict: i32, in_front: bool) -> Counter {
        let options = bpf_map_create_opts {
            sz: size_of::<bpf_map_create_opts>() as _,
            ..Default::default()
        };
        let map = MapHandle::create(MapType::Array, Some("packets"), 4, 8, 1, &options);
        let map = map.expect("make a map");
        let program = load(map.as_fd().as_raw_fd(), verdict);
        let ifindex = pair.receiver_ifindex();
        let link = || {
            let options = bpf_link_create_opts {
                sz: size_of::<bpf_link_create_opts>() as _,
                flags: if in_front { BPF_F_BEFORE } else { 0 },
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
            Ok(owned(fd, "attach a program"))
        };
        let link = pair.receiver.within(link).expect("attach");
        Counter { map, link }
    }

    /// Packets that came to it.
    pub fn packets(&self) -> u64 {
        let value = self.map.lookup(&[0; 4], MapFlags::ANY).expect("look up");
        let bytes = value.expect("an entry").try_into().expect("eight bytes");
        u64::from_ne_bytes(bytes)
    }
}

fn owned(fd: i32, what: &str) -> OwnedFd {
    let error = std::io::Error::last_os_error();
    assert!(fd >= 0, "{what}: {error}");
    // SAFETY: a descriptor that was just made, and that nobody else knows.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Adds one to the only value of the map, and returns `verdict`.
fn load(map: i32, verdict: i32) -> OwnedFd {
    let instruction = |code: u8, registers: u8, offset: i16, value: i32| {
        let bytes = [&[code, registers], &offset.to_ne_bytes()[..]].concat();
        let bytes = [&bytes[..], &value.to_ne_bytes()].concat();
        u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))
    };
    let instructions = [
        instruction(0x62, 0x0a, -4, 0),  // *(u32 *)(r10 - 4) = 0
        instruction(0xbf, 0xa2, 0, 0),   // r2 = r10
        instruction(0x07, 0x02, 0, -4),  // r2 += -4
        instruction(0x18, 0x11, 0, map), // r1 = map
        instruction(0, 0, 0, 0),
        instruction(0x85, 0, 0, 1),    // r0 = bpf_map_lookup_elem(r1, r2)
        instruction(0x15, 0x00, 2, 0), // if r0 == 0 skip 2
        instruction(0xb7, 0x01, 0, 1), // r1 = 1
        instruction(0xdb, 0x10, 0, 0), // lock *(u64 *)r0 += r1
        instruction(0xb7, 0x00, 0, verdict),
        instruction(0x95, 0, 0, 0), // exit
    ];
    // SAFETY: names with their ends, and instructions, that outlive the call.
    let fd = unsafe {
        bpf_prog_load(
            BPF_PROG_TYPE_SCHED_CLS,
            c"counter".as_ptr(),
            c"GPL".as_ptr(),
            instructions.as_ptr().cast::<c_void>().cast(),
            instructions.len() as _,
            std::ptr::null_mut(),
        )
    };
    owned(fd, "load a program")
}

#[test]
fn between_programs_of_others_all_see_the_same_and_keep_their_places() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let behind = Counter::attach(&pair, PASS, false);
    let mut run = Flowtop::watch(&pair, "{}");
    let before = Counter::attach(&pair, NEXT, true);
    assert_eq!(length(&pair), 3);
    send(&pair, 300);
    run.settle(300);
    assert_eq!((before.packets(), behind.packets()), (300, 300));
    let chain = on_hook(&pair);
    // What a program in front of us drops is not on our hook.
    let dropping = Counter::attach(&pair, DROP, true);
    send(&pair, 50);
    super::wait_for("all packets", || dropping.packets() == 50);
    drop(dropping);
    send(&pair, 20);
    run.settle(320);
    let record = run.last_record();
    assert_eq!(counted(&record), 320);
    assert_eq!(number(&interface(&record, RECEIVER_LINK)["packets"]), 320);
    assert_eq!((before.packets(), behind.packets()), (320, 320));
    assert_eq!(
        on_hook(&pair),
        [chain[0], chain[2]],
        "theirs, in their order"
    );
}

#[test]
fn a_run_that_ends_takes_its_program_off_whoever_else_holds_the_link() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let mut run = Flowtop::watch(&pair, "{}");
    let [(_, link)] = on_hook(&pair)[..] else {
        panic!("one program");
    };
    let _held = open(link);
    send(&pair, 20);
    run.settle(20);
    assert_eq!(counted(&run.last_record()), 20);
    assert_eq!(on_hook(&pair), []);
}
