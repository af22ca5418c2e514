//! Groups of metrics: what makes the program count them, and what it counted.
//!
//! The seam of `src/bpf/groups.h`, as `abi` is of the rest: each field of a record is named once. Knows nothing of the table
//! but that it has as many slots.

use std::os::fd::AsFd;

use anyhow::{Context, Result};

use super::abi::ip_metrics;
use super::skeleton::{FlowtopSkel, OpenFlowtopSkel};
use super::sys::MappedArray;
use crate::model::counts::{Counts, Dscp, IpMetrics};
use crate::model::groups::{Group, Groups};

/// `GROUP_IP` of types.h.
const GROUP_IP: u32 = 1;

/// The records of the groups that are on, by slot.
#[derive(Debug, Default)]
pub struct GroupRecords {
    ip: Option<MappedArray<ip_metrics>>,
}

/// Bytes a slot.
pub const fn record_size(group: Group) -> usize {
    match group {
        Group::Ip => size_of::<ip_metrics>(),
    }
}

/// Before the load: these groups are counted, and have a record for each slot.
pub fn enable(open: &mut OpenFlowtopSkel<'static>, groups: Groups, slots: usize) -> Result<()> {
    let constants = open.maps.rodata_data.as_deref_mut();
    let constants = constants.context("the kernel program has no constants")?;
    for group in groups.iter() {
        let (bit, array) = match group {
            Group::Ip => (GROUP_IP, &mut open.maps.ip_metrics),
        };
        constants.enabled_groups |= bit;
        array.set_max_entries(slots as u32)?;
    }
    Ok(())
}

impl GroupRecords {
    /// The same in this process, with the bits of `enabled_groups`.
    pub fn of_process(groups: Groups, slots: usize) -> Result<(GroupRecords, u32)> {
        let (mut records, mut bits) = (GroupRecords::default(), 0);
        for group in groups.iter() {
            match group {
                Group::Ip => {
                    records.ip = Some(MappedArray::of_process(slots)?);
                    bits |= GROUP_IP;
                }
            }
        }
        Ok((records, bits))
    }

    /// The records of [`Group::Ip`], if it is on.
    pub fn ip(&self) -> Option<&MappedArray<ip_metrics>> {
        self.ip.as_ref()
    }

    /// Maps what [`enable`] had made.
    pub fn map(skeleton: &FlowtopSkel<'_>, groups: Groups, slots: usize) -> Result<GroupRecords> {
        let mut records = GroupRecords::default();
        for group in groups.iter() {
            match group {
                Group::Ip => {
                    records.ip = Some(MappedArray::new(skeleton.maps.ip_metrics.as_fd(), slots)?);
                }
            }
        }
        Ok(records)
    }

    /// Asks for what [`read`](Self::read) will look at.
    pub fn ask_for(&self, slot: usize) {
        let GroupRecords { ip } = self;
        if let Some(records) = ip {
            records.ask_for(slot, 0);
        }
    }

    /// Adds to `counts` what was counted of the flow with this generation.
    #[inline]
    pub fn read(&self, slot: usize, generation: u32, counts: &mut Counts) {
        let GroupRecords { ip } = self;
        if let Some(records) = ip {
            counts.ip = Some(decode_ip(records, slot, generation));
        }
    }
}

/// The number in a word of a record; `None` where there is none of this generation yet.
fn number(word: u64, generation: u32) -> Option<u32> {
    ((word >> 32) as u32 == generation).then_some(word as u32)
}

/// A number in two words, of which the upper one counts how often bit 31 has changed. Where they do not agree about it, one was read
/// before that and the other behind: shortly before it the lower word is near its end, shortly behind it near its beginning.
fn long(low: Option<u32>, high: Option<u32>) -> u64 {
    let (low, high) = (low.unwrap_or(0), u64::from(high.unwrap_or(0)));
    let rest = u64::from(low) & 0x7fff_ffff;
    let high = match high & 1 == u64::from(low >> 31) {
        true => high,
        false if rest < 1 << 30 => high + 1,
        false => high.saturating_sub(1),
    };
    high << 31 | rest
}

/// Not inlined: mostly it is off.
#[inline(never)]
fn decode_ip(records: &MappedArray<ip_metrics>, slot: usize, generation: u32) -> IpMetrics {
    let ip_metrics {
        ce,
        ttl,
        ttl_changes,
        dscp,
        ip_bytes,
        ip_bytes_high,
        unused: _,
    } = records.read(slot);
    let number = |word| number(word, generation);
    IpMetrics {
        ce: number(ce).unwrap_or(0).into(),
        ttl: number(ttl).map(|latest| latest as u8),
        ttl_changes: number(ttl_changes).unwrap_or(0).into(),
        dscp: number(dscp).map(|latest| Dscp(latest as u8)),
        ip_bytes: long(number(ip_bytes), number(ip_bytes_high)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_number_is_right_whichever_of_its_words_was_read_first() {
        let words = |number: u64| (Some(number as u32), Some((number >> 31) as u32));
        for edge in [1, 2, 3, 4, 7, 1 << 20].map(|high: u64| high << 31) {
            let (before, behind) = (words(edge - 1500), words(edge + 1500));
            assert_eq!(long(before.0, before.1), edge - 1500);
            assert_eq!(long(behind.0, behind.1), edge + 1500);
            assert_eq!(
                long(behind.0, before.1),
                edge + 1500,
                "a carry is under way"
            );
            assert_eq!(long(before.0, behind.1), edge - 1500, "it came meanwhile");
        }
        assert_eq!(long(Some(1500), None), 1500);
        assert_eq!(long(None, None), 0);
    }

    #[test]
    fn a_number_of_another_generation_is_none() {
        let word = 7 << 32 | 9;
        assert_eq!((number(word, 7), number(word, 8)), (Some(9), None));
        let records = MappedArray::of_process(1).unwrap();
        let never = decode_ip(&records, 0, 1);
        assert_eq!(never, IpMetrics::default());
    }
}
