//! Turns rules into the masks that the kernel program intersects, writes them into the idle bank, and switches.
//!
//! Owns both banks and the ids of the sequence profiles. The meaning of a rule is `model::rule::Rule::matches`.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::offset_of;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;

use super::abi::{PROFILES, as_bytes, rule_address, rule_bank, sequence_profile, settings};
use super::entries::Entries;
use super::sys::MappedArray;
use crate::model::flow::Protocol;
use crate::model::rule::{
    ByteOrder, MAX_RULES, PayloadRequirement, Rule, SequenceProfile, SequenceWidth,
};

/// `BANKS` of types.h.
pub const BANKS: u32 = 2;
/// Flows carry 8 bits of a version, and 0 is never in force.
const VERSIONS: u32 = 255;
/// `settings.active` has room for 23 bits of the serial number.
const MAX_SERIAL: u32 = (1 << 23) - 1;
/// Ids of profiles have 8 bits.
const PROFILE_IDS: usize = 256;
/// `PORTS` of types.h.
pub const PORTS: usize = 65536;
const FIXED_BITS: u32 = 24;
const SOURCE: u8 = 0;
const DESTINATION: u8 = 1;

/// What is in the maps of one bank.
#[derive(Debug)]
struct BankContent {
    addresses: BTreeMap<(u8, IpNet), u64>,
    ports: [Spans; 2],
}

/// The first port of each span of ports that have the same mask; the last span ends with the last port.
type Spans = BTreeMap<u32, u64>;

impl Default for BankContent {
    fn default() -> BankContent {
        BankContent {
            addresses: BTreeMap::new(),
            ports: [0, 0].map(|mask| BTreeMap::from([(0, mask)])),
        }
    }
}

/// The kernel's side of the configuration.
#[derive(Debug)]
pub struct RuleTable {
    addresses: Entries,
    ports: MappedArray<u64>,
    banks: MappedArray<rule_bank>,
    profiles: MappedArray<sequence_profile>,
    /// What each bank holds, so that only what differs is written.
    written: [BankContent; BANKS as usize],
    /// Profiles by their content, with the serial number of their latest use: a content keeps its id, so that flows
    /// whose profile stays keep their state.
    ids: Vec<(sequence_profile, u32)>,
    serial: u32,
    /// For the caller: packets may still be reading the rules before those in force.
    pub is_unsettled: bool,
}

impl RuleTable {
    /// Takes the maps `rule_addresses`, `rule_ports`, `rule_banks` and `sequence_profiles`.
    pub fn new(
        addresses: Entries,
        ports: MappedArray<u64>,
        banks: MappedArray<rule_bank>,
        profiles: MappedArray<sequence_profile>,
    ) -> RuleTable {
        RuleTable {
            addresses,
            ports,
            banks,
            profiles,
            written: Default::default(),
            ids: Vec::new(),
            serial: 0,
            is_unsettled: false,
        }
    }

    /// Puts rules and the global profile in force, all at once from one packet to the next; nothing can fail after
    /// that. Before the idle bank is written, no packet may still be reading it: the caller waits for running programs
    /// between two calls. Returns the version that flows carry from now on, and whether flows are to forget all others.
    pub fn apply(
        &mut self,
        rules: &[Rule],
        global: &SequenceProfile,
        now_set: &MappedArray<settings>,
    ) -> Result<(u8, bool)> {
        ensure!(
            rules.len() <= MAX_RULES,
            "{} rules: there is room for {MAX_RULES}",
            rules.len()
        );
        let serial = self.serial.wrapping_add(1) & MAX_SERIAL;
        let version = (serial % VERSIONS + 1) as u8;
        let bank = serial % BANKS;
        self.write_addresses(bank, rules)?;
        self.write_ports(bank, rules);
        self.write_bank(bank, rules);
        self.write_profiles(bank, rules, global, serial);
        now_set
            .half_word(0, offset_of!(settings, rules) + 4 * bank as usize)
            .store(rules.len() as u32, Ordering::Release);
        now_set.half_word(0, offset_of!(settings, active)).store(
            serial << 9 | u32::from(version) << 1 | bank,
            Ordering::Release,
        );
        self.serial = serial;
        // Half a round later once more: those that carried this very version all the time are forgotten then.
        let begins_anew = [0, VERSIONS / 2].contains(&(serial % VERSIONS));
        Ok((version, begins_anew))
    }

    fn write_addresses(&mut self, bank: u32, rules: &[Rule]) -> Result<()> {
        let sides = [
            (SOURCE, prefix_masks(rules, |rule| &rule.sources)),
            (DESTINATION, prefix_masks(rules, |rule| &rule.destinations)),
        ];
        let wanted: BTreeMap<(u8, IpNet), u64> = sides
            .into_iter()
            .flat_map(|(side, masks)| masks.into_iter().map(move |(net, m)| ((side, net), m)))
            .collect();
        let written = &mut self.written[bank as usize].addresses;
        for (&(side, net), &mask) in &wanted {
            if written.get(&(side, net)) == Some(&mask) {
                continue;
            }
            let key = address_key(bank as u8, side, &net);
            self.addresses
                .update(as_bytes(&key), &mask.to_ne_bytes())
                .with_context(|| format!("write the rules of {net}"))?;
            written.insert((side, net), mask);
        }
        let former = |place: &&(u8, IpNet)| !wanted.contains_key(place);
        for (side, net) in written.keys().filter(former).copied().collect::<Vec<_>>() {
            self.addresses
                .delete(as_bytes(&address_key(bank as u8, side, &net)))
                .context("remove the former rules")?;
            written.remove(&(side, net));
        }
        Ok(())
    }

    fn write_ports(&mut self, bank: u32, rules: &[Rule]) {
        for side in [SOURCE, DESTINATION] {
            let wanted = spans(rules, side);
            let written = &mut self.written[bank as usize].ports[side as usize];
            let starts: BTreeSet<u32> = wanted.keys().chain(written.keys()).copied().collect();
            let ends = starts.iter().skip(1).copied().chain([PORTS as u32]);
            let base = (bank as usize * 2 + side as usize) * PORTS;
            for (&start, end) in starts.iter().zip(ends) {
                let mask = mask_at(&wanted, start);
                if mask != mask_at(written, start) {
                    self.ports
                        .fill(base + start as usize..base + end as usize, mask);
                }
            }
            *written = wanted;
        }
    }

    fn write_bank(&self, bank: u32, rules: &[Rule]) {
        let satisfied_by = |protocol| {
            mask_of(rules, |rule| {
                rule.protocols.is_empty() || rule.protocols.contains(&protocol)
            })
        };
        let masks = rule_bank {
            protocols: [
                Protocol::Tcp,
                Protocol::Udp,
                Protocol::Icmp,
                Protocol::Icmpv6,
            ]
            .map(satisfied_by),
            any_source_port: mask_of(rules, |rule| rule.source_ports.is_empty()),
            any_destination_port: mask_of(rules, |rule| rule.destination_ports.is_empty()),
        };
        self.banks.write(bank as usize, masks);
    }

    fn write_profiles(&mut self, bank: u32, rules: &[Rule], global: &SequenceProfile, serial: u32) {
        for at in 0..PROFILES {
            let own = rules.get(at).and_then(|rule| rule.profile);
            let profile = encode_profile(own.as_ref().unwrap_or(global), own.is_some());
            let id = self.id_of(&profile, serial);
            self.profiles.write(
                bank as usize * PROFILES + at,
                sequence_profile { id, ..profile },
            );
        }
    }

    /// The id of this content. When all are taken, that of the content used longest ago is given away.
    fn id_of(&mut self, profile: &sequence_profile, serial: u32) -> u8 {
        let content = |p: &sequence_profile| (p.pattern, p.threshold, p.offset, p.flags);
        let known = self
            .ids
            .iter()
            .position(|(own, _)| content(own) == content(profile));
        let at = known.unwrap_or_else(|| {
            if self.ids.len() < PROFILE_IDS {
                self.ids.push((*profile, serial));
                return self.ids.len() - 1;
            }
            let age =
                |(_, (_, used)): &(usize, &(sequence_profile, u32))| serial.wrapping_sub(*used);
            let oldest = self.ids.iter().enumerate().max_by_key(age);
            oldest.map_or(0, |(at, _)| at)
        });
        self.ids[at] = (*profile, serial);
        at as u8
    }
}

fn ranges(rule: &Rule, side: u8) -> &[std::ops::RangeInclusive<u16>] {
    if side == SOURCE {
        &rule.source_ports
    } else {
        &rule.destination_ports
    }
}

fn mask_of(rules: &[Rule], satisfied: impl Fn(&Rule) -> bool) -> u64 {
    rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| satisfied(rule))
        .fold(0, |mask, (bit, _)| mask | 1 << bit)
}

/// The ports of one side by the rules that they satisfy.
fn spans(rules: &[Rule], side: u8) -> Spans {
    let named = || rules.iter().flat_map(|rule| ranges(rule, side));
    let after = named().map(|range| u32::from(*range.end()) + 1);
    named()
        .map(|range| u32::from(*range.start()))
        .chain(after)
        .chain([0])
        .filter(|start| *start < PORTS as u32)
        .map(|start| {
            let satisfied = |rule: &Rule| {
                let ranges = ranges(rule, side);
                ranges.is_empty() || ranges.iter().any(|own| own.contains(&(start as u16)))
            };
            (start, mask_of(rules, satisfied))
        })
        .collect()
}

fn mask_at(spans: &Spans, port: u32) -> u64 {
    spans
        .range(..=port)
        .next_back()
        .map_or(0, |(_, mask)| *mask)
}

/// Every prefix that a rule names, and the two that hold all addresses, with the mask of the rules whose list is
/// empty or holds a prefix that covers it: what the longest match finds is then the whole answer.
fn prefix_masks(rules: &[Rule], list: impl Fn(&Rule) -> &Vec<IpNet>) -> BTreeMap<IpNet, u64> {
    let all = ["0.0.0.0/0", "::/0"]
        .into_iter()
        .filter_map(|net| net.parse().ok());
    let named = rules
        .iter()
        .flat_map(|rule| list(rule).iter().map(IpNet::trunc));
    all.chain(named)
        .map(|net: IpNet| {
            let covers = |rule: &Rule| {
                list(rule).is_empty() || list(rule).iter().any(|own| own.contains(&net))
            };
            (net, mask_of(rules, covers))
        })
        .collect()
}

fn address_key(bank: u8, side: u8, net: &IpNet) -> rule_address {
    let mut address = [0; 16];
    let family = match net.network() {
        IpAddr::V4(v4) => {
            address[..4].copy_from_slice(&v4.octets());
            4
        }
        IpAddr::V6(v6) => {
            address = v6.octets();
            6
        }
    };
    rule_address {
        prefix_length: FIXED_BITS + u32::from(net.prefix_len()),
        bank,
        side,
        family,
        address,
        unused: 0,
    }
}

// The PROFILE_* flags of types.h.
const PATTERN: u8 = 1;
const OFFSET: u8 = 2;
const WIDTH_16: u8 = 4;
const LITTLE_ENDIAN: u8 = 8;
const RTP: u8 = 16;
const EXPLICIT: u8 = 32;

fn encode_profile(profile: &SequenceProfile, is_own: bool) -> sequence_profile {
    let SequenceProfile {
        pattern,
        offset,
        threshold,
        width,
        byte_order,
        require,
    } = *profile;
    let flags = [
        (pattern.is_some(), PATTERN),
        (offset.is_some(), OFFSET),
        (width == SequenceWidth::Bits16, WIDTH_16),
        (byte_order == ByteOrder::Little, LITTLE_ENDIAN),
        (require == Some(PayloadRequirement::RtpVersion2), RTP),
        (is_own, EXPLICIT),
    ];
    sequence_profile {
        pattern: pattern.unwrap_or(0),
        threshold,
        offset: offset.unwrap_or(0),
        flags: flags
            .into_iter()
            .filter(|(set, _)| *set)
            .fold(0, |all, (_, flag)| all | flag),
        id: 0,
        unused: 0,
    }
}
