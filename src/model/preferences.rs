//! How a person wants things shown: what configuration and keys can change without touching a number.

/// Whether rates are shown in bytes or in bits. Totals are always bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Bytes per second.
    #[default]
    Bytes,
    /// Bits per second.
    Bits,
}

impl Unit {
    /// Both units.
    pub const ALL: [Unit; 2] = [Unit::Bytes, Unit::Bits];

    /// The name in the configuration.
    pub const fn id(self) -> &'static str {
        match self {
            Unit::Bytes => "bytes",
            Unit::Bits => "bits",
        }
    }
}

/// How an axis of times goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// The same factor for each cell.
    #[default]
    Logarithmic,
    /// The same time for each cell.
    Linear,
}

impl Scale {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Scale::Logarithmic => "logarithmic",
            Scale::Linear => "linear",
        }
    }

    /// The one that it is not.
    pub const fn other(self) -> Scale {
        match self {
            Scale::Logarithmic => Scale::Linear,
            Scale::Linear => Scale::Logarithmic,
        }
    }

    /// Where a time, ns, is on the scale; below one ns there is nothing to tell apart.
    pub fn of(self, ns: f64) -> f64 {
        match self {
            Scale::Logarithmic => ns.max(1.0).ln(),
            Scale::Linear => ns,
        }
    }

    /// The time, ns, at this place of the scale.
    pub fn back(self, place: f64) -> f64 {
        match self {
            Scale::Logarithmic => place.exp(),
            Scale::Linear => place,
        }
    }
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// All flows.
    Flows,
    /// Sequence numbers of all flows.
    Loss,
    /// Interfaces.
    Interfaces,
    /// What happened.
    Events,
    /// Groups of flows.
    Groups,
}

impl View {
    /// All views, in the order of their keys.
    pub const ALL: [View; 5] = [
        View::Flows,
        View::Loss,
        View::Interfaces,
        View::Events,
        View::Groups,
    ];

    /// The name on its tab.
    pub const fn title(self) -> &'static str {
        match self {
            View::Flows => "Flows",
            View::Loss => "Loss",
            View::Interfaces => "Interfaces",
            View::Events => "Events",
            View::Groups => "Groups",
        }
    }

    /// The name in the configuration: its title in lower case.
    pub const fn id(self) -> &'static str {
        match self {
            View::Flows => "flows",
            View::Loss => "loss",
            View::Interfaces => "interfaces",
            View::Events => "events",
            View::Groups => "groups",
        }
    }

    /// Whether its rows are flows.
    pub const fn shows_flows(self) -> bool {
        matches!(self, View::Flows | View::Loss)
    }

    /// Whether its filter chooses among flows.
    pub const fn filters_flows(self) -> bool {
        self.shows_flows() || matches!(self, View::Groups)
    }

    /// The view so many places further, round and round.
    pub fn beside(self, by: isize) -> View {
        let now = View::ALL.iter().position(|view| *view == self).unwrap_or(0);
        let next = (now as isize + by).rem_euclid(View::ALL.len() as isize);
        View::ALL[next as usize]
    }
}

/// The colour themes, by the names that the configuration uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThemeName {
    /// For dark terminals.
    #[default]
    Dark,
    /// For light terminals.
    Light,
    /// Strong contrast, few colours.
    HighContrast,
    /// Colours that stay apart for people with colour-vision deficiencies.
    ColourBlind,
}

impl ThemeName {
    /// All themes.
    pub const ALL: [ThemeName; 4] = [
        ThemeName::Dark,
        ThemeName::Light,
        ThemeName::HighContrast,
        ThemeName::ColourBlind,
    ];

    /// The name in the configuration.
    pub const fn id(self) -> &'static str {
        match self {
            ThemeName::Dark => "dark",
            ThemeName::Light => "light",
            ThemeName::HighContrast => "high-contrast",
            ThemeName::ColourBlind => "colour-blind",
        }
    }
}
