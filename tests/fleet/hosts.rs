//! Eight hosts: each is a flowtop in a namespace of its own, with an interface that traffic comes in on and another one
//! that leads to those who scrape.

use std::time::Duration;

use flowtop::netns::{self, End, Namespace};
use serde_json::Value;

use super::support::frames::FrameSender;
use super::support::pair::{Pair, RECEIVER_LINK};
use super::support::program::{Ended, Flowtop, interface, number};
use super::support::resident_kib;

/// So many hosts.
pub const HOSTS: usize = 8;
/// What is asked of all of them: `voice` and `web` have few flows, `brief` has more than may be shown.
pub const CONFIG: &str = r#"{
    "RULES": {
        "voice": {"match": "- - - 10000-10009 UDP", "OFFSET": 0, "EXPORT": 4},
        "web": {"match": "- - - 80 TCP", "EXPORT": 1},
        "brief": {"match": "- - - 20000-29999 UDP", "EXPORT": 20}
    },
    "MAX_SERIES": 180, "MAX_FLOWS": 256, "FLOW_TIMEOUT": 1,
    "ALERTS": [{"column": "loss_percent", "above": 0.5, "for": 1}]
}"#;
/// `MAX_SERIES` of it.
pub const MAX_SERIES: f64 = 180.0;

const PORT: u16 = 9788;
const TO_SCRAPERS: &str = "scraped0";

/// A host under test.
pub struct Host {
    /// What it sees comes through this.
    pub sender: FrameSender,
    /// Where it is scraped: `ADDRESS:PORT`, its `instance`.
    pub target: String,
    pair: Pair,
    run: Option<Flowtop>,
    config: &'static str,
}

impl Host {
    /// Host `number`, from 1 on, that whoever is in `hub` can reach.
    fn start(hub: &Namespace, number: u8, config: &'static str) -> Host {
        let pair = Pair::quiet();
        let name = format!("host{number}");
        let outside = End {
            namespace: hub,
            name: &name,
            hardware_address: [2, 1, 0, 0, number, 1],
        };
        let inside = End {
            namespace: &pair.receiver,
            name: TO_SCRAPERS,
            hardware_address: [2, 1, 0, 0, number, 2],
        };
        netns::join(&outside, &inside).expect("a way to the scrapers");
        netns::set_up(&outside, &inside).expect("set the links up");
        for (end, last) in [(&outside, 1), (&inside, 2)] {
            let net = format!("10.9.{number}.{last}/24")
                .parse()
                .expect("an address");
            netns::add_address(end, net).expect("an address of its own");
        }
        let sender = FrameSender::on(&pair);
        let target = format!("10.9.{number}.2:{PORT}");
        let mut host = Host {
            sender,
            target,
            pair,
            run: None,
            config,
        };
        host.begin();
        host
    }

    /// Starts the run.
    pub fn begin(&mut self) {
        let arguments = ["-i", RECEIVER_LINK, "-t", "0.5", "--listen", &self.target];
        self.run = Some(Flowtop::start(&self.pair.receiver, self.config, &arguments));
    }

    /// Ends the run.
    pub fn end(&mut self) -> Ended {
        self.run.take().expect("a run").finish()
    }

    /// The run that goes on.
    pub fn run(&mut self) -> &mut Flowtop {
        self.run.as_mut().expect("a run")
    }

    /// Memory that its process has now.
    pub fn resident_kib(&mut self) -> u64 {
        resident_kib(self.run().pid())
    }

    /// Waits until the run itself says that it has seen so many packets.
    pub fn settle(&mut self, packets: u64) -> Value {
        let run = self.run();
        let seen = |record: &Value| number(&interface(record, RECEIVER_LINK)["seen"]["packets"]);
        run.until("all packets", |record| seen(record) >= packets)
            .clone()
    }
}

/// A hub and the hosts around it.
pub struct Fleet {
    /// Where databases run.
    pub hub: Namespace,
    /// All hosts.
    pub hosts: Vec<Host>,
}

impl Fleet {
    /// Starts so many with this configuration.
    pub fn start(hosts: usize, config: &'static str) -> Fleet {
        let hub = Namespace::create().expect("a namespace");
        let hosts = (1..=hosts as u8)
            .map(|number| Host::start(&hub, number, config))
            .collect();
        Fleet { hub, hosts }
    }

    /// Where they are scraped.
    pub fn targets(&self) -> Vec<String> {
        self.hosts.iter().map(|host| host.target.clone()).collect()
    }
}

/// A step of traffic, as long as the fleet's pacing has it.
pub const TICK: Duration = Duration::from_millis(10);
