//! Flows that have something in common: which groups there are, and what the flows of each come to.
//!
//! They are made of a report when somebody looks at them, in one pass over its flows; nothing is kept from one report to
//! the next.

use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rustc_hash::FxHashMap;

use super::flow::Protocol;
use super::snapshot::Volume;
use super::tracker::{Flow, Rates, loss_percent};

/// Bits of the prefix that makes a subnet, of IPv4 and of IPv6.
const SUBNET: (u8, u8) = (24, 64);

/// What the flows of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The rule that admitted them.
    Rule,
    /// Source address.
    Source,
    /// Destination address.
    Destination,
    /// The subnet of the source: a prefix of 24 bits, of IPv6 one of 64.
    SourceSubnet,
    /// The same of the destination.
    DestinationSubnet,
    /// The interface that they came in on, by its name.
    Interface,
    /// Protocol and destination port.
    DestinationPort,
    /// Protocol and source port.
    SourcePort,
}

impl GroupBy {
    /// All of them, in the order in which a key goes through them.
    pub const ALL: [GroupBy; 8] = [
        GroupBy::Rule,
        GroupBy::Source,
        GroupBy::Destination,
        GroupBy::SourceSubnet,
        GroupBy::DestinationSubnet,
        GroupBy::Interface,
        GroupBy::DestinationPort,
        GroupBy::SourcePort,
    ];

    /// The name in the configuration.
    pub const fn id(self) -> &'static str {
        match self {
            GroupBy::Rule => "rule",
            GroupBy::Source => "source",
            GroupBy::Destination => "destination",
            GroupBy::SourceSubnet => "source_subnet",
            GroupBy::DestinationSubnet => "destination_subnet",
            GroupBy::Interface => "interface",
            GroupBy::DestinationPort => "destination_port",
            GroupBy::SourcePort => "source_port",
        }
    }

    /// The same as words.
    pub fn words(self) -> String {
        self.id().replace('_', " ")
    }

    /// The one behind it, round and round.
    pub fn next(self) -> GroupBy {
        let all = GroupBy::ALL;
        let now = all.iter().position(|by| *by == self).unwrap_or(0);
        all[(now + 1) % all.len()]
    }

    /// Whose flow it is.
    fn key(self, flow: &Flow) -> GroupKey {
        let key = &flow.key;
        match self {
            GroupBy::Rule => GroupKey::Rule(flow.rule.clone()),
            GroupBy::Interface => GroupKey::Interface(flow.interface.clone()),
            GroupBy::Source => GroupKey::Network(key.source.into()),
            GroupBy::Destination => GroupKey::Network(key.destination.into()),
            GroupBy::SourceSubnet => GroupKey::Network(subnet(key.source)),
            GroupBy::DestinationSubnet => GroupKey::Network(subnet(key.destination)),
            _ if !key.protocol.has_ports() => GroupKey::Portless(key.protocol),
            GroupBy::DestinationPort => GroupKey::Port(key.destination_port, key.protocol),
            GroupBy::SourcePort => GroupKey::Port(key.source_port, key.protocol),
        }
    }

    /// The group of this flow, as it would be without others; `severity` is how bad its trouble is, if it is in any.
    pub fn alone(self, flow: &Flow, severity: Option<f64>) -> FlowGroup {
        let mut figures = GroupFigures::default();
        figures.add(flow, severity);
        figures.jitter_ms = figures.worst_jitter_ms;
        let key = self.key(flow);
        FlowGroup { key, figures }
    }

    /// The filter that the flows of this group pass. Names are matched in any case, and `?` stands in them for what means
    /// something else in a filter: those that differ in nothing else pass, too.
    pub fn filter(self, key: &GroupKey) -> String {
        let is_of_source = matches!(
            self,
            GroupBy::Source | GroupBy::SourceSubnet | GroupBy::SourcePort
        );
        match key {
            GroupKey::Rule(Some(name)) => format!("rule:{}", pattern_of(name)),
            GroupKey::Rule(None) => "!rule:*".to_owned(),
            GroupKey::Interface(name) => format!("iface:{}", pattern_of(name)),
            GroupKey::Network(net) => {
                let side = if is_of_source { "src" } else { "dst" };
                match key.address() {
                    Some(address) => format!("{side}:{address}"),
                    None => format!("{side}:{net}"),
                }
            }
            GroupKey::Port(port, protocol) => {
                let side = if is_of_source { "sport" } else { "dport" };
                format!("{side}:{port} proto:{protocol}")
            }
            // In a filter ICMP is that of both families.
            GroupKey::Portless(Protocol::Icmp) => "proto:icmp !proto:icmpv6".to_owned(),
            GroupKey::Portless(protocol) => format!("proto:{protocol}"),
        }
    }
}

fn subnet(address: IpAddr) -> IpNet {
    let bits = match address {
        IpAddr::V4(_) => SUBNET.0,
        IpAddr::V6(_) => SUBNET.1,
    };
    IpNet::new(address, bits).map_or(address.into(), |net| net.trunc())
}

/// A name as it is asked for in a filter: `?` stands for what means something else there.
fn pattern_of(name: &str) -> String {
    name.replace([' ', ',', '<', '>', '=', '!', '(', ')', '*'], "?")
}

/// Which group it is. Ordered, so that it can break ties when rows are sorted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupKey {
    /// A rule by its name; `None`: no rule admitted them.
    Rule(Option<Arc<str>>),
    /// An interface by its name.
    Interface(Arc<str>),
    /// An address, which is the prefix of all of its bits, or a subnet.
    Network(IpNet),
    /// A port of a protocol.
    Port(u16, Protocol),
    /// A protocol without ports.
    Portless(Protocol),
}

impl GroupKey {
    /// The address that all of its flows have in common, if it is a group by addresses.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            GroupKey::Network(net) if net.prefix_len() == net.max_prefix_len() => Some(net.addr()),
            _ => None,
        }
    }
}

/// Numbers that came and numbers that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Numbers {
    lost: u64,
    arrived: u64,
}

/// What some flows come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupFigures {
    /// How many flows.
    pub flows: usize,
    /// How many of them are in trouble.
    pub in_trouble: usize,
    /// How many of them lost something in the latest interval.
    pub losing: usize,
    /// How bad the worst trouble is; larger is worse.
    pub severity: Option<f64>,
    /// Packets and bytes on the wire.
    pub volume: Volume,
    /// The sum of the rates that are known.
    pub rates: Option<Rates>,
    numbers: Numbers,
    of_tcp: Numbers,
    /// The largest loss of a flow, percent.
    pub worst_loss: Option<f64>,
    /// The median of the flows' jitter, ms; of an even number of flows the mean of the two in the middle.
    pub jitter_ms: Option<f64>,
    /// The largest jitter of a flow, ms.
    pub worst_jitter_ms: Option<f64>,
}

impl GroupFigures {
    fn add(&mut self, flow: &Flow, severity: Option<f64>) {
        self.flows += 1;
        self.in_trouble += usize::from(severity.is_some());
        self.losing += usize::from(flow.is_losing());
        self.severity = larger(self.severity, severity);
        self.volume += flow.counts.volume();
        if let Some(rates) = flow.rates {
            *self.rates.get_or_insert_default() += rates;
        }
        if let Some(sequence) = &flow.counts.sequence {
            let numbers = match sequence.is_of_stream() {
                true => &mut self.of_tcp,
                false => &mut self.numbers,
            };
            numbers.lost += sequence.lost;
            numbers.arrived += flow.counts.arrived();
        }
        self.worst_loss = larger(self.worst_loss, flow.loss_percent());
        self.worst_jitter_ms = larger(self.worst_jitter_ms, flow.interarrival.jitter_ms());
    }

    /// Share of what is missing in what was sent, percent, over all flows whose numbers count packets.
    pub fn loss_percent(&self) -> Option<f64> {
        loss_percent(self.numbers.lost, self.numbers.arrived)
    }

    /// The same of TCP, whose numbers count bytes.
    pub fn tcp_loss_percent(&self) -> Option<f64> {
        loss_percent(self.of_tcp.lost, self.of_tcp.arrived)
    }

    /// Whether no packet came in the latest interval.
    pub fn is_idle(&self) -> bool {
        self.rates.is_some_and(|rates| rates.packet_rate == 0.0)
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (known, other) => known.or(other),
    }
}

/// A group and what its flows come to.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowGroup {
    /// Which group.
    pub key: GroupKey,
    /// What its flows come to.
    pub figures: GroupFigures,
}

/// All groups of some flows. Each flow is in one of them.
#[derive(Debug, Default)]
pub struct FlowGroups {
    groups: Vec<FlowGroup>,
    places: FxHashMap<GroupKey, u32>,
    /// The place of each flow's group, in the order of the flows.
    place_of: Vec<u32>,
}

impl FlowGroups {
    /// The groups of these flows; `severity` is how bad a flow's trouble is, if it is in any.
    pub fn of<'a>(
        flows: impl Iterator<Item = &'a Flow>,
        by: GroupBy,
        severity: impl Fn(&Flow) -> Option<f64>,
    ) -> FlowGroups {
        let mut all = FlowGroups::default();
        all.remake(flows, by, severity);
        all
    }

    /// Makes them anew of these flows, in the memory that they have.
    pub fn remake<'a>(
        &mut self,
        flows: impl Iterator<Item = &'a Flow>,
        by: GroupBy,
        severity: impl Fn(&Flow) -> Option<f64>,
    ) {
        self.groups.clear();
        self.places.clear();
        self.place_of.clear();
        let mut jitters = Vec::new();
        for flow in flows {
            let place = self.place(by.key(flow));
            self.place_of.push(place);
            self.groups[place as usize]
                .figures
                .add(flow, severity(flow));
            jitters.extend(flow.interarrival.jitter_ms().map(|ms| (place, ms)));
        }
        jitters.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        for its in jitters.chunk_by(|a, b| a.0 == b.0) {
            let middle = |at: usize| its[at].1;
            let median = (middle((its.len() - 1) / 2) + middle(its.len() / 2)) / 2.0;
            self.groups[its[0].0 as usize].figures.jitter_ms = Some(median);
        }
    }

    /// The place of the group with this key, which is made if there is none.
    fn place(&mut self, key: GroupKey) -> u32 {
        match self.places.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let place = self.groups.len() as u32;
                self.groups.push(FlowGroup {
                    key: new.key().clone(),
                    figures: GroupFigures::default(),
                });
                *new.insert(place)
            }
        }
    }

    /// The groups, in no particular order.
    pub fn all(&self) -> &[FlowGroup] {
        &self.groups
    }

    /// The place among [all](Self::all) of each flow's group, in the order in which the flows were handed in.
    pub fn place_of_each(&self) -> &[u32] {
        &self.place_of
    }

    /// What the flows of this group come to; `None` where it has none.
    pub fn figures(&self, key: &GroupKey) -> Option<&GroupFigures> {
        let place = *self.places.get(key)?;
        Some(&self.groups[place as usize].figures)
    }
}
