//! The configuration file: valid files mean what is written beside them, invalid ones fail with
//! the messages kept beside them. `FLOWTOP_UPDATE=1` rewrites what is kept.

use std::fs;
use std::path::{Path, PathBuf};

use flowtop::config::{Config, Vocabulary, rule};

#[path = "config/edit.rs"]
mod edit;
#[path = "config/fuzz.rs"]
mod fuzz;
#[path = "config/places.rs"]
mod places;
#[path = "config/watch.rs"]
mod watch;
#[path = "config/written.rs"]
mod written;

const VOCABULARY: Vocabulary<'static> = Vocabulary {
    columns: &["source", "destination", "throughput", "jitter", "loss"],
    amounts: &["throughput", "jitter", "loss"],
    views: &["flows", "loss", "interfaces", "events"],
    actions: &["quit", "reset", "pause", "filter", "top", "bottom"],
    key_is_valid: |key| {
        let last = key.rsplit('-').next().unwrap_or_default();
        last.chars().count() == 1 || ["Esc", "Enter", "F1"].contains(&last)
    },
    same_key: |one, other| match (one.chars().count(), other.chars().count()) {
        (1, 1) => one == other,
        _ => one.eq_ignore_ascii_case(other),
    },
    always_quits: ("Ctrl-c", "quit"),
    default_keys: &[
        ("quit", &["q", "Ctrl-c"]),
        ("pause", &["p"]),
        ("bottom", &["G"]),
    ],
};

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
    Config::load(&text, "config.json", &VOCABULARY).map_err(|diagnostics| {
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

#[test]
fn valid_files_mean_what_is_written_beside_them() {
    let wrong = json_files("valid")
        .into_iter()
        .filter(|path| match load(path) {
            Ok(config) => differs_from_kept(path, &config.describe()),
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
fn the_shipped_file_shows_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.json");
    let text = fs::read_to_string(path).expect("file");
    for key in flowtop::config::key_names() {
        assert!(text.contains(&format!("\n  \"{key}\": ")), "{key}");
    }
}

#[test]
fn a_rule_as_text_reads_back_to_the_same_rule() {
    for path in json_files("valid") {
        for rule in load(&path).expect("valid").rules {
            let text = rule::to_text(&rule);
            let again = rule::parse(&rule.name, &text).expect("its own text");
            let profile = rule.profile;
            assert_eq!(
                flowtop::model::rule::Rule { profile, ..again },
                rule,
                "{text}"
            );
        }
    }
}

/// All valid files, without the path that they came from.
fn valid_configs() -> Vec<(PathBuf, Config)> {
    let load = |path: PathBuf| (path.clone(), load(&path).expect("valid"));
    json_files("valid").into_iter().map(load).collect()
}
