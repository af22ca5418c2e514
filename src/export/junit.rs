//! What checks came to, as JUnit XML: a test case for each, in the form that test reporters of CI systems read.
//!
//! A check that fails is a `failure`, one that nobody can be sure of an `error`; what is nearest to the bound of one that
//! holds is in its `system-out`. There is no standard of JUnit's XML: these
//! are the elements and attributes that Apache Ant's `junitreport` began with, which all readers know.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::model::check::{Outcome, Verdict};
use crate::model::harmless::harmless;

/// Writes what the checks of a run came to that lasted so many seconds and began at this time (RFC 3339).
pub fn write(
    outcomes: &[Outcome],
    seconds: f64,
    began: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let count = |verdict| outcomes.iter().filter(|it| it.verdict == verdict).count();
    let seconds = format!("{seconds:.3}");
    let all = outcomes.len().to_string();
    let failures = count(Verdict::Fails).to_string();
    let errors = count(Verdict::Unsure).to_string();
    let counts = [
        ("name", "flowtop"),
        ("tests", &all),
        ("failures", &failures),
        ("errors", &errors),
        ("time", &seconds),
    ];
    let mut xml = Writer::new_with_indent(out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = xml.create_element("testsuites").with_attributes(counts);
    suites.write_inner_content(|xml| {
        let suite = xml.create_element("testsuite").with_attributes(counts);
        let suite = suite.with_attributes([("skipped", "0"), ("timestamp", began)]);
        suite.write_inner_content(|xml| {
            let mut cases = outcomes.iter();
            cases.try_for_each(|outcome| write_case(outcome, &seconds, xml))
        })?;
        Ok(())
    })?;
    xml.into_inner().write_all(b"\n")
}

fn write_case(
    outcome: &Outcome,
    seconds: &str,
    xml: &mut Writer<&mut dyn Write>,
) -> io::Result<()> {
    let name = legal(&outcome.text);
    let case = xml.create_element("testcase").with_attributes([
        ("name", name.as_str()),
        ("classname", "flowtop"),
        ("time", seconds),
    ]);
    let (failed, taken, of_what) = (outcome.failed, outcome.taken, outcome.of_what);
    let counts = format!("{failed} of {taken} {of_what}");
    let told = [&outcome.remarks[..], &outcome.worst[..]].concat();
    let why = match &outcome.worst[..] {
        [worst, ..] if outcome.verdict == Verdict::Fails => format!("{counts}, worst: {worst}"),
        _ => told.first().unwrap_or(&counts).clone(),
    };
    let lines = [
        &[format!("{of_what}: {taken} taken, {failed} failed")],
        &told[..],
    ]
    .concat();
    let lines = lines.iter().map(|line| legal(line));
    let text = lines.collect::<Vec<_>>().join("\n");
    let (element, has_message) = match outcome.verdict {
        Verdict::Holds => ("system-out", false),
        Verdict::Fails => ("failure", true),
        Verdict::Unsure => ("error", true),
    };
    case.write_inner_content(|xml| {
        let mut told = xml.create_element(element);
        if has_message {
            let message = legal(&why);
            let verdict = outcome.verdict.name();
            told = told.with_attributes([("message", message.as_str()), ("type", verdict)]);
        }
        told.write_text_content(BytesText::new(&text))?;
        Ok(())
    })?;
    Ok(())
}

/// Text as it may be in XML, which has no control characters, whatever way they are written, nor U+FFFE and U+FFFF.
fn legal(text: &str) -> String {
    harmless(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
