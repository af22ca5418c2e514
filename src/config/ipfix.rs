//! `IPFIX`: a collector of flow records, `"192.0.2.1:4739"`, or an object that says more.

use jsonc_parser::ast::{Object, Value};

use super::interval::Limits;
use super::json::JsonValue;
use super::kind::{Number, OneOf, Seconds, ValueKind, described};
use super::walk::Walk;
use crate::model::ipfix::{Collector, Elements, Ipfix};

const KEYS: [&str; 6] = [
    "COLLECTOR",
    "INTERVAL",
    "DOMAIN",
    "RULES",
    "ENTERPRISE",
    "ELEMENTS",
];

const INTERVAL: Seconds = Seconds(Limits::EXPORT);
const NUMBER: Number = Number(1..=u32::MAX);
const ELEMENTS: OneOf<Elements> = OneOf(|| Elements::ALL.into());

/// A collector, and what it gets.
pub(super) struct Export;

impl ValueKind for Export {
    type Parsed = Option<Ipfix>;

    fn read(&self, walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Self::Parsed> {
        match value {
            Value::NullKeyword(_) => Some(None),
            Value::StringLit(_) => {
                let collector = read_collector(walk, key, value)?;
                Some(Some(Ipfix::to(collector)))
            }
            Value::Object(object) => read_object(walk, key, value, object).map(Some),
            _ => {
                walk.wrong_type(key, value, "null, a collector or an object");
                None
            }
        }
    }

    fn write(&self, value: &Self::Parsed) -> JsonValue {
        let Some(ipfix) = value else {
            return JsonValue::Null;
        };
        JsonValue::object([
            ("COLLECTOR", ipfix.collector.to_string().into()),
            ("INTERVAL", INTERVAL.write(&ipfix.interval)),
            ("DOMAIN", ipfix.domain.into()),
            ("RULES", ipfix.rules.iter().map(String::as_str).collect()),
            ("ENTERPRISE", ipfix.enterprise.into()),
            ("ELEMENTS", ELEMENTS.write(&ipfix.elements)),
        ])
    }

    fn schema(&self) -> JsonValue {
        let text = || JsonValue::object([("type", "string".into())]);
        let names = JsonValue::object([("type", "array".into()), ("items", text())]);
        let properties = JsonValue::object([
            (
                "COLLECTOR",
                described("HOST:PORT for UDP, or tcp://HOST:PORT.", text()),
            ),
            (
                "INTERVAL",
                described(
                    "Seconds between two records of a flow that goes on.",
                    INTERVAL.schema(),
                ),
            ),
            (
                "DOMAIN",
                described("Observation domain id.", NUMBER.schema()),
            ),
            (
                "RULES",
                described(
                    "Rules whose flows are exported; empty: all flows are.",
                    names,
                ),
            ),
            (
                "ENTERPRISE",
                described(
                    "Private enterprise number under which flowtop's own elements are.",
                    NUMBER.schema(),
                ),
            ),
            (
                "ELEMENTS",
                described(
                    "standard: only elements of IANA's registry; all: flowtop's own, too.",
                    ELEMENTS.schema(),
                ),
            ),
        ]);
        JsonValue::object([
            ("type", ["null", "string", "object"].into_iter().collect()),
            ("properties", properties),
            ("required", ["COLLECTOR"].into_iter().collect()),
            ("additionalProperties", false.into()),
        ])
    }
}

fn read_object(
    walk: &mut Walk<'_>,
    key: &str,
    value: &Value<'_>,
    object: &Object<'_>,
) -> Option<Ipfix> {
    walk.check_keys(&format!("{key}: "), object, &KEYS);
    let Some(collector) = object.get("COLLECTOR") else {
        walk.report(value, format!("{key}: COLLECTOR is missing"));
        return None;
    };
    let collector = read_collector(walk, &format!("{key}.COLLECTOR"), &collector.value)?;
    let usual = Ipfix::to(collector);
    let interval = INTERVAL.read_member(walk, key, object, "INTERVAL");
    let domain = NUMBER.read_member(walk, key, object, "DOMAIN");
    let enterprise = NUMBER.read_member(walk, key, object, "ENTERPRISE");
    let elements = ELEMENTS.read_member(walk, key, object, "ELEMENTS");
    let rules = object.get("RULES");
    let rules = rules.map(|names| read_names(walk, &format!("{key}.RULES"), &names.value));
    Some(Ipfix {
        interval: interval.unwrap_or(usual.interval),
        domain: domain.unwrap_or(usual.domain),
        rules: rules.unwrap_or_default(),
        enterprise: enterprise.unwrap_or(usual.enterprise),
        elements: elements.unwrap_or(usual.elements),
        ..usual
    })
}

fn read_collector(walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Option<Collector> {
    let literal = walk.string(key, value)?;
    Collector::parse(&literal.value)
        .map_err(|error| walk.report(value, format!("{key}: {error}")))
        .ok()
}

fn read_names(walk: &mut Walk<'_>, key: &str, value: &Value<'_>) -> Vec<String> {
    let Value::Array(array) = value else {
        walk.wrong_type(key, value, "a list of names of rules");
        return Vec::new();
    };
    let names = array.elements.iter().filter_map(|element| {
        let literal = walk.string(key, element)?;
        Some(literal.value.to_string())
    });
    names.collect()
}
