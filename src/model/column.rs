//! The table of columns: what can be shown of a flow, an interface, an event or a rule, each in one row.
//!
//! The screen, the sort menu, the filter, the configuration and the exports all read these rows, so
//! that a column is added in one place. Owns [`Value`], the text of a cell and the order of cells.
//! Knows nothing of a terminal: widths are in cells of a fixed-width font, styles are elsewhere.

mod endpoint;
mod event;
mod figures;
mod flow;
mod flow_group;
mod groups;
mod interface;
mod part;
mod rule;
mod select;
mod sets;
mod shorten;
mod sort;
mod source;
mod value;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::counts::Counts;
use super::flow::FlowKey;
use super::flow_groups::{FlowGroups, GroupFigures};
use super::histogram::Histogram;
use super::preferences::Unit;
use super::service::Services;
use super::tracker::{Flow, Rates};
use super::units;

use source::{HasCounts, HasFigures, HasHistogram, Source};

pub use endpoint::Suffix;
pub use event::EVENT_COLUMNS;
pub use flow::{FLOW_COLUMNS, TROUBLE, verdict};
pub use flow_group::{GROUP_COLUMNS, order_within};
pub use groups::Shown;
pub use interface::{INTERFACE_COLUMNS, INTERFACE_COUNTS};
pub use part::Part;
pub use rule::RULE_COLUMNS;
pub use sets::{DEFAULT, LOSS, LOSS_VIEW, MEMBERS, Member, SEQUENCE, json_path, part_of};
pub use shorten::{shorten_end, shorten_endpoint, shorten_middle};
pub use sort::{Ranking, Sort};
pub use value::{BEYOND_A_THRESHOLD, Value, destination_of, source_of, sparkline};

/// Host names by address, as far as they are known.
pub type Names = HashMap<IpAddr, Arc<str>>;

/// What a cell depends on besides its flow.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Unit of rates.
    pub unit: Unit,
    /// When the numbers were read, CLOCK_MONOTONIC ns: ages count from here.
    pub now_ns: u64,
    /// Host names to show in place of addresses, if asked for.
    pub names: Option<&'a Names>,
    /// The thresholds, where flows beyond one are in trouble by that.
    pub alerts: Option<&'a dyn Thresholds>,
    /// What the flows of each rule come to, where that is looked at.
    pub rules: Option<&'a FlowGroups>,
    /// Names of services to show behind ports.
    pub services: Option<&'a Services>,
}

/// Tells flows beyond a threshold.
pub trait Thresholds: std::fmt::Debug {
    /// The first threshold that this flow is beyond now, in words.
    fn words(&self, key: &FlowKey) -> Option<&str>;
}

impl Default for Context<'_> {
    fn default() -> Self {
        Context {
            unit: Unit::Bytes,
            now_ns: 0,
            names: None,
            alerts: None,
            rules: None,
            services: None,
        }
    }
}

/// How wide a column is, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Always this wide.
    Fixed(u16),
    /// As wide as a rate in the current unit.
    Rate,
    /// At least the first; grows up to the second where there is room.
    Between(u16, u16),
    /// At least the first; the second before less important columns get any; grows up to the third where there is room.
    Name(u16, u16, u16),
    /// At least the first; grows up to the third where there is room, and to the second before others do.
    Words(u16, u16, u16),
    /// An endpoint: shortened in the middle where it must be, comfortable where it can be.
    Endpoint,
}

impl Width {
    /// The widest endpoint: an IPv6 address with a port.
    pub const ENDPOINT_MAX: u16 = 47;
}

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// One column of the table of `T`.
pub struct Column<T: 'static = Flow> {
    /// The name in the configuration, the filter and the exports.
    pub id: &'static str,
    /// What stands in the header row.
    pub title: &'static str,
    /// One sentence for the help and the column chooser.
    pub help: &'static str,
    /// The name in JSON, where it is not the id: that of a number with its unit, say.
    pub json: &'static str,
    /// A shorter name for the filter (`loss` for `loss_percent`), if there is one.
    pub alias: Option<&'static str>,
    /// Cells.
    pub width: Width,
    /// Who leaves first when the terminal is narrow: the highest number.
    pub priority: u8,
    /// Side of the cell.
    pub align: Align,
    source: Source<T>,
}

impl<T> Column<T> {
    const fn new(
        id: &'static str,
        title: &'static str,
        help: &'static str,
        width: Width,
        value: for<'a> fn(&'a T, &Context<'a>) -> Value<'a>,
    ) -> Column<T> {
        Column::with_source(id, title, help, width, Source::Row(value))
    }

    const fn of_counts(
        id: &'static str,
        title: &'static str,
        help: &'static str,
        width: Width,
        value: fn(&Counts) -> Value<'static>,
    ) -> Column<T>
    where
        T: HasCounts,
    {
        Column::with_source(id, title, help, width, Source::Counts(T::counts, value))
    }

    const fn of_rates(
        id: &'static str,
        title: &'static str,
        help: &'static str,
        width: Width,
        value: fn(&Rates) -> Value<'static>,
    ) -> Column<T>
    where
        T: HasCounts,
    {
        Column::with_source(id, title, help, width, Source::Rates(T::rates, value))
    }

    /// A time of the row's histogram, ms.
    const fn of_histogram(
        id: &'static str,
        title: &'static str,
        help: &'static str,
        value: fn(&Histogram) -> Option<f64>,
    ) -> Column<T>
    where
        T: HasHistogram,
    {
        let source = Source::Histogram(T::histogram, value);
        Column::with_source(id, title, help, Width::Between(7, 8), source)
    }

    /// What the flows of the row come to.
    const fn of_figures(
        id: &'static str,
        title: &'static str,
        help: &'static str,
        width: Width,
        value: fn(&GroupFigures) -> Value<'static>,
    ) -> Column<T>
    where
        T: HasFigures,
    {
        Column::with_source(id, title, help, width, Source::Figures(T::figures, value))
    }

    const fn with_source(
        id: &'static str,
        title: &'static str,
        help: &'static str,
        width: Width,
        source: Source<T>,
    ) -> Column<T> {
        Column {
            id,
            title,
            help,
            json: id,
            alias: None,
            width,
            priority: 50,
            align: Align::Right,
            source,
        }
    }

    /// What the cell of this row holds.
    pub fn value<'a>(&self, row: &'a T, context: &Context<'a>) -> Value<'a> {
        match self.source {
            Source::Row(value) => value(row, context),
            Source::Counts(counts, value) => value(counts(row)),
            Source::Rates(rates, value) => rates(row).map_or(Value::Unknown, value),
            Source::Histogram(histogram, value) => {
                Value::milliseconds(histogram(row).and_then(value))
            }
            Source::Figures(figures, value) => figures(row, context).map_or(Value::Unknown, value),
        }
    }

    /// What the cell of a sum over rows holds; `None` where it does not add up.
    pub fn sum(&self, counts: &Counts, rates: Option<&Rates>) -> Option<Value<'static>> {
        match self.source {
            Source::Row(_) | Source::Histogram(..) | Source::Figures(..) => None,
            Source::Counts(_, value) => Some(value(counts)),
            Source::Rates(_, value) => Some(rates.map_or(Value::Unknown, value)),
        }
    }

    /// Whether the cells are drawings of the latest intervals.
    pub fn is_history(&self) -> bool {
        self.id.ends_with("_history")
    }

    const fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }

    const fn left(mut self) -> Self {
        self.align = Align::Left;
        self
    }

    const fn json(mut self, name: &'static str) -> Self {
        self.json = name;
        self
    }

    const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Whether cells are known only of rows with a histogram.
    pub fn is_of_histogram(&self) -> bool {
        matches!(self.source, Source::Histogram(..))
    }

    /// The fewest cells in which the column says what it has to say.
    pub fn min_width(&self, unit: Unit) -> u16 {
        match self.width {
            Width::Fixed(width) | Width::Between(width, _) => width,
            Width::Name(width, ..) | Width::Words(width, ..) => width,
            Width::Rate => units::rate_width(unit),
            Width::Endpoint => 12,
        }
    }

    /// The cells that the column should have before less important columns get any.
    pub fn good_width(&self, unit: Unit) -> u16 {
        match self.width {
            Width::Name(_, good, _) => good,
            Width::Endpoint => 21,
            _ => self.min_width(unit),
        }
    }

    /// The cells that the column should have before others grow.
    pub fn first_width(&self, unit: Unit) -> u16 {
        match self.width {
            Width::Words(_, first, _) => first,
            _ => self.min_width(unit),
        }
    }

    /// The most cells that are of use to the column.
    pub fn max_width(&self, unit: Unit) -> u16 {
        match self.width {
            Width::Between(_, max) | Width::Name(.., max) | Width::Words(.., max) => max,
            Width::Endpoint => Width::ENDPOINT_MAX,
            _ => self.min_width(unit),
        }
    }

    /// Its title with a mark behind it, in so many cells: without spaces where the mark has no room else.
    pub fn title_with(&self, mark: &str, width: u16) -> String {
        let title = format!("{}{mark}", self.title);
        match title.chars().count() > usize::from(width) {
            true => title.replace(' ', ""),
            false => title,
        }
    }

    /// Whether cells hold amounts, which can be compared with a number.
    pub fn is_amount(&self) -> bool {
        self.align == Align::Right
    }

    /// Whether a first sort by this column starts with the largest value.
    pub fn sorts_descending(&self) -> bool {
        self.is_amount() || self.id == TROUBLE
    }
}

impl<T> Clone for Column<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Column<T> {}

impl<T> std::fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

impl<T> PartialEq for Column<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

/// The flow column with this id.
pub fn by_id(id: &str) -> Option<&'static Column> {
    FLOW_COLUMNS.iter().find(|column| column.id == id)
}

/// The flow column with this id or filter alias.
pub fn by_name(name: &str) -> Option<&'static Column> {
    by_id(name).or_else(|| FLOW_COLUMNS.iter().find(|c| c.alias == Some(name)))
}

/// The ids of all flow columns, in the order in which they are listed to people.
pub fn ids() -> impl Iterator<Item = &'static str> {
    FLOW_COLUMNS.iter().map(|column| column.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_aliases_are_unique() {
        let mut names: Vec<_> = FLOW_COLUMNS
            .iter()
            .flat_map(|c| [Some(c.id), c.alias].into_iter().flatten())
            .collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn titles_fit_into_their_columns_with_a_direction_mark() {
        fn check<T>(column: &Column<T>) {
            let width = column.min_width(Unit::Bytes);
            let title = column.title_with("▼", width);
            assert!(title.chars().count() <= usize::from(width), "{column:?}");
        }
        FLOW_COLUMNS.iter().for_each(check);
        INTERFACE_COLUMNS.iter().for_each(check);
    }
}
