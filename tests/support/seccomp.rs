//! Commands and threads to which the kernel refuses system calls.

use std::os::unix::process::CommandExt;
use std::process::Command;

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const FIRST_ARGUMENT: u32 = 16;

/// Puts a command under a seccomp filter that answers this system call with this error; where a first argument is
/// given, only calls that have it.
pub fn answer(command: &mut Command, call: libc::c_long, argument: Option<u32>, errno: i32) {
    let filter = filter(call, argument, errno);
    // SAFETY: between fork and exec the closure makes one system call, on a filter that it owns.
    unsafe {
        command.pre_exec(move || install(&filter));
    }
}

/// The same for the calling thread, to its end.
pub fn answer_thread(call: libc::c_long, argument: Option<u32>, errno: i32) {
    install(&filter(call, argument, errno)).expect("install a filter");
}

/// Puts a command under a filter that answers all system calls but these with this error.
pub fn allow_only(command: &mut Command, calls: &[u32], errno: i32) {
    let mut filter = vec![step(LOAD, 0, 0, 0)];
    for call in calls {
        filter.extend([step(EQUAL, 0, 1, *call), step(ANSWER, 0, 0, ALLOW)]);
    }
    filter.push(step(ANSWER, 0, 0, ERRNO | errno as u32));
    // SAFETY: between fork and exec the closure makes two system calls, one of them on a filter that it owns.
    unsafe {
        command.pre_exec(move || {
            // Who is not the superuser may have no filter otherwise.
            nix::sys::prctl::set_no_new_privs()?;
            install(&filter)
        });
    }
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

fn step(code: u16, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

fn filter(call: libc::c_long, argument: Option<u32>, errno: i32) -> Vec<libc::sock_filter> {
    // Is it the call? Is it the argument? Else on to the last answer.
    let call = call as u32;
    let mut filter = vec![step(LOAD, 0, 0, 0)];
    match argument {
        Some(argument) => filter.extend([
            step(EQUAL, 0, 3, call),
            step(LOAD, 0, 0, FIRST_ARGUMENT),
            step(EQUAL, 0, 1, argument),
        ]),
        None => filter.push(step(EQUAL, 0, 1, call)),
    }
    filter.push(step(ANSWER, 0, 0, ERRNO | errno as u32));
    filter.push(step(ANSWER, 0, 0, ALLOW));
    filter
}

fn install(filter: &[libc::sock_filter]) -> std::io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: one system call, which only reads a filter that outlives it.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &program, 0, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
