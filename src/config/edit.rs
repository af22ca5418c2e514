//! Changes to the text of a configuration file that leave everything else in it as it is.
//!
//! Only values of top-level keys change; everything else (order, white space, rules) stays as it was, byte by byte.

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::Ranged;

use super::diagnostic::{Diagnostic, Problem, locate};
use super::settings::{Config, SETTINGS};
use super::walk::parse;

/// Changes the settings that a text stands for; returns it unchanged if it has them already. The errors of a text that
/// is no valid configuration are returned instead.
pub fn edited(
    text: &str,
    file: &str,
    change: impl FnOnce(&mut Config),
) -> Result<String, Vec<Diagnostic>> {
    let before = Config::load(text, file)?;
    let mut after = before.clone();
    change(&mut after);
    let mut result = text.to_owned();
    for setting in SETTINGS {
        let value = (setting.write)(&after);
        if (setting.write)(&before) != value {
            result = with_value(&result, setting.key, &value.compact())
                .map_err(|problem| locate(vec![problem], text, file))?;
        }
    }
    match Config::load(&result, file)? == after {
        true => Ok(result),
        false => Err(locate(
            vec![cannot("it would mean something else")],
            text,
            file,
        )),
    }
}

fn cannot(why: &str) -> Problem {
    Problem {
        at: 0,
        message: format!("cannot be changed: {why}"),
    }
}

/// Sets a key of the root object.
fn with_value(text: &str, key: &str, value: &str) -> Result<String, Problem> {
    let mark = text.len() - text.trim_start_matches('\u{feff}').len();
    let (mark, body) = text.split_at(mark);
    let root = parse(body)?;
    let Value::Object(root) = &root else {
        return Err(cannot("it is no object"));
    };
    let (range, written) = match root.properties.iter().find(|p| p.name.as_str() == key) {
        Some(property) => (
            property.value.start()..property.value.end(),
            value.to_owned(),
        ),
        None => new_property(body, root.start(), root.properties.last(), key, value),
    };
    Ok([mark, &body[..range.start], &written, &body[range.end..]].concat())
}

/// The place and the text of a new key: behind the last one, indented like it.
fn new_property(
    body: &str,
    brace: usize,
    last: Option<&ObjectProp<'_>>,
    key: &str,
    value: &str,
) -> (std::ops::Range<usize>, String) {
    let newline = if body.contains("\r\n") { "\r\n" } else { "\n" };
    let Some(last) = last else {
        let at = brace + 1;
        let gap = &body[at..];
        let end = at + gap.find('}').unwrap_or(0);
        return (at..end, format!("{newline}  \"{key}\": {value}{newline}"));
    };
    let before = &body[..last.start()];
    let indent = match before.rsplit_once('\n') {
        Some((_, indent)) if indent.trim().is_empty() => format!(",{newline}{indent}"),
        _ => ", ".to_owned(),
    };
    (
        last.end()..last.end(),
        format!("{indent}\"{key}\": {value}"),
    )
}
