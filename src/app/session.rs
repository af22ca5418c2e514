//! The SSH session that flowtop itself runs in: its flow is marked, so that nobody chases it.

use std::net::IpAddr;

use crate::model::flow::{FlowKey, Protocol};

/// The two ends of an SSH session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SshSession {
    client: (IpAddr, u16),
    server: (IpAddr, u16),
}

impl SshSession {
    /// Reads `SSH_CONNECTION`: client address, client port, server address, server port.
    pub fn parse(text: &str) -> Option<SshSession> {
        let mut words = text.split_ascii_whitespace();
        let mut end = || -> Option<(IpAddr, u16)> {
            let address: IpAddr = words.next()?.split('%').next()?.parse().ok()?;
            Some((address.to_canonical(), words.next()?.parse().ok()?))
        };
        Some(SshSession {
            client: end()?,
            server: end()?,
        })
    }

    /// Whether this flow is one direction of the session.
    pub fn carries(&self, key: &FlowKey) -> bool {
        let source = (key.source, key.source_port);
        let destination = (key.destination, key.destination_port);
        key.protocol == Protocol::Tcp
            && ((source, destination) == (self.client, self.server)
                || (source, destination) == (self.server, self.client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_with_zones_and_mapped_addresses() {
        assert!(SshSession::parse("10.0.0.9 50000 10.0.0.1 22").is_some());
        assert!(SshSession::parse("fe80::1%eth0 50000 fe80::2%eth0 22").is_some());
        let mapped = SshSession::parse("::ffff:10.0.0.9 50000 ::ffff:10.0.0.1 22");
        assert_eq!(mapped, SshSession::parse("10.0.0.9 50000 10.0.0.1 22"));
        for text in ["", "10.0.0.9 50000 10.0.0.1", "a 1 b 2"] {
            assert_eq!(SshSession::parse(text), None);
        }
    }
}
