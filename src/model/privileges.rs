//! The rights that a run goes on with once it counts: for the screen and the exports.
//!
//! What was given up, and how, is up to `probe`.

use std::fmt;

/// How far Landlock limits the files that the run may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Landlock {
    /// This kernel has no Landlock, or was started without it.
    None,
    /// As far as this kernel's Landlock goes.
    Partial,
    /// In full.
    Full,
}

impl Landlock {
    /// The name in exports.
    pub const fn name(self) -> &'static str {
        match self {
            Landlock::None => "none",
            Landlock::Partial => "partial",
            Landlock::Full => "full",
        }
    }
}

/// What a thread, or all threads of a run together, may still do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileges {
    /// Name of the user, or its number where it has none.
    pub user: String,
    /// Number of the user.
    pub uid: u32,
    /// Names of the groups that it is in beside the user's first one, or their numbers.
    pub groups: Vec<String>,
    /// The capabilities that were kept, as `CAP_NET_ADMIN`, each with what it is for.
    pub capabilities: Vec<(String, &'static str)>,
    /// Why the run is still the superuser's, if it is.
    pub stays_root: Option<&'static str>,
    /// Whether nothing that it executes gains rights.
    pub no_new_privileges: bool,
    /// Files.
    pub landlock: Landlock,
    /// Whether each thread has no system calls but those that it needs.
    pub seccomp: bool,
}

impl Privileges {
    /// What this thread and another one may do together.
    pub fn and(mut self, other: Privileges) -> Privileges {
        for kept in other.capabilities {
            if !self.capabilities.contains(&kept) {
                self.capabilities.push(kept);
            }
        }
        for group in other.groups {
            if !self.groups.contains(&group) {
                self.groups.push(group);
            }
        }
        self.seccomp &= other.seccomp;
        self.no_new_privileges &= other.no_new_privileges;
        self.landlock = self.landlock.min(other.landlock);
        self
    }
}

impl fmt::Display for Privileges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {}", self.user)?;
        if self.user != self.uid.to_string() {
            write!(f, " ({})", self.uid)?;
        }
        if let Some(reason) = self.stays_root {
            write!(f, " still: {reason}")?;
        }
        if !self.groups.is_empty() {
            write!(f, ", groups {}", self.groups.join(" "))?;
        }
        if self.capabilities.is_empty() {
            f.write_str(", no capability")?;
        }
        for (name, what_for) in &self.capabilities {
            write!(f, ", {name} ({what_for})")?;
        }
        if self.no_new_privileges {
            f.write_str(", no new privileges")?;
        }
        f.write_str(match self.landlock {
            Landlock::None => "; this kernel has no Landlock to limit files",
            Landlock::Partial => ", files limited by an old Landlock",
            Landlock::Full => ", files limited by Landlock",
        })?;
        f.write_str(match self.seccomp {
            false => "; this kernel has no seccomp to limit system calls",
            true => ", system calls by seccomp",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_may_do_what_either_may_and_are_limited_as_the_freer_one() {
        let strict = Privileges {
            user: "nobody".into(),
            uid: 65534,
            groups: vec!["adm".into(), "video".into()],
            capabilities: vec![("bpf".into(), "maps"), ("net_admin".into(), "clsact")],
            stays_root: None,
            no_new_privileges: true,
            landlock: Landlock::Full,
            seccomp: true,
        };
        let free = Privileges {
            groups: vec!["video".into(), "audio".into()],
            capabilities: vec![("net_admin".into(), "clsact"), ("perfmon".into(), "maps")],
            no_new_privileges: false,
            landlock: Landlock::Partial,
            seccomp: false,
            ..strict.clone()
        };
        let both = strict.clone().and(free.clone());
        assert_eq!(both.groups, ["adm", "video", "audio"]);
        let capabilities = both.capabilities.iter().map(|(name, _)| name.as_str());
        assert!(capabilities.eq(["bpf", "net_admin", "perfmon"]));
        for both in [both, free.and(strict)] {
            let limits = (both.no_new_privileges, both.landlock, both.seccomp);
            assert_eq!(limits, (false, Landlock::Partial, false));
        }
    }

    #[test]
    fn a_user_without_a_name_has_a_number_and_has_it_once() {
        let nobody_else = Privileges {
            user: "64836".into(),
            uid: 64836,
            groups: Vec::new(),
            capabilities: Vec::new(),
            stays_root: None,
            no_new_privileges: true,
            landlock: Landlock::Full,
            seccomp: true,
        };
        assert_eq!(
            nobody_else.to_string(),
            "user 64836, no capability, no new privileges, files limited by Landlock, system calls by seccomp"
        );
    }

    #[test]
    fn a_run_has_the_rights_of_all_its_threads() {
        let sampler = Privileges {
            user: "nobody".into(),
            uid: 65534,
            groups: Vec::new(),
            capabilities: vec![("CAP_NET_ADMIN".into(), "the clsact hook")],
            stays_root: None,
            no_new_privileges: true,
            landlock: Landlock::Full,
            seccomp: false,
        };
        let main = Privileges {
            groups: vec!["adm".into()],
            capabilities: Vec::new(),
            landlock: Landlock::Partial,
            seccomp: true,
            ..sampler.clone()
        };
        assert_eq!(
            main.to_string(),
            "user nobody (65534), groups adm, no capability, no new privileges, files limited by an old Landlock, system calls by seccomp"
        );
        let all = main.and(sampler.clone()).and(sampler);
        assert_eq!(
            all.to_string(),
            "user nobody (65534), groups adm, CAP_NET_ADMIN (the clsact hook), no new privileges, files limited by an old Landlock; this kernel has no seccomp to limit system calls"
        );
    }
}
