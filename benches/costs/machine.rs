//! What the figures were measured on, and how quiet it was.

use std::fs;

/// What measures.
pub struct Machine {
    /// The model of its processor.
    pub processor: String,
    /// A line each on the machine, its kernel and its load.
    pub about: String,
}

/// The machine as it is now.
pub fn describe() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or("unknown".to_owned(), |(_, value)| value.trim().to_owned())
    };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = field(&read("/proc/cpuinfo"), "model name");
    let about = format!(
        "- CPU: {cpus} x {processor}\n- memory: {}\n- kernel: {}\n- load before the run: {}\n- day: {}\n",
        field(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").trim(),
        jiff::Zoned::now().date(),
    );
    Machine { processor, about }
}

/// Keeps the measurements on one CPU, ahead of others where that is allowed.
pub fn settle_down() {
    let mut cpus = nix::sched::CpuSet::new();
    let last = std::thread::available_parallelism().map_or(1, usize::from) - 1;
    let _ = cpus.set(last);
    let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &cpus);
    // SAFETY: no pointers are passed.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
}
