//! A peer of `cargo xtask bench evaluate`: what no reader of such records can do without. Parses every line into typed,
//! borrowed fields with serde_json, on all threads, and keeps nothing but sums; with `--deflate` also compresses every
//! trace with libdeflate, and with `--read` only reads the files.
//!
//! `bare_scan --threads N [--deflate | --read] (--list FILE-OF-PATHS | FILES...)`; files are plain NDJSON.

use std::borrow::Cow;
use std::cell::RefCell;
use std::error::Error;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use libdeflater::{CompressionLvl, Compressor};
use rayon::prelude::*;
use rs_forensics::compression::LEVEL;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// The same where nothing is done with them: few enough to stay in a core's cache.
const READ_BYTES: usize = 256 << 10;
/// Large files are read in ranges of this many bytes.
const RANGE_BYTES: u64 = 16 << 20;

/// What points are made of.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is parsed need not be used")]
struct Record<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    template: Cow<'a, str>,
    #[serde(borrow)]
    sampler: Cow<'a, str>,
    #[serde(borrow)]
    base_task: Cow<'a, str>,
    #[serde(borrow)]
    params: &'a RawValue,
    correct: bool,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    invalid: bool,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(default)]
    guess_chance: Option<f64>,
    score: Option<f64>,
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
    #[serde(borrow)]
    reasoning: Option<Cow<'a, str>>,
    #[serde(borrow)]
    response: Option<Cow<'a, str>>,
    seed: Option<i64>,
    index: Option<i64>,
    repeat: Option<i64>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
}

/// What was typed.
struct Arguments {
    threads: usize,
    work: Work,
    files: Vec<PathBuf>,
}

/// What is done with the bytes of files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Read,
    Parse,
    ParseAndCompress,
}

impl Arguments {
    fn parse() -> Result<Self, Box<dyn Error>> {
        let mut arguments = Self { threads: 1, work: Work::Parse, files: Vec::new() };
        let mut typed = std::env::args().skip(1);
        while let Some(argument) = typed.next() {
            let mut value = || typed.next().ok_or(format!("`{argument}` needs a value"));
            match argument.as_str() {
                "--threads" => arguments.threads = value()?.parse()?,
                "--deflate" => arguments.work = Work::ParseAndCompress,
                "--read" => arguments.work = Work::Read,
                "--list" => arguments.files.extend(fs_err::read_to_string(value()?)?.lines().map(PathBuf::from)),
                file => arguments.files.push(PathBuf::from(file)),
            }
        }
        Ok(arguments)
    }
}

/// Sums, so that nothing is optimised away.
#[derive(Default, Clone, Copy)]
struct Sums {
    records: u64,
    correct: u64,
    trace_bytes: u64,
    compressed_bytes: u64,
}

impl Sums {
    fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            correct: self.correct + other.correct,
            trace_bytes: self.trace_bytes + other.trace_bytes,
            compressed_bytes: self.compressed_bytes + other.compressed_bytes,
        }
    }
}

/// Reads a range of a file, and nothing else.
fn read(file: &Path, range: Range<u64>) -> std::io::Result<Sums> {
    let mut source = fs_err::File::open(file)?;
    source.seek(SeekFrom::Start(range.start))?;
    let mut source = source.take(range.end - range.start);
    let mut buffer = vec![0; READ_BYTES];
    while source.read(&mut buffer)? > 0 {}
    Ok(Sums::default())
}

/// Scans the lines that begin in a range of a file.
fn scan(file: &Path, range: Range<u64>, work: Work) -> std::io::Result<Sums> {
    let mut source = fs_err::File::open(file)?;
    let mut sums = Sums::default();
    // The line that begins in the range before belongs to that.
    let start = range.start.saturating_sub(1);
    source.seek(SeekFrom::Start(start))?;
    let (mut buffer, mut filled, mut at) = (vec![0; CHUNK_BYTES], 0, start);
    let mut is_skipping = range.start > 0;
    let mut trace = Vec::new();
    loop {
        if filled == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = source.read(&mut buffer[filled..])?;
        filled += read;
        let mut begin = 0;
        while let Some(length) = memchr::memchr(b'\n', &buffer[begin..filled]) {
            if is_skipping {
                is_skipping = false;
            } else if at + begin as u64 >= range.end {
                return Ok(sums);
            } else {
                sums = sums.and(line(&buffer[begin..begin + length], work, &mut trace)?);
            }
            begin += length + 1;
        }
        buffer.copy_within(begin..filled, 0);
        filled -= begin;
        at += begin as u64;
        if read == 0 {
            return Ok(sums);
        }
    }
}

fn line(line: &[u8], work: Work, trace: &mut Vec<u8>) -> std::io::Result<Sums> {
    let line = line.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(line);
    if line.trim_ascii().is_empty() {
        return Ok(Sums::default());
    }
    let record: Record<'_> = serde_json::from_slice(line)?;
    let parts = [record.reasoning.as_deref(), record.response.as_deref()];
    let mut sums = Sums {
        records: 1,
        correct: u64::from(record.correct),
        trace_bytes: parts.iter().flatten().map(|part| part.len() as u64).sum(),
        compressed_bytes: 0,
    };
    if work == Work::ParseAndCompress {
        trace.clear();
        parts.iter().flatten().for_each(|part| trace.extend_from_slice(part.as_bytes()));
        sums.compressed_bytes = compressed_bytes(trace);
    }
    Ok(sums)
}

thread_local! {
    /// A compressor of libdeflate, and where it writes.
    static COMPRESSOR: RefCell<(Compressor, Vec<u8>)> =
        RefCell::new((Compressor::new(CompressionLvl::new(LEVEL).unwrap_or_default()), Vec::new()));
}

fn compressed_bytes(trace: &[u8]) -> u64 {
    COMPRESSOR.with_borrow_mut(|(compressor, buffer)| {
        let bound = compressor.gzip_compress_bound(trace.len());
        if buffer.len() < bound {
            buffer.resize(bound, 0);
        }
        compressor.gzip_compress(trace, buffer).expect("the buffer is as large as any result") as u64
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build()?;
    let mut ranges = Vec::new();
    for file in &arguments.files {
        let size = fs_err::metadata(file)?.len();
        let starts = (0..size.div_ceil(RANGE_BYTES)).map(|number| number * RANGE_BYTES);
        ranges.extend(starts.map(|start| (file, start..(start + RANGE_BYTES).min(size))));
    }
    let sums = pool.install(|| {
        ranges
            .par_iter()
            .map(|(file, range)| match arguments.work {
                Work::Read => read(file, range.clone()),
                work => scan(file, range.clone(), work),
            })
            .try_reduce(Sums::default, |a, b| Ok(a.and(b)))
    })?;
    writeln!(
        std::io::stdout(),
        "{} records, {} correct, {} bytes of traces, {} compressed",
        sums.records,
        sums.correct,
        sums.trace_bytes,
        sums.compressed_bytes
    )?;
    Ok(())
}
