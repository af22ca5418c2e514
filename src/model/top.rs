//! The first flows by some order of those that are wanted, and what all others come to: a record whose sums stay exact,
//! however few it lists.

use std::collections::BTreeMap;

use super::column::{Context, Ranking, Sort};
use super::snapshot::{Counts, Sequence, Volume};
use super::tracker::{Flow, Rates};

/// Which flows of a report are listed, and the sums over the others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Top {
    /// Places of the listed flows in the report, in their order.
    pub rows: Vec<u32>,
    /// What the others come to.
    pub remainder: Remainder,
    /// The volume of the others on each interface, by its index.
    pub unlisted: BTreeMap<u32, Volume>,
}

/// Sums over flows that are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Remainder {
    /// How many they are.
    pub flows: usize,
    /// What was counted; of TCP's numbers, which are bytes, in `tcp`.
    pub counts: Counts,
    /// Rates of those whose rates are known; `None` where none is.
    pub rates: Option<Rates>,
    /// TCP's numbers; `None` where no flow has any.
    pub tcp: Option<Sequence>,
}

impl Top {
    /// The first `most` of the wanted flows in this order.
    pub fn of(
        flows: &[Flow],
        mut is_wanted: impl FnMut(&Flow) -> bool,
        sort: &Sort,
        most: usize,
        context: &Context,
    ) -> Top {
        let mut top = Top::default();
        let mut ranking = Ranking::default();
        for (row, flow) in (0..).zip(flows) {
            if !is_wanted(flow) {
                top.leave_out(flow);
                continue;
            }
            let cell = sort.column.value(flow, context);
            ranking.add(row, sort, &cell);
        }
        let mut rows = Vec::new();
        let part = 0..most.min(ranking.len());
        ranking.sort(&mut rows, sort, flows, context, Flow::tie, |_| part.clone());
        for row in rows.drain(part.end..) {
            top.leave_out(&flows[row as usize]);
        }
        Top { rows, ..top }
    }

    fn leave_out(&mut self, flow: &Flow) {
        *self.unlisted.entry(flow.key.ifindex).or_default() += flow.counts.volume();
        let rest = &mut self.remainder;
        rest.flows += 1;
        let mut counts = flow.counts;
        if let Some(of_tcp) = counts.sequence.take_if(|sequence| sequence.is_of_stream()) {
            *rest.tcp.get_or_insert_default() += of_tcp;
        }
        rest.counts += counts;
        if let Some(rates) = &flow.rates {
            *rest.rates.get_or_insert_default() += *rates;
        }
    }
}
