use super::*;
use proptest::prelude::*;

fn link(name: &str) -> Link {
    Link {
        ifindex: 7,
        name: name.into(),
        other_names: Vec::new(),
        display_name: name.into(),
        state: LinkState::Up,
        is_loopback: false,
        header: LinkHeader::Ethernet,
        device_drops: None,
        counters: None,
    }
}

fn chosen(selection: &Selection, links: &[Link]) -> Vec<String> {
    selection
        .choose(links)
        .map(|link| link.display_name.clone())
        .collect()
}

#[test]
fn without_names_every_link_that_is_up_except_loopback_is_wanted() {
    let mut links = vec![link("lo"), link("eth0"), link("eth1"), link("can0")];
    links[0].is_loopback = true;
    links[2].state = LinkState::Down;
    links[3].header = LinkHeader::Unsupported(280);
    assert_eq!(chosen(&Selection::default(), &links), ["eth0"]);
}

#[test]
fn names_and_globs_take_links_whatever_their_state() {
    let mut links = vec![link("lo"), link("veth1"), link("veth12"), link("eth0")];
    links[0].is_loopback = true;
    links[1].state = LinkState::Down;
    assert_eq!(
        chosen(&Selection::new(["veth?", "lo"]), &links),
        ["lo", "veth1"]
    );
    assert_eq!(
        chosen(&Selection::new(["*eth*"]), &links),
        ["veth1", "veth12", "eth0"]
    );
    assert_eq!(chosen(&Selection::new(["et*9", "eth0"]), &links), ["eth0"]);
}

#[test]
fn a_link_is_asked_for_by_its_alternative_names_too() {
    let mut links = [link("eth0"), link("eth1")];
    links[0].other_names = vec!["enp0s3".into(), "uplink".into()];
    for wanted in ["enp0s3", "uplink", "enp*", "eth0"] {
        let selection = Selection::new([wanted]);
        assert_eq!(chosen(&selection, &links), ["eth0"], "{wanted}");
        assert_eq!(selection.require_names(&links), Ok(()));
        assert_eq!(selection.missing(&links).count(), 0, "{wanted}");
        assert_eq!(selection.names(&links[0]), wanted != "enp*");
    }
}

#[test]
fn a_link_that_cannot_be_read_is_wanted_only_by_its_full_name() {
    let mut links = vec![link("can0")];
    links[0].header = LinkHeader::Unsupported(280);
    assert!(chosen(&Selection::new(["can*"]), &links).is_empty());
    assert_eq!(chosen(&Selection::new(["can0"]), &links), ["can0"]);
}

#[test]
fn a_missing_name_is_an_error_that_says_so_and_a_glob_without_a_match_is_none() {
    let links = vec![link("eth0")];
    assert_eq!(
        Selection::new(["eth0", "eth*", "wlan?"]).require_names(&links),
        Ok(())
    );
    let selection = Selection::new(["eth0", "eth9", "eth8\x1b[2J"]);
    let error = selection.require_names(&links).expect_err("eth9");
    assert_eq!(
        error.to_string(),
        "attach to eth9: no such interface (see: ip link)"
    );
    assert_eq!(selection.missing(&links).count(), 2);
    for (name, advice) in [
        ("any", "(all are watched without -i)"),
        ("udp", "(a filter goes behind --filter)"),
    ] {
        let error = Selection::new([name])
            .require_names(&links)
            .expect_err(name);
        assert!(error.to_string().ends_with(advice), "{error}");
    }
    let globs = Selection::new(["eth*", "wlan?", "can*"]);
    let mut unreadable = link("can0");
    unreadable.header = LinkHeader::Unsupported(280);
    let links = [link("eth0"), unreadable];
    let missing: Vec<_> = globs.missing(&links).map(Glob::as_str).collect();
    assert_eq!(missing, ["wlan?", "can*"]);
    let hostile = Selection::new(["eth8\x1b[2J"]);
    let error = hostile.require_names(&links).expect_err("eth8");
    assert!(error.to_string().contains("eth8\\u{1b}[2J"));
}

#[test]
fn a_shown_name_has_no_escape_no_bidi_control_and_no_invalid_utf8() {
    for (name, shown) in [
        (&b"eth0"[..], "eth0"),
        (b"v\xc3\xa4th", "väth"),
        (b"a\x1b[31m", "a\\u{1b}[31m"),
        (b"a\\u{1b}", "a\\\\u{1b}"),
        ("\u{202e}0hte".as_bytes(), "\\u{202e}0hte"),
        ("a\u{200b}b".as_bytes(), "a\\u{200b}b"),
        ("a\u{61c}b".as_bytes(), "a\\u{61c}b"),
        (b"a\xff\xc3", "a\\xff\\xc3"),
        (b"a\x7f\xc2\x9b", "a\\u{7f}\\u{9b}"),
    ] {
        assert_eq!(display_name(OsStr::from_bytes(name)), shown);
    }
}

#[test]
fn the_header_follows_from_the_device_type() {
    for arphrd in [1, 772] {
        assert_eq!(
            LinkHeader::from_device_type(arphrd),
            LinkHeader::Ethernet,
            "{arphrd}"
        );
    }
    for arphrd in [0xfffe, 512, 519, 768, 769, 776, 778, 823] {
        assert_eq!(
            LinkHeader::from_device_type(arphrd),
            LinkHeader::Ip,
            "{arphrd}"
        );
    }
    assert_eq!(
        LinkHeader::from_device_type(280),
        LinkHeader::Unsupported(280)
    );
}

#[test]
fn the_kernel_lists_loopback_and_a_quiet_monitor_has_nothing_to_say() {
    let mut monitor = LinkMonitor::open().expect("rtnetlink");
    let links = monitor.list().expect("dump");
    let lo = links.iter().find(|link| link.is_loopback).expect("lo");
    assert_eq!((lo.ifindex, lo.name.as_bytes()), (1, &b"lo"[..]));
    assert_eq!(lo.header, LinkHeader::Ethernet);
    assert!(lo.device_drops.is_some());
    assert!(links.is_sorted_by_key(|link| link.ifindex));
    monitor
        .changed()
        .expect("a socket without news does not fail");
}

proptest! {
    #[test]
    fn different_names_are_shown_differently(
        a in prop::collection::vec(any::<u8>(), 0..15),
        b in prop::collection::vec(any::<u8>(), 0..15),
    ) {
        let shown = |name: &[u8]| display_name(OsStr::from_bytes(name));
        prop_assert_eq!(a == b, shown(&a) == shown(&b));
        prop_assert!(!shown(&a).chars().any(char::is_control));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = Link::decode(&bytes);
    }
}
