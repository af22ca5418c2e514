//! What groups of metrics cost where they are on.

use anyhow::Result;
use flowtop::probe::Probe;

use crate::drive::{Course, Driver};
use crate::frames::Shape;
use crate::packets::{EMPTY, GROUPED, MOST_FLOWS, PLAIN, ROUNDS, RUNS};
use crate::reading::empty_table;
use crate::sample::interleaved;
use crate::table::{Line, Table, Target};

/// Each packet is marked as having met congestion.
fn marked(mut shape: Shape) -> Shape {
    const TRAFFIC_CLASS: usize = 15;
    shape.frame[TRAFFIC_CLASS] |= 0b11;
    shape
}

/// The program without groups and the one with all of them, both in their places.
pub fn measure(
    driver: &Driver,
    table: &mut Table,
    [plain, grouped]: [&mut Probe; 2],
) -> Result<()> {
    table.begin(
        "A packet of a known flow with all groups of metrics (`--metrics`)",
        "ns above an empty program. Baseline: the same packet without them.",
    );
    let udp = || Shape::udp(false, 64);
    let shapes = [
        ("UDP over IPv4, 64 bytes", udp(), 1),
        ("the same, marked by ECN", marked(udp()), 1),
        ("UDP over IPv6, 64 bytes", Shape::udp(true, 64), 1),
        ("TCP over IPv4, 64 bytes", Shape::tcp(false, 64), 1),
        ("UDP over IPv4, 64 bytes, 131072 flows", udp(), MOST_FLOWS),
    ];
    for (name, shape, flows) in shapes {
        let mut courses: [Course; 3] = std::array::from_fn(|_| Course::of(&shape, flows));
        empty_table(plain);
        empty_table(grouped);
        for place in [PLAIN, GROUPED] {
            driver.run(place, &shape, &mut Course::of(&shape, flows), flows)?;
        }
        let [empty, without, with] = interleaved(ROUNDS, |subject| {
            let place = [EMPTY, PLAIN, GROUPED][subject];
            driver.run(place, &shape, &mut courses[subject], RUNS)
        })?;
        table.add(&Line {
            what: name.to_owned(),
            unit: "ns",
            baseline: Some(without.above(empty)),
            flowtop: with.above(empty),
            target: Target::None,
        });
    }
    Ok(())
}
