//! What a start costs, and how large the program is.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use flowtop::probe::{Options, Probe};
use nix::pty::{Winsize, openpty};

use crate::sample::{Summary, interleaved};
use crate::table::{Line, Table, Target};

const PROGRAM: &str = env!("CARGO_BIN_EXE_flowtop");
const ROUNDS: usize = 7;

/// Measures all of it.
pub fn measure(table: &mut Table) -> Result<()> {
    table.begin(
        "Start",
        "ms from exec on, watching the loopback device; MB of the program's file.",
    );
    let [nothing, screen] = interleaved(ROUNDS, |subject| match subject {
        0 => until_exit(),
        _ => until_first_frame(),
    })?;
    let mut add = |what: &str, unit, flowtop, target| {
        table.add(&Line {
            what: what.to_owned(),
            unit,
            baseline: None,
            flowtop,
            target,
        });
    };
    add("to the first frame", "ms", screen, Target::Most(150.0));
    add(
        "of this, a program that only says its version",
        "ms",
        nothing,
        Target::None,
    );
    for (cpus, [ms, mb]) in [0, 128, 256].into_iter().zip(loads()?) {
        let what = match cpus {
            0 => "loading the programs and their maps".to_owned(),
            _ => format!("the same with {cpus} possible CPUs"),
        };
        add(&what, "ms", ms, Target::None);
        add("memory of the maps", "MB", mb, Target::Most(76.0));
    }
    let bytes = std::fs::metadata(PROGRAM)?.len() as f64;
    add(
        "size of the program",
        "MB",
        Summary::once(bytes / 1e6),
        Target::None,
    );
    Ok(())
}

/// Time and memory of a load: with this machine's CPUs, and with those of larger ones.
fn loads() -> Result<[[Summary; 2]; 3]> {
    let mut memory = [0.0; 3];
    let times: [Summary; 3] = interleaved(ROUNDS, |subject| {
        let begin = Instant::now();
        let mut probe = Probe::load(&Options {
            least_cpus: [0, 128, 256][subject],
            ..Options::default()
        })?;
        let elapsed = begin.elapsed().as_secs_f64() * 1000.0;
        let bytes = probe.snapshot().table.memory_bytes;
        memory[subject] = bytes.context("the memory of the maps")? as f64 / 1e6;
        Ok(elapsed)
    })?;
    Ok(std::array::from_fn(|subject| {
        [times[subject], Summary::once(memory[subject])]
    }))
}

fn until_exit() -> Result<f64> {
    let begin = Instant::now();
    let status = Command::new(PROGRAM)
        .arg("--version")
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success());
    Ok(begin.elapsed().as_secs_f64() * 1000.0)
}

fn until_first_frame() -> Result<f64> {
    let size = Winsize {
        ws_row: 40,
        ws_col: 120,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(&size, None).context("open a pseudo-terminal")?;
    let begin = Instant::now();
    let mut child = Command::new(PROGRAM)
        .args(["-i", "lo"])
        .env("TERM", "xterm-256color")
        .stdin(pty.slave.try_clone()?)
        .stdout(pty.slave.try_clone()?)
        .stderr(pty.slave)
        .spawn()
        .context("start flowtop")?;
    let outcome = await_text(File::from(pty.master), b"Flows");
    let elapsed = begin.elapsed().as_secs_f64() * 1000.0;
    end(&mut child)?;
    outcome.map(|()| elapsed)
}

fn await_text(mut screen: File, text: &[u8]) -> Result<()> {
    let mut seen = Vec::new();
    let mut piece = [0; 65536];
    while !seen.windows(text.len()).any(|window| window == text) {
        let read = screen.read(&mut piece).unwrap_or(0);
        ensure!(
            read > 0,
            "no frame came: {}",
            String::from_utf8_lossy(&seen)
        );
        seen.extend(&piece[..read]);
    }
    Ok(())
}

/// SIGTERM, so that nothing of it stays behind. The terminal has hung up by now as well.
fn end(child: &mut Child) -> Result<()> {
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
    child.wait()?;
    Ok(())
}
