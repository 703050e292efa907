//! A stream written as a raw file of some codec.

use std::io::{self, Read, Write};

use flate2::write::GzEncoder;
use rayon::prelude::*;
use zstd::zstd_safe::CParameter;

use crate::digest::ContentHash;
use crate::monitor::Monitor;
use crate::reader::Codec;

/// Decoded bytes of a zstd frame: each can be decoded by itself, so a reader may skip frames or take several at once.
pub(super) const FRAME_BYTES: u64 = 8 << 20;
/// Level of zstd: its own default.
const ZSTD_LEVEL: i32 = 3;
/// Most frames that are packed at a time, and as many are read meanwhile: 32 MB each at worst.
const MAX_AT_ONCE: usize = 8;

/// How many threads work on one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// This one: there are other files for the others.
    One,
    /// All of the current rayon pool.
    All,
}

/// Why a stream was not written to its end.
#[derive(Debug)]
pub(super) enum Failure {
    Cancelled,
    Read(io::Error),
    Write(io::Error),
}

/// What was written.
#[derive(Debug)]
pub(super) struct Encoded {
    /// BLAKE3 of the bytes before packing.
    pub(super) content: ContentHash,
}

/// Packs a stream; plain and gzip files take one thread.
pub(super) fn encode(
    source: &mut (impl Read + Send),
    codec: Codec,
    threads: Threads,
    out: &mut (impl Write + Send),
    monitor: &Monitor,
) -> Result<Encoded, Failure> {
    let mut pieces = Pieces { source, hasher: blake3::Hasher::new(), monitor };
    match codec {
        Codec::Plain => pieces.each(|piece| out.write_all(piece))?,
        Codec::Gzip => {
            let mut packer = GzEncoder::new(out, flate2::Compression::default());
            pieces.each(|piece| packer.write_all(piece))?;
            packer.finish().map_err(Failure::Write)?;
        }
        Codec::Zstd => zstd(&mut pieces, threads, out)?,
    }
    Ok(Encoded { content: pieces.hasher.finalize().into() })
}

/// Writes a frame for each piece. While some are packed, the next ones are read.
fn zstd(
    pieces: &mut Pieces<'_, impl Read + Send>,
    threads: Threads,
    out: &mut (impl Write + Send),
) -> Result<(), Failure> {
    let at_once = match threads {
        Threads::One => 1,
        Threads::All => rayon::current_num_threads().min(MAX_AT_ONCE),
    };
    let mut batch = pieces.batch(at_once)?;
    if batch.is_empty() {
        // Nothing is a frame, too: a file without any is no zstd file.
        batch.push(Vec::new());
    }
    while !batch.is_empty() {
        let (packed, next) = match threads {
            Threads::One => (batch.iter().map(|piece| frame(piece)).collect(), pieces.batch(at_once)),
            Threads::All => rayon::join(
                || batch.par_iter().map(|piece| frame(piece)).collect::<io::Result<Vec<_>>>(),
                || pieces.batch(at_once),
            ),
        };
        for frame in packed.map_err(Failure::Write)? {
            out.write_all(&frame).map_err(Failure::Write)?;
        }
        batch = next?;
    }
    Ok(())
}

/// A frame by itself, with content size and checksum.
fn frame(piece: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = zstd::bulk::Compressor::new(ZSTD_LEVEL)?;
    packer.set_parameter(CParameter::ChecksumFlag(true))?;
    packer.compress(piece)
}

/// A stream in pieces of [`FRAME_BYTES`], hashed while it is read.
struct Pieces<'a, R> {
    source: &'a mut R,
    hasher: blake3::Hasher,
    monitor: &'a Monitor,
}

impl<R: Read> Pieces<'_, R> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if self.monitor.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        let mut piece = Vec::new();
        self.source.by_ref().take(FRAME_BYTES).read_to_end(&mut piece).map_err(Failure::Read)?;
        self.hasher.update(&piece);
        Ok((!piece.is_empty()).then_some(piece))
    }

    fn batch(&mut self, most: usize) -> Result<Vec<Vec<u8>>, Failure> {
        let mut batch = Vec::new();
        while batch.len() < most {
            let Some(piece) = self.next()? else { break };
            batch.push(piece);
        }
        Ok(batch)
    }

    fn each(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), Failure> {
        while let Some(piece) = self.next()? {
            write(&piece).map_err(Failure::Write)?;
        }
        Ok(())
    }
}
