//! Colours: four themes, each for terminals with 16, 256 or all colours, or with none.
//!
//! Colour is never the only sign of anything: flags, words and attributes say the same.

use std::borrow::Cow;

use ratatui::style::{Color, Modifier, Style};

use super::ascii::reduce_text;
use crate::model::preferences::ThemeName;

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// None: bold, dim, underline and reverse only.
    #[default]
    None,
    /// The sixteen of ANSI, as the terminal's own theme paints them.
    Sixteen,
    /// The palette of 256.
    Indexed,
    /// 24 bits.
    True,
}

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Colours.
    pub depth: Depth,
    /// Whether only ASCII may be drawn.
    pub ascii: bool,
}

impl Look {
    /// By the environment: NO_COLOR, COLORTERM, TERM, and the locale.
    ///
    /// `colour` is what `--color` asks for, `ascii` what the configuration says; `None`: what the terminal can do.
    pub fn detect(
        colour: Option<bool>,
        ascii: Option<bool>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Look {
        let term = environment("TERM").unwrap_or_default();
        let colorterm = environment("COLORTERM").unwrap_or_default();
        let refused = environment("NO_COLOR").is_some_and(|value| !value.is_empty());
        let depth = if colour == Some(false) || (colour.is_none() && refused) {
            Depth::None
        } else if colorterm == "truecolor" || colorterm == "24bit" || term.ends_with("-direct") {
            Depth::True
        } else if term.contains("256color") {
            Depth::Indexed
        } else if colour.is_none() && term.starts_with("vt") {
            Depth::None
        } else {
            Depth::Sixteen
        };
        // The consoles of Linux and of DEC have fonts without the marks of charts.
        let is_plain = term == "linux" || term.starts_with("vt");
        Look {
            depth,
            ascii: ascii.unwrap_or_else(|| is_plain || lacks_utf8(environment)),
        }
    }

    /// The text as this terminal can show it.
    pub fn legible<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.ascii {
            true => Cow::Owned(reduce_text(text)),
            false => Cow::Borrowed(text),
        }
    }

    /// The styles of this theme on this terminal.
    pub fn theme(&self, name: ThemeName) -> Theme {
        Theme::new(name, self.depth)
    }
}

/// A colour in two forms: one of the sixteen, and exact.
struct Ink(Color, (u8, u8, u8));

struct Inks {
    /// Text and background; `None`: the terminal's own.
    ground: Option<(Ink, Ink)>,
    accent: Ink,
    dim: Ink,
    good: Ink,
    warn: Ink,
    bad: Ink,
    spark: Ink,
}

const DARK: Inks = Inks {
    ground: None,
    accent: Ink(Color::Cyan, (86, 194, 214)),
    dim: Ink(Color::DarkGray, (128, 136, 148)),
    good: Ink(Color::Green, (126, 200, 110)),
    warn: Ink(Color::Yellow, (229, 192, 96)),
    bad: Ink(Color::LightRed, (240, 110, 110)),
    spark: Ink(Color::Blue, (110, 160, 230)),
};
const LIGHT: Inks = Inks {
    ground: None,
    accent: Ink(Color::Blue, (0, 90, 156)),
    dim: Ink(Color::DarkGray, (104, 104, 112)),
    good: Ink(Color::Green, (0, 110, 40)),
    warn: Ink(Color::Magenta, (146, 84, 0)),
    bad: Ink(Color::Red, (180, 20, 30)),
    spark: Ink(Color::Blue, (40, 90, 180)),
};
/// On black, whatever the terminal's background.
const HIGH_CONTRAST: Inks = Inks {
    ground: Some((
        Ink(Color::White, (255, 255, 255)),
        Ink(Color::Black, (0, 0, 0)),
    )),
    accent: Ink(Color::White, (255, 255, 255)),
    dim: Ink(Color::Gray, (208, 208, 208)),
    good: Ink(Color::LightGreen, (0, 255, 0)),
    warn: Ink(Color::LightYellow, (255, 255, 0)),
    bad: Ink(Color::LightRed, (255, 120, 120)),
    spark: Ink(Color::White, (255, 255, 255)),
};
/// The palette of Okabe and Ito.
const COLOUR_BLIND: Inks = Inks {
    ground: None,
    accent: Ink(Color::LightBlue, (86, 180, 233)),
    dim: Ink(Color::DarkGray, (140, 140, 140)),
    good: Ink(Color::Cyan, (0, 158, 115)),
    warn: Ink(Color::LightYellow, (240, 228, 66)),
    bad: Ink(Color::Yellow, (230, 159, 0)),
    spark: Ink(Color::LightBlue, (86, 180, 233)),
};

/// The styles, by their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Everything else.
    pub base: Style,
    /// What matters less.
    pub dim: Style,
    /// What matters more.
    pub strong: Style,
    /// The program's name, the open tab, keys.
    pub accent: Style,
    /// The open tab.
    pub tab: Style,
    /// Column titles.
    pub title: Style,
    /// The title of the sort column.
    pub sorted: Style,
    /// The selected row.
    pub selected: Style,
    /// All is well.
    pub good: Style,
    /// Worth a look.
    pub warn: Style,
    /// In trouble.
    pub bad: Style,
    /// Sparklines and charts.
    pub spark: Style,
}

impl Theme {
    fn new(name: ThemeName, depth: Depth) -> Theme {
        let inks = match name {
            ThemeName::Dark => &DARK,
            ThemeName::Light => &LIGHT,
            ThemeName::HighContrast => &HIGH_CONTRAST,
            ThemeName::ColourBlind => &COLOUR_BLIND,
        };
        let plain = Style::new();
        let ink = |ink: &Ink| colour(ink, depth).map_or(plain, |colour| plain.fg(colour));
        let base = match &inks.ground {
            Some((text, ground)) => Style {
                bg: colour(ground, depth),
                ..ink(text)
            },
            None => plain,
        };
        let strong = plain.add_modifier(Modifier::BOLD);
        let dim = match depth {
            Depth::None => plain.add_modifier(Modifier::DIM),
            _ => ink(&inks.dim),
        };
        let accent = ink(&inks.accent);
        Theme {
            base,
            dim,
            strong,
            accent: accent.add_modifier(Modifier::BOLD),
            tab: accent.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            title: dim.add_modifier(Modifier::UNDERLINED),
            sorted: accent.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            // A bar in the colours of plain text, whatever its cells had: flags keep their meaning.
            selected: match depth {
                Depth::None => plain.add_modifier(Modifier::REVERSED),
                _ => Style {
                    fg: base.fg.or(Some(Color::Reset)),
                    ..base.add_modifier(Modifier::REVERSED)
                },
            },
            good: ink(&inks.good),
            warn: ink(&inks.warn).add_modifier(Modifier::BOLD),
            bad: ink(&inks.bad).add_modifier(Modifier::BOLD),
            spark: ink(&inks.spark),
        }
    }
}

fn colour(ink: &Ink, depth: Depth) -> Option<Color> {
    let Ink(ansi, (r, g, b)) = *ink;
    match depth {
        Depth::None => None,
        Depth::Sixteen => Some(ansi),
        Depth::Indexed => Some(Color::Indexed(nearest_of_256(r, g, b))),
        Depth::True => Some(Color::Rgb(r, g, b)),
    }
}

/// The nearest colour of the 6x6x6 cube of the 256-colour palette.
fn nearest_of_256(r: u8, g: u8, b: u8) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |value: u8| {
        let distance = |level: &u8| level.abs_diff(value);
        (0..6_u8)
            .min_by_key(|i| distance(&LEVELS[usize::from(*i)]))
            .unwrap_or(0)
    };
    16 + 36 * nearest(r) + 6 * nearest(g) + nearest(b)
}

/// Whether the locale says that characters are not UTF-8's. Where no variable says anything, they are.
fn lacks_utf8(environment: impl Fn(&str) -> Option<String>) -> bool {
    let mut said = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(environment);
    said.find(|locale| !locale.is_empty())
        .is_some_and(|locale| {
            let locale = locale.to_ascii_uppercase();
            !locale.contains("UTF-8") && !locale.contains("UTF8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(colour: Option<bool>, variables: &[(&str, &str)]) -> Depth {
        let find = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Look::detect(colour, None, find).depth
    }

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        let xterm = ("TERM", "xterm-256color");
        assert_eq!(depth(None, &[xterm]), Depth::Indexed);
        assert_eq!(
            depth(None, &[xterm, ("COLORTERM", "truecolor")]),
            Depth::True
        );
        assert_eq!(depth(None, &[("TERM", "linux")]), Depth::Sixteen);
        assert_eq!(depth(None, &[xterm, ("NO_COLOR", "1")]), Depth::None);
        assert_eq!(depth(None, &[xterm, ("NO_COLOR", "")]), Depth::Indexed);
        assert_eq!(
            depth(Some(true), &[xterm, ("NO_COLOR", "1")]),
            Depth::Indexed
        );
        assert_eq!(depth(Some(false), &[xterm]), Depth::None);
    }

    #[test]
    fn where_utf8_is_not_to_be_had_ascii_is_drawn_unless_it_was_chosen() {
        let ascii = |chosen, variables: &[(&str, &str)]| {
            let find = |name: &str| {
                let found = variables.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            Look::detect(None, chosen, find).ascii
        };
        let xterm = ("TERM", "xterm-256color");
        for (variables, expected) in [
            (&[xterm][..], false),
            (&[xterm, ("LANG", "en_GB.UTF-8")], false),
            (&[xterm, ("LANG", "de_DE.utf8@euro")], false),
            (&[xterm, ("LANG", "C")], true),
            (&[xterm, ("LANG", "de_DE.ISO-8859-1")], true),
            (
                &[
                    xterm,
                    ("LC_ALL", ""),
                    ("LC_CTYPE", "C.UTF-8"),
                    ("LANG", "C"),
                ],
                false,
            ),
            (&[xterm, ("LC_ALL", "POSIX"), ("LANG", "C.UTF-8")], true),
            (&[("TERM", "linux"), ("LANG", "C.UTF-8")], true),
            (&[("TERM", "vt100"), ("LANG", "C.UTF-8")], true),
            (&[("TERM", "vt220"), ("LANG", "C.UTF-8")], true),
        ] {
            assert_eq!(ascii(None, variables), expected, "{variables:?}");
            assert!(!ascii(Some(false), variables) && ascii(Some(true), variables));
        }
    }

    #[test]
    fn without_colours_no_style_has_one() {
        for name in ThemeName::ALL {
            let theme = Theme::new(name, Depth::None);
            let Theme { base, selected, .. } = theme;
            let inked = [theme.accent, theme.warn, theme.bad, theme.spark, theme.dim];
            for style in inked.into_iter().chain([base, selected]) {
                assert_eq!((style.fg, style.bg), (None, None));
            }
        }
    }

    #[test]
    fn curves_on_one_chart_have_colours_of_their_own() {
        for name in ThemeName::ALL {
            for depth in [Depth::Sixteen, Depth::Indexed, Depth::True] {
                let theme = Theme::new(name, depth);
                assert_ne!(theme.spark.fg, theme.good.fg, "{name:?} {depth:?}");
                assert_ne!(theme.warn.fg, theme.good.fg, "{name:?} {depth:?}");
            }
        }
    }

    /// Contrast as WCAG 2 defines it, of a colour on a background; 1 to 21.
    fn contrast(colour: (u8, u8, u8), background: (u8, u8, u8)) -> f64 {
        let linear = |channel: u8| match f64::from(channel) / 255.0 {
            low if low <= 0.04045 => low / 12.92,
            high => ((high + 0.055) / 1.055).powf(2.4),
        };
        let luminance =
            |(r, g, b)| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05;
        let (a, b) = (luminance(colour), luminance(background));
        a.max(b) / a.min(b)
    }

    #[test]
    fn everything_can_be_read_on_the_background_that_it_is_made_for() {
        let (black, white) = ((0, 0, 0), (255, 255, 255));
        for (inks, background, least) in [
            (&DARK, black, 4.5),
            (&LIGHT, white, 4.5),
            (&HIGH_CONTRAST, black, 7.0),
            (&COLOUR_BLIND, black, 4.5),
        ] {
            let Inks {
                ground: _,
                accent,
                dim,
                good,
                warn,
                bad,
                spark,
            } = inks;
            for Ink(name, exact) in [accent, dim, good, warn, bad, spark] {
                let found = contrast(*exact, background);
                assert!(found >= least, "{name} {exact:?}: {found}");
            }
        }
    }
}
