//! What a flow does again and again, gaps, pauses and late packets, is told at once, and what comes then is told together, once
//! a minute: else it would bury all other events.

use rustc_hash::FxHashMap;

use crate::model::event::{EventKind, TimeOfDay};
use crate::model::flow::FlowKey;

/// What came after it was told is told together after this, ns.
const AGAIN_NS: u64 = 60_000_000_000;

/// How often something happened to a flow, and what that came to.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    /// Only goes down where all totals are set to zero.
    pub times: u64,
    /// Packets, pauses or, of TCP's gaps, bytes; what turns up late takes them off again.
    pub amount: u64,
}

/// What was told of one flow.
#[derive(Default)]
struct Told {
    tally: Tally,
    /// When it was told last, as ns and as a time of day, if it was.
    at: Option<(u64, TimeOfDay)>,
    /// Whether there is something new that waits.
    waits: bool,
}

impl Told {
    fn is_older_than(&self, ns: u64, now_ns: u64) -> bool {
        self.at
            .is_none_or(|(told_ns, _)| now_ns.saturating_sub(told_ns) >= ns)
    }
}

/// What was told of each flow, by the kind of event.
#[derive(Default)]
pub struct Folds {
    told: FxHashMap<(FlowKey, EventKind), Told>,
}

impl Folds {
    /// What is to be told now: what came since it was told last, and when that was.
    pub fn unfold(
        &mut self,
        about: (FlowKey, EventKind),
        tally: Tally,
        now: (u64, TimeOfDay),
    ) -> Option<(Tally, Option<TimeOfDay>)> {
        if tally.times == 0 && !self.told.contains_key(&about) {
            return None;
        }
        let told = self.told.entry(about).or_default();
        if tally.times < told.tally.times {
            told.tally = Tally::default();
        }
        told.tally.amount = told.tally.amount.min(tally.amount);
        if tally.amount == told.tally.amount {
            // Nothing came of what happened meanwhile.
            told.tally.times = tally.times;
        }
        let news = Tally {
            times: tally.times - told.tally.times,
            amount: tally.amount - told.tally.amount,
        };
        told.waits = news.times > 0;
        if !told.waits || !told.is_older_than(AGAIN_NS, now.0) {
            return None;
        }
        (told.tally, told.waits) = (tally, false);
        let before = told.at.replace(now);
        Some((news, before.map(|(_, at)| at)))
    }

    /// Another flow has this key: nothing of it was told. When something was told of the key stays.
    pub fn begin_anew(&mut self, key: FlowKey) {
        for kind in [EventKind::Late, EventKind::Gap, EventKind::Resumed] {
            let told = self.told.get_mut(&(key, kind)).into_iter();
            told.for_each(|told| (told.tally, told.waits) = (Tally::default(), false));
        }
    }

    /// Whether something has waited long enough, of flows that may have no packets any more. What nobody has asked for a
    /// minute later is forgotten: its flow has left.
    pub fn are_due(&mut self, now_ns: u64) -> bool {
        self.told
            .retain(|_, told| !told.waits || !told.is_older_than(2 * AGAIN_NS, now_ns));
        let mut all = self.told.values();
        all.any(|told| told.waits && told.is_older_than(AGAIN_NS, now_ns))
    }

    /// Keeps what was told of these flows, and forgets the others.
    pub fn keep_only(&mut self, is_listed: impl Fn(&FlowKey) -> bool) {
        self.told.retain(|(key, _), _| is_listed(key));
        self.told.shrink_to_fit();
    }
}
