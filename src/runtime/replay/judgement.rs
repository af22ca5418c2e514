//! Checks of a recording: judged by what came within the span, of all runs in it, and by that alone.
//!
//! Where there are records, too, a tracker of its own takes in what theirs does, whose totals are those since the start of the
//! run. What was counted before the span, or while nothing could be read, is in neither: totals begin at zero where the
//! span does, and again behind each hole.

use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::model::preferences::Unit;
use crate::model::tracker::{FlowTracker, FormerRuns};
use crate::recording::Entry;
use crate::runtime::checks::Checks;

/// What is said where something of the span is not there.
const HOLE: &str = "a part of the recording is missing, or could not be read";
/// What is said where there is nothing.
const NOTHING: &str = "nothing was recorded then";

/// What came of a run so far, or of several.
#[derive(Default)]
struct Part {
    runs: Option<FormerRuns>,
    has_hole: bool,
}

impl Part {
    fn add(&mut self, runs: FormerRuns) {
        match &mut self.runs {
            Some(before) => before.add(runs),
            None => self.runs = Some(runs),
        }
    }

    fn join(&mut self, next: Part) {
        next.runs.into_iter().for_each(|runs| self.add(runs));
        self.has_hole |= next.has_hole;
    }
}

/// The checks, and what they are judged by.
pub struct Judgement {
    checks: Checks,
    /// From when to when, ns since 1970.
    span: (i64, i64),
    /// That of the run, while it goes on.
    tracker: Option<Box<FlowTracker>>,
    run: u64,
    /// When it last took something in, ns since 1970.
    latest_ns: i64,
    /// Flows are kept.
    is_in_span: bool,
    /// Something could not be read since then.
    is_damaged: bool,
    /// What came of this run, up to a hole.
    this_run: Part,
    /// What came of runs before it.
    former: Part,
}

impl Judgement {
    /// Judges these over a span, ns since 1970.
    pub fn new(checks: Checks, span: (i64, i64)) -> Judgement {
        Judgement {
            checks,
            span,
            tracker: None,
            run: 0,
            latest_ns: i64::MIN,
            is_in_span: false,
            is_damaged: false,
            this_run: Part::default(),
            former: Part::default(),
        }
    }

    /// The first configuration that is read: its checks are judged if no others are. False: there are none.
    pub fn find_checks(&mut self, config: &Config) -> Result<bool, Failure> {
        self.checks.find(config)?;
        Ok(!self.checks.is_empty())
    }

    /// Whether they are those of this configuration.
    pub fn has_checks_of(&self, config: &Config) -> bool {
        self.checks.are(&config.checks)
    }

    /// Something cannot be read.
    pub fn damage(&mut self) {
        self.is_damaged = true;
    }

    /// Reading begins here, or anew, with what this run had counted at `wall_ns`.
    pub fn begin(&mut self, run: u64, wall_ns: i64, tracker: Box<FlowTracker>) {
        self.leave_span();
        let is_first = self.tracker.is_none();
        let is_amid = tracker.report().taken_ns > 0;
        let is_same = !is_first && run == self.run;
        if self.is_damaged || is_same || !is_first && is_amid {
            self.note_hole(wall_ns);
        }
        if !is_same {
            let before = std::mem::take(&mut self.this_run);
            self.former.join(before);
        }
        self.is_damaged = false;
        (self.run, self.latest_ns) = (run, wall_ns);
        self.tracker = Some(tracker);
    }

    /// Nothing is known up to this moment: whether that matters.
    fn note_hole(&mut self, until_ns: i64) {
        let (from, to) = self.span;
        self.this_run.has_hole |= self.latest_ns < to && until_ns >= from;
    }

    /// The tracker takes this in. `config`: that of the run.
    pub fn apply_entry(&mut self, wall_ns: i64, entry: &Entry, config: &Config) {
        let (from, to) = self.span;
        match ((from..=to).contains(&wall_ns), self.is_in_span) {
            (true, false) => self.enter_span(config),
            (false, true) => self.leave_span(),
            _ => {}
        }
        let Some(tracker) = &mut self.tracker else {
            return;
        };
        entry.apply(tracker);
        self.latest_ns = wall_ns;
        if self.is_in_span && matches!(entry, Entry::Reset) {
            // The run begins anew, and what could not be read of it does not matter any more.
            self.this_run = Part::default();
        }
    }

    fn enter_span(&mut self, config: &Config) {
        if let Some(tracker) = &mut self.tracker {
            self.checks.begin(tracker, config);
            self.is_in_span = true;
        }
    }

    fn leave_span(&mut self) {
        self.is_in_span = false;
        if let Some(tracker) = &mut self.tracker {
            // Runs have clocks of their own: moments are ns since 1970 in what is added up.
            let ahead_ns = self.latest_ns - tracker.report().taken_ns as i64;
            tracker
                .end_run(ahead_ns)
                .into_iter()
                .for_each(|it| self.this_run.add(it));
        }
    }

    /// Judges, tells line by line, and writes the report.
    pub fn conclude(mut self, unit: Unit, mut tell: impl FnMut(&str)) -> Result<(), Failure> {
        self.leave_span();
        if self.is_damaged {
            self.note_hole(i64::MAX);
        }
        let mut all = self.former;
        all.join(self.this_run);
        let missing: &[&str] = match (&all.runs, all.has_hole) {
            (_, true) => &[HOLE],
            (None, false) => &[NOTHING],
            (Some(_), false) => &[],
        };
        let runs = all.runs.unwrap_or_else(FormerRuns::none);
        let run = runs.whole(missing);
        match self.checks.judge(&run, unit, |line| tell(line))? {
            None => Ok(()),
            Some(unmet) => Err(Failure::new(Exit::Unmet, unmet)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::check::Check;
    use crate::model::flow::{FlowKey, Protocol};
    use crate::model::snapshot::{Counts, FlowSample, Snapshot};
    use crate::model::tracker::Intervals;

    const SECOND: u64 = 1_000_000_000;
    /// The clock of runs began then, s since 1970.
    const THEN: i64 = 1_000_000;

    /// A run whose flow has a packet more in each second.
    fn reading(second: u64) -> Entry {
        let ends = (Ipv4Addr::LOCALHOST, 1);
        let key = FlowKey::incoming(7, Protocol::Udp, ends, ends);
        let flow = FlowSample {
            counts: Counts {
                packets: second,
                ..Counts::default()
            },
            ..FlowSample::new(0, key)
        };
        Entry::Snapshot {
            snapshot: Box::new(Snapshot {
                taken_ns: second * SECOND,
                flows: vec![flow],
                ..Snapshot::default()
            }),
            closes: 1,
        }
    }

    fn wall_ns(second: u64) -> i64 {
        (THEN + second as i64) * SECOND as i64
    }

    /// A tracker that goes on after this second.
    fn since(second: u64) -> Box<FlowTracker> {
        let intervals = Intervals {
            refresh_ns: SECOND,
            jitter_ns: SECOND,
        };
        let mut tracker = Box::new(FlowTracker::new(intervals, 0));
        if second > 0 {
            reading(second).apply(&mut tracker);
        }
        tracker
    }

    fn over(from: u64, to: u64) -> Judgement {
        let check = Check::parse("=> packets=0").expect("a check");
        Judgement::new(Checks::from(vec![check]), (wall_ns(from), wall_ns(to)))
    }

    impl Judgement {
        fn read(&mut self, seconds: std::ops::RangeInclusive<u64>) {
            for second in seconds {
                self.apply_entry(wall_ns(second), &reading(second), &Config::default());
            }
        }

        /// What the check is told to have found: its packets, over how long, and whether something is missing.
        fn found(self) -> (String, String, bool) {
            let mut lines = Vec::new();
            let judged = self.conclude(Unit::Bytes, |line| lines.push(line.to_owned()));
            assert_eq!(judged.expect_err("it never holds").code, Exit::Unmet);
            let text = lines.join("\n");
            let part = |from: &str, to: &str| {
                let behind = text.split(from).nth(1).unwrap_or_default();
                behind.split(to).next().unwrap_or_default().to_owned()
            };
            let packets = part("worst: packets ", ",");
            (packets, part("checks over ", "\n"), text.contains(HOLE))
        }
    }

    fn is(packets: &str, over: &str, is_missing: bool) -> (String, String, bool) {
        (packets.to_owned(), over.to_owned(), is_missing)
    }

    #[test]
    fn totals_are_those_of_the_span() {
        for (begins, from, to, expected) in [
            (0, 0, 99, is("20", "20 s", false)),
            // The beginning is gone, or before the span.
            (5, 0, 99, is("15", "15 s", false)),
            (5, 10, 99, is("11", "11 s", false)),
            (5, 10, 12, is("3", "3.0 s", false)),
            (5, 30, 99, is("", "0.0 s", false)),
        ] {
            let mut judgement = over(from, to);
            judgement.begin(1, wall_ns(begins), since(begins));
            judgement.read(begins + 1..=20);
            assert_eq!(judgement.found(), expected, "{begins} {from} {to}");
        }
    }

    #[test]
    fn what_is_missing_of_a_run_is_in_no_figure_and_told() {
        // Seconds 6 to 9 cannot be read.
        for (from, to, expected) in [
            (0, 99, is("16", "16 s", true)),
            (0, 5, is("5", "5.0 s", false)),
            (0, 6, is("5", "5.0 s", true)),
            (9, 99, is("11", "11 s", true)),
            (10, 99, is("11", "11 s", false)),
        ] {
            let mut judgement = over(from, to);
            judgement.begin(1, wall_ns(0), since(0));
            judgement.read(1..=5);
            judgement.begin(1, wall_ns(9), since(9));
            judgement.read(10..=20);
            assert_eq!(judgement.found(), expected, "{from} {to}");
        }
        // Totals that were set to zero behind it begin there.
        let mut judgement = over(0, 99);
        judgement.begin(1, wall_ns(0), since(0));
        judgement.read(1..=5);
        judgement.begin(1, wall_ns(9), since(9));
        judgement.read(10..=12);
        judgement.apply_entry(wall_ns(12), &Entry::Reset, &Config::default());
        judgement.read(13..=20);
        assert_eq!(judgement.found(), is("8", "8.0 s", false));
    }

    #[test]
    fn runs_are_added_up_and_each_begins_anew_by_itself() {
        let mut judgement = over(0, 999);
        judgement.begin(1, wall_ns(0), since(0));
        judgement.read(1..=5);
        judgement.begin(2, wall_ns(0), since(0));
        judgement.read(1..=3);
        judgement.apply_entry(wall_ns(3), &Entry::Reset, &Config::default());
        judgement.read(4..=20);
        assert_eq!(judgement.found(), is("22", "22 s", false));
        // The end of the first one cannot be read, or the beginning of the second one is not there.
        for (is_damaged, begins) in [(true, 0), (false, 10)] {
            let mut judgement = over(0, 999);
            judgement.begin(1, wall_ns(0), since(0));
            judgement.read(1..=5);
            if is_damaged {
                judgement.damage();
            }
            judgement.begin(2, wall_ns(begins), since(begins));
            judgement.read(begins + 1..=20);
            let packets = 25 - begins;
            let expected = is(&packets.to_string(), &format!("{packets} s"), true);
            assert_eq!(judgement.found(), expected);
        }
        let mut judgement = over(0, 999);
        judgement.begin(1, wall_ns(0), since(0));
        judgement.read(1..=5);
        judgement.damage();
        assert_eq!(judgement.found(), is("5", "5.0 s", true));
    }
}
