//! The maps of a run: sized, and what memory they take.
//!
//! Knows nothing of what is in them.

use std::os::fd::{AsFd, AsRawFd};

use anyhow::{Context, Result};
use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use super::abi::{INTERFACE_SLOTS, VERDICTS};
use super::skeleton::{FlowtopSkel, OpenFlowtopSkel};
use super::table::words_of_sets;

/// Waits until no program runs any more that began before: the kernel does that whenever user space updates an array of maps.
#[derive(Debug)]
pub struct GracePeriods {
    array: MapHandle,
    /// The only one in there.
    map: MapHandle,
}

impl GracePeriods {
    /// Takes any map.
    pub fn new(map: MapHandle) -> Result<GracePeriods> {
        let options = bpf_map_create_opts {
            sz: size_of::<bpf_map_create_opts>() as _,
            inner_map_fd: map.as_fd().as_raw_fd() as u32,
            ..Default::default()
        };
        let array = MapHandle::create(
            MapType::ArrayOfMaps,
            Some("grace_periods"),
            4,
            4,
            1,
            &options,
        )
        .context("create an array of maps")?;
        Ok(GracePeriods { array, map })
    }

    /// Returns when one has passed.
    pub fn wait(&self) -> Result<()> {
        let fd = self.map.as_fd().as_raw_fd().to_ne_bytes();
        self.array
            .update(&0u32.to_ne_bytes(), &fd, MapFlags::ANY)
            .context("wait for packets under the former rules")
    }

    /// The array of maps, which takes memory, too.
    pub fn array(&self) -> &MapHandle {
        &self.array
    }
}

/// Sizes the maps for so many slots and CPUs.
pub fn size(open: &mut OpenFlowtopSkel<'static>, slots: usize, cpus: usize) -> Result<()> {
    let maps = &mut open.maps;
    for (map, len) in [
        (&mut maps.flow_table, slots),
        (&mut maps.flow_counters, slots),
        (&mut maps.flow_shared, slots),
        (&mut maps.claimed_sets, words_of_sets(slots)),
        (&mut maps.interface_totals, cpus * INTERFACE_SLOTS),
        (&mut maps.untracked_bytes, cpus * INTERFACE_SLOTS),
        (&mut maps.verdicts, cpus * VERDICTS),
    ] {
        map.set_max_entries(len as u32)?;
    }
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
    constants.home_shift = u64::BITS - slots.ilog2();
    Ok(())
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

/// The same of all maps: those of the object but for the histograms, and one more. (What kernels before 6.4 say of those is
/// what they would take if all were there.)
pub fn memory_of(skeleton: &FlowtopSkel<'_>, more: &MapHandle) -> Option<u64> {
    let maps = &skeleton.maps;
    let of_object = [
        &maps.flow_table,
        &maps.flow_counters,
        &maps.flow_shared,
        &maps.claimed_sets,
        &maps.interfaces,
        &maps.interface_totals,
        &maps.untracked_bytes,
        &maps.fragments,
        &maps.search_rooms,
        &maps.rule_addresses,
        &maps.rule_ports,
        &maps.rule_banks,
        &maps.sequence_profiles,
        &maps.data_settings,
        &maps.verdicts,
        &maps.ip_metrics,
    ];
    let all = of_object.into_iter().map(memlock);
    all.chain([memlock(more)]).sum()
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
