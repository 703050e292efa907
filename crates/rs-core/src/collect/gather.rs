//! Parts put together in (path, line) order: findings of files, points of evaluations, diagnostics.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use rayon::prelude::*;

use super::context::Context;
use super::part::{Part, PartPoint, Unreadable};
use super::{Collected, Collection, FileFindings, Input, Keep, MARK_BYTES, MAX_DIAGNOSTICS, Mark, SampleFile};
use crate::diagnostic::{Diagnostic, Problem};
use crate::point::{self, Attributes, Point};
use crate::sample::Sample;

/// An evaluation, a task, and params: what a point is found by.
type Coordinate = (usize, String, String);

/// What one part holds of one point.
struct Piece {
    /// Shared by all evaluations that have them, until each is counted.
    samples: Arc<Vec<Sample>>,
    firsts: Firsts,
}

impl Context<'_> {
    pub(super) fn put_together(&self, mut parts: Vec<Part>) -> Collection {
        let mut collection = Collection {
            evaluations: vec![Collected::default(); self.wanted.len()],
            files: vec![FileFindings::default(); self.files.len()],
            sample_memory_bytes: parts.iter().map(Part::sample_memory_bytes).sum(),
            ..Collection::default()
        };
        let first_lines = first_lines(&parts);
        let mut diagnostics = Diagnostics { kept: Vec::new(), n_more: 0, files: self.files };
        let mut unreadable_file = None;
        for (part, first_line) in parts.iter_mut().zip(&first_lines) {
            diagnostics.take(part, *first_line);
            let findings = &mut collection.files[part.file];
            findings.n_malformed += part.n_malformed;
            // A file that is damaged at several places is one file that cannot be read.
            if let Some(unreadable) = part.unreadable.take().filter(|_| unreadable_file != Some(part.file)) {
                unreadable_file = Some(part.file);
                findings.n_malformed += 1;
                collection.n_in_damaged_blobs += u64::from(unreadable.is_damaged_blob);
                diagnostics.take_unreadable(part.file, unreadable);
            }
            for (identity, tally) in &part.identities {
                findings.identities.entry(identity.clone()).or_default().merge(*tally);
            }
        }
        (collection.diagnostics, collection.n_more_diagnostics) = (diagnostics.kept, diagnostics.n_more);
        for (input, findings) in self.files.iter().zip(&collection.files) {
            for &evaluation in &input.evaluations {
                let collected = &mut collection.evaluations[evaluation];
                collected.n_malformed += findings.n_malformed;
                for (identity, tally) in &findings.identities {
                    if *identity == self.wanted[evaluation].identity {
                        collected.tally.merge(*tally);
                    } else {
                        collected.n_foreign += tally.n_records;
                    }
                }
            }
        }
        if self.keep == Keep::Points {
            self.make_points(parts, &first_lines, &mut collection.evaluations);
        }
        collection
    }

    fn make_points(&self, mut parts: Vec<Part>, first_lines: &[Option<u64>], evaluations: &mut [Collected]) {
        let marks = marks(&parts, first_lines);
        let gathered = self.gather(&mut parts, first_lines);
        let all_attributes: Vec<&Attributes> = parts.iter().flat_map(|part| &part.attributes).collect();
        let places = self.places(&gathered);
        let gathered: Vec<(Coordinate, Vec<Piece>)> = gathered.into_iter().collect();
        let counted: Vec<(usize, Point, u64)> = gathered
            .into_par_iter()
            // What is missing once the work is cancelled nobody looks at.
            .take_any_while(|_| !self.monitor.is_cancelled())
            .map(|((evaluation, base_task, params), mut pieces)| {
                let samples = joined(&mut pieces);
                let context_tokens = self.wanted[evaluation].context_tokens;
                // Parts are of one file each, and what samples carry tells their parts.
                let file = |attributes: u32| {
                    let piece = pieces.partition_point(|piece| piece.firsts.attributes <= attributes) - 1;
                    places[evaluation][&pieces[piece].firsts.file]
                };
                let beside = point::Beside {
                    attributes: |at: u32| all_attributes[at as usize].clone(),
                    file,
                    spectrum: |number: u32| self.spectra.get(number.into()),
                };
                let (point, n_duplicates) = point::count(base_task, params, samples, context_tokens, beside);
                (evaluation, point, n_duplicates)
            })
            .collect();
        for (evaluation, point, n_duplicates) in counted {
            let collected = &mut evaluations[evaluation];
            collected.n_duplicates += n_duplicates;
            collected.n_errors += point.errors;
            collected.points.push(point);
        }
        for (collected, places) in evaluations.iter_mut().zip(places) {
            let file = |(input, file)| SampleFile { input, file, marks: marks[&input].clone() };
            collected.files = places.into_iter().map(file).collect();
        }
    }

    /// Takes the points out of the parts: pieces of each point of each evaluation, in (path, line) order.
    fn gather(&self, parts: &mut [Part], first_lines: &[Option<u64>]) -> BTreeMap<Coordinate, Vec<Piece>> {
        let mut gathered: BTreeMap<Coordinate, Vec<Piece>> = BTreeMap::new();
        let mut n_attributes = 0_usize;
        for (part, first_line) in parts.iter_mut().zip(first_lines) {
            let claimants: Vec<Vec<usize>> =
                part.identities.iter().map(|(identity, _)| self.claimants(part.file, identity)).collect();
            let firsts = Firsts {
                attributes: u32::try_from(n_attributes).unwrap_or(u32::MAX),
                spectra: u32::try_from(part.first_spectrum).unwrap_or(u32::MAX),
                file: part.file,
                line: *first_line,
            };
            for PartPoint { identity, base_task, params, samples } in std::mem::take(&mut part.points) {
                let Some((last, others)) = claimants[identity].split_last() else { continue };
                let samples = Arc::new(samples);
                for &evaluation in others {
                    let piece = Piece { samples: Arc::clone(&samples), firsts };
                    gathered.entry((evaluation, base_task.clone(), params.clone())).or_default().push(piece);
                }
                gathered.entry((*last, base_task, params)).or_default().push(Piece { samples, firsts });
            }
            n_attributes += part.attributes.len();
        }
        gathered
    }

    /// The files that hold samples of each evaluation, and their positions among all that its glob matches.
    fn places(&self, gathered: &BTreeMap<Coordinate, Vec<Piece>>) -> Vec<BTreeMap<usize, u32>> {
        let mut places = vec![BTreeMap::new(); self.wanted.len()];
        for ((evaluation, ..), pieces) in gathered {
            places[*evaluation].extend(pieces.iter().map(|piece| (piece.firsts.file, 0)));
        }
        let mut n_matched = vec![0; self.wanted.len()];
        for (at, input) in self.files.iter().enumerate() {
            for &evaluation in &input.evaluations {
                if let Some(position) = places[evaluation].get_mut(&at) {
                    *position = n_matched[evaluation];
                }
                n_matched[evaluation] += 1;
            }
        }
        places
    }
}

/// The number of the first line of each part, from 1; `None` behind a place where its file could not be read.
fn first_lines(parts: &[Part]) -> Vec<Option<u64>> {
    let (mut file, mut next) = (None, None);
    let first_line = |part: &Part| {
        if file != Some(part.file) {
            (file, next) = (Some(part.file), Some(1));
        }
        let first = next;
        next = next.filter(|_| part.unreadable.is_none()).map(|line| line + part.n_lines);
        first
    };
    parts.iter().map(first_line).collect()
}

/// The marks of each file: those of its parts, of which the first in each piece counts.
fn marks(parts: &[Part], first_lines: &[Option<u64>]) -> BTreeMap<usize, Vec<Mark>> {
    let mut marks: BTreeMap<usize, Vec<Mark>> = BTreeMap::new();
    for (part, first_line) in parts.iter().zip(first_lines) {
        let marks = marks.entry(part.file).or_default();
        let Some(first_line) = first_line else { continue };
        for mark in &part.marks {
            if marks.last().is_none_or(|last| last.offset / MARK_BYTES < mark.offset / MARK_BYTES) {
                marks.push(Mark { line: first_line + mark.line, offset: mark.offset });
            }
        }
    }
    marks
}

/// What positions and lines of a part count from, and its file.
#[derive(Clone, Copy)]
struct Firsts {
    attributes: u32,
    spectra: u32,
    file: usize,
    line: Option<u64>,
}

impl Firsts {
    /// Makes a sample of the part one of all parts.
    fn place(&self, sample: &mut Sample) {
        let line = self.line.zip(sample.line).map(|(first, line)| first - 1 + u64::from(line.get()));
        sample.attributes += self.attributes;
        sample.spectrum = sample.spectrum.map(|at| at.saturating_add(self.spectra));
        sample.line = line.and_then(|line| u32::try_from(line).ok()).and_then(NonZeroU32::new);
    }
}

/// Takes the samples of all pieces, in their order. Those of the first, which is the only one of most points, stay where
/// they are.
fn joined(pieces: &mut [Piece]) -> Vec<Sample> {
    let n_samples: usize = pieces.iter().map(|piece| piece.samples.len()).sum();
    let mut joined = Vec::new();
    for piece in pieces {
        let mut samples = Arc::unwrap_or_clone(std::mem::take(&mut piece.samples));
        samples.iter_mut().for_each(|sample| piece.firsts.place(sample));
        if joined.is_empty() {
            joined = samples;
            joined.reserve_exact(n_samples - joined.len());
        } else {
            joined.append(&mut samples);
        }
    }
    joined
}

/// Diagnostics put in order, with their line numbers.
struct Diagnostics<'a> {
    kept: Vec<Diagnostic>,
    n_more: u64,
    files: &'a [Input],
}

impl Diagnostics<'_> {
    fn take(&mut self, part: &mut Part, first_line: Option<u64>) {
        let path = &self.files[part.file].path;
        let n_room = MAX_DIAGNOSTICS - self.kept.len();
        let n_problems = part.n_malformed;
        let taken = part.diagnostics.drain(..).take(n_room).map(|problem| Diagnostic {
            path: crate::paths::show(path),
            line: first_line.map(|first| first + problem.line),
            column: problem.column.map(|column| column as u64),
            problem: problem.problem,
            what: problem.what,
        });
        let n_before = self.kept.len();
        self.kept.extend(taken);
        self.n_more += n_problems - (self.kept.len() - n_before) as u64;
    }

    fn take_unreadable(&mut self, file: usize, unreadable: Unreadable) {
        if self.kept.len() >= MAX_DIAGNOSTICS {
            self.n_more += 1;
            return;
        }
        self.kept.push(Diagnostic {
            path: crate::paths::show(&self.files[file].path),
            line: None,
            column: None,
            problem: Problem::Unreadable,
            what: unreadable.what,
        });
    }
}
