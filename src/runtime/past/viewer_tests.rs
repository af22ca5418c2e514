//! A run on a screen, and somebody who goes through its past.

use std::io;
use std::sync::Arc;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::*;
use crate::app::{App, Moment, Msg, Preferences};
use crate::keymap::parse_chord;
use crate::model::event::TimeOfDay;
use crate::model::past::Mark;
use crate::model::tracker::{FlowTracker, Report};
use crate::recording::world::{BEGAN_NS, INTERVALS, World};
use crate::recording::{Encoder, Entry, Marking, SegmentName};
use crate::runtime::past::memory::Memory;
use crate::runtime::updates::{Inlet, Update};
use crate::ui::{self, Look};

const CONFIG: &str =
    r#"{"ALERTS": [{"column": "loss_percent", "above": 2}, {"column": "jitter", "above": 900}]}"#;
pub const SECOND_NS: i64 = 1_000_000_000;
/// When all of these began, ns since 1970.
const BEGAN_WALL_NS: i64 = 1_764_000_000 * SECOND_NS;
const SIZE: (u16, u16) = (140, 50);

/// A run on a screen: what it recorded, and what it showed at the end of each interval.
pub struct Run {
    pub memory: Memory,
    pub shown: Vec<Shown>,
}

pub struct Shown {
    pub wall_ns: i64,
    pub report: Report,
    pub frames: Vec<String>,
    pub raised: usize,
}

pub fn preferences() -> Preferences {
    Preferences {
        alerts: Config::load(CONFIG, "a test")
            .expect("a configuration")
            .alerts,
        ..Preferences::default()
    }
}

pub fn time_of(wall_ns: i64) -> TimeOfDay {
    let of_day = wall_ns / SECOND_NS % 86_400;
    TimeOfDay {
        hour: (of_day / 3600) as u8,
        minute: (of_day / 60 % 60) as u8,
        second: (of_day % 60) as u8,
    }
}

/// What the keys for a view, and for a detail in it, lead to: the lines that do not say which moment it is.
pub fn frames(app: &mut App, live: &Report) -> Vec<String> {
    let keys = ["1 Home", "2", "3", "4", "5 F", "1 Home Enter", "Esc"];
    keys.map(|keys| {
        for key in keys.split(' ') {
            app.update(Msg::Key(parse_chord(key).expect("a key")), live);
        }
        let (width, height) = app.size();
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
        let scene = app.scene(live);
        let drawn = terminal.draw(|frame| ui::draw(frame, &scene, &Look::default()));
        let buffer = drawn.expect("a frame").buffer.clone();
        let bar = app.screen().map_or(0, |screen| screen.bar);
        let lines = buffer.content.chunks(width.into()).zip(0..height);
        let says_when = |y: u16| y == 0 || y == bar || y + 1 == height;
        let text = lines.filter(|(_, y)| !says_when(*y)).map(|(cells, _)| {
            let line: String = cells.iter().map(|cell| cell.symbol()).collect();
            // Of a flow that is looked at only now there is nothing to come.
            let line = line.replace("none was kept of this flow then", "gathering...");
            line.trim_end().to_owned()
        });
        let text: Vec<String> = text.filter(|line| !line.is_empty()).collect();
        text.join("\n")
    })
    .to_vec()
}

/// A run whose clock goes on; nobody has noted what happened in it.
pub fn run(script: &[[u8; 4]], is_drawn: bool) -> Run {
    run_by(second, script, is_drawn, false)
}

/// So many seconds after all of these began, ns since 1970.
pub fn second(at: usize) -> i64 {
    BEGAN_WALL_NS + at as i64 * SECOND_NS
}

/// A run by this clock, and where there were events if these are noted.
pub fn run_by(
    clock: impl Fn(usize) -> i64,
    script: &[[u8; 4]],
    is_drawn: bool,
    is_noted: bool,
) -> Run {
    let mut memory = Memory::default();
    let mut encoder = Encoder::new(BEGAN_NS, INTERVALS, CONFIG.into()).expect("zstd");
    let mut tracker = FlowTracker::new(INTERVALS, BEGAN_NS);
    let (mut world, mut shown) = (World::new(), Vec::new());
    let mut marking = Marking::default();
    marking.begin(BEGAN_WALL_NS);
    let mut app = App::new(preferences(), SIZE);
    let key = encoder
        .key(BEGAN_WALL_NS, &tracker.carried())
        .expect("zstd");
    memory.begin(BEGAN_NS, BEGAN_WALL_NS, &key);
    app.update(Msg::Refreshed(time_of(BEGAN_WALL_NS)), tracker.report());
    for (at, step) in script.iter().enumerate() {
        let [what, rest @ ..] = *step;
        // A live screen tells of a configuration in its own words.
        let what = if what % 32 == 4 { 5 } else { what };
        let entry = world.step([what, rest[0], rest[1], rest[2]]);
        let wall_ns = clock(at + 1);
        if is_noted {
            memory.note(marking.pass_to(wall_ns));
            marking.note(encoder.losing(&entry), 0);
        }
        memory.append(wall_ns, &encoder.frame(wall_ns, &entry).expect("zstd"));
        if let Entry::Reset = entry {
            app.update(Msg::Zero, tracker.report());
        }
        entry.apply(&mut tracker);
        if entry.closes() > 0 || entry == Entry::Reset {
            app.update(Msg::Refreshed(time_of(wall_ns)), tracker.report());
            app.update(
                Msg::Key(parse_chord("Esc").expect("a key")),
                tracker.report(),
            );
        }
        if entry.closes() > 0 {
            shown.push(Shown {
                wall_ns,
                report: tracker.report().clone(),
                frames: match is_drawn {
                    true => frames(&mut app, tracker.report()),
                    false => Vec::new(),
                },
                raised: app.live_alerts().raised_now(),
            });
        }
        if is_noted && entry.closes() > 0 {
            memory.note(marking.begin(wall_ns));
            memory.count_alerts(app.live_alerts().raised_now() as u32);
        }
        if at % 60 == 59 && matches!(entry, Entry::Snapshot { .. }) {
            let key = encoder.key(wall_ns, &tracker.carried()).expect("zstd");
            if is_noted {
                let ended = marking.begin(wall_ns);
                memory.note(ended.filter(|mark| mark.from_ns < mark.to_ns));
            }
            memory.begin(encoder.taken_ns(), wall_ns, &key);
        }
    }
    Run { memory, shown }
}

/// The same in pieces, however much is asked for, and without some of its marks.
pub struct Crumbs {
    memory: Memory,
    unmarked: Option<(i64, i64)>,
}

impl Crumbs {
    pub fn of(memory: Memory) -> Crumbs {
        Crumbs {
            memory,
            unmarked: None,
        }
    }

    /// The third in the middle has no marks.
    pub fn unmarked(mut memory: Memory) -> Crumbs {
        let marks = memory.marks();
        let third = &marks[marks.len() / 3..marks.len() * 2 / 3];
        let ends = third.first().zip(third.last());
        Crumbs {
            memory,
            unmarked: ends.map(|(first, last)| (first.from_ns, last.to_ns)),
        }
    }
}

impl Source for Crumbs {
    fn names(&self) -> &[SegmentName] {
        self.memory.names()
    }

    fn indices(&self) -> impl Iterator<Item = (&SegmentName, &[Mark])> {
        self.memory.indices()
    }

    fn refresh(&mut self) -> io::Result<()> {
        self.memory.refresh()
    }

    fn read_on(
        &self,
        name: &SegmentName,
        from: usize,
        most: usize,
        bytes: &mut Vec<u8>,
    ) -> io::Result<bool> {
        self.memory.read_on(name, from, most.min(100), bytes)
    }

    fn place_of(&self, name: &SegmentName, wall_ns: i64) -> io::Result<Option<usize>> {
        self.memory.place_of(name, wall_ns)
    }

    fn end_ns(&self) -> i64 {
        self.memory.end_ns()
    }

    fn marks(&mut self) -> Arc<Vec<Mark>> {
        let is_in_it =
            |mark: &Mark, (from, to)| (from..to).contains(&mark.from_ns) && mark.to_ns <= to;
        let stays = |mark: &&Mark| self.unmarked.is_none_or(|it| !is_in_it(mark, it));
        Arc::new(self.memory.marks().iter().filter(stays).copied().collect())
    }

    fn unmarked(&mut self) -> Vec<(i64, i64)> {
        self.unmarked.into_iter().collect()
    }
}

/// Goes through the past of a run.
pub struct Viewer<S> {
    pub player: Player<S>,
    pub inlet: Inlet,
    app: App,
}

impl<S: Source> Viewer<S> {
    pub fn of(source: S, is_of_run: bool) -> Viewer<S> {
        let (outlet, inlet) = Inlet::pair().expect("a socket pair");
        let mut player = Player::new(source, TimeZone::UTC, outlet, is_of_run);
        player.patience = Duration::from_secs(60);
        Viewer {
            player,
            inlet,
            // The bar of time has a line of its own.
            app: App::new(preferences(), (SIZE.0, SIZE.1 + 1)),
        }
    }

    /// What there is to do is done.
    pub fn settle(&mut self) {
        while self.player.making.is_some() {
            self.player.work();
        }
    }

    /// The moment that is shown then; `None`: it is the present.
    pub fn go(&mut self, travel: Travel) -> Option<Moment> {
        self.player.travel(travel, 1);
        self.latest()
    }

    /// The same, where it was led to otherwise.
    pub fn latest(&mut self) -> Option<Moment> {
        self.settle();
        let mut latest = None;
        for update in self.inlet.receive() {
            let Update::Past(visit) = update else {
                continue;
            };
            match visit.shows {
                Shows::Moment(moment) => latest = Some(*moment),
                Shows::ThePresent => latest = None,
                Shows::TheSame => {}
            }
        }
        latest
    }

    pub fn place(&mut self, travel: Travel) -> i64 {
        let moment = self.go(travel).expect("a moment");
        moment.place().expect("of the past").wall_ns
    }

    pub fn report(&mut self, moment: Moment) -> Report {
        let nothing = Report::default();
        self.app.update(Msg::Past(Some(Box::new(moment))), &nothing);
        self.app.scene(&nothing).shown().clone()
    }

    pub fn frames(&mut self, moment: Moment) -> Vec<String> {
        let nothing = Report::default();
        self.app.update(Msg::Past(Some(Box::new(moment))), &nothing);
        frames(&mut self.app, &nothing)
    }
}
