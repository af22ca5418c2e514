//! The documents against the code: options, keys, columns, filter, configuration, exit codes, make's targets, links.
//!
//! Tables between `<!-- table: name -->` and `<!-- end -->` are made here, and so are manual pages and completions.
//! After a change to the code, `FLOWTOP_UPDATE_README=1 cargo test --test docs` writes them anew.

#[path = "docs/packaging.rs"]
mod packaging;
#[path = "docs/width.rs"]
mod width;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

use clap::CommandFactory;
use flowtop::cli::{Arguments, Exit};
use flowtop::config;
use flowtop::export::ipfix::{Element, FLOW_ELEMENTS, INTERFACE_ELEMENTS};
use flowtop::export::openmetrics::FAMILIES;
use flowtop::keymap::{BINDINGS, KeyGroup};
use flowtop::model::column::{FLOW_COLUMNS, GROUP_COLUMNS, MEMBERS, Member, by_id, json_path};
use flowtop::model::preferences::ThemeName;
use flowtop::model::query::{FIELDS, interface_amounts};

const README: &str = "README.md";
const NUMBERS: &str = "docs/numbers.md";
const CONFIGURATION: &str = "docs/configuration.md";
const METRICS: &str = "docs/metrics.md";
const FLEET: &str = "docs/fleet.md";

const LABS: &str = "docs/labs.md";

const DOCUMENTS: [&str; 17] = [
    README,
    NUMBERS,
    CONFIGURATION,
    METRICS,
    FLEET,
    "docs/json.md",
    LABS,
    "docs/captures.md",
    "docs/recordings.md",
    "docs/rights.md",
    "docs/packages.md",
    "docs/performance-notes.md",
    "SECURITY.md",
    "BENCHMARKS.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
];

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn table(head: &str, rows: impl IntoIterator<Item = String>) -> String {
    let columns = head.matches('|').count() - 1;
    let mut text = format!("{head}\n|{}\n", "---|".repeat(columns));
    for row in rows {
        text.push_str(&row);
        text.push('\n');
    }
    text
}

/// One line, with nothing in it that ends a cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// The option as it is written on a command line: `-i, --interface <NAME>...`.
fn usage(argument: &clap::Arg) -> String {
    let mut words = String::new();
    if let Some(short) = argument.get_short() {
        let _ = write!(words, "-{short}, ");
    }
    let _ = write!(words, "--{}", argument.get_long().expect("a long name"));
    let takes_value = argument.get_action().takes_values();
    if let Some([value]) = argument.get_value_names().filter(|_| takes_value) {
        let _ = write!(words, " <{value}>");
        let many = argument.get_num_args().is_some_and(|n| n.max_values() > 1);
        words.push_str(if many { "..." } else { "" });
    }
    words
}

fn options() -> String {
    let mut command = Arguments::command();
    command.build();
    let rows = command.get_arguments().map(|argument| {
        let help = argument.get_help().map(ToString::to_string);
        let help = cell(&help.unwrap_or_default());
        format!("| `{}` | {help} |", usage(argument))
    });
    table("| option | meaning |", rows.collect::<Vec<_>>())
}

fn keys() -> String {
    let rows = KeyGroup::ALL.into_iter().flat_map(|group| {
        BINDINGS
            .iter()
            .filter(move |row| row.group == group)
            .map(|row| {
                let keys: Vec<_> = row.keys.iter().map(|key| format!("`{key}`")).collect();
                format!("| {} | {} | `{}` |", keys.join(" "), cell(row.help), row.id)
            })
    });
    table("| key | what it does | name in `KEYS` |", rows)
}

fn columns() -> String {
    let rows = FLOW_COLUMNS.iter().map(|column| {
        let alias = column
            .alias
            .map_or_else(String::new, |a| format!(", `{a}`"));
        let (id, title, help) = (column.id, cell(column.title), cell(column.help));
        let json = json_path(column).map_or_else(String::new, |path| format!("`{path}`"));
        format!("| `{id}`{alias} | {title} | {json} | {help} |")
    });
    table(
        "| id, short name in filters | header | in JSON | what it is |",
        rows,
    )
}

fn columns_of_groups() -> String {
    let rows = GROUP_COLUMNS.iter().map(|column| {
        let (id, title, help) = (column.id, cell(column.title), cell(column.help));
        format!("| `{id}` | {title} | {help} |")
    });
    table("| id | header | what it is |", rows)
}

fn filter() -> String {
    let rows = FIELDS
        .iter()
        .map(|(field, help)| format!("| `{field}:` | {} |", cell(help)));
    table("| field | takes |", rows)
}

fn counts_of_interfaces() -> String {
    let rows = interface_amounts().map(|column| {
        let header = column.title.replace(' ', "_");
        let others = [column.alias, Some(header.as_str())];
        let others = others.into_iter().flatten();
        let others = others.filter(|name| *name != column.id);
        let others: String = others.map(|name| format!(", `{name}`")).collect();
        format!("| `{}`{others} | {} |", column.id, cell(column.help))
    });
    table("| count of an interface | what it is |", rows)
}

fn settings() -> String {
    let settings = config::SETTINGS.iter().map(|setting| {
        let help = cell(&setting.help());
        format!("| `{}` | `{}` | {help} |", setting.key, setting.default())
    });
    let remarks = config::REMARKS.iter().map(|remark| {
        let (key, shipped, help) = (remark.key, remark.shipped, cell(remark.help));
        format!("| `{key}` | {shipped} | {help} |")
    });
    table("| key | default | meaning |", settings.chain(remarks))
}

fn rule_keys() -> String {
    let rows = config::rule_keys().map(|(name, help)| format!("| `{name}` | {} |", cell(help)));
    table("| key of a rule | meaning |", rows)
}

fn families() -> String {
    let rows = FAMILIES.iter().map(|family| {
        let (name, kind) = (family.name, family.kind);
        let labels: Vec<_> = family.labels.iter().map(|l| format!("`{l}`")).collect();
        let (labels, help) = (labels.join(" "), cell(family.help));
        format!(
            "| `{name}{}` | {} | {labels} | {help} |",
            kind.suffix(),
            kind.name()
        )
    });
    table("| name | type | labels | meaning |", rows)
}

/// Elements of flow records, those of the registry or flowtop's own.
fn elements<'a>(all: impl Iterator<Item = &'a Element>) -> String {
    let rows = all.map(|element| {
        let Element {
            number,
            name,
            about,
            ..
        } = element;
        let whose = if element.is_own { "own " } else { "" };
        let (data_type, unit) = (element.data_type.name(), element.unit.name());
        format!(
            "| {whose}{number} | `{name}` | {data_type} | {unit} | {} |",
            cell(about)
        )
    });
    table("| number | name | type | unit | what it is |", rows)
}

/// Where a table is in the text of a document.
fn find_table(text: &str, name: &str) -> std::ops::Range<usize> {
    let begin = format!("<!-- table: {name} -->\n");
    let start = text.find(&begin).expect("the table's beginning") + begin.len();
    let length = text[start..].find("<!-- end -->");
    start..start + length.expect("the table's end")
}

/// Compares the table in the document with what the code says, or writes it there.
fn expect_table(document: &str, name: &str, expected: &str) {
    let text = read(document);
    if text[find_table(&text, name)] == *expected {
        return;
    }
    if std::env::var_os("FLOWTOP_UPDATE_README").is_some() {
        return rewrite(document, |mut text| {
            text.replace_range(find_table(&text, name), expected);
            text
        });
    }
    panic!(
        "{document}: the table of {name} is not what the code says (FLOWTOP_UPDATE_README=1 writes it):\n{expected}"
    );
}

/// Rewrites a document: one at a time, or one would undo what another wrote; and by a rename, as other tests read the
/// document meanwhile.
fn rewrite(document: &str, change: impl FnOnce(String) -> String) {
    static WRITING: Mutex<()> = Mutex::new(());
    let _alone = WRITING.lock().expect("no panic");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let beside = path.with_extension("md.new");
    std::fs::write(&beside, change(read(document))).expect("write beside the document");
    std::fs::rename(beside, path).expect("rename");
}

/// What stands in backquotes in the first cell of each row of the table below this line.
fn names_in_table(document: &str, head: &str) -> Vec<String> {
    let text = read(document);
    let start = text
        .find(head)
        .unwrap_or_else(|| panic!("{document} has no {head}"));
    let rows = text[start..].lines().skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .flat_map(|line| {
            let first = line.split('|').nth(1).unwrap_or_default();
            first
                .split('`')
                .skip(1)
                .step_by(2)
                .map(Into::into)
                .collect::<Vec<String>>()
        })
        .collect()
}

#[test]
fn tables_of_the_documents_are_what_the_code_says() {
    // One after the other: each may write the file.
    expect_table(CONFIGURATION, "options", &options());
    expect_table(README, "keys", &keys());
    expect_table(NUMBERS, "columns", &columns());
    expect_table(NUMBERS, "columns of groups", &columns_of_groups());
    expect_table(README, "filter", &filter());
    expect_table(CONFIGURATION, "settings", &settings());
    expect_table(CONFIGURATION, "keys of a rule", &rule_keys());
    expect_table(LABS, "counts of interfaces", &counts_of_interfaces());
    expect_table(METRICS, "families", &families());
    let of_flows = || FLOW_ELEMENTS.iter().map(|row| &row.element);
    let of_interfaces = INTERFACE_ELEMENTS.iter().map(|row| &row.element);
    expect_table(
        FLEET,
        "elements",
        &elements(of_flows().filter(|it| !it.is_own)),
    );
    expect_table(
        FLEET,
        "own elements",
        &elements(of_flows().filter(|it| it.is_own)),
    );
    expect_table(FLEET, "interface elements", &elements(of_interfaces));
}

#[test]
fn the_example_of_json_has_all_fields_of_flows_in_their_order() {
    let text = read("docs/json.md");
    let example = text.split("```json").nth(1).expect("an example");
    let example = example.split("```").next().expect("its end");
    let record: serde_json::Value = serde_json::from_str(example).expect("JSON");
    let flow = &record["flows"][0];
    let paths = MEMBERS.iter().flat_map(|member| match member {
        Member::Alerts => vec!["alerts".to_owned()],
        Member::Buckets => vec!["interarrival_buckets".to_owned()],
        Member::Aggregates => vec!["aggregates_seen".to_owned()],
        member => {
            let columns = member.cells().iter().filter_map(|id| by_id(id));
            columns.filter_map(json_path).collect()
        }
    });
    let pointer = |path: &String| format!("/{}", path.replace('.', "/"));
    let paths: Vec<_> = paths.collect();
    let mut left = &example[example.find("\"flows\": [").expect("flows")..];
    for path in &paths {
        assert!(flow.pointer(&pointer(path)).is_some(), "{path} is missing");
        let name = format!("\"{}\": ", path.rsplit('.').next().expect("a name"));
        let at = left
            .find(&name)
            .unwrap_or_else(|| panic!("{path} is not behind what it follows"));
        left = &left[at..];
    }
    let fields = |of: &serde_json::Value| of.as_object().expect("an object").len();
    let parts = MEMBERS.iter().filter_map(|member| match member {
        Member::Part(part) => Some(fields(&flow[part.name])),
        _ => None,
    });
    let of_parts: usize = parts.clone().sum();
    let shown = fields(flow) - parts.count() + of_parts;
    assert_eq!(paths.len(), shown, "{paths:?}");
}

#[test]
fn ready_made_profiles_and_themes_are_named() {
    let text = read(CONFIGURATION);
    let profiles = config::READY_MADE.iter().map(|ready| ready.name);
    for name in profiles.chain(ThemeName::ALL.map(ThemeName::id)) {
        assert!(text.contains(&format!("`\"{name}\"`")), "{name}");
    }
}

#[test]
fn exit_codes_are_those_of_the_code() {
    let listed = names_in_table(CONFIGURATION, "| exit code |");
    let codes = [
        Exit::Fine,
        Exit::Failed,
        Exit::Usage,
        Exit::Unmet,
        Exit::Unavailable,
        Exit::Privilege,
        Exit::Config,
    ];
    assert_eq!(listed, codes.map(|exit| exit.code().to_string()));
}

/// Words behind `make` where it is a command: in backquotes or at the beginning of a line of code.
fn targets_named(text: &str) -> BTreeSet<String> {
    let in_code = text.split("`make ").skip(1);
    let in_blocks = text
        .lines()
        .filter_map(|line| {
            line.trim_start()
                .strip_prefix("sudo ")
                .or(Some(line.trim_start()))
        })
        .filter_map(|line| line.strip_prefix("make "));
    in_code
        .chain(in_blocks)
        .map(|rest| {
            let is_in_name = |c: &char| c.is_ascii_lowercase() || *c == '-';
            rest.chars().take_while(is_in_name).collect()
        })
        .filter(|target: &String| !target.is_empty())
        .collect()
}

#[test]
fn what_make_is_asked_for_it_can_do() {
    let makefile = read("Makefile");
    for document in DOCUMENTS {
        for target in targets_named(&read(document)) {
            assert!(
                makefile
                    .lines()
                    .any(|line| line.starts_with(&format!("{target}:"))),
                "{document} says make {target}"
            );
        }
    }
    assert!(targets_named(&read("README.md")).is_superset(&["demo".into(), "test".into()].into()));
}

#[test]
fn continuous_integration_runs_the_commands_of_the_readme() {
    let script = read(".ci/run");
    let commands: Vec<_> = script
        .lines()
        .filter(|line| line.starts_with("make "))
        .collect();
    assert_eq!(
        commands,
        [
            "make check",
            "make test",
            "make test-fleet",
            "make test-kernels"
        ]
    );
    for document in ["README.md", "CONTRIBUTING.md"] {
        let named = targets_named(&read(document));
        let is_named = |command: &&str| named.contains(command.trim_start_matches("make "));
        assert!(commands.iter().all(is_named), "{document}: {named:?}");
    }
}

/// What a link to a heading says behind its #, as GitHub makes it.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let is_kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        words
            .chars()
            .filter(is_kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_document_is_looked_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let files = std::fs::read_dir(folder).expect("a folder").flatten();
    for file in files.map(|file| file.file_name().into_string().expect("UTF-8")) {
        let is_document = file.ends_with(".md");
        assert!(
            !is_document || DOCUMENTS.contains(&&*format!("docs/{file}")),
            "{file}"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(document).parent().expect("a folder");
            let path = match file {
                "" => document.to_owned(),
                file => folder.join(file).to_string_lossy().into_owned(),
            };
            let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&path).exists();
            assert!(is_there, "{document} links to {target}");
            assert!(
                heading.is_empty() || anchors(&read(&path)).iter().any(|anchor| anchor == heading),
                "{document} links to {target}"
            );
        }
    }
}

/// Files named in backquotes with a folder before them exist: documents outlive renames only if somebody looks.
#[test]
fn files_that_are_named_exist() {
    for document in DOCUMENTS {
        let text = read(document);
        for name in text.split('`').skip(1).step_by(2) {
            let is_path = ["src/", "tests/", "scripts/", "benches/"]
                .iter()
                .any(|folder| name.starts_with(folder));
            if is_path && !name.contains(['*', ' ', '<', '{']) {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
                assert!(path.exists(), "{document} names {name}");
            }
        }
    }
}

#[test]
fn the_minimum_versions_are_the_ones_that_are_checked() {
    let readme = read("README.md");
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(readme.contains(&format!("Rust {rust}")), "Rust {rust}");
    let (major, minor) = flowtop::probe::privileges::OLDEST_KERNEL;
    assert!(readme.contains(&format!("Linux {major}.{minor}")));
}

/// `file::name` is the function of that name in a file `tests/*/file.rs`, and `tests/...` a file.
#[test]
fn the_tests_that_security_md_names_are_there() {
    let text = read("SECURITY.md");
    let (_, table) = text.split_once("| promise | test |").expect("a table");
    let named: Vec<&str> = table.split('`').skip(1).step_by(2).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["privileges", "terminal", "cli_binary", "package"];
    let folders = folders.map(|folder| root.join("tests").join(folder));
    let mut found = 0;
    for (file, test) in named.iter().filter_map(|name| name.split_once("::")) {
        let is_there = folders.iter().any(|folder| {
            let source = std::fs::read_to_string(folder.join(file).with_extension("rs"));
            source.is_ok_and(|source| source.contains(&format!("\nfn {test}() {{")))
        });
        assert!(is_there, "{file}::{test}");
        found += 1;
    }
    for file in named.iter().filter(|name| name.starts_with("tests/")) {
        assert!(root.join(file).is_file(), "{file}");
    }
    assert!(found > 15, "{found} tests");
}
