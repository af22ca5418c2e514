//! Lines of documents end at 120 columns, but for tables. With `FLOWTOP_UPDATE_README=1`, paragraphs and items that are
//! wider are wrapped anew.

use std::fs;
use std::path::Path;

use super::{read, rewrite};

const WIDEST: usize = 120;
/// What a newcomer reads is that short; the rest is in docs.
const LONGEST_README: usize = 180;

/// README.md, ARCHITECTURE.md, CONTRIBUTING.md, the notes of the benchmarks and all of docs.
fn documents() -> Vec<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let names = fs::read_dir(docs).expect("docs").map(|page| {
        let name = page.expect("a page").file_name();
        format!("docs/{}", name.to_string_lossy())
    });
    let others = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "benches/notes.md",
    ];
    let pages = names.filter(|name| name.ends_with(".md"));
    pages.chain(others.map(str::to_owned)).collect()
}

fn is_too_wide(line: &str) -> bool {
    !line.starts_with('|') && line.chars().count() > WIDEST
}

/// `- `, `2. `: what an item begins with.
fn bullet(text: &str) -> Option<&str> {
    let word = text.split(' ').next()?;
    let number = word.strip_suffix('.').unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (matches!(word, "-" | "*" | "+") || is_number).then_some(word)
}

fn begins_something(word: &str) -> bool {
    bullet(word).is_some() || word == "make" || word.starts_with(['#', '>'])
}

/// The words of a paragraph. A short piece of code is one word; what would mean something at the beginning of a line (an
/// item, a heading, a command) is one with the word before it.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let is_in_code = words.last().is_some_and(|last| {
            let open = last.matches('`').count() % 2 == 1;
            open && last.chars().count() + word.chars().count() < WIDEST / 2
        });
        match words.last_mut() {
            Some(last) if is_in_code || begins_something(word) => {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// A paragraph or an item, wrapped anew if a line of it is too wide.
fn wrap(block: &[&str]) -> Vec<String> {
    if !block.iter().any(|line| is_too_wide(line)) {
        return block.iter().map(|line| (*line).to_owned()).collect();
    }
    let text = block.join(" ");
    let inside = text.trim_start();
    let mut line = " ".repeat(text.len() - inside.len());
    let mark = bullet(inside).map_or(String::new(), |mark| format!("{mark} "));
    let hanging = " ".repeat(line.len() + mark.len());
    line.push_str(&mark);
    let mut lines = Vec::new();
    let mut is_empty = true;
    for word in words(inside.strip_prefix(mark.as_str()).unwrap_or(inside)) {
        let space = usize::from(!is_empty);
        if !is_empty && line.chars().count() + space + word.chars().count() > WIDEST {
            lines.push(std::mem::replace(&mut line, hanging.clone()));
        } else if !is_empty {
            line.push(' ');
        }
        line.push_str(&word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

fn wrapped(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        let stands_alone = line.trim().is_empty() || line.starts_with(['|', '#', '<', '!']);
        let begins_item = bullet(line.trim_start()).is_some();
        if is_code || is_fence || stands_alone || begins_item {
            lines.extend(wrap(&std::mem::take(&mut block)));
        }
        is_code ^= is_fence;
        match is_code || is_fence || stands_alone {
            true => lines.push(line.to_owned()),
            false => block.push(line),
        }
    }
    lines.extend(wrap(&block));
    lines.join("\n") + "\n"
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= LONGEST_README, "{lines} lines");
}

#[test]
fn no_line_but_of_tables_is_wider_than_120_columns() {
    let update = std::env::var_os("FLOWTOP_UPDATE_README").is_some();
    for document in documents() {
        if update && read(&document).lines().any(is_too_wide) {
            rewrite(&document, |text| wrapped(&text));
        }
        for (number, line) in read(&document).lines().enumerate() {
            let place = format!("{document}:{}", number + 1);
            assert!(
                !is_too_wide(line),
                "{place} (FLOWTOP_UPDATE_README=1 wraps it, but no code)"
            );
        }
    }
}

#[test]
fn paragraphs_are_wrapped_and_all_else_stays() {
    let long = "word ".repeat(30);
    let text =
        format!("# {long}\n\n| {long} |\n\n```\n{long}\n```\n\n- {long}`make x` - y\n  z\n- b\n");
    let new = wrapped(&text);
    assert_eq!(
        new.split_whitespace().collect::<Vec<_>>(),
        text.split_whitespace().collect::<Vec<_>>()
    );
    let (head, items) = new.split_at(new.find("\n- ").expect("items"));
    assert!(text.starts_with(head));
    assert!(
        items.lines().all(|line| line.chars().count() <= WIDEST),
        "{items}"
    );
    assert_eq!(items.matches("\n- ").count(), 2, "{items}");
    assert!(
        items.contains("\n  word") && items.contains("`make x` - y z"),
        "{items}"
    );
    assert_eq!(wrapped(&new), new);
}
