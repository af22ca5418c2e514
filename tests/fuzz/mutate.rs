//! Frames out of frames: bits, bytes, lengths, cuts and joints, where headers are.

use crate::dice::Dice;
use crate::input::Input;
use crate::reference::packet::{Gso, Link};

/// Bytes that mean something somewhere: versions, header lengths, protocols, types.
const BYTES: [u8; 30] = [
    0, 1, 2, 3, 4, 6, 8, 13, 17, 20, 40, 43, 44, 50, 51, 58, 59, 60, 64, 69, 70, 79, 80, 96, 128,
    129, 135, 0x86, 0xdd, 0xff,
];
/// The same of two bytes: Ethernet types, fragment offsets, lengths.
const WORDS: [u16; 14] = [
    0, 1, 7, 8, 20, 28, 40, 0x0800, 0x0806, 0x8100, 0x86dd, 0x88a8, 0x2000, 0xffff,
];
/// Where headers are.
const HEAD: usize = 100;
/// As libFuzzer is told, and some more.
const LONGEST: usize = 600;

/// A frame like `base`, with parts of `other`, changed in one to four places.
pub fn mutate(dice: &mut Dice, base: &Input, other: &Input) -> Input {
    let mut input = base.clone();
    for _ in 0..=dice.below(4) {
        change(dice, &mut input.frame, &other.frame);
    }
    if dice.below(16) == 0 {
        input.link = match input.link {
            Link::Ethernet => Link::Ip,
            Link::Ip => Link::Ethernet,
        };
    }
    input.linear = dice.one_of(&[255, 255, 0, dice.0 as u8]);
    input.gso = match dice.below(12) {
        0 => Gso {
            size: 8 * (1 + dice.below(200) as u32),
            segs: dice.below(40) as u32,
        },
        // As a file can say it.
        1..4 if base.gso.size >= 8 => Gso {
            size: base.gso.size / 8 * 8,
            ..base.gso
        },
        _ => Gso::default(),
    };
    input.frame.truncate(LONGEST);
    input
}

fn change(dice: &mut Dice, frame: &mut Vec<u8>, other: &[u8]) {
    let head = frame.len().min(HEAD);
    let at = dice.below(head);
    match dice.below(11) {
        0 => {
            let byte = frame.get(at).copied().unwrap_or(0);
            set(frame, at, &[byte ^ 1 << dice.below(8)]);
        }
        1 => set(frame, at, &[dice.one_of(&BYTES)]),
        2 => set(frame, at & !1, &dice.one_of(&WORDS).to_be_bytes()),
        3 => set(frame, at, &[dice.roll() as u8]),
        // A length that is a little off.
        4 => {
            let byte = frame.get(at).copied().unwrap_or(0);
            set(
                frame,
                at,
                &[byte.wrapping_add(dice.below(9) as u8).wrapping_sub(4)],
            );
        }
        5 => frame.truncate(dice.below(frame.len() + 1)),
        6 => frame.extend((0..dice.below(40)).map(|n| n as u8)),
        // Headers that come twice, or not at all.
        7 => {
            let end = (at + 4 * (1 + dice.below(10))).min(frame.len());
            let part = frame[at..end].to_vec();
            frame.splice(at..at, part);
        }
        8 => {
            let end = (at + 4 * (1 + dice.below(10))).min(frame.len());
            frame.drain(at..end);
        }
        // Another frame's beginning, or its end.
        9 => {
            let cut = dice.below(other.len().min(HEAD));
            frame.splice(..at, other[..cut].iter().copied());
        }
        _ => {
            let cut = dice.below(other.len());
            frame.truncate(at);
            frame.extend(&other[cut..]);
        }
    }
}

fn set(frame: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(room) = frame.get_mut(at..at + bytes.len()) {
        room.copy_from_slice(bytes);
    }
}
