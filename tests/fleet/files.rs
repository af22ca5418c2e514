//! The files in `packaging` by the programs that read them: rules by promtool, the dashboard by Grafana's types; and what
//! docs/fleet.md has as an example.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowtop::model::metrics::SERIES_OF_A_FLOW;
use serde_json::Value;

/// The dashboard.
pub const DASHBOARD: &str = "packaging/grafana/flowtop.json";

/// A file of the repository.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file of the repository.
pub fn read(name: &str) -> String {
    fs::read_to_string(source(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The code block of docs/fleet.md that has these words, without its fence.
pub fn documented(words: &str) -> String {
    let text = read("docs/fleet.md");
    let mut blocks = text.split("```").skip(1).step_by(2);
    let block = blocks.find(|block| block.contains(words)).expect(words);
    block.split_once('\n').expect("a language").1.to_owned()
}

/// Runs a command to its end; its output is what a failure says.
pub fn succeed(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error} (make test-fleet)"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
    text
}

/// All queries of the dashboard, with the panel that has each.
pub fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("JSON");
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().expect("a query");
            queries.push((title.to_owned(), query.to_owned()));
        }
    }
    queries
}

/// Selector and label of each variable that asks for `label_values(SELECTOR, LABEL)`.
pub fn variables() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).expect("JSON");
    let all = dashboard["templating"]["list"]
        .as_array()
        .expect("variables");
    let query = |variable: &Value| {
        let query = variable["query"]["query"].as_str()?;
        let inside = query
            .strip_prefix("label_values(")
            .and_then(|rest| rest.strip_suffix(')'));
        let (selector, label) = inside.expect(query).rsplit_once(", ").expect(query);
        Some((selector.to_owned(), label.to_owned()))
    };
    all.iter().filter_map(query).collect()
}

/// As Grafana asks it where all is shown, a minute's data at a time.
pub fn with_all(query: &str) -> String {
    let mut text = query.replace("$__rate_interval", "1m");
    for variable in [
        "job",
        "instance",
        "interface",
        "rule",
        "source",
        "destination",
        "port",
        "source_port",
        "protocol",
    ] {
        text = text.replace(&format!("\"${variable}\""), "\".*\"");
    }
    assert!(!text.contains('$'), "no such variable: {text}");
    text
}

/// Names of metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = text.split(|c| !is_of_name(c));
    words.filter(|word| word.starts_with("flowtop_")).collect()
}

#[test]
fn the_dashboard_asks_for_families_that_there_are_and_links_to_itself() {
    let document = read("docs/metrics.md");
    let rows = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `flowtop_"));
    let families: BTreeSet<String> = rows
        .filter_map(|row| Some(format!("flowtop_{}", row.split_once('`')?.0)))
        .collect();
    assert!(families.len() > 50, "{families:?}");
    let mut asked = BTreeSet::new();
    for text in queries()
        .into_iter()
        .chain(variables())
        .flat_map(|(a, b)| [a, b])
    {
        for name in names(&text) {
            assert!(families.contains(name), "{name} is no family: {text}");
            asked.insert(name.to_owned());
        }
    }
    // What belongs to it is in it: of each family but a few of the bytes'.
    for group in [
        "interface",
        "rule",
        "flow",
        "flow_other",
        "table",
        "config",
        "exporter",
    ] {
        let prefix = format!("flowtop_{group}_");
        assert!(
            asked.iter().any(|name| name.starts_with(&prefix)),
            "nothing of {group}"
        );
    }
    let dashboard = read(DASHBOARD);
    let links: Vec<_> = dashboard.split("\"/d/").skip(1).collect();
    assert!(links.len() > 10, "{}", links.len());
    assert!(links.iter().all(|link| link.starts_with("flowtop?")));
}

#[test]
fn rules_and_alerts_ask_for_families_that_there_are() {
    let document = read("docs/metrics.md");
    let records = read("packaging/prometheus/flowtop-records.yml");
    let recorded: BTreeSet<_> = records
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- record: "))
        .collect();
    for line in [&records, &read("packaging/prometheus/flowtop-alerts.yml")]
        .into_iter()
        .flat_map(|text| text.lines())
    {
        let line = line.trim();
        if line.starts_with('#') || line.starts_with("- record") {
            continue;
        }
        for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')) {
            if word.contains(":flowtop_") {
                assert!(recorded.contains(word), "{word} is not recorded: {line}");
            } else if word.starts_with("flowtop_") && !line.contains("flowtop_flow_other_*") {
                assert!(
                    document.contains(&format!("| `{word}` |")),
                    "{word} is no family: {line}"
                );
            }
        }
    }
}

#[test]
fn room_for_flows_is_reckoned_with_as_many_series_as_one_has() {
    let ninth = format!("/ {SERIES_OF_A_FLOW})");
    assert!(read("packaging/prometheus/flowtop-records.yml").contains(&ninth));
    assert!(queries().iter().any(|(_, query)| query.contains(&ninth)));
}

#[test]
#[ignore = "needs promtool: make test-fleet"]
fn promtool_accepts_the_rules_and_they_say_what_they_should() {
    let folder = source("packaging/prometheus");
    let mut promtool = Command::new("promtool");
    promtool.current_dir(&folder).args(["check", "rules"]);
    let checked = succeed(promtool.args(["flowtop-records.yml", "flowtop-alerts.yml"]));
    assert_eq!(checked.matches("SUCCESS").count(), 2, "{checked}");
    let mut promtool = Command::new("promtool");
    succeed(
        promtool
            .current_dir(&folder)
            .args(["test", "rules", "flowtop-tests.yml"]),
    );
    // Each alert is tried there.
    let alerts = read("packaging/prometheus/flowtop-alerts.yml");
    let tests = read("packaging/prometheus/flowtop-tests.yml");
    let alerts = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(
            tests.contains(&format!("- alertname: {alert}\n")),
            "{alert} is not tried"
        );
    }
}

#[test]
#[ignore = "needs promtool: make test-fleet"]
fn promtool_accepts_the_configurations_of_the_document() {
    let folder = tempfile::tempdir().expect("a folder");
    for (words, mode) in [
        ("rule_files:", "server"),
        ("scheme: https", "server"),
        ("action: hashmod", "agent"),
    ] {
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, documented(words)).expect("written");
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "config", "--syntax-only"]);
        promtool.args((mode == "agent").then_some("--agent"));
        succeed(promtool.arg(&file));
    }
}

/// Compiles the dashboard as a value of the types of `tests/fleet/grafana/types.ts`; what the compiler says.
fn compile(folder: &Path, dashboard: &str) -> (bool, String) {
    let text = format!(
        "import type {{ File }} from \"./types\";\nexport const dashboard: File =\n{dashboard};\n"
    );
    fs::write(folder.join("dashboard.ts"), text).expect("written");
    let mut compiler = Command::new("node_modules/.bin/tsc");
    compiler.current_dir(folder).args([
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--target",
        "es2022",
    ]);
    compiler.args([
        "--module",
        "nodenext",
        "--moduleResolution",
        "nodenext",
        "dashboard.ts",
    ]);
    let output = compiler.output().expect("the compiler");
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[test]
#[ignore = "needs npm: make test-fleet"]
fn the_dashboard_has_the_types_of_grafana_and_nothing_beside() {
    // Kept from run to run: it is 26 MB.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("grafana");
    fs::create_dir_all(&folder).expect("a folder");
    for file in ["package.json", "types.ts"] {
        fs::copy(source("tests/fleet/grafana").join(file), folder.join(file)).expect("copied");
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args([
        "install",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--prefer-offline",
    ]);
    succeed(npm.arg("--ignore-scripts"));
    let dashboard = read(DASHBOARD);
    let (accepted, errors) = compile(&folder, &dashboard);
    assert!(accepted, "{errors}");
    for (right, wrong) in [
        ("\"mode\": \"absolute\"", "\"mode\": \"absolut\""),
        ("\"cellHeight\"", "\"cellHight\""),
        ("\"schemaVersion\": 39,", ""),
        ("\"fillOpacity\": 8", "\"fillOpacity\": \"8\""),
    ] {
        let mutant = dashboard.replacen(right, wrong, 1);
        assert_ne!(mutant, dashboard, "{right}");
        assert!(!compile(&folder, &mutant).0, "it accepts {wrong}");
    }
}
