//! What is sent to the hosts, and the sender's own account of it.

use std::time::SystemTime;

use super::hosts::{Fleet, HOSTS, TICK};
use super::support::clock::{self, Pacer};
use super::support::craft::{IPV4, ethernet, tcp, v4};
use super::support::frames::{FrameSender, Udp};

/// The host with a flow that loses one in a hundred, counted from 0, and the flow's port.
pub const LOSSY: (usize, u16) = (2, 10_001);
/// A host with a flow that loses one in a thousand: not the one that is looked for.
const SLIGHTLY_LOSSY: (usize, u16) = (5, 10_002);
/// The host with flows that come and go.
pub const FLOODED: usize = 4;
/// Flows of `voice` on each host, of different rates.
const VOICE: [(u16, u32); 3] = [(10_000, 1), (10_001, 30), (10_002, 10)];

/// What a host was sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Packets.
    pub packets: u64,
    /// Bytes on the wire.
    pub bytes: u64,
}

/// The sender's account.
#[derive(Debug, Default)]
pub struct Account {
    /// By host.
    pub hosts: [Sent; HOSTS],
    /// Numbers of the lossy flow that were left out, and all of its numbers.
    pub lossy: (u64, u64),
    /// Flows that came to the flooded host.
    pub brief_flows: u64,
    /// A moment when all of it was under way.
    pub midst: Option<SystemTime>,
}

/// Sends to a host and counts it.
pub fn send(sender: &FrameSender, sent: &mut Sent, frame: &[u8]) {
    sender.send(frame);
    sent.packets += 1;
    sent.bytes += frame.len() as u64;
}

/// For so many ticks: flows that last on all hosts, and on one as many brief ones a tick as `flood` says.
pub fn storm(fleet: &Fleet, ticks: u32, flood: u32) -> Account {
    let mut account = Account::default();
    let mut pacer = Pacer::start();
    for tick in 0..ticks {
        if tick == ticks / 4 * 3 {
            account.midst = Some(SystemTime::now());
        }
        for (index, host) in fleet.hosts.iter().enumerate() {
            let mut send = |frame: &[u8]| send(&host.sender, &mut account.hosts[index], frame);
            for (port, rate) in VOICE {
                for number in tick * rate..(tick + 1) * rate {
                    let lost = match (index, port) {
                        LOSSY => number % 100 == 50,
                        SLIGHTLY_LOSSY => number % 1000 == 500,
                        _ => false,
                    };
                    if (index, port) == LOSSY {
                        account.lossy.0 += u64::from(lost);
                        account.lossy.1 += 1;
                    }
                    if !lost {
                        send(&Udp::to_port(port).with_number(number, 0, 160).frame());
                    }
                }
            }
            send(&segment(tick));
            match tick % 50 {
                0 => send(&ethernet(0x0806, &[0; 28])),
                10 => send(&Udp::to_port(7).with_payload(vec![0; 20]).frame()),
                20 => send(&ethernet(IPV4, &[0x45, 0, 0])),
                _ => {}
            }
        }
        let host = &fleet.hosts[FLOODED];
        let mut send = |frame: &[u8]| send(&host.sender, &mut account.hosts[FLOODED], frame);
        for flow in tick * flood..(tick + 1) * flood {
            if flow % 100 == 0 {
                clock::wait_for_backlog(200);
            }
            send(&brief(flow));
            account.brief_flows += 1;
        }
        // Ten at a time that live for three seconds, some of them larger than others.
        for age in 0..10 {
            let flow = (tick / 30).wrapping_sub(age);
            for _ in 0..flow % 7 + 1 {
                send(&Udp::to_port(29_000 + (flow % 1000) as u16).frame());
            }
        }
        clock::wait_for_backlog(200);
        pacer.wait(TICK);
    }
    account
}

/// A flow of one packet.
fn brief(flow: u32) -> Vec<u8> {
    let mut udp = Udp::to_port(20_000 + (flow / 50_000) as u16);
    udp.source_port = (flow % 50_000) as u16 + 1000;
    udp.with_payload(vec![0; (flow % 100) as usize]).frame()
}

/// The next segment of a connection in which some bytes never come.
fn segment(tick: u32) -> Vec<u8> {
    const BYTES: u32 = 100;
    let number = 1000 + tick * BYTES + tick / 100 * 40;
    ethernet(
        IPV4,
        &v4(
            6,
            &tcp((40_000, 80), number, 0x10, &[], &[0; BYTES as usize]),
        ),
    )
}
