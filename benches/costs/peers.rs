//! The kernel programs of others beside flowtop's: built elsewhere, from their own sources (see CONTRIBUTING.md).

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::ptr;

use anyhow::{Context, Result, ensure};
use flowtop::model::rule::SequenceProfile;
use flowtop::probe::{Options, Probe};
use libbpf_rs::libbpf_sys::bpf_map__set_pin_path;
use libbpf_rs::{AsRawLibbpf, Object, ObjectBuilder, ProgramType};

use crate::drive::{Course, Driver};
use crate::frames::Shape;
use crate::sample::interleaved;
use crate::table::{Line, Table, Target};

/// The folder with the programs that were built.
const FOLDER: &str = "FLOWTOP_PEERS";
const ROUNDS: usize = 61;
const RUNS: u32 = 10_000;
/// Maps of others are made for this many entries at most.
const MOST_ENTRIES: u32 = 131_072;
const LOOPBACK: u32 = 1;

const EMPTY: u32 = 0;
const PEER: u32 = 1;
const FLOWTOP: u32 = 2;

struct Peer {
    name: &'static str,
    file: &'static str,
    program: &'static str,
    measures_udp: bool,
}

const PEERS: [Peer; 2] = [
    Peer {
        name: "the NetObserv agent",
        file: "netobserv.o",
        program: "tc_ingress_flow_parse",
        measures_udp: true,
    },
    Peer {
        name: "ePPing",
        file: "epping.o",
        program: "pping_tc_ingress",
        measures_udp: false,
    },
];

/// Measures those that are there.
pub fn measure(driver: &Driver, table: &mut Table) -> Result<()> {
    table.begin(
        "A packet of a known flow, beside the programs of others",
        "ns above an empty program. Baseline: the ingress program of the other one, with the settings it has by default. \
         flowtop's measures jitter and, for TCP, loss as well.",
    );
    driver.place(EMPTY, "empty")?;
    let mut missing = Vec::new();
    for peer in &PEERS {
        match file_of(peer) {
            Some(file) => peer.measure(&file, driver, table)?,
            None => missing.push(peer.name),
        }
    }
    if !missing.is_empty() {
        let note = format!(
            "\nNot measured, as not built: {}. CONTRIBUTING.md says how.\n",
            missing.join(", ")
        );
        table.note(&note);
    }
    Ok(())
}

fn file_of(peer: &Peer) -> Option<PathBuf> {
    let file = PathBuf::from(std::env::var_os(FOLDER)?).join(peer.file);
    file.is_file().then_some(file)
}

impl Peer {
    fn measure(&self, file: &Path, driver: &Driver, table: &mut Table) -> Result<()> {
        let object = self.load(file)?;
        let program = object
            .progs()
            .find(|program| program.name() == self.program)
            .context("the program is gone")?;
        driver.place_program(PEER, program.as_fd())?;
        // New for each of them: a course begins with the first number, which a flow of the last one is far beyond.
        let mut probe = Probe::load(&Options::default())?;
        probe.prepare_interface(LOOPBACK)?;
        probe.apply_rules(&[], &SequenceProfile::OFF)?;
        driver.place_program(FLOWTOP, probe.program())?;
        let udp = ("UDP over IPv4, 64 bytes", Shape::udp(false, 64));
        let tcp = (
            "TCP over IPv4, 1500 bytes, timestamps",
            Shape::tcp_with_timestamps(1514),
        );
        let shapes = if self.measures_udp {
            vec![udp, tcp]
        } else {
            vec![tcp]
        };
        for (what, shape) in shapes {
            let mut courses: [Course; 3] = std::array::from_fn(|_| Course::of(&shape, 1));
            let [empty, peer, flowtop] = interleaved(ROUNDS, |subject| {
                let place = [EMPTY, PEER, FLOWTOP][subject];
                driver.run(place, &shape, &mut courses[subject], RUNS)
            })?;
            table.add(&Line {
                what: format!("{what}, {}", self.name),
                unit: "ns",
                baseline: Some(peer.above(empty)),
                flowtop: flowtop.above(empty),
                target: Target::Ratio(0.45),
            });
        }
        Ok(())
    }

    /// Only the program on the ingress hook, and nothing of it in the file system.
    fn load(&self, file: &Path) -> Result<Object> {
        let mut open = ObjectBuilder::default()
            .open_file(file)
            .with_context(|| format!("open {}", file.display()))?;
        for mut map in open.maps_mut() {
            // SAFETY: the map belongs to the open object; without a path libbpf forgets the one it has.
            let outcome =
                unsafe { bpf_map__set_pin_path(map.as_libbpf_object().as_ptr(), ptr::null()) };
            ensure!(outcome == 0, "do without the path of a map: {outcome}");
            if map.max_entries() > MOST_ENTRIES && !map.name().to_string_lossy().contains("record")
            {
                map.set_max_entries(MOST_ENTRIES)?;
            }
        }
        for mut program in open.progs_mut() {
            let is_it = program.name() == self.program;
            program.set_autoload(is_it);
            if is_it {
                program.set_prog_type(ProgramType::SchedCls);
            }
        }
        open.load()
            .with_context(|| format!("load {}", file.display()))
    }
}
