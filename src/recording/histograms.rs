//! Histograms of gaps: the buckets that changed since the reading before.

use super::bytes::{Bad, Input, fold, put, unfold};
use super::words::{KEY_WORDS, key_of_words, words_of_key};
use crate::model::flow::FlowKey;
use crate::model::histogram::{BUCKETS, Histogram};
use crate::model::snapshot::HistogramSample;

/// Many more than flows that keep one.
const MOST_HISTOGRAMS: u64 = 4096;

/// Appends histograms, as differences from those before.
pub fn put_histograms(out: &mut Vec<u8>, samples: &[HistogramSample], before: &[HistogramSample]) {
    put(out, samples.len() as u64);
    for (at, sample) in samples.iter().enumerate() {
        // Mostly they come in the same order again.
        let is_it = |before: &HistogramSample| before.key == sample.key;
        let found = match before.get(at).is_some_and(is_it) {
            true => Some(at),
            false => before.iter().position(is_it),
        };
        put(out, found.map_or(0, |at| at as u64 + 1));
        if found.is_none() {
            words_of_key(&sample.key)
                .iter()
                .for_each(|word| put(out, *word));
        }
        put(out, sample.is_last.into());
        put_histogram(
            out,
            &sample.histogram,
            found.map(|at| &before[at].histogram),
        );
    }
}

/// Appends one histogram, as the difference from another one of the same flow.
pub fn put_histogram(out: &mut Vec<u8>, histogram: &Histogram, before: Option<&Histogram>) {
    let off = |at: usize| {
        let before = before.map_or(0, |before| before.counts[at]);
        histogram.counts[at].wrapping_sub(before)
    };
    put(out, histogram.longest);
    put(out, (0..BUCKETS).filter(|at| off(*at) != 0).count() as u64);
    let mut next = 0;
    for at in (0..BUCKETS).filter(|at| off(*at) != 0) {
        put(out, (at - next) as u64);
        put(out, fold(off(at)));
        next = at + 1;
    }
}

/// Reads histograms.
pub fn histograms(
    input: &mut Input<'_>,
    before: &[HistogramSample],
) -> Result<Vec<HistogramSample>, Bad> {
    let count = input.up_to(MOST_HISTOGRAMS)?;
    let sample = |_| {
        let known = match input.number()? {
            0 => None,
            at => Some(
                before
                    .get(at as usize - 1)
                    .ok_or(Bad("there was no such histogram"))?,
            ),
        };
        let key = match known {
            Some(known) => known.key,
            None => read_key(input)?,
        };
        Ok(HistogramSample {
            key,
            is_last: input.up_to(1)? == 1,
            histogram: histogram(input, known.map(|known| &known.histogram))?,
        })
    };
    (0..count).map(sample).collect()
}

/// Reads a key.
pub fn read_key(input: &mut Input<'_>) -> Result<FlowKey, Bad> {
    let mut words = [0; KEY_WORDS];
    for word in &mut words {
        *word = input.number()?;
    }
    key_of_words(&words)
}

/// Reads one histogram.
pub fn histogram(input: &mut Input<'_>, before: Option<&Histogram>) -> Result<Histogram, Bad> {
    let mut histogram = before.cloned().unwrap_or_default();
    histogram.longest = input.number()?;
    let mut next = 0;
    for _ in 0..input.up_to(BUCKETS as u64)? {
        let at = next + input.up_to(BUCKETS as u64)? as usize;
        let count = histogram
            .counts
            .get_mut(at)
            .ok_or(Bad("no histogram has such a bucket"))?;
        *count = count.wrapping_add(unfold(input.number()?));
        next = at + 1;
    }
    Ok(histogram)
}
