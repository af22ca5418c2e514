//! The reference model of the measurements, itself held to expectations computed by hand.

mod reference;

#[path = "reference_self/account.rs"]
mod account;
#[path = "reference_self/gaps.rs"]
mod gaps;
#[path = "reference_self/packet.rs"]
mod packet;
#[path = "reference_self/payload.rs"]
mod payload;
#[path = "reference_self/senders.rs"]
mod senders;
#[path = "reference_self/sequence.rs"]
mod sequence;
#[path = "reference_self/tcp.rs"]
mod tcp;
