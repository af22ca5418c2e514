//! BENCHMARKS.md: how it is measured, and the latest results of each processor that there was one of.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::machine::Machine;

const ABOUT: &str = "# What flowtop costs\n\n\
    Written by `make bench`, which replaces the results of its processor: medians of interleaved samples (A B A B ...), each baseline measured in the same run, in CPU time of the measuring thread (start: by the clock). \
    `spread` is the distance of the quartiles as a share of the median; `noisy` where it is more than 15 %. \
    Compare ratios of one run rather than figures.\n";
/// What each part begins with, and what a processor's results do.
const PART: &str = "\n# ";
const PROCESSOR: &str = "On an ";

/// Puts these results in the place of those of the same processor, in front of all others.
pub fn write(machine: &Machine, table: &str) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("BENCHMARKS.md");
    let former = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, with(&former, machine, table)).context("write BENCHMARKS.md")
}

fn with(former: &str, machine: &Machine, table: &str) -> String {
    let Machine { processor, about } = machine;
    let its_own = format!("{PROCESSOR}{processor}\n\n{about}{table}");
    let is_of_another = |part: &&str| {
        let head = part.lines().next().unwrap_or_default();
        let of = head.strip_prefix(PROCESSOR);
        of.is_some_and(|of| of != processor)
    };
    let others = former.split(PART).filter(is_of_another);
    let all = std::iter::once(its_own.as_str()).chain(others);
    let all = all.map(|part| format!("{PART}{}\n", part.trim_end()));
    format!(
        "{ABOUT}{}\n{}",
        all.collect::<String>(),
        include_str!("../notes.md")
    )
}
