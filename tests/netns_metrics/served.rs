//! Who is served, where, and in which form.

use super::support::exposition::Page;
use super::support::pair::RECEIVER_LINK;
use super::support::program::Flowtop;
use super::support::scrape::{PORT, ask, connect, get, page};
use super::support::{self, clock::wait_for};
use super::{start, wait_for_page, watch};

const OPEN: &str = "Accept: application/openmetrics-text;version=1.0.0\r\n";

#[test]
fn each_path_and_format_is_served_over_one_connection() {
    if !support::root() {
        return;
    }
    let (pair, run) = watch("{}", &[]);
    let mut stream = connect(&pair.receiver, PORT).expect("connect");
    let mut get =
        |request: &str| ask(&mut stream, &format!("{request}\r\n\r\n")).expect("an answer");
    let text = get("GET /metrics HTTP/1.1");
    assert_eq!(
        text.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let text = Page::read(std::str::from_utf8(&text.body).expect("UTF-8"));
    let open = get(&format!("GET /metrics HTTP/1.1\r\n{}", OPEN.trim()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("Content-Type"), Some(kind));
    assert!(open.body.ends_with(b"# EOF\n"));
    let open = Page::read(std::str::from_utf8(&open.body).expect("UTF-8"));
    let names = |page: &Page| page.samples.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&text), names(&open));
    let head = get("HEAD /metrics HTTP/1.1");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(
        head.header("Content-Length")
            .is_some_and(|length| length != "0")
    );
    let health = get("GET /healthz HTTP/1.1");
    assert_eq!((health.status, &*health.body), (200, &b"ok\n"[..]));
    let index = get("GET / HTTP/1.1");
    assert!(
        index
            .header("Content-Type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
    assert!(String::from_utf8_lossy(&index.body).contains("href=\"/metrics\""));
    assert_eq!(get("GET /metric HTTP/1.1").status, 404);
    let refused = get("POST /metrics HTTP/1.1");
    assert_eq!(
        (refused.status, refused.header("Allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(refused.header("Connection"), Some("close"));
    run.finish();
}

#[test]
fn who_takes_gzip_gets_the_same_page_in_fewer_bytes() {
    if !support::root() {
        return;
    }
    let (pair, run) = watch("{}", &[]);
    let plain = get(&pair.receiver, "/metrics", "");
    let zipped = get(&pair.receiver, "/metrics", "Accept-Encoding: gzip\r\n");
    assert_eq!(plain.header("Content-Encoding"), None);
    assert_eq!(zipped.header("Content-Encoding"), Some("gzip"));
    assert!(zipped.body.len() * 3 < plain.body.len());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("page.gz");
    std::fs::write(&path, &zipped.body).expect("write the page");
    let path = path.to_str().expect("UTF-8");
    let page = Page::read(&support::run(&pair.receiver, "gzip", &["-dc", path]));
    let plain = Page::read(std::str::from_utf8(&plain.body).expect("UTF-8"));
    assert_eq!(page.types, plain.types);
    run.finish();
}

#[test]
fn the_place_to_listen_at_changes_live_and_a_bad_one_changes_nothing() {
    if !support::root() {
        return;
    }
    let (pair, run) = start("{}", &[]);
    let listens = |port| connect(&pair.receiver, port).is_ok();
    assert!(!listens(PORT) && !listens(9789));
    run.rename_config(r#"{"LISTEN": 9788}"#);
    wait_for("the port", || listens(PORT));
    wait_for_page(&pair);
    run.rename_config(r#"{"LISTEN": "127.0.0.1:9789"}"#);
    wait_for("another port", || listens(9789));
    wait_for("the former port to close", || !listens(PORT));
    // A port that another has, an address that nobody has, and a port that is for root.
    let taken = pair
        .receiver
        .within(|| Ok(std::net::TcpListener::bind("127.0.0.1:9790")?));
    let taken = taken.expect("a listener");
    let is_served = || {
        let mut stream = connect(&pair.receiver, 9789).ok()?;
        let answer = ask(&mut stream, "GET /metrics HTTP/1.1\r\n\r\n").ok()?;
        Some(answer.status == 200)
    };
    for (address, why) in [
        ("192.0.2.77:9789", "Cannot assign requested address"),
        ("127.0.0.1:1023", "Permission denied"),
        ("127.0.0.1:9790", "Address already in use"),
    ] {
        run.rename_config(&format!(r#"{{"LISTEN": "{address}"}}"#));
        let told = format!("listen at {address}: {why}");
        wait_for(&told, || run.said().contains(&told));
        wait_for("a page", || is_served() == Some(true));
    }
    // Once it is free, it is taken by and by.
    drop(taken);
    wait_for("what was taken", || listens(9790) && !listens(9789));
    wait_for("word of it", || {
        run.said()
            .contains("listen at 127.0.0.1:9790: it is possible now")
    });
    run.rename_config(r#"{"LISTEN": 9788}"#);
    wait_for("the first one again", || listens(PORT));
    run.rename_config(r#"{"LISTEN": null}"#);
    wait_for("nobody to listen", || !listens(PORT));
    let errors = run.finish().errors;
    assert!(errors.contains("LISTEN null -> 9788"), "{errors}");
    let stays = errors.matches("; it goes on at 127.0.0.1:9789").count();
    assert_eq!(stays, 3, "{errors}");
}

#[test]
fn what_cannot_be_listened_at_is_told_and_the_run_goes_on() {
    if !support::root() {
        return;
    }
    let (pair, mut run) = watch("{}", &[]);
    // The command line wins: so a run of its own.
    let taken = support::program::run_to_end(
        &pair.receiver,
        &["--json", "-i", RECEIVER_LINK, "--listen", "9788"],
    );
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert_eq!(taken.status.code(), Some(1), "{said}");
    assert_eq!(
        said,
        "flowtop: listen at 127.0.0.1:9788: Address already in use (another program listens there: choose another port)\n"
    );
    for wrong in ["0", "65536", "host:80", "::1:80", "1.2.3.4"] {
        let output = support::program::run_to_end(&pair.receiver, &["--json", "--listen", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
    run.record();
    run.finish();
    let run = Flowtop::start(
        &pair.receiver,
        r#"{"LISTEN": 9788}"#,
        &["-i", RECEIVER_LINK, "-t", "0.5"],
    );
    wait_for_page(&pair);
    run.rename_config(r#"{"LISTEN": "192.0.2.77:9789"}"#);
    wait_for("the notice", || {
        let page = page(&pair.receiver);
        page.value("flowtop_config_generation") >= 2.0
    });
    let errors = run.finish().errors;
    assert!(
        errors.contains("listen at 192.0.2.77:9789: Cannot assign requested address (no interface has this address); it goes on at 127.0.0.1:9788"),
        "{errors}"
    );
}
