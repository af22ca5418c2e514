//! The events of the run: the log, the observer that finds them in each report, and the thresholds that flows may cross.

use crate::model::alert::{AlertRule, Alerts, Crossing};
use crate::model::event::{EventKind, EventLog, TimeOfDay};
use crate::model::observer::{Observer, describe, describe_key};
use crate::model::tracker::Report;
use crate::model::units;

/// At most this many alerts of one report are logged one by one.
const MOST_AT_ONCE: usize = 20;

/// The log of events and what feeds it, paused screen or not.
#[derive(Debug)]
pub struct Journal {
    now: TimeOfDay,
    reset_at: Option<TimeOfDay>,
    log: EventLog,
    observer: Observer,
    alerts: Alerts,
}

impl Journal {
    /// What is told where totals are set to zero.
    pub const FROM_ZERO: &'static str = "totals start at zero from here";

    /// An empty log.
    pub fn new(rules: Vec<AlertRule>) -> Journal {
        Journal {
            now: TimeOfDay::default(),
            reset_at: None,
            log: EventLog::default(),
            observer: Observer::default(),
            alerts: Alerts::new(rules),
        }
    }

    /// The local time of the latest reading.
    pub fn now(&self) -> TimeOfDay {
        self.now
    }

    /// There was a reading at this local time.
    pub fn set_time(&mut self, now: TimeOfDay) {
        self.now = now;
    }

    /// When the totals were last set to zero.
    pub fn reset_at(&self) -> Option<TimeOfDay> {
        self.reset_at
    }

    /// The events.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// The thresholds and the flows beyond them.
    pub fn alerts(&self) -> &Alerts {
        &self.alerts
    }

    /// Logs what happened since the previous report.
    pub fn advance(&mut self, live: &Report, now: TimeOfDay) {
        self.now = now;
        self.observer.observe(live, now, &mut self.log);
        let crossings = self.alerts.advance(live);
        for crossing in crossings.iter().take(MOST_AT_ONCE) {
            self.log_alert(crossing, live);
        }
        if let Some(more) = crossings.len().checked_sub(MOST_AT_ONCE + 1) {
            let text = format!("and {} more in this interval", more + 1);
            self.record(EventKind::Alert, text);
        }
    }

    fn log_alert(&mut self, crossing: &Crossing, live: &Report) {
        let mut what = crossing.describe(&self.alerts.rules()[crossing.rule]);
        let key = &crossing.key;
        let flow = live.flows.iter().find(|flow| flow.key == *key);
        let idle_ns = flow.map_or(0, |flow| live.taken_ns.saturating_sub(flow.last_seen_ns));
        let idle_s = idle_ns as f64 / 1e9;
        if idle_s > live.interval_s {
            what += &format!(", silent for {}", units::duration(idle_s));
        }
        let flow = match flow {
            Some(flow) => describe(flow),
            None => {
                let mut interfaces = live.interfaces.iter();
                let interface = interfaces.find(|interface| interface.ifindex == key.ifindex);
                let name = interface.map_or("", |interface| &interface.name);
                format!("{}, which has left", describe_key(key, name).trim_end())
            }
        };
        let kind = match crossing.raised {
            true => EventKind::Alert,
            false => EventKind::Cleared,
        };
        let text = format!("{what}: {flow}");
        self.log.push(self.now, kind, Some(crossing.key), text);
    }

    /// Logs an event that is about no flow.
    pub fn record(&mut self, kind: EventKind, text: impl Into<String>) {
        self.log.push(self.now, kind, None, text.into());
    }

    /// Logs why a configuration was refused: an event for each line.
    pub(super) fn record_refusal(&mut self, text: &str) {
        // The newest event is listed first, so the last line is logged first.
        let lines: Vec<_> = text.lines().enumerate().collect();
        for (place, line) in lines.into_iter().rev() {
            let text = match place {
                0 => format!("refused, the last good one stays: {line}"),
                _ => format!("refused, too: {line}"),
            };
            self.record(EventKind::Config, text);
        }
    }

    /// All totals start at zero from here: former ones are forgotten.
    pub fn reset(&mut self) {
        self.reset_at = Some(self.now);
        self.observer.start_at_zero();
        self.record(EventKind::Reset, Journal::FROM_ZERO);
    }

    /// Other reports come from here on, and this is the first of them; what it says is no news. Of those before, only the log
    /// stays.
    pub fn begin_anew(&mut self, rules: Vec<AlertRule>, report: &Report, now: TimeOfDay) {
        self.now = now;
        self.observer = Observer::default();
        self.observer.observe(report, now, &mut EventLog::default());
        self.alerts = Alerts::new(rules);
    }

    /// Puts other thresholds in force.
    pub fn set_alert_rules(&mut self, rules: Vec<AlertRule>) {
        self.alerts.set_rules(rules);
    }
}
