//! Where one is in the past, and where one can go from there: in a recording, or in the minutes that a run keeps in
//! memory.

use std::sync::Arc;

use super::capture::Pace;

/// What happened in a stretch of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// When it begins, ns since 1970.
    pub from_ns: i64,
    /// When it ends.
    pub to_ns: i64,
    /// Readings of flows that had lost something, all together.
    pub losing: u32,
    /// Alerts that were raised.
    pub alerts: u32,
}

impl Mark {
    /// Whether there is something to go to.
    pub fn is_event(&self) -> bool {
        self.losing > 0 || self.alerts > 0
    }
}

/// A place in the past.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// When that was, ns since 1970.
    pub wall_ns: i64,
    /// When all that is known begins and ends.
    pub span: (i64, i64),
    /// The day of it and its time, for people, and both ends of the span.
    pub words: [String; 4],
    /// Where there were losses and alerts; what is in none of them was not recorded.
    pub marks: Arc<Vec<Mark>>,
    /// How fast it goes on.
    pub pace: Pace,
    /// Nothing comes behind it, or nothing yet.
    pub is_at_end: bool,
    /// Windows and histories are those of less than there was: they are being made.
    pub is_rough: bool,
    /// It is of a run that goes on, and comes up to now.
    pub is_of_run: bool,
}

/// To the past or to the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To what was before.
    Back,
    /// To what came then.
    On,
}

/// What to do in the past, or with a capture, which only goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// To the interval beside.
    Interval(Way),
    /// Hold what is played, or let it go on.
    Hold,
    /// Play slower or faster.
    Speed(Way),
    /// By a minute.
    Minute(Way),
    /// To the next interval in which a loss or an alert began.
    Event(Way),
    /// To the beginning.
    Start,
    /// To the end; of a run that goes on, to now.
    End,
}

impl Travel {
    /// What it makes of a pace when it is asked for so many times; nothing, where it is another way to go.
    pub fn pace(self, from: Pace, times: usize) -> Pace {
        match self {
            Travel::Hold => Pace {
                is_held: from.is_held ^ (times % 2 == 1),
                ..from
            },
            Travel::Speed(way) => (0..times).fold(from, |pace, _| pace.beside(way == Way::On)),
            _ => from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_an_event_where_anything_was_lost_or_an_alert_raised() {
        let is_event = |losing, alerts| {
            let mark = Mark {
                losing,
                alerts,
                ..Mark::default()
            };
            mark.is_event()
        };
        let found = [(0, 0), (1, 0), (0, 1)].map(|(losing, alerts)| is_event(losing, alerts));
        assert_eq!(found, [false, true, true]);
    }

    #[test]
    fn a_pace_is_held_and_goes_on_by_turns() {
        let is_held = |times| Travel::Hold.pace(Pace::default(), times).is_held;
        assert_eq!([0, 1, 2, 3].map(is_held), [false, true, false, true]);
    }
}
