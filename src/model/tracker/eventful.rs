//! Which flows may have something to tell: of a million flows, an observer looks at these alone.

use super::{Flow, Report};

/// The flows to which something else happened than packets one after the other, and those that have just fallen silent; maybe a few
/// more. Without an interval that has ended with a snapshot it is not known which ones they are.
#[derive(Debug, Clone, Default)]
pub struct Eventful {
    /// When the two snapshots before were taken, the later one last; an observer that missed either has to look at all flows.
    /// `None`: everybody has to.
    after: Option<[u64; 2]>,
    /// A bit for each flow in the list.
    bits: Vec<u64>,
}

/// It says where to look, not what is there.
impl PartialEq for Eventful {
    fn eq(&self, _: &Eventful) -> bool {
        true
    }
}

impl Eventful {
    /// None of so many flows so far.
    pub fn new(after: Option<[u64; 2]>, flows: usize) -> Eventful {
        Eventful {
            after,
            bits: vec![0; flows.div_ceil(64)],
        }
    }

    /// Adds the flow at this place, of which a sample has come, if it is one of them.
    #[inline]
    pub fn add_if_eventful(&mut self, index: usize, flow: &Flow) {
        // Its packet may be from before the latest snapshot, and none have come since.
        let latest_ns = self.after.map_or(0, |[_, latest_ns]| latest_ns);
        let is_one = !flow.is_uneventful() || flow.last_seen_ns < latest_ns;
        self.bits[index / 64] |= u64::from(is_one) << (index % 64);
    }

    /// Whether the last packet of a flow of which no sample has come may be one that the snapshot before told of. It may have come
    /// while that was read, or the one before it, whose time is that of its beginning.
    pub fn may_have_fallen_silent(&self, flow: &Flow) -> bool {
        self.after
            .is_some_and(|[earlier_ns, _]| flow.last_seen_ns >= earlier_ns)
    }

    /// Adds the flow at this place.
    pub fn add(&mut self, index: usize) {
        self.bits[index / 64] |= 1 << (index % 64);
    }

    /// The flow at this place leaves the list, and the last one takes its place. That a place stays which nobody has any more, or
    /// one flow too many is looked at, does no harm.
    pub fn swap_remove(&mut self, index: usize, last: usize) {
        if self.after.is_some() && self.bits[last / 64] >> (last % 64) & 1 != 0 {
            self.add(index);
        }
    }

    fn places(&self) -> impl Iterator<Item = usize> + '_ {
        (0..).zip(&self.bits).flat_map(|(block, bits)| {
            let next = |left: &u64| Some(left & left.wrapping_sub(1)).filter(|_| *left != 0);
            let lefts = std::iter::successors(Some(*bits), next).take_while(|left| *left != 0);
            lefts.map(move |left| block * 64 + left.trailing_zeros() as usize)
        })
    }
}

impl Report {
    /// The flows that may have something to tell, in their order. `seen`: when the two reports before were taken, the later one
    /// last, to who has looked through both of them. All flows where it is not, or where it is not known which ones.
    pub fn eventful_since(&self, seen: Option<[u64; 2]>) -> impl Iterator<Item = &Flow> {
        let is_known = seen.is_some() && self.eventful.after == seen;
        let known = is_known.then_some(&self.eventful);
        let all = known.is_none().then(|| self.glances());
        let some = known.into_iter().flat_map(Eventful::places);
        let some = some.filter_map(|at| self.flows.get(at));
        all.into_iter().flatten().chain(some)
    }
}

#[cfg(test)]
mod tests {
    use super::Eventful;
    use crate::model::event::{EventLog, TimeOfDay};
    use crate::model::observer::Observer;
    use crate::model::snapshot::{FlowSample, Sequence};
    use crate::model::tracker::Report;
    use crate::model::tracker::advance::tests::{SECOND, sample, snapshot, tracker, with_numbers};
    use crate::model::tracker::unsteady::World;

    #[test]
    fn an_observer_of_them_tells_what_one_of_all_flows_does() {
        let mut world = World::silent();
        let mut tracker = tracker();
        let (mut of_some, mut of_all) = (Observer::default(), Observer::default());
        let (mut some_log, mut all_log) = (EventLog::default(), EventLog::default());
        let (mut looked_at, mut listed) = (0, 0);
        let mut seen = [0; 2];
        for second in 2..3000 {
            let snapshot = world.read(second);
            match world.random.below(20) {
                0 => tracker.advance(&snapshot),
                _ => tracker.advance_and_close(&snapshot),
            }
            if world.random.one_in(200) {
                tracker.reset();
                of_some.start_at_zero();
                of_all.start_at_zero();
            }
            // Now and then nobody looks.
            if world.random.one_in(30) {
                continue;
            }
            let report = tracker.report();
            looked_at += report.eventful_since(Some(seen)).count();
            listed += report.flows.len();
            let unknowing = Report {
                eventful: Eventful::default(),
                ..report.clone()
            };
            of_some.observe(report, TimeOfDay::default(), &mut some_log);
            of_all.observe(&unknowing, TimeOfDay::default(), &mut all_log);
            assert_eq!(some_log.events(), all_log.events(), "{second}");
            seen = [seen[1], report.taken_ns];
        }
        assert!(all_log.latest() > 400, "{} events", all_log.latest());
        assert!(looked_at < listed * 3 / 4, "{looked_at} of {listed}");
    }

    #[test]
    fn a_flow_falls_silent_after_a_packet_that_came_while_a_snapshot_was_read() {
        let mut tracker = tracker();
        let last_seen_ns = 2 * SECOND + 1;
        for second in 1..=6 {
            let flow = FlowSample {
                last_seen_ns,
                ..sample(0, 1, 5, 12)
            };
            let came = if second == 2 { &[flow][..] } else { &[] };
            tracker.advance_and_close(&snapshot(second, came, &[]));
            let seen = [second.saturating_sub(2), second - 1].map(|second| second * SECOND);
            let looked_at = tracker.report().eventful_since(Some(seen)).count();
            // Between the second snapshot and the third it had a packet, and none in the next second.
            assert_eq!(
                looked_at,
                usize::from((3..=4).contains(&second)),
                "{second}"
            );
        }
    }

    #[test]
    fn a_flow_that_takes_the_place_of_another_is_still_one_of_them() {
        const LAST: u32 = 69;
        let mut tracker = tracker();
        for second in 1..=3 {
            let flows = (0..=LAST).map(|slot| {
                let lost = u64::from(second == 3 && slot == LAST);
                let numbers = Sequence {
                    lost,
                    small_errors: lost,
                    ..Sequence::default()
                };
                let of = sample(slot, 1, slot as u16, second);
                FlowSample {
                    last_seen_ns: second * SECOND,
                    ..with_numbers(of, Some(numbers))
                }
            });
            let freed: &[u32] = if second == 3 { &[1] } else { &[] };
            tracker.advance_and_close(&snapshot(second, &flows.collect::<Vec<_>>(), freed));
        }
        let report = tracker.report();
        assert_eq!(report.flows[1].key.source_port, LAST as u16);
        let some = report.eventful_since(Some([SECOND, 2 * SECOND]));
        assert_eq!(some.collect::<Vec<_>>(), [&report.flows[1]]);
    }
}
