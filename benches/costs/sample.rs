//! Samples of several subjects in turn (A B C, A B C, ...), and what they come to.

use anyhow::Result;
use nix::time::{ClockId, clock_gettime};

/// CPU time of this thread, the kernel's work for it included: what other programs do meanwhile does not count.
#[derive(Debug)]
pub struct Stopwatch(f64);

impl Stopwatch {
    /// Starts one.
    pub fn start() -> Stopwatch {
        Stopwatch(thread_time())
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        thread_time() - self.0
    }

    /// Milliseconds since the start.
    pub fn ms(&self) -> f64 {
        self.seconds() * 1e3
    }
}

fn thread_time() -> f64 {
    let now = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the clock of this thread");
    now.tv_sec() as f64 + now.tv_nsec() as f64 / 1e9
}

/// A median, and how far its samples lay apart.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    pub median: f64,
    /// Distance of the quartiles, as a share of the median.
    pub spread: f64,
}

impl Summary {
    /// What one measurement gave.
    pub fn once(value: f64) -> Summary {
        Summary {
            median: value,
            spread: 0.0,
        }
    }

    /// What these come to.
    pub fn of(mut samples: Vec<f64>) -> Summary {
        samples.sort_by(f64::total_cmp);
        let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize];
        let median = at(0.5);
        Summary {
            median,
            spread: (at(0.75) - at(0.25)) / median.max(f64::MIN_POSITIVE),
        }
    }

    /// This and that, one after the other.
    pub fn then(self, other: Summary) -> Summary {
        let apart = |part: Summary| part.spread * part.median;
        let median = self.median + other.median;
        Summary {
            median,
            spread: (apart(self) + apart(other)) / median.max(f64::MIN_POSITIVE),
        }
    }

    /// The median above that of `floor`; the samples lie as far apart as they did.
    pub fn above(self, floor: Summary) -> Summary {
        let median = self.median - floor.median;
        Summary {
            median,
            spread: self.spread * self.median / median.max(f64::MIN_POSITIVE),
        }
    }
}

/// Takes a sample of each subject in turn, so that what disturbs one disturbs all. The first round does not count.
pub fn interleaved<const N: usize>(
    rounds: usize,
    mut sample: impl FnMut(usize) -> Result<f64>,
) -> Result<[Summary; N]> {
    parts(rounds, || {
        let mut round = [0.0; N];
        for (subject, value) in round.iter_mut().enumerate() {
            *value = sample(subject)?;
        }
        Ok(round)
    })
}

/// Takes samples of the parts of one thing. The first round does not count.
pub fn parts<const N: usize>(
    rounds: usize,
    mut round: impl FnMut() -> Result<[f64; N]>,
) -> Result<[Summary; N]> {
    let mut samples: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(rounds));
    round()?;
    for _ in 0..rounds {
        for (of_part, value) in samples.iter_mut().zip(round()?) {
            of_part.push(value);
        }
    }
    Ok(samples.map(Summary::of))
}
