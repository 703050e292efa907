//! `cohort info`: the evaluations of a cohort and their run folders.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::Cohort;
use rs_core::collect::{Collection, Tally};
use rs_core::{paths, timestamp};
use serde::Serialize;

use crate::scan;

/// Tell what is in a cohort: its evaluations, the run folders of each with records and dates, and what belongs to none.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The cohort's folder or its evals.json.
    cohort: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `cohort.info/1`.
#[derive(Debug, Serialize)]
struct InfoReport {
    schema: &'static str,
    path: String,
    evaluations: Vec<EvaluationRow>,
    /// Run folders that no evaluation's glob matches.
    unmatched_runs: Vec<String>,
    /// Raw files in other run folders that no evaluation's glob matches.
    unmatched_files: Vec<String>,
    /// Labels of evaluations whose files hold no record of theirs.
    empty_evaluations: Vec<String>,
    /// Records whose identity no evaluation of the cohort has.
    unclaimed: Vec<UnclaimedRow>,
    /// Lines that are no record.
    malformed: u64,
}

#[derive(Debug, Serialize)]
struct EvaluationRow {
    eval_id: String,
    label: String,
    model: String,
    template: String,
    sampler: String,
    context: Option<u32>,
    groups: Vec<String>,
    tags: Vec<String>,
    hf_id: Option<String>,
    glob: String,
    /// Files that the glob matches.
    files: u64,
    /// Records of this evaluation, duplicates and errors included.
    records: u64,
    runs: Vec<RunRow>,
}

#[derive(Debug, Serialize)]
struct RunRow {
    run: String,
    files: u64,
    /// Stored bytes.
    bytes: u64,
    records: u64,
    /// RFC 3339.
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
}

#[derive(Debug, Serialize)]
struct UnclaimedRow {
    model: String,
    template: String,
    sampler: String,
    records: u64,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    args.output.check()?;
    let cohort = scan::open(&args.cohort, ui)?;
    let found = scan::count(&cohort, ui)?;
    let report = report(&cohort, &found);
    args.output.print(ui, &report)?;
    if report.malformed == 0 {
        return Ok(Exit::Done);
    }
    let lines = if report.malformed == 1 {
        "1 malformed line".to_owned()
    } else {
        format!("{} malformed lines", report.malformed)
    };
    ui.warn(&format!("{lines}; `cohort validate {}` shows what is wrong", report.path));
    scan::tell_of_damaged_blobs(&found, ui);
    Ok(Exit::Negative)
}

fn report(cohort: &Cohort, found: &Collection) -> InfoReport {
    let evaluations: Vec<EvaluationRow> = cohort
        .evaluations
        .iter()
        .map(|evaluation| {
            let entry = &evaluation.entry;
            let runs = runs(cohort, found, &evaluation.files, entry);
            EvaluationRow {
                eval_id: entry.eval_id().to_string(),
                label: entry.label.clone(),
                model: entry.filters.model.clone(),
                template: entry.filters.template.clone(),
                sampler: entry.filters.sampler.clone(),
                context: entry.context,
                groups: entry.groups.clone(),
                tags: entry.tags.clone(),
                hf_id: entry.hf_id.clone(),
                glob: entry.evaluate.glob.clone(),
                files: evaluation.files.len() as u64,
                records: runs.iter().map(|run| run.records).sum(),
                runs,
            }
        })
        .collect();
    let mut unclaimed: BTreeMap<_, u64> = BTreeMap::new();
    for (identity, tally) in found.files.iter().flat_map(|file| &file.identities) {
        if !cohort.evaluations.iter().any(|evaluation| evaluation.entry.filters == *identity) {
            *unclaimed.entry(identity).or_default() += tally.n_records;
        }
    }
    let is_empty = |row: &&EvaluationRow| row.records == 0;
    InfoReport {
        schema: "cohort.info/1",
        path: paths::show(&cohort.folder),
        unmatched_runs: cohort.unmatched_runs().into_iter().map(scan::run_name).collect(),
        unmatched_files: scan::unmatched_files(cohort),
        empty_evaluations: evaluations.iter().filter(is_empty).map(|row| row.label.clone()).collect(),
        evaluations,
        unclaimed: unclaimed
            .into_iter()
            .map(|(identity, records)| UnclaimedRow {
                model: identity.model.clone(),
                template: identity.template.clone(),
                sampler: identity.sampler.clone(),
                records,
            })
            .collect(),
        malformed: found.files.iter().map(|file| file.n_malformed).sum(),
    }
}

fn runs(cohort: &Cohort, found: &Collection, files: &[usize], entry: &rs_core::cohort::Entry) -> Vec<RunRow> {
    let mut runs: BTreeMap<&str, (u64, u64, Tally)> = BTreeMap::new();
    for &at in files {
        let file = &cohort.files[at];
        let (n_files, bytes, tally) = runs.entry(&file.run).or_default();
        *n_files += 1;
        *bytes += file.size_bytes;
        if let Some(records) = found.files[at].identities.get(&entry.filters) {
            tally.merge(*records);
        }
    }
    runs.into_iter()
        .map(|(run, (files, bytes, tally))| RunRow {
            run: scan::run_name(run),
            files,
            bytes,
            records: tally.n_records,
            first_timestamp: tally.first_timestamp.map(timestamp::to_rfc3339),
            last_timestamp: tally.last_timestamp.map(timestamp::to_rfc3339),
        })
        .collect()
}

/// `2026-01-14`, of an RFC 3339 time.
fn date(timestamp: &Option<String>) -> Cell {
    Cell::option(timestamp.as_deref(), |text| Cell::Text(text.split('T').next().unwrap_or_default().to_owned()))
}

impl Report for InfoReport {
    fn tables(&self) -> Vec<Table> {
        let mut evaluations = Table::new(vec![
            Column::fixed("eval_id"),
            Column::elastic("label", 24),
            Column::elastic("model", 12).rank(2),
            Column::elastic("template", 10).rank(3),
            Column::elastic("sampler", 10).rank(4),
            Column::elastic("groups", 16).rank(5),
            Column::elastic("tags", 8).rank(6),
            Column::elastic("hf_id", 12).rank(7),
            Column::fixed("runs"),
            Column::fixed("files"),
            Column::fixed("records"),
        ]);
        let mut runs = Table::new(vec![
            Column::fixed("eval_id"),
            Column::elastic("run", 24),
            Column::fixed("files"),
            Column::fixed("bytes"),
            Column::fixed("records"),
            Column::fixed("first"),
            Column::fixed("last").rank(1),
        ])
        .titled("Run folders");
        for row in &self.evaluations {
            evaluations.rows.push(vec![
                Cell::Text(row.eval_id.clone()),
                Cell::Text(row.label.clone()),
                Cell::Text(row.model.clone()),
                Cell::Text(row.template.clone()),
                Cell::Text(row.sampler.clone()),
                Cell::List(row.groups.clone()),
                Cell::List(row.tags.clone()),
                Cell::option(row.hf_id.clone(), Cell::Text),
                Cell::Count(row.runs.len() as u64),
                Cell::Count(row.files),
                Cell::Count(row.records),
            ]);
            for run in &row.runs {
                runs.rows.push(vec![
                    Cell::Text(row.eval_id.clone()),
                    Cell::Text(run.run.clone()),
                    Cell::Count(run.files),
                    Cell::Bytes(run.bytes),
                    Cell::Count(run.records),
                    date(&run.first_timestamp),
                    date(&run.last_timestamp),
                ]);
            }
        }
        let mut odd = Table::new(vec![Column::fixed("what"), Column::elastic("which", 30)]).titled("Belongs to none");
        let mut add = |what: &str, which: String| odd.rows.push(vec![Cell::Text(what.to_owned()), Cell::Text(which)]);
        for run in &self.unmatched_runs {
            add("run folder without evaluation", run.clone());
        }
        for file in &self.unmatched_files {
            add("file without evaluation", file.clone());
        }
        for label in &self.empty_evaluations {
            add("evaluation without records", label.clone());
        }
        for row in &self.unclaimed {
            add(
                "records without evaluation",
                format!("{} of {}+{}+{}", row.records, row.model, row.template, row.sampler),
            );
        }
        let mut tables = vec![evaluations];
        tables.extend([runs, odd].into_iter().filter(|table| !table.rows.is_empty()));
        tables
    }
}
