//! The pure headers of the kernel program as tests/host/judge.c runs them, in a process of its own.

use std::io::{BufReader, BufWriter, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use flowtop::model::flow::Protocol;
use flowtop::model::snapshot::{Malformed, Volume};

use crate::host_build;
use crate::input::Input;
use crate::reference::packet::{Classified, Detail, Packet, Piece, Verdict};
use crate::support::Background;

/// struct judgement.
const BYTES: usize = 80;
/// Judgements that fit into a pipe: nobody waits for the other to read.
const MOST_AT_ONCE: usize = 512;

/// The running program.
pub struct Host {
    _child: Background,
    frames: BufWriter<ChildStdin>,
    judgements: BufReader<ChildStdout>,
}

impl Host {
    /// Compiles and starts it.
    pub fn start() -> Host {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM
            .get_or_init(|| host_build::compile("tests/host/judge.c", "host-judge", &["-DSERVE"]));
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Background::spawn(&mut command);
        let frames = child.0.stdin.take().expect("standard input");
        let judgements = child.0.stdout.take().expect("standard output");
        Host {
            _child: child,
            frames: BufWriter::with_capacity(1 << 16, frames),
            judgements: BufReader::with_capacity(1 << 16, judgements),
        }
    }

    /// What the headers make of each input. An error says that a sanitizer ended the program.
    pub fn judge(&mut self, inputs: &[Input]) -> Result<Vec<Judgement>> {
        let mut all = Vec::with_capacity(inputs.len());
        for some in inputs.chunks(MOST_AT_ONCE) {
            self.ask(some).context("the host build ended")?;
            for _ in some {
                let mut bytes = [0; BYTES];
                self.judgements
                    .read_exact(&mut bytes)
                    .context("the host build ended")?;
                all.push(Judgement(bytes));
            }
        }
        Ok(all)
    }

    fn ask(&mut self, inputs: &[Input]) -> std::io::Result<()> {
        for input in inputs {
            let bytes = input.bytes();
            self.frames.write_all(&(bytes.len() as u32).to_ne_bytes())?;
            self.frames.write_all(&bytes)?;
        }
        self.frames.write_all(&[0; 4])?;
        self.frames.flush()
    }
}

/// struct judgement, as it came.
pub struct Judgement([u8; BYTES]);

impl Judgement {
    fn u16_at(&self, at: usize) -> u16 {
        u16::from_ne_bytes(self.0[at..at + 2].try_into().expect("two bytes"))
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    fn volume(&self) -> Volume {
        Volume {
            packets: self.u32_at(28).into(),
            bytes: u64::from_ne_bytes(self.0[32..40].try_into().expect("eight bytes")),
        }
    }

    fn address(&self, at: usize) -> IpAddr {
        let bytes: [u8; 16] = self.0[at..at + 16].try_into().expect("an address");
        match self.0[5] {
            4 => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
            _ => Ipv6Addr::from(bytes).into(),
        }
    }

    fn is_later_fragment(&self) -> bool {
        self.0[0] == 0 && self.0[2] == 2
    }

    /// Fails where the reference says something else.
    pub fn compare(&self, wanted: &Classified) -> Result<()> {
        if self.is_later_fragment() {
            return self.compare_later(wanted);
        }
        let found = match self.0[0] {
            0 => Verdict::Flow(self.packet()?),
            1 => Verdict::Other,
            _ => Verdict::Malformed(Malformed::ALL[usize::from(self.0[1])]),
        };
        ensure!(
            found == wanted.verdict
                && self.volume() == wanted.volume
                && (self.0[25] != 0) == wanted.is_estimated,
            "host {found:?} {:?}, reference {wanted:?}",
            self.volume()
        );
        Ok(())
    }

    /// The headers know nothing of its first fragment: flow or not, ports and number are not for them to tell.
    fn compare_later(&self, wanted: &Classified) -> Result<()> {
        if let Verdict::Flow(packet) = wanted.verdict {
            let places = (self.u32_at(12) as usize, self.u32_at(16) as usize);
            let found = (places, self.0[26], self.0[27], self.u32_at(76));
            let places = (packet.payload_offset, packet.payload_bytes);
            let ip_bytes = packet.ip_bytes as u32;
            let wanted = (places, packet.traffic_class, packet.hop_limit, ip_bytes);
            ensure!(found == wanted, "a later fragment: {found:?}, {wanted:?}");
        }
        let is_malformed = matches!(wanted.verdict, Verdict::Malformed(_));
        ensure!(!is_malformed, "a later fragment, not {wanted:?}");
        Ok(())
    }

    fn packet(&self) -> Result<Packet> {
        let protocol = Protocol::from_number(self.0[4]).context("a protocol that is no flow")?;
        let vlan = self.u16_at(6);
        let piece = match self.0[2] {
            0 => Piece::Whole,
            _ => Piece::First,
        };
        let number = self.u32_at(20);
        let flags = self.0[24];
        let detail = match (protocol, self.0[3]) {
            (Protocol::Tcp, _) => Detail::Tcp {
                seq: number,
                syn: flags & 2 != 0,
                fin: flags & 1 != 0,
                rst: flags & 4 != 0,
            },
            (_, 2) => Detail::Echo(number as u16),
            _ => Detail::None,
        };
        Ok(Packet {
            vlan: (vlan != 0xffff).then_some(vlan),
            protocol,
            source: self.address(40),
            destination: self.address(56),
            source_port: self.u16_at(8),
            destination_port: self.u16_at(10),
            traffic_class: self.0[26],
            hop_limit: self.0[27],
            ip_bytes: self.u32_at(76) as usize,
            payload_offset: self.u32_at(12) as usize,
            payload_bytes: self.u32_at(16) as usize,
            wire_payload_bytes: self.u32_at(72) as usize,
            // SEQUENCE_UNPLACED, of TCP a fragment's.
            is_cut_inside: protocol != Protocol::Tcp && self.0[3] == 4,
            piece,
            detail,
        })
    }
}
