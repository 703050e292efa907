//! `data diff`: a manifest against a remote, or two manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::digest::BlobId;
use rs_core::manifest::Manifest;
use rs_core::paths;
use serde::Serialize;

use crate::library::{Library, short, shown_database, shown_run};
use crate::remote::Options;
use crate::{transfer, work};

/// Compare the manifest with a remote, or two manifests.
///
/// Exit code 1 if they differ.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A remote to compare the manifest with [default: origin, or the only one], or a manifest's file.
    first: Option<String>,
    /// With two manifests: the other one.
    second: Option<PathBuf>,
    /// The folder of the manifest.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `data.diff/1`.
#[derive(Debug, Serialize)]
struct DiffReport {
    schema: &'static str,
    left: String,
    right: String,
    differences: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    what: String,
    difference: Difference,
    left_bytes: Option<u64>,
    right_bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Difference {
    /// Only in the left one.
    OnlyLeft,
    /// Only in the right one.
    OnlyRight,
    /// In both, with other contents.
    Content,
    /// In both, packed in another way.
    Packing,
    /// In both, with another size: the remote's blob is not whole.
    Size,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    args.output.check()?;
    let is_file = |text: &str| Path::new(text).is_file();
    let report = match (&args.first, &args.second) {
        (Some(left), Some(right)) => manifests(Path::new(left), right)?,
        (Some(file), None) if is_file(file) => {
            let library = Library::open_named(&args.data)?;
            manifests(&library.file, Path::new(file))?
        }
        (remote, _) => with_remote(&Library::open_named(&args.data)?, remote.as_deref())?,
    };
    args.output.print(ui, &report)?;
    if report.differences.is_empty() {
        ui.note(&format!("{} and {} do not differ", report.left, report.right));
        return Ok(Exit::Done);
    }
    Ok(Exit::Negative)
}

fn with_remote(library: &Library, name: Option<&str>) -> Result<DiffReport, CommandError> {
    let remote = library.remote(name, &Options::default())?;
    let wanted = library.wanted_blobs();
    let mut differences = Vec::new();
    let monitor = rs_cli::stoppable()?;
    let listed: Option<BTreeMap<_, _>> = match remote.ask(&monitor, |remote| remote.list()) {
        Ok(listed) => Some(listed.into_iter().collect()),
        // What cannot be listed can be asked for each blob.
        Err(crate::remote::RemoteError::Unsupported { .. }) => None,
        Err(error) => return Err(work::remote_error(&error)),
    };
    let found: Vec<Result<Option<u64>, _>> = match &listed {
        Some(listed) => wanted.keys().map(|blob| Ok(listed.get(blob).copied())).collect(),
        None => {
            let keys: Vec<BlobId> = wanted.keys().copied().collect();
            transfer::sizes_of(remote.remote.as_ref(), &keys, &Options::default(), &monitor)
        }
    };
    for ((_, (what, bytes)), found) in wanted.iter().zip(found) {
        let found = found.map_err(|error| work::remote_error(&error))?;
        let difference = match found {
            None => Difference::OnlyLeft,
            Some(found) if found != *bytes => Difference::Size,
            Some(_) => continue,
        };
        differences.push(Row { what: what.clone(), difference, left_bytes: Some(*bytes), right_bytes: found });
    }
    for (blob, bytes) in listed.into_iter().flatten().filter(|(blob, _)| !wanted.contains_key(blob)) {
        let what = format!("blob {blob}");
        differences.push(Row { what, difference: Difference::OnlyRight, left_bytes: None, right_bytes: Some(bytes) });
    }
    Ok(DiffReport { schema: "data.diff/1", left: paths::show(&library.file), right: remote.shown(), differences })
}

/// What an entry of a manifest holds: contents, blob, and stored bytes if it has any.
type Entry = (String, String, Option<u64>);

fn entries(file: &Path) -> Result<BTreeMap<String, Entry>, CommandError> {
    if !file.is_file() {
        return Err(CommandError::input(format!("no manifest `{}`", paths::show(file))));
    }
    let manifest = Manifest::read(file)?;
    let mut entries = BTreeMap::new();
    for (id, eval) in &manifest.evals {
        for run in &eval.runs {
            let entry = (run.content.to_string(), run.blob.to_string(), Some(run.size));
            entries.insert(format!("{id}: {}", shown_run(&eval.cohort, &run.path)), entry);
        }
    }
    for (name, database) in &manifest.databases {
        let content = database.content.map_or_else(|| database.blob.to_string(), |content| content.to_string());
        entries.insert(shown_database(name), (content, database.blob.to_string(), Some(database.size)));
    }
    for (name, remote) in &manifest.remotes {
        entries.insert(format!("remote {name}"), (remote.url.clone(), String::new(), None));
    }
    Ok(entries)
}

fn manifests(left: &Path, right: &Path) -> Result<DiffReport, CommandError> {
    let (left_entries, right_entries) = (entries(left)?, entries(right)?);
    let keys: BTreeSet<&String> = left_entries.keys().chain(right_entries.keys()).collect();
    let mut differences = Vec::new();
    for what in keys {
        let (left, right) = (left_entries.get(what), right_entries.get(what));
        let difference = match (left, right) {
            (Some(_), None) => Difference::OnlyLeft,
            (None, Some(_)) => Difference::OnlyRight,
            (Some(left), Some(right)) if left.0 != right.0 => Difference::Content,
            (Some(left), Some(right)) if left.1 != right.1 => Difference::Packing,
            _ => continue,
        };
        let bytes = |entry: Option<&Entry>| entry.and_then(|entry| entry.2);
        differences.push(Row { what: what.clone(), difference, left_bytes: bytes(left), right_bytes: bytes(right) });
    }
    Ok(DiffReport { schema: "data.diff/1", left: paths::show(left), right: paths::show(right), differences })
}

impl Report for DiffReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::elastic("what", 30),
            Column::elastic("difference", 12),
            Column::fixed("left"),
            Column::fixed("right"),
        ])
        .titled(format!("left {}, right {}", self.left, self.right));
        for row in &self.differences {
            let difference = match row.difference {
                Difference::OnlyLeft => "only left",
                Difference::OnlyRight => "only right",
                Difference::Content => "other content",
                Difference::Packing => "packed otherwise",
                Difference::Size => "other size",
            };
            let what = match row.what.strip_prefix("blob ") {
                Some(blob) => format!("blob {}", short(blob)),
                None => row.what.clone(),
            };
            table.rows.push(vec![
                Cell::Text(what),
                Cell::Text(difference.into()),
                Cell::option(row.left_bytes, Cell::Bytes),
                Cell::option(row.right_bytes, Cell::Bytes),
            ]);
        }
        if table.rows.is_empty() { Vec::new() } else { vec![table] }
    }
}
