//! The run as metrics, in both formats that scrapers ask for: OpenMetrics 1.0 and the text format 0.0.4.
//!
//! One table of families, from which the text, the documents and the tests follow. No time stamps, so that series which
//! are gone are known to be, and no `_created`, which would double the series.

mod families;
mod family;
mod negotiation;
mod text;

use std::io::{self, BufWriter};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::model::ipfix::ExportCounts;
use crate::model::metrics::Exposition;
pub use families::FAMILIES;
pub use family::{Family, Kind};
pub use negotiation::{accepts_gzip, format_for};
use text::write;

/// So much text is compressed at once, bytes: it stays in the CPU's cache meanwhile, and is nowhere as a whole.
const AT_ONCE: usize = 64 << 10;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Text,
}

impl Format {
    /// What the answer says it is.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What there is to tell of a run at one moment.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The numbers.
    pub exposition: Exposition,
    /// Counts the configurations that came into force; the first is 1.
    pub config_generation: u64,
    /// Whether the file is wrong now.
    pub config_has_error: bool,
    /// How the export of flow records goes, if there is one.
    pub ipfix: Option<ExportCounts>,
    /// Intervals that are over and wait for whoever takes the records.
    pub intervals_waiting: u64,
}

/// Why a request or its connection got no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No request of HTTP, or another method than GET and HEAD.
    Malformed,
    /// A request with too long a head.
    TooLarge,
    /// A request that took too long to come.
    Late,
    /// An answer that took too long to be read.
    Unread,
    /// There were too many connections.
    Full,
    /// No user, or a wrong password.
    Unauthorized,
    /// A connection that TLS could not secure.
    Tls,
}

impl Refusal {
    /// All of them, in the order of their numbers.
    pub const ALL: [Refusal; 7] = [
        Refusal::Malformed,
        Refusal::TooLarge,
        Refusal::Late,
        Refusal::Unread,
        Refusal::Full,
        Refusal::Unauthorized,
        Refusal::Tls,
    ];

    /// The name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::TooLarge => "too_large",
            Refusal::Late => "late",
            Refusal::Unread => "unread",
            Refusal::Full => "connections",
            Refusal::Unauthorized => "unauthorized",
            Refusal::Tls => "tls",
        }
    }
}

/// What the exporter tells of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Service {
    /// Pages that were asked for.
    pub scrapes: u64,
    /// Requests and connections without one, by reason, in the order of [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
    /// How old the numbers are, s.
    pub age_s: f64,
}

/// The whole page; as gzip at the level that takes least time, as pages repeat themselves.
pub fn encode(page: &Page, service: &Service, format: Format, is_gzip: bool) -> Vec<u8> {
    let plain = |mut bytes| write(page, service, format, &mut bytes).map(|()| bytes);
    let gzip = |bytes| -> io::Result<Vec<u8>> {
        let encoder = GzEncoder::new(bytes, Compression::fast());
        let mut text = BufWriter::with_capacity(AT_ONCE, encoder);
        write(page, service, format, &mut text)?;
        text.into_inner()?.finish()
    };
    let bytes = match is_gzip {
        true => gzip(Vec::new()),
        false => plain(Vec::new()),
    };
    // Memory always takes it.
    bytes.unwrap_or_default()
}
