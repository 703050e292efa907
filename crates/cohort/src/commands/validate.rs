//! `cohort validate`: every problem of a cohort's raw data.

use std::path::PathBuf;

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::diagnostic::Diagnostic;
use rs_core::eval_id::Identity;
use rs_core::paths;
use serde::Serialize;

use crate::scan;

/// Read every record and tell every problem, as path:line: what.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Cohort folders or their evals.json.
    #[arg(required = true)]
    cohorts: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `cohort.validate/1`.
#[derive(Debug, Serialize)]
struct ValidateReport {
    schema: &'static str,
    cohorts: Vec<CohortRow>,
    problems: Vec<Diagnostic>,
    /// Problems beyond those listed.
    more_problems: u64,
}

#[derive(Debug, Serialize)]
struct CohortRow {
    path: String,
    files: u64,
    /// Well-formed records.
    records: u64,
    /// Malformed lines, torn ones and unreadable files included.
    malformed: u64,
    /// Records whose identity no evaluation of the cohort has.
    unclaimed: u64,
    /// Things that are odd but lose nothing.
    warnings: Vec<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    let mut report =
        ValidateReport { schema: "cohort.validate/1", cohorts: Vec::new(), problems: Vec::new(), more_problems: 0 };
    args.output.check()?;
    // A name that is wrong is told before the work on the others.
    let cohorts = args.cohorts.iter().map(|path| scan::open(path, ui)).collect::<Result<Vec<_>, _>>()?;
    for cohort in cohorts {
        let found = scan::count(&cohort, ui)?;
        let mut warnings = cohort.warnings.clone();
        let runs = cohort.unmatched_runs().into_iter().map(|run| format!("run folder `{}`", scan::run_name(run)));
        let files = scan::unmatched_files(&cohort).into_iter().map(|file| format!("file `{file}`"));
        for what in runs.chain(files) {
            let warning = format!("{}: {what} belongs to no evaluation", paths::show(&cohort.folder));
            ui.warn(&warning);
            warnings.push(warning);
        }
        let known =
            |identity: &Identity| cohort.evaluations.iter().any(|evaluation| evaluation.entry.filters == *identity);
        let tallies = || found.files.iter().flat_map(|file| &file.identities);
        report.cohorts.push(CohortRow {
            path: paths::show(&cohort.folder),
            files: cohort.files.len() as u64,
            records: tallies().map(|(_, tally)| tally.n_records).sum(),
            malformed: found.files.iter().map(|file| file.n_malformed).sum(),
            unclaimed: tallies().filter(|(identity, _)| !known(identity)).map(|(_, tally)| tally.n_records).sum(),
            warnings,
        });
        found.diagnostics.iter().for_each(|problem| ui.problem(&problem.to_string()));
        if found.n_more_diagnostics > 0 {
            ui.problem(&format!("... and {} more", found.n_more_diagnostics));
        }
        scan::tell_of_damaged_blobs(&found, ui);
        report.problems.extend(found.diagnostics);
        report.more_problems += found.n_more_diagnostics;
    }
    args.output.print(ui, &report)?;
    Ok(if report.problems.is_empty() { Exit::Done } else { Exit::Negative })
}

impl Report for ValidateReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::elastic("cohort", 20),
            Column::fixed("files"),
            Column::fixed("records"),
            Column::fixed("malformed"),
            Column::fixed("unclaimed"),
            Column::fixed("warnings"),
        ]);
        for row in &self.cohorts {
            table.rows.push(vec![
                Cell::Text(row.path.clone()),
                Cell::Count(row.files),
                Cell::Count(row.records),
                Cell::Count(row.malformed),
                Cell::Count(row.unclaimed),
                Cell::Count(row.warnings.len() as u64),
            ]);
        }
        vec![table]
    }
}
