//! A million flows come and go: what tracker, dashboard and events keep of them must not grow.
//!
//! The only test of its binary: it counts every byte that is allocated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use flowtop::app::{App, Msg, Preferences};
use flowtop::model::alert::{AlertRule, Side};
use flowtop::model::column::by_id;
use flowtop::model::event::TimeOfDay;
use flowtop::model::flow::{FlowKey, Protocol};
use flowtop::model::snapshot::{Counts, FlowSample, GapSums, InterfaceSample, Sequence, Snapshot};
use flowtop::model::tracker::{FlowTracker, Intervals};

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed to the system's allocator as it came; only sums are kept.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SECOND: u64 = 1_000_000_000;
/// Flows that come in each second, and seconds that each stays.
const COMING: u32 = 1000;
const STAYS: u32 = 3;
const SECONDS: u32 = 1000;

/// A flow of its own in the slot of one that left `STAYS` seconds ago. It loses, overtakes and starts again.
fn sample(second: u32, born: u32, index: u32) -> FlowSample {
    let number = born * COMING + index;
    let age = u64::from(second - born) + 1;
    FlowSample {
        generation: born / STAYS + 1,
        counts: Counts {
            packets: 10 * age,
            bytes: 1000 * age,
            payload_bytes: 500 * age,
            sequence: Some(Sequence {
                current: Some(10 * age as u32),
                received: 10 * age,
                lost: age,
                small_errors: age,
                reverse_errors: age,
                duplicates: Some(0),
                restarts: age / 3,
                ..Sequence::default()
            }),
            ..Counts::default()
        },
        epoch: 1 + age as u32 / 2,
        gaps: GapSums {
            count: 9,
            sum: 9_000,
            squares: 81_000_000,
        },
        rule: Some(0),
        rules_version: 1,
        first_seen_ns: u64::from(born) * SECOND,
        last_seen_ns: u64::from(second) * SECOND,
        ..FlowSample::new(
            born % STAYS * COMING + index,
            FlowKey::incoming(
                7,
                Protocol::Udp,
                (Ipv4Addr::from(0x0a00_0000 + number), 40000),
                (Ipv4Addr::LOCALHOST, 443),
            ),
        )
    }
}

fn snapshot(second: u32) -> Snapshot {
    let born = second.saturating_sub(STAYS - 1)..=second;
    let flows = born.flat_map(|born| (0..COMING).map(move |i| sample(second, born, i)));
    // Free for those that come next, after their last numbers were read.
    let leaving = (second + 1) % STAYS * COMING;
    Snapshot {
        taken_ns: u64::from(second + 1) * SECOND,
        flows: flows.collect(),
        freed: match second + 1 >= STAYS {
            true => (leaving..leaving + COMING).collect(),
            false => Vec::new(),
        },
        interfaces: vec![InterfaceSample {
            ifindex: 7,
            name: "veth1".into(),
            ..InterfaceSample::default()
        }],
        ..Snapshot::default()
    }
}

#[test]
fn a_million_flows_that_came_and_went_leave_nothing_behind() {
    let intervals = Intervals {
        refresh_ns: SECOND,
        jitter_ns: SECOND,
    };
    let mut tracker = FlowTracker::new(intervals, 0);
    tracker.set_rules(1, [("all".into(), false)]);
    let column = by_id("loss_percent").expect("a column");
    let preferences = Preferences {
        alerts: vec![AlertRule::new(column, Side::Above, 1.0)],
        ..Preferences::default()
    };
    let mut app = App::new(preferences, (120, 40));
    // The most bytes in use at the end of a second, by hundreds of seconds.
    let mut most = [0; SECONDS as usize / 100];
    for second in 0..SECONDS {
        tracker.advance(&snapshot(second));
        tracker.close_interval();
        app.update(Msg::Refreshed(TimeOfDay::default()), tracker.report());
        app.scene(tracker.report());
        let most = &mut most[second as usize / 100];
        *most = IN_USE.load(Ordering::Relaxed).max(*most);
    }
    let listed = tracker.report().flows.len();
    assert!(
        (1..=(COMING * STAYS) as usize).contains(&listed),
        "{listed}"
    );
    let events = app.shown_log().events().len();
    let alerts = app.alerts().count();
    assert!(
        events > 1000 && alerts > 0,
        "{events} events, {alerts} alerts"
    );
    println!("bytes in use, at most, by hundred thousands of flows: {most:?}");
    // A hash table may still double once. Whatever remembered each flow that went would take more than this.
    let gone = 800 * COMING as usize;
    assert!(most[9] < most[1] + 2 * gone, "{most:?}");
}
