//! What an export of flow records by IPFIX (RFC 7011) is asked for, and how it went.

use std::fmt;
use std::time::Duration;

/// How messages get to a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams: nobody hears of one that is lost.
    Udp,
    /// A stream.
    Tcp,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 2] = [Transport::Udp, Transport::Tcp];

    /// What stands in front of `://`.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }
}

/// Who gets the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// The way there.
    pub transport: Transport,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Collector {
    /// Reads `HOST:PORT`, which is one of UDP, `udp://HOST:PORT` or `tcp://HOST:PORT`; addresses of IPv6 are in brackets. The
    /// error says what would be right.
    pub fn parse(text: &str) -> Result<Collector, String> {
        let expected = || "expected HOST:PORT or tcp://HOST:PORT, such as 192.0.2.1:4739 or [2001:db8::1]:4739";
        let (transport, rest) = match text.split_once("://") {
            None => (Transport::Udp, text),
            Some((scheme, rest)) => {
                let found = Transport::ALL.into_iter().find(|it| it.name() == scheme);
                (found.ok_or_else(expected)?, rest)
            }
        };
        let (host, port) = rest.rsplit_once(':').ok_or_else(expected)?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let inside = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let is_address = |it: &&str| it.parse::<std::net::Ipv6Addr>().is_ok();
        let is_name = |it: &&str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
            !it.is_empty() && it.chars().all(fits)
        };
        let host = match inside {
            Some(inside) => Some(inside).filter(is_address),
            None => Some(host).filter(is_name),
        };
        match (host, port) {
            (Some(host), Some(port)) => Ok(Collector {
                transport,
                host: host.to_owned(),
                port,
            }),
            _ => Err(expected().to_owned()),
        }
    }
}

impl fmt::Display for Collector {
    /// As [`parse`](Collector::parse) reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Udp => "",
            Transport::Tcp => "tcp://",
        };
        match self.host.contains(':') {
            true => write!(f, "{scheme}[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}{}:{}", self.host, self.port),
        }
    }
}

/// Which information elements records have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elements {
    /// Those of IANA's registry, and flowtop's own.
    All,
    /// Those of IANA's registry alone.
    Standard,
}

impl Elements {
    /// The words of the configuration.
    pub const ALL: [(&'static str, Elements); 2] =
        [("all", Elements::All), ("standard", Elements::Standard)];
}

/// The private enterprise number of documentation (RFC 5612): flowtop has none of its own.
pub const DOCUMENTATION: u32 = 32473;

/// What is exported, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipfix {
    /// Who gets it.
    pub collector: Collector,
    /// Time between two records of a flow that goes on.
    pub interval: Duration,
    /// Observation domain id (RFC 7011, section 3.1), which is not 0: that is the exporter's own.
    pub domain: u32,
    /// Names of the rules whose flows are exported; none: all flows are.
    pub rules: Vec<String>,
    /// The private enterprise number under which flowtop's own elements are.
    pub enterprise: u32,
    /// Which elements.
    pub elements: Elements,
}

impl Ipfix {
    /// Everything to this collector once a minute.
    pub fn to(collector: Collector) -> Ipfix {
        Ipfix {
            collector,
            interval: Duration::from_secs(60),
            domain: 1,
            rules: Vec::new(),
            enterprise: DOCUMENTATION,
            elements: Elements::All,
        }
    }

    /// What there is, or everything, to this collector.
    pub fn redirected(own: Option<Ipfix>, collector: &Collector) -> Ipfix {
        let collector = collector.clone();
        match own {
            Some(own) => Ipfix { collector, ..own },
            None => Ipfix::to(collector),
        }
    }
}

/// How it went so far. All but `is_connected` only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportCounts {
    /// Records of flows and of counts that were sent.
    pub records: u64,
    /// Those of flows among them.
    pub flow_records: u64,
    /// Messages that were sent.
    pub messages: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Records of flows that could not be kept until the collector took them, or that it refused.
    pub records_lost: u64,
    /// Packets in these.
    pub packets_lost: u64,
    /// Bytes on the wire in these.
    pub bytes_lost: u64,
    /// Times that sending failed, or a connection could not be made or broke.
    pub failures: u64,
    /// TCP: whether there is a connection now. UDP: always.
    pub is_connected: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collectors_are_written_as_they_are_read() {
        for text in [
            "192.0.2.1:4739",
            "tcp://collector.example:1",
            "[2001:db8::1]:4739",
            "tcp://[::1]:65535",
        ] {
            let collector = Collector::parse(text).unwrap();
            assert_eq!(collector.to_string(), text);
        }
        let udp = Collector::parse("udp://localhost:4739").unwrap();
        let own = Ipfix {
            domain: 7,
            ..Ipfix::to(Collector::parse("tcp://[::1]:65535").unwrap())
        };
        let redirected = Ipfix {
            collector: udp.clone(),
            ..own.clone()
        };
        assert_eq!(Ipfix::redirected(Some(own), &udp), redirected);
        assert_eq!(Ipfix::redirected(None, &udp), Ipfix::to(udp.clone()));
        assert_eq!(udp.transport, Transport::Udp);
        assert_eq!(udp.to_string(), "localhost:4739");
    }

    #[test]
    fn what_is_no_collector_is_refused() {
        for text in [
            "",
            "host",
            "host:",
            ":4739",
            "host:0",
            "host:65536",
            "sctp://host:4739",
            "2001:db8::1:4739",
            "[host]:4739",
            "a b:4739",
            "tcp://:4739",
            "tcp://h/:1",
        ] {
            assert!(Collector::parse(text).is_err(), "{text}");
        }
    }
}
