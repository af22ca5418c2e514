//! The interfaces of a run: their hooks, what was counted there, and how those that are gone are forgotten.
//!
//! An interface that is gone rests until no program can be counting on it any more; then its totals are told for the
//! last time, and their place is free for another one.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

use anyhow::Result;

use super::abi::Incidents;
use super::attach::{Attachment, Ways};
use super::interfaces::Link;
use super::totals::InterfaceTotals;
use crate::model::snapshot::{Hook, InterfaceSample, LinkState, Snapshot};

/// How long an interface that is gone rests, ns.
const REST_NS: u64 = 1_000_000_000;

/// An interface that is or was watched.
#[derive(Debug)]
struct Watched {
    link: Link,
    drops: Drops,
    attachment: Option<Attachment>,
    /// The hook that counts, or counted to the end of the run.
    hook: Option<Hook>,
    /// When it was noticed that it is gone.
    gone_ns: Option<u64>,
}

/// What a device has dropped since it was first watched, if it says so.
#[derive(Debug, Clone, Copy)]
struct Drops {
    /// What it said last.
    latest: Option<u64>,
    all: Option<u64>,
}

impl Drops {
    fn begin(now: Option<u64>) -> Drops {
        Drops {
            latest: now,
            all: now.map(|_| 0),
        }
    }

    /// What it says now. A device that counts fewer than before counts anew.
    fn update(&mut self, now: Option<u64>) {
        let Some(now) = now else { return };
        let then = self.latest.replace(now).unwrap_or(now);
        let newly = now.checked_sub(then).unwrap_or(now);
        self.all = Some(self.all.unwrap_or(0) + newly);
    }
}

impl Watched {
    fn let_go(&mut self) {
        self.attachment = None;
        self.hook = None;
    }
}

/// All interfaces that are watched, or were until a moment ago.
#[derive(Debug)]
pub struct WatchedInterfaces {
    // Before the ways: what is attached goes first.
    by_index: BTreeMap<u32, Watched>,
    totals: InterfaceTotals,
    ways: Ways,
    /// Of interfaces that are forgotten.
    past: Figures,
}

/// What goes into the figures of the table.
#[derive(Debug, Default)]
struct Figures {
    evicted: u64,
    contended: u64,
    insert_failures: u64,
}

impl Figures {
    fn add(&mut self, incidents: &Incidents, counted: &InterfaceSample) {
        self.evicted += incidents.evicted;
        self.contended += incidents.contended;
        self.insert_failures += counted.untracked.packets;
    }
}

impl WatchedInterfaces {
    /// Whether clsact is the only way to a hook, even where there is TCX.
    pub fn is_clsact_only(&self) -> bool {
        self.ways.is_clsact_only()
    }

    /// Nothing is watched yet.
    pub fn new(totals: InterfaceTotals, ways: Ways) -> WatchedInterfaces {
        WatchedInterfaces {
            by_index: BTreeMap::new(),
            totals,
            ways,
            past: Figures::default(),
        }
    }

    /// The interfaces' totals.
    pub fn totals(&self) -> &InterfaceTotals {
        &self.totals
    }

    /// The same, to be changed.
    pub fn totals_mut(&mut self) -> &mut InterfaceTotals {
        &mut self.totals
    }

    /// Puts the program on an interface's hook; `is_bare`: its packets start with their IP header.
    pub fn attach(&mut self, program: BorrowedFd<'_>, link: &Link, is_bare: bool) -> Result<()> {
        let ifindex = link.ifindex;
        let known = self.by_index.get_mut(&ifindex).map(|watched| {
            watched.let_go();
            watched.drops
        });
        self.totals.claim(ifindex, is_bare)?;
        let attached = self.ways.attach(program, ifindex);
        if attached.is_err() && known.is_none() {
            self.totals.release(ifindex);
        }
        let attachment = attached?;
        let watched = Watched {
            link: link.clone(),
            drops: known.unwrap_or(Drops::begin(link.device_drops)),
            hook: Some(attachment.hook()),
            attachment: Some(attachment),
            gone_ns: None,
        };
        self.by_index.insert(ifindex, watched);
        Ok(())
    }

    /// Takes the program off an interface; its totals stay.
    pub fn detach(&mut self, ifindex: u32) {
        if let Some(watched) = self.by_index.get_mut(&ifindex) {
            watched.let_go();
        }
    }

    /// Takes the programs off all hooks, which are still told.
    pub fn detach_all(&mut self) {
        for watched in self.by_index.values_mut() {
            watched.attachment = None;
        }
    }

    /// Indices of the interfaces that are or were watched.
    pub fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        self.by_index.keys().copied()
    }

    fn attachment(&self, ifindex: u32) -> Option<&Attachment> {
        self.by_index.get(&ifindex)?.attachment.as_ref()
    }

    /// Whether a program of ours was put on this interface's hook and not taken off by us.
    pub fn is_watching(&self, ifindex: u32) -> bool {
        self.attachment(ifindex).is_some()
    }

    /// Whether programs of others have their turn before ours on this interface.
    pub fn is_behind_others(&self, ifindex: u32) -> bool {
        self.attachment(ifindex)
            .is_some_and(Attachment::is_behind_others)
    }

    /// The interfaces whose hook somebody else took our program off.
    pub fn displaced(&mut self) -> Vec<Link> {
        let mut displaced = Vec::new();
        for (ifindex, watched) in &mut self.by_index {
            let attachment = watched.attachment.as_ref();
            if attachment.is_some_and(|attachment| !attachment.is_in_place(*ifindex)) {
                watched.let_go();
                displaced.push(watched.link.clone());
            }
        }
        displaced
    }

    /// Takes over names, states and statistics of the interfaces that there are now; those missing are gone.
    pub fn update_links(&mut self, links: &[Link], now_ns: u64) {
        for (ifindex, watched) in &mut self.by_index {
            match links.iter().find(|link| link.ifindex == *ifindex) {
                Some(link) => {
                    watched.link = link.clone();
                    watched.gone_ns = None;
                }
                None => {
                    watched.link.state = LinkState::Gone;
                    watched.let_go();
                    watched.gone_ns.get_or_insert(now_ns);
                }
            }
        }
    }

    /// Adds to the snapshot what was counted on the interfaces, and forgets those that have rested.
    pub fn report(&mut self, snapshot: &mut Snapshot) {
        let mut now = Figures::default();
        for (ifindex, watched) in &mut self.by_index {
            watched.drops.update(watched.link.device_drops);
            let (counted, incidents) = self.totals.read(*ifindex);
            snapshot.interfaces.push(InterfaceSample {
                name: watched.link.display_name.clone(),
                state: watched.link.state,
                hook: watched.hook,
                device_drops: watched.drops.all,
                ..counted
            });
            let has_rested = |gone: u64| snapshot.taken_ns.saturating_sub(gone) >= REST_NS;
            if watched.gone_ns.is_some_and(has_rested) {
                snapshot.forgotten.push(*ifindex);
                self.past.add(&incidents, &counted);
            } else {
                now.add(&incidents, &counted);
            }
        }
        for part in [&self.past, &now] {
            snapshot.table.counts.evicted += part.evicted;
            snapshot.table.counts.contended += part.contended;
            snapshot.table.counts.insert_failures += part.insert_failures;
        }
        for ifindex in &snapshot.forgotten {
            self.by_index.remove(ifindex);
            self.totals.release(*ifindex);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Drops;

    #[test]
    fn a_device_drops_what_it_says_beyond_what_it_said_before() {
        let all = |said: &[Option<u64>]| {
            let mut drops = Drops::begin(said[0]);
            said[1..].iter().for_each(|now| drops.update(*now));
            drops.all
        };
        assert_eq!(all(&[Some(100)]), Some(0));
        assert_eq!(all(&[Some(100), Some(100), Some(105)]), Some(5));
        // It counts anew.
        assert_eq!(all(&[Some(100), Some(105), Some(3), Some(4)]), Some(9));
        // It says nothing, for a while or at all.
        assert_eq!(all(&[Some(100), None, Some(107)]), Some(7));
        assert_eq!(all(&[None, Some(50), Some(51)]), Some(1));
        assert_eq!(all(&[None, None]), None);
    }
}
