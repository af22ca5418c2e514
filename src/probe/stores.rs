//! The maps of the program in this process that are no arrays: fragments, histograms, and the addresses of rules.
//!
//! They belong to the thread that shows it packets, and are looked up by few of those.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::abi::{fragment_key, fragment_ports, rule_address};

/// `BPF_MAP_TYPE_*` of linux/bpf.h, by which the program names them: it has one of each type.
const HASH: u32 = 1;
const LRU_HASH: u32 = 9;
const LPM_TRIE: u32 = 11;

/// The entries of `fragments` in fragments.h: so many are known for certain, and some of as many before them.
const FRAGMENTS: usize = 16384;

/// Words, so that values lie as the program wants them.
type Values = HashMap<Box<[u8]>, Box<[u64]>, FxBuildHasher>;

/// A map that user space writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// `gap_histograms`.
    Histograms,
    /// `rule_addresses`.
    Addresses,
}

#[derive(Default)]
struct Stores {
    histograms: Values,
    addresses: Values,
    /// How many addresses there are of each length.
    lengths: BTreeMap<u32, usize>,
    /// Those used since the others became old, and the old ones, which go next.
    fragments: [Values; 2],
}

thread_local! {
    static STORES: RefCell<Stores> = RefCell::default();
}

/// All of them are empty from here on.
pub fn clear() {
    STORES.with_borrow_mut(|stores| *stores = Stores::default());
}

impl Store {
    /// Makes an entry, or replaces what is in it.
    pub fn update(self, key: &[u8], value: &[u8]) {
        STORES.with_borrow_mut(|stores| {
            if self == Store::Addresses && !stores.addresses.contains_key(key) {
                *stores.lengths.entry(prefix_length(key)).or_default() += 1;
            }
            stores.of(self).insert(key.into(), words(value));
        });
    }

    /// Removes an entry.
    pub fn delete(self, key: &[u8]) {
        STORES.with_borrow_mut(|stores| {
            if stores.of(self).remove(key).is_none() || self != Store::Addresses {
                return;
            }
            let length = prefix_length(key);
            let left = stores.lengths.get(&length).map_or(0, |count| count - 1);
            match left {
                0 => stores.lengths.remove(&length),
                _ => stores.lengths.insert(length, left),
            };
        });
    }

    /// Copies a value; false where there is no entry.
    pub fn read(self, key: &[u8], value: &mut [u8]) -> bool {
        STORES.with_borrow_mut(|stores| {
            let found = stores.of(self).get(key);
            for (bytes, word) in value.chunks_mut(8).zip(found.into_iter().flatten()) {
                bytes.copy_from_slice(&word.to_ne_bytes()[..bytes.len()]);
            }
            found.is_some()
        })
    }
}

impl Stores {
    fn of(&mut self, store: Store) -> &mut Values {
        match store {
            Store::Histograms => &mut self.histograms,
            Store::Addresses => &mut self.addresses,
        }
    }

    /// The value of the longest prefix that holds the address.
    fn address(&mut self, key: &[u8; size_of::<rule_address>()]) -> Option<&mut Box<[u64]>> {
        let covering = self.lengths.range(..=prefix_length(key)).rev();
        let prefixes = covering.map(|(length, _)| truncated(key, *length));
        let mut known = prefixes.filter(|prefix| self.addresses.contains_key(&prefix[..]));
        let longest = known.next()?;
        self.addresses.get_mut(&longest[..])
    }

    /// What is asked for is used, and becomes young again.
    fn fragment(&mut self, key: &[u8]) -> Option<&mut Box<[u64]>> {
        if !self.fragments[0].contains_key(key) {
            let value = self.fragments[1].remove(key)?;
            self.keep_fragment(key, value);
        }
        self.fragments[0].get_mut(key)
    }

    fn keep_fragment(&mut self, key: &[u8], value: Box<[u64]>) {
        let [young, old] = &mut self.fragments;
        if young.len() == FRAGMENTS {
            *old = std::mem::take(young);
        }
        young.insert(key.into(), value);
    }
}

fn words(value: &[u8]) -> Box<[u64]> {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_ne_bytes(word)
    };
    value.chunks(8).map(word).collect()
}

/// `rule_address.prefix_length`.
fn prefix_length(key: &[u8]) -> u32 {
    key.first_chunk()
        .map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// The key of a shorter prefix.
fn truncated<const SIZE: usize>(key: &[u8; SIZE], length: u32) -> [u8; SIZE] {
    let mut prefix = *key;
    prefix[..4].copy_from_slice(&length.to_ne_bytes());
    for (at, byte) in prefix[4..].iter_mut().enumerate() {
        let bits = (length as usize).saturating_sub(8 * at).min(8) as u32;
        *byte &= !u8::MAX.checked_shr(bits).unwrap_or(0);
    }
    prefix
}

/// For src/bpf/host/bpf/bpf_helpers.h: where a value is; null where there is none.
///
/// # Safety
///
/// `key` points to a key of the one map of this type. What is returned is used before the map changes.
// SAFETY: nobody else has this name, and the caller keeps the promise.
#[unsafe(no_mangle)]
unsafe extern "C" fn flowtop_native_look_up(kind: u32, key: *const c_void) -> *mut c_void {
    STORES.with_borrow_mut(|stores| {
        let value = match kind {
            // SAFETY: by the promise above; keys are plain bytes.
            HASH => unsafe { stores.histograms.get_mut(&*key.cast::<[u8; 4]>() as &[u8]) },
            // SAFETY: as above.
            LRU_HASH => unsafe { stores.fragment(&*key.cast::<[u8; size_of::<fragment_key>()]>()) },
            // SAFETY: as above.
            LPM_TRIE => unsafe { stores.address(&*key.cast()) },
            _ => None,
        };
        value.map_or(ptr::null_mut(), |value| value.as_mut_ptr().cast())
    })
}

/// The same: makes an entry, or replaces what is in it. The program does so with fragments only.
///
/// # Safety
///
/// `key` and `value` point to those of the one map of this type.
// SAFETY: nobody else has this name, and the caller keeps the promise.
#[unsafe(no_mangle)]
unsafe extern "C" fn flowtop_native_update(kind: u32, key: *const c_void, value: *const c_void) {
    if kind != LRU_HASH {
        return;
    }
    // SAFETY: by the promise above; both are plain bytes.
    let (key, value) = unsafe {
        (
            &*key.cast::<[u8; size_of::<fragment_key>()]>(),
            &*value.cast::<[u8; size_of::<fragment_ports>()]>(),
        )
    };
    STORES.with_borrow_mut(|stores| {
        stores.fragments[1].remove(&key[..]);
        stores.keep_fragment(key, words(value));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(length: u32, address: [u8; 3]) -> [u8; 24] {
        let mut key = [0; 24];
        key[..4].copy_from_slice(&length.to_ne_bytes());
        key[4..7].copy_from_slice(&address);
        key
    }

    fn look_up(kind: u32, key: &[u8]) -> Option<u64> {
        // SAFETY: a key as long as those of this type, and a value that is copied at once.
        unsafe {
            let value = flowtop_native_look_up(kind, key.as_ptr().cast());
            value.cast::<u64>().as_ref().copied()
        }
    }

    #[test]
    fn the_longest_prefix_that_holds_an_address_is_found() {
        clear();
        for (length, address, value) in
            [(8, [7, 0, 0], 1u64), (12, [7, 0x10, 0], 2), (0, [0; 3], 3)]
        {
            Store::Addresses.update(&key(length, address), &value.to_ne_bytes());
        }
        let find = |length, address| look_up(LPM_TRIE, &key(length, address));
        assert_eq!(find(24, [7, 0x1f, 9]), Some(2));
        assert_eq!(find(24, [7, 0x2f, 9]), Some(1));
        assert_eq!(find(10, [7, 0x1f, 9]), Some(1));
        assert_eq!(find(24, [8, 0, 0]), Some(3));
        Store::Addresses.delete(&key(12, [7, 0x10, 0]));
        Store::Addresses.delete(&key(0, [0; 3]));
        assert_eq!(find(24, [7, 0x1f, 9]), Some(1));
        assert_eq!(find(24, [8, 0, 0]), None);
    }

    /// The key of a fragmented packet.
    fn packet(n: u32) -> [u8; size_of::<fragment_key>()] {
        let mut key = [0; size_of::<fragment_key>()];
        key[..4].copy_from_slice(&n.to_ne_bytes());
        key
    }

    fn keep(n: u32) {
        // SAFETY: a key and a value of this type.
        unsafe {
            flowtop_native_update(LRU_HASH, packet(n).as_ptr().cast(), [n, n].as_ptr().cast());
        }
    }

    #[test]
    fn what_was_used_last_stays_and_memory_is_bounded() {
        clear();
        for n in 0..5 * FRAGMENTS as u32 {
            keep(n);
            assert!(look_up(LRU_HASH, &packet(0)).is_some(), "{n}");
            let few = n.saturating_sub(FRAGMENTS as u32 / 4);
            assert_eq!(
                look_up(LRU_HASH, &packet(few)),
                Some(u64::from(few) << 32 | u64::from(few))
            );
        }
        assert_eq!(look_up(LRU_HASH, &packet(1)), None);
        let kept = STORES.with_borrow(|stores| stores.fragments.iter().map(Values::len).sum());
        assert!((1..=2 * FRAGMENTS).contains(&kept), "{kept}");
    }

    #[test]
    fn as_many_fragmented_packets_are_known_as_the_kernel_knows() {
        clear();
        let before = 5000;
        let all = before..before + FRAGMENTS as u32;
        for n in (0..before).chain(all.clone()) {
            keep(n);
        }
        for n in all {
            assert!(look_up(LRU_HASH, &packet(n)).is_some(), "{n}");
        }
    }

    #[test]
    fn a_histogram_is_there_as_long_as_its_entry() {
        clear();
        let slot = 9u32.to_ne_bytes();
        assert_eq!(look_up(HASH, &slot), None);
        Store::Histograms.update(&slot, &[1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(look_up(HASH, &slot), Some(1));
        let mut value = [0; 9];
        assert!(Store::Histograms.read(&slot, &mut value) && value[8] == 2);
        Store::Histograms.delete(&slot);
        assert!(!Store::Histograms.read(&slot, &mut value));
    }
}
