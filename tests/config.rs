//! The configuration file: valid files mean what is written beside them, invalid ones fail with
//! the messages kept beside them. `FLOWTOP_UPDATE=1` rewrites what is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flowtop::config::source::{self, Surroundings};
use flowtop::config::{Config, Overrides, Vocabulary, rule};
use flowtop::model::preferences::Unit;
use proptest::prelude::*;

const VOCABULARY: Vocabulary<'static> = Vocabulary {
    columns: &["source", "destination", "throughput", "jitter", "loss"],
    actions: &["quit", "reset", "pause", "filter", "top", "bottom"],
    key_is_valid: |key| {
        let last = key.rsplit('-').next().unwrap_or_default();
        last.chars().count() == 1 || ["Esc", "Enter", "F1"].contains(&last)
    },
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

/// A place of its own for each test: a working directory, a user's folder and a system's folder.
fn surroundings(root: &Path) -> Surroundings {
    for name in ["here", "user/flowtop", "etc/flowtop"] {
        fs::create_dir_all(root.join(name)).expect("folder");
    }
    Surroundings {
        here: root.join("here"),
        user_folder: Some(root.join("user")),
        system_folder: root.join("etc"),
        invoking_user: None,
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("write");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("mode");
}

fn open(named: Option<&Path>, surroundings: &Surroundings) -> Result<Config, String> {
    source::open(named, surroundings, &VOCABULARY, &Overrides::default())
        .map_err(|refusal| refusal.to_string())
}

#[test]
fn the_first_place_that_has_a_file_is_read() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    assert_eq!(open(None, &surroundings), Ok(Config::default()));
    for (place, seconds) in surroundings.places().iter().rev().zip(2..) {
        write(place, &format!("{{\"THROUGHPUT_INTERVAL\": {seconds}}}"));
        let config = open(None, &surroundings).expect("valid");
        assert_eq!(config.path.as_ref(), Some(place));
        assert_eq!(config.throughput_interval, Duration::from_secs(seconds));
    }
}

#[test]
fn a_named_file_must_exist() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    write(&surroundings.places()[0], "{}");
    let named = root.path().join("nothing.json");
    let error = open(Some(&named), &surroundings).expect_err("refused");
    let expected = format!(
        "read configuration {}: no such file or directory (name a file that exists, or leave -c out)",
        named.display()
    );
    assert_eq!(error, expected);
}

#[test]
fn a_bad_file_is_an_error_and_no_reason_to_look_further() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    let [first, second, _] = <[PathBuf; 3]>::try_from(surroundings.places()).expect("three");
    write(&second, "{}");
    write(&first, "{\n  \"UNIT\": 1,\n  \"OFFSET\": \"\"\n}");
    let error = open(None, &surroundings).expect_err("refused");
    assert_eq!(error.lines().count(), 2);
    assert!(
        error.starts_with(&format!("{}:2:11: UNIT: ", first.display())),
        "{error}"
    );
}

#[test]
fn what_is_no_trusted_regular_file_is_refused() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    let place = &surroundings.places()[0];
    let refused = |part: &str| {
        let error = open(None, &surroundings).expect_err(part);
        assert!(
            error.contains(part) && error.lines().count() == 1,
            "{error}"
        );
        assert!(error.starts_with("read configuration "), "{error}");
    };
    fs::create_dir(place).expect("folder");
    refused("not a regular file");
    fs::remove_dir(place).expect("remove");
    nix::unistd::mkfifo(place, nix::sys::stat::Mode::S_IRWXU).expect("fifo");
    refused("not a regular file");
    fs::remove_file(place).expect("remove");
    write(place, "{}");
    fs::set_permissions(place, fs::Permissions::from_mode(0o666)).expect("mode");
    refused("everybody may write to it");
    write(place, &" ".repeat(2 << 20));
    refused("larger than");
}

#[test]
fn bytes_that_are_no_text_have_a_place_too() {
    let root = tempfile::tempdir().expect("folder");
    let surroundings = surroundings(root.path());
    let place = &surroundings.places()[0];
    fs::write(place, b"{\n  \"\xc3\xb6\xff\": 1}").expect("write");
    fs::set_permissions(place, fs::Permissions::from_mode(0o644)).expect("mode");
    let error = open(None, &surroundings).expect_err("refused");
    assert_eq!(error, format!("{}:2:5: not valid UTF-8", place.display()));
}

#[test]
fn the_command_line_wins_over_the_file() {
    let text = r#"{"THROUGHPUT_INTERVAL": 2, "INTERFACES": ["eth0"], "UNIT": "bytes"}"#;
    let file = Config::load(text, "config.json", &VOCABULARY).expect("valid");
    assert_eq!(file.clone().overridden(&Overrides::default()), file);
    let both = file.overridden(&Overrides {
        interfaces: vec!["veth*".into()],
        throughput_interval: Some(Duration::from_secs(5)),
        jitter_interval: None,
        bits: true,
        packet_loss: true,
    });
    assert_eq!(both.interfaces, ["veth*"]);
    assert_eq!(both.throughput_interval, Duration::from_secs(5));
    assert_eq!(both.jitter_window(), Duration::from_secs(5));
    assert_eq!(both.unit, Unit::Bits);
    assert!(both.packet_loss);
}
