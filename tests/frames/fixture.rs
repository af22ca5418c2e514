//! Reports made by hand, without a clock, and frames of them as text.

use std::net::IpAddr;
use std::sync::Arc;

use flowtop::app::{App, Msg, Preferences};
use flowtop::keymap::parse_chord;
use flowtop::model::event::TimeOfDay;
use flowtop::model::flow::{FlowKey, Protocol};
use flowtop::model::snapshot::{Counts, Hook, InterfaceSample, LinkState, Sequence, Volume};
use flowtop::model::tracker::{
    Flow, Interarrival, Interface, Rates, RecentLoss, Report, RuleReport, Watched,
};
use flowtop::ui::{self, Look};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};

/// The moment of all reports, ns.
pub const NOW: u64 = 600_000_000_000;

/// The local time of all reports.
pub const CLOCK: TimeOfDay = TimeOfDay {
    hour: 10,
    minute: 42,
    second: 7,
};

/// A flow on veth1 with unsurprising numbers.
pub fn flow(protocol: Protocol, source: &str, sport: u16, destination: &str, dport: u16) -> Flow {
    let packets = 5000;
    Flow {
        key: FlowKey::incoming(
            7,
            protocol,
            (source.parse::<IpAddr>().expect("an address"), sport),
            (destination.parse::<IpAddr>().expect("an address"), dport),
        ),
        interface: Arc::from("veth1"),
        counts: Counts {
            packets,
            bytes: packets * 100,
            payload_bytes: packets * 58,
            ..Counts::default()
        },
        rates: Some(Rates {
            throughput: 500_000.0,
            goodput: 290_000.0,
            packet_rate: 5000.0,
        }),
        interarrival: Interarrival::new(Some(0.2), Some(0.011), packets - 1),
        recent_loss: Default::default(),
        jitter_epochs: 1,
        rule: None,
        first_seen_ns: NOW - 4_020_000_000,
        last_seen_ns: NOW - 200_000,
        history: Default::default(),
        watched: Watched::default(),
        glance: Default::default(),
        histogram: None,
    }
}

/// Gives the flow rates in proportion, and a jitter that goes up and down.
pub fn at_rate(mut flow: Flow, throughput: f64) -> Flow {
    flow.rates = Some(Rates {
        throughput,
        goodput: throughput * 0.9,
        packet_rate: throughput / 1000.0,
    });
    for i in 0..40_u32 {
        let wave = f64::from((i * 7 + throughput as u32) % 11);
        let rates = Rates {
            throughput: throughput * (0.5 + wave / 22.0),
            goodput: throughput * (0.4 + wave / 22.0),
            packet_rate: 0.0,
        };
        let interarrival = Interarrival::new(Some(1.0 + wave / 10.0), Some(wave), 0);
        flow.history.record(Some(rates), &interarrival);
        flow.history
            .lost
            .push(Some(if i % 13 == 5 { wave } else { 0.0 }));
    }
    flow
}

/// Gives the flow a sequence state with this many lost out of 5000.
pub fn losing(mut flow: Flow, lost: u64) -> Flow {
    let udp = flow.key.protocol != Protocol::Tcp;
    flow.counts.sequence = Some(Sequence {
        current: Some(3_000_005_003),
        received: 5000,
        lost,
        reverse_errors: 4,
        small_errors: 2,
        big_errors: 1,
        duplicates: udp.then_some(3),
        restarts: 0,
        absent: 0,
    });
    flow
}

/// An interface that is up and attached.
pub fn interface(ifindex: u32, name: &str) -> Interface {
    let mut interface = Interface {
        ifindex,
        name: name.to_owned(),
        state: LinkState::Up,
        hook: Some(Hook::Tcx),
        counts: Counts {
            packets: 5001,
            bytes: 500_142,
            ..Counts::default()
        },
        ended: Counts::default(),
        counted: InterfaceSample {
            ifindex,
            name: name.to_owned(),
            other: Volume {
                packets: 1,
                bytes: 42,
            },
            ..InterfaceSample::default()
        },
        flows: 3,
        rates: Some(Rates {
            throughput: 1_234_567.0,
            goodput: 1_000_000.0,
            packet_rate: 5001.0,
        }),
        throughput_history: Default::default(),
    };
    for i in 0..30 {
        interface.throughput_history.push(Some(f64::from(i % 8)));
    }
    interface
}

/// A report of these flows on veth1.
pub fn report(flows: Vec<Flow>) -> Report {
    let mut veth1 = interface(7, "veth1");
    veth1.flows = flows.len();
    Report {
        eventful: Default::default(),
        outline: Default::default(),
        revision: 1,
        taken_ns: NOW,
        interval_s: 1.0,
        lengths: Default::default(),
        newest_ipv6_ns: None,
        flows,
        interfaces: vec![veth1],
        rules: Vec::new(),
        table: Default::default(),
        capture: None,
    }
}

/// Gives the report so many rules: of the first three one is short, one is long and silent, one matched nothing yet.
pub fn ruled(mut report: Report, count: usize) -> Report {
    let names = [
        "voice",
        "10.0.0.0/8 [192.168.1.1,192.168.1.2] - 5000-5010 UDP",
        "ssh",
    ];
    let rule = |index: usize| RuleReport {
        name: match names.get(index) {
            Some(name) => Arc::from(*name),
            None => Arc::from(format!("rule {index}")),
        },
        counts: Counts {
            packets: [1234, 56_789_012_345, 0][index % 3],
            bytes: [123_400, 78_901_234_567_890, 0][index % 3],
            ..Counts::default()
        },
        flows: [2, 65_536, 0][index % 3],
        gaps: None,
        last_match_ns: NOW - [300_000_000, 185_000_000_000, 30_000_000_000][index % 3],
    };
    report.rules = (0..count).map(rule).collect();
    report
}

/// A handful of flows of every kind.
pub fn mixed() -> Report {
    use Protocol::{Icmp, Icmpv6, Tcp, Udp};
    let v6 = "2001:db8:85a3:1234:5678:8a2e:370:7334";
    let mut ended = at_rate(flow(Tcp, "10.0.0.7", 49152, "10.0.0.1", 22), 0.0);
    ended.last_seen_ns = NOW - 12_000_000_000;
    ended.interarrival = Interarrival::default();
    let mut young = flow(Udp, "10.0.0.3", 40001, "10.0.0.1", 53);
    young.rates = None;
    young.interarrival = Interarrival::default();
    let flows = vec![
        losing(
            at_rate(flow(Udp, "10.0.0.2", 40000, "10.0.0.1", 5201), 500_000.0),
            3,
        ),
        losing(
            at_rate(
                flow(Tcp, "192.168.100.200", 51234, "10.0.0.1", 443),
                12_345_678.0,
            ),
            0,
        ),
        losing(
            at_rate(flow(Udp, v6, 40002, "2001:db8::1", 5004), 98_765.0),
            250,
        ),
        losing(
            at_rate(flow(Icmp, "10.0.0.2", 1234, "10.0.0.1", 2048), 98.0),
            0,
        ),
        at_rate(flow(Icmpv6, "fe80::1", 0, "ff02::1", 134 << 8), 120.0),
        ended,
        young,
    ];
    let mut report = report(flows);
    report.flows[2].history.lost.push(Some(5.0));
    report.flows[2].recent_loss = RecentLoss::new(Some(0.1), None);
    let mut gone = interface(9, "wlan0-guest-network");
    gone.state = LinkState::Gone;
    gone.hook = None;
    gone.rates = None;
    gone.flows = 0;
    gone.counted.untracked.packets = 17;
    report.interfaces.push(gone);
    report
}

/// So many flows with rates of their own.
pub fn many(count: u32) -> Report {
    let flows = (0..count).map(|i| {
        let source = format!("10.{}.{}.{}", i >> 16 & 255, i >> 8 & 255, i & 255);
        let flow = flow(Protocol::Udp, &source, 1024, "10.0.0.1", 5201);
        let rate = f64::from(i.wrapping_mul(2_654_435_761) >> 12);
        Flow {
            rates: Some(Rates {
                throughput: rate,
                goodput: rate * 0.8,
                packet_rate: rate / 100.0,
            }),
            ..flow
        }
    });
    report(flows.collect())
}

/// The dashboard on this report, after these keys (parted by spaces).
pub fn dashboard(report: &Report, size: (u16, u16), keys: &str) -> App {
    let mut app = App::new(Preferences::default(), size);
    app.update(Msg::Refreshed(CLOCK), report);
    app.scene(report);
    press(&mut app, report, keys);
    app
}

/// Presses keys, parted by spaces; a frame follows each.
pub fn press(app: &mut App, report: &Report, keys: &str) {
    for key in keys.split_ascii_whitespace() {
        let chord = parse_chord(key).expect("a key");
        app.update(Msg::Key(chord), report);
        app.scene(report);
    }
}

/// A frame as lines of text.
pub fn frame(app: &mut App, report: &Report) -> String {
    frame_with(app, report, &Look::default())
}

/// A frame as lines of text, drawn in this way.
pub fn frame_with(app: &mut App, report: &Report, look: &Look) -> String {
    let (width, height) = app.size();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let scene = app.scene(report);
    terminal
        .draw(|frame| ui::draw(frame, &scene, look))
        .expect("a frame");
    let lines = lines(terminal.backend().buffer());
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// What is in a buffer, line by line, without spaces at the ends.
pub fn lines(buffer: &Buffer) -> Vec<String> {
    let lines = buffer
        .content()
        .chunks(usize::from(buffer.area.width).max(1));
    let text = |cells: &[Cell]| cells.iter().map(Cell::symbol).collect::<String>();
    lines
        .map(|cells| text(cells).trim_end().to_owned())
        .collect()
}
