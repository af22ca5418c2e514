//! How far a run is in a capture, and what is to be known of it beyond what was counted.

/// A capture at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaptureSample {
    /// The time of the moment by the clock of the packets, ns since 1970.
    pub wall_ns: i128,
    /// Packets that were read, those of interfaces that are not watched among them.
    pub packets: u64,
    /// Packets of interfaces that the capture does not describe: they are counted nowhere else.
    pub unplaced: u64,
    /// How often the packets' clock went back by more than two seconds.
    pub clock_steps: u64,
    /// Bytes of the file that were read, compressed as they are.
    pub bytes_read: u64,
    /// Those of them that are behind it: what was read waits to be played.
    pub bytes_used: u64,
    /// Bytes of the file; `None` for a stream.
    pub size: Option<u64>,
    /// Nothing more comes.
    pub is_over: bool,
    /// It does not end as it should: within a packet, or where it is damaged.
    pub is_truncated: bool,
    /// How fast it is played.
    pub pace: Pace,
}

impl CaptureSample {
    /// How much of a file has been played, 0 to 1; `None` for a stream.
    pub fn progress(&self) -> Option<f64> {
        let size = self.size.filter(|size| *size > 0)?;
        Some((self.bytes_used as f64 / size as f64).min(1.0))
    }
}

/// How fast a capture is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    /// So many times as fast as the packets came; `None`: as fast as it can.
    pub speed: Option<u32>,
    /// It stands still.
    pub is_held: bool,
}

/// The speeds, from the slowest on.
const SPEEDS: [Option<u32>; 3] = [Some(1), Some(10), None];

impl Pace {
    /// As fast as it can.
    pub const FASTEST: Pace = Pace {
        speed: None,
        is_held: false,
    };

    /// The next speed in that direction, if there is one.
    pub fn beside(self, faster: bool) -> Pace {
        let at = SPEEDS.iter().position(|speed| *speed == self.speed);
        let at = at.unwrap_or(0);
        let at = match faster {
            true => (at + 1).min(SPEEDS.len() - 1),
            false => at.saturating_sub(1),
        };
        Pace {
            speed: SPEEDS[at],
            ..self
        }
    }

    /// In a word.
    pub fn name(self) -> String {
        match self.speed {
            Some(times) => format!("{times}x"),
            None => "fastest".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_go_from_the_packets_own_to_the_fastest_and_no_further() {
        let mut pace = Pace {
            speed: Some(1),
            is_held: true,
        };
        let mut said = Vec::new();
        for faster in [false, true, true, true, false] {
            pace = pace.beside(faster);
            said.push(pace.name());
        }
        assert_eq!(said, ["1x", "10x", "fastest", "fastest", "10x"]);
        assert!(pace.is_held);
    }

    #[test]
    fn a_file_that_grows_is_never_more_than_played() {
        let mut sample = CaptureSample::default();
        assert_eq!(sample.progress(), None);
        sample.size = Some(200);
        sample.bytes_used = 50;
        assert_eq!(sample.progress(), Some(0.25));
        sample.bytes_used = 900;
        assert_eq!(sample.progress(), Some(1.0));
    }
}
