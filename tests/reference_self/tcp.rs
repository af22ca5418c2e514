//! TCP connections and what their numbers amount to.

use crate::reference::tcp::{Segment, TcpTracker};

/// current, received, lost, reverse, small, big, restarts
type Row = [u64; 7];

fn data(seq: u32, payload: u64) -> Segment {
    Segment {
        seq,
        payload,
        largest: payload,
        packets: 1,
        ..Segment::default()
    }
}

fn syn(seq: u32) -> Segment {
    Segment {
        syn: true,
        ..data(seq, 0)
    }
}

fn fin(seq: u32) -> Segment {
    Segment {
        fin: true,
        ..data(seq, 0)
    }
}

fn rst(seq: u32) -> Segment {
    Segment {
        rst: true,
        ..data(seq, 0)
    }
}

fn check(cases: &[(&str, &[Segment], Row)]) {
    for (name, segments, expected) in cases {
        let mut tracker = TcpTracker::new(10);
        segments.iter().for_each(|s| tracker.observe(s));
        let s = tracker.counts();
        let errors = [
            s.lost,
            s.reverse_errors,
            s.small_errors,
            s.big_errors,
            s.restarts,
        ];
        let row: Vec<u64> = [s.current.unwrap_or(0).into(), s.received]
            .into_iter()
            .chain(errors)
            .collect();
        assert_eq!(row, expected, "{name}");
        assert_eq!(
            (s.duplicates, s.reordered(), s.absent),
            (None, None, 0),
            "{name}"
        );
    }
}

#[test]
fn rfc_9293_figures() {
    check(&[
        // Figure 6: SYN 100, ACK 101, data 101. Figure 12: FIN 100 of the closing side.
        (
            "handshake and data",
            &[syn(100), data(101, 0), data(101, 10)],
            [110, 2, 0, 0, 0, 0, 0],
        ),
        (
            "close",
            &[data(90, 10), fin(100), data(101, 0)],
            [100, 2, 0, 0, 0, 0, 0],
        ),
        // Figure 9: a host that crashed begins again with SYN 400; the old one was at 100.
        (
            "half-open",
            &[data(90, 10), syn(400), rst(100), syn(400)],
            [400, 3, 0, 0, 0, 0, 2],
        ),
    ]);
}

#[test]
fn only_what_takes_up_numbers_takes_part() {
    check(&[
        (
            "pure ACKs",
            &[data(100, 0), data(900, 0)],
            [0, 0, 0, 0, 0, 0, 0],
        ),
        (
            "keep-alives of 0 and 1 byte",
            &[data(100, 10), data(109, 0), data(109, 1), data(110, 5)],
            [114, 2, 0, 0, 0, 0, 0],
        ),
        (
            "1 byte 2 behind is no keep-alive",
            &[data(100, 10), data(108, 1)],
            [109, 2, 0, 1, 0, 0, 0],
        ),
        (
            "FIN again",
            &[data(100, 10), fin(110), fin(110)],
            [110, 3, 0, 1, 0, 0, 0],
        ),
        (
            "wrap-around",
            &[data(u32::MAX - 4, 10), data(5, 5)],
            [9, 2, 0, 0, 0, 0, 0],
        ),
    ]);
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn gaps_are_counted_in_bytes_and_judged_in_packets() {
    check(&[
        (
            "gap of one packet",
            &[data(0, 100), data(200, 100)],
            [299, 2, 100, 0, 1, 0, 0],
        ),
        (
            "9 packets' worth is small",
            &[data(0, 100), data(1000, 100)],
            [1099, 2, 900, 0, 1, 0, 0],
        ),
        (
            "one byte more is big",
            &[data(0, 100), data(1001, 100)],
            [1100, 2, 901, 0, 0, 1, 0],
        ),
        (
            "the largest payload counts, this one's too",
            &[data(0, 10), data(910, 100)],
            [1009, 2, 900, 0, 1, 0, 0],
        ),
    ]);
}

#[test]
fn bytes_that_fill_a_gap_are_not_lost() {
    check(&[
        (
            "filled",
            &[data(0, 100), data(200, 100), data(100, 100)],
            [299, 3, 0, 1, 1, 0, 0],
        ),
        (
            "filled in part",
            &[data(0, 100), data(200, 100), data(100, 40)],
            [299, 3, 60, 1, 1, 0, 0],
        ),
        (
            "filled from the start, then again",
            &[data(0, 100), data(300, 100), data(100, 100), data(100, 100)],
            [399, 4, 100, 2, 1, 0, 0],
        ),
        (
            "retransmission of what is there",
            &[data(0, 100), data(100, 100), data(0, 100)],
            [199, 3, 0, 1, 0, 0, 0],
        ),
        (
            "below the first gap",
            &[data(0, 100), data(200, 100), data(0, 100)],
            [299, 3, 100, 1, 1, 0, 0],
        ),
        (
            "overlap that goes on",
            &[data(0, 100), data(50, 100)],
            [149, 2, 0, 1, 0, 0, 0],
        ),
        (
            "fill that goes on",
            &[data(0, 100), data(200, 100), data(150, 300)],
            [449, 3, 50, 1, 1, 0, 0],
        ),
        (
            "the middle, then all: never below 0",
            &[data(0, 100), data(400, 100), data(200, 100), data(100, 300)],
            [499, 4, 0, 2, 1, 0, 0],
        ),
    ]);
}

#[test]
fn a_gap_as_wide_as_numbers_can_tell() {
    let (wide, long) = (1 << 31, 0x7fff_fff0);
    check(&[
        (
            "what follows it is not in it",
            &[
                data(0, 10),
                data(wide + 7, 10),
                data(wide + 17, 10),
                data(wide + 17, 10),
            ],
            [u64::from(wide) + 26, 4, u64::from(wide) - 3, 1, 0, 1, 0],
        ),
        (
            "numbers that come again are other bytes",
            &[
                data(0, 10),
                data(20, 10),
                data(30, long),
                data(wide + 14, long),
                data(u32::MAX - 1, 100),
                data(10, 10),
            ],
            [97, 6, 10, 1, 1, 0, 0],
        ),
    ]);
}

#[test]
fn connections_that_begin_again() {
    let far = 1 << 24;
    check(&[
        (
            "SYN ahead",
            &[data(0, 100), syn(5000)],
            [5000, 2, 0, 0, 0, 0, 1],
        ),
        (
            "SYN at the next number",
            &[data(0, 100), syn(100)],
            [100, 2, 0, 0, 0, 0, 1],
        ),
        ("SYN again", &[syn(100), syn(100)], [100, 2, 0, 1, 0, 0, 0]),
        (
            "SYN after its data",
            &[data(101, 10), syn(100)],
            [110, 2, 0, 1, 0, 0, 0],
        ),
        (
            "another SYN a byte behind",
            &[syn(100), data(101, 10), syn(99)],
            [99, 3, 0, 0, 0, 0, 1],
        ),
        (
            "another SYN 2^24 behind",
            &[data(far, 100), syn(100)],
            [100, 2, 0, 0, 0, 0, 1],
        ),
        (
            "RST",
            &[data(0, 100), rst(100), data(7000, 10)],
            [7009, 2, 0, 0, 0, 0, 1],
        ),
        (
            "RST alone",
            &[data(0, 100), rst(100)],
            [99, 1, 0, 0, 0, 0, 0],
        ),
        (
            "RST of nothing",
            &[rst(0), data(7000, 10)],
            [7009, 1, 0, 0, 0, 0, 0],
        ),
        (
            "old holes are not filled by the new series",
            &[
                data(0, 100),
                data(200, 100),
                syn(5000),
                data(5001, 9),
                data(100, 100),
            ],
            [5009, 5, 100, 1, 1, 0, 1],
        ),
    ]);
}

#[test]
fn an_aggregate_is_judged_as_one_and_received_as_many() {
    let aggregate = Segment {
        packets: 3,
        largest: 40,
        ..data(1000, 100)
    };
    check(&[
        (
            "in order",
            &[data(990, 10), aggregate],
            [1099, 4, 0, 0, 0, 0, 0],
        ),
        (
            "gap of 10 packets of 40",
            &[data(590, 10), aggregate],
            [1099, 4, 400, 0, 0, 1, 0],
        ),
        (
            "gap of 9 packets of 40",
            &[data(630, 10), aggregate],
            [1099, 4, 360, 0, 1, 0, 0],
        ),
    ]);
}
