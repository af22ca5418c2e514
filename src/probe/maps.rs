//! The maps of a run: made, sized, filled and mapped.
//!
//! Knows nothing of what is in them.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result, anyhow};
use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use super::abi::FLOWS_PER_SET;
use super::skeleton::{FlowtopSkel, OpenFlowtopSkel};
use super::sys::MappedArray;

/// A map of `len` values for each possible CPU.
pub fn inner_maps(
    name: &str,
    value_size: usize,
    len: usize,
    cpus: usize,
) -> Result<Vec<MapHandle>> {
    let options = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as _,
        map_flags: libbpf_rs::libbpf_sys::BPF_F_MMAPABLE,
        ..Default::default()
    };
    (0..cpus)
        .map(|_| {
            MapHandle::create(
                MapType::Array,
                Some(name),
                4,
                value_size as u32,
                len as u32,
                &options,
            )
            .with_context(|| format!("create the map {name} with {len} entries"))
        })
        .collect()
}

/// Gives the maps of the object the sizes of this run, before it is loaded.
pub fn size_maps(
    open: &mut OpenFlowtopSkel<'static>,
    slots: usize,
    cpus: usize,
    counters: &MapHandle,
    totals: &MapHandle,
) -> Result<()> {
    let maps = &mut open.maps;
    maps.flow_table.set_max_entries(slots as u32)?;
    maps.flow_counters.set_max_entries(cpus as u32)?;
    maps.flow_counters.set_inner_map_fd(counters.as_fd())?;
    maps.interface_totals.set_max_entries(cpus as u32)?;
    maps.interface_totals.set_inner_map_fd(totals.as_fd())?;
    Ok(())
}

/// The hash of this run is its own.
pub fn seed(open: &mut OpenFlowtopSkel<'static>, slots: usize) -> Result<()> {
    let constants = open
        .maps
        .rodata_data
        .as_deref_mut()
        .context("the kernel program has no constants")?;
    for key in &mut constants.hash_keys {
        *key = getrandom::u32().context("draw the seed of the flow table's hash")?;
    }
    constants.set_mask = (slots / FLOWS_PER_SET) as u32 - 1;
    Ok(())
}

/// Puts each CPU's map into the array of them.
pub fn fill_outer(outer: &MapHandle, inner: &[MapHandle]) -> Result<()> {
    let put = |cpu: usize, map: &MapHandle| {
        outer.update(
            &(cpu as u32).to_ne_bytes(),
            &map.as_fd().as_raw_fd().to_ne_bytes(),
            MapFlags::ANY,
        )
    };
    // The kernel waits for a grace period with each of them: all at once, or a start takes seconds where CPUs are many.
    std::thread::scope(|scope| {
        let puts: Vec<_> = inner
            .iter()
            .enumerate()
            .map(|(cpu, map)| {
                let put = &put;
                scope.spawn(move || put(cpu, map))
            })
            .collect();
        for put in puts {
            put.join()
                .map_err(|_| anyhow!("a thread came to an end before its time"))?
                .context("give each CPU its counters")?;
        }
        Ok(())
    })
}

/// Maps each of them into memory.
pub fn map_all<T: Copy>(maps: &[MapHandle], len: usize) -> Result<Vec<MappedArray<T>>> {
    maps.iter()
        .map(|map| MappedArray::new(map.as_fd(), len))
        .collect()
}

/// Bytes of kernel memory that the map takes.
pub fn memlock(map: &impl MapCore) -> u64 {
    map.query_fdinfo()
        .ok()
        .and_then(|info| info.memlock)
        .unwrap_or(0)
}

/// The same of all maps of the object, except those of each CPU.
pub fn memory_of(skeleton: &FlowtopSkel<'_>) -> u64 {
    let maps = &skeleton.maps;
    [
        &maps.flow_table,
        &maps.fragments,
        &maps.search_rooms,
        &maps.rule_addresses,
        &maps.rule_ports,
        &maps.rule_banks,
        &maps.sequence_profiles,
        &maps.settings,
        &maps.verdicts,
        &maps.gap_histograms,
    ]
    .into_iter()
    .map(memlock)
    .sum()
}
