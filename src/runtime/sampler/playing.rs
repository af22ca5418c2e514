//! A capture and who plays it: from its first bytes to its end, or that of the time or of the run.

use std::cell::RefCell;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use anyhow::Result;

use super::player::Player;
use super::source::{CaptureFile, Source};
use super::{Assignment, BadCapture, Counts, Request};
use crate::capture::timeline::BEGIN_NS;
use crate::capture::{Capture, Fault, Item, Packet};
use crate::model::privileges::Privileges;
use crate::model::snapshot::Snapshot;
use crate::probe::Options;
use crate::probe::privileges::confine::{Duty, Identity, Keeps, confine};
use crate::runtime::updates::Outlet;

/// Packets that are shown one after the other, once the memory for all of them is asked for.
const MOST_TOGETHER: usize = 16;

/// What is played, and how.
#[derive(Debug)]
pub struct Playback {
    /// The capture.
    pub file: CaptureFile,
    /// When the run ends, in packet time.
    pub duration: Option<Duration>,
    /// Somebody watches: time goes on while a stream says nothing, and a file is played at the pace of its packets.
    pub is_watched: bool,
}

/// A player and what it plays.
pub(super) struct Playing {
    player: Rc<RefCell<Player>>,
    capture: Capture,
}

impl Playing {
    /// Reads the beginning of the capture, and makes the maps.
    pub(super) fn make(
        playback: Playback,
        assignment: Assignment,
        options: &Options,
        outlet: Outlet,
        requests: Receiver<Request>,
        wake: UnixStream,
    ) -> Result<Playing> {
        let Playback {
            file,
            duration,
            is_watched,
        } = playback;
        let player = Player::new(
            (file.name.clone(), file.size),
            (duration, is_watched),
            assignment,
            options,
            outlet,
            (requests, wake),
        )?;
        let name = file.name.clone();
        let player = Rc::new(RefCell::new(player));
        let capture = Capture::open(Source::new(file, player.clone()))
            .map_err(|fault| BadCapture(format!("read {name}: {fault}")))?;
        Ok(Playing { player, capture })
    }

    /// The packets that come next and are at hand, and what came in place of another one.
    fn collect(&mut self, packets: &mut Vec<Packet>) -> Option<Result<Option<Item>, Fault>> {
        loop {
            match self.capture.next_item() {
                Ok(Some(Item::Packet(packet))) => packets.push(packet),
                other => return Some(other),
            }
            if packets.len() == MOST_TOGETHER || !self.capture.has_packet_at_hand() {
                return None;
            }
        }
    }

    /// Plays until the end of the capture, of the time, or of the run. The player is not held while the capture is asked for
    /// more: it may have to wait there.
    fn play(&mut self) {
        let mut packets = Vec::with_capacity(MOST_TOGETHER);
        loop {
            packets.clear();
            let other = self.collect(&mut packets);
            let mut player = self.player.borrow_mut();
            if !player.take_all(&packets, &self.capture) {
                return player.end(None);
            }
            match other {
                None | Some(Ok(Some(Item::Packet(_)))) => {}
                Some(Ok(Some(Item::Dropped { interface, packets }))) => {
                    player.take_drops(interface, packets);
                }
                Some(Ok(Some(Item::Unplaced))) => player.take_unplaced(),
                Some(Ok(Some(Item::Described(index)))) => {
                    player.learn(index, &self.capture.interfaces()[index]);
                }
                Some(Ok(None)) => return player.end(None),
                Some(Err(fault)) => return player.end(Some(&fault)),
            }
        }
    }
}

impl Counts for Playing {
    fn confine(&self, identity: Option<Identity>) -> Result<Privileges> {
        confine(&Keeps {
            identity,
            duty: Some(Duty::Capture),
            ..Keeps::default()
        })
    }

    fn began_ns(&self) -> u64 {
        BEGIN_NS
    }

    fn run(mut self) -> Snapshot {
        self.play();
        let mut player = self.player.borrow_mut();
        while !player.is_finished {
            player.wait(None, None);
        }
        player.finish()
    }
}
