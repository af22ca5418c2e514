//! What the order of the rows asks of each flow, side by side in memory: of a million flows, a pass reads 8 MB instead of a
//! cache line of each.

use super::state::push_lean;
use super::{Flow, Report};

/// The throughput of each flow, and which flows are to be looked at themselves: those that may lose something or be in trouble.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    /// Bytes per second; NaN where it is not known.
    throughput: Vec<f64>,
    /// A bit for each flow in the list.
    marked: Vec<u64>,
}

/// It says again what the flows say.
impl PartialEq for Outline {
    fn eq(&self, _: &Outline) -> bool {
        true
    }
}

impl Outline {
    /// Says what the flow at this place says now.
    #[inline]
    pub(super) fn set(&mut self, index: usize, flow: &Flow) {
        self.throughput[index] = flow.rates.map_or(f64::NAN, |rates| rates.throughput);
        let is_marked = flow.may_lose() || flow.is_in_trouble();
        let word = &mut self.marked[index / 64];
        *word = *word & !(1 << (index % 64)) | u64::from(is_marked) << (index % 64);
    }

    /// A flow is added to the list.
    pub(super) fn push(&mut self, flow: &Flow) {
        let index = self.throughput.len();
        push_lean(&mut self.throughput, f64::NAN);
        self.marked.resize(index / 64 + 1, 0);
        self.set(index, flow);
    }

    /// The flow at this place leaves the list, and the last one takes its place.
    pub(super) fn swap_remove(&mut self, index: usize, flows: &[Flow]) {
        self.throughput.swap_remove(index);
        if let Some(flow) = flows.get(index) {
            self.set(index, flow);
        }
    }

    /// Says it of all flows anew, as they are listed in another order.
    pub(super) fn remake(&mut self, flows: &[Flow]) {
        for (index, flow) in flows.iter().enumerate() {
            self.set(index, flow);
        }
    }

    /// Throughput of the flow at this place, bytes per second, NaN where it is not known; `None` if the flow itself is to be
    /// looked at.
    #[inline]
    pub fn throughput(&self, index: usize) -> Option<f64> {
        let is_marked = self.marked[index / 64] >> (index % 64) & 1 != 0;
        (!is_marked).then(|| self.throughput[index])
    }
}

impl Report {
    /// The same of all flows in short, where that is at hand.
    pub fn outline(&self) -> Option<&Outline> {
        let outline = &self.outline;
        (outline.throughput.len() == self.flows.len()).then_some(outline)
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, Outline};
    use crate::model::tracker::advance::tests::{sample, snapshot, tracker};
    use crate::model::tracker::unsteady::World;

    #[test]
    fn in_another_order_it_says_the_same_of_each_flow() {
        let mut tracker = tracker();
        for second in 1..=2 {
            let flows =
                [1, 2, 3].map(|slot| sample(slot, 1, slot as u16, second * u64::from(slot)));
            tracker.advance_and_close(&snapshot(second, &flows, &[]));
        }
        let mut flows = tracker.report().flows.clone();
        let mut outline = Outline::default();
        flows.iter().for_each(|flow| outline.push(flow));
        flows.reverse();
        outline.remake(&flows);
        let of = |flow: &Flow| flow.rates.map(|rates| rates.throughput);
        let rates: Vec<_> = flows.iter().map(of).collect();
        assert!(rates.is_sorted_by(|a, b| a > b), "{rates:?}");
        let said: Vec<_> = (0..3).map(|at| outline.throughput(at)).collect();
        assert_eq!(said, rates);
    }

    #[test]
    fn it_says_what_the_flows_say_or_to_look_at_them() {
        let mut world = World::silent();
        let mut tracker = tracker();
        let (mut told, mut marked, mut idle) = (0, 0, 0);
        for second in 2..3000 {
            let snapshot = world.read(second);
            match world.random.below(20) {
                0 => tracker.advance(&snapshot),
                1 => {
                    tracker.advance(&snapshot);
                    tracker.close_interval();
                }
                _ => tracker.advance_and_close(&snapshot),
            }
            if world.random.one_in(100) {
                tracker.reset();
            }
            let report = tracker.report();
            let outline = report.outline().expect("it is at hand");
            for (at, flow) in report.flows.iter().enumerate() {
                let Some(throughput) = outline.throughput(at) else {
                    marked += 1;
                    continue;
                };
                assert!(!flow.is_losing() && flow.trouble().is_none());
                let rate = flow.rates.map(|rates| rates.throughput);
                let said = (!throughput.is_nan()).then_some(throughput);
                assert_eq!(said, rate, "{second}");
                told += 1;
                idle += usize::from(said == Some(0.0));
            }
        }
        assert!(marked > 100, "{marked}");
        assert!(idle > 100 && told > 4 * marked, "{told}, {idle}, {marked}");
    }
}
