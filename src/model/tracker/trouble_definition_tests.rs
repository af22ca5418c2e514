//! What is told of a flow, by the definition of docs/numbers.md, which is written down here a second time.

use super::*;
use crate::model::counts::IpMetrics;
use crate::model::tracker::advance::tests::{sample, snapshot, tracker};
use crate::model::tracker::{Interarrival, Rates, RecentLoss};

/// Nanoseconds since the machine started when its latest packet came.
const LATEST: u64 = 5_000_000_000;

/// How a flow went: a value for each of its intervals, oldest first; none where it is not known.
///
/// All values have eleven binary digits at most, so that they are kept as they are.
#[derive(Debug, Clone)]
pub struct Course {
    pub rate: Vec<Option<f64>>,
    pub gap: Vec<Option<f64>>,
    pub jitter: Vec<Option<f64>>,
    pub lost: Vec<Option<f64>>,
    /// Of those with packets alone; none where IP headers are not looked at.
    pub marked: Vec<Option<f64>>,
    /// Its hop limit now; it was 64 before.
    pub ttl: u8,
    /// For how many of the intervals with packets it is so.
    pub rerouted: usize,
    pub protocol: Protocol,
    /// Mean payload of its packets.
    pub payload: u64,
    /// Of the latest interval.
    pub percent_lost: Option<f64>,
    pub packets_per_second: f64,
    pub interval_s: f64,
    pub idle_s: f64,
    /// For how many intervals it has been in trouble of each kind: loss, marks, jitter, rate.
    pub trouble: [Option<usize>; 4],
    /// It is in trouble of another kind.
    pub other_trouble: bool,
}

/// A flow of so many intervals with which nothing is the matter.
pub fn calm(intervals: usize) -> Course {
    let all = |value| vec![Some(value); intervals];
    Course {
        rate: all(1000.0),
        gap: all(250.0),
        jitter: all(1.0),
        lost: all(0.0),
        marked: all(0.0),
        ttl: 64,
        rerouted: 0,
        protocol: Protocol::Udp,
        payload: 58,
        percent_lost: None,
        packets_per_second: 50.0,
        interval_s: 1.0,
        idle_s: 0.0,
        trouble: [None; 4],
        other_trouble: false,
    }
}

/// So it went before, and so of late.
pub fn went(values: &mut [Option<f64>], past: impl Fn(usize) -> f64, late: &[f64]) {
    let before = values.len() - late.len();
    let values = values.iter_mut().enumerate();
    values.for_each(|(at, value)| {
        *value = Some(*late.get(at.wrapping_sub(before)).unwrap_or(&past(at)))
    });
}

/// The median, the larger one of two in the middle, and the median deviation from it; of 20 values at least.
fn median_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let usual = (values.len() >= 20).then(|| median(values.to_vec()))?;
    let distances = values.iter().map(|value| f64::abs(value - usual));
    Some((usual, median(distances.collect())))
}

/// For how many intervals, by kind as [`Course::trouble`] has it.
fn lasted(kinds: [Option<usize>; 4]) -> Lasted {
    let [loss, marks, jitter, rate] = kinds.map(|lasted| lasted.unwrap_or(0) as u8);
    Lasted {
        loss,
        marks,
        jitter,
        rate,
    }
}

/// The last 60: more is not known.
fn kept(values: &[Option<f64>]) -> &[Option<f64>] {
    &values[values.len().saturating_sub(60)..]
}

fn known(values: &[Option<f64>]) -> Vec<f64> {
    values.iter().copied().flatten().collect()
}

impl Course {
    pub fn rates(mut self, past: impl Fn(usize) -> f64, late: &[f64]) -> Course {
        went(&mut self.rate, past, late);
        self
    }

    pub fn jitters(mut self, past: impl Fn(usize) -> f64, late: &[f64]) -> Course {
        went(&mut self.jitter, past, late);
        self
    }

    pub fn losses(mut self, late: &[f64]) -> Course {
        went(&mut self.lost, |_| 0.0, late);
        self
    }

    pub fn marks(mut self, late: &[f64]) -> Course {
        went(&mut self.marked, |_| 0.0, late);
        self
    }

    /// TCP whose packets are of this size.
    pub fn tcp(self, payload: u64) -> Course {
        Course {
            protocol: Protocol::Tcp,
            payload,
            ..self
        }
    }

    pub fn in_trouble_for(self, intervals: usize) -> Course {
        Course {
            trouble: [Some(intervals); 4],
            ..self
        }
    }

    pub fn in_other_trouble(self) -> Course {
        Course {
            other_trouble: true,
            ..self
        }
    }

    pub fn silent_for(self, idle_s: f64, intervals: usize) -> Course {
        let flow = self.rates(|_| 1000.0, &vec![0.0; intervals]);
        Course { idle_s, ..flow }
    }

    fn flow(&self) -> Flow {
        let mut tracker = tracker();
        tracker.advance(&snapshot(1, &[sample(0, 1, 5, 10)], &[]));
        let mut flow = tracker.report().flows[0].clone();
        flow.key.protocol = self.protocol;
        flow.counts.payload_bytes = self.payload * flow.counts.packets;
        flow.last_seen_ns = LATEST;
        flow.recent_loss = RecentLoss::new(self.percent_lost, Some(77.0));
        let rates = |throughput| Rates {
            throughput,
            packet_rate: self.packets_per_second,
            ..Rates::default()
        };
        for at in 0..self.rate.len() {
            let gaps = Interarrival::new(self.gap[at], self.jitter[at], 9);
            flow.history.record(self.rate[at].map(rates), &gaps);
            flow.history.lost.push(self.lost[at]);
        }
        flow.rates = Some(rates(0.0));
        let mut ip = IpMetrics::default();
        for (at, marked) in self.marked.iter().enumerate() {
            let since = self.marked.len() - self.rerouted;
            ip.ce += marked.unwrap() as u64;
            ip.ttl_changes += u64::from(at == since);
            ip.ttl = Some(if at < since { 64 } else { self.ttl });
            flow.watched.record_ip(&ip);
        }
        let is_any = self.other_trouble || self.trouble.iter().any(Option::is_some);
        flow.set_trouble(is_any.then(|| Trouble {
            lasted: lasted(self.trouble),
            ..Trouble::new(0, 0.0, String::new())
        }));
        flow
    }

    /// The latest values, three of them if it is in no trouble yet, and what is known of the time before.
    fn now_and_past(
        &self,
        values: &[Option<f64>],
        trouble: Option<usize>,
    ) -> Option<(Vec<f64>, Vec<f64>)> {
        let values = kept(values);
        let (asked, lasted) = trouble.map_or((3, 3), |lasted| (1, lasted + 1));
        let now = &values[values.len().checked_sub(asked)?..];
        let past = &values[..values.len().checked_sub(lasted)?];
        let is_known = now.iter().all(Option::is_some);
        is_known.then(|| (known(now), known(past)))
    }

    fn silence(&self) -> Option<f64> {
        let came = |rate: &&Option<f64>| rate.unwrap_or(0.0) > 0.0;
        let rate = kept(&self.rate);
        let past = rate.iter().rposition(|rate| came(&rate))? + 1;
        let count = rate[..past].iter().filter(came).count();
        let is_regular = count >= 20 && count as f64 / past as f64 >= 0.9;
        if !is_regular || !(1..=30).contains(&(rate.len() - past)) {
            return None;
        }
        let (gap, _) = median_and_deviation(&known(&kept(&self.gap)[..past]))?;
        let jitter = known(&kept(&self.jitter)[..past]);
        let largest = jitter.iter().copied().fold(0.0, f64::max);
        (jitter.len() >= 20).then_some(4.0 * gap + 15.0 * largest)
    }

    fn loss(&self) -> Option<(f64, String)> {
        let (unit, bytes) = match self.protocol {
            Protocol::Tcp => (self.payload as f64, " bytes"),
            _ => (1.0, ""),
        };
        let late = self.surge(&self.lost, unit, self.trouble[0])?;
        let span = units::duration(3.0 * self.interval_s);
        Some(match self.percent_lost {
            Some(share) if share > 0.0 => (
                4000.0 + share,
                format!("loss {}, {late}{bytes} in {span}", units::percent(share)),
            ),
            _ => (4000.0, format!("{late}{bytes} lost in {span}")),
        })
    }

    fn congestion(&self) -> Option<(f64, String)> {
        let late = self.surge(&self.marked, 1.0, self.trouble[1])?;
        let span = units::duration(3.0 * self.interval_s);
        let packets = self.packets_per_second * self.interval_s;
        let marked = self.marked.last()?.unwrap();
        Some(match 100.0 * marked / packets {
            share if share > 0.0 && share.is_finite() => (
                3000.0 + share.min(999.0),
                format!("CE {}, {late} in {span}", units::percent(share)),
            ),
            _ => (3000.0, format!("CE {late} in {span}")),
        })
    }

    fn surge(&self, values: &[Option<f64>], unit: f64, trouble: Option<usize>) -> Option<f64> {
        let values = kept(values);
        let late: f64 = known(&values[values.len().saturating_sub(3)..])
            .iter()
            .sum();
        let goes_on = trouble.is_some();
        if late == 0.0 || !goes_on && *values.last()? == Some(0.0) {
            return None;
        }
        let lasted = trouble.map_or(3, |lasted| (lasted + 1).max(3));
        let past = known(&values[..values.len().checked_sub(lasted)?]);
        let count = past.len() as f64;
        let mean = past.iter().sum::<f64>() / unit / count;
        let squares: f64 = past.iter().map(|value| (value / unit - mean).powi(2)).sum();
        let m = mean + 1.0 / count;
        let v = f64::max(squares / count, m);
        let bound = 4.0 + 3.0 * m + 6.0 * f64::sqrt(3.0 * v);
        let is_much = late / unit > if goes_on { bound / 2.0 } else { bound };
        (past.len() >= 20 && is_much).then_some(late)
    }

    fn jitter(&self) -> Option<(f64, String)> {
        let (now, past) = self.now_and_past(&self.jitter, self.trouble[2])?;
        let (usual, deviation) = median_and_deviation(&past)?;
        let lost = &self.lost[self.lost.len() - now.len()..];
        let now = now.into_iter().fold(f64::MAX, f64::min);
        let is_so = now >= 3.0 * usual
            && now - usual >= 6.0 * 1.4826 * deviation
            && now - usual >= 0.1
            && past.iter().all(|one| now >= 1.5 * one)
            && lost.iter().all(|lost| lost.unwrap_or(0.0) == 0.0);
        let times = f64::min(now / usual, 999.0);
        let words = format!("jitter {} x its usual", units::per_second(times).trim());
        is_so.then_some((2000.0 + times, words))
    }

    fn fall(&self) -> Option<(f64, String)> {
        let (now, past) = self.now_and_past(&self.rate, self.trouble[3])?;
        let (usual, deviation) = median_and_deviation(&past)?;
        let now = now.into_iter().fold(0.0, f64::max);
        let is_so = now < usual
            && 2.0 * now <= usual
            && usual - now >= 6.0 * 1.4826 * deviation
            && past.iter().all(|one| 3.0 * now <= 2.0 * one);
        let words = format!("rate fell to {}", units::percent(100.0 * now / usual));
        is_so.then(|| (1000.0 + f64::min(usual / now, 999.0), words))
    }

    fn reroute(&self) -> Option<(f64, String)> {
        let before = self.marked.len() - self.rerouted;
        let is_so = before >= 20 && (1..=30).contains(&self.rerouted) && self.ttl != 64;
        let hops = f64::abs(64.0 - f64::from(self.ttl));
        is_so.then(|| (hops, format!("path changed: TTL 64 to {}", self.ttl)))
    }

    /// Severity, words and for how many intervals, and whether it is silent.
    fn trouble(&self) -> (Option<(f64, String, Lasted)>, bool) {
        if let Some(longest_ms) = self.silence() {
            let words = format!("silent for {}", units::duration(self.idle_s));
            let found = (5000.0 + self.idle_s.min(999.0), words, Lasted::default());
            return ((1000.0 * self.idle_s > longest_ms).then_some(found), true);
        }
        let kinds = [self.loss(), self.congestion(), self.jitter(), self.fall()];
        let now = self.trouble.map(|before| before.map_or(3, |it| it + 1));
        let is_so: [bool; 4] = std::array::from_fn(|at| kinds[at].is_some() && now[at] <= 30);
        let mut kinds = kinds.into_iter().zip(is_so);
        let lasted = lasted(std::array::from_fn(|at| is_so[at].then_some(now[at])));
        let found = kinds
            .by_ref()
            .filter_map(|(found, is_so)| found.filter(|_| is_so));
        let found: Vec<_> = found.chain(self.reroute()).collect();
        let words: Vec<_> = found.iter().map(|(_, words)| words.as_str()).collect();
        let words = words.join(", ");
        let found = found
            .first()
            .map(|(severity, _)| (*severity, words, lasted));
        (found, false)
    }

    /// Whether in the last three intervals it is out of place beside the one before them, and beside those of the three
    /// before that of which anything is known; or whether the last one lost something.
    fn is_suspect(&self) -> bool {
        let is_out = |values: &[Option<f64>], is_out: fn(f64, f64) -> bool| {
            let ago = |count| *values.iter().nth_back(count).unwrap_or(&None);
            let is_beside = |now: f64| (3..=6).filter_map(ago).all(|past| is_out(now, past));
            ago(3).is_some() && (0..3).all(|now| ago(now).is_some_and(is_beside))
        };
        is_out(&self.rate, |now, past| 3.0 * now <= 2.0 * past)
            || is_out(&self.jitter, |now, past| now >= 0.1 && now >= 1.5 * past)
            || self.lost.last().copied().flatten() > Some(0.0)
    }

    /// Whether there is what only suspects are asked about, and what came before it is known.
    fn begins_to_be_told(&self) -> bool {
        let is_known =
            |values: &[Option<f64>]| values.iter().nth_back(3).is_some_and(Option::is_some);
        let found = [self.loss(), self.jitter(), self.fall()];
        self.trouble == [None; 4]
            && self.silence().is_none()
            && is_known(&self.rate)
            && is_known(&self.jitter)
            && found.iter().any(Option::is_some)
    }

    /// What is told of it, which is the same by both.
    pub fn told(&self) -> Option<(f64, String)> {
        let flow = self.flow();
        let now_ns = LATEST + (1e9 * self.idle_s) as u64;
        let (found, is_silent) = assess(&flow, now_ns, self.interval_s);
        let (expected, expects_silence) = self.trouble();
        assert_eq!(is_silent, expects_silence, "{self:?}");
        let brief = |found: &Trouble| (found.words.clone(), found.lasted);
        let expects = expected
            .as_ref()
            .map(|(_, words, lasted)| (words.clone(), *lasted));
        assert_eq!(found.as_ref().map(brief), expects, "{self:?}");
        assert_eq!(is_suspect(&flow.history), self.is_suspect(), "{self:?}");
        assert!(self.is_suspect() || !self.begins_to_be_told(), "{self:?}");
        let (severity, words, _) = expected?;
        let differs = f64::abs(found?.severity - severity) > 1e-9 * severity;
        assert!(!differs, "{severity}: {self:?}");
        Some((severity, words))
    }
}
