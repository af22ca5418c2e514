//! The columns of the Events view.

use super::{Column, Value, Width};
use crate::model::event::Event;

use Width::{Between, Fixed};

/// All event columns.
pub static EVENT_COLUMNS: [Column<Event>; 3] = [
    Column::<Event>::new(
        "time",
        "time",
        "local time at which it was noticed",
        Fixed(8),
        |e, _| Value::Moment {
            order: e.id,
            at: e.at,
        },
    )
    .priority(0),
    Column::<Event>::new("kind", "kind", "what sort of thing", Fixed(9), |e, _| {
        Value::Text(e.kind.name())
    })
    .left()
    .priority(1),
    Column::<Event>::new(
        "text",
        "what happened",
        "what happened, in words",
        Between(14, 400),
        |e, _| Value::Sentence(&e.text),
    )
    .left()
    .priority(2),
];
