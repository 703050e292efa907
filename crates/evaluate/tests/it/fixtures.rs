//! The fixtures through `evaluate`, against the model that says what must come out: every evaluation, every point,
//! every sample.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use duckdb::Connection;
use rs_fixtures::{Expected, ExpectedEvaluation, ExpectedPoint, ExpectedSample};
use rs_testkit::fixtures;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::project::{Project, SummaryRow};

pub(crate) fn expected() -> &'static Expected {
    static EXPECTED: OnceLock<Expected> = OnceLock::new();
    EXPECTED.get_or_init(|| fixtures().expected())
}

/// A project with the fixtures in it.
pub(crate) fn project() -> Project {
    let project = Project::empty();
    fixtures().write(&project.path("")).unwrap();
    project
}

/// The evaluations of a dataset, in its order.
fn evaluations_of(dataset: &str) -> Vec<&'static ExpectedEvaluation> {
    let is_in =
        |evaluation: &&ExpectedEvaluation| dataset == "r12" || evaluation.tags.iter().any(|tag| tag == "leaderboard");
    expected().evaluations().filter(is_in).collect()
}

#[track_caller]
fn check_dataset(name: &str) {
    let project = project();
    let run = project.evaluate(&format!("--dataset data/{name}.json --format json -q")).succeeds();
    assert_eq!(run.stderr, "");
    let evaluations = evaluations_of(name);

    let summary = run.summary();
    assert_eq!(summary.schema, "evaluate.summary/1");
    assert_eq!((summary.dataset.as_str(), summary.db), (name, format!("data/pointsdb-{name}.db")));
    assert_eq!(summary.evaluations, evaluations.iter().map(|evaluation| summary_row(evaluation)).collect::<Vec<_>>());
    let mut files = BTreeMap::new();
    for run in expected().cohorts.iter().flat_map(|cohort| &cohort.runs) {
        if evaluations.iter().any(|evaluation| run.eval_ids.contains(&evaluation.eval_id)) {
            files.insert(&run.path, run.bytes);
        }
    }
    assert_eq!(summary.read_bytes, files.values().sum::<u64>(), "every file that is needed is read once");
    assert!(summary.seconds > 0.0);

    let connection = project.open(&format!("data/pointsdb-{name}.db"));
    check_evals(&connection, &evaluations);
    check_points(&connection, &evaluations);
    let n_points = evaluations.iter().map(|evaluation| evaluation.n_points).sum::<u64>();
    assert!(n_points > 100, "there is something to compare: {n_points}");
}

#[test]
fn all_of_r12_is_as_the_model_says() {
    check_dataset("r12");
}

#[test]
fn a_dataset_with_filters_is_as_the_model_says() {
    check_dataset("r12-leaderboard");
}

fn summary_row(evaluation: &ExpectedEvaluation) -> SummaryRow {
    SummaryRow {
        eval_id: evaluation.eval_id.clone(),
        label: evaluation.label.clone(),
        files: evaluation.n_files,
        records: evaluation.n_records,
        points: evaluation.n_points,
        samples: evaluation.n_samples,
        truncated: evaluation.totals.truncated,
        duplicates: evaluation.n_duplicates,
        errors: evaluation.n_errors,
        malformed: evaluation.n_malformed,
        foreign: evaluation.n_foreign,
        cached_files: 0,
        reused: false,
    }
}

/// The rows of a query that gives one JSON text a row.
fn documents<T: for<'de> Deserialize<'de>>(connection: &Connection, sql: &str) -> Vec<T> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
}

/// A row of `evals`.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvalRow {
    eval_id: String,
    model: String,
    template: String,
    sampler: String,
    context: Option<u64>,
    label: String,
    hf_id: Option<String>,
    groups: Vec<String>,
    tags: Vec<String>,
    facets: Value,
    cohort: Option<String>,
    n_files: u64,
    source_bytes: u64,
    n_records: u64,
    n_duplicates: u64,
    n_errors: u64,
    n_malformed: u64,
    n_foreign: u64,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
}

fn facets(groups: &[String]) -> Value {
    groups.iter().filter_map(|group| group.split_once(':')).map(|(key, value)| (key.to_owned(), json!(value))).collect()
}

#[track_caller]
fn check_evals(connection: &Connection, evaluations: &[&ExpectedEvaluation]) {
    let time = "strftime(%, '%Y-%m-%dT%H:%M:%S.%fZ')";
    let (first, last) = (time.replacen('%', "first_timestamp", 1), time.replacen('%', "last_timestamp", 1));
    let mut found: Vec<EvalRow> = documents(
        connection,
        &format!(
            "SELECT to_json(e)::VARCHAR FROM (SELECT * EXCLUDE (fingerprint)
                REPLACE ({first} AS first_timestamp, {last} AS last_timestamp) FROM evals) e"
        ),
    );
    let mut expected: Vec<EvalRow> = evaluations
        .iter()
        .map(|evaluation| EvalRow {
            eval_id: evaluation.eval_id.clone(),
            model: evaluation.model.clone(),
            template: evaluation.template.clone(),
            sampler: evaluation.sampler.clone(),
            context: evaluation.context,
            label: evaluation.label.clone(),
            hf_id: Some(evaluation.hf_id.clone()),
            groups: evaluation.groups.clone(),
            tags: evaluation.tags.clone(),
            facets: facets(&evaluation.groups),
            cohort: Some(format!("r12/{}", evaluation.cohort)),
            n_files: evaluation.n_files,
            source_bytes: evaluation.source_bytes,
            n_records: evaluation.n_records,
            n_duplicates: evaluation.n_duplicates,
            n_errors: evaluation.n_errors,
            n_malformed: evaluation.n_malformed,
            n_foreign: evaluation.n_foreign,
            first_timestamp: evaluation.first_timestamp.clone(),
            last_timestamp: evaluation.last_timestamp.clone(),
        })
        .collect();
    found.sort_by(|a, b| a.eval_id.cmp(&b.eval_id));
    expected.sort_by(|a, b| a.eval_id.cmp(&b.eval_id));
    assert_eq!(found, expected);
}

/// A row of `points`, all of its columns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointRow {
    eval_id: String,
    model: String,
    template: String,
    sampler: String,
    base_task: String,
    params: String,
    manifold: Option<Value>,
    facets: Value,
    groups: Vec<String>,
    task: Option<String>,
    category: Option<String>,
    correct: u64,
    invalid: u64,
    total: u64,
    truncated: u64,
    hard_terminated: u64,
    errors: u64,
    guess_sum: f64,
    score_sum: Option<f64>,
    adjusted_successes: Option<f64>,
    adjusted_trials: Option<f64>,
    adjusted_accuracy: Option<f64>,
    adjusted_center: Option<f64>,
    adjusted_margin: Option<f64>,
    invalid_ratio: Option<f64>,
    truncated_ratio: Option<f64>,
    prompt_tokens_mean: Option<f64>,
    completion_tokens_mean: Option<f64>,
    completion_tokens_correct_mean: Option<f64>,
    completion_tokens_incorrect_mean: Option<f64>,
    total_tokens: Option<u64>,
    sample_seed_list: Vec<Option<u64>>,
    sample_index_list: Vec<Option<u64>>,
    sample_repeat_list: Vec<u32>,
    answer_status_list: Vec<u8>,
    completion_tokens_list: Vec<Option<u64>>,
    response_bytes_list: Vec<u64>,
    compressed_sizes_list: Option<Vec<u64>>,
    guess_chance_list: Vec<f32>,
    fft_power_mean: Option<Vec<f32>>,
    fft_power_std: Option<Vec<f32>>,
    hazard_bin_tokens: Option<u64>,
    hazard_correct: Option<Vec<u64>>,
    hazard_incorrect: Option<Vec<u64>>,
    hazard_truncated: Option<Vec<u64>>,
    sample_file_list: Vec<u64>,
    sample_line_list: Vec<u64>,
}

#[track_caller]
fn check_points(connection: &Connection, evaluations: &[&ExpectedEvaluation]) {
    // As a text, since its form counts.
    let sql = "SELECT to_json(p)::VARCHAR FROM (SELECT * REPLACE (params::VARCHAR AS params) FROM points) p";
    let mut found = BTreeMap::new();
    for row in documents::<PointRow>(connection, sql) {
        let key = (row.eval_id.clone(), row.base_task.clone(), row.params.clone());
        assert!(found.insert(key.clone(), row).is_none(), "twice: {key:?}");
    }
    for evaluation in evaluations {
        for point in &evaluation.points {
            let key = (evaluation.eval_id.clone(), point.base_task.clone(), point.params.clone());
            let row = found.remove(&key).unwrap_or_else(|| panic!("missing: {key:?}"));
            check_point(&row, evaluation, point);
        }
    }
    assert_eq!(found.keys().collect::<Vec<_>>(), Vec::<&(String, String, String)>::new(), "nobody expects these");
}

#[track_caller]
fn check_point(row: &PointRow, evaluation: &ExpectedEvaluation, point: &ExpectedPoint) {
    let place = format!("{} {} {}", evaluation.label, point.base_task, point.params);
    assert_eq!(
        (&row.model, &row.template, &row.sampler),
        (&evaluation.model, &evaluation.template, &evaluation.sampler),
        "{place}"
    );
    assert_eq!((&row.groups, &row.facets), (&evaluation.groups, &facets(&evaluation.groups)), "{place}");
    let manifold = point.manifold_id.as_ref().map(|id| json!({"id": id, "target_tokens": point.target_tokens}));
    assert_eq!(row.manifold, manifold, "{place}");
    assert_eq!((row.task.as_ref(), row.category.as_ref()), (Some(&point.task), Some(&point.category)), "{place}");

    // Where the samples are is checked by `probe`, which looks there.
    let n_samples = row.sample_index_list.len();
    assert_eq!((row.sample_file_list.len(), row.sample_line_list.len()), (n_samples, n_samples), "{place}");
    let counts = &point.counts;
    assert_eq!(
        (row.correct, row.invalid, row.total, row.truncated, row.hard_terminated, row.errors),
        (counts.correct, counts.invalid, counts.total, counts.truncated, counts.hard_terminated, counts.errors),
        "{place}"
    );
    // The model adds up nothing to 0; what nobody tells is unknown.
    assert_eq!(row.total_tokens.unwrap_or(0), counts.total_tokens, "{place}");
    assert_eq!(row.total_tokens.is_none(), point.samples.is_empty(), "{place}");
    for (name, found, expected) in [
        ("guess_sum", Some(row.guess_sum), Some(counts.guess_sum)),
        ("score_sum", row.score_sum, counts.score_sum),
        ("adjusted_successes", row.adjusted_successes, counts.adjusted_successes),
        ("adjusted_trials", row.adjusted_trials, counts.adjusted_trials),
        ("adjusted_accuracy", row.adjusted_accuracy, counts.adjusted_accuracy),
        ("adjusted_center", row.adjusted_center, counts.adjusted_center),
        ("adjusted_margin", row.adjusted_margin, counts.adjusted_margin),
        ("invalid_ratio", row.invalid_ratio, counts.invalid_ratio),
        ("truncated_ratio", row.truncated_ratio, counts.truncated_ratio),
        ("prompt_tokens_mean", row.prompt_tokens_mean, counts.prompt_tokens_mean),
        ("completion_tokens_mean", row.completion_tokens_mean, counts.completion_tokens_mean),
        ("completion_tokens_correct_mean", row.completion_tokens_correct_mean, counts.completion_tokens_correct_mean),
        (
            "completion_tokens_incorrect_mean",
            row.completion_tokens_incorrect_mean,
            counts.completion_tokens_incorrect_mean,
        ),
    ] {
        let is_equal = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9,
            (found, expected) => found == expected,
        };
        assert!(is_equal, "{place}: {name}: {found:?}, expected {expected:?}");
    }
    check_samples(row, point, &place);
    check_hazard(row, point, evaluation.context, &place);
    check_forensics(row, evaluation, &place);
}

/// Sizes stand beside the traces they are of, and spectra where there is a tokenizer.
#[track_caller]
fn check_forensics(row: &PointRow, evaluation: &ExpectedEvaluation, place: &str) {
    let sizes = row.compressed_sizes_list.clone().unwrap_or_default();
    assert_eq!(sizes.len(), row.response_bytes_list.len(), "{place}");
    for (size, bytes) in sizes.iter().zip(&row.response_bytes_list) {
        assert_eq!(*size == 0, *bytes == 0, "{place}: {size} of {bytes}");
        // A member of gzip has 18 bytes of its own, and text shrinks.
        assert!(*size < 18 + bytes, "{place}: {size} of {bytes}");
    }
    let has_tokenizer = evaluation.hf_id.starts_with("openai/gpt-oss-");
    for spectrum in [&row.fft_power_mean, &row.fft_power_std] {
        assert_eq!(spectrum.as_ref().map(Vec::len), has_tokenizer.then_some(128), "{place}");
    }
}

/// One entry of all sample lists: seed, index, repeat, status, tokens, trace bytes, and the bits of the guess chance.
type Sample = (Option<u64>, Option<u64>, u32, u8, Option<u64>, u64, u32);

#[track_caller]
fn check_samples(row: &PointRow, point: &ExpectedPoint, place: &str) {
    let lengths = [
        row.sample_seed_list.len(),
        row.sample_index_list.len(),
        row.sample_repeat_list.len(),
        row.answer_status_list.len(),
        row.completion_tokens_list.len(),
        row.response_bytes_list.len(),
        row.guess_chance_list.len(),
    ];
    assert_eq!(lengths, [point.samples.len(); 7], "{place}: the lists are parallel");
    let mut found: Vec<Sample> = (0..point.samples.len())
        .map(|at| {
            (
                row.sample_seed_list[at],
                row.sample_index_list[at],
                row.sample_repeat_list[at],
                row.answer_status_list[at],
                row.completion_tokens_list[at],
                row.response_bytes_list[at],
                row.guess_chance_list[at].to_bits(),
            )
        })
        .collect();
    let mut expected: Vec<Sample> = point
        .samples
        .iter()
        .map(|sample: &ExpectedSample| {
            #[expect(clippy::cast_possible_truncation, reason = "the column is FLOAT")]
            let guess_chance = sample.guess_chance as f32;
            (
                sample.seed,
                sample.index,
                sample.repeat,
                sample.answer_status,
                sample.completion_tokens,
                sample.response_bytes,
                guess_chance.to_bits(),
            )
        })
        .collect();
    // Samples without an index have no order that both sides know.
    if point.samples.iter().any(|sample| sample.index.is_none()) {
        found.sort_unstable();
        expected.sort_unstable();
    }
    assert_eq!(found, expected, "{place}");
}

/// Events per 256 completion tokens; what the context cuts off is censored there.
#[track_caller]
fn check_hazard(row: &PointRow, point: &ExpectedPoint, context: Option<u64>, place: &str) {
    let mut events = BTreeMap::new();
    let bin = |sample: &ExpectedSample| Some(sample.completion_tokens?.min(context.unwrap_or(u64::MAX)) / 256);
    for sample in &point.samples {
        if let Some(bin) = bin(sample) {
            let kind = ["correct", "incorrect", "truncated", "incorrect"][usize::from(sample.answer_status)];
            *events.entry((kind, bin)).or_insert(0_u64) += 1;
        }
    }
    let n_bins = point.samples.iter().filter_map(bin).max().map(|bin| bin + 1);
    let list = |kind: &'static str| {
        n_bins.map(|n_bins| (0..n_bins).map(|bin| events.get(&(kind, bin)).copied().unwrap_or(0)).collect::<Vec<u64>>())
    };
    assert_eq!(row.hazard_bin_tokens, n_bins.map(|_| 256), "{place}");
    assert_eq!(row.hazard_correct, list("correct"), "{place}");
    assert_eq!(row.hazard_incorrect, list("incorrect"), "{place}");
    assert_eq!(row.hazard_truncated, list("truncated"), "{place}");
}

/// What the fixtures are for: each of these must be among them, or the comparison above shows less than it should.
#[test]
fn the_fixtures_hold_what_is_hard() {
    let evaluations: Vec<&ExpectedEvaluation> = expected().evaluations().collect();
    let samples = || evaluations.iter().flat_map(|evaluation| &evaluation.points).flat_map(|point| &point.samples);
    let points = || evaluations.iter().flat_map(|evaluation| &evaluation.points);
    assert!(evaluations.iter().any(|evaluation| evaluation.n_duplicates > 0));
    assert!(evaluations.iter().any(|evaluation| evaluation.n_errors > 0));
    assert!(evaluations.iter().any(|evaluation| evaluation.n_foreign > 0));
    assert!(evaluations.iter().any(|evaluation| evaluation.context.is_some()));
    assert!(samples().any(|sample| sample.index.is_none()));
    assert!(samples().any(|sample| sample.repeat > 0));
    assert!(samples().any(|sample| sample.guess_chance > 0.0));
    assert!((0..4).all(|status| samples().any(|sample| sample.answer_status == status)));
    assert!(points().any(|point| point.counts.score_sum.is_some()));
    assert!(points().any(|point| point.counts.hard_terminated > 0));
    assert!(points().any(|point| point.counts.prompt_tokens_mean.is_none()));
    assert!(points().any(|point| point.manifold_id.is_some()) && points().any(|point| point.manifold_id.is_none()));
    let paths = || expected().cohorts.iter().flat_map(|cohort| &cohort.runs).flat_map(|run| &run.files);
    assert!([".zst", ".gz"].iter().all(|suffix| paths().any(|file| file.path.ends_with(suffix))));
}
