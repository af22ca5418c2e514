//! Interfaces and who is on their ingress, as `flowtop doctor` tells of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;

use anyhow::Context;
use nix::errno::Errno;

use super::{UNKNOWN, line, unknown};
use crate::probe::clsact::{self, PROGRAM_NAME};
use crate::probe::filters::{self, Filter};
use crate::probe::interfaces::{self, Link, LinkHeader, display_name};
use crate::probe::survey::chain;
use crate::probe::survey::ethtool;

/// A program on a hook.
struct Program {
    id: u32,
    name: Option<OsString>,
    /// Of our own program only: the process that has it, if any; `Err`: not known.
    holder: Result<Option<u32>, ()>,
}

impl Program {
    fn find(id: u32, names: &BTreeMap<u32, OsString>) -> Program {
        let name = names.get(&id).cloned();
        let is_ours = name.as_deref() == Some(OsStr::new(PROGRAM_NAME));
        Program {
            id,
            name,
            holder: match is_ours {
                true => chain::holder(id).map_err(drop),
                false => Ok(None),
            },
        }
    }

    fn describe(&self) -> String {
        let name = self
            .name
            .as_deref()
            .map_or(UNKNOWN.to_owned(), display_name);
        format!("{name} (id {}{})", self.id, held_by(self.holder))
    }
}

/// The process that has a program, to be put behind what else is said of it.
fn held_by(holder: Result<Option<u32>, ()>) -> String {
    match holder {
        Ok(Some(process)) => format!(", process {process}"),
        Ok(None) => String::new(),
        Err(()) => format!(", process {UNKNOWN}"),
    }
}

/// An interface and all programs on its ingress.
pub struct Surveyed {
    pub link: Link,
    xdp: Option<Program>,
    /// Or why they are not known.
    tcx: Result<Vec<Program>, Errno>,
    filters: anyhow::Result<Vec<Filter>>,
    /// The filters that killed runs left.
    pub leftovers: anyhow::Result<Vec<Filter>>,
}

/// All interfaces.
pub fn links() -> anyhow::Result<Vec<Surveyed>> {
    let names = chain::program_names();
    let xdp = chain::xdp_programs().context("ask for XDP programs")?;
    let program = |id: u32| Program::find(id, &names);
    let survey = |link: Link| Surveyed {
        xdp: xdp.get(&link.ifindex).map(|id| program(*id)),
        tcx: tcx_of(link.ifindex).map(|ids| ids.into_iter().map(program).collect()),
        filters: filters_of(link.ifindex),
        leftovers: unless_none(clsact::leftovers(link.ifindex)),
        link,
    };
    Ok(interfaces::list()?.into_iter().map(survey).collect())
}

fn tcx_of(ifindex: u32) -> Result<Vec<u32>, Errno> {
    match chain::tcx_programs(ifindex) {
        // A kernel without TCX: nobody is on it.
        Err(Errno::EINVAL) => Ok(Vec::new()),
        outcome => outcome,
    }
}

/// A kernel that was built without filters has none.
fn unless_none(listed: io::Result<Vec<Filter>>) -> anyhow::Result<Vec<Filter>> {
    match listed {
        Err(error) if error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => Ok(Vec::new()),
        listed => Ok(listed?),
    }
}

/// The kernel lists each priority twice: once for itself, with the handle 0.
fn filters_of(ifindex: u32) -> anyhow::Result<Vec<Filter>> {
    let mut all = unless_none(filters::list(ifindex))?;
    all.retain(|filter| filter.handle != 0);
    Ok(all)
}

/// What is said of all leftovers.
pub fn leftovers(links: &[Surveyed]) -> String {
    let has_some = |link: &&Surveyed| link.leftovers.as_ref().is_ok_and(|left| !left.is_empty());
    let found = links.iter().filter(has_some);
    let names: Vec<_> = found.map(|link| &*link.link.display_name).collect();
    let error = links.iter().find_map(|link| link.leftovers.as_ref().err());
    match (names.join(", "), error) {
        (none, Some(error)) if none.is_empty() => format!("{UNKNOWN}: {error:#}"),
        (none, None) if none.is_empty() => "nothing".to_owned(),
        (names, _) => {
            format!("the filter of a killed run on {names} (sudo flowtop doctor --clean)")
        }
    }
}

fn switch(on: Option<bool>) -> &'static str {
    match on {
        Some(true) => "on",
        Some(false) => "off",
        None => UNKNOWN,
    }
}

impl Surveyed {
    pub fn describe(&self) -> String {
        let offloads = ethtool::offloads(&self.link.name);
        let packets = match self.link.header {
            LinkHeader::Ethernet => String::new(),
            LinkHeader::Ip => ", bare IP packets".to_owned(),
            LinkHeader::Unsupported(kind) => format!(", hardware type {kind} is not supported"),
        };
        let mut text = line(
            &format!("{} ", self.link.display_name),
            &format!(
                "{}{packets}; GRO {}, LRO {}, RX timestamps {}",
                self.link.state.name(),
                switch(offloads.gro),
                switch(offloads.lro),
                switch(offloads.rx_timestamps)
            ),
        );
        if let Some(program) = &self.xdp {
            text += &line("  XDP", &program.describe());
        }
        match &self.tcx {
            Ok(programs) => {
                for program in programs {
                    text += &line("  TCX", &program.describe());
                }
            }
            Err(errno) => text += &line("  TCX", &unknown(*errno)),
        }
        let left = self.leftovers.as_deref().unwrap_or_default();
        match &self.filters {
            Ok(filters) => {
                for filter in filters {
                    text += &line("  filter", &describe(filter, left.contains(filter)));
                }
            }
            Err(error) => text += &line("  filter", &format!("{UNKNOWN}: {error:#}")),
        }
        text
    }
}

fn describe(filter: &Filter, is_left: bool) -> String {
    let harmless = |text: &str| display_name(OsStr::new(text));
    let mut text = format!(
        "priority {}, handle {:#x}, {}",
        filter.priority,
        filter.handle,
        harmless(&filter.kind)
    );
    if let Some(name) = &filter.name {
        text += &format!(" {}", harmless(name));
    }
    if let Some(id) = filter.program {
        text += &format!(" (id {id})");
    }
    match filter.program {
        _ if is_left => text += ", left over",
        Some(id) if clsact::is_ours(filter) => text += &held_by(chain::holder(id).map_err(drop)),
        _ => {}
    }
    text
}
