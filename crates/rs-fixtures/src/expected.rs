//! What every tool must report about the fixtures.
//!
//! Made from the facts of each record by a literal reading of the contract, with plain loops and ordered maps: slow, and
//! on purpose not the way the tools do it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::evaluation::{COHORTS, EVALUATIONS, Evaluation, SUBJECTS};
use crate::plan::{Plan, cohort_path, step_name};
use crate::record::{Fact, SampleName, manifold_id};
use crate::task::TASKS;

/// z at 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// What every tool must report about the data of one model of the fixtures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expected {
    /// The scale's name.
    pub scale: &'static str,
    /// The seed of the model.
    pub seed: u64,
    /// The cohorts, in the order of the dataset.
    pub cohorts: Vec<ExpectedCohort>,
}

impl Expected {
    /// Every evaluation, cohort by cohort.
    pub fn evaluations(&self) -> impl Iterator<Item = &ExpectedEvaluation> {
        self.cohorts.iter().flat_map(|cohort| &cohort.evaluations)
    }

    /// The evaluation of this label.
    #[must_use]
    pub fn evaluation(&self, label: &str) -> Option<&ExpectedEvaluation> {
        self.evaluations().find(|evaluation| evaluation.label == label)
    }

    /// Everything as one JSON document.
    #[must_use]
    pub fn to_json(&self) -> String {
        crate::config::pretty(self)
    }
}

/// A cohort: its evaluations and its run folders.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedCohort {
    /// The folder's name.
    pub name: String,
    /// The folder, relative to the root.
    pub path: String,
    /// In the order of `evals.json`.
    pub evaluations: Vec<ExpectedEvaluation>,
    /// Sorted by path.
    pub runs: Vec<ExpectedRun>,
}

/// A run folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedRun {
    /// The folder, relative to the root.
    pub path: String,
    /// Data files; metadata and logs are none.
    pub n_files: u64,
    /// Stored bytes of the data files.
    pub bytes: u64,
    /// Records of any identity.
    pub n_records: u64,
    /// The earliest timestamp of a record, RFC 3339 in UTC with microseconds.
    pub first_timestamp: Option<String>,
    /// The latest timestamp of a record.
    pub last_timestamp: Option<String>,
    /// The evaluations whose glob matches files of this folder, in the order of `evals.json`; none for a stray folder.
    pub eval_ids: Vec<String>,
    /// The data files, sorted by name.
    pub files: Vec<ExpectedFile>,
}

/// A data file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpectedFile {
    /// The file, relative to the root.
    pub path: String,
    /// Stored bytes.
    pub bytes: u64,
    /// Bytes when unpacked.
    pub raw_bytes: u64,
    /// Records of any identity.
    pub n_records: u64,
}

/// An evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedEvaluation {
    /// First six hexadecimal digits of the hash of the identity.
    pub eval_id: String,
    /// As in `evals.json`.
    pub label: String,
    /// Identity.
    pub model: String,
    /// Identity.
    pub template: String,
    /// Identity.
    pub sampler: String,
    /// Records with more completion tokens count as truncated.
    pub context: Option<u64>,
    /// `key:value` groups.
    pub groups: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Hugging Face id.
    pub hf_id: String,
    /// The name of the cohort's folder.
    pub cohort: String,
    /// The glob, relative to the root.
    pub glob: String,
    /// Matched data files.
    pub n_files: u64,
    /// Stored bytes of the matched data files.
    pub source_bytes: u64,
    /// Well-formed records of this identity in the matched files, duplicates and errors included.
    pub n_records: u64,
    /// Records that lost against another one of the same sample.
    pub n_duplicates: u64,
    /// Errors that are left once duplicates are out.
    pub n_errors: u64,
    /// Lines that are no record.
    pub n_malformed: u64,
    /// Records of other identities in the matched files.
    pub n_foreign: u64,
    /// The earliest timestamp of a record of this identity, RFC 3339 in UTC with microseconds.
    pub first_timestamp: Option<String>,
    /// The latest timestamp of a record of this identity.
    pub last_timestamp: Option<String>,
    /// Points with at least one record, be it an error.
    pub n_points: u64,
    /// Samples that are no errors: answered or truncated.
    pub n_samples: u64,
    /// The counters of all points together.
    pub totals: ExpectedCounts,
    /// Sorted by task and params.
    pub points: Vec<ExpectedPoint>,
}

/// A point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedPoint {
    /// The task.
    pub base_task: String,
    /// Canonical JSON: keys sorted, no blanks, no `count`.
    pub params: String,
    /// The manifold's id, where records name one.
    pub manifold_id: Option<String>,
    /// The tokens that the manifold aims at.
    pub target_tokens: Option<i64>,
    /// The step's name.
    pub task: String,
    /// The task's category.
    pub category: String,
    /// The counters and what follows from them.
    #[serde(flatten)]
    pub counts: ExpectedCounts,
    /// By seed, index and repeat; samples without an index by id, or as they stand in the files. Errors are left out.
    pub samples: Vec<ExpectedSample>,
}

/// A sample that is no error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectedSample {
    /// None where records carry no index.
    pub seed: Option<u64>,
    /// None where records carry no index.
    pub index: Option<u64>,
    /// 0 where records carry none.
    pub repeat: u32,
    /// 0 correct, 1 incorrect, 2 truncated, 3 invalid.
    pub answer_status: u8,
    /// As recorded, also where the context of the evaluation is shorter.
    pub completion_tokens: Option<u64>,
    /// Bytes of reasoning and response.
    pub response_bytes: u64,
    /// Chance of a blind guess.
    pub guess_chance: f64,
}

/// Counters of some trials, and what follows from them. What is undefined is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ExpectedCounts {
    /// Right answers.
    pub correct: u64,
    /// Answers that could not be read out.
    pub invalid: u64,
    /// Answered trials: correct, incorrect and invalid.
    pub total: u64,
    /// Trials without an answer.
    pub truncated: u64,
    /// Trials that were stopped from outside.
    pub hard_terminated: u64,
    /// Failed requests.
    pub errors: u64,
    /// Sum of guess chances over the answered trials.
    pub guess_sum: f64,
    /// Sum of scores over the answered trials that carry one.
    pub score_sum: Option<f64>,
    /// correct - guess_sum; undefined where adjusted trials are not above 0.
    pub adjusted_successes: Option<f64>,
    /// total - guess_sum, if above 0.
    pub adjusted_trials: Option<f64>,
    /// adjusted_successes / adjusted_trials.
    pub adjusted_accuracy: Option<f64>,
    /// Centre of the Wilson interval of the two.
    pub adjusted_center: Option<f64>,
    /// Half the width of the Wilson interval of the two.
    pub adjusted_margin: Option<f64>,
    /// invalid / total.
    pub invalid_ratio: Option<f64>,
    /// truncated / (total + truncated).
    pub truncated_ratio: Option<f64>,
    /// Over answered trials.
    pub prompt_tokens_mean: Option<f64>,
    /// Over answered trials.
    pub completion_tokens_mean: Option<f64>,
    /// Over correct trials.
    pub completion_tokens_correct_mean: Option<f64>,
    /// Over answered trials that are not correct.
    pub completion_tokens_incorrect_mean: Option<f64>,
    /// Prompt and completion tokens of all but errors.
    pub total_tokens: u64,
}

/// A data file, its stored size, and what its lines hold, in order.
#[derive(Debug)]
pub(crate) struct FileFacts {
    pub(crate) stored_bytes: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) facts: Vec<Fact>,
}

/// States what must be reported; `facts` runs parallel to the files of the plan's runs.
pub(crate) fn expected(plan: &Plan, facts: &[Vec<FileFacts>]) -> Expected {
    let cohorts = (0..COHORTS.len()).map(|cohort| ExpectedCohort {
        name: COHORTS[cohort].folder.to_owned(),
        path: cohort_path(cohort),
        evaluations: EVALUATIONS
            .iter()
            .filter(|evaluation| evaluation.cohort == cohort)
            .map(|evaluation| expected_evaluation(plan, facts, evaluation))
            .collect(),
        runs: expected_runs(plan, facts, cohort),
    });
    Expected { scale: plan.scale.name(), seed: plan.seed, cohorts: cohorts.collect() }
}

fn expected_runs(plan: &Plan, facts: &[Vec<FileFacts>], cohort: usize) -> Vec<ExpectedRun> {
    let mut runs = Vec::new();
    for (run, run_facts) in plan.runs.iter().zip(facts).filter(|(run, _)| run.cohort == cohort) {
        let path = Plan::run_path(run);
        let mut files: Vec<ExpectedFile> = run
            .files
            .iter()
            .zip(run_facts)
            .map(|(file, facts)| ExpectedFile {
                path: format!("{path}/{}", file.name),
                bytes: facts.stored_bytes,
                raw_bytes: facts.raw_bytes,
                n_records: facts.facts.len() as u64,
            })
            .collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let times = || run_facts.iter().flat_map(|file| &file.facts).filter_map(|fact| fact.timestamp);
        runs.push(ExpectedRun {
            n_files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            n_records: files.iter().map(|file| file.n_records).sum(),
            first_timestamp: times().min().map(written_time),
            last_timestamp: times().max().map(written_time),
            eval_ids: EVALUATIONS
                .iter()
                .filter(|evaluation| evaluation.cohort == cohort)
                .filter(|evaluation| {
                    run.files.iter().any(|file| matches(evaluation.glob, &format!("{}/{}", run.folder, file.name)))
                })
                .map(eval_id)
                .collect(),
            files,
            path,
        });
    }
    runs.sort_by(|left, right| left.path.cmp(&right.path));
    runs
}

/// The records of one sample that are left so far: the last one of the latest.
type Samples<'a> = BTreeMap<(SampleName, usize), &'a Fact>;

fn expected_evaluation(plan: &Plan, facts: &[Vec<FileFacts>], evaluation: &Evaluation) -> ExpectedEvaluation {
    // In the order of paths.
    let mut files = BTreeMap::new();
    for (run, run_facts) in plan.runs.iter().zip(facts).filter(|(run, _)| run.cohort == evaluation.cohort) {
        for (file, file_facts) in run.files.iter().zip(run_facts) {
            let path = format!("{}/{}", run.folder, file.name);
            if matches(evaluation.glob, &path) {
                files.insert(path, file_facts);
            }
        }
    }
    let mut n_records = 0;
    let mut n_duplicates = 0;
    let mut n_foreign = 0;
    let mut times = Vec::new();
    let mut points: BTreeMap<(&str, String), Samples<'_>> = BTreeMap::new();
    for (order, fact) in files.values().flat_map(|file| &file.facts).enumerate() {
        if SUBJECTS[fact.subject].identity != evaluation.identity {
            n_foreign += 1;
            continue;
        }
        n_records += 1;
        times.extend(fact.timestamp);
        let task = &TASKS[fact.task];
        let params = task.canonical_params(&plan.points[fact.task][fact.point]);
        let samples = points.entry((task.name, params)).or_default();
        // A record without a name is a sample of its own: its place in the files is its name.
        let own_name = if fact.sample == SampleName::Own { order } else { 0 };
        match samples.entry((fact.sample.clone(), own_name)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(fact);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                n_duplicates += 1;
                if fact.timestamp >= entry.get().timestamp {
                    entry.insert(fact);
                }
            }
        }
    }
    let mut totals = Counter::default();
    let mut expected_points = Vec::new();
    for ((base_task, params), samples) in points {
        expected_points.push(expected_point(plan, evaluation, base_task, params, &samples, &mut totals));
    }
    let identity = evaluation.identity;
    let totals = totals.finish();
    ExpectedEvaluation {
        eval_id: eval_id(evaluation),
        label: evaluation.label.to_owned(),
        model: identity.model.to_owned(),
        template: identity.template.to_owned(),
        sampler: identity.sampler.to_owned(),
        context: evaluation.context,
        groups: evaluation.groups.iter().map(|&group| group.to_owned()).collect(),
        tags: evaluation.tags.iter().map(|&tag| tag.to_owned()).collect(),
        hf_id: evaluation.hf_id.to_owned(),
        cohort: COHORTS[evaluation.cohort].folder.to_owned(),
        glob: format!("{}/{}", cohort_path(evaluation.cohort), evaluation.glob),
        n_files: files.len() as u64,
        source_bytes: files.values().map(|file| file.stored_bytes).sum(),
        n_records,
        n_duplicates,
        n_errors: totals.errors,
        n_malformed: 0,
        n_foreign,
        first_timestamp: times.iter().min().copied().map(written_time),
        last_timestamp: times.iter().max().copied().map(written_time),
        n_points: expected_points.len() as u64,
        n_samples: expected_points.iter().map(|point| point.samples.len() as u64).sum(),
        totals,
        points: expected_points,
    }
}

fn expected_point(
    plan: &Plan,
    evaluation: &Evaluation,
    base_task: &str,
    params: String,
    samples: &Samples<'_>,
    totals: &mut Counter,
) -> ExpectedPoint {
    let mut counter = Counter::default();
    let mut list = Vec::new();
    let mut manifold = None;
    let mut step = (String::new(), "", None);
    for ((name, _), fact) in samples {
        let task = &TASKS[fact.task];
        let point = &plan.points[fact.task][fact.point];
        manifold = manifold_id(&SUBJECTS[fact.subject], task, point);
        step = (step_name(fact.task), task.category, task.target_tokens(point));
        let status = status(fact, evaluation.context);
        counter.add(fact, status);
        totals.add(fact, status);
        let (seed, index, repeat) = match *name {
            SampleName::Indexed { seed, index, repeat } => (Some(seed), Some(index), repeat),
            SampleName::Id(_) | SampleName::Own => (None, None, 0),
        };
        if let Some(status) = status {
            list.push(ExpectedSample {
                seed,
                index,
                repeat,
                answer_status: status,
                completion_tokens: fact.completion_tokens,
                response_bytes: fact.trace_bytes,
                guess_chance: fact.guess_chance,
            });
        }
    }
    let (task, category, target_tokens) = step;
    ExpectedPoint {
        base_task: base_task.to_owned(),
        params,
        manifold_id: manifold,
        target_tokens,
        task,
        category: category.to_owned(),
        counts: counter.finish(),
        samples: list,
    }
}

const CORRECT: u8 = 0;
const INCORRECT: u8 = 1;
const TRUNCATED: u8 = 2;
const INVALID: u8 = 3;

/// The outcome of a record: the first that applies. None is an error.
fn status(fact: &Fact, context: Option<u64>) -> Option<u8> {
    let is_clipped = context.zip(fact.completion_tokens).is_some_and(|(context, tokens)| tokens > context);
    if fact.is_error {
        None
    } else if fact.is_truncated || is_clipped {
        Some(TRUNCATED)
    } else if fact.is_invalid {
        Some(INVALID)
    } else if fact.is_correct {
        Some(CORRECT)
    } else {
        Some(INCORRECT)
    }
}

/// Sums over trials.
#[derive(Debug, Default)]
struct Counter {
    counts: ExpectedCounts,
    prompt_tokens: Mean,
    completion_tokens: Mean,
    correct_tokens: Mean,
    incorrect_tokens: Mean,
}

#[derive(Debug, Default)]
struct Mean {
    sum: u64,
    n: u64,
}

impl Mean {
    fn add(&mut self, value: Option<u64>) {
        if let Some(value) = value {
            self.sum += value;
            self.n += 1;
        }
    }

    fn value(&self) -> Option<f64> {
        ratio(self.sum as f64, self.n as f64)
    }
}

impl Counter {
    fn add(&mut self, fact: &Fact, status: Option<u8>) {
        let counts = &mut self.counts;
        let Some(status) = status else {
            counts.errors += 1;
            return;
        };
        counts.total_tokens += fact.prompt_tokens.unwrap_or(0) + fact.completion_tokens.unwrap_or(0);
        counts.hard_terminated += u64::from(fact.is_hard_terminated);
        if status == TRUNCATED {
            counts.truncated += 1;
            return;
        }
        counts.total += 1;
        counts.correct += u64::from(status == CORRECT);
        counts.invalid += u64::from(status == INVALID);
        counts.guess_sum += fact.guess_chance;
        if let Some(score) = fact.score {
            counts.score_sum = Some(counts.score_sum.unwrap_or(0.0) + score);
        }
        self.prompt_tokens.add(fact.prompt_tokens);
        self.completion_tokens.add(fact.completion_tokens);
        let half = if status == CORRECT { &mut self.correct_tokens } else { &mut self.incorrect_tokens };
        half.add(fact.completion_tokens);
    }

    fn finish(self) -> ExpectedCounts {
        let mut counts = self.counts;
        let (c, n, t, g) = (counts.correct as f64, counts.total as f64, counts.truncated as f64, counts.guess_sum);
        if n - g > 0.0 {
            let (successes, trials) = (c - g, n - g);
            let (center, margin) = wilson(successes, trials);
            counts.adjusted_successes = Some(successes);
            counts.adjusted_trials = Some(trials);
            counts.adjusted_accuracy = Some(successes / trials);
            counts.adjusted_center = Some(center);
            counts.adjusted_margin = Some(margin);
        }
        counts.invalid_ratio = ratio(counts.invalid as f64, n);
        counts.truncated_ratio = ratio(t, n + t);
        counts.prompt_tokens_mean = self.prompt_tokens.value();
        counts.completion_tokens_mean = self.completion_tokens.value();
        counts.completion_tokens_correct_mean = self.correct_tokens.value();
        counts.completion_tokens_incorrect_mean = self.incorrect_tokens.value();
        counts
    }
}

fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    (denominator > 0.0).then(|| numerator / denominator)
}

/// Centre and margin of the Wilson score interval (Wilson 1927), successes clamped to `0..=trials`.
fn wilson(successes: f64, trials: f64) -> (f64, f64) {
    let p = successes.clamp(0.0, trials) / trials;
    let z2 = Z * Z;
    let center = (p + z2 / (2.0 * trials)) / (1.0 + z2 / trials);
    let margin = Z * (p * (1.0 - p) / trials + z2 / (4.0 * trials * trials)).sqrt() / (1.0 + z2 / trials);
    (center, margin)
}

fn eval_id(evaluation: &Evaluation) -> String {
    let identity = evaluation.identity;
    let mut name = format!("{}+{}+{}", identity.model, identity.template, identity.sampler);
    if let Some(context) = evaluation.context {
        name.push_str(&format!("+ctx{context}"));
    }
    blake3::hash(name.as_bytes()).to_hex()[..6].to_owned()
}

/// Whether a path matches a glob in which `*` stands for any text without a `/`.
fn matches(glob: &str, path: &str) -> bool {
    let Some((before, after)) = glob.split_once('*') else { return glob == path };
    let Some(rest) = path.strip_prefix(before) else { return false };
    let within = rest.find('/').unwrap_or(rest.len());
    (0..=within).filter(|end| rest.is_char_boundary(*end)).any(|end| matches(after, &rest[end..]))
}

fn written_time(microseconds: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(microseconds).unwrap_or_default();
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {
    use super::{EVALUATIONS, eval_id, matches, wilson};

    #[test]
    fn globs_match_within_a_folder() {
        assert!(matches("*_b_*/*", "a_b_c/d.ndjson"));
        assert!(!matches("*_b_*/*", "a_c/b_d_.ndjson"));
        assert!(!matches("*_b_*/*", "a_b_c"));
        assert!(matches("*-*high_*/*", "x-low-and-high_t/1"));
        assert!(!matches("*-*high_*/*", "x-low_t/1"));
    }

    #[test]
    fn wilson_meets_its_vectors() {
        let check = |successes: f64, trials: f64, low: f64, high: f64| {
            let (center, margin) = wilson(successes, trials);
            assert!((center - margin - low).abs() < 1e-10, "{successes}/{trials}: {}", center - margin);
            assert!((center + margin - high).abs() < 1e-10, "{successes}/{trials}: {}", center + margin);
        };
        check(0.0, 1.0, 0.0, 0.793_450_685_6);
        check(1.0, 10.0, 0.017_876_213_1, 0.404_150_026_8);
        check(81.0, 263.0, 0.255_288_519_9, 0.366_209_577_0);
        check(999.0, 1000.0, 0.994_357_441_4, 0.999_823_453_6);
    }

    #[test]
    fn eval_ids_are_unique() {
        let mut ids: Vec<String> = EVALUATIONS.iter().map(eval_id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), EVALUATIONS.len());
    }
}
