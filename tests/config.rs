//! The configuration file: valid files mean what is written beside them, invalid ones fail with
//! the messages kept beside them. `FLOWTOP_UPDATE=1` rewrites what is kept.

use std::fs;
use std::path::{Path, PathBuf};

use flowtop::config::{Config, rule};
use flowtop::model::column::by_name;

#[path = "config/edit.rs"]
mod edit;
#[path = "config/fuzz.rs"]
mod fuzz;
#[path = "config/places.rs"]
mod places;
#[path = "config/settings.rs"]
mod settings;
#[path = "config/watch.rs"]
mod watch;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(name)
}

fn json_files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(name))
        .expect("folder")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(files.len() > 10, "{name} has lost its files");
    files
}

fn load(path: &Path) -> Result<Config, String> {
    let text = fs::read_to_string(path).expect("file");
    Config::load(&text, "config.json").map_err(|diagnostics| {
        let lines: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        lines.join("\n") + "\n"
    })
}

/// Compares with the text kept beside the file, or rewrites it.
fn differs_from_kept(path: &Path, found: &str) -> bool {
    let kept = path.with_extension("txt");
    if std::env::var_os("FLOWTOP_UPDATE").is_some() {
        fs::write(&kept, found).expect("write");
    }
    let expected = fs::read_to_string(&kept).unwrap_or_default();
    if expected != found {
        eprintln!("{}:\nexpected\n{expected}found\n{found}", path.display());
    }
    expected != found
}

/// The lines of what a configuration means that are not those of the defaults.
fn beyond_defaults(config: &Config) -> String {
    let defaults = Config::default().describe();
    let is_own = |line: &&str| !defaults.lines().any(|default| default == *line);
    let description = config.describe();
    let lines = description.split_inclusive('\n');
    lines
        .filter(|line| is_own(&line.trim_end_matches('\n')))
        .collect()
}

#[test]
fn the_defaults_mean_what_is_written() {
    let path = folder("defaults.txt");
    let kept = fs::read_to_string(&path).expect("file");
    let found = Config::default().describe();
    assert!(found.starts_with(&kept), "expected\n{kept}found\n{found}");
}

#[test]
fn valid_files_mean_what_is_written_beside_them() {
    let wrong = json_files("valid")
        .into_iter()
        .filter(|path| match load(path) {
            Ok(config) => differs_from_kept(path, &beyond_defaults(&config)),
            Err(messages) => {
                eprintln!("{}: refused:\n{messages}", path.display());
                true
            }
        });
    assert_eq!(wrong.count(), 0, "files, see above");
}

#[test]
fn invalid_files_fail_with_the_messages_kept_beside_them() {
    let wrong = json_files("invalid")
        .into_iter()
        .filter(|path| match load(path) {
            Err(messages) => differs_from_kept(path, &messages),
            Ok(_) => {
                eprintln!("{}: accepted", path.display());
                true
            }
        });
    assert_eq!(wrong.count(), 0, "files, see above");
}

#[test]
fn the_shipped_file_equals_the_built_in_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.json");
    assert_eq!(load(&path), Ok(Config::default()));
}

#[test]
fn where_no_word_is_like_it_all_of_them_are_named() {
    for (text, expected) in [
        (
            r#"{"COLUMNS": ["xxxxxx"]}"#,
            r#"COLUMNS: there is no column "xxxxxx" (one of: "#,
        ),
        (
            r#"{"ALERTS": [{"column": "source", "above": 1}]}"#,
            r#"ALERTS.1.column: there is no column of amounts "source" (one of: "#,
        ),
    ] {
        let errors = Config::load(text, "").expect_err("refused");
        let [error] = errors.as_slice() else {
            panic!("{errors:?}");
        };
        let named = error.message.strip_prefix(expected).expect(&error.message);
        let named: Vec<&str> = named.trim_end_matches(')').split(", ").collect();
        assert!(named.contains(&"throughput"), "{error}");
        assert!(named.iter().all(|name| by_name(name).is_some()), "{error}");
    }
}

#[test]
fn a_rule_as_text_reads_back_to_the_same_rule() {
    for path in json_files("valid") {
        for rule in load(&path).expect("valid").rules {
            let text = rule::to_text(&rule);
            let again = rule::parse(&rule.name, &text).expect("its own text");
            let again = flowtop::model::rule::Rule {
                profile: rule.profile,
                histogram: rule.histogram,
                export: rule.export,
                ..again
            };
            assert_eq!(again, rule, "{text}");
        }
    }
}

/// All valid files, without the path that they came from.
fn valid_configs() -> Vec<(PathBuf, Config)> {
    let load = |path: PathBuf| (path.clone(), load(&path).expect("valid"));
    json_files("valid").into_iter().map(load).collect()
}
