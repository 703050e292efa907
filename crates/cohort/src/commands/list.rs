//! `cohort list`: which cohorts there are, and whether their raw data is here.

use std::path::{Path, PathBuf};

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::cohort::{Cohort, CohortError, find_cohorts};
use rs_core::library::Libraries;
use rs_core::paths;
use rs_core::presence::{Presence, presence};
use serde::Serialize;

/// List the cohorts below a folder: evaluations, run folders, files, bytes, and where the raw data is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// Where to look.
    #[arg(default_value = "data")]
    dir: PathBuf,
    /// Only cohorts that hold all of these words (in any case) in path, labels, models, groups, tags or hf_id.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `cohort.list/1`.
#[derive(Debug, Serialize)]
struct ListReport {
    schema: &'static str,
    cohorts: Vec<CohortRow>,
}

#[derive(Debug, Serialize)]
struct CohortRow {
    path: String,
    evaluations: u64,
    runs: u64,
    files: u64,
    /// Bytes of the files, as files.
    bytes: u64,
    /// Where the raw data is: `here`, `partly`, `blobs` or `absent`.
    raw: Presence,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    if !args.dir.is_dir() {
        return Err(CommandError::input(format!("no folder `{}`", args.dir.display())).hint("cohort list DIR"));
    }
    let mut libraries = Libraries::default();
    let words: Vec<String> =
        args.search.iter().flat_map(|text| text.split_whitespace()).map(str::to_lowercase).collect();
    let mut cohorts = Vec::new();
    let mut has_wrong = false;
    for folder in find_cohorts(&args.dir)? {
        let folder = folder.strip_prefix(Path::new(".")).unwrap_or(&folder);
        let cohort = match Cohort::open_among(folder, &mut libraries) {
            Ok(cohort) => cohort,
            // It is wrong for all of them.
            Err(error @ CohortError::Library(_)) => return Err(error.into()),
            // One wrong cohort does not hide the others.
            Err(error) => {
                ui.warn(&error.to_string());
                has_wrong = true;
                continue;
            }
        };
        if is_found(&cohort, &words) {
            cohorts.push(CohortRow {
                path: paths::show(&cohort.folder),
                evaluations: cohort.evaluations.len() as u64,
                runs: cohort.runs().len() as u64,
                files: cohort.files.len() as u64,
                bytes: cohort.size_bytes(),
                raw: presence(&cohort),
            });
        }
    }
    if cohorts.is_empty() {
        ui.note(&format!("no cohort below `{}`{}", args.dir.display(), if words.is_empty() { "" } else { " matches" }));
    }
    args.output.print(ui, &ListReport { schema: "cohort.list/1", cohorts })?;
    Ok(if has_wrong { Exit::Negative } else { Exit::Done })
}

fn is_found(cohort: &Cohort, words: &[String]) -> bool {
    let mut text = paths::show(&cohort.folder);
    for evaluation in &cohort.evaluations {
        let entry = &evaluation.entry;
        let names = [&entry.label, &entry.filters.model, &entry.filters.template, &entry.filters.sampler];
        for part in names.into_iter().chain(&entry.groups).chain(&entry.tags).chain(&entry.hf_id) {
            text.push('\n');
            text.push_str(part);
        }
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

impl Report for ListReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::elastic("cohort", 20),
            Column::fixed("evals"),
            Column::fixed("runs"),
            Column::fixed("files"),
            Column::fixed("bytes"),
            Column::fixed("raw data"),
        ]);
        for cohort in &self.cohorts {
            table.rows.push(vec![
                Cell::Text(cohort.path.clone()),
                Cell::Count(cohort.evaluations),
                Cell::Count(cohort.runs),
                Cell::Count(cohort.files),
                Cell::Bytes(cohort.bytes),
                Cell::Text(cohort.raw.to_string()),
            ]);
        }
        vec![table]
    }
}
