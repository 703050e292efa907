//! The model against the files: every record is parsed back from its JSON line and counted once more, from nothing but
//! the keys of the raw record.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use rs_fixtures::{DEFAULT_SEED, ExpectedEvaluation, FixtureModel, Scale};
use serde_json::{Map, Value};

type Record = Map<String, Value>;

/// The records of a data file, unpacked and parsed.
fn records(path: &Path) -> Vec<Record> {
    let stored = fs_err::read(path).unwrap();
    let mut text = String::new();
    match path.extension().unwrap().to_str().unwrap() {
        "gz" => flate2::read::MultiGzDecoder::new(&stored[..]).read_to_string(&mut text).unwrap(),
        "zst" => zstd::Decoder::new(&stored[..]).unwrap().read_to_string(&mut text).unwrap(),
        _ => (&stored[..]).read_to_string(&mut text).unwrap(),
    };
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(record: &'a Record, key: &str) -> Option<&'a str> {
    record.get(key).and_then(Value::as_str)
}

fn number(record: &Record, key: &str) -> Option<u64> {
    record.get(key).and_then(Value::as_u64)
}

fn flag(record: &Record, key: &str) -> bool {
    record.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// The moment of a timestamp, which counts as UTC where it names no zone.
fn moment(record: &Record) -> Option<jiff::Timestamp> {
    let written = text(record, "timestamp")?;
    let zoned =
        if written.len() == "2026-01-14T09:30:00.000000".len() { format!("{written}Z") } else { written.into() };
    Some(zoned.parse().unwrap())
}

fn status(record: &Record, context: Option<u64>) -> Option<u8> {
    let is_clipped = context.is_some_and(|context| number(record, "completion_tokens").unwrap_or(0) > context);
    if text(record, "error").is_some() {
        None
    } else if flag(record, "truncated") || is_clipped {
        Some(2)
    } else if flag(record, "invalid") {
        Some(3)
    } else {
        Some(u8::from(!flag(record, "correct")))
    }
}

/// Points by task and params; in each, samples by name.
type Points = BTreeMap<(String, String), BTreeMap<String, Record>>;

#[derive(Default)]
struct Reread {
    n_records: u64,
    n_duplicates: u64,
    n_foreign: u64,
    points: Points,
}

fn reread(root: &Path, paths: &[&str], evaluation: &ExpectedEvaluation) -> Reread {
    let mut reread = Reread::default();
    for (order, record) in paths.iter().flat_map(|path| records(&root.join(path))).enumerate() {
        let identity = [text(&record, "model"), text(&record, "template"), text(&record, "sampler")];
        if identity != [Some(&*evaluation.model), Some(&*evaluation.template), Some(&*evaluation.sampler)] {
            reread.n_foreign += 1;
            continue;
        }
        reread.n_records += 1;
        let mut params: BTreeMap<String, Value> = record["params"].as_object().unwrap().clone().into_iter().collect();
        params.remove("count");
        let point = (text(&record, "base_task").unwrap().to_owned(), serde_json::to_string(&params).unwrap());
        let name = match (number(&record, "index"), text(&record, "id")) {
            (Some(index), _) => {
                let repeat = number(&record, "repeat").unwrap_or(0);
                format!("{:09}-{index:09}-{repeat:09}", number(&record, "seed").unwrap())
            }
            (None, Some(id)) => id.to_owned(),
            (None, None) => format!("{order:09}"),
        };
        let samples = reread.points.entry(point).or_default();
        let wins = samples.get(&name).is_none_or(|earlier| moment(&record) >= moment(earlier));
        reread.n_duplicates += u64::from(samples.contains_key(&name));
        if wins {
            samples.insert(name, record);
        }
    }
    reread
}

#[test]
fn the_model_says_what_is_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let model = FixtureModel::new(Scale::Small, DEFAULT_SEED);
    model.write(folder.path()).unwrap();
    let expected = model.expected();
    for cohort in &expected.cohorts {
        for evaluation in &cohort.evaluations {
            let mut paths: Vec<&str> = cohort
                .runs
                .iter()
                .filter(|run| run.eval_ids.contains(&evaluation.eval_id))
                .flat_map(|run| run.files.iter().map(|file| file.path.as_str()))
                .collect();
            paths.sort_unstable();
            let bytes: u64 = paths.iter().map(|path| fs_err::metadata(folder.path().join(path)).unwrap().len()).sum();
            assert_eq!(bytes, evaluation.source_bytes);
            check(&reread(folder.path(), &paths, evaluation), evaluation);
        }
    }
}

#[track_caller]
fn check(reread: &Reread, evaluation: &ExpectedEvaluation) {
    let label = &evaluation.label;
    assert_eq!(reread.n_records, evaluation.n_records, "{label}");
    assert_eq!(reread.n_duplicates, evaluation.n_duplicates, "{label}");
    assert_eq!(reread.n_foreign, evaluation.n_foreign, "{label}");
    assert_eq!(reread.points.len(), evaluation.points.len(), "{label}");
    for (((base_task, params), samples), point) in reread.points.iter().zip(&evaluation.points) {
        assert_eq!((base_task, params), (&point.base_task, &point.params));
        let place = format!("{label}: {base_task} {params}");
        let found: Vec<&Record> = samples.values().collect();
        let answered: Vec<&&Record> =
            found.iter().filter(|record| matches!(status(record, evaluation.context), Some(0 | 1 | 3))).collect();
        let of_status =
            |wanted| found.iter().filter(|record| status(record, evaluation.context) == wanted).count() as u64;
        let counts = &point.counts;
        assert_eq!(of_status(None), counts.errors, "{place}");
        assert_eq!(of_status(Some(0)), counts.correct, "{place}");
        assert_eq!(of_status(Some(2)), counts.truncated, "{place}");
        assert_eq!(of_status(Some(3)), counts.invalid, "{place}");
        assert_eq!(answered.len() as u64, counts.total, "{place}");
        let guess_sum: f64 =
            answered.iter().map(|record| record.get("guess_chance").and_then(Value::as_f64).unwrap_or(0.0)).sum();
        assert!((guess_sum - counts.guess_sum).abs() < 1e-9, "{place}");
        let tokens: u64 = found
            .iter()
            .filter(|record| status(record, evaluation.context).is_some())
            .map(|record| {
                number(record, "prompt_tokens").unwrap_or(0) + number(record, "completion_tokens").unwrap_or(0)
            })
            .sum();
        assert_eq!(tokens, counts.total_tokens, "{place}");
        let lists: Vec<(u8, u64, Option<u64>)> = found
            .iter()
            .filter_map(|record| {
                let trace_bytes =
                    text(record, "reasoning").map_or(0, str::len) + text(record, "response").map_or(0, str::len);
                Some((status(record, evaluation.context)?, trace_bytes as u64, number(record, "index")))
            })
            .collect();
        let expected: Vec<(u8, u64, Option<u64>)> =
            point.samples.iter().map(|sample| (sample.answer_status, sample.response_bytes, sample.index)).collect();
        assert_eq!(lists, expected, "{place}");
    }
}

#[test]
fn all_keys_and_all_cases_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let model = FixtureModel::new(Scale::Small, DEFAULT_SEED);
    model.write(folder.path()).unwrap();
    let expected = model.expected();
    let mut keys = BTreeSet::new();
    let mut prompts = BTreeSet::new();
    let mut references = BTreeMap::new();
    for path in expected.cohorts.iter().flat_map(|cohort| &cohort.runs).flat_map(|run| &run.files) {
        for record in records(&folder.path().join(&path.path)) {
            keys.extend(record.keys().cloned());
            prompts.insert(record["prompt"].is_array());
            // The same seed and index ask every model the same.
            if let Some(index) = number(&record, "index") {
                let mut params = record["params"].as_object().unwrap().clone();
                params.remove("count");
                let sorted: BTreeMap<_, _> = params.into_iter().collect();
                let question = (record["base_task"].to_string(), format!("{sorted:?}"), number(&record, "seed"), index);
                let reference = references.entry(question).or_insert_with(|| record["reference"].clone());
                assert_eq!(*reference, record["reference"]);
            }
        }
    }
    assert_eq!(keys.len(), 28, "{keys:?}");
    assert_eq!(prompts.len(), 2);

    let evaluations: Vec<&ExpectedEvaluation> = expected.evaluations().collect();
    let points = || evaluations.iter().flat_map(|evaluation| &evaluation.points);
    assert!(points().any(|point| point.counts.total == 0 && point.counts.errors > 0), "a point of nothing but errors");
    assert!(points().any(|point| point.counts.invalid > 0));
    assert!(points().any(|point| point.counts.truncated > 0));
    assert!(points().any(|point| point.counts.hard_terminated > 0));
    assert!(points().any(|point| point.counts.score_sum.is_some()));
    assert!(points().flat_map(|point| &point.samples).any(|sample| sample.repeat == 3));
    assert!(points().flat_map(|point| &point.samples).any(|sample| sample.index.is_none()));
    assert!(evaluations.iter().any(|evaluation| evaluation.n_foreign > 0));
    assert!(evaluations.iter().any(|evaluation| evaluation.n_duplicates > 0));
    assert!(evaluations.iter().any(|evaluation| evaluation.totals.prompt_tokens_mean.is_none()));
    assert!(expected.cohorts.iter().flat_map(|cohort| &cohort.runs).any(|run| run.eval_ids.is_empty()));
}
