//! `RECORD`: where the run is recorded, how much of it is kept, and for how long,
//! `{"folder": "/var/lib/flowtop", "bytes": 1000000000, "days": 7}`.

use std::path::{Path, PathBuf};

use jsonc_parser::ast::Value;

use super::json::JsonValue;
use super::kind::{ValueKind, described};
use super::walk::Walk;

const KEYS: [&str; 3] = ["folder", "bytes", "days"];

/// How much a recording takes, bytes: so little is soon full of key frames.
const LEAST_BYTES: u64 = 16_000_000;
const MOST_BYTES: u64 = 1_000_000_000_000_000;
const MOST_DAYS: u32 = 3650;

/// Where a run is recorded, and how much of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The folder.
    pub folder: PathBuf,
    /// All recordings in it take at most so much; the oldest go first.
    pub bytes: u64,
    /// And are at most so old, days.
    pub days: u32,
}

impl Record {
    /// In this folder, and as much of it as was to be kept in another one, if there was one.
    pub fn moved_to(folder: &Path, former: Option<Record>) -> Record {
        let kept = former.unwrap_or_else(|| Record::to(folder));
        Record {
            folder: folder.to_owned(),
            ..kept
        }
    }

    /// In this folder, a gigabyte or a week, whichever is less.
    pub fn to(folder: &Path) -> Record {
        Record {
            folder: folder.to_owned(),
            bytes: 1_000_000_000,
            days: 7,
        }
    }
}

/// An object with a folder.
pub(super) struct Recording;

impl ValueKind for Recording {
    type Parsed = Record;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Record> {
        let Value::Object(object) = value else {
            walk.wrong_type(key, value, "an object with a folder, or null");
            return None;
        };
        walk.check_keys(&format!("{key}: "), object, &KEYS);
        let Some(folder) = object.get("folder") else {
            walk.report(value, format!("{key}: the key \"folder\" is missing"));
            return None;
        };
        let literal = walk.string(&format!("{key}.folder"), &folder.value)?;
        if literal.value.is_empty() || literal.value.contains('\0') {
            walk.report(
                &folder.value,
                format!("{key}.folder: no folder is called so"),
            );
            return None;
        }
        let usual = Record::to(Path::new(&*literal.value));
        let bytes = match object.get("bytes") {
            Some(bytes) => read_bytes(walk, &format!("{key}.bytes"), &bytes.value)?,
            None => usual.bytes,
        };
        let days = match object.get("days") {
            Some(days) => walk.number_within(&format!("{key}.days"), &days.value, 1..=MOST_DAYS)?,
            None => usual.days,
        };
        Some(Record {
            bytes,
            days,
            ..usual
        })
    }

    fn write(&self, record: &Record) -> JsonValue {
        JsonValue::object([
            (
                "folder",
                record.folder.to_string_lossy().into_owned().into(),
            ),
            ("bytes", record.bytes.into()),
            ("days", record.days.into()),
        ])
    }

    fn schema(&self) -> JsonValue {
        let number = |help: &str, least: u64, most: u64, usual: u64| {
            let number = JsonValue::object([
                ("type", "integer".into()),
                ("minimum", least.into()),
                ("maximum", most.into()),
                ("default", usual.into()),
            ]);
            described(help, number)
        };
        let usual = Record::to(Path::new(""));
        let folder = JsonValue::object([("type", "string".into()), ("minLength", 1u64.into())]);
        let properties = JsonValue::object([
            ("folder", described("Where the recording is.", folder)),
            (
                "bytes",
                number(
                    "All recordings in the folder take at most so much; the oldest go first.",
                    LEAST_BYTES,
                    MOST_BYTES,
                    usual.bytes,
                ),
            ),
            (
                "days",
                number(
                    "And are at most so old.",
                    1,
                    MOST_DAYS.into(),
                    usual.days.into(),
                ),
            ),
        ]);
        JsonValue::object([
            ("type", "object".into()),
            ("properties", properties),
            ("required", ["folder"].into_iter().collect()),
            ("additionalProperties", false.into()),
        ])
    }
}

fn read_bytes(walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<u64> {
    let number = walk.whole_number(key, value)?;
    let found = u64::try_from(number).ok();
    let found = found.filter(|bytes| (LEAST_BYTES..=MOST_BYTES).contains(bytes));
    if found.is_none() {
        let message = format!("{key}: {number} is not between {LEAST_BYTES} and {MOST_BYTES}");
        walk.report(value, message);
    }
    found
}
