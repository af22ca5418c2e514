//! Any bytes at all: the pure headers on the host, the kernel program, the same source in this process, and the reference say
//! the same of each frame.
//!
//! `make fuzz` looks for frames that take new ways through the headers, then shows millions like them to all of these.

#[path = "support/dice.rs"]
mod dice;
#[path = "bpf_run/duel.rs"]
mod duel;
#[path = "fuzz/host.rs"]
mod host;
#[path = "support/host.rs"]
mod host_build;
#[path = "fuzz/input.rs"]
mod input;
#[path = "fuzz/mutate.rs"]
mod mutate;
mod reference;
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use flowtop::model::rule::{MAX_RULE_TERMS, Rule, SequenceProfile};
use flowtop::probe::Probe;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use dice::Dice;
use duel::Duel;
use host::Host;
use input::Input;
use mutate::mutate;
use reference::generate::{Case, case};
use reference::packet::{Gso, Link, Verdict, classify};
use reference::sender::Sender;
use reference::spec::Place;

/// Frames between two comparisons of all that was counted.
const CASE: usize = 4000;
/// Cases for one loaded program: what it remembers of fragments is bounded.
const CASES_PER_PROGRAM: usize = 20;
/// Frames in `make test`.
const FRAMES: usize = 40_000;

fn corpus() -> Vec<Input> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    input::read_folder(&root.join("tests/corpus"))
}

/// Cases that are shown to the headers on the host, and to no kernel.
const TRIALS_ALONE: u16 = 15;

/// A number that `make fuzz` gives.
fn told(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Rules, a profile, and frames.
struct Trial {
    rules: Vec<Rule>,
    profile: SequenceProfile,
    inputs: Vec<Input>,
}

/// What the three are, and what of the time a program is loaded for is over.
struct Judges {
    duel: Duel<Probe>,
    host: Host,
    cases: usize,
}

impl Judges {
    fn new() -> Judges {
        Judges {
            duel: Duel::begin(1 << 16),
            host: Host::start(),
            cases: 0,
        }
    }

    /// Shows all frames to all of them. The error says which frame the headers judge otherwise, if it is they.
    fn run(&mut self, trial: &Trial) -> Result<usize> {
        self.cases += 1;
        if self.cases.is_multiple_of(CASES_PER_PROGRAM) {
            self.duel = Duel::begin(1 << 16);
        }
        self.duel.forget_flows()?;
        compare_headers(&mut self.host, &trial.inputs)?;
        self.duel.configure(trial.rules.clone(), trial.profile)?;
        let mut frames = 0;
        for (number, input) in trial.inputs.iter().enumerate() {
            let shown = self
                .duel
                .show(number % 2, input.link, &input.frame, input.gso)?;
            frames += usize::from(shown.is_some());
        }
        self.duel.compare()?;
        compare_in_process(trial)?;
        Ok(frames)
    }
}

/// The program in this process, and the reference: each trial is its first.
fn compare_in_process(trial: &Trial) -> Result<()> {
    let mut duel = Duel::in_process(1 << 16);
    duel.configure(trial.rules.clone(), trial.profile)?;
    for (number, input) in trial.inputs.iter().enumerate() {
        duel.show(number % 2, input.link, &input.frame, input.gso)?;
    }
    duel.compare().context("in this process")
}

/// The headers on the host, and the reference.
fn compare_headers(host: &mut Host, inputs: &[Input]) -> Result<()> {
    let mut fragments = Default::default();
    for (input, judgement) in inputs.iter().zip(host.judge(inputs)?) {
        let wanted = classify(&input.frame, input.link, input.gso, &mut fragments);
        // See `generate`: no kernel makes aggregates of ICMP, nor without a size of their parts.
        if is_real(input, &wanted.verdict) {
            judgement
                .compare(&wanted)
                .with_context(|| format!("{input:02x?}"))?;
        }
    }
    Ok(())
}

fn is_real(input: &Input, verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Flow(packet) => input.gso == Gso::default() || packet.protocol.has_ports(),
        _ => true,
    }
}

/// The rules and the profile of a generated case, and frames like those of the case and of the corpus.
fn trial(runner: &mut TestRunner, dice: &mut Dice, corpus: &[Input], place: Place) -> Trial {
    let case: Case = case(64).new_tree(runner).expect("a case").current();
    let mut sender = Sender::new(case.start);
    let built = case.frames.iter().map(|spec| Input {
        link: Link::Ethernet,
        linear: 255,
        gso: spec.gso,
        frame: sender.build(spec, place, Link::Ethernet, &case.profile),
    });
    let built: Vec<Input> = built.collect();
    let pick = |dice: &mut Dice| match dice.below(2) {
        0 => built[dice.below(built.len())].clone(),
        _ => corpus[dice.below(corpus.len())].clone(),
    };
    let inputs = (0..CASE).map(|_| {
        let (base, other) = (pick(dice), pick(dice));
        mutate(dice, &base, &other)
    });
    let mut terms = 0;
    let rules = case.rules.iter().enumerate();
    let rules = rules.map(|(index, rule)| rule.at(place, index));
    Trial {
        inputs: inputs.collect(),
        rules: rules
            .take_while(|rule| {
                terms += rule.terms();
                terms <= MAX_RULE_TERMS
            })
            .collect(),
        profile: case.profile,
    }
}

/// The fewest frames that still make the three disagree, found by leaving out parts; written where they can be kept.
fn explain(trial: Trial, error: &anyhow::Error) -> String {
    let mut judges = Judges::new();
    let mut fails = |inputs: &[Input]| {
        let again = Trial {
            rules: trial.rules.clone(),
            profile: trial.profile,
            inputs: inputs.to_vec(),
        };
        judges.run(&again).is_err()
    };
    let mut inputs = trial.inputs.clone();
    if !fails(&inputs) {
        return format!("not again: {error:#}");
    }
    let mut part = inputs.len() / 2;
    while part > 0 {
        let mut at = 0;
        while at < inputs.len() {
            let mut fewer = inputs.clone();
            fewer.drain(at..(at + part).min(inputs.len()));
            match fails(&fewer) {
                true => inputs = fewer,
                false => at += part,
            }
        }
        part /= 2;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz-failure");
    std::fs::create_dir_all(&folder).expect("make a folder");
    for (number, input) in inputs.iter().enumerate() {
        std::fs::write(folder.join(format!("{number:02}")), input.bytes()).expect("write");
    }
    format!(
        "{error:#}\n{} frames in {}, {:?}, rules {:?}:\n{inputs:02x?}",
        inputs.len(),
        folder.display(),
        trial.profile,
        trial.rules
    )
}

#[test]
fn frames_of_the_corpus_are_judged_alike_on_the_host_in_the_kernel_and_by_the_reference() {
    if !support::root() {
        return;
    }
    let trial = Trial {
        rules: vec![],
        profile: SequenceProfile::OFF,
        inputs: corpus(),
    };
    assert!(trial.inputs.len() > 100, "{} files", trial.inputs.len());
    let shown = Judges::new().run(&trial);
    let shown = shown.unwrap_or_else(|error| panic!("{}", explain(trial, &error)));
    assert!(shown > 100, "{shown} frames");
}

#[test]
fn frames_like_those_of_the_corpus_are_judged_alike_too() {
    if !support::root() {
        return;
    }
    let mut corpus = corpus();
    if let Some(folder) = std::env::var_os("FLOWTOP_FUZZ_CORPUS") {
        corpus.extend(input::read_folder(Path::new(&folder)));
    }
    let wanted = told("FLOWTOP_FUZZ_FRAMES").map_or(FRAMES, |frames| frames as usize);
    let end = told("FLOWTOP_FUZZ_SECONDS").map(|s| Instant::now() + Duration::from_secs(s));
    let seed = told("FLOWTOP_FUZZ_SEED").unwrap_or(1);
    let mut dice = Dice(seed);
    let mut runner = runner(&mut dice);
    let mut judges = Judges::new();
    let (mut shown, mut trials, mut again) = (0, 0u16, 0);
    while shown < wanted && end.is_none_or(|end| Instant::now() < end) {
        trials = trials.wrapping_add(1);
        let trial = trial(&mut runner, &mut dice, &corpus, Place(trials));
        match judges.run(&trial) {
            Ok(frames) => shown += frames,
            Err(error) => {
                // A machine that stands still for two seconds ends a jitter epoch. It will not do so again.
                judges = Judges::new();
                match judges.run(&trial) {
                    Ok(frames) => shown += frames,
                    Err(_) => panic!("seed {seed}, trial {trials}: {}", explain(trial, &error)),
                }
                println!("trial {trials} once more: {error:#}");
                again += 1;
                assert!(again <= 1 + trials / 100, "too often");
            }
        }
    }
    println!("{shown} frames in {trials} trials from seed {seed}: no difference");
    assert!(shown >= CASE / 2, "{shown} frames");
}

#[test]
fn headers_and_program_in_a_process_judge_such_frames_as_the_reference_does() {
    let corpus = corpus();
    let mut host = Host::start();
    compare_headers(&mut host, &corpus).expect("those of the corpus");
    let mut dice = Dice(2);
    let mut runner = runner(&mut dice);
    for number in 0..TRIALS_ALONE {
        let trial = trial(&mut runner, &mut dice, &corpus, Place(number));
        compare_headers(&mut host, &trial.inputs).expect("the same");
        compare_in_process(&trial).expect("the same");
    }
}

/// proptest's own source of chance, begun anew from ours.
fn runner(dice: &mut Dice) -> TestRunner {
    use proptest::test_runner::{Config, RngAlgorithm, TestRng};
    let seed: Vec<u8> = (0..4).flat_map(|_| dice.roll().to_ne_bytes()).collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(Config::default(), rng)
}
