//! What follows from the rows of the table: what is read, printed, said and told to editors of each setting.

use std::fs;
use std::path::Path;

use flowtop::config::{Applies, Config, Diagnostic, Record, SETTINGS, Setting};

use super::valid_configs;

/// The defaults, and each setting alone with the example of its row.
fn examples() -> impl Iterator<Item = (&'static Setting, Config)> {
    SETTINGS.iter().map(|setting| {
        let text = format!("{{\"{}\": {}}}", setting.key, setting.example);
        (setting, Config::load(&text, "").expect(&text))
    })
}

#[test]
fn an_example_is_read_written_told_and_no_default() {
    let defaults = Config::default();
    for (setting, config) in examples() {
        let key = setting.key;
        assert_ne!(config, defaults, "{key}");
        assert_ne!(config.describe(), defaults.describe(), "{key}");
        let written = config.to_json().expect("JSON");
        assert_eq!(Config::load(&written, ""), Ok(config.clone()), "{key}");
        let difference = Config::difference(&defaults, &config);
        assert!(difference.starts_with(key), "{key}: {difference}");
        let from_start = difference.ends_with(" (from the next start on)");
        assert_eq!(from_start, setting.applies == Applies::AtStart, "{key}");
    }
}

#[test]
fn what_keys_choose_is_copied_and_nothing_else() {
    for (setting, config) in examples() {
        let mut copy = Config::default();
        copy.copy_choices(&config);
        let is_copied = copy == config;
        assert_eq!(
            is_copied,
            setting.applies == Applies::Chosen,
            "{}",
            setting.key
        );
    }
}

#[test]
fn no_value_of_a_wrong_type_is_read() {
    let wrong = ["{\"x\": [{}]}", "[[[1]]]", "-1.5", "\"\"", "true", "null"];
    for setting in SETTINGS {
        let refused = wrong.iter().filter(|value| {
            let text = format!("{{\"{}\": {value}}}", setting.key);
            let errors = Config::load(&text, "").err().unwrap_or_default();
            let is_named = |error: &Diagnostic| error.message.starts_with(setting.key);
            !errors.is_empty() && errors.iter().all(is_named)
        });
        assert!(refused.count() >= 4, "{}", setting.key);
    }
}

#[test]
fn the_printed_configuration_loads_back_to_the_same() {
    for (path, config) in valid_configs() {
        let text = config.to_json().expect("text");
        let again = Config::load(&text, "config.json");
        assert_eq!(again, Ok(config), "{}:\n{text}", path.display());
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
        let config = Config::load(&text, "config.json").expect("valid");
        let printed = config.to_json().expect("text");
        assert!(printed.contains(&format!("\"{rule}\"")), "{printed}");
    }
}

#[test]
fn differences_are_told_in_words() {
    let config = |text: &str| Config::load(text, "config.json").expect("valid");
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
            r#"{"COLUMNS": ["source", "lost"], "UNIT": "bits"}"#,
            r#"{"COLUMNS": ["lost", "jitter"], "JITTER_INTERVAL": 2.5}"#,
            "COLUMNS: + jitter, - source; JITTER_INTERVAL null -> 2.5; UNIT bits -> bytes",
        ),
        (
            r#"{"MAX_FLOWS": 100}"#,
            "{}",
            "MAX_FLOWS 100 -> 65536 (from the next start on)",
        ),
        (
            r#"{"COLUMNS": ["source", "lost"], "KEYS": {"quit": "X"}}"#,
            r#"{"COLUMNS": ["lost", "source"], "KEYS": {"quit": "Y"}}"#,
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
fn a_folder_to_record_to_has_a_name() {
    for folder in ["", "a\\u0000b"] {
        let text = format!("{{\"RECORD\": {{\"folder\": \"{folder}\"}}}}");
        let errors = Config::load(&text, "").expect_err(folder);
        let [error] = errors.as_slice() else {
            panic!("{errors:?}");
        };
        assert_eq!(error.message, "RECORD.folder: no folder is called so");
    }
}

#[test]
fn a_folder_of_the_command_line_keeps_as_much_as_the_one_of_the_file() {
    let of_file = Record {
        folder: "past".into(),
        bytes: 50_000_000,
        days: 2,
    };
    let folder = Path::new("elsewhere");
    let moved = Record {
        folder: folder.into(),
        ..of_file.clone()
    };
    assert_eq!(Record::moved_to(folder, Some(of_file)), moved);
    assert_eq!(Record::moved_to(folder, None), Record::to(folder));
}

#[test]
fn the_schema_file_is_the_one_that_the_table_makes() {
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
    let mut read: Vec<&str> = flowtop::config::rule_keys().map(|(name, _)| name).collect();
    read.sort_unstable();
    assert_eq!(described, read);
    assert!(rule.get("required").is_none());
}
