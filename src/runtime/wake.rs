//! How a thread that waits in poll(2) is woken: by a byte in a socket pair, neither end of which ever waits.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::PollTimeout;

/// The end that wakes, and the one that is waited for.
pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (wake, woken) = UnixStream::pair()?;
    wake.set_nonblocking(true)?;
    woken.set_nonblocking(true)?;
    Ok((wake, woken))
}

/// Wakes who waits for the other end.
pub fn wake(mut end: &UnixStream) {
    // Full: it will be woken anyway.
    let _ = end.write(&[0]);
}

/// Takes all bytes, so that the next one wakes again.
pub fn drain(mut end: &UnixStream) {
    let mut bytes = [0; 64];
    while matches!(end.read(&mut bytes), Ok(n) if n > 0) {}
}

/// Rounded up: a wait that ends too early would be a loop of empty waits.
pub fn timeout(patience: Duration) -> PollTimeout {
    let rounded = patience.saturating_add(Duration::from_nanos(999_999));
    PollTimeout::try_from(rounded).unwrap_or(PollTimeout::MAX)
}
