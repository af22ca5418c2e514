//! Notices what is worth an event, by comparing each report with the one before.
//!
//! Runs at every refresh, paused screen or not. Flows without a packet since the last report cost a
//! comparison and nothing else; what floods is summed up.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::column::{Context, by_id};
use super::event::{EventKind, EventLog, TimeOfDay};
use super::flow::{FlowKey, Protocol};
use super::snapshot::{Hook, LinkState};
use super::tracker::{Flow, Interface, Report, RuleReport};
use super::units;

/// At most this many events about flows in one report; the rest is summed up in one more.
const MOST_AT_ONCE: usize = 20;

/// A rule without a packet for so long is worth an event, ns.
const SILENCE_NS: u64 = 60_000_000_000;

/// A flow with fewer packets between two pauses is no stream: that it goes on is not worth an event.
const STREAM_PACKETS: u64 = 10;

/// At most this many flows' late packets are told in one report; the others wait.
const LATE_AT_ONCE: usize = 3;

/// After late packets of a flow were told, more of them are told together after this, ns.
const LATE_AGAIN_NS: u64 = 60_000_000_000;

#[derive(Clone, Copy, PartialEq)]
struct SeenFlow {
    gaps: u64,
    lost: u64,
    restarts: u64,
    epochs: u32,
    late: u64,
    /// Packets when the latest jitter epoch was noticed.
    packets_then: u64,
}

/// A rule in force, since when it is known, and whether its silence was told.
#[derive(Clone, Copy)]
struct SeenRule {
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

/// Late packets of one flow that were told.
#[derive(Clone, Copy)]
struct ToldLate {
    late: u64,
    told_ns: u64,
    at: TimeOfDay,
}

/// What the previous report said.
#[derive(Default)]
pub struct Observer {
    flows: FxHashMap<FlowKey, SeenFlow>,
    late: FxHashMap<FlowKey, ToldLate>,
    rules: FxHashMap<Arc<str>, SeenRule>,
    interfaces: FxHashMap<u32, SeenInterface>,
    taken_ns: u64,
    insert_failures: u64,
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
        self.taken_ns = report.taken_ns;
        self.forget(report);
    }

    fn observe_flows(&mut self, report: &Report, at: TimeOfDay, log: &mut EventLog) {
        let mut told = 0;
        let mut late_told = 0;
        let mut untold = 0;
        for flow in &report.flows {
            if flow.last_seen_ns < self.taken_ns {
                continue;
            }
            let mut seen = SeenFlow::of(flow);
            if seen == SeenFlow::UNSEEN {
                continue;
            }
            let slot = self.flows.entry(flow.key).or_insert(SeenFlow::UNSEEN);
            let before = *slot;
            seen.packets_then = match seen.epochs == before.epochs {
                true => before.packets_then,
                false => flow.counts.packets,
            };
            *slot = seen;
            if late_told < LATE_AT_ONCE
                && let Some(text) = self.late_text(flow, seen.late, report.taken_ns, at)
            {
                let text = format!("{text}: {}", describe(flow));
                log.push(at, EventKind::Late, Some(flow.key), text);
                late_told += 1;
            }
            for (kind, text) in seen.changes(&before, flow) {
                if told < MOST_AT_ONCE {
                    let text = format!("{text}: {}", describe(flow));
                    log.push(at, kind, Some(flow.key), text);
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

    /// What to tell of late packets: the first at once, more of them once a minute.
    fn late_text(&mut self, flow: &Flow, late: u64, now_ns: u64, at: TimeOfDay) -> Option<String> {
        if late == 0 {
            return None;
        }
        let told = self.late.get(&flow.key).copied();
        let (before, since) = match told.filter(|told| told.late <= late) {
            Some(told) if told.late == late => return None,
            Some(told) if now_ns.saturating_sub(told.told_ns) < LATE_AGAIN_NS => return None,
            Some(told) => (told.late, Some(told.at)),
            None => (0, None),
        };
        let told_ns = now_ns;
        self.late.insert(flow.key, ToldLate { late, told_ns, at });
        let count = units::count(late - before);
        // Retransmitted and overtaken segments of TCP look the same.
        let verb = match flow.key.protocol {
            Protocol::Tcp => "retransmitted or late",
            _ => "came late",
        };
        Some(match since {
            Some(since) => format!("{count} {verb} since {since}"),
            None => format!("{count} {verb}"),
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
            let silent = report.taken_ns.saturating_sub(since_ns) >= SILENCE_NS;
            let text = match (std::mem::replace(&mut seen.silent, silent), silent) {
                (false, true) => {
                    let seconds = SILENCE_NS / 1_000_000_000;
                    format!("rule {}: no packet for {seconds} s", rule.name)
                }
                (true, false) => format!("rule {}: packets again", rule.name),
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
        let full = table.counts.insert_failures > self.insert_failures;
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
        self.insert_failures = table.counts.insert_failures;
    }

    /// Tells that all totals start at zero: what was remembered of them means nothing any more.
    pub fn start_at_zero(&mut self) {
        for seen in self.flows.values_mut() {
            let epochs = seen.epochs;
            *seen = SeenFlow {
                epochs,
                ..SeenFlow::UNSEEN
            };
        }
        self.late.clear();
    }

    /// Drops what is remembered of flows that are gone, once that is the larger part.
    fn forget(&mut self, report: &Report) {
        if self.flows.len() <= 2 * report.flows.len() + 1024 {
            return;
        }
        let listed: FxHashSet<FlowKey> = report.flows.iter().map(|flow| flow.key).collect();
        self.flows.retain(|key, _| listed.contains(key));
        self.late.retain(|key, _| listed.contains(key));
    }
}

impl SeenFlow {
    /// A flow before its first packet.
    const UNSEEN: SeenFlow = SeenFlow {
        gaps: 0,
        lost: 0,
        restarts: 0,
        epochs: 1,
        late: 0,
        packets_then: 0,
    };

    fn of(flow: &Flow) -> SeenFlow {
        let sequence = flow.counts.sequence.unwrap_or_default();
        SeenFlow {
            gaps: sequence.small_errors + sequence.big_errors,
            lost: sequence.lost,
            restarts: sequence.restarts,
            epochs: flow.jitter_epochs,
            late: sequence.reverse_errors,
            packets_then: 0,
        }
    }

    /// What happened since `before`. Totals that went down were set to zero: nothing happened.
    fn changes(&self, before: &SeenFlow, flow: &Flow) -> Vec<(EventKind, String)> {
        let mut changes = Vec::new();
        let current = flow.counts.sequence.and_then(|s| s.current).unwrap_or(0);
        // Gaps that late packets have filled again are no loss: of those, the late packets are told.
        if self.gaps > before.gaps && self.lost > before.lost {
            let missing = units::count(self.lost - before.lost);
            let bytes = match flow.key.protocol {
                Protocol::Tcp => " bytes",
                _ => "",
            };
            // Each gap that stayed open lacks at least one number.
            let gaps = (self.gaps - before.gaps).min(self.lost - before.lost);
            let text = match gaps {
                1 => format!("{missing}{bytes} lost before {current}"),
                gaps => format!("{missing}{bytes} lost in {gaps} gaps up to {current}"),
            };
            changes.push((EventKind::Gap, text));
        }
        if self.restarts > before.restarts {
            let text = format!("starts again at {current}");
            changes.push((EventKind::Restart, text));
        }
        let packets = flow.counts.packets.saturating_sub(before.packets_then);
        if self.epochs > before.epochs && packets >= STREAM_PACKETS {
            let text = format!("jitter epoch {}", self.epochs);
            changes.push((EventKind::Resumed, text));
        }
        changes
    }
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

/// A flow in a few words: `udp 10.0.0.2:40000 > 10.0.0.1:5201 veth1`; long addresses are shortened.
pub fn describe(flow: &Flow) -> String {
    let context = Context::default();
    let text = |id| by_id(id).map(|column| column.value(flow, &context).fit(28, &context));
    let source = text("source").unwrap_or_default();
    let destination = text("destination").unwrap_or_default();
    let (protocol, interface) = (flow.key.protocol, &flow.interface);
    format!("{protocol} {source} > {destination} {interface}")
}
