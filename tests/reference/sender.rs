//! A sender: goes on with the numbers of each conversation from frame to frame.

use std::collections::HashMap;

use flowtop::model::rule::SequenceProfile;

use super::build::{frame, numbers_in};
use super::packet::Link;
use super::spec::{Conversation, FrameSpec, Network, Place, Transport};

/// Where each conversation is in its numbers.
#[derive(Debug, Default)]
pub struct Sender {
    next: HashMap<(u8, Option<u16>, bool, u8, Conversation), u32>,
    start: u32,
}

impl Sender {
    /// A sender whose first numbers are near this one.
    pub fn new(start: u32) -> Sender {
        Sender {
            next: HashMap::new(),
            start,
        }
    }

    /// The bytes of the next frame.
    pub fn build(
        &mut self,
        spec: &FrameSpec,
        place: Place,
        link: Link,
        profile: &SequenceProfile,
    ) -> Vec<u8> {
        let v6 = matches!(spec.network, Network::V6(_));
        let vlan = spec.tags.first().map(|tag| tag.1);
        let (kind, unit) = match spec.transport {
            Transport::Tcp(flags, _) => (
                6,
                u32::from(spec.payload.length) + (flags & 1 != 0) as u32 + (flags & 2 != 0) as u32,
            ),
            Transport::Udp(_) => (17, numbers_in(spec)),
            Transport::Icmp(kind, _) | Transport::Icmpv6(kind, _) => (kind, 1),
            Transport::Raw(protocol) => (protocol, 1),
        };
        let key = (spec.interface, vlan, v6, kind, spec.conversation);
        let next = self.next.entry(key).or_insert(self.start);
        let distance = match (kind, spec.step.distance) {
            (6, small @ -99..100) if spec.step.scaled => small.wrapping_mul(unit as i32),
            // Of TCP's bytes no more than half the number space can be missing at a time.
            (6, far) if far.unsigned_abs() > 1 << 25 => far >> 8,
            (_, distance) => distance,
        };
        let number = next.wrapping_add_signed(distance);
        if spec.step.follow {
            *next = number.wrapping_add(unit);
        }
        frame(spec, place, link, profile, number)
    }
}
