//! `cohort postprocess`: maintenance of raw data.

use std::path::PathBuf;

use clap::ArgGroup;
use rs_cli::{CommandError, Exit, OutputArgs, Ui};
use rs_config::Config;
use rs_core::cohort::Cohort;
use rs_core::lock::{Lock, LockError};
use rs_core::paths;

use crate::postprocess::files::Files;
use crate::postprocess::replace::{Mode, Replaced};
use crate::postprocess::report::{PostprocessReport, StepRow};
use crate::postprocess::{compress, dedupe, rescore};
use crate::scan;

/// The lock of a cohort's raw data, in its folder.
const LOCK_FILE: &str = ".postprocess.lock";

/// Maintain raw data: score it again, remove duplicates, compress it.
///
/// Steps are done in the order they stand below, each on what the one before left. A file is replaced only after the new one
/// is whole, on the disk, and reads back as what was meant; whatever happens, it is the old one or the new one. Run folders
/// that are in blobs only are not touched, nor are files that lie outside the cohort's folder or are reached through a link.
#[derive(Debug, Clone, clap::Args)]
#[command(group(ArgGroup::new("steps").required(true).multiple(true).args(["rescore", "dedupe", "compress"])))]
pub(crate) struct Args {
    /// The cohort's folder or its evals.json.
    cohort: PathBuf,
    /// Read answers out of responses again, with the answer_regex of the tasks of this config, and compare them with the
    /// right ones: sets answer, correct, invalid and score; all other bytes stay. Shows examples with --verbose.
    #[arg(long, value_name = "CONFIG")]
    rescore: Option<PathBuf>,
    /// Remove records that lost to another of the same sample in every evaluation that counts them: points stay the same.
    /// Takes 48 bytes of memory for each record.
    #[arg(long)]
    dedupe: bool,
    /// Make every raw file an .ndjson.zst (or .jsonl.zst) of independent frames with checksums; times stay.
    #[arg(long)]
    compress: bool,
    /// Show what would be done, each step by itself, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// A step of the work.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Rescore(&'a Config),
    Dedupe,
    Compress,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    args.output.check()?;
    let config = args.rescore.as_ref().map(|path| open_config(path, ui)).transpose()?;
    let mode = if args.dry_run { Mode::Show } else { Mode::Replace };
    let mut cohort = scan::open(&args.cohort, ui)?;
    let monitor = rs_cli::stoppable()?;
    let _lock = (mode == Mode::Replace).then(|| lock(&cohort)).transpose()?;
    let mut report = PostprocessReport {
        schema: "cohort.postprocess/1",
        path: paths::show(&cohort.folder),
        dry_run: args.dry_run,
        steps: Vec::new(),
        rescored: Vec::new(),
        examples: Vec::new(),
        problems: Vec::new(),
        left: Vec::new(),
        in_blobs: 0,
    };
    let files = Files::of(&cohort)?;
    report.left.clone_from(&files.left);
    report.in_blobs = files.n_in_blobs;
    if mode == Mode::Replace {
        files.sweep()?;
        if args.compress {
            compress::finish(&cohort, files, &monitor)?;
        }
    }
    let mut has_pushed = false;
    for step in steps(args, config.as_ref()) {
        // What came before may have changed names and sizes.
        cohort = Cohort::open(&cohort.file)?;
        let files = Files::of(&cohort)?;
        let (row, replaced): (StepRow, Replaced) = match step {
            Step::Rescore(config) => {
                let (row, replaced, found) = rescore::run(&cohort, config, files, mode, &monitor, ui)?;
                (report.rescored, report.examples) = (found.rows, found.examples);
                (row, replaced)
            }
            Step::Dedupe => dedupe::run(&cohort, files, mode, &monitor, ui)?,
            Step::Compress => compress::run(&cohort, files, mode, &monitor, ui)?,
        };
        has_pushed |= is_pushed(&cohort, &replaced.files);
        report.steps.push(row);
        report.problems.extend(replaced.problems);
    }
    report.problems.sort();
    report.problems.dedup();
    tell(&report, has_pushed, ui);
    args.output.print(ui, &report)?;
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::Negative })
}

fn steps<'a>(args: &Args, config: Option<&'a Config>) -> Vec<Step<'a>> {
    let dedupe = args.dedupe.then_some(Step::Dedupe);
    let compress = args.compress.then_some(Step::Compress);
    [config.map(Step::Rescore), dedupe, compress].into_iter().flatten().collect()
}

fn open_config(path: &std::path::Path, ui: &mut Ui) -> Result<Config, CommandError> {
    let config = Config::read(path)?;
    config.warnings.iter().for_each(|warning| ui.warn(warning));
    if config.tasks.iter().all(|task| task.answer_regex.is_empty()) {
        let what = format!("{}: no task has an `answer_regex`", path.display());
        return Err(CommandError::input(what).hint(r"answer_regex: ['<answer>(.*?)</answer>'] in a task of the config"));
    }
    Ok(config)
}

fn lock(cohort: &Cohort) -> Result<Lock, CommandError> {
    Lock::take(&cohort.folder.join(LOCK_FILE)).map_err(|error| match error {
        LockError::Locked { holder, .. } => {
            let who = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            CommandError::environment(format!("{who} is at work on `{}`", paths::show(&cohort.folder)))
                .hint("wait until it is done, then run the same again")
        }
        LockError::Io(error) => CommandError::environment(error),
    })
}

/// Whether others may have the old content of some of these files.
fn is_pushed(cohort: &Cohort, files: &[usize]) -> bool {
    let has_changed = |at: &usize| files.binary_search(at).is_ok();
    cohort.evaluations.iter().any(|evaluation| evaluation.is_in_manifest && evaluation.files.iter().any(has_changed))
}

/// Says what the tables do not.
fn tell(report: &PostprocessReport, has_pushed: bool, ui: &mut Ui) {
    let path = &report.path;
    for problem in &report.problems {
        ui.problem(&format!("{}: {}; it stays as it is", problem.path, problem.what));
    }
    for left in &report.left {
        ui.warn(&format!("{} {}; it is left alone", left.path, left.what));
    }
    if report.in_blobs > 0 {
        let n_files = report.in_blobs;
        ui.note(&format!("files in blobs only, left alone: {n_files}; `data pull cohort {path}` extracts them"));
    }
    report.examples.iter().for_each(|example| ui.step(&example.to_string()));
    if report.dry_run {
        ui.note("nothing was written");
    } else if has_pushed {
        ui.note(&format!("the manifest still names the old content; `data push cohort {path}` shares the new"));
    }
}
