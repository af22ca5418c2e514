//! Rates, windows, losses and histories of a long run, against figures made of each single burst.

use std::collections::VecDeque;

use super::*;
use crate::model::tracker::{History, Rates};
use world::{Burst, INTERFACES, UNTRACKED, World, share, volume_of};

#[path = "world_tests.rs"]
mod world;

/// What the tracker should remember of a flow.
#[derive(Default)]
struct Remembered {
    lost: u64,
    /// Throughput, goodput, mean inter-arrival time, jitter; losses.
    history: VecDeque<[Option<f64>; 5]>,
}

impl Remembered {
    fn close(&mut self, motion: [Option<f64>; 4], lost: Option<f64>) {
        let [throughput, goodput, mean, jitter] = motion;
        let values = [throughput, goodput, mean, jitter, lost];
        self.history.push_back(values);
        if self.history.len() > 60 {
            self.history.pop_front();
        }
    }

    fn expect_history(&self, history: &History) {
        let traces = [
            history.throughput(),
            history.goodput(),
            history.interarrival_mean(),
            history.jitter(),
            history.lost.all(),
        ];
        for (at, trace) in traces.into_iter().enumerate() {
            let found: Vec<_> = trace.iter().collect();
            assert_eq!(found.len(), self.history.len());
            for (found, expected) in found.iter().zip(&self.history) {
                expect_near(found.map(f64::from), expected[at], 0.0005, "history");
            }
        }
    }
}

fn expect_rates(found: Rates, volume: Volume, payload_bytes: u64, seconds: f64) {
    for (found, came, of) in [
        (found.throughput, volume.bytes, "throughput"),
        (found.goodput, payload_bytes, "goodput"),
        (found.packet_rate, volume.packets, "packet rate"),
    ] {
        expect_near(Some(found), Some(came as f64 / seconds), 1e-9, of);
    }
}

fn expect_near(found: Option<f64>, expected: Option<f64>, part: f64, of: &str) {
    let near = match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() <= part * expected.abs() + 1e-6,
        (found, expected) => found.is_none() && expected.is_none(),
    };
    assert!(near, "{of}: {found:?}, not {expected:?}");
}

/// A run, and what is asked of it.
struct Run {
    world: World,
    tracker: FlowTracker,
    remembered: Vec<Remembered>,
    reset_at: u64,
    table_then: TableSample,
    closed_at: u64,
    windows_begin: u64,
    window_s: u64,
}

impl Run {
    fn new() -> Run {
        let mut run = Run {
            world: World::new(),
            tracker: tracker(),
            remembered: (0..6).map(|_| Remembered::default()).collect(),
            reset_at: 0,
            table_then: TableSample::default(),
            closed_at: 0,
            windows_begin: 0,
            window_s: 0,
        };
        run.set_window(1);
        run
    }

    fn set_window(&mut self, seconds: u64) {
        self.tracker.set_intervals(Intervals {
            refresh_ns: SECOND,
            jitter_ns: seconds * SECOND,
        });
        (self.window_s, self.windows_begin) = (seconds, self.world.second);
    }

    fn pass(&mut self) {
        let snapshot = self.world.pass();
        self.tracker.advance(&snapshot);
        for burst in &self.world.bursts {
            let remembered = &mut self.remembered[usize::from(burst.port)];
            if let (true, Some(more)) = (burst.second == self.world.second, burst.sequence) {
                remembered.lost = (remembered.lost + more.lost).saturating_sub(burst.found);
            }
        }
        for flow in &self.tracker.report().flows {
            self.expect_totals(flow);
        }
        self.expect_interfaces();
        self.expect_table();
    }

    fn expect_table(&self) {
        let (now, then) = (self.world.table, self.table_then);
        let [now_counts, then] = [now.counts, then.counts];
        let expected = TableSample {
            counts: TableCounts {
                evicted: now_counts.evicted - then.evicted,
                insert_failures: now_counts.insert_failures - then.insert_failures,
                contended: now_counts.contended - then.contended,
            },
            ..now
        };
        assert_eq!(self.tracker.report().table, expected);
    }

    fn expect_totals(&self, flow: &Flow) {
        let port = flow.key.source_port;
        let bursts = || self.world.bursts_of(port, self.reset_at);
        let found = (flow.counts.volume(), flow.counts.payload_bytes);
        assert_eq!(found, volume_of(bursts()));
        let of_slots = || {
            let slots = self.world.slots.iter().flatten();
            slots.filter(|slot| slot.key == flow.key)
        };
        let moments = |of: fn(&FlowSample) -> u64| of_slots().map(of).collect::<Vec<_>>();
        let first = moments(|slot| slot.first_seen_ns).into_iter().min();
        let last = moments(|slot| slot.last_seen_ns).into_iter().max();
        let seen = (Some(flow.first_seen_ns), Some(flow.last_seen_ns));
        assert_eq!(seen, (first, last));
        assert_eq!(Some(flow.jitter_epochs), of_slots().map(|s| s.epoch).max());
        let sum =
            |of: fn(&Sequence) -> u64| bursts().filter_map(|b| b.sequence.as_ref()).map(of).sum();
        let latest = self
            .world
            .bursts_of(port, 0)
            .filter_map(|b| b.sequence)
            .last();
        let expected = latest.map(|latest| Sequence {
            current: latest.current,
            received: sum(|s| s.received),
            lost: self.remembered[usize::from(port)].lost,
            reverse_errors: sum(|s| s.reverse_errors),
            small_errors: sum(|s| s.small_errors),
            big_errors: sum(|s| s.big_errors),
            duplicates: latest
                .duplicates
                .map(|_| sum(|s| s.duplicates.unwrap_or(0))),
            restarts: sum(|s| s.restarts),
            absent: sum(|s| s.absent),
        });
        assert_eq!(flow.counts.sequence, expected);
    }

    /// What came on the interface after this second: all of it, and the payload of its flows.
    fn came_on(&self, ifindex: u32, after: u64) -> (Volume, u64) {
        let is_its = |burst: &&Burst| {
            INTERFACES[usize::from(burst.port) % 2] == ifindex && burst.second > after
        };
        let (volume, payload) = volume_of(self.world.bursts.iter().filter(is_its));
        let outside = self.world.outside.iter();
        let outside = outside.filter(|(second, of, _)| *of == ifindex && *second > after);
        (
            outside.fold(volume, |sum, (_, _, more)| sum + *more),
            payload,
        )
    }

    fn expect_interfaces(&self) {
        let report = self.tracker.report();
        for interface in &report.interfaces {
            let came = self.came_on(interface.ifindex, self.reset_at);
            assert_eq!(
                (interface.counts.volume(), interface.ended),
                (came.0, Counts::default())
            );
            let is_its = |flow: &&Flow| flow.key.ifindex == interface.ifindex;
            assert_eq!(interface.flows, report.flows.iter().filter(is_its).count());
        }
    }

    fn close(&mut self) {
        self.tracker.close_interval();
        let seconds = (self.world.second - self.closed_at) as f64;
        let report = self.tracker.report();
        assert_eq!(report.interval_s, seconds);
        for interface in &report.interfaces {
            let rates = interface.rates.expect("rates");
            let (volume, payload) = self.came_on(interface.ifindex, self.closed_at);
            expect_rates(rates, volume, payload, seconds);
            let latest = interface.throughput_history.latest().map(f64::from);
            expect_near(latest, Some(rates.throughput), 1e-6, "latest throughput");
        }
        for flow in &report.flows {
            let port = flow.key.source_port;
            let rates = flow.rates.expect("rates");
            let (volume, payload) = volume_of(self.world.bursts_of(port, self.closed_at));
            expect_rates(rates, volume, payload, seconds);
            let window = self.world.second.saturating_sub(self.window_s);
            let window = window.max(self.windows_begin);
            let (samples, mean, deviation) = self.world.interarrival(port, window);
            assert_eq!(flow.interarrival.samples, samples);
            expect_near(flow.interarrival.mean_ms(), mean, 1e-9, "mean");
            expect_near(flow.interarrival.jitter_ms(), deviation, 1e-9, "jitter");
            let loss = share(self.world.numbers(port, window));
            expect_near(flow.recent_loss.window(), loss, 1e-9, "loss, window");
            let remembered = &mut self.remembered[usize::from(port)];
            let numbers = self.world.numbers(port, self.closed_at);
            let loss = share(numbers);
            expect_near(flow.recent_loss.interval(), loss, 1e-9, "loss, interval");
            let lost = (port != UNTRACKED).then_some(numbers.0.max(0.0));
            let speed = [Some(rates.throughput), Some(rates.goodput)];
            remembered.close([speed[0], speed[1], mean, deviation], lost);
            remembered.expect_history(&flow.history);
        }
        self.closed_at = self.world.second;
    }

    fn reset(&mut self) {
        self.tracker.reset();
        self.reset_at = self.world.second;
        for remembered in &mut self.remembered {
            remembered.lost = 0;
        }
        for flow in &self.tracker.report().flows {
            self.expect_totals(flow);
        }
        self.expect_interfaces();
        self.table_then = self.world.table;
        self.expect_table();
    }
}

#[test]
fn every_figure_of_a_long_run_is_that_of_its_bursts() {
    let mut run = Run::new();
    let windows = [1, 3, 16, 5, 2];
    for second in 1..250 {
        run.pass();
        let closes = !run.world.random.one_in(3);
        if closes {
            run.close();
        }
        // At the end of an interval as well as within one.
        if second % 100 > 90 && run.world.random.one_in(4) {
            run.reset();
        }
        if closes && run.world.random.one_in(50) {
            run.set_window(windows[second % windows.len()]);
        }
    }
}

#[test]
fn what_is_found_missing_a_reading_behind_its_packet_is_of_one_interval() {
    let mut tracker = tracker();
    // The jitter window is over when the interval ends.
    tracker.set_intervals(Intervals {
        refresh_ns: 3 * SECOND,
        jitter_ns: SECOND,
    });
    for at in 1..=12 {
        let numbers = Sequence {
            received: 9,
            lost: if at < 4 { 0 } else { 3 },
            ..Sequence::default()
        };
        let flow = with_numbers(sample(0, 1, 5, 9), Some(numbers));
        let flows = if at <= 4 { vec![flow] } else { Vec::new() };
        tracker.advance(&snapshot(at, &flows, &[]));
        if at % 3 == 0 {
            tracker.close_interval();
        }
    }
    let lost = tracker.report().flows[0].history.lost.all();
    let known: Vec<_> = lost.iter().flatten().collect();
    assert_eq!(known, [0.0, 3.0, 0.0, 0.0]);
}

#[test]
fn what_comes_while_a_reading_is_taken_is_not_lost_by_a_reset() {
    let mut tracker = tracker();
    // Readings of one flow that is sent all the time: the hook is read behind the flow, and has more.
    for (at, packets, meanwhile) in [(1, 100, 50), (2, 200, 7), (3, 300, 0), (4, 310, 0)] {
        let mut reading = snapshot(at, &[sample(0, 1, 5, packets)], &[]);
        let hook = &mut reading.interfaces[0];
        hook.seen.packets = 20 + packets + meanwhile;
        hook.seen.bytes = 100 * hook.seen.packets;
        (hook.other.packets, hook.other.bytes) = (20, 2000);
        tracker.advance_and_close(&reading);
        let interface = &tracker.report().interfaces[0];
        let seen = interface.counted.seen;
        assert_eq!(seen.packets, interface.counts.packets + meanwhile, "{at}");
        assert_eq!(seen.bytes, interface.counts.bytes + 100 * meanwhile, "{at}");
        if at < 3 {
            tracker.reset();
            let interface = &tracker.report().interfaces[0];
            assert_eq!(interface.counted.seen, Volume::default());
        }
    }
    assert_eq!(tracker.report().interfaces[0].counts.packets, 110);
}
