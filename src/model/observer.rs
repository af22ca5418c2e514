//! Notices what is worth an event, by comparing each report with the one before.
//!
//! Runs at every refresh, paused screen or not. Where a report can say which flows may have something to tell, only these are
//! looked at; what floods is summed up.

mod folds;
mod seen;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::column::{Context, destination_of, source_of};
use super::event::{EventKind, EventLog, TimeOfDay};
use super::flow::{FlowKey, Protocol};
use super::snapshot::{Hook, LinkState};
use super::tracker::{Flow, Interface, Report, RuleReport};
use super::units;

use folds::{Folds, Tally};
use seen::{STREAM_PACKETS, SeenFlow, current_number, time};

/// At most this many events about flows in one report; the rest is summed up in one more.
const MOST_AT_ONCE: usize = 20;

/// A rule without a packet for so long is worth an event, ns.
const SILENCE_NS: u64 = 60_000_000_000;

/// At most this many flows' late packets are told in one report; the others wait.
const LATE_AT_ONCE: usize = 3;

/// Where reports come at least so often, each pause that begins a jitter epoch has one without a packet in it, ns.
const PROMPT_NS: u64 = 1_100_000_000;

/// A rule in force, and whether its silence was told.
#[derive(Clone, Copy)]
struct SeenRule {
    /// When a packet matched last, or when the rule was first seen.
    since_ns: u64,
    silent: bool,
}

/// An interface as it was told.
#[derive(PartialEq)]
struct SeenInterface {
    name: String,
    state: LinkState,
    hook: Option<Hook>,
}

/// What the previous report said.
#[derive(Default)]
pub struct Observer {
    flows: FxHashMap<FlowKey, SeenFlow>,
    folds: Folds,
    rules: FxHashMap<Arc<str>, SeenRule>,
    interfaces: FxHashMap<u32, SeenInterface>,
    taken_ns: u64,
    /// When the report before that one was taken.
    taken_before_ns: u64,
    /// Packets that had found no room; `None` where totals have begun at zero since, or nothing was observed yet.
    insert_failures: Option<u64>,
    full: bool,
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Observer({} flows)", self.flows.len())
    }
}

impl Observer {
    /// Compares the report with the one before and logs what happened.
    pub fn observe(&mut self, report: &Report, at: TimeOfDay, log: &mut EventLog) {
        self.observe_flows(report, at, log);
        self.observe_interfaces(report, at, log);
        self.observe_rules(report, at, log);
        self.observe_table(report, at, log);
        if report.taken_ns > self.taken_ns {
            (self.taken_before_ns, self.taken_ns) = (self.taken_ns, report.taken_ns);
        }
        self.forget(report);
    }

    fn observe_flows(&mut self, report: &Report, at: TimeOfDay, log: &mut EventLog) {
        let mut told = 0;
        let mut late_told = 0;
        let mut untold = 0;
        let are_due = self.folds.are_due(report.taken_ns);
        // What waits to be told may be of flows that are silent.
        let seen = (!are_due).then_some([self.taken_before_ns, self.taken_ns]);
        for flow in report.eventful_since(seen) {
            if flow.last_seen_ns < self.taken_ns {
                self.note_silence(flow);
                if !are_due {
                    continue;
                }
            }
            if flow.is_uneventful() {
                continue;
            }
            let Some((before, seen)) = self.update(flow) else {
                continue;
            };
            let now = (report.taken_ns, at);
            let mut tell = |kind, text: String| {
                let text = format!("{text}: {}", describe(flow));
                log.push(at, kind, Some(flow.key), text);
            };
            if late_told < LATE_AT_ONCE
                && let Some(text) = self.late_text(flow, seen.late, now)
            {
                tell(EventKind::Late, text);
                late_told += 1;
            }
            let gap = self.gap_text(flow, &seen, now);
            let restart = seen.restart_text(&before, flow);
            let resumed = self.resumed_text(flow, &before, &seen, now);
            let texts = [
                (EventKind::Gap, gap),
                (EventKind::Restart, restart),
                (EventKind::Resumed, resumed),
            ];
            let happened = |(kind, text): (_, Option<_>)| Some((kind, text?));
            for (kind, text) in texts.into_iter().filter_map(happened) {
                if told < MOST_AT_ONCE {
                    tell(kind, text);
                    told += 1;
                } else {
                    untold += 1;
                }
            }
        }
        if untold > 0 {
            let text = format!(
                "and {} more of flows in this interval",
                units::exact(untold)
            );
            log.push(at, EventKind::Gap, None, text);
        }
    }

    /// Remembers a stream's latest packet, where the report before was the last one with packets of it.
    fn note_silence(&mut self, flow: &Flow) {
        if flow.last_seen_ns >= self.taken_before_ns && flow.counts.packets >= STREAM_PACKETS {
            self.seen_of(flow).silent_since_ns = flow.last_seen_ns;
        }
    }

    /// What was seen of the flow. What was seen of a former one with its key is forgotten.
    fn seen_of(&mut self, flow: &Flow) -> &mut SeenFlow {
        let seen = self.flows.entry(flow.key).or_insert(SeenFlow::UNSEEN);
        if seen.is_of_former(flow) {
            *seen = SeenFlow::UNSEEN;
            self.folds.begin_anew(flow.key);
        }
        seen.first_seen_ns = flow.first_seen_ns;
        seen
    }

    /// What was seen of the flow before, and what is seen now; `None` where there never was anything.
    fn update(&mut self, flow: &Flow) -> Option<(SeenFlow, SeenFlow)> {
        let mut seen = SeenFlow::of(flow);
        if seen == SeenFlow::UNSEEN {
            return None;
        }
        let slot = self.seen_of(flow);
        let before = *slot;
        seen.first_seen_ns = before.first_seen_ns;
        seen.pauses = before.pauses + seen.new_pauses(&before, flow);
        (seen.packets_then, seen.silent_since_ns) = match seen.epochs == before.epochs {
            true => (before.packets_then, before.silent_since_ns),
            false => (flow.counts.packets, 0),
        };
        *slot = seen;
        Some((before, seen))
    }

    /// What to tell of late packets.
    fn late_text(&mut self, flow: &Flow, late: u64, now: (u64, TimeOfDay)) -> Option<String> {
        let tally = Tally {
            times: late,
            amount: late,
        };
        let news = self.folds.unfold((flow.key, EventKind::Late), tally, now);
        let (late, since) = news?;
        let count = units::count(late.amount);
        // Retransmitted and overtaken segments of TCP look the same.
        let verb = match flow.key.protocol {
            Protocol::Tcp => "retransmitted or late",
            _ => "came late",
        };
        Some(format!("{count} {verb}{}", since_text(since)))
    }

    /// What to tell of gaps. Those that late packets have filled again are no loss: of those, the late packets are told.
    fn gap_text(&mut self, flow: &Flow, seen: &SeenFlow, now: (u64, TimeOfDay)) -> Option<String> {
        let tally = Tally {
            times: seen.gaps,
            amount: seen.lost,
        };
        let news = self.folds.unfold((flow.key, EventKind::Gap), tally, now);
        let (gaps, since) = news?;
        let missing = units::count(gaps.amount);
        let bytes = flow.key.protocol.unit_of_loss();
        let current = current_number(flow);
        let since = since_text(since);
        // Each gap that stayed open lacks at least one number.
        Some(match gaps.times.min(gaps.amount) {
            1 => format!("{missing}{bytes} lost before {current}{since}"),
            times => {
                let times = units::count(times);
                format!("{missing}{bytes} lost in {times} gaps up to {current}{since}")
            }
        })
    }

    /// What to tell of pauses: how long it was where there was one and it has just ended.
    fn resumed_text(
        &mut self,
        flow: &Flow,
        before: &SeenFlow,
        seen: &SeenFlow,
        now: (u64, TimeOfDay),
    ) -> Option<String> {
        let tally = Tally {
            times: seen.pauses.into(),
            amount: seen.pauses.into(),
        };
        let about = (flow.key, EventKind::Resumed);
        let (pauses, since) = self.folds.unfold(about, tally, now)?;
        let is_new = seen.pauses > before.pauses;
        let is_prompt = now.0.saturating_sub(self.taken_ns) <= PROMPT_NS;
        let since = since_text(since);
        Some(match pauses.times {
            1 if is_new => format!("goes on after a pause of {}", before.pause(flow, is_prompt)),
            1 => format!("goes on after a pause{since}"),
            times => format!("goes on after {} pauses{since}", units::count(times)),
        })
    }

    fn observe_rules(&mut self, report: &Report, at: TimeOfDay, log: &mut EventLog) {
        for rule in &report.rules {
            let new = SeenRule {
                since_ns: report.taken_ns,
                silent: false,
            };
            let seen = self.rules.entry(rule.name.clone()).or_insert(new);
            let since_ns = rule.last_match_ns.max(seen.since_ns);
            let silence_ns = report.taken_ns.saturating_sub(since_ns);
            let silent = silence_ns >= SILENCE_NS;
            let before = std::mem::replace(seen, SeenRule { since_ns, silent });
            let text = match (before.silent, silent) {
                (false, true) => format!("rule {}: silent for {}", rule.name, time(silence_ns)),
                (true, false) => {
                    let silence = time(since_ns.saturating_sub(before.since_ns));
                    format!("rule {}: packets again after {silence}", rule.name)
                }
                _ => continue,
            };
            log.push(at, EventKind::Rule, None, text);
        }
        if self.rules.len() > report.rules.len() {
            let in_force = |name: &Arc<str>| report.rules.iter().any(|rule| rule.name == *name);
            self.rules.retain(|name, _| in_force(name));
        }
    }

    fn observe_interfaces(&mut self, report: &Report, at: TimeOfDay, log: &mut EventLog) {
        for interface in report.interfaces.iter().filter(|i| i.ifindex != 0) {
            let before = self.interfaces.get(&interface.ifindex);
            let now = SeenInterface {
                name: interface.name.clone(),
                state: interface.state,
                hook: interface.hook,
            };
            if before != Some(&now) {
                let text = interface_text(interface, before, report);
                log.push(at, EventKind::Interface, None, text);
                self.interfaces.insert(interface.ifindex, now);
            }
        }
        if self.interfaces.len() > report.interfaces.len() {
            let listed: FxHashSet<u32> = report.interfaces.iter().map(|i| i.ifindex).collect();
            self.interfaces
                .retain(|ifindex, _| listed.contains(ifindex));
        }
    }

    fn observe_table(&mut self, report: &Report, at: TimeOfDay, log: &mut EventLog) {
        let table = &report.table;
        let failures = table.counts.insert_failures;
        let full = match self.insert_failures.replace(failures) {
            Some(before) => failures > before,
            None => failures > 0 || self.full,
        };
        if full && !self.full {
            let text = format!(
                "the flow table has no room ({} of {} slots in use): packets are not tracked (see --max-flows)",
                units::exact(table.tracked),
                units::exact(table.capacity)
            );
            log.push(at, EventKind::Table, None, text);
        } else if self.full && !full {
            let text = "the flow table has room again".to_owned();
            log.push(at, EventKind::Table, None, text);
        }
        self.full = full;
    }

    /// Tells that all totals start at zero: what was remembered of them means nothing any more.
    pub fn start_at_zero(&mut self) {
        for seen in self.flows.values_mut() {
            *seen = SeenFlow {
                epochs: seen.epochs,
                silent_since_ns: seen.silent_since_ns,
                first_seen_ns: seen.first_seen_ns,
                ..SeenFlow::UNSEEN
            };
        }
        self.folds = Folds::default();
        self.insert_failures = None;
    }

    /// Drops what is remembered of flows that are gone, once that is the larger part.
    fn forget(&mut self, report: &Report) {
        if self.flows.len() <= report.flows.len() / 2 * 3 + 1024 {
            return;
        }
        let listed: FxHashSet<FlowKey> = report.flows.iter().map(|flow| flow.key).collect();
        self.flows.retain(|key, _| listed.contains(key));
        // What is left of those that went makes a table grow that is large enough.
        self.flows.shrink_to_fit();
        self.folds.keep_only(|key| listed.contains(key));
    }
}

/// Since when what is told has come, where something was told before.
fn since_text(since: Option<TimeOfDay>) -> String {
    since.map_or_else(String::new, |since| format!(" since {since}"))
}

fn interface_text(
    interface: &Interface,
    before: Option<&SeenInterface>,
    report: &Report,
) -> String {
    let name = &interface.name;
    let condition = interface.condition(report);
    let former = match before {
        Some(before) if before.name != *name => format!("was {}, ", before.name),
        _ => String::new(),
    };
    let hook = match (interface.hook, interface.state) {
        (Some(hook), _) => format!(", counted by {}", hook.name()),
        (None, LinkState::Gone) => String::new(),
        (None, _) => ", not attached".to_owned(),
    };
    format!("{name}: {former}{condition}{hook}")
}

/// Whether the rule has not matched for a minute.
pub fn is_silent(rule: &RuleReport, now_ns: u64) -> bool {
    now_ns.saturating_sub(rule.last_match_ns) >= SILENCE_NS
}

/// A flow in a few words: `udp 10.0.0.2:40000 > 10.0.0.1:5201 veth1 (rule voice)`; long addresses are shortened.
pub fn describe(flow: &Flow) -> String {
    let text = describe_key(&flow.key, &flow.interface);
    match &flow.rule {
        Some(rule) => format!("{text} (rule {rule})"),
        None => text,
    }
}

/// The same of a flow that may be gone.
pub fn describe_key(key: &FlowKey, interface: &str) -> String {
    let context = Context::default();
    let source = source_of(key, &context).fit(28, &context);
    let destination = destination_of(key, &context).fit(28, &context);
    let protocol = key.protocol;
    format!("{protocol} {source} > {destination} {interface}")
}
