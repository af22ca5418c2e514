//! Gaps between arrivals, jitter epochs, mean and deviation, from the arrival times themselves.

/// A longer gap means that the flow had stopped, ns.
pub const PAUSE_NS: u64 = 2_000_000_000;

/// The gaps of the latest jitter epoch of one flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    latest: Option<u64>,
    /// Epochs that ended.
    pauses: u32,
    /// Gaps of the epoch, ns.
    pub gaps: Vec<u64>,
}

impl Gaps {
    /// One arrival.
    pub fn observe(&mut self, now_ns: u64) {
        let gap = self.latest.replace(now_ns).map(|before| now_ns - before);
        match gap {
            Some(gap) if gap > PAUSE_NS => {
                self.pauses += 1;
                self.gaps.clear();
            }
            Some(gap) => self.gaps.push(gap),
            None => {}
        }
    }

    /// The number of the epoch; the first is 1.
    pub fn epoch(&self) -> u32 {
        self.pauses + 1
    }

    /// Sum of the gaps, ns.
    pub fn sum(&self) -> u128 {
        self.gaps.iter().map(|gap| u128::from(*gap)).sum()
    }

    /// Sum of the squares of the gaps, ns^2.
    pub fn squares(&self) -> u128 {
        self.gaps.iter().map(|gap| u128::from(*gap).pow(2)).sum()
    }

    /// Mean gap, ns.
    pub fn mean(&self) -> Option<f64> {
        let n = self.gaps.len();
        (n > 0).then(|| self.sum() as f64 / n as f64)
    }

    /// Standard deviation of the gaps in the sample form, ns, by the textbook's two passes.
    pub fn deviation(&self) -> Option<f64> {
        let n = self.gaps.len();
        let mean = self.mean().filter(|_| n >= 2)?;
        let squares = self.gaps.iter().map(|gap| (*gap as f64 - mean).powi(2));
        Some((squares.sum::<f64>() / (n - 1) as f64).sqrt())
    }
}
