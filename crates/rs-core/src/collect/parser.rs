//! The lines of one range or block to a part: records, points with their samples, problems.

use std::hash::BuildHasher;
use std::io;
use std::num::NonZeroU32;

use hashbrown::HashTable;

use super::context::Context;
use super::part::{Part, PartPoint, PlacedProblem, Unreadable};
use super::{Keep, MARK_BYTES, MAX_DIAGNOSTICS, Mark, Tally};
use crate::block_lines::{Line, for_each_line};
use crate::diagnostic::Problem;
use crate::eval_id::Identity;
use crate::forensics::{Examiner, Spectrum, prompt_text};
use crate::lexer::{LexError, RawString};
use crate::pack::PackError;
use crate::params::{canonical_json, canonical_params};
use crate::point::Attributes;
use crate::reader::{Codec, MAX_LINE_BYTES};
use crate::record::{self, Outcome, Record};
use crate::sample::Sample;
use crate::shape::Shape;

/// A part with so many spectra, 2 MiB, gets no further block.
const FULL_SPECTRA: usize = 4096;

/// Parses the lines of one range or block.
pub(super) struct Parser<'a> {
    context: &'a Context<'a>,
    part: Part,
    /// Beside [`Part::identities`].
    identity_keys: Vec<IdentityKey>,
    /// Everything that was written for a coordinate and its attributes; beside [`Part::attributes`].
    spellings: Vec<Spelling>,
    /// Positions in `spellings` by raw key.
    by_raw_key: HashTable<usize>,
    /// Positions in [`Part::points`] by coordinate.
    by_coordinate: HashTable<usize>,
    raw_key: Vec<u8>,
    shape: Shape,
    /// The trace at hand, decoded.
    trace: Vec<u8>,
    /// Those of the part.
    spectra: Vec<Spectrum>,
    /// Repetitions have one prompt.
    last_prompt: Option<LastPrompt>,
    /// The next line that begins here or behind gets a mark.
    next_mark: u64,
    /// Where the record before belongs: most records follow one of their own point.
    last: Option<Belonging>,
}

/// An identity met in a range or block.
struct IdentityKey {
    /// Its raw texts.
    key: Vec<u8>,
    /// The first evaluation that wants its records, if any does.
    wanted_by: Option<usize>,
}

/// The prompt whose spectrum was found last.
struct LastPrompt {
    identity: usize,
    /// As it is written.
    text: Vec<u8>,
    /// Its number among those of the part, counted from 1; `None` if it has no spectrum.
    spectrum: Option<NonZeroU32>,
}

/// Where a record belongs.
#[derive(Clone, Copy)]
struct Belonging {
    /// Position of its identity in the part.
    identity: usize,
    /// Position of its spelling; `None` if nobody wants its samples.
    spelling: Option<usize>,
}

/// One way in which a coordinate and its attributes are written.
struct Spelling {
    /// The raw texts one after another, for a look-up without decoding.
    raw_key: Vec<u8>,
    /// Position in [`Part::points`].
    point: usize,
}

impl Parser<'_> {
    pub(super) fn finish(mut self) -> Part {
        self.part.first_spectrum = self.context.spectra.append(&self.spectra);
        self.part.n_spectra = self.spectra.len();
        self.part
    }

    /// Whether a new part is to begin with the next line: what a part holds is not to grow with the pieces of a file.
    pub(super) fn is_full(&self) -> bool {
        self.spectra.len() >= FULL_SPECTRA
    }

    /// Whole lines, each with its `\n`, that begin at an offset.
    pub(super) fn lines(&mut self, block: &[u8], offset: u64) {
        for_each_line(block, |line| {
            self.begin_line(offset + line.start as u64);
            self.line(line);
        });
    }

    /// Counts a line.
    #[inline]
    fn begin_line(&mut self, offset: u64) {
        if offset >= self.next_mark {
            self.part.marks.push(Mark { line: self.part.n_lines, offset });
            self.next_mark = (offset / MARK_BYTES + 1) * MARK_BYTES;
        }
        self.part.n_lines += 1;
    }

    /// The last line of a file, which has no line end: it may be cut off.
    pub(super) fn last_line(&mut self, text: &[u8], offset: u64) {
        self.begin_line(offset);
        let n_diagnostics = self.part.diagnostics.len();
        self.line(&Line::new(text));
        if let Some(problem) = self.part.diagnostics.get_mut(n_diagnostics) {
            problem.problem = Problem::Torn;
            problem.what = format!("torn last line: no line end, and {}", problem.what);
        }
    }

    pub(super) fn oversized(&mut self, offset: u64) {
        self.begin_line(offset);
        let what = format!("line is longer than {} MiB", MAX_LINE_BYTES >> 20);
        self.problem(None, what);
    }

    pub(super) fn unreadable(&mut self, error: &io::Error) {
        let of_blob = error.get_ref().and_then(|inner| inner.downcast_ref::<PackError>());
        let what = match self.context.files[self.part.file].codec {
            Codec::Zstd if of_blob.is_none() => {
                format!("cannot be read to its end, the zstd data is damaged or cut off: {error}")
            }
            Codec::Gzip if of_blob.is_none() => {
                format!("cannot be read to its end, the gzip data is damaged or cut off: {error}")
            }
            _ => format!("cannot be read to its end: {error}"),
        };
        let is_damaged_blob = of_blob.is_some_and(|error| !matches!(error, PackError::Io(_)));
        self.part.unreadable = Some(Unreadable { what, is_damaged_blob });
    }

    /// The file's blob cannot be opened.
    pub(super) fn unusable(&mut self, what: &str) {
        let what = format!("cannot be read: {what}");
        self.part.unreadable = Some(Unreadable { what, is_damaged_blob: true });
    }

    /// The line begun last is malformed.
    fn problem(&mut self, column: Option<usize>, what: String) {
        self.part.n_malformed += 1;
        if self.part.diagnostics.len() < MAX_DIAGNOSTICS {
            let line = self.part.n_lines - 1;
            self.part.diagnostics.push(PlacedProblem { line, column, problem: Problem::Malformed, what });
        }
    }

    #[inline]
    fn line(&mut self, line: &Line<'_>) {
        let is_blank = line.text.first() != Some(&b'{') && line.text.trim_ascii().is_empty();
        if is_blank {
            return;
        }
        let record = line.lexer().and_then(|lexer| record::parse(lexer, &mut self.shape));
        if let Err(error) = record.and_then(|record| self.record(&record)) {
            let LexError { at, what } = error;
            self.problem(Some(at + 1), what);
        }
    }

    #[inline]
    fn record(&mut self, record: &Record<'_>) -> Result<(), LexError> {
        let belonging = match self.last.take() {
            Some(last) if record.is_like_last => last,
            _ => self.belonging(record)?,
        };
        self.last = Some(belonging);
        self.part.identities[belonging.identity].1.add(record.timestamp);
        if let Some(spelling) = belonging.spelling {
            let point = self.spellings[spelling].point;
            let attributes = u32::try_from(spelling).unwrap_or(u32::MAX);
            // The record's line has been counted: its number from 1 in the part.
            let line = u32::try_from(self.part.n_lines).ok().and_then(NonZeroU32::new);
            let mut sample = Sample::new(record, attributes, line);
            if let Some(examiner) = self.context.examiner {
                self.examine(examiner, belonging.identity, record, &mut sample);
            }
            self.part.points[point].samples.push(sample);
        }
        Ok(())
    }

    /// Looks at the texts of a record. Errors are no samples: nobody asks what they look like.
    fn examine(&mut self, examiner: &dyn Examiner, identity: usize, record: &Record<'_>, sample: &mut Sample) {
        if sample.outcome == Outcome::Error {
            return;
        }
        self.trace.clear();
        for text in [record.reasoning, record.response].into_iter().flatten() {
            text.decode_into(&mut self.trace);
        }
        sample.compressed_bytes = Some(examiner.compressed_bytes(&self.trace));
        let wanted_by = self.identity_keys[identity].wanted_by.filter(|evaluation| examiner.has_spectra(*evaluation));
        let Some((evaluation, prompt)) = wanted_by.zip(record.prompt) else { return };
        if let Some(last) = &self.last_prompt
            && last.identity == identity
            && last.text == prompt
        {
            sample.spectrum = last.spectrum;
            return;
        }
        if let Some(spectrum) = prompt_text(prompt).and_then(|text| examiner.spectrum(evaluation, &text)) {
            self.spectra.push(spectrum);
            sample.spectrum = u32::try_from(self.spectra.len()).ok().and_then(NonZeroU32::new);
        }
        self.last_prompt = Some(LastPrompt { identity, text: prompt.to_vec(), spectrum: sample.spectrum });
    }

    fn belonging(&mut self, record: &Record<'_>) -> Result<Belonging, LexError> {
        let identity = self.identity(record);
        let is_kept = self.context.keep == Keep::Points && self.identity_keys[identity].wanted_by.is_some();
        let spelling = if is_kept { Some(self.spelling(identity, record)?) } else { None };
        Ok(Belonging { identity, spelling })
    }

    /// Position of the record's identity in the part.
    #[inline]
    fn identity(&mut self, record: &Record<'_>) -> usize {
        let names = [record.model.raw, record.template.raw, record.sampler.raw];
        let found = self.identity_keys.iter().position(|known| key_equals(&known.key, &names));
        found.unwrap_or_else(|| {
            let identity = Identity {
                model: record.model.decode().into_owned(),
                template: record.template.decode().into_owned(),
                sampler: record.sampler.decode().into_owned(),
            };
            let wanted_by = self.context.claimants(self.part.file, &identity).first().copied();
            self.identity_keys.push(IdentityKey { key: key_of(&names), wanted_by });
            self.part.identities.push((identity, Tally::default()));
            self.part.identities.len() - 1
        })
    }

    /// Position of what the record writes for its coordinate and attributes, found by the raw texts.
    #[inline]
    fn spelling(&mut self, identity: usize, record: &Record<'_>) -> Result<usize, LexError> {
        let identity_text = u32::try_from(identity).unwrap_or(u32::MAX).to_le_bytes();
        let names: [Option<&[u8]>; 5] = [
            Some(record.base_task.raw),
            Some(record.params),
            record.task.map(|text| text.raw),
            record.category.map(|text| text.raw),
            record.manifold,
        ];
        self.raw_key.clear();
        self.raw_key.extend_from_slice(&identity_text);
        for name in names {
            // Neither byte is in any UTF-8 text: 0xFE marks absence, 0xFF parts the texts.
            match name {
                Some(name) => self.raw_key.extend_from_slice(name),
                None => self.raw_key.push(0xFE),
            }
            self.raw_key.push(0xFF);
        }
        let hasher = &self.context.hasher;
        let hash = hasher.hash_one(self.raw_key.as_slice());
        match self.by_raw_key.find(hash, |at| self.spellings[*at].raw_key == self.raw_key) {
            Some(at) => Ok(*at),
            None => self.new_spelling(hash, identity, record),
        }
    }

    /// Adds `self.raw_key`, whose hash is `hash`.
    fn new_spelling(&mut self, hash: u64, identity: usize, record: &Record<'_>) -> Result<usize, LexError> {
        let text = |text: Option<RawString<'_>>| text.map(|text| text.decode().into_owned());
        let attributes = Attributes {
            task: text(record.task),
            category: text(record.category),
            manifold: record.manifold.map(canonical_json).transpose()?,
        };
        let point = self.point(identity, record.base_task.decode().into_owned(), canonical_params(record.params)?);
        let at = self.spellings.len();
        self.part.attributes.push(attributes);
        self.spellings.push(Spelling { raw_key: self.raw_key.clone(), point });
        let (hasher, spellings) = (&self.context.hasher, &self.spellings);
        self.by_raw_key.insert_unique(hash, at, |at| hasher.hash_one(spellings[*at].raw_key.as_slice()));
        Ok(at)
    }

    /// Position of a coordinate's point in the part: two spellings of one coordinate are one point.
    fn point(&mut self, identity: usize, base_task: String, params: String) -> usize {
        let hasher = &self.context.hasher;
        let hash_of = |point: &PartPoint| hasher.hash_one((point.identity, &point.base_task, &point.params));
        // Points of a file have about as many samples each.
        let n_samples = self.part.points.last().map_or(0, |point| point.samples.len());
        let new = PartPoint { identity, base_task, params, samples: Vec::with_capacity(n_samples) };
        let is_new = |point: &PartPoint| {
            (point.identity, &point.base_task, &point.params) == (new.identity, &new.base_task, &new.params)
        };
        let points = &mut self.part.points;
        if let Some(at) = self.by_coordinate.find(hash_of(&new), |at| is_new(&points[*at])) {
            return *at;
        }
        let (hash, at) = (hash_of(&new), points.len());
        points.push(new);
        self.by_coordinate.insert_unique(hash, at, |at| hash_of(&points[*at]));
        at
    }
}

/// Several texts as one key: each followed by 0xFF, which is in no UTF-8 text.
fn key_of(texts: &[&[u8]]) -> Vec<u8> {
    texts.iter().flat_map(|text| text.iter().copied().chain([0xFF])).collect()
}

#[inline]
fn key_equals(key: &[u8], texts: &[&[u8]]) -> bool {
    let mut rest = key;
    for text in texts {
        match rest.strip_prefix(*text).and_then(|rest| rest.strip_prefix(&[0xFF])) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

impl Context<'_> {
    /// A parser of what begins at an offset of a file.
    pub(super) fn parser(&self, file: usize, offset: u64) -> Parser<'_> {
        Parser {
            context: self,
            part: Part {
                file,
                offset,
                identities: Vec::new(),
                points: Vec::new(),
                attributes: Vec::new(),
                first_spectrum: 0,
                n_spectra: 0,
                n_malformed: 0,
                diagnostics: Vec::new(),
                n_lines: 0,
                marks: Vec::new(),
                unreadable: None,
            },
            next_mark: 0,
            identity_keys: Vec::new(),
            spellings: Vec::new(),
            by_raw_key: HashTable::new(),
            by_coordinate: HashTable::new(),
            raw_key: Vec::new(),
            shape: Shape::default(),
            trace: Vec::new(),
            spectra: Vec::new(),
            last_prompt: None,
            last: None,
        }
    }
}
