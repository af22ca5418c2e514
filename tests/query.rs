//! The filter language by table, and as a reader that survives anything.

#[path = "frames/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use std::sync::Arc;

use fixture::{flow, losing};
use flowtop::model::column::Context;
use flowtop::model::flow::Protocol;
use flowtop::model::preferences::Unit;
use flowtop::model::query::Query;
use flowtop::model::tracker::Flow;
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
    query.matches(flow, &context, &mut String::new())
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
    assert!(query.matches(&voice(), &bits, &mut String::new()));
    assert!(!query.matches(&voice(), &Context::default(), &mut String::new()));
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
        text in "!?(src|port|vlan|loss|rate|foo|ä)?[:<>=]{0,3}[0-9a-fµ.,/%-]{0,8}( [a-z:]{0,5})?"
    ) {
        if let Ok(query) = Query::parse(&text) {
            query.matches(&voice(), &Context::default(), &mut String::new());
        }
    }

    #[test]
    fn negation_is_the_opposite(port in 0_u16..) {
        let flow = voice();
        let plain = matches(&format!("port:{port}"), &flow);
        prop_assert_eq!(matches(&format!("!port:{port}"), &flow), !plain);
    }
}
