//! The licences of all that is built in, and where it comes from, against the lists in deny.toml: cargo-deny's check
//! of licences and sources, without the program and without a network. Advisories need a database that no package
//! registry carries: `cargo deny check advisories` where there is a network.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The entries of `key = [ ... ]` in deny.toml: strings, and nothing else.
fn listed(key: &str) -> Vec<String> {
    let text = include_str!("../deny.toml");
    let start = text
        .find(&format!("\n{key} = ["))
        .unwrap_or_else(|| panic!("deny.toml has no {key}"));
    let list = text[start..].split(['[', ']']).nth(1).expect("a list");
    list.split('"').skip(1).step_by(2).map(Into::into).collect()
}

/// Whether an SPDX expression can be satisfied with the allowed licences: OR of ANDs of names and parentheses.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut satisfied = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        satisfied |= all_of(words, allowed);
    }
    satisfied
}

fn all_of(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut satisfied = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        satisfied &= one(words, allowed);
    }
    satisfied
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let satisfied = any_of(words, allowed);
        assert_eq!(words.next(), Some(")"));
        return satisfied;
    }
    let name = words.next().expect("a licence");
    match words.next_if_eq(&"WITH") {
        Some(_) => {
            let exception = words.next().expect("an exception");
            allowed.contains(&format!("{name} WITH {exception}"))
        }
        None => allowed.iter().any(|licence| licence == name),
    }
}

/// Every package that is built in on the machine at hand, ours among them.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--locked"])
        .args(["--filter-platform", &host()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("run cargo metadata");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let nodes = metadata["resolve"]["nodes"].take();
    let used: Vec<&Value> = nodes
        .as_array()
        .expect("nodes")
        .iter()
        .map(|n| &n["id"])
        .collect();
    let Value::Array(packages) = metadata["packages"].take() else {
        panic!("no packages");
    };
    packages
        .into_iter()
        .filter(|package| used.contains(&&package["id"]))
        .collect()
}

fn host() -> String {
    let arch = std::env::consts::ARCH;
    format!("{arch}-unknown-linux-gnu")
}

#[test]
fn every_crate_has_a_licence_that_is_allowed() {
    let allowed = listed("allow");
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(
            is_allowed(licence, &allowed),
            "{} {} has the licence {licence}, which deny.toml does not allow",
            package["name"],
            package["version"]
        );
    }
}

#[test]
fn every_crate_comes_from_the_registry_that_is_allowed() {
    let allowed = listed("allow-registry");
    for package in packages() {
        let Some(source) = package["source"].as_str() else {
            assert_eq!(package["name"], "flowtop", "a crate without a source");
            continue;
        };
        assert!(
            allowed
                .iter()
                .any(|registry| source == format!("registry+{registry}")),
            "{} comes from {source}",
            package["name"]
        );
    }
}

#[test]
fn every_licence_that_is_allowed_is_needed() {
    let allowed = listed("allow");
    let packages = packages();
    for licence in &allowed {
        let others: Vec<String> = allowed.iter().filter(|l| *l != licence).cloned().collect();
        let is_needed = packages.iter().any(|package| {
            let expression = package["license"].as_str().unwrap_or("none");
            !is_allowed(expression, &others)
        });
        assert!(is_needed, "nothing needs {licence}");
    }
}

/// The C files of these folders, with their licences.
fn files_of_c(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let is_c = |path: &PathBuf| path.extension().is_some_and(|end| end == "c" || end == "h");
    files
        .filter(is_c)
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("UTF-8");
            let first = text.lines().next().unwrap_or_default();
            let licence = first.split("SPDX-License-Identifier: ").nth(1);
            let licence = licence.unwrap_or_else(|| panic!("{}: no licence", path.display()));
            (path, licence.trim_end_matches(" */").to_owned())
        })
        .collect()
}

/// Whoever takes flowtop under one of its licences has all of it under that; what the kernel loads is free under GPL 2,
/// too, as the kernel is told.
#[test]
fn every_file_of_c_is_under_each_of_our_licences_and_the_kernel_program_under_the_kernels() {
    let ours: Vec<_> = env!("CARGO_PKG_LICENSE").split(" OR ").collect();
    assert_eq!(ours, ["MIT", "Apache-2.0"]);
    for folder in ["src/bpf", "tests/host", "benches"] {
        let files = files_of_c(folder);
        assert!(!files.is_empty());
        for (path, licence) in files {
            let is_under = |name: &str| is_allowed(&licence, &[name.to_owned()]);
            for name in &ours {
                assert!(is_under(name), "{}: {licence}", path.display());
            }
            let is_loaded = folder == "src/bpf" || path.ends_with("baseline.bpf.c");
            assert_eq!(is_under("GPL-2.0-only"), is_loaded, "{}", path.display());
        }
    }
    let program = include_str!("../src/bpf/flowtop.bpf.c");
    assert!(program.contains("char LICENSE[] SEC(\"license\") = \"Dual MIT/GPL\";"));
}

#[test]
fn expressions_are_read_as_spdx_says() {
    let allowed = ["MIT".to_owned(), "Zlib".to_owned()];
    for (expression, is_satisfied) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only/MIT", true),
        ("GPL-3.0-only AND MIT", false),
        ("(GPL-3.0-only OR Zlib) AND MIT", true),
        ("MIT AND Zlib OR GPL-3.0-only", true),
        ("GPL-3.0-only AND (MIT OR Zlib)", false),
        ("MIT WITH some-exception", false),
    ] {
        assert_eq!(
            is_allowed(expression, &allowed),
            is_satisfied,
            "{expression}"
        );
    }
}
