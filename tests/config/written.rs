//! What is written: the printed configuration, differences in words, and the schema.

use std::fs;
use std::path::Path;
use std::time::Duration;

use flowtop::config::{Config, Overrides};

use super::{VOCABULARY, valid_configs};

#[test]
fn the_printed_configuration_loads_back_to_the_same() {
    let overrides = Overrides {
        interfaces: vec!["eth*".into(), "veth1".into()],
        throughput_interval: Some(Duration::from_millis(333)),
        jitter_interval: Some(Duration::from_nanos(1)),
        bits: true,
        packet_loss: true,
        max_flows: Some(1),
    };
    for (path, config) in valid_configs() {
        for config in [config.clone(), config.overridden(&overrides)] {
            let text = config.to_json().expect("text");
            let again = Config::load(&text, "config.json", &VOCABULARY);
            assert_eq!(again, Ok(config), "{}:\n{text}", path.display());
        }
    }
}

#[test]
fn a_printed_rule_has_brackets_for_lists_alone() {
    for rule in [
        "1.1.1.1 2.2.2.0/24 5-6 22 TCP",
        "- - - [80,443] [TCP,UDP]",
        "[10.0.0.1,fe80::1] - - - ICMP",
    ] {
        let text = format!("{{\"RULES\": {{\"one\": \"{rule}\"}}}}");
        let config = Config::load(&text, "config.json", &VOCABULARY).expect("valid");
        let printed = config.to_json().expect("text");
        assert!(printed.contains(&format!("\"{rule}\"")), "{printed}");
    }
}

#[test]
fn differences_are_told_in_words() {
    let config = |text: &str| Config::load(text, "config.json", &VOCABULARY).expect("valid");
    for (old, new, expected) in [
        ("{}", "{}", ""),
        ("{\"OFFSET\": 4}", "{\"OFFSET\": 8}", "OFFSET 4 -> 8"),
        (
            r#"{"OFFSET": 4, "RULES": {"ssh": "- - - 22 TCP", "web": "- - - 80 TCP"}}"#,
            r#"{"OFFSET": 8, "RULES": {"voice": "- - - 1 UDP", "web": "- - - 443 TCP"}}"#,
            "RULES: + voice, - ssh, ~ web; OFFSET 4 -> 8",
        ),
        (
            r#"{"RULES": {"a": "- - - 1 TCP", "b": "- - - 2 TCP"}}"#,
            r#"{"RULES": {"b": "- - - 2 TCP", "a": "- - - 1 TCP"}}"#,
            "RULES: another order",
        ),
        (
            r#"{"COLUMNS": ["source", "loss"], "UNIT": "bits"}"#,
            r#"{"COLUMNS": ["loss", "jitter"], "JITTER_INTERVAL": 2.5}"#,
            "COLUMNS: + jitter, - source; JITTER_INTERVAL null -> 2.5; UNIT bits -> bytes",
        ),
        (
            r#"{"MAX_FLOWS": 100}"#,
            "{}",
            "MAX_FLOWS 100 -> 65536 (from the next start on)",
        ),
        (
            r#"{"COLUMNS": ["source", "loss"], "KEYS": {"quit": "x"}}"#,
            r#"{"COLUMNS": ["loss", "source"], "KEYS": {"quit": "y"}}"#,
            "COLUMNS: another order; KEYS: ~ quit",
        ),
    ] {
        assert_eq!(Config::difference(&config(old), &config(new)), expected);
    }
}

#[test]
fn two_different_configurations_always_differ_in_words() {
    let configs = valid_configs();
    for (old_path, old) in &configs {
        for (new_path, new) in &configs {
            let difference = Config::difference(old, new);
            let paths = format!("{} {}", old_path.display(), new_path.display());
            assert_eq!(difference.is_empty(), old == new, "{paths}: {difference}");
        }
    }
}

#[test]
fn the_schema_file_is_the_one_that_the_types_make() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.schema.json");
    let schema = flowtop::config::schema().expect("schema");
    if std::env::var_os("FLOWTOP_UPDATE").is_some() {
        fs::write(&path, &schema).expect("write");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == schema,
        "config.schema.json is stale: run with FLOWTOP_UPDATE=1"
    );
}

#[test]
fn the_schema_describes_the_keys_that_are_read() {
    let schema: serde_json::Value =
        serde_json::from_str(&flowtop::config::schema().expect("schema")).expect("JSON");
    let properties = schema["properties"].as_object().expect("properties");
    let mut described: Vec<&str> = properties.keys().map(String::as_str).collect();
    let mut read: Vec<&str> = flowtop::config::key_names().collect();
    described.sort_unstable();
    read.sort_unstable();
    assert_eq!(described, read);
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{key}");
    }
    assert!(schema.get("required").is_none());
    let rule = &schema["$defs"]["RuleObject"];
    let mut described: Vec<&String> = rule["properties"]
        .as_object()
        .expect("keys")
        .keys()
        .collect();
    described.sort_unstable();
    let mut read = flowtop::config::rule_key_names().collect::<Vec<_>>();
    read.sort_unstable();
    assert_eq!(described, read);
    assert!(rule.get("required").is_none());
}
