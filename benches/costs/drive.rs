//! Runs programs of the kernel on packets that change from run to run: benches/baseline.bpf.c, compiled and loaded here.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use libbpf_rs::{Map, MapCore, MapFlags, Object, ObjectBuilder, ProgramInput, ProgramMut};

use crate::frames::{PATTERN, Shape, random_bytes};
use crate::sample::Stopwatch;

/// What a driver returns where its tail call led nowhere: TC_ACT_SHOT.
const NOTHING_THERE: u32 = 2;

/// How a packet changes from run to run: `struct course`.
#[derive(Debug, Clone, Default)]
pub struct Course {
    count: u64,
    flow: u32,
    flow_mask: u32,
    flow_at: u32,
    flow_bits: u32,
    number_at: u32,
    number_step: u32,
    length: u32,
    pattern_at: u32,
    pattern_mask: u32,
}

impl Course {
    /// So many flows (a power of two), each with numbers that go on where TCP has them.
    pub fn of(shape: &Shape, flows: u32) -> Course {
        Course {
            flow_mask: flows - 1,
            flow_at: shape.flow_at as u32,
            flow_bits: flows.ilog2(),
            number_at: shape.number_at as u32,
            number_step: shape.payload_bytes() as u32,
            ..Course::default()
        }
    }

    /// The number at this place of the payload goes on by one from packet to packet.
    pub fn with_number(mut self, shape: &Shape, place: usize) -> Course {
        self.number_at = (shape.payload + place) as u32;
        self.number_step = 1;
        self
    }

    /// The pattern jumps about between so many places (a power of two).
    pub fn with_moving_pattern(mut self, shape: &Shape, places: u32) -> Course {
        self.pattern_at = shape.payload as u32;
        self.pattern_mask = places - 1;
        self
    }

    /// The packet's addresses stay as they are.
    pub fn staying(mut self) -> Course {
        self.flow_at = 0;
        self
    }

    /// The packet is made longer before the first run.
    pub fn lengthened(mut self, length: usize) -> Course {
        self.length = length as u32;
        self
    }

    fn to_bytes(&self) -> Vec<u8> {
        let words = [
            self.flow,
            self.flow_mask,
            self.flow_at,
            self.flow_bits,
            self.number_at,
            self.number_step,
            self.length,
            u32::from_ne_bytes(PATTERN),
            self.pattern_at,
            self.pattern_mask,
        ];
        let mut bytes = self.count.to_ne_bytes().to_vec();
        bytes.extend(words.into_iter().flat_map(u32::to_ne_bytes));
        bytes
    }

    /// Where the last run left off.
    fn resume(&mut self, bytes: &[u8]) -> Result<()> {
        self.count = u64::from_ne_bytes(bytes[..8].try_into()?);
        self.flow = u32::from_ne_bytes(bytes[8..12].try_into()?);
        Ok(())
    }
}

/// The loaded baselines, and what drives them.
pub struct Driver {
    object: Object,
}

impl Driver {
    /// Compiles and loads the baselines.
    pub fn load() -> Result<Driver> {
        let object = ObjectBuilder::default()
            .open_file(compile()?)
            .context("open the baselines")?
            .load()
            .context("load the baselines")?;
        let driver = Driver { object };
        let filling = random_bytes(driver.map("fillings")?.value_size() as usize);
        driver
            .map("fillings")?
            .update(&[0; 4], &filling, MapFlags::ANY)?;
        Ok(driver)
    }

    /// A map of the baselines.
    pub fn map(&self, name: &str) -> Result<Map<'_>> {
        let found = self.object.maps().find(|map| map.name() == name);
        found.with_context(|| format!("the baselines have no map {name}"))
    }

    /// A program of the baselines.
    pub fn program(&self, name: &str) -> Result<ProgramMut<'_>> {
        let found = self
            .object
            .progs_mut()
            .find(|program| program.name() == name);
        found.with_context(|| format!("the baselines have no program {name}"))
    }

    /// Puts a program of the baselines behind this place.
    pub fn place(&self, place: u32, name: &str) -> Result<()> {
        self.place_program(place, self.program(name)?.as_fd())
    }

    /// Puts a program behind this place.
    pub fn place_program(&self, place: u32, program: BorrowedFd<'_>) -> Result<()> {
        let fd = program.as_raw_fd().to_ne_bytes();
        let subjects = self.map("subjects")?;
        subjects
            .update(&place.to_ne_bytes(), &fd, MapFlags::ANY)
            .context("put a program behind the driver")
    }

    /// Runs the program behind this place so many times; ns a run.
    pub fn run(&self, place: u32, shape: &Shape, course: &mut Course, times: u32) -> Result<f64> {
        let courses = self.map("courses")?;
        courses.update(&[0; 4], &course.to_bytes(), MapFlags::ANY)?;
        let program = self.program(&format!("drive_{place}"))?;
        let watch = Stopwatch::start();
        let output = program.test_run(ProgramInput {
            data_in: Some(&shape.frame),
            repeat: times,
            ..ProgramInput::default()
        })?;
        let elapsed = watch.seconds();
        ensure!(
            output.return_value != NOTHING_THERE,
            "nothing is at this place"
        );
        let left = courses.lookup(&[0; 4], MapFlags::ANY)?;
        course.resume(&left.context("the course is gone")?)?;
        Ok(elapsed * 1e9 / f64::from(times))
    }
}

fn compile() -> Result<PathBuf> {
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baseline.bpf.o");
    let status = Command::new("clang")
        .args([
            "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror",
        ])
        .arg(format!(
            "-I/usr/include/{}-linux-gnu",
            std::env::consts::ARCH
        ))
        .args(["-c", "benches/baseline.bpf.c", "-o"])
        .arg(&object)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .context("run clang")?;
    ensure!(status.success(), "clang does not compile the baselines");
    Ok(object)
}
