//! Requests, right and wrong, and any bytes at all.

use proptest::prelude::*;

use super::*;

fn request(text: &str) -> Request<'_> {
    let parsed = parse(text.as_bytes())
        .expect("a request")
        .expect("a whole one");
    assert_eq!(parsed.1, text.len(), "{text}");
    parsed.0
}

#[test]
fn what_is_asked_for_is_found_by_path_and_headers() {
    let prometheus = request(
        "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\nAccept-Encoding: gzip\r\n\r\n",
    );
    let expected = Target::Metrics(Format::OpenMetrics, true);
    assert_eq!((prometheus.target, prometheus.stays), (expected, true));
    let old = request("HEAD /metrics HTTP/1.0\n\n");
    assert_eq!(old.target, Target::Metrics(Format::Text, false));
    assert!(old.is_head && !old.stays);
    assert_eq!(
        request("GET /healthz HTTP/1.1\r\n\r\n").target,
        Target::Health
    );
    assert_eq!(request("GET / HTTP/1.1\r\n\r\n").target, Target::Index);
    assert_eq!(
        request("GET /metrics/ HTTP/1.1\r\n\r\n").target,
        Target::Unknown
    );
    assert!(!request("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n").stays);
    assert!(request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").stays);
}

#[test]
fn what_is_no_request_of_ours_is_refused_and_says_why() {
    for (text, wrong) in [
        ("POST /metrics HTTP/1.1\r\n\r\n", Wrong::Method),
        (
            "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
            Wrong::Malformed,
        ),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Wrong::Malformed,
        ),
        ("GET / HTTP/2.0\r\n\r\n", Wrong::Malformed),
        ("\x16\x03\x01", Wrong::Malformed),
        (
            "GET / HTTP/1.1\r\nname without colon\r\n\r\n",
            Wrong::Malformed,
        ),
    ] {
        assert_eq!(parse(text.as_bytes()), Err(wrong), "{text}");
    }
    let many = format!(
        "GET / HTTP/1.1\r\n{}\r\n",
        "a: b\r\n".repeat(MOST_HEADERS + 1)
    );
    assert_eq!(parse(many.as_bytes()), Err(Wrong::TooLarge));
    let mut long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(LONGEST_HEAD));
    assert_eq!(parse(long.as_bytes()), Err(Wrong::TooLarge));
    long.truncate(LONGEST_HEAD);
    assert_eq!(parse(long.as_bytes()), Err(Wrong::TooLarge));
    long.truncate(LONGEST_HEAD - 1);
    assert_eq!(parse(long.as_bytes()), Ok(None));
}

/// Pieces of requests, right and wrong.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "GET ",
        "HEAD ",
        "POST ",
        "/",
        "/metrics",
        " HTTP/1.1",
        " HTTP/1.0",
        "\r\n",
        "\n",
        "Accept: ",
        "text/plain",
        ";q=",
        "0.5",
        ",",
        "Connection: close",
        "Content-Length: ",
        "0",
        ": ",
        "Accept-Encoding: gzip",
        "*",
        "?",
    ];
    prop_oneof![
        8 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![b'a'; 3000]),
    ]
}

proptest! {
    /// Whatever comes, in whatever pieces: no request is longer than what came, and what was found in the beginning of the
    /// bytes is found in all of them.
    #[test]
    fn any_bytes_are_a_request_or_none(pieces in prop::collection::vec(piece(), 0..30)) {
        let bytes = pieces.concat();
        match parse(&bytes) {
            Ok(Some((request, length))) => {
                prop_assert!(length <= bytes.len() && length <= LONGEST_HEAD);
                prop_assert_eq!(parse(&bytes[..length]), Ok(Some((request, length))));
                prop_assert_eq!(parse(&bytes[..length - 1]), Ok(None));
            }
            Ok(None) => prop_assert!(bytes.len() < LONGEST_HEAD),
            Err(_) => {}
        }
    }
}
