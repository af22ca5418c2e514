//! Keys that go through time: of a capture its pace, of a recording and of what a run keeps in memory also the way back.

use super::{Action, App, Effect};
use crate::model::past::{Travel, Way};
use crate::model::tracker::Report;

/// Whether the action is one of these.
pub(super) fn is_of_time(action: Action) -> bool {
    matches!(
        action,
        Action::Hold | Action::Slower | Action::Faster | Action::ToEnd
    ) || is_of_the_past(action)
}

/// Whether it is none of a capture.
fn is_of_the_past(action: Action) -> bool {
    leads_back(action)
        || matches!(
            action,
            Action::IntervalOn | Action::MinuteOn | Action::EventOn
        )
}

/// Whether there is a way from now.
fn leads_back(action: Action) -> bool {
    matches!(
        action,
        Action::IntervalBack | Action::MinuteBack | Action::EventBack | Action::ToStart
    )
}

impl App {
    /// Does one of these.
    pub(super) fn change_time(&mut self, action: Action, live: &Report) -> Vec<Effect> {
        match (self.past(), &live.capture) {
            (Some(_), _) => vec![Effect::Travel(travel(action))],
            (None, None) if leads_back(action) => vec![Effect::Travel(travel(action))],
            (None, None) => {
                let back = self.preferences().keymap.keys_text(Action::IntervalBack);
                self.notices
                    .say(format!("this is now; the last minutes are behind {back}"));
                Vec::new()
            }
            (None, Some(_)) if is_of_the_past(action) => {
                self.notices
                    .say("a capture only goes on; read it again to see its beginning");
                Vec::new()
            }
            (None, Some(capture)) if capture.is_over => {
                self.notices.say("the capture is at its end");
                Vec::new()
            }
            (None, Some(_)) => vec![Effect::Travel(travel(action))],
        }
    }
}

fn travel(action: Action) -> Travel {
    match action {
        Action::IntervalBack => Travel::Interval(Way::Back),
        Action::IntervalOn => Travel::Interval(Way::On),
        Action::MinuteBack => Travel::Minute(Way::Back),
        Action::MinuteOn => Travel::Minute(Way::On),
        Action::EventBack => Travel::Event(Way::Back),
        Action::EventOn => Travel::Event(Way::On),
        Action::ToStart => Travel::Start,
        Action::ToEnd => Travel::End,
        Action::Slower => Travel::Speed(Way::Back),
        Action::Faster => Travel::Speed(Way::On),
        _ => Travel::Hold,
    }
}
