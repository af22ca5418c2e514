//! System calls made by a thread of another process, as an attacker would who has taken it over.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;

use libc::{c_long, c_ulong, c_void, pid_t};
use nix::unistd::Pid;

/// A thread that is stopped and made to do things. It goes on, as if nothing had been, when this is dropped.
#[derive(Debug)]
pub struct Captive {
    thread: pid_t,
    before: Registers,
    instruction: u64,
}

/// The registers of general use, as the kernel lays them out.
#[cfg(target_arch = "x86_64")]
type Registers = libc::user_regs_struct;
#[cfg(target_arch = "aarch64")]
type Registers = libc::user_regs_struct;

/// `syscall`, or `svc #0`.
#[cfg(target_arch = "x86_64")]
const INSTRUCTION: [u8; 2] = [0x0f, 0x05];
#[cfg(target_arch = "aarch64")]
const INSTRUCTION: [u8; 4] = [0x01, 0x00, 0x00, 0xd4];

impl Captive {
    /// Stops a thread of a process.
    pub fn seize(process: Pid, thread: Pid) -> Captive {
        let thread = thread.as_raw();
        ask(libc::PTRACE_SEIZE, thread, 0, null_mut());
        ask(libc::PTRACE_INTERRUPT, thread, 0, null_mut());
        wait(thread);
        Captive {
            thread,
            before: registers(thread),
            instruction: instruction_of(process),
        }
    }

    /// Some memory of the thread's that can be read and written.
    pub fn memory(&self) -> u64 {
        let stack = self.before.stack();
        // Below the red zone, where nothing is kept.
        stack - 4096
    }

    /// Makes the call; returns what the kernel does, an error as a negative number.
    pub fn call(&self, number: c_long, arguments: [u64; 6]) -> i64 {
        let mut registers = self.before;
        registers.prepare(self.instruction, number as u64, arguments);
        set_registers(self.thread, &mut registers);
        ask(libc::PTRACE_SINGLESTEP, self.thread, 0, null_mut());
        wait(self.thread);
        self::registers(self.thread).result()
    }
}

impl Drop for Captive {
    fn drop(&mut self) {
        set_registers(self.thread, &mut self.before);
        ask(libc::PTRACE_DETACH, self.thread, 0, null_mut());
    }
}

trait Machine {
    fn prepare(&mut self, instruction: u64, number: u64, arguments: [u64; 6]);
    fn result(&self) -> i64;
    fn stack(&self) -> u64;
}

#[cfg(target_arch = "x86_64")]
impl Machine for Registers {
    fn prepare(&mut self, instruction: u64, number: u64, arguments: [u64; 6]) {
        self.rip = instruction;
        self.rax = number;
        // No call is under way that could be begun again.
        self.orig_rax = u64::MAX;
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9] = arguments;
    }

    fn result(&self) -> i64 {
        self.rax as i64
    }

    fn stack(&self) -> u64 {
        self.rsp
    }
}

#[cfg(target_arch = "aarch64")]
impl Machine for Registers {
    fn prepare(&mut self, instruction: u64, number: u64, arguments: [u64; 6]) {
        self.pc = instruction;
        self.regs[8] = number;
        self.regs[..6].copy_from_slice(&arguments);
    }

    fn result(&self) -> i64 {
        self.regs[0] as i64
    }

    fn stack(&self) -> u64 {
        self.sp
    }
}

/// The threads of a process: numbers and names.
pub fn threads(process: Pid) -> Vec<(Pid, String)> {
    let entries = fs::read_dir(format!("/proc/{process}/task")).expect("threads");
    let thread = |entry: fs::DirEntry| {
        let name = fs::read_to_string(entry.path().join("comm")).expect("a name");
        let number = entry.file_name().to_string_lossy().parse();
        let number = number.expect("the number of a thread");
        (Pid::from_raw(number), name.trim_end().to_owned())
    };
    entries.flatten().map(thread).collect()
}

/// Where in the process's memory the instruction stands: the kernel's own library has one.
fn instruction_of(process: Pid) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("maps");
    let line = maps.lines().find(|line| line.ends_with("[vdso]"));
    let range = line.and_then(|line| line.split(' ').next());
    let (start, end) = range.and_then(|r| r.split_once('-')).expect("a range");
    let [start, end] = [start, end].map(|n| u64::from_str_radix(n, 16).expect("an address"));
    let mut code = vec![0; (end - start) as usize];
    let memory = File::open(format!("/proc/{process}/mem")).expect("memory");
    memory.read_exact_at(&mut code, start).expect("code");
    let at = code
        .windows(INSTRUCTION.len())
        .position(|bytes| bytes == INSTRUCTION);
    start + at.expect("a system call") as u64
}

fn ask(request: libc::c_uint, thread: pid_t, address: c_ulong, data: *mut c_void) {
    // SAFETY: what data points to outlives the call, and is as long as the kernel expects it for this request.
    let outcome = unsafe { libc::ptrace(request, thread, address as *mut c_void, data) };
    let error = std::io::Error::last_os_error();
    assert!(outcome >= 0, "ptrace {request:#x} of {thread}: {error}");
}

fn vector(registers: &mut Registers) -> libc::iovec {
    libc::iovec {
        iov_base: (registers as *mut Registers).cast(),
        iov_len: size_of::<Registers>(),
    }
}

fn registers(thread: pid_t) -> Registers {
    // SAFETY: numbers, for which zero is valid.
    let mut registers: Registers = unsafe { std::mem::zeroed() };
    let mut vector = vector(&mut registers);
    let place: *mut libc::iovec = &mut vector;
    let status = libc::NT_PRSTATUS as c_ulong;
    ask(libc::PTRACE_GETREGSET, thread, status, place.cast());
    registers
}

fn set_registers(thread: pid_t, registers: &mut Registers) {
    let mut vector = vector(registers);
    let place: *mut libc::iovec = &mut vector;
    let status = libc::NT_PRSTATUS as c_ulong;
    ask(libc::PTRACE_SETREGSET, thread, status, place.cast());
}

fn wait(thread: pid_t) {
    let mut status = 0;
    // SAFETY: the status outlives the call.
    let waited = unsafe { libc::waitpid(thread, &mut status, libc::__WALL) };
    assert_eq!(waited, thread, "wait for the thread");
    assert!(
        libc::WIFSTOPPED(status),
        "the thread has ended: {status:#x}"
    );
    assert_eq!(libc::WSTOPSIG(status), libc::SIGTRAP, "{status:#x}");
}
