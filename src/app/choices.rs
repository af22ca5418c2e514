//! What the user has chosen: the preferences of the configuration, and how keys have changed them since.

use super::{Preferences, View};
use crate::model::appearance::adopt;
use crate::model::column::{Column, FLOW_COLUMNS, Sort};
use crate::model::flow_groups::GroupBy;
use crate::model::preferences::{Scale, ThemeName, Unit};

/// The intervals that `+` and `-` go through, s.
const INTERVALS: [f64; 9] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// The preferences in force, and those of the configuration.
#[derive(Debug)]
pub struct Choices {
    current: Preferences,
    configured: Preferences,
    /// Of the times between packets, in the detail.
    scale: Scale,
}

impl Choices {
    /// Starts with what the configuration says.
    pub(super) fn new(configured: Preferences) -> Choices {
        Choices {
            current: configured.clone(),
            configured,
            scale: Scale::default(),
        }
    }

    /// The preferences in force.
    pub(super) fn current(&self) -> &Preferences {
        &self.current
    }

    /// Adopts what differs in a new configuration and keeps what keys have changed since. Returns whether the thresholds
    /// differ.
    pub(super) fn configure(&mut self, configured: Preferences) -> bool {
        let before = std::mem::replace(&mut self.configured, configured);
        let current = &mut self.current;
        let Preferences {
            appearance,
            interval_s,
            jitter_s,
            keymap,
            alerts,
            profiles,
            services,
            session,
        } = &self.configured;
        current.appearance.adopt(&before.appearance, appearance);
        adopt(&mut current.interval_s, &before.interval_s, interval_s);
        adopt(&mut current.jitter_s, &before.jitter_s, jitter_s);
        adopt(&mut current.keymap, &before.keymap, keymap);
        adopt(&mut current.alerts, &before.alerts, alerts);
        adopt(&mut current.profiles, &before.profiles, profiles);
        adopt(&mut current.services, &before.services, services);
        adopt(&mut current.session, &before.session, session);
        before.alerts != *alerts
    }

    /// Opens this view.
    pub(super) fn open_view(&mut self, view: View) {
        self.current.appearance.view = view;
    }

    /// Groups flows by this.
    pub(super) fn group_by(&mut self, by: GroupBy) {
        self.current.appearance.group_by = Some(by);
    }

    /// The Flows view is in this order now.
    pub(super) fn sort_by(&mut self, sort: Sort) {
        self.current.appearance.sort = sort;
    }

    /// Changes between bytes and bits.
    pub(super) fn toggle_unit(&mut self) {
        self.current.appearance.unit = match self.current.appearance.unit {
            Unit::Bytes => Unit::Bits,
            Unit::Bits => Unit::Bytes,
        };
    }

    /// Shows the loss columns, or hides them.
    pub(super) fn toggle_packet_loss(&mut self) {
        self.current.appearance.packet_loss ^= true;
    }

    /// How the axis of the times between packets goes.
    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    /// Turns that axis to the other scale, which it returns.
    pub(super) fn toggle_scale(&mut self) -> Scale {
        self.scale = self.scale.other();
        self.scale
    }

    /// Turns to the next colour theme.
    pub(super) fn next_theme(&mut self) -> ThemeName {
        let all = ThemeName::ALL;
        let now = all
            .iter()
            .position(|theme| *theme == self.current.appearance.theme);
        self.current.appearance.theme = all[(now.unwrap_or(0) + 1) % all.len()];
        self.current.appearance.theme
    }

    /// Turns to the next longer interval, or the next shorter one; `None` if there is none.
    pub(super) fn change_interval(&mut self, longer: bool) -> Option<f64> {
        let now = self.current.interval_s;
        let next = match longer {
            true => INTERVALS.into_iter().find(|s| *s > now + 1e-9),
            false => INTERVALS.into_iter().rev().find(|s| *s < now - 1e-9),
        };
        self.current.interval_s = next?;
        next
    }

    /// All columns that the Flows view can have, the chosen ones first and in their order, each with whether it is chosen.
    pub(super) fn column_choice(&self) -> Vec<(&'static Column, bool)> {
        let chosen = &self.current.appearance.columns;
        let others = FLOW_COLUMNS.iter().filter(|c| !chosen.contains(c));
        let chosen = chosen.iter().map(|c| (*c, true));
        chosen.chain(others.map(|c| (c, false))).collect()
    }

    /// Shows or hides the column at this place of the [choice](Self::column_choice). The last one stays: a table without
    /// columns is useless. Returns the new place of the column.
    pub(super) fn toggle_column(&mut self, place: usize) -> usize {
        let Some((column, _)) = self.column_choice().get(place).copied() else {
            return place;
        };
        let columns = &mut self.current.appearance.columns;
        match columns.iter().position(|chosen| *chosen == column) {
            Some(index) if columns.len() > 1 => _ = columns.remove(index),
            Some(_) => {}
            None => columns.push(column),
        }
        let choice = self.column_choice();
        let found = choice.iter().position(|(other, _)| *other == column);
        found.unwrap_or(0)
    }

    /// Moves the chosen column at this place by so many places, if it can. Returns its new place.
    pub(super) fn move_column(&mut self, place: usize, by: isize) -> usize {
        let columns = &mut self.current.appearance.columns;
        let other = place.checked_add_signed(by);
        let is_there = |place: &usize| *place < columns.len();
        match other.filter(|other| is_there(&place) && is_there(other)) {
            Some(other) => {
                columns.swap(place, other);
                other
            }
            None => place,
        }
    }
}
