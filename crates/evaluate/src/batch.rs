//! Evaluations that are collected together.

use std::collections::{BTreeMap, BTreeSet};

use rs_cli::{CommandError, Kind};
use rs_core::atomic_file::{folder_of, resolve_link};
use rs_core::cohort::RawFile;
use rs_core::collect::{self, Cache, CollectError, Collection, How, Input, Keep, Monitor, OnMalformed, Wanted};
use rs_core::forensics::Examiner;
use rs_core::reader::Codec;
use rs_forensics::tokenizer::TokenizerSource;

use crate::errors::stopped;
use crate::forensics::{self, Forensics, Loaded};
use crate::plan::{Plan, PlannedEval};

/// Raw bytes collected at a time: bounds the memory that samples take before they are points, and lets one batch be
/// written while the next is read.
const BATCH_BYTES: u64 = 128 << 20;
/// Tokenizers of a batch, which are in memory at once. Evaluations that share files may have more.
const MAX_BATCH_TOKENIZERS: usize = 2;
/// About how much larger compressed text is once unpacked.
const TYPICAL_RATIO: u64 = 10;

/// About how many bytes a raw file has once decoded.
pub(crate) fn decoded_bytes(file: &RawFile) -> u64 {
    match file.codec {
        Codec::Plain => file.size_bytes,
        Codec::Zstd | Codec::Gzip => file.size_bytes.saturating_mul(TYPICAL_RATIO),
    }
}

/// Evaluations, and what reading them takes.
struct Batch<'a> {
    evaluations: Vec<&'a PlannedEval>,
    files: BTreeSet<usize>,
    /// Their tokenizers, numbered as they are first met.
    tokenizers: BTreeSet<usize>,
}

impl Batch<'_> {
    fn take(&mut self, other: Self) {
        self.evaluations.extend(other.evaluations);
        self.files.extend(other.files);
        self.tokenizers.extend(other.tokenizers);
    }

    /// About how many bytes its files have once decoded.
    fn decoded_bytes(&self, plan: &Plan) -> u64 {
        self.files.iter().map(|at| decoded_bytes(&plan.files[*at])).fold(0, u64::saturating_add)
    }
}

/// Evaluations that share files are collected together, so that a file is read once; small ones share a batch, as far as
/// they have few tokenizers. Those with the same one are neighbours, so that it stays in memory for few batches.
pub(crate) fn batches<'a>(plan: &'a Plan, wanted: &[&'a PlannedEval]) -> Vec<Vec<&'a PlannedEval>> {
    let mut groups: Vec<Batch<'_>> = Vec::new();
    let mut known_tokenizers: Vec<&str> = Vec::new();
    for evaluation in wanted {
        let mut number = |source: &'a TokenizerSource| {
            let fingerprint = source.fingerprint();
            known_tokenizers.iter().position(|known| *known == fingerprint).unwrap_or_else(|| {
                known_tokenizers.push(fingerprint);
                known_tokenizers.len() - 1
            })
        };
        let mut group = Batch {
            evaluations: Vec::new(),
            files: evaluation.files.iter().copied().collect(),
            tokenizers: tokenizers(plan, [evaluation].into_iter()).map(&mut number).collect(),
        };
        let (sharing, apart): (Vec<Batch<'_>>, Vec<Batch<'_>>) =
            groups.into_iter().partition(|known| !known.files.is_disjoint(&group.files));
        groups = apart;
        sharing.into_iter().for_each(|known| group.take(known));
        group.evaluations.push(evaluation);
        groups.push(group);
    }
    groups.sort_by(|a, b| a.tokenizers.cmp(&b.tokenizers));
    let mut batches: Vec<(u64, Batch<'_>)> = Vec::new();
    for group in groups {
        let group_bytes = group.decoded_bytes(plan);
        match batches.last_mut() {
            Some((bytes, batch))
                if bytes.saturating_add(group_bytes) <= BATCH_BYTES
                    && batch.tokenizers.union(&group.tokenizers).count() <= MAX_BATCH_TOKENIZERS =>
            {
                *bytes += group_bytes;
                batch.take(group);
            }
            _ => batches.push((group_bytes, group)),
        }
    }
    batches.into_iter().map(|(_, batch)| batch.evaluations).collect()
}

/// Where the tokenizers of those evaluations come from that have one.
pub(crate) fn tokenizers<'a, 'p: 'a, 's>(
    plan: &'s Plan,
    evaluations: impl Iterator<Item = &'a &'p PlannedEval>,
) -> impl Iterator<Item = &'s TokenizerSource> {
    evaluations.filter_map(|evaluation| plan.tokenizers.as_ref()?.of(evaluation.entry.hf_id.as_deref()))
}

/// How many of an evaluation's files came from the cache.
pub(crate) fn count_cached(batch: &[&PlannedEval], evaluation: &PlannedEval, collection: &Collection) -> u64 {
    let files: BTreeSet<usize> = batch.iter().flat_map(|evaluation| evaluation.files.iter().copied()).collect();
    let of_evaluation = files.iter().zip(&collection.files).filter(|(at, _)| evaluation.files.contains(at));
    of_evaluation.filter(|(_, findings)| findings.is_from_cache).count() as u64
}

/// What a batch reads: whose records, from which files.
pub(crate) fn inputs(plan: &Plan, batch: &[&PlannedEval]) -> (Vec<Wanted>, Vec<Input>) {
    let wanted: Vec<Wanted> = batch
        .iter()
        .map(|eval| Wanted { identity: eval.entry.filters.clone(), context_tokens: eval.entry.context })
        .collect();
    let mut evaluations_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, evaluation) in batch.iter().enumerate() {
        for &file in &evaluation.files {
            evaluations_of.entry(file).or_default().push(position);
        }
    }
    let inputs = evaluations_of.into_iter().map(|(at, evaluations)| Input::new(&plan.files[at], evaluations)).collect();
    (wanted, inputs)
}

/// Who looks at the texts of a batch's records, with tokenizers to be loaded or that are; nobody under `--no-forensics`.
pub(crate) fn forensics<'a>(plan: &'a Plan, batch: &[&PlannedEval], loaded: &'a Loaded) -> Option<Forensics<'a>> {
    let tokenizers = plan.tokenizers.as_ref()?;
    // Where a link cannot be followed the database cannot be written: who writes it says so.
    let place = resolve_link(&plan.db).unwrap_or_else(|_| plan.db.clone());
    let sources = batch.iter().map(|eval| tokenizers.of(eval.entry.hf_id.as_deref()));
    Some(Forensics::new(sources, loaded, folder_of(&place).to_owned()))
}

pub(crate) fn collect_batch(
    plan: &Plan,
    batch: &[&PlannedEval],
    on_malformed: OnMalformed,
    loaded: &Loaded,
    cache: Option<&Cache>,
    monitor: &Monitor,
) -> Result<Collection, CommandError> {
    let (wanted, inputs) = inputs(plan, batch);
    let forensics = forensics(plan, batch, loaded);
    let span = tracing::info_span!("collect", files = inputs.len()).entered();
    let result = collect::collect(
        &wanted,
        &inputs,
        How {
            keep: Keep::Points,
            on_malformed,
            examiner: forensics.as_ref().map(|forensics| forensics as &dyn Examiner),
            cache,
        },
        monitor,
    );
    drop(span);
    result.map_err(|error| match error {
        CollectError::Cancelled => stopped(),
        CollectError::Examiner(error) => forensics::tokenizer_error(error),
        CollectError::Scratch { .. } => CommandError::new(Kind::Environment, error).hint(
            "they take half a kilobyte for each prompt until points are made of them; without forensics, \
             `--no-forensics`, there are none",
        ),
        CollectError::Malformed(_) => {
            CommandError::new(Kind::Negative, error).hint("without --strict the line is counted and the rest goes on")
        }
    })
}
