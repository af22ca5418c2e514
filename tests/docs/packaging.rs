//! Manual pages and completions in `packaging` are what the command line says: made here from it, and kept as files,
//! so that nothing is needed at run time or at installation to make them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use flowtop::cli::Arguments;

const MANUAL: &str = "Network flows";
const SOURCE: &str = concat!("flowtop ", env!("CARGO_PKG_VERSION"));

/// A file of `packaging` -> what is in it.
type Files = BTreeMap<PathBuf, String>;

/// Rows of the first table below this line of a document, as cells without backquotes.
fn rows_of(document: &str, head: &str) -> Vec<Vec<String>> {
    let text = super::read(document);
    let start = text.find(head).expect("the table");
    let rows = text[start..].lines().skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

/// What README.md says first.
fn description(page: &mut Roff) {
    let readme = super::read("README.md");
    let paragraph = readme.split("\n\n").nth(1).expect("a first paragraph");
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(paragraph.replace('\n', " "))]);
}

fn examples(page: &mut Roff, command: &Command) {
    let Some(help) = command.get_after_help() else {
        return;
    };
    let help = help.to_string();
    page.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in help.trim_start_matches("Examples:\n").lines() {
        page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    page.control("fi", []);
}

fn exit_status(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for row in rows_of(super::CONFIGURATION, "| exit code |") {
        page.control("TP", []);
        page.text([bold(&*row[0])]).text([roman(&*row[1])]);
    }
}

fn notes(page: &mut Roff) {
    page.control("SH", ["NOTES"]).text([roman(
        "netsniff-ng has a program of the same name, flowtop(8). flowtop-bpf is always this one.",
    )]);
    page.control("SH", ["SEE ALSO"]).text([roman(
        "ip(8), tc(8), bpf(2), capabilities(7); numbers.md, installed with flowtop, says what the numbers mean.",
    )]);
}

/// The page of a command; what concerns all of them is on the first.
fn manual_page(command: &Command, is_first: bool) -> String {
    let man = Man::new(command.clone()).source(SOURCE).manual(MANUAL);
    let mut page = Vec::new();
    let section = |written: std::io::Result<()>| written.expect("a section");
    section(man.render_title(&mut page));
    section(man.render_name_section(&mut page));
    section(man.render_synopsis_section(&mut page));
    if is_first {
        let mut roff = Roff::new();
        description(&mut roff);
        section(roff.to_writer(&mut page));
    } else {
        section(man.render_description_section(&mut page));
    }
    section(man.render_options_section(&mut page));
    if command.has_subcommands() {
        section(man.render_subcommands_section(&mut page));
    }
    let mut rest = Roff::new();
    examples(&mut rest, command);
    if is_first {
        exit_status(&mut rest);
        notes(&mut rest);
    }
    section(rest.to_writer(&mut page));
    let page = String::from_utf8(page).expect("UTF-8");
    // Each part begins with the same definitions; once is enough.
    let definitions = Roff::new().render();
    definitions.clone() + &page.replace(&definitions, "")
}

fn manual(files: &mut Files) {
    let mut command = Arguments::command();
    command.build();
    let first = Path::new("man/flowtop.1").to_owned();
    files.insert(first, manual_page(&command, true));
    for subcommand in command.get_subcommands() {
        let path = format!("man/flowtop-{}.1", subcommand.get_name());
        files.insert(path.into(), manual_page(subcommand, false));
    }
}

fn completions(files: &mut Files) {
    for (shell, name) in [
        (Shell::Bash, "flowtop.bash"),
        (Shell::Zsh, "_flowtop"),
        (Shell::Fish, "flowtop.fish"),
    ] {
        let mut text = Vec::new();
        generate(shell, &mut Arguments::command(), "flowtop", &mut text);
        let text = String::from_utf8(text).expect("UTF-8");
        files.insert(Path::new("completions").join(name), text);
    }
}

#[test]
fn manual_pages_and_completions_are_what_the_command_line_says() {
    let mut expected = Files::new();
    manual(&mut expected);
    completions(&mut expected);
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    if std::env::var_os("FLOWTOP_UPDATE_README").is_some() {
        for (path, text) in &expected {
            fs::write(packaging.join(path), text).expect("write");
        }
    }
    for folder in ["man", "completions"] {
        for entry in fs::read_dir(packaging.join(folder)).expect("a folder") {
            let path = Path::new(folder).join(entry.expect("an entry").file_name());
            assert!(expected.contains_key(&path), "{} is stale", path.display());
        }
    }
    for (path, text) in expected {
        let kept = fs::read_to_string(packaging.join(&path)).unwrap_or_default();
        assert!(
            kept == text,
            "packaging/{} is not what the code says (FLOWTOP_UPDATE_README=1 writes it)",
            path.display()
        );
    }
}
