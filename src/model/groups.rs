//! Groups of metrics that are counted only where they are asked for, as each of them costs something with every packet.

/// Metrics that are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Marks and hops of the IP header.
    Ip,
}

impl Group {
    /// All groups.
    pub const ALL: [Group; 1] = [Group::Ip];

    /// Its name in options, the configuration and exports.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Ip => "ip",
        }
    }

    /// What it counts.
    pub const fn about(self) -> &'static str {
        match self {
            Group::Ip => "marks and hops of IP headers",
        }
    }
}

/// Which groups are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Groups(u32);

impl Groups {
    /// All of them.
    pub fn all() -> Groups {
        Group::ALL.into_iter().collect()
    }

    /// Whether this one is.
    pub const fn contains(self, group: Group) -> bool {
        self.0 & 1 << group as u32 != 0
    }

    /// Those that are, in the order of [`Group::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Group> {
        let is_on = move |group: &Group| self.contains(*group);
        Group::ALL.into_iter().filter(is_on)
    }
}

impl FromIterator<Group> for Groups {
    fn from_iter<I: IntoIterator<Item = Group>>(groups: I) -> Groups {
        let bits = groups.into_iter().map(|group| 1 << group as u32);
        Groups(bits.fold(0, |all, bit| all | bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_groups_are_those_that_there_are_and_none_is_in_an_empty_set() {
        assert!(Groups::all().iter().eq(Group::ALL));
        let none: Groups = [].into_iter().collect();
        assert_eq!((none, none.iter().count()), (Groups::default(), 0));
    }
}
