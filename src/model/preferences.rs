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

    /// The theme of that name.
    pub fn from_id(id: &str) -> Option<ThemeName> {
        ThemeName::ALL.into_iter().find(|theme| theme.id() == id)
    }
}
