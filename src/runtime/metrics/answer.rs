//! What scrapers are answered: pages of the latest numbers, each written once for all who ask for it at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gate::{Gate, Later};
use super::request::{Request, Target, Wrong};
use crate::export::openmetrics::{self, Format, Page, Refusal, Service};

/// Older numbers are not fresh: they are read once a second.
const FRESH: Duration = Duration::from_secs(5);

/// A page that was written so long ago is written again, even where the numbers are the same: it says how old they are.
const PAGE_LASTS: Duration = Duration::from_secs(1);

const INDEX: &str = "<!DOCTYPE html>\n<html lang=\"en\"><title>flowtop</title><h1>flowtop</h1>\n\
    <p>The quality of the network flows of this host.</p>\n<ul>\n\
    <li><a href=\"/metrics\">/metrics</a>: all numbers, for Prometheus and what scrapes like it (OpenMetrics 1.0 or text 0.0.4)</li>\n\
    <li><a href=\"/healthz\">/healthz</a>: 200 while the numbers are fresh, else 503</li>\n</ul></html>\n";

/// An answer: its head, and its body if that is wanted.
pub struct Answer {
    /// Status line and headers.
    pub head: Vec<u8>,
    /// What comes behind.
    pub body: Arc<Vec<u8>>,
    /// The connection closes behind it.
    pub closes: bool,
}

/// A page that was written.
struct WrittenPage {
    format: Format,
    is_gzip: bool,
    at: Instant,
    bytes: Arc<Vec<u8>>,
}

/// All that can be answered.
#[derive(Default)]
pub struct Site {
    /// The latest numbers, and when they came.
    page: Option<(Arc<Page>, Instant)>,
    /// Pages of these numbers.
    written: Vec<WrittenPage>,
    service: Service,
    gate: Gate,
}

/// The parts of a head that differ.
struct Head<'a> {
    status: &'a str,
    content_type: &'a str,
    more: &'a str,
}

const TEXT: &str = "text/plain; charset=utf-8";

impl Site {
    /// These are the numbers from here on.
    pub fn renew(&mut self, page: Arc<Page>) {
        self.page = Some((page, Instant::now()));
        self.written.clear();
    }

    /// Forgets the numbers: nobody is served any more.
    pub fn clear(&mut self) {
        (self.page, self.written) = (None, Vec::new());
    }

    /// Serves these users from here on; none: anybody.
    pub fn admit(&mut self, users: Vec<(String, String)>) {
        self.gate = Gate::new(users);
    }

    /// Counts a request or connection that got no page.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.service.refused[refusal as usize] += 1;
    }

    /// The answer to a request, or when it is known who asks.
    pub fn answer(&mut self, request: &Request<'_>) -> Result<Answer, Later> {
        let is_admitted = self.gate.admits(request.authorization)?;
        let mut answer = match request.target {
            _ if !is_admitted => {
                self.refuse(Refusal::Unauthorized);
                let head = Head {
                    status: "401 Unauthorized",
                    content_type: TEXT,
                    more: "WWW-Authenticate: Basic realm=\"flowtop\", charset=\"UTF-8\"\r\n",
                };
                respond(&head, "a user and the password are needed\n".into())
            }
            Target::Metrics(format, takes_gzip) => self.metrics(format, takes_gzip),
            Target::Health => self.health(),
            Target::Index => {
                let head = Head {
                    status: "200 OK",
                    content_type: "text/html; charset=utf-8",
                    more: "",
                };
                respond(&head, INDEX.into())
            }
            Target::Unknown => plain("404 Not Found", "there is /metrics and /healthz\n"),
        };
        answer.closes = !request.stays;
        finish_head(&mut answer);
        if request.is_head {
            answer.body = Arc::default();
        }
        Ok(answer)
    }

    /// The answer to what is no request of ours.
    pub fn answer_wrong(&mut self, wrong: Wrong) -> Answer {
        self.refuse(wrong.refusal());
        let mut answer = match wrong {
            Wrong::Malformed => plain(
                "400 Bad Request",
                "this is no request of HTTP without a body\n",
            ),
            Wrong::Method => {
                let head = Head {
                    status: "405 Method Not Allowed",
                    content_type: TEXT,
                    more: "Allow: GET, HEAD\r\n",
                };
                respond(&head, "GET and HEAD only\n".into())
            }
            Wrong::TooLarge => plain(
                "431 Request Header Fields Too Large",
                "the head of a request has 8 KiB and 64 lines at most\n",
            ),
        };
        answer.closes = true;
        finish_head(&mut answer);
        answer
    }

    fn metrics(&mut self, format: Format, is_gzip: bool) -> Answer {
        self.service.scrapes += 1;
        let Some((page, came)) = &self.page else {
            return plain("503 Service Unavailable", "nothing has been read yet\n");
        };
        let is_it = |written: &WrittenPage| written.format == format && written.is_gzip == is_gzip;
        self.written
            .retain(|written| written.at.elapsed() < PAGE_LASTS);
        let bytes = match self.written.iter().find(|written| is_it(written)) {
            Some(written) => written.bytes.clone(),
            None => {
                self.service.age_s = came.elapsed().as_secs_f64();
                let bytes = Arc::new(openmetrics::encode(page, &self.service, format, is_gzip));
                self.written.push(WrittenPage {
                    format,
                    is_gzip,
                    at: Instant::now(),
                    bytes: bytes.clone(),
                });
                bytes
            }
        };
        let head = Head {
            status: "200 OK",
            content_type: format.content_type(),
            more: match is_gzip {
                true => "Vary: Accept, Accept-Encoding\r\nContent-Encoding: gzip\r\n",
                false => "Vary: Accept, Accept-Encoding\r\n",
            },
        };
        respond_shared(&head, bytes)
    }

    fn health(&self) -> Answer {
        match &self.page {
            Some((_, came)) if came.elapsed() < FRESH => plain("200 OK", "ok\n"),
            Some((_, came)) => {
                let text = format!("nothing has been read for {} s\n", came.elapsed().as_secs());
                plain("503 Service Unavailable", &text)
            }
            None => plain("503 Service Unavailable", "nothing has been read yet\n"),
        }
    }
}

fn plain(status: &str, text: &str) -> Answer {
    let head = Head {
        status,
        content_type: TEXT,
        more: "",
    };
    respond(&head, text.into())
}

fn respond(head: &Head<'_>, body: String) -> Answer {
    respond_shared(head, Arc::new(body.into_bytes()))
}

fn respond_shared(head: &Head<'_>, body: Arc<Vec<u8>>) -> Answer {
    let Head {
        status,
        content_type,
        more,
    } = head;
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    let text = format!(
        "HTTP/1.1 {status}\r\nDate: {date}\r\nServer: flowtop\r\nContent-Type: {content_type}\r\n\
         X-Content-Type-Options: nosniff\r\n{more}Content-Length: {}\r\n",
        body.len()
    );
    Answer {
        head: text.into_bytes(),
        body,
        closes: false,
    }
}

fn finish_head(answer: &mut Answer) {
    let connection = match answer.closes {
        true => "Connection: close\r\n\r\n",
        false => "Connection: keep-alive\r\n\r\n",
    };
    answer.head.extend(connection.as_bytes());
}
