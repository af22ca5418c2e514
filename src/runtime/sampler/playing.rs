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
use crate::capture::{Capture, Item};
use crate::model::privileges::Privileges;
use crate::model::snapshot::Snapshot;
use crate::probe::Options;
use crate::probe::privileges::confine::{Duty, Identity, Keeps, confine};
use crate::runtime::updates::Outlet;

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

    /// Plays until the end of the capture, of the time, or of the run. The player is not held while the capture is asked for
    /// more: it may have to wait there.
    fn play(&mut self) {
        loop {
            let item = self.capture.next_item();
            let mut player = self.player.borrow_mut();
            let described = match item {
                Ok(Some(Item::Packet(packet))) => match player.take(&packet) {
                    true => continue,
                    false => return player.end(None),
                },
                Ok(Some(Item::Dropped { interface, packets })) => {
                    player.take_drops(interface, packets);
                    continue;
                }
                Ok(Some(Item::Unplaced)) => {
                    player.take_unplaced();
                    continue;
                }
                Ok(Some(Item::Described(index))) => index,
                Ok(None) => return player.end(None),
                Err(fault) => return player.end(Some(&fault)),
            };
            player.learn(described, &self.capture.interfaces()[described]);
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
