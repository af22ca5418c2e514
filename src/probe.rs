//! The side that faces the kernel: loads the programs, attaches them, reads what they count.
//!
//! The only module with `unsafe` and the only one that knows libbpf. What leaves it are `model::snapshot` types.
//! A `Probe` lives on one thread, in the network namespace whose interfaces it watches.

pub mod abi;
pub mod abort;
pub mod attach;
pub mod clock;
pub mod clsact;
pub mod control;
mod entries;
pub mod filters;
mod focus;
pub mod group;
mod groups;
pub mod interfaces;
pub mod large_pages;
mod load;
mod maps;
pub mod memory;
pub mod native;
pub mod privileges;
mod rules;
mod skeleton;
pub mod sources;
mod stores;
pub mod survey;
pub mod sys;
pub mod table;
mod tables;
mod totals;
mod watched;

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result};
use libbpf_rs::skel::SkelBuilder as _;
use libbpf_rs::{MapHandle, OpenObject, ProgramInput, ProgramMut};

use self::abi::{FLOWS_PER_SET, INTERFACE_SLOTS, PROFILES};
use self::attach::Ways;
use self::clock::KernelClock;
use self::entries::Entries;
use self::focus::Focus;
use self::groups::GroupRecords;
use self::interfaces::{Link, LinkHeader};
use self::maps::{GracePeriods, memory_of, seed, size};
use self::rules::{BANKS, PORTS, RuleTable};
use self::skeleton::{FlowtopSkel, FlowtopSkelBuilder};
use self::sys::MappedArray;
use self::table::{Ageing, FlowTable, words_of_sets};
use self::tables::Tables;
use self::totals::InterfaceTotals;
use self::watched::WatchedInterfaces;
use crate::model::flow::FlowKey;
use crate::model::groups::Groups;
use crate::model::rule::{Rule, SequenceProfile};
use crate::model::snapshot::{InterfaceSample, Snapshot};

/// What has to be known before the programs are loaded.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Flows that the table is made for; it has at least twice as many slots.
    pub max_flows: u32,
    /// A flow idle for longer leaves the table.
    pub flow_timeout: Duration,
    /// How often [`Probe::snapshot`] will be called: at least once a second.
    pub refresh: Duration,
    /// Use the clsact filter even where there is TCX.
    pub clsact_only: bool,
    /// As if the machine could have so many CPUs, if that is more than it can: for tests and benchmarks.
    pub least_cpus: usize,
    /// Groups of metrics to count.
    pub groups: Groups,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_flows: 65536,
            flow_timeout: Duration::from_secs(60),
            refresh: Duration::from_secs(1),
            clsact_only: false,
            least_cpus: 0,
            groups: Groups::default(),
        }
    }
}

impl Options {
    /// Slots of the table: a power of two, times two, and at least two sets.
    pub fn slots(&self) -> usize {
        let flows = self.max_flows as usize;
        flows.next_power_of_two().max(FLOWS_PER_SET) * 2
    }

    /// CPUs that may ever run the programs.
    fn cpus(&self) -> Result<usize> {
        const POSSIBLE: &str = "/sys/devices/system/cpu/possible";
        let list = std::fs::read_to_string(POSSIBLE)
            .with_context(|| format!("read {POSSIBLE} (mount -t sysfs sysfs /sys)"))?;
        let cpus =
            numbers_of_cpus(&list).with_context(|| format!("{POSSIBLE}: no list of CPUs"))?;
        Ok(cpus.max(self.least_cpus))
    }

    fn ageing(&self) -> Ageing {
        Ageing::new(self.flow_timeout, self.refresh)
    }
}

/// How many numbers there are up to the last CPU of a list, which is in ascending order: `0-3,6` has seven, as a program is told
/// the number of the CPU that it runs on.
fn numbers_of_cpus(list: &str) -> Option<usize> {
    let last = list.trim().rsplit([',', '-']).next()?;
    Some(last.parse::<usize>().ok()? + 1)
}

/// What comes with a packet of a test run.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestContext {
    /// Device that the packet came in on; 0: loopback.
    pub ifindex: u32,
    /// Packets that the buffer stands for; 0: not told.
    pub gso_segs: u32,
    /// Payload bytes of each of them; 0: no aggregate.
    pub gso_size: u32,
    /// The packet starts with its IP header.
    pub is_bare: bool,
}

/// The loaded programs and their maps.
pub struct Probe {
    // Before the programs: what is attached goes first.
    watched: WatchedInterfaces,
    tables: Tables,
    clock: KernelClock,
    grace_periods: GracePeriods,
    skeleton: FlowtopSkel<'static>,
}

impl Probe {
    /// Loads the programs and maps the flow table. Nothing is attached yet; without rules every packet is a flow's.
    pub fn load(options: &Options) -> Result<Probe> {
        libbpf_rs::set_print(None);
        // One object a run, and it lives as long as the run does.
        let storage: &'static mut MaybeUninit<OpenObject> =
            Box::leak(Box::new(MaybeUninit::uninit()));
        let mut open = FlowtopSkelBuilder::default()
            .open(storage)
            .context("open the kernel program")?;
        let (slots, cpus) = (options.slots(), options.cpus()?);
        size(&mut open, slots, cpus)?;
        seed(&mut open, slots)?;
        groups::enable(&mut open, options.groups, slots)?;
        let skeleton = load::load(open)?;
        let maps = &skeleton.maps;
        let grace_periods = GracePeriods::new(MapHandle::try_from(&maps.rule_banks)?)?;
        let memory_bytes = memory_of(&skeleton, grace_periods.array());
        let table = FlowTable::new(
            MappedArray::new(maps.flow_table.as_fd(), slots)?,
            MappedArray::new(maps.flow_counters.as_fd(), slots)?,
            MappedArray::new(maps.flow_shared.as_fd(), slots)?,
            GroupRecords::map(&skeleton, options.groups, slots)?,
            MappedArray::new(maps.data_settings.as_fd(), 1)?,
            options.ageing(),
            MappedArray::new(maps.claimed_sets.as_fd(), words_of_sets(slots))?,
        );
        let totals = InterfaceTotals::new(
            MappedArray::new(maps.interfaces.as_fd(), INTERFACE_SLOTS)?,
            MappedArray::new(maps.interface_totals.as_fd(), cpus * INTERFACE_SLOTS)?,
            MappedArray::new(maps.untracked_bytes.as_fd(), cpus * INTERFACE_SLOTS)?,
        );
        let mut tables = Tables {
            flows: table,
            rules: rule_table(&skeleton)?,
            focus: Focus::new(Entries::Kernel(MapHandle::try_from(&maps.gap_histograms)?)),
            memory_bytes,
        };
        // Nothing runs yet that would have to be waited for.
        tables.apply_rules(&[], &SequenceProfile::OFF, |_| ())?;
        Ok(Probe {
            watched: WatchedInterfaces::new(totals, Ways::new(options.clsact_only)),
            tables,
            clock: KernelClock::compare(|| read_clock(&skeleton.progs.flowtop_clock))?,
            grace_periods,
            skeleton,
        })
    }

    /// Puts rules and the global sequence profile in force, all at once from one packet to the next.
    /// Returns their version, as samples carry it; after an error those of before are in force.
    pub fn apply_rules(&mut self, rules: &[Rule], global: &SequenceProfile) -> Result<u8> {
        if self.tables.rules.is_unsettled {
            self.grace_periods.wait()?;
        }
        let is_read = self.watched().next().is_some();
        let grace_periods = &self.grace_periods;
        // As long as nothing is attached, no packet reads rules. Should the wait fail, these are in force all the same:
        // it is the next change that has to wait first.
        self.tables.apply_rules(rules, global, |rules| {
            rules.is_unsettled = is_read && grace_periods.wait().is_err();
        })
    }

    /// These flows keep histograms of their gaps from their next reading on, besides those whose rules say so.
    pub fn focus(&mut self, keys: Vec<FlowKey>) {
        self.tables.focus(keys);
    }

    /// All histograms begin anew.
    pub fn reset_histograms(&mut self) {
        self.tables.focus.reset();
    }

    /// Changes the time after which idle flows leave, and the refresh period.
    pub fn set_ageing(&mut self, flow_timeout: Duration, refresh: Duration) {
        self.tables.set_ageing(flow_timeout, refresh);
    }

    /// Starts to watch an interface, or attaches again to one that is watched.
    pub fn attach(&mut self, link: &Link) -> Result<()> {
        let is_bare = match link.header {
            LinkHeader::Ethernet => false,
            LinkHeader::Ip => true,
            LinkHeader::Unsupported(kind) => {
                anyhow::bail!(
                    "devices of hardware type {kind} have neither an Ethernet header nor bare IP packets"
                )
            }
        };
        let program = self.skeleton.progs.flowtop_ingress.as_fd();
        self.watched.attach(program, link, is_bare)
    }

    /// Takes the program off an interface; its totals stay.
    pub fn detach(&mut self, ifindex: u32) {
        self.watched.detach(ifindex);
    }

    /// Takes the programs off all hooks, waits for packets under way, and reads for the last time.
    pub fn finish(&mut self) -> Snapshot {
        self.watched.detach_all();
        // Should it fail, a packet that is under way on another CPU this moment is missed.
        let _ = self.grace_periods.wait();
        self.tables.flows.read_all_again();
        self.snapshot()
    }

    /// Whether a program of ours was put on this interface's hook and not taken off by us.
    pub fn is_watching(&self, ifindex: u32) -> bool {
        self.watched.is_watching(ifindex)
    }

    /// Whether programs of others have their turn before ours on this interface.
    pub fn is_behind_others(&self, ifindex: u32) -> bool {
        self.watched.is_behind_others(ifindex)
    }

    /// The interfaces whose hook somebody else took our program off.
    pub fn displaced(&mut self) -> Vec<Link> {
        self.watched.displaced()
    }

    /// Takes over names, states and statistics of the interfaces that there are now; those missing are gone.
    pub fn update_links(&mut self, links: &[Link]) {
        self.watched.update_links(links, self.clock.now_ns());
    }

    /// Indices of the interfaces that are watched, or were until a moment ago.
    pub fn watched(&self) -> impl Iterator<Item = u32> + '_ {
        self.watched.indices()
    }

    /// The time by the clock of all arrivals, ns.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Reads everything that the programs counted. To be called once a refresh period, from one thread.
    pub fn snapshot(&mut self) -> Snapshot {
        let now = self.clock.now_ns();
        let mut snapshot = self.tables.read(now, now);
        self.watched.report(&mut snapshot);
        snapshot
    }

    /// Takes back a snapshot that nobody needs any more: the next one is written into its memory.
    pub fn recycle(&mut self, snapshot: Snapshot) {
        self.tables.recycle(snapshot);
    }

    /// What was counted on an interface, watched or not: for test runs.
    pub fn interface_totals(&self, ifindex: u32) -> InterfaceSample {
        self.watched.totals().read(ifindex).0
    }

    /// Gives an interface its own totals without attaching to it: for test runs.
    pub fn prepare_interface(&mut self, ifindex: u32) -> Result<()> {
        self.watched.totals_mut().claim(ifindex, false)
    }

    /// Holds up a flow's numbers as a CPU does that judges one for long, or lets them go on: for test runs. Whether it could.
    pub fn hold(&self, slot: u32, held: bool) -> bool {
        self.tables.flows.set_locked(slot, held)
    }

    /// The loaded program: also for test runs that call it from a program of their own.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.skeleton.progs.flowtop_ingress.as_fd()
    }

    /// Runs the very program that would be attached on one frame (BPF_PROG_TEST_RUN), `repeat` times. Returns what
    /// the program returned, and the mean time of a run. Frames below 14 bytes are refused by the kernel.
    pub fn test_frame(
        &mut self,
        frame: &[u8],
        context: TestContext,
        repeat: u32,
    ) -> Result<(i32, Duration)> {
        const LOOPBACK: u32 = 1;
        self.watched
            .totals_mut()
            .claim(context.ifindex.max(LOOPBACK), context.is_bare)?;
        let mut skb = test_context_bytes(context);
        let input = ProgramInput {
            data_in: Some(frame),
            context_in: Some(&mut skb),
            repeat,
            ..ProgramInput::default()
        };
        let output = self
            .skeleton
            .progs
            .flowtop_ingress
            .test_run(input)
            .context("run the kernel program on a frame")?;
        Ok((output.return_value as i32, output.duration))
    }
}

fn rule_table(skeleton: &FlowtopSkel<'_>) -> Result<RuleTable> {
    let maps = &skeleton.maps;
    let banks = BANKS as usize;
    Ok(RuleTable::new(
        Entries::Kernel(MapHandle::try_from(&maps.rule_addresses)?),
        MappedArray::new(maps.rule_ports.as_fd(), banks * 2 * PORTS)?,
        MappedArray::new(maps.rule_banks.as_fd(), banks)?,
        MappedArray::new(maps.sequence_profiles.as_fd(), banks * PROFILES)?,
    ))
}

/// Has the kernel read the clock of all arrivals.
fn read_clock(program: &ProgramMut<'_>) -> Result<u64> {
    const SHORTEST: usize = 14;
    let (frame, mut written) = ([0; SHORTEST], [0; SHORTEST]);
    let input = ProgramInput {
        data_in: Some(&frame),
        data_out: Some(&mut written),
        ..ProgramInput::default()
    };
    program.test_run(input).context("read the kernel's clock")?;
    let [now @ .., _, _, _, _, _, _] = written;
    Ok(u64::from_ne_bytes(now))
}

/// `struct __sk_buff`, as far as a test run may set it.
fn test_context_bytes(context: TestContext) -> [u8; 192] {
    const IFINDEX: usize = 40;
    const GSO_SEGS: usize = 164;
    const GSO_SIZE: usize = 176;
    let mut bytes = [0; 192];
    for (at, value) in [
        (IFINDEX, context.ifindex),
        (GSO_SEGS, context.gso_segs),
        (GSO_SIZE, context.gso_size),
    ] {
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::numbers_of_cpus;

    #[test]
    fn cpus_have_numbers_up_to_the_last_one_of_the_list() {
        for (list, numbers) in [("0\n", 1), ("0-3\n", 4), ("0,3", 4), ("0-1,3-7,11", 12)] {
            assert_eq!(numbers_of_cpus(list), Some(numbers), "{list}");
        }
        assert_eq!(numbers_of_cpus("\n"), None);
    }
}
