//! Names of services by port, in the form of /etc/services. Reading the file is the runtime's work.

use std::collections::HashMap;

use super::flow::Protocol;
use super::harmless::is_harmless;

/// Service names by port and protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Services {
    names: HashMap<(u16, Protocol), String>,
}

impl Services {
    /// Reads the text of /etc/services; lines that are not understood are left out.
    pub fn parse(text: &str) -> Services {
        let mut names = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            let (Some(name), Some(place)) = (words.next(), words.next()) else {
                continue;
            };
            let Some((port, protocol)) = place.split_once('/') else {
                continue;
            };
            let protocol = Protocol::ALL.into_iter().find(|p| p.name() == protocol);
            if let (Ok(port), Some(protocol)) = (port.parse(), protocol) {
                let name = name.chars().filter(|c| is_harmless(*c)).collect();
                names.entry((port, protocol)).or_insert(name);
            }
        }
        Services { names }
    }

    /// The name of the service on this port.
    pub fn name(&self, port: u16, protocol: Protocol) -> Option<&str> {
        self.names.get(&(port, protocol)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_port_counts() {
        let text =
            "# services\nssh 22/tcp # shell\nhttp\t80/tcp www\nwww 80/tcp\nodd 1/ddp\nshort\n";
        let services = Services::parse(text);
        assert_eq!(services.name(22, Protocol::Tcp), Some("ssh"));
        assert_eq!(services.name(80, Protocol::Tcp), Some("http"));
        assert_eq!(services.name(80, Protocol::Udp), None);
    }
}
