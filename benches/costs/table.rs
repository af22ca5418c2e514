//! The table of results: one line each, printed as it comes and kept for BENCHMARKS.md.

use crate::sample::Summary;

/// Samples further apart than this are named.
const NOISY: f64 = 0.15;
const HEAD: [&str; 8] = [
    "", "unit", "baseline", "flowtop", "ratio", "target", "", "spread",
];
const WIDTHS: [usize; 8] = [64, 5, 9, 9, 7, 11, 6, 9];

/// What a line is held to. Nothing fails where it is missed.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// At most so many times the baseline.
    Ratio(f64),
    /// At least so many times the baseline.
    AtLeast(f64),
    /// At most so much more than the baseline.
    More(f64),
    /// At most this.
    Most(f64),
    /// Stated, and held to nothing.
    None,
}

/// One thing measured.
#[derive(Debug, Clone)]
pub struct Line {
    pub what: String,
    pub unit: &'static str,
    pub baseline: Option<Summary>,
    pub flowtop: Summary,
    pub target: Target,
}

/// All lines so far, as the text of a table in Markdown.
#[derive(Debug, Default)]
pub struct Table {
    pub text: String,
}

impl Table {
    /// Begins a part of the table; `about` says what its baseline is.
    pub fn begin(&mut self, title: &str, about: &str) {
        self.write(&format!("\n## {title}\n\n{about}\n\n"));
        self.row(&HEAD.map(str::to_owned));
        self.row(&WIDTHS.map(|width| "-".repeat(width)));
    }

    /// Adds a line.
    pub fn add(&mut self, line: &Line) {
        let now = line.flowtop.median;
        let base = line.baseline.map(|b| b.median);
        let ratio = base.map(|base| now / base);
        let (target, met) = match line.target {
            Target::Ratio(most) => (
                format!("<= {most} x"),
                Some(ratio.is_some_and(|r| r <= most)),
            ),
            Target::AtLeast(least) => (
                format!(">= {least} x"),
                Some(ratio.is_some_and(|r| r >= least)),
            ),
            Target::More(most) => (
                format!("<= +{most}"),
                Some(base.is_some_and(|b| now - b <= most)),
            ),
            Target::Most(most) => (format!("<= {most}"), Some(now <= most)),
            Target::None => (String::new(), None),
        };
        let spread = line.baseline.map_or(0.0, |b| b.spread);
        let spread = spread.max(line.flowtop.spread);
        let noise = if spread > NOISY { "noisy " } else { "" };
        self.row(&[
            line.what.clone(),
            line.unit.to_owned(),
            base.map_or_else(String::new, figure),
            figure(now),
            ratio.map_or_else(String::new, |r| format!("{r:.2}")),
            target,
            met.map_or("", |met| if met { "met" } else { "MISSED" })
                .to_owned(),
            format!("{noise}{:.0}%", spread * 100.0),
        ]);
    }

    /// Adds words below the part.
    pub fn note(&mut self, text: &str) {
        self.write(text);
    }

    fn row(&mut self, cells: &[String; 8]) {
        let mut text = String::from("|");
        for (at, (cell, width)) in cells.iter().zip(WIDTHS).enumerate() {
            match at {
                0 | 1 | 6 => text += &format!(" {cell:<width$} |"),
                _ => text += &format!(" {cell:>width$} |"),
            }
        }
        self.write(&(text + "\n"));
    }

    fn write(&mut self, text: &str) {
        print!("{text}");
        self.text += text;
    }
}

fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
