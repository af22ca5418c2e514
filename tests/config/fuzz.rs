//! Any text at all is read or refused: what is refused has a place, and what is read is written as it was meant.
//!
//! `PROPTEST_CASES` sets the number of cases of each test, 2,000 without it; `make fuzz-config` tries a million in all.

use std::fs;

use flowtop::config::{Config, Diagnostic, SETTINGS, Setting, key_names, rule, rule_keys, source};
use flowtop::keymap::BINDINGS;
use flowtop::model::column::FLOW_COLUMNS;
use flowtop::model::preferences::View;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::json_files;

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok());
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases.unwrap_or(2_000))
    }
}

/// Every refused text has at least one message, and each has a place inside the text. A configuration that was read
/// is the same when it is written and read again.
fn check(text: &str) -> Result<(), TestCaseError> {
    match Config::load(text, "config.json") {
        Err(diagnostics) => check_places(text, &diagnostics),
        Ok(config) => {
            let written = config.to_json().expect("JSON");
            let again = Config::load(&written, "config.json");
            prop_assert_eq!(again, Ok(config), "{}", written);
            Ok(())
        }
    }
}

fn check_places(text: &str, diagnostics: &[Diagnostic]) -> Result<(), TestCaseError> {
    prop_assert!(!diagnostics.is_empty());
    let lines: Vec<&str> = text.split('\n').collect();
    for diagnostic in diagnostics {
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

/// A word that means something somewhere in a file, or nothing at all.
fn word() -> impl Strategy<Value = String> {
    let columns = FLOW_COLUMNS.iter().map(|column| column.id);
    let actions = BINDINGS.iter().map(|binding| binding.id);
    let words: Vec<&str> = columns
        .chain(actions)
        .chain(View::ALL.map(View::id))
        .collect();
    let rule_keys = rule_keys().map(|(name, _)| name);
    let keys: Vec<&str> = key_names().chain(rule_keys).collect();
    prop_oneof![
        prop::sample::select(words).prop_map(str::to_owned),
        prop::sample::select(keys).prop_map(str::to_owned),
        "-?(throughput|jitter)|bits|bytes|dark|light|big|little|rtp|iperf3|icmp-echo|tcp|column|above|below|clear|for",
        "(0x)?[0-9a-fA-F]{0,9}|[a-z*?]{1,5}[0-9]|F1|Ctrl-[a-z]|[a-zA-Z]",
        prop::collection::vec(piece(), 5..=5).prop_map(|fields| fields.join(" ")),
        Just("- - - 5000-5010 UDP".to_owned()),
        "\\PC{0,6}",
    ]
}

/// Any JSON value, of words and numbers that a file may have.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => word().prop_map(Value::from),
        2 => (-2i64..70_000).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        2 => (0.0..100.0).prop_map(|number: f64| json!(number)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// A key of a file with a value that a valid file has for it, or any value.
fn member() -> impl Strategy<Value = (String, Value)> {
    let objects = files()
        .into_iter()
        .filter_map(|text| match serde_json::from_str(&text) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        });
    let example = |setting: &Setting| {
        let value = serde_json::from_str(setting.example).expect("JSON");
        (setting.key.to_owned(), value)
    };
    let kept: Vec<(String, Value)> = objects
        .flatten()
        .chain(SETTINGS.iter().map(example))
        .collect();
    let keys: Vec<String> = key_names().map(str::to_owned).collect();
    prop_oneof![
        3 => prop::sample::select(kept),
        1 => (prop::sample::select(keys), value()),
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
        check(&serde_json::json!({"RULES": {"a": &text, &text: null}}).to_string())?;
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in "\\PC{0,80}|[\\[\\]{}\",:0-9a-zA-Z\\\\ \n-]{0,200}") {
        check(&text)?;
    }

    #[test]
    fn any_bytes_are_text_or_refused_with_a_place(
        text in "\\PC{0,8}|[ -~\n]{0,40}",
        bytes in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let all = [text.as_bytes(), &bytes].concat();
        match source::decode(all.clone(), "config.json") {
            Ok(read) => prop_assert_eq!(read.as_bytes(), &all),
            Err(error) => check_places(&String::from_utf8_lossy(&all), &[error])?,
        }
    }

    #[test]
    fn any_values_of_known_keys_are_read_or_refused_with_a_place(
        members in prop::collection::vec(member(), 0..5),
        wide in any::<bool>(),
    ) {
        let object = Value::from(members.into_iter().collect::<Map<_, _>>());
        check(&if wide { format!("{object:#}") } else { object.to_string() })?;
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
        check(&format!("{before}{put}{after}"))?;
        check(&format!("{before}{put}"))?;
    }
}
