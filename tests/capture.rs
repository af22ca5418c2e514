//! Captures: what is read from files of every kind, whole, cut and hostile, and what a run makes of them. No right is needed.

#[path = "support/dice.rs"]
mod dice;
#[path = "capture/formats.rs"]
mod formats;
#[path = "capture/hostile.rs"]
mod hostile;
#[path = "capture/links.rs"]
mod links;
#[path = "capture/runs.rs"]
mod runs;
#[path = "capture/samples.rs"]
mod samples;
#[path = "capture/times.rs"]
mod times;
#[path = "capture/write.rs"]
mod write;
