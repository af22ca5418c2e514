//! Any text at all is read or refused, and what is refused has a place.
//!
//! `PROPTEST_CASES` sets the number of cases of each test, 10,000 without it.

use std::fs;

use flowtop::config::{Config, rule};
use proptest::prelude::*;

use super::{VOCABULARY, json_files};

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok());
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases.unwrap_or(10_000))
    }
}

/// Every refused text has at least one message, and each has a place inside the text.
fn check_places(text: &str) -> Result<(), TestCaseError> {
    let Err(diagnostics) = Config::load(text, "config.json", &VOCABULARY) else {
        return Ok(());
    };
    prop_assert!(!diagnostics.is_empty());
    let lines: Vec<&str> = text.split('\n').collect();
    for diagnostic in &diagnostics {
        prop_assert!((1..=lines.len()).contains(&diagnostic.line), "{diagnostic}");
        let length = lines[diagnostic.line - 1].chars().count();
        prop_assert!(
            (1..=length + 1).contains(&diagnostic.column),
            "{diagnostic}"
        );
        prop_assert!(!diagnostic.message.is_empty());
        prop_assert!(
            !diagnostic.to_string().contains(char::is_control),
            "{diagnostic}"
        );
    }
    let places: Vec<_> = diagnostics.iter().map(|d| (d.line, d.column)).collect();
    prop_assert!(places.is_sorted());
    Ok(())
}

fn files() -> Vec<String> {
    let read = |path| fs::read_to_string(path).expect("file");
    ["valid", "invalid"]
        .into_iter()
        .flat_map(json_files)
        .map(read)
        .collect()
}

/// A piece of a rule: nearly right, or anything.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "(-|\\[|\\]|,| |/|:|\\.|[0-9]{1,6}|[0-9]{1,5}-[0-9]{1,5}|TCP|udp|ICMP|icmpv6)",
        2 => "(10\\.0\\.0\\.1|10\\.1\\.2\\.3/(8|33)|::1|fe80::/10|2001:db8::/(32|999))",
        1 => "\\PC{0,4}",
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_rule_is_read_or_refused_with_a_place(pieces in prop::collection::vec(piece(), 0..16)) {
        let text = pieces.join(" ");
        for text in [text.clone(), text.replace("  ", " "), pieces.concat()] {
            match rule::parse("name", &text) {
                Ok(rule) => {
                    prop_assert_eq!(&rule::parse("name", &rule::to_text(&rule)), &Ok(rule));
                }
                Err(errors) => {
                    prop_assert!(!errors.is_empty());
                    for error in errors {
                        prop_assert!(text.is_char_boundary(error.at), "{:?}", error);
                    }
                }
            }
        }
    }

    #[test]
    fn any_five_fields_are_read_or_refused(fields in prop::collection::vec(piece(), 5..=5)) {
        let text = fields.join(" ");
        if let Ok(rule) = rule::parse("name", &text) {
            prop_assert!(rule.terms() >= 1);
        }
        check_places(&serde_json::json!({"RULES": {"a": &text, &text: null}}).to_string())?;
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in "\\PC{0,80}|[\\[\\]{}\",:0-9a-zA-Z\\\\ \n-]{0,200}") {
        check_places(&text)?;
    }

    #[test]
    fn a_damaged_file_is_read_or_refused_with_a_place(
        text in prop::sample::select(files()),
        cut in any::<prop::sample::Index>(),
        length in 0usize..20,
        put in "\\PC{0,3}|[\\[\\]{}\",:0-9\\\\ \n-]{0,6}",
    ) {
        let chars: Vec<char> = text.chars().collect();
        let at = if chars.is_empty() { 0 } else { cut.index(chars.len()) };
        let before: String = chars[..at].iter().collect();
        let after: String = chars[at..].iter().skip(length).collect();
        check_places(&format!("{before}{put}{after}"))?;
        check_places(&format!("{before}{put}"))?;
    }
}
