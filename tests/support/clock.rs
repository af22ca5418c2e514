//! Time and CPUs: a monotonic clock, a pacer, threads that stay on one CPU.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use nix::unistd::Pid;

/// CLOCK_MONOTONIC, ns: the clock that the kernel program reads.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Sleeps until the clock shows `deadline`: to 100 us before it in the kernel, the rest in a loop.
pub fn sleep_until(deadline: u64) {
    let early = deadline.saturating_sub(100_000);
    let request = TimeSpec::from_duration(Duration::from_nanos(early));
    while early > now_ns() {
        let flags = ClockNanosleepFlags::TIMER_ABSTIME;
        match clock_nanosleep(ClockId::CLOCK_MONOTONIC, flags, &request) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => panic!("clock_nanosleep: {error}"),
        }
    }
    while now_ns() < deadline {
        std::hint::spin_loop();
    }
}

/// Lets one thing happen each time a gap is over, measured from the first one: lateness does not add up.
#[derive(Debug)]
pub struct Pacer {
    next: u64,
}

impl Pacer {
    /// The first wait ends at once.
    pub fn start() -> Pacer {
        Pacer { next: now_ns() }
    }

    /// Waits for the moment, and puts the next one `gap` after it.
    pub fn wait(&mut self, gap: Duration) {
        sleep_until(self.next);
        self.next += gap.as_nanos() as u64;
    }
}

/// The CPUs that this process may use.
pub fn cpus() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).expect("sched_getaffinity");
    (0..CpuSet::count())
        .filter(|cpu| set.is_set(*cpu).unwrap_or(false))
        .collect()
}

/// Moves the calling thread to this CPU: what it sends through a veth pair is received there.
pub fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu).expect("a CPU number");
    sched_setaffinity(Pid::from_raw(0), &set).expect("sched_setaffinity");
}

/// Returns when this is so; fails where it is not within half a minute.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns when no CPU has more than so many received frames waiting.
pub fn wait_for_backlog(frames: usize) {
    /// Column of /proc/net/softnet_stat.
    const BACKLOG: usize = 11;
    let longest = || {
        let table = std::fs::read_to_string("/proc/net/softnet_stat").expect("softnet_stat");
        let of_cpu = |line: &str| {
            let word = line.split_whitespace().nth(BACKLOG).expect("a backlog");
            usize::from_str_radix(word, 16).expect("a number")
        };
        table.lines().map(of_cpu).max().unwrap_or(0)
    };
    let deadline = now_ns() + 30_000_000_000;
    while longest() > frames {
        assert!(now_ns() < deadline, "a CPU's backlog stays full");
        std::thread::sleep(Duration::from_millis(1));
    }
}
