//! What can be done on the dashboard, and the keys that do it: one table of bindings.
//!
//! Help, footer, configuration and the application read the same rows. A new key is a new row and
//! an arm in `app`. Knows nothing of terminals: [`KeyChord`] is our own, `terminal` translates.

mod chord;

use std::collections::HashMap;

pub use chord::{Key, KeyChord, parse_chord};

/// Defines the actions, and the list of all of them.
macro_rules! actions {
    ($($name:ident,)*) => {
        /// What a key does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // each is explained by its row in BINDINGS
        pub enum Action {
            $($name,)*
        }

        impl Action {
            /// All actions.
            pub const ALL: [Action; [$(Action::$name),*].len()] = [$(Action::$name),*];
        }
    };
}

actions! {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    SortLeft,
    SortRight,
    Reverse,
    SortMenu,
    HoldOrder,
    ToggleUnit,
    ToggleLoss,
    NextView,
    PreviousView,
    ViewFlows,
    ViewLoss,
    ViewInterfaces,
    ViewEvents,
    ViewGroups,
    GroupBy,
    Fold,
    FoldAll,
    Open,
    Back,
    Filter,
    Pause,
    Columns,
    Pin,
    NextTrouble,
    HideOwnSession,
    HideEnded,
    Reset,
    IntervalBack,
    IntervalOn,
    MinuteBack,
    MinuteOn,
    EventBack,
    EventOn,
    ToStart,
    ToEnd,
    Hold,
    Slower,
    Faster,
    LongerInterval, ShorterInterval,
    Names,
    Scale,
    Theme,
    Mouse,
    Export,
    SaveView,
    Reload,
    Help,
    Suspend,
    Quit,
}

/// Where an action stands in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyGroup {
    /// Moving about.
    Move,
    /// Order and columns.
    Table,
    /// What is shown.
    Show,
    /// Of which moment it is.
    Time,
    /// Everything else.
    Program,
}

impl KeyGroup {
    /// All groups, in the order of the help.
    pub const ALL: [KeyGroup; 5] = [
        KeyGroup::Move,
        KeyGroup::Table,
        KeyGroup::Show,
        KeyGroup::Time,
        KeyGroup::Program,
    ];

    /// The heading in the help.
    pub const fn title(self) -> &'static str {
        match self {
            KeyGroup::Move => "Move",
            KeyGroup::Table => "Table",
            KeyGroup::Show => "Show",
            KeyGroup::Time => {
                "The past: the last ten minutes (with more than 4,096 flows fewer), and recordings"
            }
            KeyGroup::Program => "Program",
        }
    }
}

/// One row: an action, its name in the configuration, its keys and its words.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// What is done.
    pub action: Action,
    /// The name in `KEYS` of the configuration.
    pub id: &'static str,
    /// The keys, as [`parse_chord`] reads them; the first one is shown in the footer.
    pub keys: &'static [&'static str],
    /// What it does, for the help.
    pub help: &'static str,
    /// A word or two for the footer, if it belongs there.
    pub footer: Option<&'static str>,
    /// Where it stands in the help.
    pub group: KeyGroup,
}

const fn row(
    group: KeyGroup,
    action: Action,
    id: &'static str,
    keys: &'static [&'static str],
    help: &'static str,
) -> Binding {
    Binding {
        action,
        id,
        keys,
        help,
        footer: None,
        group,
    }
}

impl Binding {
    const fn footer(mut self, words: &'static str) -> Binding {
        self.footer = Some(words);
        self
    }
}

use KeyGroup::{Move, Program, Show, Table, Time};

/// The key that leaves from everywhere, whatever the configuration says.
pub const ALWAYS_QUITS: &str = "Ctrl-C";

/// All bindings, in the order of the help; the footer keeps this order too.
#[rustfmt::skip]
pub static BINDINGS: [Binding; 56] = [
    row(Program, Action::Help, "help", &["?", "F1", "h"], "this help").footer("help"),
    row(Program, Action::Quit, "quit", &["q", ALWAYS_QUITS], "close what is open; in a view, leave (Ctrl-C leaves from anywhere)").footer("quit"),
    row(Show, Action::Filter, "filter", &["/"], "filter as you type").footer("filter"),
    row(Show, Action::Open, "open", &["Enter"], "detail of the selected row").footer("detail"),
    row(Show, Action::Back, "back", &["Esc"], "back; clears the filter"),
    row(Show, Action::Fold, "fold", &["f"], "in Groups: show the flows of the group below it, or hide them").footer("unfold"),
    row(Show, Action::FoldAll, "fold_all", &["F"], "in Groups: show the flows of all groups, or hide them"),
    row(Show, Action::GroupBy, "group_by", &["B"], "group flows by rule, source, destination, subnets, interface, ports: the next of these").footer("group by"),
    row(Show, Action::NextView, "next_view", &["Tab"], "next view").footer("view"),
    row(Show, Action::PreviousView, "previous_view", &["Shift-Tab"], "previous view"),
    row(Show, Action::Pause, "pause", &["Space", "p"], "pause the screen; counting goes on").footer("pause"),
    row(Table, Action::SortLeft, "sort_left", &["Left", "<"], "sort by the column to the left").footer("sort"),
    row(Table, Action::SortRight, "sort_right", &["Right", ">"], "sort by the column to the right"),
    row(Show, Action::ToggleUnit, "bits", &["b"], "bits or bytes per second").footer("bits"),
    row(Show, Action::ToggleLoss, "packet_loss", &["l"], "loss columns").footer("loss"),
    row(Table, Action::Reverse, "reverse", &["r"], "reverse the order").footer("reverse"),
    row(Table, Action::SortMenu, "sort_menu", &["s"], "pick the sort column from a list"),
    row(Table, Action::HoldOrder, "hold_order", &["o"], "hold the order of the rows, or let it go"),
    row(Table, Action::Columns, "columns", &["c"], "choose columns"),
    row(Table, Action::NextTrouble, "next_trouble", &["T"], "to the next flow in trouble"),
    row(Table, Action::Pin, "pin", &["P"], "pin the selected flow to the top, or let it go"),
    row(Show, Action::ViewFlows, "view_flows", &["1"], "view: Flows"),
    row(Show, Action::ViewLoss, "view_loss", &["2"], "view: Loss"),
    row(Show, Action::ViewInterfaces, "view_interfaces", &["3"], "view: Interfaces"),
    row(Show, Action::ViewEvents, "view_events", &["4"], "view: Events"),
    row(Show, Action::ViewGroups, "view_groups", &["5"], "view: Groups"),
    row(Show, Action::Names, "names", &["n"], "host names instead of addresses (asks the resolver)"),
    row(Show, Action::HideOwnSession, "hide_own_session", &["x"], "hide the flow of this SSH session"),
    row(Show, Action::HideEnded, "hide_ended", &["i"], "hide flows that have ended (no packet for 2 s, or an interval), or show them"),
    row(Show, Action::Scale, "scale", &["L"], "times between packets in the detail: logarithmic or linear axis"),
    row(Show, Action::Theme, "theme", &["t"], "next colour theme"),
    row(Move, Action::Up, "up", &["Up", "k"], "a row up"),
    row(Move, Action::Down, "down", &["Down", "j"], "a row down"),
    row(Move, Action::PageUp, "page_up", &["PgUp"], "a page up; scrolls a detail"),
    row(Move, Action::PageDown, "page_down", &["PgDn"], "a page down; scrolls a detail"),
    row(Move, Action::First, "first", &["Home", "g"], "to the first row"),
    row(Move, Action::Last, "last", &["End", "G"], "to the last row"),
    row(Program, Action::Reset, "reset", &["z"], "start all totals at zero").footer("reset"),
    row(Time, Action::IntervalBack, "interval_back", &["("], "an interval back; from now into the past"),
    row(Time, Action::IntervalOn, "interval_on", &[")"], "an interval on"),
    row(Time, Action::MinuteBack, "minute_back", &["{"], "a minute back"),
    row(Time, Action::MinuteOn, "minute_on", &["}"], "a minute on"),
    row(Time, Action::EventBack, "event_back", &["A"], "back to where losses or an alert began"),
    row(Time, Action::EventOn, "event_on", &["a"], "on to where losses or an alert begin"),
    row(Time, Action::ToStart, "to_start", &["S"], "to the beginning of what is kept"),
    row(Time, Action::ToEnd, "to_end", &["E"], "to the end of a recording or a capture; from the past to now"),
    row(Time, Action::Hold, "hold", &["."], "hold what is played, or let it go on (in the past also the keys of pause)"),
    row(Time, Action::Slower, "slower", &["["], "play slower (1x, 10x, fastest), a capture, too"),
    row(Time, Action::Faster, "faster", &["]"], "play faster"),
    row(Program, Action::LongerInterval, "longer_interval", &["+"], "longer interval"),
    row(Program, Action::ShorterInterval, "shorter_interval", &["-"], "shorter interval"),
    row(Program, Action::Export, "export", &["e"], "write what is shown to a JSON and a CSV file").footer("export"),
    row(Program, Action::SaveView, "save_view", &["w"], "write view, columns, order and unit to a configuration file"),
    row(Program, Action::Reload, "reload", &["R"], "read the configuration file again"),
    row(Program, Action::Mouse, "mouse", &["m"], "mouse on or off (off: the terminal selects text)"),
    row(Program, Action::Suspend, "suspend", &["Ctrl-Z"], "suspend; come back with fg"),
];

/// The place in the table of each action's row. An action without a row, or with two, does not compile.
const ROW_OF: [usize; Action::ALL.len()] = {
    let mut row_of = [usize::MAX; Action::ALL.len()];
    let mut row = 0;
    while row < BINDINGS.len() {
        let place = &mut row_of[BINDINGS[row].action as usize];
        assert!(*place == usize::MAX, "an action has two rows");
        *place = row;
        row += 1;
    }
    let mut action = 0;
    while action < row_of.len() {
        assert!(row_of[action] != usize::MAX, "an action has no row");
        action += 1;
    }
    row_of
};

impl Action {
    fn row(self) -> &'static Binding {
        &BINDINGS[ROW_OF[self as usize]]
    }

    /// The name in the configuration.
    pub fn id(self) -> &'static str {
        self.row().id
    }

    /// What it does, in a few words.
    pub fn help(self) -> &'static str {
        self.row().help
    }
}

/// Which key does what, now: the table with what the configuration changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    actions: HashMap<KeyChord, Action>,
    keys: Vec<(Action, Vec<KeyChord>)>,
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = BINDINGS.iter().map(|row| (row.action, default_keys(row)));
        // The table has no conflicts: a test says so.
        Keymap::from_keys(keys.collect()).unwrap_or_else(|_| Keymap {
            actions: HashMap::new(),
            keys: Vec::new(),
        })
    }
}

fn default_keys(row: &Binding) -> Vec<KeyChord> {
    row.keys
        .iter()
        .filter_map(|k| parse_chord(k).ok())
        .collect()
}

impl Keymap {
    /// The table with other keys for some actions: all keys of an action that is named are replaced, but for the one that
    /// always quits.
    ///
    /// A key that two actions claim is an error that names both. A key that an override takes from
    /// an action that is not overridden is such a conflict too: nothing changes behind one's back.
    pub fn with_overrides<I>(overrides: I) -> Result<Keymap, String>
    where
        I: IntoIterator<Item = (Action, Vec<KeyChord>)>,
    {
        let mut keys: Vec<_> = BINDINGS
            .iter()
            .map(|row| (row.action, default_keys(row)))
            .collect();
        for (action, chords) in overrides {
            for (_, slot) in keys.iter_mut().filter(|(a, _)| *a == action) {
                slot.clone_from(&chords);
            }
        }
        if let Ok(always) = parse_chord(ALWAYS_QUITS) {
            for (_, slot) in keys.iter_mut().filter(|(a, _)| *a == Action::Quit) {
                if !slot.contains(&always) {
                    slot.push(always);
                }
            }
        }
        Keymap::from_keys(keys)
    }

    fn from_keys(keys: Vec<(Action, Vec<KeyChord>)>) -> Result<Keymap, String> {
        let mut actions = HashMap::new();
        for (action, chords) in &keys {
            for chord in chords {
                match actions.insert(*chord, *action) {
                    Some(other) if other != *action => {
                        let (a, b) = (other.id(), action.id());
                        return Err(format!("the key {chord} is claimed by {a} and by {b}"));
                    }
                    _ => {}
                }
            }
        }
        Ok(Keymap { actions, keys })
    }

    /// What this key does.
    pub fn action(&self, chord: KeyChord) -> Option<Action> {
        self.actions.get(&chord).copied()
    }

    /// The keys of an action; none if the configuration took them all.
    pub fn keys(&self, action: Action) -> &[KeyChord] {
        self.keys
            .iter()
            .find(|(a, _)| *a == action)
            .map_or(&[], |(_, keys)| keys)
    }

    /// The keys of an action as text: `Up, k`.
    pub fn keys_text(&self, action: Action) -> String {
        let keys: Vec<_> = self.keys(action).iter().map(ToString::to_string).collect();
        keys.join(", ")
    }

    /// Keys and words of each action in the footer, in order.
    pub fn footer(&self) -> impl Iterator<Item = (Action, Vec<KeyChord>, &'static str)> + '_ {
        BINDINGS.iter().filter_map(|row| {
            let words = row.footer?;
            let key = self.keys(row.action).first()?;
            let pair = match row.action {
                Action::SortLeft => self.keys(Action::SortRight).first(),
                _ => None,
            };
            let keys = [key].into_iter().chain(pair).copied();
            Some((row.action, keys.collect(), words))
        })
    }
}

#[cfg(test)]
#[path = "keymap/keymap_tests.rs"]
mod tests;
