//! What a column takes its cells from.

use super::{Context, Value};
use crate::model::counts::Counts;
use crate::model::flow_groups::{FlowGroup, GroupFigures, GroupKey};
use crate::model::histogram::Histogram;
use crate::model::tracker::{Flow, Interface, Rates, RuleReport};

/// Rows that have sums: what was counted of them, and how fast it came.
pub trait HasCounts {
    fn counts(&self) -> &Counts;

    fn rates(&self) -> Option<&Rates> {
        None
    }
}

impl HasCounts for Flow {
    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn rates(&self) -> Option<&Rates> {
        self.rates.as_ref()
    }
}

impl HasCounts for Interface {
    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn rates(&self) -> Option<&Rates> {
        self.rates.as_ref()
    }
}

impl HasCounts for RuleReport {
    fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// Rows that may have a histogram of gaps.
pub trait HasHistogram {
    fn histogram(&self) -> Option<&Histogram>;
}

impl HasHistogram for Flow {
    fn histogram(&self) -> Option<&Histogram> {
        self.histogram.as_deref()
    }
}

impl HasHistogram for RuleReport {
    fn histogram(&self) -> Option<&Histogram> {
        self.gaps.as_ref().map(|gaps| &gaps.all)
    }
}

/// Rows that stand for flows.
pub trait HasFigures {
    /// What they come to, as far as it is known.
    fn figures<'a>(&'a self, context: &Context<'a>) -> Option<&'a GroupFigures>;
}

impl HasFigures for FlowGroup {
    fn figures<'a>(&'a self, _: &Context<'a>) -> Option<&'a GroupFigures> {
        Some(&self.figures)
    }
}

impl HasFigures for RuleReport {
    fn figures<'a>(&'a self, context: &Context<'a>) -> Option<&'a GroupFigures> {
        let key = GroupKey::Rule(Some(self.name.clone()));
        context.rules?.figures(&key)
    }
}

/// What a cell is made of: the row, or what it has in common with sums over rows, with others that have a histogram or with
/// others that stand for flows.
pub enum Source<T> {
    Row(for<'a> fn(&'a T, &Context<'a>) -> Value<'a>),
    Counts(fn(&T) -> &Counts, fn(&Counts) -> Value<'static>),
    Rates(fn(&T) -> Option<&Rates>, fn(&Rates) -> Value<'static>),
    Histogram(fn(&T) -> Option<&Histogram>, fn(&Histogram) -> Option<f64>),
    Figures(
        for<'a> fn(&'a T, &Context<'a>) -> Option<&'a GroupFigures>,
        fn(&GroupFigures) -> Value<'static>,
    ),
}

impl<T> Clone for Source<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Source<T> {}
