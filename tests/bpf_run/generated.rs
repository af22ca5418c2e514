//! Frames made up by proptest: all layers mixed, damaged, with rules and sequence profiles.

use std::cell::RefCell;
use std::collections::BTreeMap;

use flowtop::model::rule::{MAX_RULE_TERMS, Rule};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestError, TestRunner};

use crate::duel::{Duel, Subject};
use crate::reference::generate::{Case, RuleSpec, case};
use crate::reference::packet::{Link, Verdict};
use crate::reference::sender::Sender;
use crate::reference::spec::Place;
use crate::support;

pub const CASES: u32 = 400;
pub const FRAMES: usize = 640;
const LEAST_FRAMES: usize = 100_000;

/// Runs one case in a place of its own.
pub fn run<S: Subject>(
    duel: &mut Duel<S>,
    case: &Case,
    place: Place,
    link: Link,
) -> anyhow::Result<Kinds> {
    let rules = rules_at(&case.rules, place);
    duel.configure(rules, case.profile)?;
    let mut sender = Sender::new(case.start);
    let mut kinds = Kinds::new();
    for spec in &case.frames {
        let frame = sender.build(spec, place, link, &case.profile);
        let judged = duel.show(spec.interface.into(), link, &frame, spec.gso)?;
        if let Some(judged) = judged {
            *kinds.entry(kind(&judged.verdict)).or_default() += 1;
            if judged.volume.packets > 1 {
                *kinds.entry("aggregate".into()).or_default() += 1;
            }
        }
    }
    duel.compare()?;
    Ok(kinds)
}

/// The rules for a place, as many as a configuration may have.
pub fn rules_at(specs: &[RuleSpec], place: Place) -> Vec<Rule> {
    let mut terms = 0;
    let rules = specs.iter().enumerate();
    rules
        .map(|(index, rule)| rule.at(place, index))
        .take_while(|rule| {
            terms += rule.terms();
            terms <= MAX_RULE_TERMS
        })
        .collect()
}

/// How often there was what.
pub type Kinds = BTreeMap<String, usize>;

fn kind(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Flow(packet) => format!("{} {:?}", packet.protocol, packet.piece),
        Verdict::Other => "other".into(),
        Verdict::Malformed(reason) => reason.name().into(),
    }
}

/// Runs cases until there were enough of them, or shrinks the first one that fails. Returns the frames of each kind.
pub fn run_cases<S: Subject>(
    duel: Duel<S>,
    cases: u32,
    link: Link,
    strategy: impl Strategy<Value = Case>,
) -> (usize, Kinds) {
    let duel = RefCell::new(duel);
    let place = RefCell::new(0_u16);
    let seen = RefCell::new(Kinds::new());
    let config = ProptestConfig {
        cases,
        max_shrink_time: 40_000,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&strategy, |case| -> TestCaseResult {
            *place.borrow_mut() += 1;
            let kinds = run(&mut duel.borrow_mut(), &case, Place(*place.borrow()), link);
            let kinds = kinds.map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
            for (kind, count) in kinds {
                *seen.borrow_mut().entry(kind).or_default() += count;
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{}", explain(failure)));
    let frames = duel.borrow().frames;
    (frames, seen.into_inner())
}

/// The smallest case that fails, a frame a line.
fn explain(failure: TestError<Case>) -> String {
    let TestError::Fail(reason, case) = failure else {
        return failure.to_string();
    };
    let frames = case.frames.iter().map(|frame| format!("{frame:?}\n"));
    format!(
        "{reason}\nfirst number {}, {:?}, rules {:?}, frames:\n{}",
        case.start,
        case.profile,
        case.rules,
        frames.collect::<String>()
    )
}

/// Frames were malformed in every way that there is.
pub fn assert_all_reasons(kinds: &Kinds) {
    let reasons = flowtop::model::snapshot::Malformed::ALL.map(|reason| reason.name().to_string());
    let missing: Vec<_> = reasons.iter().filter(|r| !kinds.contains_key(*r)).collect();
    assert!(missing.is_empty(), "never made: {missing:?} in {kinds:#?}");
}

#[test]
fn a_hundred_thousand_generated_frames_are_judged_as_the_definitions_say() {
    if !support::root() {
        return;
    }
    let (frames, kinds) = run_cases(Duel::begin(1 << 16), CASES, Link::Ethernet, case(FRAMES));
    assert!(frames >= LEAST_FRAMES, "{frames} frames only");
    assert_all_reasons(&kinds);
}

#[test]
fn packets_of_a_device_without_ethernet_are_judged_as_the_definitions_say() {
    if !support::root() {
        return;
    }
    let (frames, kinds) = run_cases(Duel::begin(1 << 16), 40, Link::Ip, case(FRAMES));
    assert!(
        frames > 5000 && kinds.len() > 15,
        "{frames} frames of {kinds:#?}"
    );
}
