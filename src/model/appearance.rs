//! How the dashboard looks: a row of the configuration's table for each field, and keys that change it.

use super::column::{Column, DEFAULT, Sort, by_id};
use super::flow_groups::GroupBy;
use super::preferences::{ThemeName, Unit, View};

/// How the dashboard looks: as the configuration has it, and as keys change it from there.
#[derive(Debug, Clone, PartialEq)]
pub struct Appearance {
    /// The view that is open.
    pub view: View,
    /// Unit of rates.
    pub unit: Unit,
    /// Whether the Flows view has the loss columns.
    pub packet_loss: bool,
    /// Order of the Flows view.
    pub sort: Sort,
    /// Columns of the Flows view, without those that `packet_loss` adds.
    pub columns: Vec<&'static Column>,
    /// What flows have in common in the Groups view; `None`: their rule where there are rules, else their source.
    pub group_by: Option<GroupBy>,
    /// Colours.
    pub theme: ThemeName,
}

impl Default for Appearance {
    fn default() -> Appearance {
        Appearance {
            view: View::Flows,
            unit: Unit::Bytes,
            packet_loss: false,
            sort: Sort::default(),
            columns: DEFAULT.iter().filter_map(|id| by_id(id)).collect(),
            group_by: None,
            theme: ThemeName::Dark,
        }
    }
}

impl Appearance {
    /// Adopts what `after` has otherwise than `before`; a view stays open.
    pub fn adopt(&mut self, before: &Appearance, after: &Appearance) {
        let Appearance {
            view: _,
            unit,
            packet_loss,
            sort,
            columns,
            group_by,
            theme,
        } = self;
        adopt(unit, &before.unit, &after.unit);
        adopt(packet_loss, &before.packet_loss, &after.packet_loss);
        adopt(sort, &before.sort, &after.sort);
        adopt(columns, &before.columns, &after.columns);
        adopt(group_by, &before.group_by, &after.group_by);
        adopt(theme, &before.theme, &after.theme);
    }
}

/// Takes over what differs between two preferences; what has changed since otherwise stays.
pub fn adopt<T: PartialEq + Clone>(current: &mut T, before: &T, after: &T) {
    if before != after {
        current.clone_from(after);
    }
}
