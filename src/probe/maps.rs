//! The maps of a run: made, sized, filled and mapped.
//!
//! Knows nothing of what is in them.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result, anyhow};
use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};
use plain::Plain;

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

/// A map of such maps, one for each possible CPU: empty, and then to be filled by [`fill_outer`].
pub fn outer_map(name: &str, inner: &[MapHandle]) -> Result<MapHandle> {
    let first = inner.first().context("no CPU")?;
    let options = bpf_map_create_opts {
        sz: size_of::<bpf_map_create_opts>() as _,
        inner_map_fd: first.as_fd().as_raw_fd() as u32,
        ..Default::default()
    };
    MapHandle::create(
        MapType::ArrayOfMaps,
        Some(name),
        4,
        4,
        inner.len() as u32,
        &options,
    )
    .with_context(|| format!("create the map {name}"))
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
    constants.home_shift = u64::BITS - slots.ilog2();
    Ok(())
}

/// Puts each CPU's map into the arrays of them, while `meanwhile` runs: the kernel waits for a grace period with each. All
/// at once, or a start takes seconds where CPUs are many.
pub fn fill_outer<T>(
    arrays: &[(&MapHandle, &[MapHandle])],
    meanwhile: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let put = |outer: &MapHandle, cpu: usize, map: &MapHandle| {
        outer.update(
            &(cpu as u32).to_ne_bytes(),
            &map.as_fd().as_raw_fd().to_ne_bytes(),
            MapFlags::ANY,
        )
    };
    std::thread::scope(|scope| {
        let mut puts = Vec::new();
        for (outer, inner) in arrays {
            for (cpu, map) in inner.iter().enumerate() {
                puts.push(scope.spawn(move || put(outer, cpu, map)));
            }
        }
        let done = meanwhile()?;
        for put in puts {
            put.join()
                .map_err(|_| anyhow!("a thread came to an end before its time"))?
                .context("give each CPU its counters")?;
        }
        Ok(done)
    })
}

/// Maps each of them into memory.
pub fn map_all<T: Plain + Copy>(maps: &[MapHandle], len: usize) -> Result<Vec<MappedArray<T>>> {
    maps.iter()
        .map(|map| MappedArray::new(map.as_fd(), len))
        .collect()
}

/// Bytes of kernel memory that the map takes; not known where /proc is not to be had.
fn memlock(map: &impl MapCore) -> Option<u64> {
    let path = format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd());
    memlock_in(&std::fs::read_to_string(path).ok()?)
}

/// Not left to libbpf-rs, which reads 32 bits of it: a map may take more than 4 GiB.
fn memlock_in(info: &str) -> Option<u64> {
    let mut lines = info.lines();
    let figure = lines.find_map(|line| line.strip_prefix("memlock:"))?;
    figure.trim().parse().ok()
}

/// The same of all maps: those of the object, and those of each CPU.
pub fn memory_of<'a>(
    skeleton: &FlowtopSkel<'_>,
    of_cpus: impl Iterator<Item = &'a MapHandle>,
) -> Option<u64> {
    let maps = &skeleton.maps;
    let of_object = [
        &maps.flow_table,
        &maps.fragments,
        &maps.search_rooms,
        &maps.rule_addresses,
        &maps.rule_ports,
        &maps.rule_banks,
        &maps.sequence_profiles,
        &maps.data_settings,
        &maps.verdicts,
        &maps.gap_histograms,
    ];
    let all = of_object.into_iter().map(memlock);
    all.chain(of_cpus.map(memlock)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_map_may_be_more_than_32_bits_tell() {
        let info = "pos:\t0\nmap_type:\t2\nmemlock:\t4294971392\nmap_id:\t7\n";
        assert_eq!(memlock_in(info), Some(4_294_971_392));
        assert_eq!(memlock_in("pos:\t0\n"), None);
    }
}
