//! The step `rescore`: answers are read out of responses again, and compared again.

use std::collections::BTreeMap;
use std::sync::Arc;

use rs_cli::{CommandError, Ui};
use rs_config::Config;
use rs_core::cohort::Cohort;
use rs_core::every_line::{self, Input, Line, Part, Place, Visitor};
use rs_core::monitor::Monitor;
use rs_core::paths;
use rs_core::record::{self, Record};
use rs_core::rescore::{LeftAlone, Rescored, Verdict, rescore};
use rs_core::rewrite::{Splice, Target};
use rs_core::shape::Shape;

use super::files::Files;
use super::replace::{Mode, Replaced, Work, replace, stopped};
use super::report::{Example, ExampleVerdict, LeftAloneRow, Problem, RescoredRow, StepRow};

/// Records shown one by one.
const MAX_EXAMPLES: usize = 20;

/// What the step has found.
pub(crate) struct Found {
    pub(crate) rows: Vec<RescoredRow>,
    pub(crate) examples: Vec<Example>,
}

/// Scores the records of a cohort again.
pub(crate) fn run(
    cohort: &Cohort,
    config: &Config,
    files: Files,
    mode: Mode,
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(StepRow, Replaced, Found), CommandError> {
    let (n_files, bytes_before) = (files.own.len() as u64, files.size_bytes());
    let inputs: Vec<Input> = files
        .own
        .iter()
        .map(|own| &cohort.files[own.at])
        .map(|file| Input { path: file.path.clone(), codec: file.codec, size_bytes: file.size_bytes })
        .collect();
    let watched = ui.watch(&format!("reading {}", cohort.folder.display()), bytes_before, monitor);
    let scan = |file: usize| Scan::new(cohort, config, files.own[file].at);
    let visited = every_line::visit(&inputs, scan, monitor);
    drop(watched);
    if monitor.is_cancelled() {
        return Err(stopped());
    }
    let (mut works, mut problems, mut examples, mut n_records) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut tallies: Tallies = BTreeMap::new();
    for (own, visited) in files.own.iter().zip(visited) {
        let path = paths::show(&own.original.path);
        if let Some(error) = visited.incomplete {
            problems.push(Problem { path, what: format!("cannot be read to its end: {error}") });
            continue;
        }
        let mut splices = Vec::new();
        for Part { visitor, first_line } in visited.parts {
            n_records += visitor.n_records;
            splices.extend(visitor.splices);
            let examples_left = MAX_EXAMPLES - examples.len();
            examples.extend(visitor.examples.into_iter().take(examples_left).map(|(before, rescored)| Example {
                path: path.clone(),
                line: first_line + before,
                was: verdict(rescored.was),
                is: verdict(rescored.is),
            }));
            for (key, tally) in visitor.tallies {
                tallies.entry(key).or_default().merge(&tally);
            }
        }
        if !splices.is_empty() {
            works.push(Work { at: own.at, original: own.original.clone(), target: Target::Edited(splices) });
        }
    }
    let total_bytes = works.iter().map(|work| work.original.size_bytes()).sum();
    let watched = ui.watch(&format!("writing {}", cohort.folder.display()), total_bytes, monitor);
    let mut replaced = replace(works, mode, monitor)?;
    drop(watched);
    replaced.problems.extend(problems);
    let row = StepRow {
        step: "rescore",
        files: n_files,
        changed: replaced.files.len() as u64,
        bytes_before,
        bytes_after: bytes_before - replaced.bytes_before + replaced.bytes_after,
        records_before: Some(n_records),
        records_after: Some(n_records),
    };
    let rows = tallies.into_iter().map(|((evaluation, task), tally)| tally.row(cohort, evaluation, task)).collect();
    Ok((row, replaced, Found { rows, examples }))
}

fn verdict(verdict: Verdict) -> ExampleVerdict {
    ExampleVerdict { answer: verdict.answer, correct: verdict.correct, invalid: verdict.invalid }
}

/// By position of the evaluation, and task.
type Tallies = BTreeMap<(usize, String), Tally>;

/// Counts of the records of one task of one evaluation.
#[derive(Default)]
struct Tally {
    records: u64,
    now_correct: u64,
    no_longer_correct: u64,
    now_invalid: u64,
    no_longer_invalid: u64,
    other_answers: u64,
    left_alone: LeftAloneRow,
}

impl Tally {
    fn add(&mut self, result: &Result<Rescored, LeftAlone>) {
        self.records += 1;
        match result {
            Ok(Rescored { was, is, .. }) => {
                let is_same_verdict = (was.correct, was.invalid) == (is.correct, is.invalid);
                self.now_correct += u64::from(is.correct && !was.correct);
                self.no_longer_correct += u64::from(was.correct && !is.correct);
                self.now_invalid += u64::from(is.invalid && !was.invalid);
                self.no_longer_invalid += u64::from(was.invalid && !is.invalid);
                self.other_answers += u64::from(is_same_verdict && was.answer != is.answer);
            }
            Err(LeftAlone::Error) => self.left_alone.errors += 1,
            Err(LeftAlone::Truncated) => self.left_alone.truncated += 1,
            Err(LeftAlone::NoResponse) => self.left_alone.without_response += 1,
            Err(LeftAlone::NoReference) => self.left_alone.without_reference += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.records += other.records;
        self.now_correct += other.now_correct;
        self.no_longer_correct += other.no_longer_correct;
        self.now_invalid += other.now_invalid;
        self.no_longer_invalid += other.no_longer_invalid;
        self.other_answers += other.other_answers;
        self.left_alone.errors += other.left_alone.errors;
        self.left_alone.truncated += other.left_alone.truncated;
        self.left_alone.without_response += other.left_alone.without_response;
        self.left_alone.without_reference += other.left_alone.without_reference;
    }

    fn row(self, cohort: &Cohort, evaluation: usize, base_task: String) -> RescoredRow {
        let entry = &cohort.evaluations[evaluation].entry;
        RescoredRow {
            eval_id: entry.eval_id().to_string(),
            label: entry.label.clone(),
            base_task,
            records: self.records,
            now_correct: self.now_correct,
            no_longer_correct: self.no_longer_correct,
            now_invalid: self.now_invalid,
            no_longer_invalid: self.no_longer_invalid,
            other_answers: self.other_answers,
            left_alone: self.left_alone,
        }
    }
}

/// Looks through a part of a file.
struct Scan<'a> {
    cohort: &'a Cohort,
    config: &'a Config,
    /// The evaluations that read the file.
    evaluations: Vec<usize>,
    shape: Shape,
    n_records: u64,
    tallies: Tallies,
    splices: Vec<Splice>,
    /// The first records that change, and the number of lines before each.
    examples: Vec<(u64, Rescored)>,
}

impl<'a> Scan<'a> {
    fn new(cohort: &'a Cohort, config: &'a Config, file: usize) -> Self {
        let reads = |evaluation: &usize| cohort.evaluations[*evaluation].files.contains(&file);
        Self {
            cohort,
            config,
            evaluations: (0..cohort.evaluations.len()).filter(reads).collect(),
            shape: Shape::default(),
            n_records: 0,
            tallies: BTreeMap::new(),
            splices: Vec::new(),
            examples: Vec::new(),
        }
    }

    /// The evaluations that count a record.
    fn claimants(&self, record: &Record<'_>) -> Vec<usize> {
        let names = [record.model.decode(), record.template.decode(), record.sampler.decode()];
        let counts = |evaluation: &usize| {
            let identity = &self.cohort.evaluations[*evaluation].entry.filters;
            [&identity.model, &identity.template, &identity.sampler].into_iter().zip(&names).all(|(a, b)| a == b)
        };
        self.evaluations.iter().copied().filter(counts).collect()
    }
}

impl Visitor for Scan<'_> {
    fn line(&mut self, line: &Line<'_>, place: Place) {
        // What is no record stays as it is; `cohort validate` tells of it.
        let Ok(record) = line.lexer().and_then(|lexer| record::parse(lexer, &mut self.shape)) else { return };
        self.n_records += 1;
        let base_task = record.base_task.decode();
        let Some(task) = self.config.task(&base_task).filter(|task| !task.answer_regex.is_empty()) else { return };
        let claimants = self.claimants(&record);
        if claimants.is_empty() {
            return;
        }
        let Ok(text) = std::str::from_utf8(line.text) else { return };
        let Ok(result) = rescore(text, &record, &task.answer_regex) else { return };
        for evaluation in claimants {
            self.tallies.entry((evaluation, task.name.clone())).or_default().add(&result);
        }
        let Ok(rescored) = result else { return };
        if rescored.edits.is_empty() {
            return;
        }
        self.splices.extend(rescored.edits.iter().map(|edit| Splice {
            offset: place.offset + edit.range.start as u64,
            n_bytes: edit.range.len() as u64,
            new: edit.text.as_bytes().into(),
        }));
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push((place.before, rescored));
        }
    }
}
