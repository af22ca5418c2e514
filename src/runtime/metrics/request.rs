//! What a scraper asks for. Pure: from bytes to a request, or to why it is none.

use httparse::{EMPTY_HEADER, Header, Status};

use crate::export::openmetrics::{Format, Refusal, accepts_gzip, format_for};

/// A longer head of a request is refused, bytes.
pub const LONGEST_HEAD: usize = 8 << 10;

/// Requests with more lines in their head are refused.
const MOST_HEADERS: usize = 64;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The metrics, in this format, and whether gzip is taken.
    Metrics(Format, bool),
    /// Whether the numbers are fresh.
    Health,
    /// What there is.
    Index,
    /// Something that there is not.
    Unknown,
}

/// A whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked for.
    pub target: Target,
    /// Only the head of the answer is wanted.
    pub is_head: bool,
    /// Who asks, as `Authorization` says it.
    pub authorization: &'a str,
    /// The connection stays open for further requests.
    pub stays: bool,
}

/// Why there will be no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// No request of HTTP, or one with a body.
    Malformed,
    /// Another method than GET and HEAD.
    Method,
    /// Too long.
    TooLarge,
}

impl Wrong {
    /// As what it is counted.
    pub fn refusal(self) -> Refusal {
        match self {
            Wrong::Malformed | Wrong::Method => Refusal::Malformed,
            Wrong::TooLarge => Refusal::TooLarge,
        }
    }
}

/// Reads the request that these bytes begin with, and how long it is. `None`: more bytes have to come.
pub fn parse(bytes: &[u8]) -> Result<Option<(Request<'_>, usize)>, Wrong> {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) if length <= LONGEST_HEAD => length,
        Ok(Status::Partial) if bytes.len() < LONGEST_HEAD => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Wrong::TooLarge),
        Err(_) => return Err(Wrong::Malformed),
    };
    let headers = &*request.headers;
    let is_head = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err(Wrong::Method),
    };
    let has_body = value(headers, "content-length").is_some_and(|length| length != "0");
    if has_body || value(headers, "transfer-encoding").is_some() {
        return Err(Wrong::Malformed);
    }
    let is_new = request.version == Some(1);
    let connection = value(headers, "connection").unwrap_or_default();
    let says = |word: &str| {
        let mut words = connection.split(',');
        words.any(|said| said.trim().eq_ignore_ascii_case(word))
    };
    let path = request.path.unwrap_or_default();
    let target = match path.split('?').next().unwrap_or_default() {
        "/metrics" => {
            let accept = value(headers, "accept").unwrap_or_default();
            let encodings = value(headers, "accept-encoding").unwrap_or_default();
            Target::Metrics(format_for(accept), accepts_gzip(encodings))
        }
        "/healthz" => Target::Health,
        "/" => Target::Index,
        _ => Target::Unknown,
    };
    let request = Request {
        target,
        is_head,
        authorization: value(headers, "authorization").unwrap_or_default(),
        stays: if is_new {
            !says("close")
        } else {
            says("keep-alive")
        },
    };
    Ok(Some((request, length)))
}

/// The value of a header; nothing where it is no text.
fn value<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|h| h.name.eq_ignore_ascii_case(name))?;
    Some(std::str::from_utf8(found.value).unwrap_or_default().trim())
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
