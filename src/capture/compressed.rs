//! Input that is compressed by gzip or zstd, told by its first bytes.

use std::error::Error;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::input::Input;

const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// The input itself, or what is compressed in it.
pub fn plain(mut input: Input) -> io::Result<Input> {
    input.has(4)?;
    if input.front(3) == GZIP {
        return Ok(Input::new(Box::new(MultiGzDecoder::new(input))));
    }
    if begins_frame(input.front(4)) {
        return Ok(Input::new(Box::new(Zstd {
            frame: None,
            rest: Some(input),
        })));
    }
    Ok(input)
}

/// Whether a frame of zstd begins so: one of data, or one that holds nothing.
fn begins_frame(front: &[u8]) -> bool {
    matches!(
        front,
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18]
    )
}

/// One frame after the other.
struct Zstd {
    frame: Option<StreamingDecoder<Input, FrameDecoder>>,
    /// What comes next, where no frame is being read.
    rest: Option<Input>,
}

impl Zstd {
    /// Begins the next frame; false where there is none.
    fn begin(&mut self) -> io::Result<bool> {
        while let Some(mut input) = self.rest.take() {
            if input.is_at_end()? {
                break;
            }
            if let Some(length) = skippable(&mut input)? {
                if !input.skip(length)? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.rest = Some(input);
                continue;
            }
            let frame = StreamingDecoder::new(input).map_err(refused)?;
            self.frame = Some(frame);
            return Ok(true);
        }
        Ok(false)
    }
}

/// RFC 8878 section 3.1.2: the length of a frame that holds nothing, its header included.
fn skippable(input: &mut Input) -> io::Result<Option<u64>> {
    input.has(8)?;
    let (words, _) = input.front(8).as_chunks::<4>();
    match words {
        [magic, length] if u32::from_le_bytes(*magic) & !0xf == 0x184d_2a50 => {
            Ok(Some(8 + u64::from(u32::from_le_bytes(*length))))
        }
        _ => Ok(None),
    }
}

/// An error of reading, if that is what is behind it; what was read is damaged otherwise.
fn refused(error: impl Error + Send + Sync + 'static) -> io::Error {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(found) = cause {
        if let Some(read) = found.downcast_ref::<io::Error>()
            && read.get_ref().is_none()
        {
            return read.kind().into();
        }
        cause = found.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Read for Zstd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(frame) = &mut self.frame else {
                match self.begin()? {
                    true => continue,
                    false => return Ok(0),
                }
            };
            let read = frame.read(into).map_err(refused)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            self.rest = self.frame.take().map(StreamingDecoder::into_inner);
        }
    }
}
