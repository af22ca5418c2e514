//! Where a flow is in a list, by its key. The keys are in the list alone.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use super::Flow;
use crate::model::flow::FlowKey;

/// Says at which index of the report a flow is.
pub fn finder(by_key: &HashTable<u32>) -> impl Fn(&[Flow], &FlowKey) -> Option<u32> + '_ {
    |flows, key| {
        let is_it = |index: &u32| flows[*index as usize].key == *key;
        by_key.find(hash(key), is_it).copied()
    }
}

/// The hash of a key in such a table.
pub fn hash(key: &FlowKey) -> u64 {
    FxBuildHasher.hash_one(key)
}
