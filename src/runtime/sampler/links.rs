//! The sampler's interfaces: attaches to those that appear, detaches from those that are no longer selected, and
//! attaches again where the program was removed.
//!
//! One at a time: the kernel waits for a grace period with each, and readings must not wait for hundreds of them.

use std::ffi::OsStr;
use std::time::Instant;

use anyhow::{Error, Result};

use super::worker::{LIST_EVERY, Worker};
use crate::model::snapshot::LinkState;
use crate::probe::interfaces::{Link, LinkHeader, display_name};
use crate::runtime::updates::Update;

impl Worker {
    /// Attaches to all links that are wanted at the start. Fails on one that is asked for by its name, or where there is none
    /// that can be attached to.
    pub(super) fn attach_first(&mut self, links: &[Link]) -> Result<()> {
        let mut refusals = Vec::new();
        for link in links {
            if !self.wants(link) {
                continue;
            }
            match self.try_attach(link) {
                Err(error) if !self.named.contains(&link.ifindex) => {
                    refusals.push((link.ifindex, error));
                }
                outcome => outcome?,
            }
        }
        for (ifindex, error) in refusals {
            if self.probe.watched().next().is_none() {
                return Err(error);
            }
            self.refuse(ifindex, &error);
        }
        Ok(())
    }

    /// Looks at the links where there is news of them, or it is time to.
    pub(super) fn follow_links(&mut self) {
        let is_due = Instant::now() >= self.list_due;
        if is_due {
            self.list_due = Instant::now() + LIST_EVERY;
            // What stood in the way may be gone.
            self.refused.clear();
        }
        if self.monitor.changed().unwrap_or(true) || is_due {
            self.update_links();
        }
    }

    /// Lists the links, and finds those to attach to and those to detach from.
    fn update_links(&mut self) {
        let Ok(links) = self.monitor.list() else {
            return;
        };
        self.probe.update_links(&links);
        let is_there = |ifindex: &u32| links.iter().any(|link| link.ifindex == *ifindex);
        self.refused.retain(is_there);
        self.told.retain(|ifindex, _| is_there(ifindex));
        self.remember_named(&links);
        let is_unsettled = |link: &Link| self.wants(link) != self.probe.is_watching(link.ifindex);
        self.pending = links.into_iter().filter(is_unsettled).collect();
    }

    /// A link that went down is watched on: its packets may come back.
    fn wants(&self, link: &Link) -> bool {
        let selection = &self.assignment.selection;
        self.named.contains(&link.ifindex)
            || selection.wants(link)
            || self.probe.is_watching(link.ifindex) && selection.wants(&up(link))
    }

    /// A link that was asked for by its full name is the same one under another name.
    pub(super) fn remember_named(&mut self, links: &[Link]) {
        let is_there = |ifindex: &u32| links.iter().any(|link| link.ifindex == *ifindex);
        self.named.retain(is_there);
        let selection = &self.assignment.selection;
        let named = links.iter().filter(|link| selection.names(link));
        self.named.extend(named.map(|link| link.ifindex));
    }

    /// Another selection is in force, which chooses by the names that links have now.
    pub(super) fn choose_anew(&mut self) {
        self.refused.clear();
        self.told.clear();
        self.named.clear();
        self.update_links();
        while self.settle_next() {}
        if let Ok(links) = self.monitor.list() {
            self.say_missing(&links);
        }
    }

    /// Says which names and globs no interface has: the run waits for one.
    pub(super) fn say_missing(&self, links: &[Link]) {
        for glob in self.assignment.selection.missing(links) {
            let glob = display_name(OsStr::new(glob.as_str()));
            let text =
                format!("watch {glob}: no interface matches yet (waiting for one; see: ip link)");
            self.outlet.send(Update::Notice(text));
        }
    }

    /// Attaches to the next pending link, or detaches from it. Returns whether there was one.
    pub(super) fn settle_next(&mut self) -> bool {
        let Some(link) = self.pending.pop_front() else {
            return false;
        };
        if self.wants(&link) {
            self.attach(&link);
        } else {
            self.probe.detach(link.ifindex);
        }
        true
    }

    fn attach(&mut self, link: &Link) {
        if self.refused.contains(&link.ifindex) {
            return;
        }
        if let Err(error) = self.try_attach(link) {
            self.refuse(link.ifindex, &error);
        }
    }

    /// Leaves a link alone until it is time to list the links, and says why, unless that was said.
    fn refuse(&mut self, ifindex: u32, error: &Error) {
        self.refused.push(ifindex);
        let text = format!("{error:#}");
        if self.told.insert(ifindex, text.clone()).as_ref() != Some(&text) {
            self.outlet.send(Update::Notice(text));
        }
    }

    fn was_told(&self, ifindex: u32, error: &Error) -> bool {
        let told = self.told.get(&ifindex);
        told.is_some_and(|told| *told == format!("{error:#}"))
    }

    /// Fails if the link exists and cannot be attached to.
    fn try_attach(&mut self, link: &Link) -> Result<()> {
        let ifindex = link.ifindex;
        if let Err(error) = self.probe.attach(link) {
            let error = error.context(format!("attach to {}", link.display_name));
            // It may have come and gone before its turn. Nobody has to look where nothing will be said anyway.
            let is_gone = !self.was_told(ifindex, &error) && {
                let links = self.monitor.list();
                links.is_ok_and(|links| links.iter().all(|link| link.ifindex != ifindex))
            };
            return if is_gone { Ok(()) } else { Err(error) };
        }
        self.told.remove(&ifindex);
        if self.probe.is_behind_others(ifindex) {
            self.outlet.send(Update::Notice(format!(
                "{}: filters of others come first; what they drop or redirect is not counted",
                link.display_name
            )));
        }
        Ok(())
    }

    /// Attaches again where somebody took our program off a hook, or the interface away; links that came meanwhile wait for
    /// their turn.
    pub(super) fn reattach(&mut self) {
        let displaced = self.probe.displaced();
        if displaced.is_empty() {
            return;
        }
        self.update_links();
        for Link { ifindex, .. } in displaced {
            let at = self.pending.iter().position(|l| l.ifindex == ifindex);
            let Some(link) = at.and_then(|at| self.pending.remove(at)) else {
                continue;
            };
            self.attach(&link);
            if self.probe.is_watching(ifindex) {
                self.outlet.send(Update::Notice(format!(
                    "{}: the program was taken off the hook; it is attached again",
                    link.display_name
                )));
            }
        }
    }
}

fn up(link: &Link) -> Link {
    Link {
        state: LinkState::Up,
        header: LinkHeader::Ethernet,
        ..link.clone()
    }
}
