//! When a disk is given up.

use super::*;

#[test]
fn a_disk_is_given_up_after_a_minute_without_a_step_or_with_too_much_before_it() {
    let began = Instant::now();
    let mut backlog = Backlog::new(began);
    let at = |backlog: &mut Backlog, ms| backlog.look(began + Duration::from_millis(ms));
    // Nothing waits, for long.
    assert_eq!(
        [0, 90_000, 180_000].map(|ms| at(&mut backlog, ms)),
        [None; 3]
    );
    backlog.add(&Message::Alerts(1));
    assert_eq!(at(&mut backlog, 200_000), None);
    // Twenty readings a second, and one step of the disk.
    assert!((4001..4900).all(|tick| at(&mut backlog, 50 * tick).is_none()));
    backlog.waiting.taken.fetch_add(1, Ordering::Relaxed);
    assert!((4900..6100).all(|tick| at(&mut backlog, 50 * tick).is_none()));
    assert_eq!(at(&mut backlog, 305_000), Some("takes nothing"));
    backlog.waiting.taken.fetch_add(1, Ordering::Relaxed);
    assert_eq!(at(&mut backlog, 305_050), None);
    // The process is stopped for long, and goes on.
    assert_eq!(
        [400_000, 400_050, 400_100].map(|ms| at(&mut backlog, ms)),
        [None; 3]
    );
    backlog.waiting.taken.fetch_add(1, Ordering::Relaxed);
    assert_eq!(at(&mut backlog, 400_150), None);
    backlog.waiting.size.store(MOST_WAITING, Ordering::Relaxed);
    assert_eq!(at(&mut backlog, 400_200), Some("is too slow"));
}
