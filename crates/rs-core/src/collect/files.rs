//! Plain files read in ranges, compressed ones as streams whose blocks other threads may parse.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::context::Context;
use super::parser::Parser;
use super::part::Part;
use super::{Input, OnMalformed, unpoisoned};
use crate::origin::Origin;
use crate::reader::{Block, BlockReader};

/// A part of a plain file.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileRange {
    pub(super) file: usize,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// What the threads share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub(super) parts: &'a Mutex<Vec<Part>>,
    /// Blocks copied for other threads and not parsed yet.
    pub(super) in_flight: &'a AtomicUsize,
    pub(super) most_in_flight: usize,
    /// The first part, by file and offset, with a malformed line that is to stop the work.
    pub(super) stop_at: &'a Mutex<(usize, u64)>,
}

impl Shared<'_> {
    pub(super) fn push(&self, part: Part, on_malformed: OnMalformed) {
        if on_malformed == OnMalformed::Stop && part.has_problem() {
            let mut stop_at = unpoisoned(self.stop_at.lock());
            *stop_at = (part.file, part.offset).min(*stop_at);
        }
        unpoisoned(self.parts.lock()).push(part);
    }
}

impl Context<'_> {
    /// Whether what stands at this place need not be read any more.
    pub(super) fn stopped(&self, shared: &Shared<'_>, file: usize, offset: u64) -> bool {
        self.monitor.is_cancelled()
            || self.spectra.has_failed()
            || self.on_malformed == OnMalformed::Stop && (file, offset) > *unpoisoned(shared.stop_at.lock())
    }

    pub(super) fn read_range(&self, unit: FileRange, shared: &Shared<'_>) {
        let mut parser = self.parser(unit.file, unit.start);
        let path = &self.files[unit.file].path;
        let result =
            BlockReader::open_at(path, unit.start..unit.end, self.pieces.plain_block_bytes, &self.monitor.done_bytes);
        if let Err(error) = result.and_then(|reader| self.parse_range(reader, unit, &mut parser, shared)) {
            parser.unreadable(&error);
        }
        shared.push(parser.finish(), self.on_malformed);
    }

    fn parse_range<'c>(
        &'c self,
        mut reader: BlockReader<'_>,
        unit: FileRange,
        parser: &mut Parser<'c>,
        shared: &Shared<'_>,
    ) -> io::Result<()> {
        loop {
            let offset = reader.offset();
            if offset >= unit.end || self.stopped(shared, unit.file, offset) {
                break;
            }
            match reader.next_block()? {
                None => break,
                Some(Block::OversizedLine) => parser.oversized(offset),
                Some(Block::Lines(lines)) => {
                    // Lines that begin at or after the end belong to the next range.
                    let limit = usize::try_from(unit.end - offset).unwrap_or(usize::MAX);
                    let lines = match lines.len().checked_sub(limit) {
                        None | Some(0) => lines,
                        Some(_) => {
                            let end = memchr::memchr(b'\n', &lines[limit - 1..]).map_or(lines.len(), |at| limit + at);
                            &lines[..end]
                        }
                    };
                    parser.lines(lines, offset);
                    self.cut_if_full(parser, unit.file, reader.offset(), shared);
                }
                Some(Block::LastLine(line)) => parser.last_line(line, offset),
            }
        }
        Ok(())
    }

    /// Begins a new part at an offset if the one in the making has grown large.
    pub(super) fn cut_if_full<'c>(&'c self, parser: &mut Parser<'c>, file: usize, offset: u64, shared: &Shared<'_>) {
        if parser.is_full() {
            shared.push(std::mem::replace(parser, self.parser(file, offset)).finish(), self.on_malformed);
        }
    }

    pub(super) fn read_stream<'scope>(
        &'scope self,
        file: usize,
        shared: &Shared<'scope>,
        scope: &rayon::Scope<'scope>,
    ) {
        let Input { path, codec, origin, .. } = &self.files[file];
        let (block_bytes, progress) = (self.pieces.stream_block_bytes, &self.monitor.done_bytes);
        let reader = match origin {
            Origin::File => BlockReader::open(path, *codec, block_bytes, progress),
            // Without content: the others begin in a frame.
            _ => BlockReader::over(io::empty(), *codec, block_bytes, progress),
        };
        self.read_blocks(file, reader, shared, scope);
    }

    /// Reads a stream to its end.
    pub(super) fn read_blocks<'scope>(
        &'scope self,
        file: usize,
        reader: io::Result<BlockReader<'_>>,
        shared: &Shared<'scope>,
        scope: &rayon::Scope<'scope>,
    ) {
        let result = reader.and_then(|mut reader| {
            loop {
                let offset = reader.offset();
                if self.stopped(shared, file, offset) {
                    break;
                }
                let Some(block) = reader.next_block()? else { break };
                match block {
                    Block::Lines(lines) => self.parse_elsewhere(file, offset, lines, shared, scope),
                    last => {
                        let mut parser = self.parser(file, offset);
                        match last {
                            Block::LastLine(text) => parser.last_line(text, offset),
                            _ => parser.oversized(offset),
                        }
                        shared.push(parser.finish(), self.on_malformed);
                    }
                }
            }
            Ok(())
        });
        if let Err(error) = result {
            let mut parser = self.parser(file, u64::MAX);
            parser.unreadable(&error);
            shared.push(parser.finish(), self.on_malformed);
        }
    }

    /// Parses whole lines on whichever thread is free; here, if enough blocks are under way already.
    fn parse_elsewhere<'scope>(
        &'scope self,
        file: usize,
        offset: u64,
        lines: &[u8],
        shared: &Shared<'scope>,
        scope: &rayon::Scope<'scope>,
    ) {
        let block_bytes = self.pieces.stream_block_bytes;
        // Little is not worth the way, and a line of many megabytes not a copy.
        let is_parsed_here = lines.len() < block_bytes / 2 || lines.len() > block_bytes * 2;
        if is_parsed_here || shared.in_flight.fetch_add(1, Ordering::Relaxed) >= shared.most_in_flight {
            if !is_parsed_here {
                shared.in_flight.fetch_sub(1, Ordering::Relaxed);
            }
            let mut parser = self.parser(file, offset);
            parser.lines(lines, offset);
            shared.push(parser.finish(), self.on_malformed);
            return;
        }
        let lines = lines.to_vec();
        let shared = *shared;
        scope.spawn(move |_| {
            let mut parser = self.parser(file, offset);
            parser.lines(&lines, offset);
            shared.push(parser.finish(), self.on_malformed);
            shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// What it costs to read a compressed file of this size: one piece however large, that takes longest for its size.
pub(super) fn stream_cost(size_bytes: u64) -> u64 {
    size_bytes.saturating_mul(10)
}
