//! The keys in the last line: which have a meaning now, where they stand, and which one a click means.

use super::{App, Mode, View};
use crate::keymap::{Action, Key, KeyChord};

/// Cells between two entries.
const GAP: u16 = 2;

/// One or two keys and what they do, or two examples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FooterEntry {
    /// Its first cell.
    pub x: u16,
    /// The keys as text.
    pub label: String,
    /// What they do.
    pub words: &'static str,
    keys: Vec<KeyChord>,
}

impl FooterEntry {
    fn new(keys: Vec<KeyChord>, words: &'static str) -> FooterEntry {
        FooterEntry {
            x: 0,
            label: keys.iter().map(ToString::to_string).collect(),
            words,
            keys,
        }
    }

    fn example(label: &str, words: &'static str) -> FooterEntry {
        FooterEntry {
            label: label.to_owned(),
            ..FooterEntry::new(Vec::new(), words)
        }
    }

    fn width(&self) -> u16 {
        (self.label.chars().count() + 1 + self.words.chars().count()) as u16
    }

    /// The key that this cell stands for: of two, the first one where it is drawn, and the other one for all else.
    fn key_at(&self, x: u16) -> Option<KeyChord> {
        let cell = usize::from(x.checked_sub(self.x).filter(|x| *x < self.width())?);
        let first = self.keys.first()?;
        match cell < first.to_string().chars().count() {
            true => Some(*first),
            false => self.keys.last().copied(),
        }
    }
}

impl App {
    /// The entries that fit into the last line of a screen of this width.
    pub fn footer(&self, width: u16) -> Vec<FooterEntry> {
        let mut x = 1;
        let mut placed = self.footer_entries();
        let end = placed.iter_mut().position(|entry| {
            entry.x = x;
            x += entry.width() + GAP;
            x - GAP > width
        });
        placed.truncate(end.unwrap_or(placed.len()));
        placed
    }

    /// The key that is clicked on.
    pub(super) fn footer_key(&self, x: u16) -> Option<KeyChord> {
        let entries = self.footer(self.size().0);
        entries.iter().find_map(|entry| entry.key_at(x))
    }

    fn footer_entries(&self) -> Vec<FooterEntry> {
        let keymap = &self.preferences().keymap;
        let keys = |actions: &[Action], words| {
            let keys = actions
                .iter()
                .filter_map(|action| keymap.keys(*action).first());
            FooterEntry::new(keys.copied().collect(), words)
        };
        let fixed = |key: Key, words| FooterEntry::new(vec![key.into()], words);
        let rows = |words| keys(&[Action::Up, Action::Down], words);
        let back = keys(&[Action::Back], "back");
        match self.mode() {
            Mode::View if self.past().is_some() => self.past_footer(),
            Mode::View => self.view_footer(),
            Mode::Filter => vec![
                fixed(Key::Enter, "keep"),
                fixed(Key::Esc, "clear"),
                FooterEntry::new(vec![Key::Up.into(), Key::Down.into()], "earlier"),
                FooterEntry::example("port:443", "src:10.0.0.0/8"),
                FooterEntry::example("proto:udp", "loss>1"),
                FooterEntry::example("jitter>5ms", "rate>1M"),
                FooterEntry::example("!", "negates"),
            ],
            Mode::Detail(_) => {
                let is_flow = self.view() != View::Interfaces;
                let others = if is_flow {
                    "other flows"
                } else {
                    "other interfaces"
                };
                let pin = is_flow.then(|| keys(&[Action::Pin], "pin"));
                let first = [back, rows(others), keys(&[Action::PageDown], "scroll")];
                let last = [
                    keys(&[Action::Pause], "pause"),
                    keys(&[Action::ToggleUnit], "bits"),
                    keys(&[Action::Help], "help"),
                ];
                first.into_iter().chain(pin).chain(last).collect()
            }
            Mode::Help(_) => vec![rows("scroll"), back],
            Mode::SortMenu(_) => vec![rows("move"), keys(&[Action::Open], "sort by this"), back],
            Mode::Columns(_) => vec![
                rows("move"),
                keys(&[Action::Pause], "show or hide"),
                keys(&[Action::SortLeft, Action::SortRight], "earlier or later"),
                back,
            ],
        }
    }

    /// In the past, the keys that go through it come first.
    fn past_footer(&self) -> Vec<FooterEntry> {
        use Action::*;
        let keymap = &self.preferences().keymap;
        let place = self.past();
        let ends = match place.is_some_and(|place| place.is_of_run) {
            true => "start, now",
            false => "start, end",
        };
        let play = match place.is_some_and(|place| place.pace.is_held) {
            true => "play",
            false => "hold",
        };
        let entry = |(actions, words): (&[Action], _)| {
            let keys = actions.iter().filter_map(|it| keymap.keys(*it).first());
            FooterEntry::new(keys.copied().collect(), words)
        };
        let of_the_past: [(&[Action], _); 6] = [
            (&[IntervalBack, IntervalOn], "interval"),
            (&[MinuteBack, MinuteOn], "minute"),
            (&[EventBack, EventOn], "loss, alert"),
            (&[Hold], play),
            (&[Slower, Faster], "speed"),
            (&[ToStart, ToEnd], ends),
        ];
        let is_live = |entry: &FooterEntry| !matches!(entry.words, "pause" | "reset");
        let others = self.view_footer().into_iter().filter(is_live);
        of_the_past.into_iter().map(entry).chain(others).collect()
    }

    /// The keys with a meaning in the open view.
    fn view_footer(&self) -> Vec<FooterEntry> {
        let view = self.view();
        let serves = |action: &Action| match action {
            Action::ToggleLoss => view == View::Flows,
            Action::ToggleUnit => view != View::Events,
            Action::Open => self.has_rows() || self.in_rules(),
            Action::Fold => view == View::Groups && self.has_rows(),
            Action::GroupBy => view == View::Groups,
            _ => true,
        };
        let entries = self.preferences().keymap.footer();
        entries
            .filter(|(action, ..)| serves(action))
            .map(|(action, keys, words)| {
                let words = match (action, view) {
                    (Action::Open, View::Events) => "its flow",
                    (Action::Open, View::Groups) if self.groups.selected_flow().is_none() => {
                        "its flows"
                    }
                    (Action::Open, View::Interfaces) if self.in_rules() => "its flows",
                    (Action::Fold, _) if self.groups.is_unfolded() => "fold",
                    _ => words,
                };
                FooterEntry::new(keys, words)
            })
            .collect()
    }
}
