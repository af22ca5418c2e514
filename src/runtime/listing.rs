//! Which flows a record lists.

use crate::model::alert::Alerts;
use crate::model::column::{Context, Sort};
use crate::model::preferences::Unit;
use crate::model::query::Query;
use crate::model::top::Top;
use crate::model::tracker::{Flow, Report};

/// The flows that the command line asks for.
pub struct Listing {
    filter: Option<Query>,
    most: Option<usize>,
    sort: Option<Sort>,
}

impl Listing {
    /// By the words of the command line, whose mistakes were found when it was read.
    pub fn new(filter: Option<&str>, most: Option<usize>, sort: Option<Sort>) -> Listing {
        Listing {
            filter: filter.map(|text| Query::parse(text).unwrap_or_default()),
            most,
            sort,
        }
    }

    /// The flows to list, if not all are; `sort` and `unit` are those of the configuration.
    pub fn top(&self, report: &Report, alerts: &Alerts, sort: Sort, unit: Unit) -> Option<Top> {
        if self.most.is_none() && self.filter.is_none() && self.sort.is_none() {
            return None;
        }
        let context = Context {
            unit,
            now_ns: report.taken_ns,
            alerts: Some(alerts),
            ..Context::default()
        };
        let mut scratch = String::new();
        let is_wanted = |flow: &Flow| {
            let filter = self.filter.as_ref();
            filter.is_none_or(|it| it.matches(flow, &context, &[], &mut scratch))
        };
        let sort = self.sort.unwrap_or(sort);
        let most = self.most.unwrap_or(usize::MAX);
        Some(Top::of(&report.flows, is_wanted, &sort, most, &context))
    }
}
