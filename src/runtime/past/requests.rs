//! What is asked of the thread that goes through the past.

use std::iter;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::player::{Begin, Player};
use super::source::Source;
use crate::model::past::Travel;

/// Begins, and goes where it is asked to, until nobody asks any more.
pub fn play<S: Source>(mut player: Player<S>, begin: Begin, requests: &Receiver<Travel>) {
    player.begin(begin);
    while let Ok(asked) = receive(requests, player.patience()) {
        let Some(travel) = asked else {
            player.work();
            continue;
        };
        let travels: Vec<Travel> = iter::once(travel).chain(requests.try_iter()).collect();
        go(&mut player, &travels);
    }
}

/// Goes where it is asked to. A key that is held down asks for the same many times.
pub fn go<S: Source>(player: &mut Player<S>, travels: &[Travel]) {
    for same in travels.chunk_by(PartialEq::eq) {
        player.travel(same[0], same.len());
    }
}

/// What comes next; nothing, if it does not come soon enough. An error: nothing comes any more.
pub fn receive<T>(from: &Receiver<T>, patience: Option<Duration>) -> Result<Option<T>, ()> {
    match patience {
        None => from.recv().map(Some).map_err(|_| ()),
        Some(Duration::ZERO) => match from.try_recv() {
            Ok(it) => Ok(Some(it)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(()),
        },
        Some(patience) => match from.recv_timeout(patience) {
            Ok(it) => Ok(Some(it)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(()),
        },
    }
}
