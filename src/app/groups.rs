//! The rows of the Groups view: groups of flows, and below those that are unfolded their flows.

use rustc_hash::{FxHashMap, FxHashSet};

use super::flows::PINNED;
use super::layout::Placed;
use super::reorder::Reorder;
use super::step::Step;
use super::table::Table;
use crate::model::column::{Context, GROUP_COLUMNS, Ranking, Sort, order_within, verdict};
use crate::model::flow::FlowKey;
use crate::model::flow_groups::{FlowGroup, FlowGroups, GroupBy, GroupKey};
use crate::model::tracker::{Flow, Report};

/// Which groups there are, in which order, which are unfolded, and the row that is selected.
#[derive(Debug)]
pub struct GroupRows {
    table: Table<RowKey, FlowGroup>,
    by: GroupBy,
    groups: FlowGroups,
    lines: Vec<Line>,
    unfolded: FxHashSet<GroupKey>,
    /// The rank of each row in a held order.
    held: Option<FxHashMap<RowKey, u32>>,
    /// As long as nobody asks for an order, groups with flows in trouble come first.
    puts_trouble_first: bool,
}

/// Whose row it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// A group's.
    Group(GroupKey),
    /// A flow's, in its group.
    Flow(FlowKey),
}

/// What a row is.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// The group at this place.
    Group(u32),
    /// The flow at this place of the report.
    Flow(u32),
}

/// A row as it is drawn.
#[derive(Debug, Clone, Copy)]
pub enum GroupLine<'a> {
    /// A group, and whether its flows are below it.
    Group(&'a FlowGroup, bool),
    /// A flow of the group above.
    Flow(&'a Flow),
}

/// What the rows depend on, apart from the state of [`GroupRows`].
pub(super) struct Criteria<'a> {
    /// The report that is shown.
    pub shown: &'a Report,
    /// The places of its flows that pass the filter.
    pub rows: &'a [u32],
    /// What the flows of a group have in common.
    pub by: GroupBy,
    /// The flows that are pinned to the top of their groups.
    pub pinned: &'a [FlowKey],
    /// What cells depend on.
    pub context: Context<'a>,
    /// Rows on the screen.
    pub page: usize,
}

impl GroupRows {
    /// No rows yet.
    pub(super) fn new() -> GroupRows {
        let by_rate = GROUP_COLUMNS
            .iter()
            .find(|column| column.id == "throughput");
        GroupRows {
            table: Table::new(Sort::by(by_rate.unwrap_or(&GROUP_COLUMNS[0]))),
            by: GroupBy::Rule,
            groups: FlowGroups::default(),
            lines: Vec::new(),
            unfolded: FxHashSet::default(),
            held: None,
            puts_trouble_first: true,
        }
    }

    /// The rows, flows of unfolded groups among them.
    pub fn table(&self) -> &Table<RowKey, FlowGroup> {
        &self.table
    }

    /// What the flows of a group have in common.
    pub fn by(&self) -> GroupBy {
        self.by
    }

    /// How many groups there are.
    pub fn count(&self) -> usize {
        self.groups.all().len()
    }

    /// Whether a group has flows in trouble, and such groups come first.
    pub fn puts_trouble_first(&self) -> bool {
        self.puts_trouble_first && self.groups.all().iter().any(|it| it.figures.in_trouble > 0)
    }

    /// Whether the order of the rows is held.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether a group is unfolded.
    pub(super) fn shows_flows(&self) -> bool {
        self.lines.len() > self.count()
    }

    /// The flow that is selected, if it is one.
    pub(super) fn selected_flow(&self) -> Option<FlowKey> {
        match self.table.selected() {
            Some(RowKey::Flow(key)) => Some(key),
            _ => None,
        }
    }

    /// The rows on a page of this height, with their positions.
    pub(super) fn page<'a>(
        &'a self,
        shown: &'a Report,
        height: usize,
    ) -> impl Iterator<Item = (usize, GroupLine<'a>)> {
        let offset = self.table.offset();
        let lines = self.lines.iter().enumerate().skip(offset).take(height);
        lines.filter_map(move |(index, line)| {
            let line = match *line {
                Line::Group(place) => {
                    let group = self.groups.all().get(place as usize)?;
                    GroupLine::Group(group, self.unfolded.contains(&group.key))
                }
                Line::Flow(row) => GroupLine::Flow(shown.flows.get(row as usize)?),
            };
            Some((index, line))
        })
    }

    /// Remakes the groups and the rows.
    pub(super) fn arrange(&mut self, criteria: &Criteria) {
        let Criteria {
            shown,
            context,
            pinned,
            ..
        } = criteria;
        if self.by != criteria.by {
            self.table = Table::new(self.table.sort());
            self.unfolded.clear();
            self.held = None;
            self.by = criteria.by;
        }
        // In the order in which the flows are in memory: a refresh of many costs what reading them costs.
        let mut rows = criteria.rows.to_vec();
        rows.sort_unstable();
        let flows = rows.iter().map(|row| &shown.flows[*row as usize]);
        let severity = |flow: &Flow| verdict(flow, context).number();
        self.groups.remake(flows, self.by, severity);
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        let groups = self.groups.all();
        let places = 0..groups.len() as u32;
        let its_level = |group: &FlowGroup| self.level(group.figures.severity);
        let its_tie = |group: &FlowGroup| (0, group.key.clone());
        let sort = self.table.sort();
        let mut order = ordered(groups, places, &sort, context, its_level, its_tie);
        let key = |place: u32| RowKey::Group(groups[place as usize].key.clone());
        self.hold(&mut order, key);
        let level = |flow: &Flow| match pinned.contains(&flow.key) {
            true => Some(PINNED),
            false => self.level(severity(flow)),
        };
        let mut members = self.members(&rows);
        let sort = order_within(&sort);
        for place in order {
            lines.push(Line::Group(place));
            let mut its = std::mem::take(&mut members[place as usize]);
            if its.len() > 1 {
                its = ordered(
                    &shown.flows,
                    its.into_iter(),
                    &sort,
                    context,
                    level,
                    Flow::tie,
                );
                let key = |row: u32| RowKey::Flow(shown.flows[row as usize].key);
                self.hold(&mut its, key);
            }
            lines.extend(its.into_iter().map(Line::Flow));
        }
        self.lines = lines;
        self.set_rows(shown, criteria.page);
    }

    /// The level of rows with such a trouble, if they come before others.
    fn level(&self, severity: Option<f64>) -> Option<u16> {
        let severity = severity.filter(|_| self.puts_trouble_first);
        severity.map(Ranking::level_of)
    }

    /// Puts rows into the order that is held, if one is; new ones come last.
    fn hold(&self, rows: &mut [u32], key: impl Fn(u32) -> RowKey) {
        if let Some(ranks) = &self.held {
            rows.sort_by_cached_key(|row| ranks.get(&key(*row)).copied().unwrap_or(u32::MAX));
        }
    }

    /// Holds the present order, whatever the numbers become, or releases it. Returns whether it is held.
    pub(super) fn toggle_hold(&mut self, shown: &Report) -> bool {
        let keys = Self::keys(&self.lines, &self.groups, shown);
        self.held = match self.held.take() {
            Some(_) => None,
            None => Some(
                (0..self.lines.len() as u32)
                    .map(|row| (keys(row), row))
                    .collect(),
            ),
        };
        self.is_held()
    }

    /// The flows of each group that is unfolded, by the places of the groups.
    fn members(&self, rows: &[u32]) -> Vec<Vec<u32>> {
        let groups = self.groups.all();
        let mut members = vec![Vec::new(); groups.len()];
        if self.unfolded.is_empty() {
            return members;
        }
        let is_unfolded = |group: &FlowGroup| self.unfolded.contains(&group.key);
        let is_unfolded: Vec<bool> = groups.iter().map(is_unfolded).collect();
        for (row, place) in rows.iter().zip(self.groups.place_of_each()) {
            if is_unfolded[*place as usize] {
                members[*place as usize].push(*row);
            }
        }
        members
    }

    /// Which group or flow each line is.
    fn keys<'a>(
        lines: &'a [Line],
        groups: &'a FlowGroups,
        shown: &'a Report,
    ) -> impl Fn(u32) -> RowKey {
        |row| match lines[row as usize] {
            Line::Group(place) => RowKey::Group(groups.all()[place as usize].key.clone()),
            Line::Flow(row) => RowKey::Flow(shown.flows[row as usize].key),
        }
    }

    fn set_rows(&mut self, shown: &Report, page: usize) {
        let mut rows = self.table.reuse_rows();
        rows.clear();
        rows.extend(0..self.lines.len() as u32);
        let keys = Self::keys(&self.lines, &self.groups, shown);
        self.table.set_rows(rows, page, keys);
    }

    /// Lets go of what was made of a report: nobody looks at it.
    pub(super) fn forget(&mut self) {
        if !self.lines.is_empty() {
            (self.groups, self.lines) = (FlowGroups::default(), Vec::new());
            drop(self.table.reuse_rows());
        }
    }

    /// The group that is selected or whose flow is, and that flow.
    pub(super) fn selected(&self) -> Option<(&FlowGroup, Option<FlowKey>)> {
        let above = self.lines.get(..=self.table.position()?)?;
        let group = above.iter().rev().find_map(|line| match line {
            Line::Group(place) => self.groups.all().get(*place as usize),
            Line::Flow(_) => None,
        });
        Some((group?, self.selected_flow()))
    }

    /// Whether the selected group shows its flows.
    pub(super) fn is_unfolded(&self) -> bool {
        let selected = self.selected();
        selected.is_some_and(|(group, _)| self.unfolded.contains(&group.key))
    }

    /// Shows the flows of the selected group below it, or hides them.
    pub(super) fn toggle_fold(&mut self) {
        let Some(key) = self.selected().map(|(group, _)| group.key.clone()) else {
            return;
        };
        self.table.select(RowKey::Group(key.clone()));
        if !self.unfolded.remove(&key) {
            self.unfolded.insert(key);
        }
    }

    /// Hides the flows of all groups, or shows them where all are hidden. Returns whether they are shown.
    pub(super) fn toggle_folds(&mut self) -> bool {
        let selected = self.selected().map(|(group, _)| group.key.clone());
        if let Some(key) = selected {
            self.table.select(RowKey::Group(key));
        }
        let groups = self.groups.all().iter();
        let is_unfolded = |group: &FlowGroup| self.unfolded.contains(&group.key);
        let folds = groups.clone().any(is_unfolded);
        self.unfolded.clear();
        if !folds {
            self.unfolded.extend(groups.map(|group| group.key.clone()));
        }
        !folds
    }

    /// Moves the selection.
    pub(super) fn step(&mut self, step: Step, shown: &Report, page: usize) {
        let keys = Self::keys(&self.lines, &self.groups, shown);
        self.table.step(step, page, keys);
    }

    /// Selects the row that was drawn on this line; false if there is none.
    pub(super) fn select_line(&mut self, line: usize, shown: &Report, page: usize) -> bool {
        let keys = Self::keys(&self.lines, &self.groups, shown);
        self.table.select_line(line, page, keys)
    }

    /// Clears the selection.
    pub(super) fn deselect(&mut self) {
        self.table.deselect();
    }

    /// Changes the order, from the next arrangement on.
    pub(super) fn reorder(&mut self, change: Reorder, placed: &[Placed<FlowGroup>]) {
        self.puts_trouble_first = false;
        self.held = None;
        self.table.reorder(change, placed, &GROUP_COLUMNS);
    }

    /// Remembers the rows on the page, which are drawn now.
    pub(super) fn remember_page(&mut self, shown: &Report, page: usize) {
        let keys = Self::keys(&self.lines, &self.groups, shown);
        self.table.remember_page(page, keys);
    }
}

/// Some of these items in this order; those with a level come first.
fn ordered<T, K: Ord>(
    items: &[T],
    rows: impl Iterator<Item = u32>,
    sort: &Sort<T>,
    context: &Context,
    level: impl Fn(&T) -> Option<u16>,
    tie: impl Fn(&T) -> (u64, K),
) -> Vec<u32> {
    let mut ranking = Ranking::default();
    for row in rows {
        let item = &items[row as usize];
        ranking.add(row, sort, &sort.column.value(item, context));
        if let Some(level) = level(item) {
            ranking.put_before(level);
        }
    }
    let all = 0..ranking.len();
    let mut ordered = Vec::with_capacity(all.len());
    ranking.sort(&mut ordered, sort, items, context, tie, |_| all);
    ordered
}
