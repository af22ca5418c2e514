//! What flowtop costs, each line beside its baseline in the same run. `make bench` prints the table and writes
//! BENCHMARKS.md. Timings never fail anything. Words after `--` choose parts: packets, peers, wire, captures, reading, model,
//! records, refresh, metrics, recording, start.
#![allow(missing_docs)]

mod captures;
mod counted;
mod drive;
mod frames;
mod groups;
mod machine;
mod model;
mod packets;
mod peers;
mod plain;
mod reading;
mod recording;
mod records;
mod refresh;
mod results;
mod sample;
mod scrape;
mod start;
#[path = "../../tests/support/mod.rs"]
mod support;
mod table;
mod wire;

use anyhow::Result;

use counted::Counted;
use drive::Driver;
use table::Table;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn main() -> Result<()> {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let wants = |part: &str| chosen.is_empty() || chosen.iter().any(|word| word == part);
    let machine = machine::describe();
    print!("{}", machine.about);
    let cpus = support::clock::cpus();
    machine::settle_down();
    let mut table = Table::default();
    let driver = Driver::load()?;
    if wants("packets") {
        packets::measure(&driver, &mut table, &cpus)?;
    }
    if wants("peers") {
        peers::measure(&driver, &mut table)?;
    }
    if wants("wire") {
        wire::measure(&driver, &mut table)?;
    }
    if wants("captures") {
        captures::measure(&mut table)?;
    }
    if wants("reading") || wants("refresh") {
        let readings = reading::measure(&driver, &mut table, &cpus)?;
        if wants("refresh") {
            refresh::measure(&mut table, &readings)?;
        }
    }
    if wants("model") {
        model::measure(&mut table)?;
    }
    if wants("metrics") {
        scrape::measure(&mut table)?;
    }
    if wants("recording") {
        recording::measure(&mut table)?;
    }
    if wants("records") {
        records::measure(&mut table)?;
    }
    if wants("start") {
        start::measure(&mut table)?;
    }
    if chosen.is_empty() {
        results::write(&machine, &table.text)?;
    }
    Ok(())
}
