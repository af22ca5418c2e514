//! Where the player waits, and what the main thread asks of it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Player;
use crate::model::capture::Pace;
use crate::model::past::Travel;
use crate::runtime::panics;
use crate::runtime::sampler::{Assignment, Request, heads};
use crate::runtime::updates::Update;
use crate::runtime::wake;

impl Player {
    /// So many more bytes of the file have been read.
    pub(in crate::runtime::sampler) fn has_read(&mut self, bytes: usize) {
        self.sample.bytes_read += bytes as u64;
        // Before the first packet there is no time that could go on.
        let heard_ns = match self.due_ns {
            0 => 0,
            _ => self.stream_ns(),
        };
        self.heard = (Instant::now(), heard_ns);
    }

    /// The time of a stream's packets now, if it goes on like ours. Packets that were held up on their way come behind it.
    fn stream_ns(&self) -> u64 {
        let (heard, heard_ns) = self.heard;
        self.timeline.latest_ns().max(heard_ns) + heard.elapsed().as_nanos() as u64
    }

    /// Waits until the capture can be read; false if it is not to be read any more. Where somebody watches a stream, the time
    /// of its packets goes on meanwhile.
    pub(in crate::runtime::sampler) fn await_bytes(&mut self, file: BorrowedFd<'_>) -> bool {
        loop {
            self.attend();
            if self.is_finished {
                return false;
            }
            let goes_on = self.is_watched && self.sample.size.is_none() && self.due_ns > 0;
            let mut patience = None;
            if goes_on {
                let now_ns = self.stream_ns();
                if !self.pass_marks(now_ns) {
                    return false;
                }
                patience = Some(Duration::from_nanos(self.due_ns.saturating_sub(now_ns)));
            }
            if self.wait(Some(file), patience) {
                return true;
            }
        }
    }

    /// Waits for requests, for the file, or for the end of the patience, and does what was asked for. Returns whether the file
    /// can be read.
    pub(in crate::runtime::sampler) fn wait(
        &mut self,
        file: Option<BorrowedFd<'_>>,
        patience: Option<Duration>,
    ) -> bool {
        let timeout = patience.map_or(PollTimeout::NONE, wake::timeout);
        let mut fds = vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
        fds.extend(file.map(|file| PollFd::new(file, PollFlags::POLLIN)));
        // Interrupted: the caller looks at everything anyway.
        let _ = poll(&mut fds, timeout);
        let events = fds.get(1).and_then(PollFd::revents);
        let is_readable = events.is_some_and(|events| !events.is_empty());
        wake::drain(&self.wake);
        self.attend();
        is_readable
    }

    /// Does what the main thread asks for.
    pub(super) fn attend(&mut self) {
        self.is_finished |= panics::is_over();
        while let Ok(request) = self.requests.try_recv() {
            match request {
                Request::Finish => self.is_finished = true,
                Request::Focus(keys) => self.native.focus(keys),
                Request::ResetHistograms => self.native.reset_histograms(),
                Request::Reset => {
                    self.read(self.latest_ns(), 0);
                    self.native.reset_histograms();
                    self.outlet.send(Update::Zero);
                }
                Request::Recycle(snapshot) => {
                    self.unread = self.unread.saturating_sub(1);
                    self.native.recycle(*snapshot);
                }
                Request::Assign(assignment) => self.reassign(*assignment),
                Request::Travel(travel) => self.travel(travel),
            }
        }
    }

    /// Changes the pace, and shows by a reading that it is so.
    fn travel(&mut self, travel: Travel) {
        let pace = match travel {
            Travel::End => Pace::FASTEST,
            key => key.pace(self.clock.pace(), 1),
        };
        let now_ns = self.clock.now_ns(self.due_ns);
        let now_ns = now_ns.unwrap_or_else(|| self.latest_ns());
        self.clock.set(pace, now_ns);
        self.sample.pace = pace;
        self.read(self.latest_ns(), 0);
    }

    /// No packet and no reading was later.
    fn latest_ns(&self) -> u64 {
        self.timeline.latest_ns().max(self.read_ns)
    }

    /// Rules come first: they may be refused, and then nothing else of the assignment is put in force.
    fn reassign(&mut self, assignment: Assignment) {
        let former = &self.assignment;
        if assignment.rules != former.rules || assignment.sequence != former.sequence {
            // What was counted under the former rules is read first: it belongs to them.
            self.read(self.latest_ns(), 0);
            let changed = self
                .native
                .apply_rules(&assignment.rules, &assignment.sequence);
            match changed {
                Ok(version) => {
                    let update = Update::Ruled(version, heads(&assignment.rules));
                    self.outlet.send(update);
                }
                Err(error) => {
                    let text = format!("put the rules in force: {error:#} (the former ones stay)");
                    let update = Update::Unassigned(assignment.number, text);
                    return self.outlet.send(update);
                }
            }
        }
        self.native
            .set_ageing(assignment.flow_timeout, assignment.refresh);
        let timing = |it: &Assignment| (it.refresh, it.refreshes);
        let is_retimed = timing(&assignment) != timing(&self.assignment);
        self.assignment = assignment;
        if is_retimed && self.due_ns > 0 {
            self.intervals_ns = self.read_ns;
            self.set_due_after(self.read_ns);
        }
        self.outlet.send(Update::Assigned(self.assignment.number));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::capture::Fault;
    use crate::capture::timeline::BEGIN_NS;
    use crate::model::past::Way;
    use crate::model::rule::SequenceProfile;
    use crate::probe::Options;
    use crate::probe::interfaces::Selection;
    use crate::runtime::updates::Inlet;

    /// Longer than it is from 0 to the first packet.
    const LONG: Duration = Duration::from_secs(5000);

    /// Who plays a stream for a second while somebody watches, and what the main thread hears of it.
    fn player() -> (Player, Inlet) {
        player_of(None, Some(Duration::from_secs(1)))
    }

    /// The same of a file of this size, or for another time.
    fn player_of(size: Option<u64>, duration: Option<Duration>) -> (Player, Inlet) {
        let options = Options {
            max_flows: 64,
            ..Options::default()
        };
        let assignment = Assignment {
            number: 0,
            selection: Selection::default(),
            rules: Vec::new(),
            sequence: SequenceProfile::OFF,
            flow_timeout: options.flow_timeout,
            refresh: options.refresh,
            refreshes: 1,
        };
        let (outlet, inlet) = Inlet::pair().unwrap();
        let (_, requests) = channel();
        let (_, woken) = wake::pair().unwrap();
        let player = Player::new(
            ("a capture".to_owned(), size),
            (duration, true),
            assignment,
            &options,
            outlet,
            (requests, woken),
        );
        (player.unwrap(), inlet)
    }

    /// The first packet comes.
    fn begin(player: &mut Player) {
        let ns = player.timeline.place(0, Some(7));
        assert!(player.pass_marks(ns));
        player.timeline.pass(0, ns);
    }

    /// Who plays a file with half an hour between two readings, and has nothing in the table.
    fn player_in_a_pause() -> (Player, Inlet) {
        let (mut player, inlet) = player_of(Some(1), None);
        player.assignment.refresh = Duration::from_secs(1800);
        begin(&mut player);
        player.is_empty = true;
        (player, inlet)
    }

    #[test]
    fn marks_of_a_pause_are_one_reading_only_where_it_is_played_as_fast_as_it_can() {
        for (speed, read) in [(Some(1), vec![1, 1, 1]), (None, vec![3u32])] {
            let (mut player, mut inlet) = player_in_a_pause();
            let end_ns = BEGIN_NS + 7_000_000_000_000;
            let is_held = false;
            // It is time for all of them.
            player.clock.set(Pace { speed, is_held }, end_ns);
            assert!(player.pass_marks(end_ns));
            let updates = inlet.receive();
            let periods = updates.iter().filter_map(|update| match update {
                Update::Snapshot { periods, .. } => Some(*periods),
                _ => None,
            });
            assert_eq!(periods.collect::<Vec<_>>(), read, "{speed:?}");
        }
    }

    #[test]
    fn another_pace_takes_nothing_of_a_pause_back() {
        let (mut player, _inlet) = player_in_a_pause();
        let pace = player.clock.pace();
        player.clock.set(pace, BEGIN_NS + 1_000_000_000_000);
        let patience = |player: &Player| player.clock.patience(player.due_ns);
        player.travel(Travel::Hold);
        assert_eq!(patience(&player), None);
        for (travel, most) in [(Travel::Hold, 800), (Travel::Speed(Way::On), 80)] {
            player.travel(travel);
            let left = patience(&player).unwrap();
            assert!(!left.is_zero() && left <= Duration::from_secs(most));
        }
    }

    #[test]
    fn the_wait_for_the_first_packet_is_no_time_of_the_packets() {
        let (mut player, _inlet) = player();
        player.heard.0 -= LONG;
        player.has_read(24);
        begin(&mut player);
        assert!(player.stream_ns() < 2 * BEGIN_NS);
        // From here on time goes on.
        player.heard.0 -= LONG;
        player.has_read(24);
        assert!(player.stream_ns() > 2 * BEGIN_NS);
    }

    #[test]
    fn a_stream_that_is_silent_when_the_time_is_up_is_waited_for_no_longer() {
        let (mut player, mut inlet) = player();
        begin(&mut player);
        player.heard.0 -= LONG;
        let (silent, _other) = wake::pair().unwrap();
        assert!(!player.await_bytes(silent.as_fd()));
        player.end(Some(&Fault::CutOff));
        assert!(!player.sample.is_truncated);
        let updates = inlet.receive();
        assert!(matches!(updates.last(), Some(Update::Played(_))));
        let is_notice = |update: &Update| matches!(update, Update::Notice(_));
        assert!(!updates.iter().any(is_notice), "{updates:?}");
    }
}
