//! The rows of the Interfaces view: the interfaces, and the rules below them.
//!
//! They share one selection: a step beyond the last interface goes to the first rule, and one above the first rule goes
//! back.

use std::sync::Arc;

use super::layout::{Pages, Placed};
use super::reorder::Reorder;
use super::step::Step;
use super::table::Table;
use crate::model::column::{Context, INTERFACE_COLUMNS, RULE_COLUMNS, Sort, verdict};
use crate::model::flow_groups::{FlowGroups, GroupBy};
use crate::model::query::Query;
use crate::model::snapshot::Hook;
use crate::model::tracker::{Flow, Interface, Report, RuleReport};

/// Interfaces and rules in their order, and which of them is selected.
#[derive(Debug)]
pub struct InterfaceRows {
    interfaces: Table<u32, Interface>,
    rules: Table<Arc<str>, RuleReport>,
    /// What the flows of each rule come to, as long as somebody looks at it.
    of_rules: FlowGroups,
    /// Whether the selection is among the rules.
    in_rules: bool,
    interface_count: usize,
    rule_count: usize,
}

fn ifindexes(shown: &Report) -> impl Fn(u32) -> u32 {
    |row| shown.interfaces[row as usize].ifindex
}

fn rule_names(shown: &Report) -> impl Fn(u32) -> Arc<str> {
    |row| shown.rules[row as usize].name.clone()
}

/// Whether the filter matches an interface: its name, its state or its hook.
fn is_wanted(interface: &Interface, query: &Query) -> bool {
    let hook = interface.hook.map_or("not attached", Hook::name);
    let (name, state) = (&interface.name, interface.state.name());
    query.matches_interface(name, &format!("{name} {state} {hook}"))
}

impl InterfaceRows {
    /// No rows yet.
    pub(super) fn new() -> InterfaceRows {
        InterfaceRows {
            interfaces: Table::new(Sort::by(&INTERFACE_COLUMNS[0])),
            rules: Table::new(Sort::by(&RULE_COLUMNS[0])),
            of_rules: FlowGroups::default(),
            in_rules: false,
            interface_count: 0,
            rule_count: 0,
        }
    }

    /// The interfaces.
    pub fn table(&self) -> &Table<u32, Interface> {
        &self.interfaces
    }

    /// The rules, in their own order: the first one that matches counts.
    pub fn rules(&self) -> &Table<Arc<str>, RuleReport> {
        &self.rules
    }

    /// What the flows of each rule come to.
    pub(super) fn of_rules(&self) -> &FlowGroups {
        &self.of_rules
    }

    /// Whether the selection is among the rules.
    pub fn in_rules(&self) -> bool {
        self.in_rules
    }

    /// The numbers of interfaces and rules in the report.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.interface_count, self.rule_count)
    }

    /// The place of the selected row, and the number of rows of its table.
    pub(super) fn selection(&self) -> (Option<usize>, usize) {
        match self.in_rules {
            true => (self.rules.position(), self.rules.rows().len()),
            false => (self.interfaces.position(), self.interfaces.rows().len()),
        }
    }

    /// Counts interfaces and rules: the layout of the screen depends on them.
    pub(super) fn count(&mut self, shown: &Report) {
        self.interface_count = shown.interfaces.len();
        self.rule_count = shown.rules.len();
    }

    /// Remakes the rows of the rules: those that pass the filter.
    pub(super) fn arrange_rules(&mut self, shown: &Report, query: &Query, pages: Pages) {
        let rules = (0..).zip(&shown.rules);
        let matching = rules.filter(|(_, rule)| query.matches_rule(&rule.name));
        let rows: Vec<u32> = matching.map(|(row, _)| row).collect();
        self.in_rules &= !rows.is_empty();
        self.rules.set_rows(rows, pages.rules, rule_names(shown));
    }

    /// Remakes the rows of the interfaces: those that pass the filter.
    pub(super) fn arrange(
        &mut self,
        shown: &Report,
        query: &Query,
        context: &Context,
        pages: Pages,
    ) {
        let interfaces = (0..).zip(&shown.interfaces);
        let matching = interfaces.filter(|(_, it)| query.is_empty() || is_wanted(it, query));
        let mut rows: Vec<u32> = matching.map(|(row, _)| row).collect();
        let sort = self.interfaces.sort();
        let tie = |interface: &Interface| (interface.ifindex.into(), ());
        sort.apply(&mut rows, &shown.interfaces, context, tie);
        self.interfaces.set_rows(rows, pages.body, ifindexes(shown));
        self.forget();
        if !shown.rules.is_empty() {
            let severity = |flow: &Flow| verdict(flow, context).number();
            self.of_rules = FlowGroups::of(shown.flows.iter(), GroupBy::Rule, severity);
        }
    }

    /// Whether the selection stays with its interface, also where that is not among the rows: its detail is open.
    pub(super) fn keep_selected(&mut self, is_open: bool) {
        self.interfaces.keep_selected(is_open);
    }

    /// Lets go of what the flows of the rules come to: nobody looks at it.
    pub(super) fn forget(&mut self) {
        self.of_rules = FlowGroups::default();
    }

    /// Moves the selection, and from one table to the other at its end.
    pub(super) fn step(&mut self, step: Step, shown: &Report, pages: Pages) {
        match (self.in_rules, step) {
            (true, Step::First) => self.step_interfaces(Step::First, shown, pages),
            (true, _) if step.goes_up() && self.rules.position() == Some(0) => {
                self.step_interfaces(Step::Last, shown, pages);
            }
            (true, _) => self.step_rules(step, shown, pages),
            (false, Step::Last) if !self.rules.rows().is_empty() => {
                self.step_rules(Step::Last, shown, pages)
            }
            (false, _) if step.goes_down() && self.is_at_last_interface() => {
                self.step_rules(Step::First, shown, pages);
            }
            (false, _) => self.step_interfaces(step, shown, pages),
        }
    }

    /// Moves the selection in one of the tables, and no further.
    pub(super) fn step_in(&mut self, rules: bool, step: Step, shown: &Report, pages: Pages) {
        match rules {
            true => self.step_rules(step, shown, pages),
            false => self.step_interfaces(step, shown, pages),
        }
    }

    fn is_at_last_interface(&self) -> bool {
        let last = self.interfaces.rows().len().checked_sub(1);
        !self.rules.rows().is_empty() && self.interfaces.position() == last
    }

    fn step_rules(&mut self, step: Step, shown: &Report, pages: Pages) {
        self.in_rules = true;
        self.interfaces.deselect();
        self.rules.step(step, pages.rules, rule_names(shown));
    }

    fn step_interfaces(&mut self, step: Step, shown: &Report, pages: Pages) {
        self.in_rules = false;
        self.rules.deselect();
        self.interfaces.step(step, pages.body, ifindexes(shown));
    }

    /// Selects the interface that was drawn on this line; false if there is none.
    pub(super) fn select_line(&mut self, line: usize, shown: &Report, pages: Pages) -> bool {
        self.in_rules = false;
        self.rules.deselect();
        self.interfaces
            .select_line(line, pages.body, ifindexes(shown))
    }

    /// Selects the rule that was drawn on this line; false if there is none.
    pub(super) fn select_rule(&mut self, line: usize, shown: &Report, pages: Pages) -> bool {
        let is_hit = self.rules.select_line(line, pages.rules, rule_names(shown));
        if is_hit {
            self.in_rules = true;
            self.interfaces.deselect();
        }
        is_hit
    }

    /// Clears the selection.
    pub(super) fn deselect(&mut self) {
        self.interfaces.deselect();
        self.rules.deselect();
        self.in_rules = false;
    }

    /// Changes the order of the interfaces, from the next arrangement on.
    pub(super) fn reorder(&mut self, change: Reorder, placed: &[Placed<Interface>]) {
        self.interfaces.reorder(change, placed, &INTERFACE_COLUMNS);
    }

    /// Remembers the rows on the pages, which are drawn now.
    pub(super) fn remember_pages(&mut self, shown: &Report, pages: Pages) {
        self.interfaces.remember_page(pages.body, ifindexes(shown));
        self.rules.remember_page(pages.rules, rule_names(shown));
    }
}
