//! Rows as Arrow columns, in the order of the schema.

use std::sync::Arc;

use duckdb::arrow::array::{
    ArrayRef, Float32Builder, Float64Array, Int32Array, Int32Builder, Int64Array, Int64Builder, ListBuilder,
    RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray, UInt8Builder,
};
use duckdb::arrow::datatypes::{Field, Schema};
use duckdb::arrow::error::ArrowError;
use rs_core::point::{HAZARD_BIN_TOKENS, Point, PointSample};
use rs_core::statistics::Counters;

use crate::builder::EvalRow;
use crate::schema::{Column, EVALS, POINTS, RAW_FILES};

/// DuckDB's INTEGER is signed; counts and tokens stay far below its limit.
fn integer(value: u64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn bigint(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn integers(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(values.map(|value| value.map(integer)).collect::<Int32Array>())
}

fn bigints(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(values.map(|value| value.map(bigint)).collect::<Int64Array>())
}

fn doubles(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

fn timestamps(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<TimestampMicrosecondArray>())
}

fn text_lists<'a>(values: impl Iterator<Item = &'a [String]>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in values {
        builder.append_value(list.iter().map(Some));
    }
    Arc::new(builder.finish())
}

/// A list column over the samples of each point.
macro_rules! sample_lists {
    ($points:expr, $builder:ty, $value:expr) => {{
        let value: fn(&PointSample) -> _ = $value;
        let n_samples = $points.iter().map(|point| point.samples.len()).sum();
        let mut builder = ListBuilder::with_capacity(<$builder>::with_capacity(n_samples), $points.len());
        for point in $points {
            for sample in &point.samples {
                builder.values().append_option(value(sample));
            }
            builder.append(true);
        }
        Arc::new(builder.finish()) as ArrayRef
    }};
}

fn count_lists<'a>(values: impl Iterator<Item = Option<&'a [u32]>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Int32Builder::new());
    for list in values {
        builder.append_option(list.map(|list| list.iter().map(|count| Some(integer(u64::from(*count))))));
    }
    Arc::new(builder.finish())
}

fn spectra<'a>(values: impl Iterator<Item = Option<&'a [f32]>>) -> ArrayRef {
    let mut builder = ListBuilder::new(Float32Builder::new());
    for list in values {
        builder.values().append_slice(list.unwrap_or_default());
        builder.append(list.is_some());
    }
    Arc::new(builder.finish())
}

/// NULL where nobody looked, which is the same for all samples of a point.
fn compressed_sizes(points: &[Point]) -> ArrayRef {
    let mut builder = ListBuilder::new(Int32Builder::new());
    for point in points {
        let is_known = point.samples.iter().all(|sample| sample.compressed_bytes.is_some());
        for sample in point.samples.iter().filter(|_| is_known) {
            builder.values().append_option(sample.compressed_bytes.map(|bytes| integer(u64::from(bytes))));
        }
        builder.append(is_known && !point.samples.is_empty());
    }
    Arc::new(builder.finish())
}

fn batch(columns: &[Column], arrays: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<Field> = columns
        .iter()
        .zip(&arrays)
        .map(|((name, ..), array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// Points of one evaluation as a batch of `points`.
pub(crate) fn points(evaluation: &EvalRow, points: &[Point]) -> Result<RecordBatch, ArrowError> {
    let length = points.len();
    let facets = evaluation.facets();
    let same = |text: &str| texts(std::iter::repeat_n(Some(text), length));
    let wilson: Vec<_> = points.iter().map(|point| point.counters.adjusted_wilson()).collect();
    // S and N mean nothing where there is no adjusted trial.
    let defined = |value: fn(&Counters) -> f64| {
        points.iter().map(move |point| (point.counters.adjusted_trials() > 0.0).then(|| value(&point.counters)))
    };
    let hazard = |list: fn(&rs_core::point::Hazard) -> &Vec<u32>| {
        count_lists(points.iter().map(move |point| point.hazard.as_ref().map(|hazard| list(hazard).as_slice())))
    };
    let arrays: Vec<ArrayRef> = vec![
        same(evaluation.eval_id.as_str()),
        same(&evaluation.identity.model),
        same(&evaluation.identity.template),
        same(&evaluation.identity.sampler),
        texts(points.iter().map(|point| Some(point.base_task.as_str()))),
        texts(points.iter().map(|point| Some(point.params.as_str()))),
        texts(points.iter().map(|point| point.attributes.manifold.as_deref())),
        same(&facets),
        text_lists(std::iter::repeat_n(evaluation.groups.as_slice(), length)),
        texts(points.iter().map(|point| point.attributes.task.as_deref())),
        texts(points.iter().map(|point| point.attributes.category.as_deref())),
        integers(points.iter().map(|point| Some(point.counters.correct))),
        integers(points.iter().map(|point| Some(point.counters.invalid))),
        integers(points.iter().map(|point| Some(point.counters.answered))),
        integers(points.iter().map(|point| Some(point.counters.truncated))),
        integers(points.iter().map(|point| Some(point.hard_terminated))),
        integers(points.iter().map(|point| Some(point.errors))),
        doubles(points.iter().map(|point| Some(point.counters.guess_sum))),
        doubles(points.iter().map(|point| point.score_sum)),
        doubles(defined(Counters::adjusted_successes)),
        doubles(defined(Counters::adjusted_trials)),
        doubles(points.iter().map(|point| point.counters.adjusted_accuracy())),
        doubles(wilson.iter().map(|wilson| wilson.map(|wilson| wilson.center))),
        doubles(wilson.iter().map(|wilson| wilson.map(|wilson| wilson.margin))),
        doubles(points.iter().map(|point| point.counters.invalid_ratio())),
        doubles(points.iter().map(|point| point.counters.truncated_ratio())),
        doubles(points.iter().map(|point| point.prompt_tokens_mean)),
        doubles(points.iter().map(|point| point.completion_tokens_mean)),
        doubles(points.iter().map(|point| point.completion_tokens_correct_mean)),
        doubles(points.iter().map(|point| point.completion_tokens_incorrect_mean)),
        bigints(points.iter().map(|point| point.total_tokens)),
        sample_lists!(points, Int64Builder, |sample| sample.seed),
        sample_lists!(points, Int64Builder, |sample| sample.index),
        sample_lists!(points, Int32Builder, |sample| Some(sample.repeat)),
        sample_lists!(points, UInt8Builder, |sample| Some(sample.outcome as u8)),
        sample_lists!(points, Int32Builder, |sample| sample.completion_tokens.map(|tokens| integer(u64::from(tokens)))),
        sample_lists!(points, Int32Builder, |sample| Some(integer(u64::from(sample.trace_bytes)))),
        compressed_sizes(points),
        #[expect(clippy::cast_possible_truncation, reason = "the column is FLOAT; the exact sum is in guess_sum")]
        {
            sample_lists!(points, Float32Builder, |sample| Some(sample.guess_chance as f32))
        },
        spectra(points.iter().map(|point| point.fft_power_mean.as_deref())),
        spectra(points.iter().map(|point| point.fft_power_std.as_deref())),
        integers(points.iter().map(|point| point.hazard.as_ref().map(|_| u64::from(HAZARD_BIN_TOKENS)))),
        hazard(|hazard| &hazard.correct),
        hazard(|hazard| &hazard.incorrect),
        hazard(|hazard| &hazard.truncated),
        sample_lists!(points, Int32Builder, |sample| i32::try_from(sample.file).ok()),
        sample_lists!(points, Int32Builder, |sample| sample.line.and_then(|line| i32::try_from(line.get()).ok())),
    ];
    batch(POINTS, arrays)
}

/// The raw files of evaluations as a batch of `raw_files`.
pub(crate) fn raw_files(rows: &[EvalRow]) -> Result<RecordBatch, ArrowError> {
    let all = || rows.iter().flat_map(|row| row.files.iter().map(move |file| (row, file)));
    let mut lines = ListBuilder::new(Int32Builder::new());
    let mut offsets = ListBuilder::new(Int64Builder::new());
    for (_, file) in all() {
        // Samples beyond have no line.
        lines.append_value(file.marks.iter().map(|mark| Some(integer(mark.line))));
        offsets.append_value(file.marks.iter().map(|mark| Some(bigint(mark.offset))));
    }
    let arrays: Vec<ArrayRef> = vec![
        texts(all().map(|(row, _)| Some(row.eval_id.as_str()))),
        integers(all().map(|(_, file)| Some(u64::from(file.file)))),
        texts(all().map(|(_, file)| Some(file.path.as_str()))),
        Arc::new(lines.finish()),
        Arc::new(offsets.finish()),
    ];
    batch(RAW_FILES, arrays)
}

/// Evaluations as a batch of `evals`.
pub(crate) fn evals(rows: &[EvalRow]) -> Result<RecordBatch, ArrowError> {
    let facets: Vec<String> = rows.iter().map(EvalRow::facets).collect();
    let arrays: Vec<ArrayRef> = vec![
        texts(rows.iter().map(|row| Some(row.eval_id.as_str()))),
        texts(rows.iter().map(|row| Some(row.identity.model.as_str()))),
        texts(rows.iter().map(|row| Some(row.identity.template.as_str()))),
        texts(rows.iter().map(|row| Some(row.identity.sampler.as_str()))),
        integers(rows.iter().map(|row| row.context_tokens.map(u64::from))),
        texts(rows.iter().map(|row| Some(row.label.as_str()))),
        texts(rows.iter().map(|row| row.hf_id.as_deref())),
        text_lists(rows.iter().map(|row| row.groups.as_slice())),
        text_lists(rows.iter().map(|row| row.tags.as_slice())),
        texts(facets.iter().map(|facets| Some(facets.as_str()))),
        texts(rows.iter().map(|row| row.cohort.as_deref())),
        bigints(rows.iter().map(|row| Some(row.n_files))),
        bigints(rows.iter().map(|row| Some(row.source_bytes))),
        bigints(rows.iter().map(|row| Some(row.n_records))),
        bigints(rows.iter().map(|row| Some(row.n_duplicates))),
        bigints(rows.iter().map(|row| Some(row.n_errors))),
        bigints(rows.iter().map(|row| Some(row.n_malformed))),
        bigints(rows.iter().map(|row| Some(row.n_foreign))),
        timestamps(rows.iter().map(|row| row.first_timestamp)),
        timestamps(rows.iter().map(|row| row.last_timestamp)),
        texts(rows.iter().map(|row| Some(row.fingerprint.as_str()))),
    ];
    batch(EVALS, arrays)
}
