//! Any bytes at all, in any pieces, to a reader of any pace: the answers are those to the same bytes at once.
//!
//! A scenario is bytes: the first says who is served (see [`Scenario::site`]), the rest is sent as it stands, but for
//! [`TURN`], behind which a byte says what happens before the next piece. `make fuzz-requests` looks for scenarios that
//! take new ways through the code (libFuzzer); what it finds becomes a file of `tests/requests`, which `make test` replays.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use nix::poll::{PollFd, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt::SndBuf};
use proptest::prelude::*;

use super::super::request::{Request, Target, Wrong};
use super::*;
use crate::export::openmetrics::Page;
use crate::runtime::wake;

/// Ends a piece. Behind it: how much is read meanwhile, in units of [`UNIT`]; itself, if it is meant as a byte.
const TURN: u8 = 0xff;

/// The hash of Ann's password.
static ONE: LazyLock<String> = LazyLock::new(|| bcrypt::hash("one", 4).expect("a hash"));

/// Bytes.
const UNIT: usize = 64;

/// So many turns have no end: somebody goes round in circles.
const MOST_TURNS: usize = 100_000;

struct Scenario {
    has_users: bool,
    has_page: bool,
    /// What is sent, and how much is read after it.
    pieces: Vec<(Vec<u8>, usize)>,
}

impl Scenario {
    fn read(data: &[u8]) -> Scenario {
        let (first, rest) = data.split_first().unwrap_or((&0, &[]));
        let mut pieces = vec![(Vec::new(), 0)];
        let mut bytes = rest.iter();
        while let Some(&byte) = bytes.next() {
            let turn = if byte == TURN { bytes.next() } else { None };
            let latest = pieces.len() - 1;
            match turn {
                Some(&turn) if turn != TURN => {
                    pieces[latest].1 = UNIT * usize::from(turn);
                    pieces.push((Vec::new(), 0));
                }
                _ => pieces[latest].0.push(byte),
            }
        }
        Scenario {
            has_users: first & 1 != 0,
            has_page: first & 2 == 0,
            pieces,
        }
    }

    fn site(&self) -> Site {
        let mut site = Site::default();
        if self.has_users {
            site.admit(vec![("ann".to_owned(), ONE.clone())]);
        }
        if self.has_page {
            site.renew(Arc::new(Page::default()));
        }
        site
    }

    /// The status codes of the answers to all that is sent, and how each is to be read.
    fn expected<'a>(&self, sent: &'a [u8]) -> Vec<(u16, Option<Request<'a>>)> {
        let mut expected = Vec::new();
        let mut rest = sent;
        loop {
            match parse(&rest[..rest.len().min(LONGEST_HEAD)]) {
                Ok(None) => return expected,
                Ok(Some((request, length))) => {
                    expected.push((self.status(&request), Some(request)));
                    rest = &rest[length..];
                    if !request.stays {
                        return expected;
                    }
                }
                Err(wrong) => {
                    let status = match wrong {
                        Wrong::Malformed => 400,
                        Wrong::Method => 405,
                        Wrong::TooLarge => 431,
                    };
                    expected.push((status, None));
                    return expected;
                }
            }
        }
    }

    fn status(&self, request: &Request<'_>) -> u16 {
        let (scheme, said) = request.authorization.split_once(' ').unwrap_or_default();
        let is_ann = scheme.eq_ignore_ascii_case("basic") && said.trim() == "YW5uOm9uZQ==";
        match request.target {
            _ if self.has_users && !is_ann => 401,
            Target::Unknown => 404,
            Target::Index => 200,
            Target::Metrics(..) | Target::Health if self.has_page => 200,
            Target::Metrics(..) | Target::Health => 503,
        }
    }
}

/// A scraper and the connection that serves it.
struct Talk {
    scraper: UnixStream,
    connection: Option<Connection>,
    site: Site,
    /// What the scraper has read.
    answers: Vec<u8>,
}

impl Talk {
    fn begin(site: Site) -> Talk {
        let (scraper, served) = UnixStream::pair().expect("sockets");
        scraper.set_nonblocking(true).expect("nonblocking");
        // As small as it gets, so that answers do not find room.
        setsockopt(&served, SndBuf, &1).expect("a small buffer");
        // A stream of another family does the same.
        let served = TcpStream::from(OwnedFd::from(served));
        Talk {
            scraper,
            connection: Some(Connection::new(served, None).expect("a connection")),
            site,
            answers: Vec::new(),
        }
    }

    /// Gives the connection its turn if it waits for what there is, as the server does; whether it did.
    fn turn(&mut self) -> bool {
        let Some(connection) = &mut self.connection else {
            return false;
        };
        let awaited = PollFd::new(connection.as_fd(), connection.awaits());
        let is_held = matches!(connection.phase, Phase::Held(_));
        let left = connection.next().saturating_duration_since(Instant::now());
        let timeout = if is_held {
            wake::timeout(left)
        } else {
            PollTimeout::ZERO
        };
        let is_ready = poll(&mut [awaited], timeout).expect("poll") > 0;
        if !is_ready && Instant::now() < connection.next() {
            return is_held;
        }
        if connection.go_on(&mut self.site).is_err() {
            self.connection = None;
        }
        let held = self.connection.as_ref().map_or(0, |c| c.input.len());
        assert!(held <= LONGEST_HEAD, "{held} bytes are held");
        true
    }

    /// Reads so much, as far as it is there; whether there was anything.
    fn read(&mut self, most: usize) -> bool {
        let mut bytes = vec![0; most];
        let count = self.scraper.read(&mut bytes).unwrap_or(0);
        self.answers.extend(&bytes[..count]);
        count > 0
    }

    /// Sends this as there is room; what is left when the connection has ended is lost.
    fn send(&mut self, mut bytes: &[u8]) {
        for _ in 0..MOST_TURNS {
            match self.scraper.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            if bytes.is_empty() {
                return;
            }
            if !self.turn() {
                self.read(UNIT);
            }
        }
        panic!("nobody reads what is sent");
    }

    /// Reads to the end.
    fn finish(mut self) -> Vec<u8> {
        // Where it has been closed, there is nothing to say.
        let _ = self.scraper.shutdown(Shutdown::Write);
        for _ in 0..MOST_TURNS {
            let goes_on = self.turn();
            if !self.read(1 << 16) && !goes_on {
                assert!(self.connection.is_none(), "it waits for who has gone");
                return self.answers;
            }
        }
        panic!("it goes on for ever");
    }
}

/// Plays a scenario, and holds the answers against those that are due.
fn judge(data: &[u8]) {
    let scenario = Scenario::read(data);
    let mut talk = Talk::begin(scenario.site());
    for (piece, read) in &scenario.pieces {
        talk.send(piece);
        talk.turn();
        talk.read(*read);
    }
    let answers = talk.finish();
    let sent: Vec<u8> = scenario.pieces.iter().flat_map(|p| p.0.clone()).collect();
    let mut rest = &*answers;
    for (status, request) in scenario.expected(&sent) {
        rest = check_answer(rest, status, request.as_ref());
    }
    assert!(rest.is_empty(), "more: {}", String::from_utf8_lossy(rest));
}

/// Checks the answer that these bytes begin with; what stands behind it.
fn check_answer<'a>(bytes: &'a [u8], status: u16, request: Option<&Request<'_>>) -> &'a [u8] {
    let said = String::from_utf8_lossy(bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{status} is due, not: {said}")) + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head of text");
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(its_name, value)| (its_name == name).then_some(value))
    };
    let begin = format!("HTTP/1.1 {status} ");
    assert!(head.starts_with(&begin), "{status} is due, not: {said}");
    let closes = !request.is_some_and(|request| request.stays);
    let connection = if closes { "close" } else { "keep-alive" };
    assert_eq!(header("Connection"), Some(connection));
    let length = header("Content-Length").expect("a length");
    let mut length: usize = length.parse().expect("a number");
    if request.is_some_and(|request| request.is_head) {
        length = 0;
    }
    let (body, rest) = bytes[end..].split_at(length);
    if let (200, false, Some(Target::Metrics(format, is_gzip))) =
        (status, length == 0, request.map(|request| request.target))
    {
        assert_eq!(header("Content-Type"), Some(format.content_type()));
        assert_eq!(header("Content-Encoding"), is_gzip.then_some("gzip"));
        let mut text = String::new();
        match is_gzip {
            true => GzDecoder::new(body).read_to_string(&mut text),
            false => { body }.read_to_string(&mut text),
        }
        .expect("text");
        assert!(text.starts_with("# HELP flowtop_"), "{text}");
    }
    rest
}

#[test]
fn what_was_found_is_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/requests");
    let mut files = 0;
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        println!("{}", path.display());
        judge(&std::fs::read(path).expect("a file"));
        files += 1;
    }
    assert!(files > 0, "there are none");
}

/// Parts of scenarios: whole requests and pieces of them, ends of pieces, and any bytes at all.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let words: [&[u8]; 14] = [
        b"GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nAuthorization: Basic YW5uOm9uZQ==\r\n\r\n",
        b"HEAD /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n",
        b"GET / HTTP/1.1\n\n",
        b"GET /x HTTP/1.0\r\n",
        b"Connection: keep-alive\r\n",
        b"GET /metrics HTTP/1.1\r\n",
        b"Content-Length: 7\r\n",
        b"POST /metrics",
        b" HTTP/1.1",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b"\xff\xff",
    ];
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec),
        4 => (0..=u8::MAX).prop_map(|turn| vec![TURN, turn]),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![b'a'; 3000]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_answered(
        first in 0..4_u8,
        parts in prop::collection::vec(part(), 0..30),
    ) {
        judge(&[vec![first], parts.concat()].concat());
    }
}

/// Looks for scenarios by libFuzzer, which comes with clang; options are its own: `FLOWTOP_FUZZ_REQUESTS="-runs=9 FOLDER"`.
#[cfg(fuzzing)]
#[test]
#[allow(unsafe_code)]
fn fuzz() {
    use std::ffi::{CString, c_char, c_int};
    // SAFETY: as FuzzerInterface.h has it.
    unsafe extern "C" {
        fn LLVMFuzzerRunDriver(
            count: *mut c_int,
            words: *mut *mut *mut c_char,
            judge: extern "C" fn(*const u8, usize) -> c_int,
        ) -> c_int;
    }
    extern "C" fn judge_bytes(data: *const u8, size: usize) -> c_int {
        // SAFETY: so many bytes are there as long as this runs.
        judge(unsafe { std::slice::from_raw_parts(data, size) });
        0
    }
    let options = std::env::var("FLOWTOP_FUZZ_REQUESTS").expect("options of libFuzzer");
    let words = ["flowtop"].into_iter().chain(options.split_whitespace());
    let words = words.map(|word| CString::new(word).expect("no zero").into_raw());
    let mut words: Vec<*mut c_char> = words.chain([std::ptr::null_mut()]).collect();
    let mut count = words.len() as c_int - 1;
    // SAFETY: as main() gets them; they are there for ever.
    let code = unsafe { LLVMFuzzerRunDriver(&mut count, &mut words.as_mut_ptr(), judge_bytes) };
    assert_eq!(code, 0);
}
