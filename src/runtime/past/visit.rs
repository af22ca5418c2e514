//! What the thread that goes through the past hands to the main thread.

use std::sync::Arc;

use crate::app::Moment;
use crate::config::Config;
use crate::export::openmetrics::Page;

/// Something to show.
#[derive(Debug)]
pub struct Visit {
    /// Where to go.
    pub shows: Shows,
    /// The configuration of that moment, where it is another one than before.
    pub config: Option<Arc<Config>>,
    /// The numbers of that moment for scrapers, where anybody may come.
    pub page: Option<Box<Page>>,
    /// What there is to say.
    pub notice: Option<String>,
    /// Dropped with it: whoever has another one knows that this was taken.
    pub _ticket: Arc<()>,
}

/// What to show.
#[derive(Debug)]
pub enum Shows {
    /// What is shown already.
    TheSame,
    /// A moment of the past.
    Moment(Box<Moment>),
    /// The present.
    ThePresent,
}
