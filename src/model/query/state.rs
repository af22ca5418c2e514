//! What a flow is at the moment: the words behind `is:`.

use crate::model::column::{Context, verdict};
use crate::model::flow::FlowKey;
use crate::model::tracker::Flow;

/// A word behind `is:`, and the flows that it is true of.
#[derive(Debug)]
pub struct State {
    /// The word.
    pub name: &'static str,
    pub(super) holds: fn(&Flow, &Context, &[FlowKey]) -> bool,
}

/// All states; the keys are those of pinned flows. Another one is another row, and its name in [`HELP`].
pub(super) static STATES: [State; 5] = [
    State {
        name: "alert",
        holds: |flow, context, _| {
            let alerts = context.alerts;
            alerts.is_some_and(|alerts| alerts.words(&flow.key).is_some())
        },
    },
    State {
        name: "trouble",
        holds: |flow, context, _| !verdict(flow, context).is_unknown(),
    },
    State {
        name: "losing",
        holds: |flow, _, _| flow.is_losing(),
    },
    State {
        name: "idle",
        holds: |flow, _, _| flow.rates.is_some_and(|rates| rates.packet_rate == 0.0),
    },
    State {
        name: "pinned",
        holds: |flow, _, pinned| pinned.contains(&flow.key),
    },
];

/// What `is:` takes, for people.
pub(super) const HELP: &str =
    "alert, trouble, losing or idle (no packet) in the latest interval, pinned, or a list";

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        self.name == other.name
    }
}
