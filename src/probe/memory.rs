//! Memory: what a flow table would take, and what the machine has, or the control groups that this process is in.
//!
//! Nothing is asked of the kernel's BPF side, so that a table that is too large is never made.

use std::path::{Path, PathBuf};

use super::Options;
use super::abi::{flow_counters, flow_shared, flow_slot};
use super::groups::record_size;

impl Options {
    /// Bytes of kernel memory that slots, counters and groups of metrics take, whatever the number of CPUs.
    pub fn table_bytes(&self) -> u64 {
        const A_SLOT: usize =
            size_of::<flow_slot>() + size_of::<flow_counters>() + size_of::<flow_shared>();
        let of_groups: usize = self.groups.iter().map(record_size).sum();
        self.slots() as u64 * (A_SLOT + of_groups) as u64
    }
}

/// Bytes of memory that this process may have at most, its control groups' limits among them; unknown without /proc.
pub fn limit() -> Option<u64> {
    limit_below(Path::new("/"))
}

fn limit_below(root: &Path) -> Option<u64> {
    let meminfo = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    let of_groups = limit_of_groups(root).unwrap_or(u64::MAX);
    Some(of_groups.min(kib << 10))
}

/// The least limit of this process's groups and of those above them.
fn limit_of_groups(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let (groups, mounts) = (read("proc/self/cgroup")?, read("proc/self/mountinfo")?);
    let mounts = mounts.lines().filter_map(Mount::parse);
    let limits = mounts.filter_map(|mount| {
        let group = groups.lines().find_map(|line| mount.group(line))?;
        // A container may see its own group alone, as the uppermost one.
        let below = group.strip_prefix(mount.root).unwrap_or(Path::new(""));
        let top = root.join(mount.point.strip_prefix("/").ok()?);
        let group = top.join(below);
        let chain = group.ancestors().take_while(|path| path.starts_with(&top));
        chain.filter_map(|path| mount.limit(path)).min()
    });
    limits.min()
}

/// Where control groups are mounted, that of memory or the one for all.
struct Mount<'a> {
    /// The group that is seen there.
    root: &'a Path,
    point: &'a Path,
    /// Version 2.
    is_unified: bool,
}

impl<'a> Mount<'a> {
    /// Of a line of mountinfo: proc_pid_mountinfo(5).
    fn parse(line: &'a str) -> Option<Mount<'a>> {
        let (first, last) = line.split_once(" - ")?;
        let mut first = first.split(' ').skip(3);
        let (root, point) = (first.next()?, first.next()?);
        let mut last = last.split(' ');
        let (kind, options) = (last.next()?, last.nth(1)?);
        let is_unified = kind == "cgroup2";
        let is_memory = kind == "cgroup" && options.split(',').any(|option| option == "memory");
        (is_unified || is_memory).then_some(Mount {
            root: Path::new(root),
            point: Path::new(point),
            is_unified,
        })
    }

    /// The group of this process, if this line of /proc/self/cgroup is about this kind of groups.
    fn group(&self, line: &'a str) -> Option<&'a Path> {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let is_it = match self.is_unified {
            true => controllers.is_empty(),
            false => controllers.split(',').any(|name| name == "memory"),
        };
        is_it.then_some(Path::new(path))
    }

    /// The limit of one group; `max`, or no such file: it has none.
    fn limit(&self, group: &Path) -> Option<u64> {
        let file: PathBuf = match self.is_unified {
            true => group.join("memory.max"),
            false => group.join("memory.limit_in_bytes"),
        };
        std::fs::read_to_string(file).ok()?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       1048576 kB\nMemFree:           1 kB\n";
    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
    const V1: &str = "31 23 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
        32 23 0:28 / /sys/fs/cgroup/memory rw shared:7 - cgroup cgroup rw,memory\n";

    /// A machine of 1 GiB with these files.
    fn limit_with(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [&[("proc/meminfo", MEMINFO)], files].concat() {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        limit_below(root.path())
    }

    #[test]
    fn without_groups_it_is_what_the_machine_has() {
        assert_eq!(limit_with(&[]), Some(1 << 30));
        let none = [("proc/self/cgroup", "0::/\n"), ("proc/self/mountinfo", V2)];
        assert_eq!(limit_with(&none), Some(1 << 30));
        assert_eq!(limit_below(Path::new("/nonexistent")), None);
    }

    #[test]
    fn the_least_limit_above_the_process_counts() {
        let v2 = |own, above| {
            limit_with(&[
                ("proc/self/cgroup", "0::/a/b\n"),
                ("proc/self/mountinfo", V2),
                ("sys/fs/cgroup/a/b/memory.max", own),
                ("sys/fs/cgroup/a/memory.max", above),
                ("sys/fs/cgroup/c/memory.max", "1\n"),
            ])
        };
        assert_eq!(v2("5000\n", "max\n"), Some(5000));
        assert_eq!(v2("max\n", "7000\n"), Some(7000));
        assert_eq!(v2("max\n", "max\n"), Some(1 << 30));
        let v1 = limit_with(&[
            ("proc/self/cgroup", "2:cpu:/x\n1:memory:/a/b\n0::/\n"),
            ("proc/self/mountinfo", &[V1, V2].concat()),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "8192\n"),
        ]);
        assert_eq!(v1, Some(8192));
    }

    #[test]
    fn a_container_sees_its_group_as_the_uppermost_one() {
        let mount = "32 23 0:28 /docker/4f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        for group in ["/docker/4f", "/docker/4f/below", "/elsewhere"] {
            let limit = limit_with(&[
                ("proc/self/cgroup", &format!("1:memory:{group}\n")),
                ("proc/self/mountinfo", mount),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n"),
            ]);
            assert_eq!(limit, Some(4096), "{group}");
        }
    }

    #[test]
    fn a_table_takes_what_its_slots_and_counters_take() {
        assert_eq!(Options::default().table_bytes(), 131_072 * 320);
    }
}
