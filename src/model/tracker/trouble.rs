//! Whether a flow is far from its own past, and in which words: docs/numbers.md has the definition.
//!
//! Each throughput interval of each flow comes by here, so that a glance has to do for nearly all of them: only where
//! the latest ones are out of place beside the one before, the history is gone through.

use super::series::AT_HAND;
use super::{Flow, History, Series, Trace};
use crate::model::flow::Protocol;
use crate::model::units;

/// Fewer intervals are no past.
pub const LEAST_PAST: usize = 20;
/// A rate or a jitter is out of place in so many intervals in a row before that is trouble.
pub const IN_A_ROW: usize = 3;
/// Losses, or marks, of so many intervals are taken together.
const OF_LATE: usize = 3;
/// After so many intervals it is no trouble any more: it is how the flow is.
pub const NEW_PAST: usize = Series::CAPACITY / 2;
/// How many spreads off is far.
const FAR: f64 = 6.0;
/// So many times what was the worst in the past is worse than that.
const BEYOND: f32 = 1.5;
/// Jitter below is the clock's and the scheduler's, ms.
const LEAST_JITTER_MS: f32 = 0.1;
/// The ratio of the standard deviation to the median absolute deviation of a normal distribution.
const MAD_TO_SD: f64 = 1.4826;
/// How far a flow is from its own past.
#[derive(Debug, Clone, PartialEq)]
pub struct Trouble {
    /// The larger, the worse: silence is 5000 and seconds, loss 4000 and marks of congestion 3000 and the percentage, jitter
    /// 2000 and how many times its usual it is, a rate 1000 and by how much it fell, another path the hops that it differs by.
    /// Each counts to 999.
    pub severity: f64,
    /// What is the matter.
    pub words: String,
    /// For how many intervals.
    pub lasted: Lasted,
}

/// For how many intervals a flow has been in trouble of each kind that is judged by its past; 0: in none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lasted {
    /// Losses.
    pub loss: u8,
    /// Marks of congestion.
    pub marks: u8,
    /// Jitter.
    pub jitter: u8,
    /// Throughput.
    pub rate: u8,
}

/// A kind of trouble that goes on, or may begin.
#[derive(Clone, Copy)]
struct Spell {
    goes_on: bool,
    /// For how many intervals, the latest among them.
    lasted: usize,
}

impl Spell {
    /// One that had lasted for so many intervals before the latest; `None`: it is over, as that is how the flow is.
    fn after(before: u8) -> Option<Spell> {
        let goes_on = before > 0;
        let lasted = if goes_on {
            usize::from(before) + 1
        } else {
            IN_A_ROW
        };
        (lasted <= NEW_PAST).then_some(Spell { goes_on, lasted })
    }

    /// How many of the latest intervals are asked.
    fn asked(self) -> usize {
        if self.goes_on { 1 } else { IN_A_ROW }
    }
}

impl Trouble {
    fn new(class: u32, amount: f64, words: String) -> Trouble {
        Trouble {
            severity: f64::from(class * 1000) + amount.clamp(0.0, 999.0),
            words,
            lasted: Lasted::default(),
        }
    }
}

/// Whether the latest intervals are out of place beside the last ones of the past, or something was lost: of nearly all flows
/// neither is so, and then they are in no new trouble.
#[inline]
pub fn is_suspect(history: &History) -> bool {
    history.stepped_ago(IN_A_ROW - 1) && is_any_out_of_place(history)
        || history.lost.latest() > Some(0.0)
}

/// Whether an interval may be the first of some that are out of place beside the one before. It may as well be none: older
/// values are less exact.
#[inline]
pub fn has_stepped(before: [f32; 2], now: [f32; 2]) -> bool {
    const A_LITTLE: f32 = 0.01;
    let ([throughput, jitter], [former_throughput, former_jitter]) = (now, before);
    is_low((1.0 - A_LITTLE) * throughput, former_throughput)
        | is_high((1.0 + A_LITTLE) * jitter, former_jitter)
}

/// Not inlined: hardly any flow comes by here.
#[inline(never)]
fn is_any_out_of_place(history: &History) -> bool {
    is_out_of_place(|ago| history.throughput_ago(ago), is_low, f32::max)
        || is_out_of_place(|ago| history.jitter_ago(ago), is_high, f32::min)
}

/// Whether each of the latest values is off each one before them that is at hand; unknown ones are skipped. `is_off` compares
/// a value with one before it; `nearest` returns the one of two latest values that is less far off.
#[inline]
fn is_out_of_place(
    value_ago: impl Fn(usize) -> f32,
    is_off: impl Fn(f32, f32) -> bool,
    nearest: impl Fn(f32, f32) -> f32,
) -> bool {
    let before = value_ago(IN_A_ROW);
    if !(0..IN_A_ROW).all(|ago| is_off(value_ago(ago), before)) {
        return false;
    }
    let latest = (0..IN_A_ROW).map(&value_ago).reduce(nearest);
    let mut others = (IN_A_ROW + 1..=AT_HAND).map(value_ago);
    latest.is_some_and(|latest| others.all(|one| one.is_nan() || is_off(latest, one)))
}

/// What the matter is with a flow whose interval of so many seconds has ended now. The flag: it is silent, so the next
/// interval may tell more.
pub fn assess(flow: &Flow, now_ns: u64, interval_s: f64) -> (Option<Trouble>, bool) {
    if let Some(longest_ms) = longest_silence(flow) {
        let idle_s = now_ns.saturating_sub(flow.last_seen_ns) as f64 / 1e9;
        let words = || format!("silent for {}", units::duration(idle_s));
        let found = (idle_s * 1e3 > longest_ms).then(|| Trouble::new(5, idle_s, words()));
        return (found, true);
    }
    let before = flow.trouble().map_or(Lasted::default(), |it| it.lasted);
    let mut lasted = Lasted::default();
    let find = |before, lasted: &mut u8, kind: &dyn Fn(Spell) -> Option<Trouble>| {
        let spell = Spell::after(before)?;
        let found = kind(spell)?;
        *lasted = spell.lasted as u8;
        Some(found)
    };
    let history = &flow.history;
    let found = [
        find(before.loss, &mut lasted.loss, &|spell| {
            loss(flow, interval_s, spell)
        }),
        find(before.marks, &mut lasted.marks, &|spell| {
            marks(flow, interval_s, spell)
        }),
        find(before.jitter, &mut lasted.jitter, &|spell| {
            jitter(history, spell)
        }),
        find(before.rate, &mut lasted.rate, &|spell| {
            rate(history.throughput(), spell)
        }),
        // It knows by itself when it is no trouble any more.
        path(flow),
    ];
    let joined = |one: Trouble, other: Trouble| Trouble {
        words: one.words + ", " + &other.words,
        ..one
    };
    let found = found.into_iter().flatten().reduce(joined);
    (found.map(|found| Trouble { lasted, ..found }), false)
}

/// For how long a flow that came in nine of ten intervals and has stopped may be silent, ms: no gap of its usual mean and
/// its largest deviation would be longer. `None` where it has not stopped, or too long ago.
fn longest_silence(flow: &Flow) -> Option<f64> {
    let history = &flow.history;
    let came = |value: &Option<f32>| value.is_some_and(|rate| rate > 0.0);
    if came(&history.throughput().latest()) {
        return None;
    }
    let rates = || history.throughput().iter();
    let empty = rates().rev().take_while(|value| !came(value)).count();
    if empty > NEW_PAST {
        return None;
    }
    let past = rates().len() - empty;
    let present = rates().take(past).filter(came).count();
    if present < LEAST_PAST || present * 10 < past * 9 {
        return None;
    }
    let mean = Past::of(history.interarrival_mean().iter().take(past))?;
    let jitter = Past::of(history.jitter().iter().take(past))?;
    Some(4.0 * mean.usual + 15.0 * jitter.largest)
}

fn rate(trace: Trace, spell: Spell) -> Option<Trouble> {
    let now = mildest(trace, spell, f32::max, is_low)?;
    let past = Past::before(trace, spell.lasted)?;
    let is_far =
        past.usual > 0.0 && now <= past.usual / 2.0 && past.usual - now >= FAR * past.spread;
    let words = || format!("rate fell to {}", units::percent(100.0 * now / past.usual));
    is_far.then(|| Trouble::new(1, past.usual / now.max(past.usual / 999.0), words()))
}

/// What is missing makes two gaps one, so that an interval in which something was lost says nothing about jitter.
fn jitter(history: &History, spell: Spell) -> Option<Trouble> {
    let trace = history.jitter();
    let now = mildest(trace, spell, f32::min, is_high)?;
    let has_lost = |lost: Option<f32>| lost.is_some_and(|lost| lost > 0.0);
    if history.lost.iter().rev().take(spell.asked()).any(has_lost) {
        return None;
    }
    let past = Past::before(trace, spell.lasted)?;
    let least = f64::max(FAR * past.spread, LEAST_JITTER_MS.into());
    let is_far = now >= 3.0 * past.usual && now - past.usual >= least;
    let times = now / past.usual.max(now / 999.0);
    let words = || format!("jitter {} x its usual", units::per_second(times).trim());
    is_far.then(|| Trouble::new(2, times, words()))
}

/// Whether a rate is out of place beside one of the past.
fn is_low(now: f32, one: f32) -> bool {
    now * BEYOND <= one
}

/// Whether a jitter is out of place beside one of the past.
fn is_high(now: f32, one: f32) -> bool {
    (now >= LEAST_JITTER_MS) & (now >= BEYOND * one)
}

/// The mildest of the latest values that are asked. `None` where one is not known, or is not out of place beside
/// each value of the past.
fn mildest(
    trace: Trace,
    spell: Spell,
    milder: fn(f32, f32) -> f32,
    is_out_of_place: fn(f32, f32) -> bool,
) -> Option<f64> {
    let latest = trace.iter().rev().take(spell.asked());
    let now = latest.reduce(|one, other| Some(milder(one?, other?)))??;
    let mut past = trace.iter().rev().skip(spell.lasted).flatten();
    past.all(|one| is_out_of_place(now, one))
        .then_some(now.into())
}

fn loss(flow: &Flow, interval_s: f64, spell: Spell) -> Option<Trouble> {
    let unit = match flow.key.protocol {
        Protocol::Tcp => flow.counts.payload_bytes as f64 / flow.counts.packets.max(1) as f64,
        _ => 1.0,
    };
    let late = surge(flow.history.lost.all(), unit, spell)?;
    let percent = flow.recent_loss.interval().unwrap_or(0.0);
    let lost = units::count(late.round() as u64);
    let unit = flow.key.protocol.unit_of_loss();
    let span = units::duration(OF_LATE as f64 * interval_s);
    let words = match percent > 0.0 {
        true => format!("loss {}, {lost}{unit} in {span}", units::percent(percent)),
        false => format!("{lost}{unit} lost in {span}"),
    };
    Some(Trouble::new(4, percent, words))
}

/// Packets that were marked as having met congestion.
fn marks(flow: &Flow, interval_s: f64, spell: Spell) -> Option<Trouble> {
    let marked = &flow.watched.ip()?.marked;
    let late = surge(marked.all(), 1.0, spell)?;
    let packets = flow.rates?.packet_rate * interval_s;
    let percent = match marked.latest() {
        Some(now) if packets > 0.0 => 100.0 * f64::from(now) / packets,
        _ => 0.0,
    };
    let late = units::count(late as u64);
    let span = units::duration(OF_LATE as f64 * interval_s);
    let words = match percent > 0.0 {
        true => format!("CE {}, {late} in {span}", units::percent(percent)),
        false => format!("CE {late} in {span}"),
    };
    Some(Trouble::new(3, percent, words))
}

fn path(flow: &Flow) -> Option<Trouble> {
    let (usual, now) = flow.watched.ip()?.change_of_path()?;
    let words = format!("path changed: TTL {usual} to {now}");
    Some(Trouble::new(0, usual.abs_diff(now).into(), words))
}

/// What there was of late of something that mostly does not come, such as losses, where that is much. Its median says
/// nothing: it is held against mean and variance of the past, with one more than there was in it. It goes on as long as there is
/// half as much as it began with.
fn surge(trace: Trace, unit: f64, spell: Spell) -> Option<f64> {
    let late = trace.iter().rev().take(OF_LATE).flatten();
    let late: f64 = late.map(f64::from).sum();
    if late <= 0.0 || !spell.goes_on && trace.latest() == Some(0.0) {
        return None;
    }
    let late_or_bad = spell.lasted.max(OF_LATE);
    let past = trace.iter().len().checked_sub(late_or_bad)?;
    let past = || {
        let past = trace.iter().take(past).flatten();
        past.map(|count| f64::from(count) / unit)
    };
    let known = past().count();
    if known < LEAST_PAST {
        return None;
    }
    let mean = past().sum::<f64>() / known as f64;
    let variance = past().map(|count| (count - mean).powi(2)).sum::<f64>() / known as f64;
    let mean = mean + 1.0 / known as f64;
    let variance = variance.max(mean);
    let intervals = OF_LATE as f64;
    let least = 4.0 + intervals * mean + FAR * (intervals * variance).sqrt();
    let least = if spell.goes_on { least / 2.0 } else { least };
    (late / unit > least).then_some(late)
}

/// What there was in the past.
struct Past {
    /// The median.
    usual: f64,
    /// The median absolute deviation, as a standard deviation.
    spread: f64,
    largest: f64,
}

impl Past {
    /// That before the latest so many intervals.
    fn before(trace: Trace, lasted: usize) -> Option<Past> {
        Past::of(trace.iter().take(trace.iter().len().saturating_sub(lasted)))
    }

    fn of(values: impl Iterator<Item = Option<f32>>) -> Option<Past> {
        let mut known = [0.0; Series::CAPACITY];
        let mut count = 0;
        for (place, value) in known.iter_mut().zip(values.flatten()) {
            *place = value;
            count += 1;
        }
        if count < LEAST_PAST {
            return None;
        }
        let known = &mut known[..count];
        let (middle, order) = (count / 2, f32::total_cmp);
        let (_, median, above) = known.select_nth_unstable_by(middle, order);
        let median = *median;
        let largest = above.iter().copied().fold(median, f32::max);
        known
            .iter_mut()
            .for_each(|value| *value = (*value - median).abs());
        let deviation = *known.select_nth_unstable_by(middle, order).1;
        Some(Past {
            usual: median.into(),
            spread: MAD_TO_SD * f64::from(deviation),
            largest: largest.into(),
        })
    }
}

#[cfg(test)]
#[path = "trouble_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "trouble_bounds_tests.rs"]
mod bounds;

#[cfg(test)]
#[path = "trouble_definition_tests.rs"]
mod definition;

#[cfg(test)]
#[path = "trouble_silence_tests.rs"]
mod silence;
