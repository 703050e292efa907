//! Does the plan: reads what has changed, takes over what has not, writes the database.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rs_cli::{CommandError, DAMAGED_BLOBS, Exit, Ui};
use rs_core::collect::{Cache, Collected, Collection, Monitor, OnMalformed, SampleFile};
use rs_core::diagnostic::Diagnostic;
use rs_core::eval_id::{EvalId, identity_text};
use rs_core::statistics::CONFIDENCE_LEVEL;
use rs_core::{suggest, timestamp};
use rs_forensics::compression::COMPRESSOR;
use rs_pointsdb::PointsDbError;
use rs_pointsdb::builder::{Builder, EvalRow, Old, RawFileRow};
use rs_pointsdb::connection::{Limits, Size};
use rs_pointsdb::queries::EvalSummary;
use rs_pointsdb::schema::SCHEMA_VERSION;

use crate::arguments::Arguments;
use crate::batch::{batches, collect_batch, count_cached, decoded_bytes, tokenizers};
use crate::clock::now_nanos;
use crate::errors::{db_error, stopped};
use crate::explain::explain;
use crate::forensics::{Loaded, Tokenizers};
use crate::old::{OldDatabase, Way, Ways, ids, is_lessened, reads_all, unusable, ways};
use crate::plan::{Plan, PlannedEval};
use crate::report::{Summary, SummaryRow};

/// What the old database tells is a row for each evaluation: one thread reads that.
const OLD_LIMITS: Limits = Limits { threads: 1 };
/// How often it is noted what the cache has learnt.
const SAVED_EVERY: Duration = Duration::from_secs(10);
/// Problems shown one by one; the rest are counted.
const SHOWN_PROBLEMS: usize = 20;

pub(crate) fn run(plan: &Plan, arguments: &Arguments, ui: &mut Ui) -> Result<Exit, CommandError> {
    let started = Instant::now();
    refuse_without_files(plan)?;
    let old = if reads_all(arguments) { OldDatabase::default() } else { OldDatabase::read(plan, OLD_LIMITS, ui)? };
    let ways = ways(plan, arguments, &old);
    if arguments.explain {
        return explain(plan, arguments, &old, ui);
    }
    tell_of_kept(plan, &ways, &old, ui);
    let old_config_is_in_force = old.config.as_deref() == Some(&config_name(plan));
    let old = old.evals;
    let mut summary = Summary {
        schema: "evaluate.summary/1",
        dataset: plan.dataset.clone(),
        db: rs_core::paths::show(&plan.db),
        read_bytes: 0,
        seconds: 0.0,
        sample_memory_bytes: 0,
        evaluations: Vec::new(),
    };
    let is_same_set = old.len() == ways.values().filter(|way| **way != Way::LeaveOut).count();
    let mut built = Built::default();
    let mut problems = Problems::default();
    if !(is_same_set && old_config_is_in_force && ways.values().all(|way| *way != Way::Read)) {
        let monitor = rs_cli::stoppable()?;
        let result = build(plan, arguments, &ways, &monitor, &mut problems, ui);
        if result.is_err() {
            // What was read need not be read again. That it cannot be kept is not what went wrong.
            let _ = save(plan.cache.as_ref());
        }
        built = result?;
        summary.sample_memory_bytes = built.sample_memory_bytes;
        summary.read_bytes = monitor.done_bytes.load(Ordering::Relaxed);
    }
    let saved = save(plan.cache.as_ref());
    if !built.rows.is_empty() {
        plan.cache.iter().for_each(Cache::sweep);
    }
    let problem = built.cache_problem.take().or(saved.err().map(|error| error.to_string()));
    // Where nothing was read there are no results; what files are is found out again.
    if let Some(problem) = problem.filter(|_| !built.rows.is_empty()) {
        ui.warn(&format!("results were not kept for the next time: {problem}"));
    }
    tell_of_dropped(plan, &old, ui);
    for evaluation in &plan.evaluations {
        let reused = || old.get(evaluation.eval_id.as_str()).map(SummaryRow::reused);
        summary.evaluations.extend(built.rows.remove(&evaluation.eval_id).or_else(reused));
    }
    summary.seconds = started.elapsed().as_secs_f64();
    problems.tell(ui);
    tell_of_old_problems(&summary, ui);
    arguments.output.print(ui, &summary)?;
    tell_throughput(plan, &summary, ui);
    let has_malformed = summary.evaluations.iter().any(|row| row.malformed > 0);
    Ok(if has_malformed { Exit::Negative } else { Exit::Done })
}

fn save(cache: Option<&Cache>) -> io::Result<()> {
    cache.map_or(Ok(()), Cache::save)
}

/// Evaluating nothing would only empty the database.
fn refuse_without_files(plan: &Plan) -> Result<(), CommandError> {
    if plan.evaluations.iter().any(|evaluation| !evaluation.files.is_empty()) {
        return Ok(());
    }
    let error = CommandError::input(format!("no evaluation of `{}` has a raw file here", plan.dataset));
    if plan.absent.is_empty() {
        return Err(error.hint("`data status` tells what is here"));
    }
    let cohorts: Vec<String> = plan.absent.iter().map(|folder| rs_core::paths::show(folder)).collect();
    Err(error.hint(format!("data pull cohort {}", cohorts.join(" "))))
}

/// Rows that the raw files at hand do not explain.
fn tell_of_kept(plan: &Plan, ways: &Ways<'_>, old: &OldDatabase, ui: &mut Ui) {
    for evaluation in &plan.evaluations {
        let Some(rows) = old.evals.get(evaluation.eval_id.as_str()) else { continue };
        let why = match ways[&evaluation.eval_id] {
            Way::Reuse if evaluation.files.is_empty() => "no raw file is here",
            Way::Reuse if is_lessened(evaluation, rows) => "not all raw files are here",
            _ => continue,
        };
        ui.warn(&format!("{}: {why}; its points ({}) stay as they were", evaluation.eval_id, rows.n_points));
    }
}

/// Rows that the new database no longer has.
fn tell_of_dropped(plan: &Plan, old: &BTreeMap<String, EvalSummary>, ui: &mut Ui) {
    let is_planned = |id: &str| plan.evaluations.iter().any(|evaluation| evaluation.eval_id.as_str() == id);
    let dropped: Vec<&str> = old.keys().map(String::as_str).filter(|id| !is_planned(id)).collect();
    if !dropped.is_empty() {
        ui.note(&format!("no longer asked for, and dropped from the database: {}", suggest::list(&dropped, 10)));
    }
}

/// Rows taken over carry the problems of their files; this run has not met them.
fn tell_of_old_problems(summary: &Summary, ui: &mut Ui) {
    for row in summary.evaluations.iter().filter(|row| row.reused && row.malformed > 0) {
        let malformed = row.malformed;
        ui.warn(&format!(
            "{}: malformed lines: {malformed}, told when they were read; `--force` tells them again",
            row.eval_id
        ));
    }
}

/// What building a database tells.
#[derive(Default)]
struct Built<'a> {
    /// Of evaluations that were read.
    rows: BTreeMap<&'a EvalId, SummaryRow>,
    /// As [`Summary::sample_memory_bytes`].
    sample_memory_bytes: u64,
    /// Why results could not be kept for the next time.
    cache_problem: Option<String>,
}

/// Builds the new database; returns what was read.
fn build<'a>(
    plan: &'a Plan,
    arguments: &Arguments,
    ways: &Ways<'a>,
    monitor: &Arc<Monitor>,
    problems: &mut Problems,
    ui: &mut Ui,
) -> Result<Built<'a>, CommandError> {
    let reused: Vec<EvalId> = ids(ways, Way::Reuse);
    let old = match reused.is_empty() {
        true if reads_all(arguments) => Old::Unchecked,
        true => Old::Ignored,
        false => Old::Attached,
    };
    let wanted: Vec<&PlannedEval> =
        plan.evaluations.iter().filter(|evaluation| ways[&evaluation.eval_id] == Way::Read).collect();
    if let Some(found) = &plan.tokenizers {
        found.tell_of_missing(&plan.tokenizer_folder, ui);
    }
    let on_malformed = if arguments.strict { OnMalformed::Stop } else { OnMalformed::Continue };
    let batches = batches(plan, &wanted);
    let size = Size::for_raw_bytes(plan.files.iter().map(decoded_bytes).fold(0, u64::saturating_add));
    let to_read: BTreeSet<usize> = wanted.iter().flat_map(|evaluation| evaluation.files.iter().copied()).collect();
    let progress = ui.watch("evaluating", to_read.iter().map(|at| plan.files[*at].size_bytes).sum(), monitor);
    let mut built = Built::default();
    // One batch is written while the next is read; a third waits for both.
    let (sender, receiver) = sync_channel::<(Vec<EvalRow>, Vec<Collected>)>(0);
    let builder = std::thread::scope(|scope| -> Result<Builder, CommandError> {
        let writer = scope.spawn(|| {
            let written = write(&plan.db, old, size, &reused, receiver, monitor);
            // Without a database there is nothing to read for.
            monitor.cancel.fetch_or(written.is_err(), Ordering::Relaxed);
            written
        });
        let mut stopped_by = None;
        let loaded = Loaded::default();
        let mut saved_at = Instant::now();
        for (at, batch) in batches.iter().enumerate() {
            let collected = collect_batch(plan, batch, on_malformed, &loaded, plan.cache.as_ref(), monitor);
            loaded.keep(tokenizers(plan, batches[at + 1..].iter().flatten()));
            let collection = match collected {
                Ok(collection) => collection,
                Err(error) => {
                    stopped_by = Some(error);
                    break;
                }
            };
            problems.take(&collection);
            built.sample_memory_bytes = built.sample_memory_bytes.max(collection.sample_memory_bytes);
            if built.cache_problem.is_none() {
                built.cache_problem.clone_from(&collection.cache_problem);
            }
            if saved_at.elapsed() > SAVED_EVERY {
                // Should this run be killed, these batches stay read. What goes wrong here does so at the end, too, and is
                // told there.
                let _ = save(plan.cache.as_ref());
                saved_at = Instant::now();
            }
            let evals: Vec<EvalRow> =
                batch.iter().zip(&collection.evaluations).map(|(eval, found)| eval_row(plan, eval, found)).collect();
            for ((evaluation, row), found) in batch.iter().zip(&evals).zip(&collection.evaluations) {
                warn_of_unknown_tasks(plan, evaluation, found, ui);
                warn_of_no_record(evaluation, found, &collection, ui);
                let sum = |of: fn(&rs_core::statistics::Counters) -> u64| {
                    found.points.iter().map(|point| of(&point.counters)).sum::<u64>()
                };
                let n_points = found.points.len() as u64;
                let samples = sum(|c| c.answered + c.truncated);
                let n_cached = count_cached(batch, evaluation, &collection);
                let summary = SummaryRow::new(row, n_points, samples, sum(|c| c.truncated), n_cached);
                built.rows.insert(&evaluation.eval_id, summary);
            }
            // A writer that has failed says so below.
            if sender.send((evals, collection.evaluations)).is_err() {
                break;
            }
        }
        drop(sender);
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (stopped_by, written) {
            (Some(error), Ok(_)) => Err(error),
            (_, Ok(_)) if monitor.is_cancelled() => Err(stopped()),
            (_, written) => written,
        }
    })?;
    builder.finish(&meta(plan)).map_err(|error| or_stopped(error, monitor))?;
    drop(progress);
    Ok(built)
}

/// Makes the new database with the rows to take over and those that arrive; completing it is left to the caller.
fn write(
    target: &Path,
    old: Old,
    size: Size,
    reused: &[EvalId],
    batches: Receiver<(Vec<EvalRow>, Vec<Collected>)>,
    monitor: &Arc<Monitor>,
) -> Result<Builder, CommandError> {
    let mut builder = Builder::create(target, old, size).map_err(db_error)?;
    builder.stop_with(monitor);
    builder.reuse(reused).map_err(unusable)?;
    let points = |collected: Vec<Collected>| collected.into_iter().map(|collected| collected.points);
    let evaluated = batches.into_iter().flat_map(|(rows, collected)| rows.into_iter().zip(points(collected)));
    // What is being read is for nobody then. Whether the user had stopped it is known before.
    let was_stopped = Cell::new(None);
    let stop_reading = || was_stopped.set(Some(monitor.cancel.swap(true, Ordering::Relaxed)));
    builder.append(evaluated, stop_reading).map_err(|error| match was_stopped.get() {
        Some(false) => db_error(error),
        _ => or_stopped(error, monitor),
    })?;
    Ok(builder)
}

/// What DuckDB says when it is stopped is nobody's business.
fn or_stopped(error: PointsDbError, monitor: &Monitor) -> CommandError {
    if monitor.is_cancelled() { stopped() } else { db_error(error) }
}

fn eval_row(plan: &Plan, evaluation: &PlannedEval, found: &Collected) -> EvalRow {
    let entry = &evaluation.entry;
    // Files that an evaluation matches stand in one order, here and in what was collected.
    let file = |file: &SampleFile| RawFileRow {
        file: file.file,
        path: plan.files[evaluation.files[file.file as usize]].logical.clone(),
        marks: file.marks.clone(),
    };
    let files = found.files.iter().map(file).collect();
    EvalRow {
        eval_id: evaluation.eval_id.clone(),
        identity: entry.filters.clone(),
        context_tokens: entry.context,
        label: entry.label.clone(),
        hf_id: entry.hf_id.clone(),
        groups: entry.groups.clone(),
        tags: entry.tags.clone(),
        cohort: evaluation.cohort.clone(),
        n_files: evaluation.files.len() as u64,
        source_bytes: evaluation.files.iter().map(|at| plan.files[*at].size_bytes).sum(),
        n_records: found.tally.n_records,
        n_duplicates: found.n_duplicates,
        n_errors: found.n_errors,
        n_malformed: found.n_malformed,
        n_foreign: found.n_foreign,
        first_timestamp: found.tally.first_timestamp,
        last_timestamp: found.tally.last_timestamp,
        fingerprint: evaluation.full_fingerprint(plan.tokenizers.as_ref()),
        files,
    }
}

fn config_name(plan: &Plan) -> String {
    plan.config.as_ref().map(|(_, config)| config.name.clone()).unwrap_or_default()
}

fn meta(plan: &Plan) -> Vec<(&'static str, String)> {
    let created_at = timestamp::to_rfc3339(i64::try_from(now_nanos() / 1_000_000_000).unwrap_or(0) * 1_000_000);
    vec![
        ("schema_version", SCHEMA_VERSION.to_string()),
        ("tool_version", format!("evaluate {}", env!("CARGO_PKG_VERSION"))),
        ("dataset", plan.dataset.clone()),
        ("config", config_name(plan)),
        ("compressor", plan.tokenizers.as_ref().map_or("none", |_| COMPRESSOR).to_owned()),
        ("tokenizers", plan.tokenizers.as_ref().map_or_else(|| "none".to_owned(), Tokenizers::shown)),
        ("created_at", created_at),
        ("statistics", format!("confidence level {CONFIDENCE_LEVEL}")),
    ]
}

/// Tasks that the config does not know are evaluated all the same; views will not find them.
fn warn_of_unknown_tasks(plan: &Plan, evaluation: &PlannedEval, found: &Collected, ui: &mut Ui) {
    let Some((path, config)) = &plan.config else { return };
    let tasks: BTreeSet<&str> = found.points.iter().map(|point| point.base_task.as_str()).collect();
    let unknown: Vec<&str> = tasks.into_iter().filter(|task| config.task(task).is_none()).collect();
    if !unknown.is_empty() {
        ui.warn(&format!(
            "{}: records of tasks that {} does not have: {}",
            evaluation.eval_id,
            path.display(),
            suggest::list(&unknown, 10)
        ));
    }
}

/// Nothing of an evaluation in files that hold records of others: its identity may be mistyped.
fn warn_of_no_record(evaluation: &PlannedEval, found: &Collected, collection: &Collection, ui: &mut Ui) {
    if found.tally.n_records > 0 || found.n_foreign == 0 {
        return;
    }
    let there: BTreeSet<String> = (collection.files.iter())
        .flat_map(|file| file.identities.keys())
        .map(|identity| format!("`{}`", identity_text(identity, None)))
        .collect();
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    ui.warn(&format!(
        "{}: no record is of `{}`; its files hold {} of others: {}",
        evaluation.eval_id,
        identity_text(&evaluation.entry.filters, None),
        found.n_foreign,
        suggest::list(&there, 5)
    ));
}

fn tell_throughput(plan: &Plan, summary: &Summary, ui: &mut Ui) {
    let n_read = summary.evaluations.iter().filter(|row| !row.reused).count();
    let n_points: u64 = summary.evaluations.iter().map(|row| row.points).sum();
    let db = plan.db.display();
    if n_read == 0 {
        ui.note(&format!("nothing has changed: {db} is up to date ({:.2} s)", summary.seconds));
        return;
    }
    let megabytes = summary.read_bytes as f64 / 1e6;
    ui.note(&format!(
        "{n_points} points in {db}; {megabytes:.1} MB read in {:.2} s ({:.0} MB/s)",
        summary.seconds,
        megabytes / summary.seconds
    ));
}

/// Problems in raw files, told once the work is done.
#[derive(Default)]
struct Problems {
    shown: Vec<Diagnostic>,
    n_all: u64,
    n_in_damaged_blobs: u64,
}

impl Problems {
    fn take(&mut self, collection: &Collection) {
        self.n_all += collection.diagnostics.len() as u64 + collection.n_more_diagnostics;
        self.n_in_damaged_blobs += collection.n_in_damaged_blobs;
        let room = SHOWN_PROBLEMS.saturating_sub(self.shown.len());
        self.shown.extend(collection.diagnostics.iter().take(room).cloned());
    }

    fn tell(&self, ui: &mut Ui) {
        for problem in &self.shown {
            ui.problem(&problem.to_string());
        }
        let n_more = self.n_all - self.shown.len() as u64;
        if n_more > 0 {
            ui.problem(&format!("... and {n_more} more problems; in a cohort `cohort validate` lists them all"));
        }
        if self.n_in_damaged_blobs > 0 {
            ui.note(DAMAGED_BLOBS);
        }
    }
}
