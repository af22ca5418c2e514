//! Who may know whom, read from the sources: ARCHITECTURE.md says the same in words.
//!
//! A source here is a file without its comments and without what stands behind `#[cfg(test)]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules of the library, and those of its modules that each may name.
const KNOWS: [(&str, &[&str]); 16] = [
    ("ahead", &[]),
    ("model", &["ahead"]),
    ("capture", &[]),
    ("keymap", &[]),
    ("netlink", &[]),
    ("netns", &["netlink"]),
    ("export", &["model"]),
    ("recording", &["model"]),
    ("config", &["model", "keymap"]),
    ("probe", &["ahead", "model", "netlink"]),
    ("app", &["model", "keymap"]),
    ("ui", &["model", "keymap", "app"]),
    ("terminal", &["keymap", "app"]),
    ("cli", &["model", "config"]),
    ("demo", &["model", "netns"]),
    (
        "runtime",
        &[
            "app",
            "capture",
            "cli",
            "config",
            "demo",
            "export",
            "keymap",
            "model",
            "netlink",
            "netns",
            "probe",
            "recording",
            "terminal",
            "ui",
        ],
    ),
];

/// What only some modules may name. A name that ends with `_` stands for all that begin with it.
const RESERVED: [(&[&str], &[&str]); 13] = [
    (&["libbpf_"], &["probe"]),
    (&["unsafe", "allow(unsafe_code"], &["ahead", "probe"]),
    (&["ratatui"], &["ui", "terminal"]),
    (&["crossterm"], &["terminal"]),
    (&["clap"], &["cli"]),
    (&["netlink_"], &["netlink", "netns", "probe"]),
    (
        &["nix"],
        &[
            "config", "demo", "netlink", "netns", "probe", "runtime", "terminal",
        ],
    ),
    (
        &["std::fs", "File"],
        &["config", "netns", "probe", "runtime"],
    ),
    (
        &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "UnixStream",
            "ToSocketAddrs",
        ],
        &["demo", "runtime", "terminal"],
    ),
    (
        &[
            "Instant::now",
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
        ],
        &["config", "demo", "netns", "runtime", "terminal"],
    ),
    (
        &["std::thread", "thread::spawn"],
        &[
            "config", "demo", "netns", "probe", "runtime", "terminal", "main",
        ],
    ),
    (
        &["std::env"],
        &["config", "demo", "netns", "runtime", "terminal", "main"],
    ),
    (
        &["println!", "print!", "eprintln!", "eprint!", "dbg!"],
        &["main", "runtime"],
    ),
];

/// What says nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helpers", "manager", "common", "misc"];

const LONGEST_FILE: usize = 400;

/// Fields of the application: its parts, and what belongs to none of them.
const MOST_PARTS: usize = 14;

struct Source {
    path: PathBuf,
    /// Name of the module of the library, or `main`, `lib`.
    module: String,
    code: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder");
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn all_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&root().join("src"), &mut found);
    found.sort();
    assert!(found.len() > 50, "where are the sources?");
    found
}

fn without_comments_and_tests(text: &str) -> String {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = code.lines().map(|line| match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn sources() -> Vec<Source> {
    let rust = all_files().into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".rs") && !name.ends_with("tests.rs")
    });
    rust.map(|path| {
        let inside = path.strip_prefix(root().join("src")).expect("in src");
        let first = inside.iter().next().expect("a name").to_string_lossy();
        let text = fs::read_to_string(&path).expect("UTF-8");
        Source {
            module: first.trim_end_matches(".rs").to_owned(),
            code: without_comments_and_tests(&text),
            path: inside.to_owned(),
        }
    })
    .collect()
}

/// Whether `code` has `name` as a word of its own, or as a word's beginning if it ends with `_`.
fn mentions(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let is_whole = name.ends_with('_') || name.ends_with('!') || !after.is_some_and(is_word);
        is_whole && !before.is_some_and(is_word)
    })
}

/// The modules of the library that `code` names: `crate::model::flow`, `use crate::{app, ui::pen}`.
fn modules_named(code: &str) -> Vec<String> {
    let first = |path: &String| path.split("::").next().unwrap_or_default().to_owned();
    paths_named(code, "crate::").iter().map(first).collect()
}

/// What `code` names behind this prefix: of `use super::{app, ui::{pen, theme}}` it is `app` and `ui::`.
fn paths_named(code: &str, prefix: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, prefix) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(list) => named.extend(paths_of_list(list)),
            None => named.push(path_of(rest)),
        }
    }
    named
}

fn path_of(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
        .collect()
}

/// Of `app, ui::{pen, theme}, model}; ...`: `app`, `ui::`, `model`.
fn paths_of_list(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut depth = 0;
    let mut expects_path = true;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expects_path = true,
            c if expects_path && !c.is_whitespace() => {
                paths.push(path_of(&text[at..]));
                expects_path = false;
            }
            _ => {}
        }
    }
    paths
}

/// The module that a file is: `model::column::value`.
fn module_of(source: &Source) -> String {
    let path = source.path.with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("::")
}

/// For each module those that it names, its own parents apart: they name what is theirs.
fn names_by_module() -> BTreeMap<String, BTreeSet<String>> {
    let sources = sources();
    let modules: BTreeSet<String> = sources.iter().map(module_of).collect();
    let mut names = BTreeMap::new();
    for source in &sources {
        let own = module_of(source);
        let parent = own.rsplit_once("::").map(|(parent, _)| parent);
        let inside = |path: &String| match parent {
            Some(parent) => format!("{parent}::{path}"),
            None => path.clone(),
        };
        let mut named = paths_named(&source.code, "crate::");
        named.extend(paths_named(&source.code, "super::").iter().map(inside));
        let deepest = |path: &String| {
            let ends = path.match_indices("::").map(|(at, _)| at);
            let ends: Vec<usize> = ends.chain([path.len()]).collect();
            let mut heads = ends.iter().rev().map(|end| &path[..*end]);
            heads
                .find(|head| modules.contains(*head))
                .map(str::to_owned)
        };
        let is_other = |module: &String| !format!("{own}::").starts_with(&format!("{module}::"));
        let named = named.iter().filter_map(deepest).filter(is_other);
        names.insert(own.clone(), named.collect());
    }
    names
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let mut names = names_by_module();
    assert!(
        names.values().any(|named| named.len() > 5),
        "who names whom?"
    );
    // What names nothing that is left, or is named by nothing that is left, is in no circle.
    loop {
        let left: BTreeSet<String> = names.keys().cloned().collect();
        let named: BTreeSet<String> = names.values().flatten().cloned().collect();
        for its in names.values_mut() {
            its.retain(|module| left.contains(module));
        }
        names.retain(|module, its| !its.is_empty() && named.contains(module));
        if names.len() == left.len() {
            break;
        }
    }
    assert!(names.is_empty(), "in a circle: {names:#?}");
}

#[test]
fn no_module_names_another_that_it_must_not_know() {
    for source in sources() {
        let Some((_, known)) = KNOWS.iter().find(|(module, _)| *module == source.module) else {
            let listed = matches!(&*source.module, "main" | "lib");
            assert!(listed, "{}: not in the table", source.path.display());
            continue;
        };
        for named in modules_named(&source.code) {
            assert!(
                named == source.module || known.contains(&&*named),
                "src/{} names crate::{named}: {} must not know it",
                source.path.display(),
                source.module
            );
        }
    }
}

#[test]
fn only_the_modules_that_may_touch_the_world_do() {
    for source in sources() {
        for (names, modules) in RESERVED {
            for name in names {
                assert!(
                    modules.contains(&&*source.module) || !mentions(&source.code, name),
                    "src/{} has {name}, which is for {}",
                    source.path.display(),
                    modules.join(", ")
                );
            }
        }
    }
}

/// Where `unsafe` stands without a comment that begins with `SAFETY:` right above it, as line numbers.
fn unexplained(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_said = |at: usize| {
        lines[..at]
            .iter()
            .rev()
            // The beginning of the statement, then its comment.
            .skip_while(|line| !line.starts_with("//") && !line.ends_with([';', '{', '}']))
            .take_while(|line| line.starts_with("//"))
            .any(|line| line.starts_with("// SAFETY: "))
    };
    let code = lines.iter().enumerate().filter(|(_, line)| {
        let code = line.split("//").next().unwrap_or_default();
        mentions(code, "unsafe") && !code.starts_with("#![")
    });
    code.filter(|(at, _)| !is_said(*at))
        .map(|(at, _)| at + 1)
        .collect()
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut blocks = 0;
    for path in all_files() {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        blocks += text.matches("unsafe {").count();
        let lines = unexplained(&text);
        assert!(lines.is_empty(), "{}: lines {lines:?}", path.display());
    }
    assert!(blocks > 10, "where are they?");
}

#[test]
fn no_way_leads_around_the_names() {
    for source in sources() {
        assert!(
            !source.code.contains("super::super::"),
            "src/{} climbs by super::super",
            source.path.display()
        );
        assert!(
            source.module == "main" || !source.code.contains("flowtop::"),
            "src/{} names the library from outside",
            source.path.display()
        );
    }
}

#[test]
fn the_pure_headers_have_no_map_and_no_helper() {
    for header in ["types", "packet", "transport", "parse", "sequence"] {
        let path = root().join(format!("src/bpf/{header}.h"));
        // That the compiler's target is BPF they may ask.
        let text = fs::read_to_string(&path)
            .expect("a header")
            .replace("__bpf__", "");
        for name in ["bpf_", "SEC(", "__sync_", "READ_ONCE"] {
            assert!(!text.contains(name), "src/bpf/{header}.h has {name}");
        }
        for line in text.lines().filter(|line| line.starts_with("#include \"")) {
            let included = line.split('"').nth(1).unwrap_or_default();
            assert!(
                ["types.h", "packet.h", "transport.h"].contains(&included),
                "src/bpf/{header}.h includes {included}"
            );
        }
    }
}

#[test]
fn no_file_is_longer_than_a_reader_follows() {
    for path in all_files() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("LICENSE") {
            continue;
        }
        let lines = fs::read_to_string(&path).expect("UTF-8").lines().count();
        assert!(
            lines <= LONGEST_FILE,
            "{} has {lines} lines, more than {LONGEST_FILE}",
            path.display()
        );
    }
}

/// The fields of a struct in the code of a file, one a line.
fn fields<'a>(code: &'a str, name: &str) -> Vec<&'a str> {
    let head = format!("pub struct {name} {{\n");
    let inside = match code.split_once(&head) {
        Some((_, rest)) => rest.split_once("\n}").map(|(inside, _)| inside),
        None => None,
    };
    let lines = inside.expect("a struct with fields").lines();
    lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}

fn code_of<'a>(sources: &'a [Source], file: &str) -> &'a str {
    let found = sources.iter().find(|source| source.path.ends_with(file));
    &found.expect("a file").code
}

#[test]
fn only_the_session_writes_to_what_a_run_has() {
    let sources = sources();
    for field in fields(code_of(&sources, "runtime/session.rs"), "Session") {
        assert!(!field.starts_with("pub"), "every file can write to {field}");
    }
}

#[test]
fn the_application_is_made_of_parts_that_own_their_state() {
    let sources = sources();
    let code = |file: &str| code_of(&sources, file);
    let own = fields(code("app.rs"), "App");
    assert!(own.len() <= MOST_PARTS, "App has {} fields", own.len());
    let parts = [
        ("app/choices.rs", "Choices"),
        ("app/events.rs", "EventRows"),
        ("app/filter.rs", "FilterLine"),
        ("app/flows.rs", "FlowRows"),
        ("app/interfaces.rs", "InterfaceRows"),
        ("app/journal.rs", "Journal"),
        ("app/names.rs", "HostNames"),
        ("app/moment.rs", "Moment"),
        ("app/notices.rs", "Notices"),
        ("app/table.rs", "Table<K, T: 'static>"),
    ];
    let theirs = parts
        .iter()
        .flat_map(|(file, part)| fields(code(file), part));
    for field in own.into_iter().chain(theirs) {
        assert!(!field.starts_with("pub"), "every file can write to {field}");
    }
}

#[test]
fn every_file_begins_by_saying_what_it_owns() {
    for path in all_files() {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_said = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => text.starts_with("//!") || name == "tests.rs",
            Some("h") => text.lines().nth(1).is_some_and(|line| {
                ["/* ABI: ", "/* Pure: ", "/* Stateful: "]
                    .iter()
                    .any(|kind| line.starts_with(kind))
            }),
            _ => true,
        };
        assert!(is_said, "{}: the first lines do not say", path.display());
    }
}

#[test]
fn no_name_of_a_file_is_empty_of_meaning() {
    for path in all_files() {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        assert!(
            !EMPTY_NAMES.contains(&&*stem),
            "{}: name it after what it does",
            path.display()
        );
    }
}

#[test]
fn the_reader_of_sources_reads_them_right() {
    let named =
        modules_named("use crate::{app, ui::{pen, theme}, model};\nlet x = crate::cli::Exit;");
    assert_eq!(named, ["app", "ui", "model", "cli"]);
    let named = paths_named("use super::{a::b, c::{d, e}};\nsuper::f::g();", "super::");
    assert_eq!(named, ["a::b", "c::", "f::g"]);
    assert!(mentions("use libbpf_rs::Map;", "libbpf_"));
    assert!(mentions("unsafe { }", "unsafe"));
    assert!(!mentions("deny(unsafe_code)", "unsafe"));
    assert!(!mentions("let phoenix = 1;", "nix"));
    assert_eq!(unexplained("// SAFETY: so.\nlet x = unsafe { y };"), []);
    assert_eq!(
        unexplained("// SAFETY: so,\n// and so.\nlet x =\n    unsafe { y };"),
        []
    );
    assert_eq!(unexplained("// It is.\nlet x = unsafe { y };"), [2]);
    assert_eq!(
        unexplained("// SAFETY: so.\nx();\nlet x = unsafe { y };"),
        [3]
    );
    assert!(unexplained("#![deny(unsafe_code)]\n// unsafe\n").is_empty());
    let text = "a // b\nlet url = \"http://c\";\n#[cfg(test)]\nmod tests {\n d }";
    let code = without_comments_and_tests(text);
    assert_eq!(code, "a \nlet url = \"http://c\";");
}
