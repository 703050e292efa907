//! Does the plan: reads what has changed, takes over what has not, writes the database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rs_cli::{CommandError, DAMAGED_BLOBS, Exit, Kind, Ui};
use rs_core::collect::{self, CollectError, Collected, Collection, Input, Keep, Monitor, OnMalformed, Wanted};
use rs_core::diagnostic::Diagnostic;
use rs_core::eval_id::EvalId;
use rs_core::reader::Codec;
use rs_core::statistics::CONFIDENCE_LEVEL;
use rs_core::{suggest, timestamp};
use rs_pointsdb::PointsDbError;
use rs_pointsdb::builder::{Builder, EvalRow, Old};
use rs_pointsdb::connection::{Limits, open_to_read};
use rs_pointsdb::queries::{self, EvalSummary};
use rs_pointsdb::schema::SCHEMA_VERSION;

use crate::arguments::Arguments;
use crate::plan::{Plan, PlannedEval};
use crate::report::{Summary, SummaryRow};

/// Raw bytes collected at a time: bounds the memory that samples take before they are points, and lets one batch be
/// written while the next is read.
const BATCH_BYTES: u64 = 256 << 20;
/// About how much larger compressed text is once unpacked.
const TYPICAL_RATIO: u64 = 10;
/// DuckDB writes while all threads read: more of its own would only be in their way.
const DATABASE_LIMITS: Limits = Limits { threads: 1 };
/// Problems shown one by one; the rest are counted.
const SHOWN_PROBLEMS: usize = 20;

/// What is to become of an evaluation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Read its files.
    Read,
    /// Take its rows over from the old database.
    Reuse,
    /// It was not asked for, and the old database has none of it.
    LeaveOut,
}

pub(crate) fn run(plan: &Plan, arguments: &Arguments, ui: &mut Ui) -> Result<Exit, CommandError> {
    let started = Instant::now();
    refuse_without_files(plan)?;
    let old = if reads_all(arguments) { OldDatabase::default() } else { OldDatabase::read(plan, DATABASE_LIMITS, ui)? };
    let ways = ways(plan, arguments, &old);
    tell_of_kept_and_dropped(plan, &ways, &old, ui);
    let old_config_is_in_force = old.config.as_deref() == Some(&config_name(plan));
    let old = old.evals;
    let mut summary = Summary {
        schema: "evaluate.summary/1",
        dataset: plan.dataset.clone(),
        db: rs_core::paths::show(&plan.db),
        read_bytes: 0,
        seconds: 0.0,
        evaluations: Vec::new(),
    };
    let is_same_set = old.len() == ways.values().filter(|way| **way != Way::LeaveOut).count();
    let mut rows: BTreeMap<&EvalId, SummaryRow> = BTreeMap::new();
    let mut problems = Problems::default();
    if !(is_same_set && old_config_is_in_force && ways.values().all(|way| *way != Way::Read)) {
        let monitor = Arc::new(Monitor::default());
        stop_on_signal(&monitor)?;
        rows = build(plan, arguments, &ways, DATABASE_LIMITS, &monitor, &mut problems, ui)?;
        summary.read_bytes = monitor.done_bytes.load(Ordering::Relaxed);
    }
    for evaluation in &plan.evaluations {
        let reused = || old.get(evaluation.eval_id.as_str()).map(SummaryRow::reused);
        summary.evaluations.extend(rows.remove(&evaluation.eval_id).or_else(reused));
    }
    summary.seconds = started.elapsed().as_secs_f64();
    problems.tell(ui);
    tell_of_old_problems(&summary, ui);
    arguments.output.print(ui, &summary)?;
    tell_throughput(plan, &summary, ui);
    let has_malformed = summary.evaluations.iter().any(|row| row.malformed > 0);
    Ok(if has_malformed { Exit::Negative } else { Exit::Done })
}

/// Whether nothing of the old database is wanted.
fn reads_all(arguments: &Arguments) -> bool {
    arguments.force && arguments.eval_id.is_empty()
}

/// What the old database holds.
#[derive(Default)]
struct OldDatabase {
    /// Its evaluations by id.
    evals: BTreeMap<String, EvalSummary>,
    /// Name of the config in force when it was made; `None` if there is no database that can be used.
    config: Option<String>,
    /// Whether there is a database whose rows cannot be taken over.
    is_lost: bool,
}

impl OldDatabase {
    fn read(plan: &Plan, limits: Limits, ui: &mut Ui) -> Result<Self, CommandError> {
        let _span = tracing::info_span!("read old").entered();
        let connection = match open_to_read(&plan.db, limits) {
            Ok(connection) => connection,
            Err(PointsDbError::Missing { .. }) => return Ok(Self::default()),
            Err(error @ PointsDbError::SchemaVersion { .. }) => {
                ui.note(&format!("{error}; everything is read again"));
                return Ok(Self { is_lost: true, ..Self::default() });
            }
            Err(error) => return Err(unusable(error)),
        };
        let refused = |source| unusable(PointsDbError::DuckDb { path: plan.db.clone(), source });
        let dataset = queries::meta(&connection, "dataset").map_err(refused)?.unwrap_or_default();
        if dataset != plan.dataset {
            let what = format!("`{}` holds dataset `{dataset}`, not `{}`", plan.db.display(), plan.dataset);
            return Err(
                CommandError::input(what).hint("write elsewhere with `--db FILE`, or replace it with `--force`")
            );
        }
        let config = queries::meta(&connection, "config").map_err(refused)?;
        let evals = queries::evals(&connection, &rs_core::filters::Filters::default()).map_err(refused)?;
        let evals = evals.into_iter().map(|summary| (summary.eval_id.clone(), summary)).collect();
        Ok(Self { evals, config, is_lost: false })
    }
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

/// What becomes of rows that the raw files at hand do not explain.
fn tell_of_kept_and_dropped(plan: &Plan, ways: &BTreeMap<&EvalId, Way>, old: &OldDatabase, ui: &mut Ui) {
    for evaluation in &plan.evaluations {
        let Some(rows) = old.evals.get(evaluation.eval_id.as_str()) else { continue };
        let why = match ways[&evaluation.eval_id] {
            Way::Reuse if evaluation.files.is_empty() => "no raw file is here",
            Way::Reuse if is_lessened(evaluation, rows) => "not all raw files are here",
            _ => continue,
        };
        ui.warn(&format!("{}: {why}; its points ({}) stay as they were", evaluation.eval_id, rows.n_points));
    }
    let is_planned = |id: &str| plan.evaluations.iter().any(|evaluation| evaluation.eval_id.as_str() == id);
    let dropped: Vec<&str> = old.evals.keys().map(String::as_str).filter(|id| !is_planned(id)).collect();
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

/// An old database that cannot be read: it may be worth a repair, so that it is for the user to remove.
fn unusable(error: PointsDbError) -> CommandError {
    let is_damaged = matches!(error, PointsDbError::DuckDb { .. });
    let hint = "remove it, and it is built anew; or write elsewhere with `--db FILE`";
    db_error(error).maybe_hint(is_damaged.then(|| hint.to_owned()))
}

/// Whether rows are of files that are elsewhere now.
fn is_lessened(evaluation: &PlannedEval, old: &EvalSummary) -> bool {
    evaluation.is_partly_absent && old.n_points > 0 && old.n_files > evaluation.files.len() as u64
}

fn ways<'a>(plan: &'a Plan, arguments: &Arguments, old: &OldDatabase) -> BTreeMap<&'a EvalId, Way> {
    let way = |evaluation: &PlannedEval| match old.evals.get(evaluation.eval_id.as_str()) {
        Some(_) if !evaluation.is_asked_for => Way::Reuse,
        None if !evaluation.is_asked_for && !old.is_lost => Way::LeaveOut,
        // Raw data may be elsewhere; that is no reason to lose its points.
        Some(old) if !arguments.force && evaluation.files.is_empty() && old.n_points > 0 => Way::Reuse,
        Some(old) if !arguments.force && is_lessened(evaluation, old) => Way::Reuse,
        // `--strict` is to meet the malformed lines.
        Some(old) if arguments.strict && old.n_malformed > 0 => Way::Read,
        Some(old) if !arguments.force && old.fingerprint == evaluation.fingerprint => Way::Reuse,
        _ => Way::Read,
    };
    plan.evaluations.iter().map(|evaluation| (&evaluation.eval_id, way(evaluation))).collect()
}

/// Builds the new database; returns the summary of what was read.
fn build<'a>(
    plan: &'a Plan,
    arguments: &Arguments,
    ways: &BTreeMap<&'a EvalId, Way>,
    limits: Limits,
    monitor: &Arc<Monitor>,
    problems: &mut Problems,
    ui: &mut Ui,
) -> Result<BTreeMap<&'a EvalId, SummaryRow>, CommandError> {
    let reused: Vec<EvalId> = ids(ways, Way::Reuse);
    let old = match reused.is_empty() {
        true if reads_all(arguments) => Old::Unchecked,
        true => Old::Ignored,
        false => Old::Attached,
    };
    let wanted: Vec<&PlannedEval> =
        plan.evaluations.iter().filter(|evaluation| ways[&evaluation.eval_id] == Way::Read).collect();
    let on_malformed = if arguments.strict { OnMalformed::Stop } else { OnMalformed::Continue };
    let batches = batches(plan, &wanted);
    let to_read: BTreeSet<usize> = wanted.iter().flat_map(|evaluation| evaluation.files.iter().copied()).collect();
    let mut progress = ui.progress("evaluating", to_read.iter().map(|at| plan.files[*at].size_bytes).sum());
    let watched = Arc::clone(monitor);
    progress.watch(move || watched.done_bytes.load(Ordering::Relaxed));
    let mut rows = BTreeMap::new();
    // One batch is written while the next is read; a third waits for both.
    let (sender, receiver) = sync_channel::<(Vec<EvalRow>, Vec<Collected>)>(0);
    let builder = std::thread::scope(|scope| -> Result<Builder, CommandError> {
        let writer = scope.spawn(|| {
            let written = write(&plan.db, old, limits, &reused, receiver);
            // Without a database there is nothing to read for.
            monitor.cancel.fetch_or(written.is_err(), Ordering::Relaxed);
            written
        });
        let mut stopped_by = None;
        for batch in &batches {
            let collection = match collect_batch(plan, batch, on_malformed, monitor) {
                Ok(collection) => collection,
                Err(error) => {
                    stopped_by = Some(error);
                    break;
                }
            };
            problems.take(&collection);
            let evals: Vec<EvalRow> =
                batch.iter().zip(&collection.evaluations).map(|(eval, found)| eval_row(plan, eval, found)).collect();
            for ((evaluation, row), found) in batch.iter().zip(&evals).zip(&collection.evaluations) {
                warn_of_unknown_tasks(plan, evaluation, found, ui);
                let sum = |of: fn(&rs_core::statistics::Counters) -> u64| {
                    found.points.iter().map(|point| of(&point.counters)).sum::<u64>()
                };
                let n_points = found.points.len() as u64;
                let summary = SummaryRow::new(row, n_points, sum(|c| c.answered + c.truncated), sum(|c| c.truncated));
                rows.insert(&evaluation.eval_id, summary);
            }
            // A writer that has failed says so below.
            if sender.send((evals, collection.evaluations)).is_err() {
                break;
            }
        }
        drop(sender);
        let builder = match writer.join() {
            Ok(written) => written?,
            Err(_) => return Err(CommandError::new(Kind::Bug, "the database writer panicked")),
        };
        match stopped_by {
            Some(error) => Err(error),
            None if monitor.cancel.load(Ordering::Relaxed) => Err(stopped()),
            None => Ok(builder),
        }
    })?;
    builder.finish(&meta(plan)).map_err(db_error)?;
    drop(progress);
    Ok(rows)
}

/// Makes the new database with the rows to take over and those that arrive; completing it is left to the caller.
fn write(
    target: &Path,
    old: Old,
    limits: Limits,
    reused: &[EvalId],
    batches: Receiver<(Vec<EvalRow>, Vec<Collected>)>,
) -> Result<Builder, CommandError> {
    let mut builder = Builder::create(target, old, limits).map_err(db_error)?;
    builder.reuse(reused).map_err(unusable)?;
    for (rows, collected) in batches {
        let points = collected.iter().map(|collected| collected.points.as_slice());
        builder.append(rows.iter().zip(points)).map_err(db_error)?;
    }
    Ok(builder)
}

fn ids(ways: &BTreeMap<&EvalId, Way>, wanted: Way) -> Vec<EvalId> {
    ways.iter().filter(|(_, way)| **way == wanted).map(|(id, _)| (*id).clone()).collect()
}

/// Evaluations that share files are collected together, so that a file is read once; small ones share a batch.
fn batches<'a>(plan: &Plan, wanted: &[&'a PlannedEval]) -> Vec<Vec<&'a PlannedEval>> {
    let cost = |files: &BTreeSet<usize>| {
        let cost = |file: &rs_core::cohort::RawFile| match file.codec {
            Codec::Plain => file.size_bytes,
            Codec::Zstd | Codec::Gzip => file.size_bytes * TYPICAL_RATIO,
        };
        files.iter().map(|at| cost(&plan.files[*at])).sum::<u64>()
    };
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
            Some((sum, batch)) if *sum + bytes <= BATCH_BYTES => {
                *sum += bytes;
                batch.extend(evaluations);
            }
            _ => batches.push((bytes, evaluations)),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

fn collect_batch(
    plan: &Plan,
    batch: &[&PlannedEval],
    on_malformed: OnMalformed,
    monitor: &Monitor,
) -> Result<Collection, CommandError> {
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
    let inputs: Vec<Input> = evaluations_of
        .into_iter()
        .map(|(at, evaluations)| {
            let file = &plan.files[at];
            Input {
                path: file.path.clone(),
                codec: file.codec,
                size_bytes: file.size_bytes,
                origin: file.origin.clone(),
                evaluations,
            }
        })
        .collect();
    let span = tracing::info_span!("collect", files = inputs.len()).entered();
    let result = collect::collect(&wanted, &inputs, Keep::Points, on_malformed, monitor);
    drop(span);
    result.map_err(|error| match error {
        CollectError::Cancelled => stopped(),
        CollectError::Malformed(_) => {
            CommandError::new(Kind::Negative, error).hint("without --strict the line is counted and the rest goes on")
        }
    })
}

fn eval_row(plan: &Plan, evaluation: &PlannedEval, found: &Collected) -> EvalRow {
    let entry = &evaluation.entry;
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
        fingerprint: evaluation.fingerprint.clone(),
    }
}

fn config_name(plan: &Plan) -> String {
    plan.config.as_ref().map(|(_, config)| config.name.clone()).unwrap_or_default()
}

fn meta(plan: &Plan) -> Vec<(&'static str, String)> {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let created_at = timestamp::to_rfc3339(i64::try_from(now).unwrap_or(0) * 1_000_000);
    vec![
        ("schema_version", SCHEMA_VERSION.to_string()),
        ("tool_version", format!("evaluate {}", env!("CARGO_PKG_VERSION"))),
        ("dataset", plan.dataset.clone()),
        ("config", config_name(plan)),
        ("compressor", "none".to_owned()),
        ("tokenizers", "none".to_owned()),
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

fn stopped() -> CommandError {
    CommandError::environment("stopped before the end; the database is as it was")
}

fn stop_on_signal(monitor: &Arc<Monitor>) -> Result<(), CommandError> {
    let monitor = Arc::clone(monitor);
    rs_cli::on_interrupt(move || monitor.cancel.store(true, Ordering::Relaxed))
}

pub(crate) fn db_error(error: PointsDbError) -> CommandError {
    match error {
        PointsDbError::NoFolder { ref path } => {
            let hint = (!path.exists()).then(|| format!("mkdir -p {}", path.display()));
            CommandError::input(error).maybe_hint(hint)
        }
        PointsDbError::NotAPointsDb { .. } => {
            CommandError::input(error).hint("it is left as it is; move it away, or write elsewhere with `--db FILE`")
        }
        PointsDbError::Locked { .. } => {
            CommandError::environment(error).hint("wait until it is done, or write elsewhere with `--db FILE`")
        }
        // Below its own words DuckDB has only a number.
        PointsDbError::DuckDb { .. } => CommandError::environment(error.to_string()),
        other => CommandError::environment(other),
    }
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
