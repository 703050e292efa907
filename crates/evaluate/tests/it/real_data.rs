//! Real data of five models, against the points that an independent program counted; and that these do not depend on
//! threads, on the order of the files, or on how they are packed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::write::GzEncoder;
use rs_core::collect::{self, Collected, How, Input, Keep, Monitor, OnMalformed, Wanted};
use rs_core::dataset::Dataset;
use rs_testkit::{copy_folder, real_data};
use serde::Deserialize;
use walkdir::WalkDir;

use crate::project::{Project, check_same, evals, points, points_without_places, raw_files, texts};

/// Points in the real data.
const N_POINTS: usize = 1003;

/// A project with the real data in it.
pub(crate) fn project() -> Option<Project> {
    let source = real_data()?;
    let project = Project::empty();
    for folder in ["configs", "data"] {
        copy_folder(&source.join(folder), &project.path(folder));
    }
    Some(project)
}

/// A point as `expected.json` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedPoint {
    model: String,
    template: String,
    sampler: String,
    base_task: String,
    params: String,
    correct: u64,
    invalid: u64,
    total: u64,
    truncated: u64,
    errors: u64,
    guess_sum: f64,
    adjusted_successes: Option<f64>,
    adjusted_trials: Option<f64>,
    adjusted_accuracy: Option<f64>,
    adjusted_center: Option<f64>,
    adjusted_margin: Option<f64>,
    invalid_ratio: Option<f64>,
    truncated_ratio: Option<f64>,
    completion_tokens_mean: Option<f64>,
    completion_tokens_correct_mean: Option<f64>,
    completion_tokens_incorrect_mean: Option<f64>,
    total_tokens: Option<u64>,
    response_bytes_sum: u64,
}

type Key = (String, String, String, String, String);

impl ExpectedPoint {
    fn key(&self) -> Key {
        let Self { model, template, sampler, base_task, params, .. } = self;
        (model.clone(), template.clone(), sampler.clone(), base_task.clone(), params.clone())
    }

    fn integers(&self) -> [Option<u64>; 7] {
        let counts = [self.correct, self.invalid, self.total, self.truncated, self.errors, self.response_bytes_sum];
        let [a, b, c, d, e, f] = counts.map(Some);
        [a, b, c, d, e, f, self.total_tokens]
    }

    fn floats(&self) -> [Option<f64>; 11] {
        [
            Some(self.guess_sum),
            self.adjusted_successes,
            self.adjusted_trials,
            self.adjusted_accuracy,
            self.adjusted_center,
            self.adjusted_margin,
            self.invalid_ratio,
            self.truncated_ratio,
            self.completion_tokens_mean,
            self.completion_tokens_correct_mean,
            self.completion_tokens_incorrect_mean,
        ]
    }
}

/// The points of some models that are expected.
fn expected(is_meant: impl Fn(&str) -> bool) -> BTreeMap<Key, ExpectedPoint> {
    let text = fs_err::read_to_string(real_data().unwrap().join("expected.json")).unwrap();
    let points: Vec<ExpectedPoint> = serde_json::from_str(&text).unwrap();
    assert_eq!(points.len(), N_POINTS);
    points.into_iter().filter(|point| is_meant(&point.model)).map(|point| (point.key(), point)).collect()
}

/// The points of a database, as `expected.json` would have them.
fn found(project: &Project, db: &str) -> BTreeMap<Key, ExpectedPoint> {
    let sql = "SELECT to_json(p)::VARCHAR FROM (SELECT model, template, sampler, base_task, params::VARCHAR AS params,
        correct, invalid, total, truncated, errors, guess_sum, adjusted_successes, adjusted_trials, adjusted_accuracy,
        adjusted_center, adjusted_margin, invalid_ratio, truncated_ratio, completion_tokens_mean,
        completion_tokens_correct_mean, completion_tokens_incorrect_mean, total_tokens,
        list_sum(response_bytes_list)::BIGINT AS response_bytes_sum FROM points) p";
    let mut found = BTreeMap::new();
    for row in texts(&project.open(db), sql) {
        let point: ExpectedPoint = serde_json::from_str(&row[0]).unwrap();
        assert!(found.insert(point.key(), point).is_none(), "twice: {}", row[0]);
    }
    found
}

#[track_caller]
fn check_points(found: &BTreeMap<Key, ExpectedPoint>, expected: &BTreeMap<Key, ExpectedPoint>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (key, expected) in expected {
        let found = &found[key];
        assert_eq!(found.integers(), expected.integers(), "{key:?}");
        for (at, (found, expected)) in found.floats().into_iter().zip(expected.floats()).enumerate() {
            let is_equal = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9,
                (found, expected) => found == expected,
            };
            assert!(is_equal, "{key:?}: float {at}: {found:?}, expected {expected:?}");
        }
    }
}

#[test]
fn every_point_is_as_an_independent_program_counts_it() {
    let Some(project) = project() else { return };
    let run = project.evaluate("--dataset data/rg.json --format json -q").succeeds();
    assert_eq!(run.stderr, "");
    check_points(&found(&project, "data/pointsdb-rg.db"), &expected(|_| true));
    let summary = run.summary();
    let sum = |of: fn(&crate::project::SummaryRow) -> u64| summary.evaluations.iter().map(of).sum::<u64>();
    assert_eq!(sum(|row| row.points), N_POINTS as u64);
    assert_eq!((sum(|row| row.duplicates), sum(|row| row.malformed), sum(|row| row.foreign)), (0, 0, 0));
    assert_eq!(sum(|row| row.samples + row.errors), sum(|row| row.records), "every record is somewhere");
    let n_samples: u64 = expected(|_| true).values().map(|point| point.total + point.truncated).sum();
    assert_eq!(sum(|row| row.samples), n_samples);
}

#[test]
fn a_dataset_with_filters_has_its_part_of_them() {
    let Some(project) = project() else { return };
    project.evaluate("--dataset data/rg-open.json -q").succeeds();
    // All but this one are tagged as open weights.
    let expected = expected(|model| model != "Claude-3.5-Sonnet");
    assert!(!expected.is_empty() && expected.len() < N_POINTS);
    check_points(&found(&project, "data/pointsdb-rg-open.db"), &expected);
}

/// All rows of the database that `evaluate` makes with these arguments.
fn rows(project: &Project, arguments: &str) -> [Vec<Vec<String>>; 3] {
    project.evaluate(&format!("--dataset data/rg.json --force -q {arguments}")).succeeds();
    let connection = project.open("data/pointsdb-rg.db");
    [points(&connection), evals(&connection), raw_files(&connection)]
}

/// Changes every raw file of the project, on two threads.
fn change_files(project: &Project, change: impl Fn(&Path) + Sync) {
    let files = WalkDir::new(project.path("data/rg")).into_iter().map(|item| item.unwrap().into_path());
    let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|suffix| suffix == "zst")).collect();
    assert!(files.len() > 500, "{}", files.len());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    change(path);
                }
            });
        }
    });
}

fn unpacked(path: &Path) -> Vec<u8> {
    zstd::decode_all(&*fs_err::read(path).unwrap()).unwrap()
}

/// Unpacks all raw files of the project.
pub(crate) fn unpack(project: &Project) {
    change_files(project, |path| {
        fs_err::write(path.with_extension(""), unpacked(path)).unwrap();
        fs_err::remove_file(path).unwrap();
    });
}

#[track_caller]
fn check_rows(what: &str, found: &[Vec<Vec<String>>; 3], expected: &[Vec<Vec<String>>; 3]) {
    assert_eq!(expected[0].len(), N_POINTS);
    check_same(&format!("points, {what}"), &found[0], &expected[0]);
    check_same(&format!("evals, {what}"), &found[1], &expected[1]);
    check_same(&format!("raw files, {what}"), &found[2], &expected[2]);
}

#[test]
fn threads_change_nothing() {
    let Some(project) = project() else { return };
    let one = rows(&project, "--threads 1");
    check_rows("two threads", &rows(&project, "--threads 2"), &one);
    check_rows("three threads", &rows(&project, "--threads 3"), &one);
}

#[test]
fn packing_changes_nothing() {
    let Some(project) = project() else { return };
    let packed = rows(&project, "");
    unpack(&project);
    check_rows("plain files", &rows(&project, ""), &packed);
}

#[test]
fn another_packer_changes_nothing() {
    let Some(project) = project() else { return };
    let packed = rows(&project, "");
    change_files(&project, |path| {
        let file = fs_err::File::create(path.with_extension("gz")).unwrap();
        let mut encoder = GzEncoder::new(file, flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &unpacked(path)).unwrap();
        encoder.finish().unwrap();
        fs_err::remove_file(path).unwrap();
    });
    check_rows("gz files", &rows(&project, ""), &packed);
}

/// Run folders whose names sort the other way round: the files are then listed in another order.
#[test]
fn the_order_of_run_folders_changes_nothing() {
    let Some(project) = project() else { return };
    let rows = || {
        rows(&project, "");
        let connection = project.open("data/pointsdb-rg.db");
        [points_without_places(&connection), evals(&connection), Vec::new()]
    };
    let before = rows();
    let mut n_renamed = 0;
    for item in WalkDir::new(project.path("data/rg")).min_depth(2).max_depth(2) {
        let path = item.unwrap().into_path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // The glob leaves what stands before the first `_` open.
        let other = match (name.strip_prefix("2025-03"), name.strip_prefix("2025-04")) {
            (Some(rest), _) => format!("2025-04{rest}"),
            (_, Some(rest)) => format!("2025-03{rest}"),
            _ => continue,
        };
        fs_err::rename(&path, path.with_file_name(other)).unwrap();
        n_renamed += 1;
    }
    assert_eq!(n_renamed, 10);
    check_rows("other folder names", &rows(), &before);
}

/// Less what files are called.
fn without_files(mut found: Collected) -> Collected {
    found.files.clear();
    found.points.iter_mut().flat_map(|point| &mut point.samples).for_each(|sample| sample.file = 0);
    found
}

#[test]
fn the_order_in_which_files_are_given_changes_nothing() {
    let Some(project) = project() else { return };
    let dataset = Dataset::open(&project.path("data/rg.json")).unwrap();
    let selection = dataset.select().unwrap();
    let wanted: Vec<Wanted> = selection
        .evaluations
        .iter()
        .map(|at| Wanted { identity: selection.entry(*at).filters.clone(), context_tokens: None })
        .collect();
    let mut inputs = Vec::new();
    for (position, (cohort, evaluation)) in selection.evaluations.iter().enumerate() {
        let cohort = &selection.cohorts[*cohort];
        for at in &cohort.evaluations[*evaluation].files {
            let file = &cohort.files[*at];
            inputs.push(Input {
                path: file.path.clone(),
                codec: file.codec,
                size_bytes: file.size_bytes,
                origin: file.origin.clone(),
                evaluations: vec![position],
            });
        }
    }
    let collect = |inputs: &[Input]| {
        collect::collect(
            &wanted,
            inputs,
            How { keep: Keep::Points, on_malformed: OnMalformed::Continue, examiner: None, cache: None },
            &Monitor::default(),
        )
        .unwrap()
        .evaluations
        .into_iter()
        .map(without_files)
        .collect::<Vec<Collected>>()
    };
    let in_order = collect(&inputs);
    assert_eq!(in_order.iter().map(|found| found.points.len()).sum::<usize>(), N_POINTS);
    inputs.reverse();
    assert_eq!(collect(&inputs), in_order);
    // Far apart what was together: 7 has no divisor in common with the number of files.
    let n_files = inputs.len();
    assert_ne!(n_files % 7, 0);
    let shuffled: Vec<Input> = (0..n_files).map(|at| inputs[at * 7 % n_files].clone()).collect();
    assert_eq!(collect(&shuffled), in_order);
}
