//! The sampler's interfaces: attaches to those that appear, detaches from those that are no longer selected, and
//! attaches again where the program was removed.
//!
//! One at a time: the kernel waits for a grace period with each, and readings must not wait for hundreds of them.

use std::ffi::OsStr;
use std::time::Instant;

use anyhow::Result;

use super::worker::{LIST_EVERY, Worker};
use crate::model::snapshot::LinkState;
use crate::probe::interfaces::{Link, LinkHeader, display_name};
use crate::runtime::updates::Update;

impl Worker {
    /// Lists the links, and finds those to attach to and those to detach from.
    pub(super) fn update_links(&mut self) {
        self.list_due = Instant::now() + LIST_EVERY;
        let Ok(links) = self.monitor.list() else {
            return;
        };
        self.probe.update_links(&links);
        self.refused
            .retain(|ifindex| links.iter().any(|link| link.ifindex == *ifindex));
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
            self.refused.push(link.ifindex);
            let text = format!("attach to {}: {error:#}", link.display_name);
            self.outlet.send(Update::Notice(text));
        }
    }

    /// Fails if the link exists and cannot be attached to.
    pub(super) fn try_attach(&mut self, link: &Link) -> Result<()> {
        let ifindex = link.ifindex;
        if let Err(error) = self.probe.attach(link) {
            // It may have come and gone before its turn.
            let links = self.monitor.list().unwrap_or_default();
            let is_there = links.iter().any(|link| link.ifindex == ifindex);
            return if is_there { Err(error) } else { Ok(()) };
        }
        if self.probe.is_behind_others(ifindex) {
            self.outlet.send(Update::Notice(format!(
                "{}: filters of others come first; what they drop or redirect is not counted",
                link.display_name
            )));
        }
        Ok(())
    }

    /// Attaches again where somebody took our program off a hook, or the interface away.
    pub(super) fn reattach(&mut self) {
        let displaced = self.probe.displaced();
        if displaced.is_empty() {
            return;
        }
        self.update_links();
        while self.settle_next() {}
        for link in displaced {
            if self.probe.is_watching(link.ifindex) {
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
