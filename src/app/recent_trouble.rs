//! Whether there was trouble of late: what is the matter then stands beside the rates.

/// So long after the latest trouble columns stay as they are, ns: they do not come and go with each one.
const STAYS_NS: u64 = 60_000_000_000;

/// The times of the latest report, and of the latest one with a flow in trouble, ns.
#[derive(Debug, Default)]
pub(super) struct RecentTrouble {
    shown: u64,
    troubled: Option<u64>,
}

impl RecentTrouble {
    /// Records when a report was taken, and whether flows were in trouble then.
    pub fn record(&mut self, taken_ns: u64, in_trouble: usize) {
        self.shown = taken_ns;
        if in_trouble > 0 {
            self.troubled = Some(taken_ns);
        }
    }

    /// Whether a flow is in trouble, or was a moment ago.
    pub fn is_there(&self) -> bool {
        let is_recent = |troubled| self.shown.saturating_sub(troubled) < STAYS_NS;
        self.troubled.is_some_and(is_recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_recent_for_a_minute() {
        let mut trouble = RecentTrouble::default();
        for (second, in_trouble, expected) in [
            (1, 0, false),
            (2, 3, true),
            (61, 0, true),
            (62, 0, false),
            (63, 1, true),
            (122, 2, true),
            (181, 0, true),
            (182, 0, false),
        ] {
            trouble.record(second * 1_000_000_000, in_trouble);
            assert_eq!(trouble.is_there(), expected, "{second} s");
        }
    }
}
