//! Metrics of recordings: of the moment that is shown, and without a screen of the records.

use super::support::scrape;
use super::*;

const CONFIG: &str = r#"{"RULES": {"voice": {"match": "- - - 5000 UDP", "OFFSET": 0, "EXPORT": 5}, "rest": "- - - - -"}}"#;

fn packets(record: &Value) -> u64 {
    number(&interface(record, RECEIVER_LINK)["packets"])
}

/// What a page has counted: of the link, of rules, and of flows with the remainder.
fn counted(pair: &Pair) -> [u64; 3] {
    let page = scrape::page(&pair.receiver);
    let flows =
        page.sum("flowtop_flow_packets_total") + page.sum("flowtop_flow_other_packets_total");
    let [link, rules] =
        ["interface", "rule"].map(|of| page.sum(&format!("flowtop_{of}_packets_total")));
    [link, rules, flows]
}

/// A recording with traffic in each of some intervals.
fn recorded(pair: &Pair) -> Run {
    let mut run = Run::start(pair, CONFIG, &[]);
    for burst in 0..15 {
        send(pair, 5000, burst * 10 + 1..=burst * 10 + 10);
        let ports: Vec<_> = (6000..6040)
            .map(|port| Udp::to_port(port).frame())
            .collect();
        FrameSender::on(pair).send_in_step(ports.iter().map(Vec::as_slice));
        run.counted(u64::from(burst + 1) * 50);
    }
    run.end(Signal::SIGTERM);
    run
}

#[test]
fn metrics_are_those_of_the_moment_that_is_shown_and_count_what_is_played() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let run = recorded(&pair);
    let live = run.live();
    let began = live.iter().position(|it| packets(it) > 0).expect("traffic");
    let time = live[began]["time"].as_str().expect("a time");
    // Times are rounded.
    let at: jiff::Timestamp = time.parse().expect("a time");
    let at = (at + Duration::from_millis(1)).to_string();
    let mut command = support::command(&pair.receiver, PROGRAM);
    command.args(["replay", "past", "--at", &at, "--listen", "9788"]);
    command.current_dir(run.folder.path());
    let mut pty = Pty::start(&mut command, (120, 40), Control::Controlling);
    pty.wait_for_text("replay");
    let health = || scrape::get(&pair.receiver, "/healthz", "").status;
    pty.wait_for("a page", |_| health() == 200);
    assert_eq!(counted(&pair), [0; 3]);
    let listed = |record: &Value| number(&interface(record, RECEIVER_LINK)["flows"]) as f64;
    let gauge = format!("flowtop_interface_flows{{interface=\"{RECEIVER_LINK}\"}}");
    let shown = || scrape::page(&pair.receiver).value(&gauge);
    assert_eq!(shown(), listed(&live[began]));
    // An interval on counts it; each packet is in one series of each kind.
    for on in began + 1..began + 6 {
        pty.press(")");
        let came = packets(&live[on]) - packets(&live[began]);
        pty.wait_for("an interval", |_| counted(&pair) == [came; 3]);
    }
    // A jump adds nothing: counters begin at zero.
    pty.press("(");
    pty.wait_for("a reset", |_| counted(&pair) == [0; 3]);
    pty.press("E");
    let last = live.last().expect("a record");
    pty.wait_for_text("at its end");
    pty.wait_for("the end", |_| {
        shown() == listed(last) && counted(&pair) == [0; 3]
    });
    // Played to the end, all but what the first moment shows has come.
    pty.press("S");
    pty.wait_until_gone("at its end");
    pty.press("]");
    pty.press("]");
    pty.press(".");
    pty.wait_for_text("at its end");
    let came = packets(last) - packets(&live[0]);
    pty.wait_for("all of it", |_| counted(&pair) == [came; 3]);
    // Nothing comes any more.
    assert_eq!(scrape::get(&pair.receiver, "/", "").status, 200);
    pty.press("q");
    assert!(pty.wait_for_exit(Duration::from_secs(10)).success());
    pty.assert_restored();
}

#[test]
fn without_a_screen_metrics_are_those_of_the_records() {
    if !support::root() {
        return;
    }
    let pair = Pair::quiet();
    let run = recorded(&pair);
    let total = packets(run.live().last().expect("a record"));
    let mut command = support::command(&pair.receiver, PROGRAM);
    command.args(["replay", "past", "--json", "--listen", "9788"]);
    command.current_dir(run.folder.path()).stdin(Stdio::null());
    // Nobody reads: it waits with a full pipe.
    let mut child = Background::spawn(command.stdout(Stdio::piped()));
    let is_there = || {
        let stream = scrape::connect(&pair.receiver, scrape::PORT);
        stream.is_ok() && scrape::get(&pair.receiver, "/metrics", "").status == 200
    };
    wait_for("a page", is_there);
    let [link, rules, flows] = counted(&pair);
    assert!(
        link <= total && rules == link && flows == link,
        "{link} {rules} {flows}"
    );
    let mut out = child.0.stdout.take().expect("its output");
    std::io::copy(&mut out, &mut std::io::sink()).expect("read");
    assert!(child.0.wait().expect("wait").success());
}
