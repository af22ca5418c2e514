//! What reading the flow table costs.

use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flowtop::probe::{Options, Probe};
use libbpf_rs::libbpf_sys::{bpf_map_create_opts, bpf_map_lookup_batch};
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, num_possible_cpus};

use crate::drive::{Course, Driver};
use crate::frames::Shape;
use crate::sample::{Stopwatch, Summary, interleaved};
use crate::support::clock::pin;
use crate::table::{Line, Table, Target};

const READ: u32 = 7;

/// What a reading costs.
pub struct Reading {
    pub flows: u32,
    pub all_active: Summary,
    pub few_active: Summary,
}

/// Deletes all entries of a hash map.
pub fn empty_map(map: &impl MapCore) -> Result<()> {
    let keys: Vec<_> = map.keys().collect();
    for key in keys {
        map.delete(&key)?;
    }
    Ok(())
}

/// Lets all flows leave the table.
pub fn empty_table(probe: &mut Probe) {
    probe.set_ageing(Duration::ZERO, Duration::ZERO);
    while probe.snapshot().table.tracked > 0 {}
    probe.snapshot();
    let usual = Options::default();
    probe.set_ageing(usual.flow_timeout, usual.refresh);
}

/// How the table is set up, and who brings its flows in.
#[derive(Default)]
struct Setup {
    /// For so many possible CPUs at least.
    least_cpus: usize,
    /// Another CPU than the one that counts their packets later, and that one, if there are two.
    brought_in_by: Option<[usize; 2]>,
}

/// Measures all of it; `cpus`: those that there are.
pub fn measure(driver: &Driver, table: &mut Table, cpus: &[usize]) -> Result<Vec<Reading>> {
    table.begin(
        "Reading the flow table, all CPUs added up",
        "ms. Baselines: a per-CPU hash map of as many flows.",
    );
    let sizes = [(1_000, 31), (100_000, 15), (1_000_000, 5)];
    let readings = sizes.map(|(flows, rounds)| {
        let readings = read(driver, flows, rounds, &Setup::default())?;
        report(table, flows, readings);
        let [_, _, all_active, few_active] = readings;
        Ok(Reading {
            flows,
            all_active,
            few_active,
        })
    });
    with_many_cpus(driver, table)?;
    if let [.., other, own] = *cpus {
        by_two_cpus(driver, table, [other, own])?;
    }
    readings.into_iter().collect()
}

const MOST: u32 = 1_000_000;

/// The same table set up for this machine's CPUs, and for as many as large ones have.
fn with_many_cpus(driver: &Driver, table: &mut Table) -> Result<()> {
    const CPUS: usize = 128;
    let setup = Setup {
        least_cpus: CPUS,
        ..Setup::default()
    };
    let what = format!("{MOST}, all active, with {CPUS} possible CPUs");
    compare(driver, table, what, &setup, Target::Ratio(1.1))
}

/// Flows that all come in by one CPU, and those that another one brought in.
fn by_two_cpus(driver: &Driver, table: &mut Table, cpus: [usize; 2]) -> Result<()> {
    let setup = Setup {
        brought_in_by: Some(cpus),
        ..Setup::default()
    };
    let what = format!("{MOST}, all active, brought in by another CPU");
    compare(driver, table, what, &setup, Target::None)
}

/// A table in which all flows are active, set up in the usual way and in another one.
fn compare(
    driver: &Driver,
    table: &mut Table,
    what: String,
    setup: &Setup,
    target: Target,
) -> Result<()> {
    let [_, _, baseline, _] = read(driver, MOST, 5, &Setup::default())?;
    let [_, _, flowtop, _] = read(driver, MOST, 5, setup)?;
    table.add(&Line {
        what,
        unit: "ms",
        baseline: Some(baseline),
        flowtop,
        target,
    });
    Ok(())
}

/// By keys, in batches, all active, few active.
fn read(driver: &Driver, flows: u32, rounds: usize, setup: &Setup) -> Result<[Summary; 4]> {
    let shape = Shape::udp(false, 64);
    let mut probe = Probe::load(&Options {
        max_flows: flows,
        least_cpus: setup.least_cpus,
        ..Options::default()
    })?;
    probe.prepare_interface(1)?;
    driver.place_program(READ, probe.program())?;
    let hash = hash_of(driver, flows)?;
    let touch = |share: u32| {
        let mut course = Course::of(&shape, flows.next_power_of_two());
        driver.run(READ, &shape, &mut course, flows / share)
    };
    let [other, own] = setup.brought_in_by.map_or([None; 2], |cpus| cpus.map(Some));
    other.iter().for_each(|cpu| pin(*cpu));
    touch(1)?;
    own.iter().for_each(|cpu| pin(*cpu));
    interleaved(rounds, |subject| {
        let mut expected = flows;
        if subject >= 2 {
            let share = if subject == 2 { 1 } else { 100 };
            let untracked = |probe: &Probe| probe.interface_totals(1).untracked.packets as u32;
            let before = untracked(&probe);
            touch(share)?;
            expected = flows / share - (untracked(&probe) - before);
            // What came in the last few ms before a pass is read again by the next one: not here.
            std::thread::sleep(Duration::from_millis(20));
        }
        let watch = Stopwatch::start();
        let found = match subject {
            0 => walk_keys(&hash)?,
            1 => read_batches(&hash)?,
            _ => {
                let snapshot = probe.snapshot();
                let flows = snapshot.flows.len();
                probe.recycle(snapshot);
                flows
            }
        };
        let ms = watch.ms();
        ensure!(
            found == expected as usize,
            "{found} flows read, not {expected}"
        );
        Ok(ms)
    })
}

/// A per-CPU hash map like that of the baselines, with so many flows in it.
fn hash_of(driver: &Driver, flows: u32) -> Result<MapHandle> {
    let like = driver.map("flows")?;
    let (key_size, value_size) = (like.key_size(), like.value_size());
    let options = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as _,
        ..Default::default()
    };
    let kind = MapType::PercpuHash;
    let hash = MapHandle::create(kind, Some("read"), key_size, value_size, flows, &options)
        .context("create a hash map to read")?;
    let value = vec![vec![1; value_size as usize]; num_possible_cpus()?];
    let mut key = vec![0; key_size as usize];
    for flow in 0..flows {
        key[..4].copy_from_slice(&flow.to_ne_bytes());
        hash.update_percpu(&key, &value, MapFlags::ANY)?;
    }
    Ok(hash)
}

/// The times of [`read`]: by keys, in batches, all active, few active.
fn report(table: &mut Table, flows: u32, [walk, batch, all, few]: [Summary; 4]) {
    for (flowtop, share) in [(all, "all active"), (few, "one in a hundred active")] {
        for (baseline, way, target) in [
            (walk, "get_next_key and look-up", Target::Ratio(0.05)),
            (batch, "look-up in batches", Target::None),
        ] {
            table.add(&Line {
                what: format!("{flows}, {share}, against {way}"),
                unit: "ms",
                baseline: Some(baseline),
                flowtop,
                target,
            });
        }
    }
}

fn walk_keys(map: &impl MapCore) -> Result<usize> {
    let mut count = 0;
    for key in map.keys() {
        count += usize::from(map.lookup_percpu(&key, MapFlags::ANY)?.is_some());
    }
    Ok(count)
}

/// BPF_MAP_LOOKUP_BATCH until the end.
fn read_batches(map: &impl MapCore) -> Result<usize> {
    const BATCH: usize = 8192;
    let cpus = num_possible_cpus().context("count the CPUs")?;
    let mut keys = vec![0_u8; BATCH * map.key_size() as usize];
    let mut values = vec![0_u8; BATCH * cpus * map.value_size() as usize];
    let mut cursor = 0_u64;
    let mut total = 0;
    for batch in 0.. {
        let mut count = BATCH as u32;
        let from = if batch == 0 {
            std::ptr::null_mut()
        } else {
            &raw mut cursor
        };
        // SAFETY: keys and values have room for `count` entries, and the cursor for the map's own.
        let outcome = unsafe {
            bpf_map_lookup_batch(
                map.as_fd().as_raw_fd(),
                from.cast::<c_void>(),
                (&raw mut cursor).cast(),
                keys.as_mut_ptr().cast(),
                values.as_mut_ptr().cast(),
                &raw mut count,
                std::ptr::null(),
            )
        };
        total += count as usize;
        if outcome != 0 {
            ensure!(outcome == -libc::ENOENT, "read in batches: {outcome}");
            break;
        }
    }
    Ok(total)
}
