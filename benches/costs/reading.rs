//! What reading the flow table costs.

use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flowtop::probe::{Options, Probe};
use libbpf_rs::libbpf_sys::bpf_map_lookup_batch;
use libbpf_rs::{MapCore, MapFlags};

use crate::drive::{Course, Driver};
use crate::frames::Shape;
use crate::sample::{Stopwatch, Summary, interleaved};
use crate::table::{Line, Table, Target};

const ROUNDS: usize = 7;
const FLOWS: u32 = 100_000;
const HASH: u32 = 2;
const READ: u32 = 7;

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

/// Measures all of it.
pub fn measure(driver: &Driver, table: &mut Table) -> Result<()> {
    let shape = Shape::udp(false, 64);
    let mut probe = Probe::load(&Options {
        max_flows: FLOWS,
        ..Options::default()
    })?;
    probe.prepare_interface(1)?;
    driver.place(HASH, "hash_only")?;
    driver.place_program(READ, probe.program())?;
    let hash = driver.map("flows")?;
    empty_map(&hash)?;
    driver.run(HASH, &shape, &mut Course::of(&shape, 131_072), FLOWS)?;
    let touch = |share: u32| {
        let mut course = Course::of(&shape, 131_072);
        driver.run(READ, &shape, &mut course, FLOWS / share)
    };
    touch(1)?;
    let mut found = [0; 4];
    let medians = interleaved(ROUNDS, |subject| {
        if subject >= 2 {
            touch(if subject == 2 { 1 } else { 100 })?;
            // What came in the last few ms before a pass is read again by the next one: not here.
            std::thread::sleep(Duration::from_millis(20));
        }
        let watch = Stopwatch::start();
        found[subject] = match subject {
            0 => walk_keys(&hash)?,
            1 => read_batches(&hash)?,
            _ => {
                let snapshot = probe.snapshot();
                let flows = snapshot.flows.len();
                probe.recycle(snapshot);
                flows
            }
        };
        Ok(watch.ms())
    })?;
    ensure!(found[0] == FLOWS as usize && found[1] == found[0]);
    ensure!(
        found[2] * 100 >= found[0] * 99,
        "the table lacks flows: {found:?}"
    );
    report(table, medians);
    Ok(())
}

/// The times of [`measure`]: by keys, in batches, all active, few active.
fn report(table: &mut Table, [walk, batch, all, few]: [Summary; 4]) {
    table.begin(
        "Reading 100,000 flows, all CPUs added up",
        "ms. Baselines: a per-CPU hash map of as many flows.",
    );
    let mut add = |what: &str, baseline, flowtop, target| {
        table.add(&Line {
            what: what.to_owned(),
            unit: "ms",
            baseline: Some(baseline),
            flowtop,
            target,
        });
    };
    add(
        "all active, against get_next_key and look-up",
        walk,
        all,
        Target::Ratio(0.05),
    );
    add(
        "all active, against look-up in batches",
        batch,
        all,
        Target::None,
    );
    add(
        "one in a hundred active, against get_next_key and look-up",
        walk,
        few,
        Target::Ratio(0.05),
    );
    add(
        "one in a hundred active, against look-up in batches",
        batch,
        few,
        Target::None,
    );
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
    let cpus = libbpf_rs::num_possible_cpus().context("count the CPUs")?;
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
