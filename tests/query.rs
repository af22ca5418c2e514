//! The filter language by table, and as a reader that survives anything.

#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use std::sync::Arc;

use fixture::{flow, losing};
use flowtop::model::alert::{AlertRule, Alerts, Side};
use flowtop::model::column::{Context, by_id};
use flowtop::model::flow::{FlowKey, Protocol};
use flowtop::model::preferences::Unit;
use flowtop::model::query::Query;
use flowtop::model::tracker::{Flow, Rates, RecentLoss};
use proptest::prelude::*;

/// A UDP flow at 500 kB/s with 3 of 5003 lost and a jitter of 11 µs.
fn voice() -> Flow {
    let mut flow = losing(flow(Protocol::Udp, "10.0.0.2", 40000, "10.1.0.1", 5004), 3);
    flow.rule = Some(Arc::from("Voice"));
    flow.key.vlan = Some(12);
    flow
}

fn matches(text: &str, flow: &Flow) -> bool {
    let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let context = Context {
        now_ns: fixture::NOW,
        ..Context::default()
    };
    query.matches(flow, &context, &[], &mut String::new())
}

#[test]
fn a_filter_has_so_many_characters_and_no_more() {
    let longest = "ä ".repeat(Query::LONGEST / 2);
    assert!(Query::parse(&longest).is_ok());
    let error = Query::parse(&format!("{longest}x")).expect_err("too long");
    assert_eq!(error.message, "a filter has 1024 characters at most");
    assert_eq!(error.start, Query::LONGEST);
}

#[test]
fn terms_by_table() {
    let flow = voice();
    for (text, expected) in [
        ("", true),
        ("udp", true),
        ("UDP 10.0", true),
        ("0.2:400", true),
        ("tcp", false),
        ("!tcp", true),
        ("voice", true),
        ("veth1 !voice", false),
        ("src:10.0.0.0/16", true),
        ("dst:10.0.0.0/16", false),
        ("host:10.1.0.1", true),
        ("src:1.1.1.1,10.0.0.2", true),
        ("src:2001:db8::/32", false),
        ("port:5004", true),
        ("sport:5004", false),
        ("dport:5000-5010,80", true),
        ("!port:5004", false),
        ("proto:udp,tcp", true),
        ("proto:icmp", false),
        ("iface:veth*", true),
        ("iface:eth?", false),
        ("rule:voice", true),
        ("vlan:10-20", true),
        ("vlan:none", false),
        ("loss>0.05%", true),
        ("loss>1", false),
        ("jitter>5", false),
        ("jitter>5us", true),
        ("jitter<0.02ms", true),
        ("rate>400k", true),
        ("rate>0.6M", false),
        ("rate>3Mbit", true),
        ("rate>3MB/s", false),
        ("goodput>=290k", true),
        ("pps=5k", true),
        ("packets>4999 bytes<1M", true),
        ("idle<1s age>4s", true),
        ("lost>=3", true),
        ("throughput>0", true),
        ("loss<=0.06%", true),
        ("jitter_ms>0.01", true),
        ("rate<1G", true),
        ("rate>=0.004Gbit", true),
        ("goodput>290k", false),
        ("pps>4.9k pps<5001", true),
        ("iat>=200us", true),
        ("iface:eth0,veth*", true),
        ("rule:v?ice", true),
        ("!rule:voice", false),
        ("vlan:none,12", true),
        ("src:10.0.0.0/8,2001:db8::/32 dst:10.1.0.1", true),
        ("port:40000,5004 !proto:tcp loss>0 !loss>1", true),
    ] {
        assert_eq!(matches(text, &flow), expected, "{text}");
    }
}

#[test]
fn terms_are_joined_negated_and_grouped_by_table() {
    let flow = voice();
    for (text, expected) in [
        ("udp and voice", true),
        ("udp and tcp", false),
        ("tcp or udp", true),
        ("tcp OR udp", true),
        ("tcp or proto:icmp", false),
        ("not tcp", true),
        ("not udp", false),
        ("not not udp", true),
        ("! tcp", true),
        ("! ! tcp", false),
        // `and` binds more than `or`, whether it is written or not.
        ("udp or tcp and tcp", true),
        ("tcp and tcp or udp", true),
        ("udp or tcp tcp", true),
        ("(udp or tcp) tcp", false),
        ("(udp or tcp) and voice", true),
        ("tcp or (udp and (voice or tcp))", true),
        ("!(udp or tcp)", false),
        ("!(tcp or port:1)", true),
        ("not (udp and port:1)", true),
        ("not(udp and port:5004)", false),
        ("!(udp and !port:5004) loss>0", true),
        ("(udp)or(tcp)", true),
        ("not tcp and udp", true),
        ("udp and(voice)", true),
    ] {
        assert_eq!(matches(text, &flow), expected, "{text}");
    }
    let mut named = voice();
    named.rule = Some(Arc::from("web(tcp) and (x)"));
    assert!(matches("web(tcp)", &named) && matches("rule:web(tcp)*", &named));
}

#[test]
fn headers_signs_and_units_by_table() {
    let flow = voice();
    for (text, expected) in [
        ("reord>3", true),
        ("reord>4", false),
        ("thruput>400k", true),
        ("pkt/s>10", true),
        ("pkt/s>5001", false),
        ("IAT>=200us", true),
        ("Loss > 0.05%", true),
        ("loss >1", false),
        ("loss> 0", true),
        ("udp loss  >  0 voice", true),
        ("sport>=40000 dport<5005", true),
        ("dup=3", true),
        ("dup==3", true),
        ("dup!=3", false),
        ("dup != 2", true),
        ("ttl_chg>0", false),
        ("port=5004", true),
        ("port = 5004", true),
        ("port: 5004", true),
        ("port : 5004", true),
        ("port!=5004", false),
        ("src=10.0.0.0/8 proto=udp rule=voice", true),
        ("vlan=12", true),
        ("vlan=none", false),
        ("rate>3Mbps", true),
        ("rate>3mbps", true),
        ("rate>5Mbps", false),
        ("rate > 3 Mbps", true),
        ("rate > 5 Mbps", false),
        ("rate>400 k", true),
        ("rate > 3 MB/s or udp", true),
        ("rate > 0.4 MB/s !tcp", true),
        ("jitter > 5 us loss > 0.05 %", true),
        ("age > 1 m or age < 1 h", true),
        // What is no unit is another term.
        ("loss > 0 udp", true),
        ("loss > 0 tcp", false),
        ("rate>3999kbps rate<0.0041Gbps", true),
        ("rate>3MBps", false),
        ("rate>=4000000bit/s rate<=500kB/s", true),
        ("bytes>=500kB", true),
    ] {
        assert_eq!(matches(text, &flow), expected, "{text}");
    }
}

#[test]
fn what_tcpdump_takes_means_what_it_says() {
    let flow = voice();
    for (text, expected) in [
        ("udp and port 5004", true),
        ("udp port 5004", true),
        // A word would have been found: 10.1.0.1 and 40000.
        ("port 1", false),
        ("port 400", false),
        ("host 10.0.0", false),
        ("host 10.0.0.2", true),
        ("host 10.0.0.20", false),
        ("src host 10.0.0.2", true),
        ("dst host 10.0.0.2", false),
        ("src 10.0.0.2 and dst 10.1.0.1", true),
        ("src port 5004", false),
        ("src port 40000", true),
        ("dst port 5004", true),
        ("udp dst portrange 5000-5010", true),
        ("net 10.0.0.0/8", true),
        ("src net 10.1.0.0/16", false),
        ("net:10.1.0.0/16", true),
        ("not port 22 and not port 53", true),
        ("! port 5004", false),
        ("port 80 or 5004", true),
        ("port 80 or 400", false),
        ("port 80 or tcp or 400", true),
        ("(port 80 or 443) or dst host 10.1.0.1", true),
        ("host ::1 or 10.0.0.2", true),
        ("src net 2001:db8::/32", false),
    ] {
        if text == "host 10.0.0" {
            let error = Query::parse(text).expect_err(text);
            assert_eq!(error.start..error.end, 5..11);
            continue;
        }
        assert_eq!(matches(text, &flow), expected, "{text}");
    }
    // They are words where no value follows.
    let mut named = voice();
    named.rule = Some(Arc::from("port of the host"));
    for text in ["port", "host", "port of", "host udp"] {
        assert!(matches(text, &named) && !matches(text, &voice()), "{text}");
    }
}

#[test]
fn what_a_flow_is_can_be_asked_for() {
    let is = |word: &str, flow: &Flow, context: &Context| {
        let query = Query::parse(&format!("is:{word}")).expect(word);
        let pinned = [FlowKey {
            source_port: 2,
            ..voice().key
        }];
        query.matches(flow, context, &pinned, &mut String::new())
    };
    let (busy, mut lossy, mut silent) = (voice(), voice(), voice());
    lossy.key.source_port = 1;
    lossy.recent_loss = RecentLoss::new(Some(2.0), None);
    silent.key.source_port = 2;
    silent.rates = Some(Rates::default());
    let unknown = Flow {
        rates: None,
        ..voice()
    };
    let rule = AlertRule::new(by_id("loss_percent").expect("a column"), Side::Above, 0.01);
    let mut alerts = Alerts::new(vec![rule]);
    alerts.advance(&fixture::report(vec![lossy.clone()]));
    let context = Context {
        alerts: Some(&alerts),
        ..Context::default()
    };
    for (word, expected) in [
        ("alert", [false, true, false, false]),
        ("trouble", [false, true, false, false]),
        ("losing", [false, true, false, false]),
        ("idle", [false, false, true, false]),
        ("pinned", [false, false, true, false]),
        ("pinned,losing", [false, true, true, false]),
        ("LOSING", [false, true, false, false]),
    ] {
        let found = [&busy, &lossy, &silent, &unknown].map(|flow| is(word, flow, &context));
        assert_eq!(found, expected, "{word}");
    }
    assert!(!is("alert", &lossy, &Context::default()));
}

#[test]
fn the_name_of_a_protocol_means_that_and_no_text() {
    let mut flow = voice();
    flow.rule = Some(Arc::from("no tcp or icmp"));
    for (text, expected) in [
        ("Udp", true),
        ("tcp", false),
        ("icmp", false),
        ("tc", true),
        ("vlan 10-20", true),
        ("vlan 9 or 11", false),
        ("vlan 9 or 12", true),
        ("vlan 9 or 10.0.0.2", true),
        ("vlan none", false),
        ("vlan", true),
    ] {
        assert_eq!(matches(text, &flow), expected, "{text}");
    }
    for (protocol, texts) in [
        (Protocol::Icmp, [true, false, false]),
        (Protocol::Icmpv6, [true, true, true]),
    ] {
        flow.key.protocol = protocol;
        let found = ["icmp", "icmp6", "icmpv6"].map(|text| matches(text, &flow));
        assert_eq!(found, texts, "{protocol}");
    }
}

#[test]
fn near_misses_are_told_what_was_meant() {
    for (text, hint) in [
        ("jiter>5", "did you mean jitter?"),
        ("thruputt>5", "did you mean thruput?"),
        ("protoc:udp", "did you mean proto?"),
        ("proto:upd", "did you mean udp?"),
        ("is:loosing", "did you mean losing?"),
        ("is:blue", "(alert, trouble, losing, idle, pinned)"),
        ("loss:1", "loss>1"),
        ("colour>1", "(loss, jitter, rate"),
        ("jitter>5Mbps", "not a number"),
        ("jitter > 5 Mbps", "Mbps is no unit of jitter"),
        ("jitter<10Mbit", "not a number"),
        ("loss<5ms", "not a number"),
        ("loss < 5 s", "s is no unit of loss_percent"),
        ("rate > 5 ms", "ms is no unit of throughput"),
        ("bytes>8Mbit", "not a number"),
        ("packets > 5 kB", "kB is no unit of packets"),
        ("rate>5%", "not a number"),
        ("lost > 5 %", "% is no unit of lost"),
        ("age>5%", "not a number"),
        ("bytes>5MB/s", "not a number"),
        ("bytes > 5 MB/s", "MB/s is no unit of bytes"),
    ] {
        let error = Query::parse(text).expect_err(text);
        assert!(error.message.contains(hint), "{text}: {}", error.message);
    }
}

#[test]
fn an_unknown_number_is_neither_more_nor_less() {
    let tcp = flow(Protocol::Tcp, "10.0.0.2", 1, "10.0.0.1", 2);
    assert!(!matches("loss>0", &tcp));
    assert!(!matches("loss<=0", &tcp));
}

#[test]
fn rates_are_compared_in_the_unit_that_is_shown() {
    let query = Query::parse("rate>3M").expect("a filter");
    let bits = Context {
        unit: Unit::Bits,
        ..Context::default()
    };
    assert!(query.matches(&voice(), &bits, &[], &mut String::new()));
    assert!(!query.matches(&voice(), &Context::default(), &[], &mut String::new()));
}

#[test]
fn brackets_nest_as_deep_as_they_may_and_no_deeper() {
    let nested = |depth| format!("{}udp{}", "(".repeat(depth), ")".repeat(depth));
    assert!(matches(&nested(32), &voice()));
    assert!(Query::parse(&nested(33)).is_err());
    assert!(Query::parse(&"(".repeat(Query::LONGEST)).is_err());
    assert!(Query::parse(&"!".repeat(Query::LONGEST)).is_err());
}

#[test]
fn a_mistake_is_marked_where_it_stands() {
    for (text, place) in [
        ("udp port:99999", 9..14),
        ("src:10.0", 4..8),
        ("src:10.0.0.1,x", 13..14),
        ("dport:20-10", 6..11),
        ("proto:sctp", 6..10),
        ("foo:1", 0..3),
        ("ä speed>1", 2..7),
        ("loss>x", 5..6),
        ("loss>", 5..6),
        ("source>1", 0..6),
        ("!", 0..1),
        ("rule:", 0..4),
        ("jitter>5parsec", 7..14),
        ("loss > x", 7..8),
        ("loss >", 6..7),
        ("> 1", 0..1),
        ("loss>=>1", 4..6),
        ("udp and", 4..7),
        ("or udp", 0..2),
        ("udp or and", 4..6),
        ("not", 0..3),
        ("udp (tcp", 4..5),
        ("udp)", 3..4),
        ("ä ()", 2..3),
        ("port 99999", 5..10),
        ("port 80 or 99999", 11..16),
        ("host: x", 6..7),
        ("port :", 0..4),
    ] {
        let error = Query::parse(text).expect_err(text);
        assert_eq!(error.start..error.end, place, "{text}: {}", error.message);
    }
}

proptest! {
    #[test]
    fn whatever_is_typed_is_a_filter_or_an_error_within_the_text(text in "\\PC{0,40}") {
        if let Err(error) = Query::parse(&text) {
            prop_assert!(error.start < error.end);
            prop_assert!(error.start <= text.chars().count());
        }
    }

    #[test]
    fn near_misses_of_the_language_never_panic(
        text in "[!(]{0,3}(src|port|vlan|loss|rate|is|foo|ä)?[ :<>=!]{0,3}[0-9a-fµ.,/%()-]{0,8}\
            ( (or|and|not|host|port|[a-z:)(]{0,5})){0,3}"
    ) {
        if let Ok(query) = Query::parse(&text) {
            query.matches(&voice(), &Context::default(), &[], &mut String::new());
        }
    }

    #[test]
    fn brackets_and_negations_obey_the_laws_of_logic(
        words in proptest::array::uniform3("udp|tcp|voice|port:5004|port:1|loss>0|jitter>9|not udp"),
    ) {
        let flow = voice();
        let [a, b, c] = words.each_ref().map(|word| matches(word, &flow));
        let [x, y, z] = words;
        prop_assert_eq!(matches(&format!("{x} or {y} {z}"), &flow), a || b && c);
        prop_assert_eq!(matches(&format!("({x} or {y}) and {z}"), &flow), (a || b) && c);
        prop_assert_eq!(matches(&format!("not ({x} or not ({y} {z}))"), &flow), !(a || !(b && c)));
    }

    #[test]
    fn negation_is_the_opposite(port in 0_u16..) {
        let flow = voice();
        let plain = matches(&format!("port:{port}"), &flow);
        prop_assert_eq!(matches(&format!("!port:{port}"), &flow), !plain);
    }
}
