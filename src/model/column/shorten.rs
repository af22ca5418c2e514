//! How texts are made to fit: an address loses groups from its middle, a host name its beginning, any other name
//! its middle, a sentence its end.
//!
//! `…` stands for what is missing, so that nothing looks whole that is not.

use std::fmt::Write as _;
use std::net::IpAddr;

use unicode_width::UnicodeWidthStr;

use super::endpoint::{Suffix, endpoint};

/// An endpoint in at most `width` cells: the port stays whole, the middle of the address gives way.
pub fn shorten_endpoint(
    address: IpAddr,
    suffix: Suffix,
    name: Option<&str>,
    width: usize,
) -> String {
    let full = endpoint(address, suffix, name);
    if full.width() <= width {
        return full;
    }
    let suffix_text = suffix.text();
    let room = width.saturating_sub(suffix_text.len());
    if let Some(name) = name {
        return format!("{}{suffix_text}", shorten_start(name, room));
    }
    let brackets = address.is_ipv6() && matches!(suffix, Suffix::Port(_));
    let room = if brackets {
        room.saturating_sub(2)
    } else {
        room
    };
    match shorten_address(address, room) {
        Some(short) if brackets => format!("[{short}]{suffix_text}"),
        Some(short) => format!("{short}{suffix_text}"),
        None => shorten_middle(&full, width),
    }
}

/// Whole groups of the address from both ends with `…` between them, as many as fit.
fn shorten_address(address: IpAddr, width: usize) -> Option<String> {
    let text = address.to_string();
    if text.len() <= width {
        return Some(text);
    }
    let separator = if address.is_ipv6() { ':' } else { '.' };
    let groups: Vec<&str> = text.split(separator).collect();
    let candidates = (1..groups.len()).rev().flat_map(|kept| {
        let tail = kept.div_ceil(2).min(kept);
        [(kept - tail, tail), (tail, kept - tail)]
    });
    for (head, tail) in candidates {
        let mut short = String::new();
        for group in &groups[..head] {
            let _ = write!(short, "{group}{separator}");
        }
        short.push('…');
        for group in &groups[groups.len() - tail..] {
            let _ = write!(short, "{separator}{group}");
        }
        if short.width() <= width && !short.contains(":::") {
            return Some(short);
        }
    }
    None
}

/// Text in at most `width` cells: both ends stay, `…` stands for the middle.
pub fn shorten_middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let room = width - 1;
    let head = take_width(text.chars(), room / 2);
    let tail = take_width(text.chars().rev(), room - room / 2);
    let tail: String = tail.chars().rev().collect();
    let (head, tail) = (head.trim_end_matches('…'), tail.trim_start_matches('…'));
    format!("{head}…{tail}")
}

fn take_width(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut taken = String::new();
    for c in chars {
        taken.push(c);
        if taken.width() > width {
            taken.pop();
            break;
        }
    }
    taken
}

/// A host name in at most `width` cells: the end stays, `…` stands for the beginning. Its owner chose the beginning,
/// which may read like an address (`8.8.8.8.example.org`); the end never does.
fn shorten_start(name: &str, width: usize) -> String {
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let tail = take_width(name.chars().rev(), room);
    let tail: String = tail.chars().rev().collect();
    format!("…{}", tail.trim_start_matches(['.', '…']))
}

/// Text in at most `width` cells: the beginning stays, `…` stands for the end.
pub fn shorten_end(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let head = take_width(text.chars(), room);
    format!("{}…", head.trim_end_matches([' ', '…']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(address: &str, port: u16, width: usize) -> String {
        let address = address.parse().expect("an address");
        shorten_endpoint(address, Suffix::Port(port), None, width)
    }

    #[test]
    fn addresses_lose_whole_groups_from_the_middle() {
        let v6 = "2001:db8:85a3:1234:5678:8a2e:370:7334";
        assert_eq!(
            short(v6, 443, 60),
            "[2001:db8:85a3:1234:5678:8a2e:370:7334]:443"
        );
        assert_eq!(short(v6, 443, 30), "[2001:db8:…:8a2e:370:7334]:443");
        assert_eq!(short(v6, 443, 21), "[2001:…:370:7334]:443");
        assert_eq!(
            short(v6, 51234, 17),
            "[2001:…:7334]:51234"[..0].to_owned() + "[…:7334]:51234"
        );
        assert_eq!(short("192.168.100.200", 51234, 21), "192.168.100.200:51234");
        assert_eq!(short("192.168.100.200", 51234, 16), "192.….200:51234");
        assert_eq!(short("192.168.100.200", 51234, 14), "….200:51234");
    }

    #[test]
    fn nothing_is_wider_than_its_cell() {
        for address in [
            "fe80::1",
            "2001:db8:85a3:1234:5678:8a2e:370:7334",
            "10.200.30.4",
        ] {
            for width in 1..50 {
                assert!(
                    short(address, 65535, width).width() <= width,
                    "{address} {width}"
                );
            }
        }
    }

    #[test]
    fn a_host_name_loses_its_beginning_and_never_looks_like_an_address() {
        let named = |width| {
            let (address, port) = (IpAddr::from([192, 0, 2, 1]), Suffix::Port(443));
            shorten_endpoint(address, port, Some("8.8.8.8.example.org"), width)
        };
        assert_eq!(named(23), "8.8.8.8.example.org:443");
        assert_eq!(named(22), "….8.8.example.org:443".replace("….", "…8."));
        assert_eq!(named(17), "…example.org:443");
        assert_eq!(named(16), "…example.org:443");
        assert_eq!(named(12), "…ple.org:443");
        for width in 5..40 {
            let text = named(width);
            assert!(text.width() <= width, "{width}: {text}");
            assert!(width < 8 || text.ends_with("org:443"), "{width}: {text}");
        }
    }

    #[test]
    fn a_sentence_keeps_its_beginning() {
        assert_eq!(shorten_end("3 lost before 158", 17), "3 lost before 158");
        assert_eq!(shorten_end("3 lost before 158", 16), "3 lost before 1…");
        assert_eq!(shorten_end("3 lost before 158", 8), "3 lost…");
        assert_eq!(shorten_end("3 lost", 0), "");
    }
}
