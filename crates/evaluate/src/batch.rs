//! Evaluations that are collected together.

use std::collections::{BTreeMap, BTreeSet};

use rs_cli::{CommandError, Kind};
use rs_core::atomic_file::{folder_of, resolve_link};
use rs_core::cohort::RawFile;
use rs_core::collect::{self, Cache, CollectError, Collection, How, Input, Keep, Monitor, OnMalformed, Wanted};
use rs_core::forensics::Examiner;
use rs_core::reader::Codec;
use rs_forensics::tokenizer::Source;

use crate::forensics::{self, Forensics, Loaded};
use crate::plan::{Plan, PlannedEval};
use crate::run::stopped;

/// Raw bytes collected at a time: bounds the memory that samples take before they are points, and lets one batch be
/// written while the next is read.
const BATCH_BYTES: u64 = 128 << 20;
/// Tokenizers of a batch of evaluations that share no file: as many are in memory at once.
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

/// Evaluations that share files are collected together, so that a file is read once; small ones share a batch.
pub(crate) fn batches<'a>(plan: &Plan, wanted: &[&'a PlannedEval]) -> Vec<Vec<&'a PlannedEval>> {
    let cost =
        |files: &BTreeSet<usize>| files.iter().map(|at| decoded_bytes(&plan.files[*at])).fold(0, u64::saturating_add);
    let mut groups: Vec<(BTreeSet<usize>, Vec<&PlannedEval>)> = Vec::new();
    for evaluation in wanted {
        let mut group = (BTreeSet::from_iter(evaluation.files.iter().copied()), vec![*evaluation]);
        let (sharing, apart) = groups.into_iter().partition(|known| !known.0.is_disjoint(&group.0));
        groups = apart;
        for (files, evaluations) in sharing {
            group.0.extend(files);
            group.1.splice(0..0, evaluations);
        }
        groups.push(group);
    }
    let mut batches: Vec<(u64, Vec<&PlannedEval>)> = Vec::new();
    for (files, evaluations) in groups {
        let bytes = cost(&files);
        match batches.last_mut() {
            Some((sum, batch))
                if sum.saturating_add(bytes) <= BATCH_BYTES
                    && n_tokenizers(plan, batch.iter().chain(&evaluations)) <= MAX_BATCH_TOKENIZERS =>
            {
                *sum += bytes;
                batch.extend(evaluations);
            }
            _ => batches.push((bytes, evaluations)),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// Tokenizers that evaluations have.
fn n_tokenizers<'a, 'p: 'a>(plan: &Plan, evaluations: impl Iterator<Item = &'a &'p PlannedEval>) -> usize {
    tokenizers(plan, evaluations).map(Source::fingerprint).collect::<BTreeSet<_>>().len()
}

/// Where the tokenizers of those evaluations come from that have one.
pub(crate) fn tokenizers<'a, 'p: 'a, 's>(
    plan: &'s Plan,
    evaluations: impl Iterator<Item = &'a &'p PlannedEval>,
) -> impl Iterator<Item = &'s Source> {
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
        CollectError::Examiner(error) => forensics::unusable(error),
        CollectError::Scratch { .. } => CommandError::new(Kind::Environment, error).hint(
            "they take half a kilobyte for each prompt until points are made of them; without forensics, \
             `--no-forensics`, there are none",
        ),
        CollectError::Malformed(_) => {
            CommandError::new(Kind::Negative, error).hint("without --strict the line is counted and the rest goes on")
        }
    })
}
