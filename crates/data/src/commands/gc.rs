//! `data gc`: frees what the manifest does not need, and extracted raw data that is safe elsewhere.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::digest::BlobId;
use rs_core::lock::Lock;
use rs_core::manifest::RunBlob;
use rs_core::monitor::Monitor;
use rs_core::pack::{self, Pack};
use rs_core::paths;
use rs_core::store::hash_file;
use serde::Serialize;

use crate::contents::Contents;
use crate::leftovers::{self, beside_run, bytes_in, has_other_files, remove_run};
use crate::library::{Library, NamedRemote, short};
use crate::remote::Options;
use crate::seen::{Look, Seen};
use crate::transfer::{self, TransferError, Wanted};
use crate::work;

/// Free blobs that no entry of the manifest needs, and what broken-off work has left.
///
/// With `--drop-extracted` also run folders whose content is in a remote as the manifest says: they can be pulled again,
/// and `evaluate` reads them out of their blobs.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The folder of the manifest.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// Tell what would be freed, and free nothing.
    #[arg(long)]
    dry_run: bool,
    /// Free run folders too that are whole in a remote.
    #[arg(long)]
    drop_extracted: bool,
    /// The remote to ask [default: origin, or the only one].
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `data.gc/1`.
#[derive(Debug, Serialize)]
struct GcReport {
    schema: &'static str,
    dry_run: bool,
    /// Sum over `freed`.
    total_bytes: u64,
    freed: Vec<Row>,
}

/// What can be freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// A blob that no entry of the manifest needs.
    Blob,
    /// What broken-off work has left.
    Leftover,
    /// A run folder that is whole in a remote.
    Run,
}

impl Kind {
    fn shown(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Leftover => "leftover",
            Self::Run => "run",
        }
    }
}

#[derive(Debug, Serialize)]
struct Row {
    kind: Kind,
    what: String,
    /// Of a blob that is here, whole or in part.
    blob: Option<BlobId>,
    bytes: u64,
    #[serde(skip)]
    path: PathBuf,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    args.output.check()?;
    let monitor = rs_cli::stoppable()?;
    let mut library = Library::open_named(&args.data)?;
    // Whatever is wrong with what was typed is found before any work.
    let open = || library.remote(args.remote.as_deref(), &Options::default());
    let remote = (args.drop_extracted || args.remote.is_some()).then(open).transpose()?;
    let remote = remote.filter(|_| args.drop_extracted);
    // Without it nothing tells what is needed: it may have been left out of a check-out.
    if !library.file.is_file() && !library.store.blobs()?.is_empty() {
        let (store, file) = (paths::show(library.store.folder()), paths::show(&library.file));
        return Err(CommandError::input(format!(
            "{store} holds blobs, but there is no {file} that tells which are needed"
        ))
        .hint(format!("get {file} back, or remove {store} yourself")));
    }
    let lock: Option<Lock> = if args.dry_run { None } else { Some(library.lock_unswept()?) };
    let mut report = GcReport { schema: "data.gc/1", dry_run: args.dry_run, total_bytes: 0, freed: Vec::new() };
    let wanted = library.wanted_blobs();
    for (blob, bytes) in library.store.blobs()? {
        if !wanted.contains_key(&blob) {
            let path = library.store.path_of(&blob);
            report.freed.push(Row { kind: Kind::Blob, what: held_by(&path), blob: Some(blob), bytes, path });
        }
    }
    add_leftovers(&library, &mut report.freed, ui)?;
    if let Some(remote) = &remote {
        let mut seen = Seen::read(&library);
        add_extracted(&library, remote, &mut seen, &mut report.freed, &monitor, ui)?;
        if lock.is_some() {
            seen.save(&library, lock.as_ref());
        }
    }
    if !args.dry_run {
        for row in &report.freed {
            if monitor.is_cancelled() {
                return Err(work::stopped());
            }
            free(row)?;
        }
    }
    report.total_bytes = report.freed.iter().map(|row| row.bytes).sum();
    args.output.print(ui, &report)?;
    let verb = if args.dry_run { "would be freed" } else { "freed" };
    ui.note(&format!("{} {verb}", Cell::Bytes(report.total_bytes).for_people()));
    Ok(Exit::Done)
}

/// What a blob holds, for people: the manifest no longer tells whose it was.
fn held_by(path: &Path) -> String {
    let Ok(pack) = Pack::open(path) else { return "damaged, or no blob".to_owned() };
    let bytes = Cell::Bytes(pack.raw_bytes()).for_people();
    match (pack.kind(), pack.members()) {
        (pack::Kind::File, _) => format!("a database of {bytes}"),
        (pack::Kind::Run, []) => "a run without files".to_owned(),
        (pack::Kind::Run, [only]) => format!("a run of {bytes}, {}", only.name),
        (pack::Kind::Run, [first, .., last]) => {
            format!("a run of {bytes}, {} files, {} to {}", pack.members().len(), first.name, last.name)
        }
    }
}

fn free(row: &Row) -> Result<(), CommandError> {
    if row.kind == Kind::Run {
        remove_run(&row.path)?;
    } else if row.path.is_dir() {
        leftovers::remove_if_there(&row.path)?;
    } else {
        fs_err::remove_file(&row.path)?;
    }
    Ok(())
}

/// What broken-off work has left: parts of blobs in the store, and folders beside run folders.
fn add_leftovers(library: &Library, freed: &mut Vec<Row>, ui: &mut Ui) -> Result<(), CommandError> {
    for (path, bytes) in library.store.partials()? {
        // Whoever is at work on a file holds a lock on it.
        if is_in_use(&path) {
            ui.note(&format!("{} is being written, and stays", paths::show(&path)));
            continue;
        }
        let blob: Option<BlobId> = path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok());
        let what = match blob {
            Some(_) => "part of a blob that was being fetched".to_owned(),
            None => paths::show(&path),
        };
        freed.push(Row { kind: Kind::Leftover, what, blob, bytes, path });
    }
    for path in library.unfinished_files()? {
        let bytes = fs_err::metadata(&path)?.len();
        freed.push(Row { kind: Kind::Leftover, what: paths::show(&path), blob: None, bytes, path });
    }
    let evals = library.manifest.evals.values();
    let runs: BTreeSet<PathBuf> =
        evals.flat_map(|eval| eval.runs.iter().map(|run| library.run_folder(&eval.cohort, &run.path))).collect();
    for path in runs.iter().flat_map(|run| beside_run(run)) {
        freed.push(Row { kind: Kind::Leftover, what: paths::show(&path), blob: None, bytes: bytes_in(&path)?, path });
    }
    Ok(())
}

fn is_in_use(path: &Path) -> bool {
    fs_err::File::open(path).is_ok_and(|file| matches!(file.file().try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Run folders that are here as the manifest says and whole in the remote. What would be the last good copy is never freed:
/// the blob in the store, or else the remote's, is read to its last byte.
fn add_extracted(
    library: &Library,
    remote: &NamedRemote,
    seen: &mut Seen,
    freed: &mut Vec<Row>,
    monitor: &Arc<Monitor>,
    ui: &mut Ui,
) -> Result<(), CommandError> {
    let mut distinct = BTreeSet::new();
    let runs: Vec<(&str, &RunBlob)> = library
        .manifest
        .evals
        .values()
        .flat_map(|eval| eval.runs.iter().map(|run| (eval.cohort.as_str(), run)))
        .filter(|(cohort, run)| distinct.insert((*cohort, run.path.as_str())))
        .collect();
    let mut candidates: Vec<(Row, Wanted)> = Vec::new();
    for (cohort, run) in runs {
        let folder = library.run_folder(cohort, &run.path);
        if !folder.is_dir() {
            continue;
        }
        let what = paths::show(&folder);
        if folder.is_symlink() {
            ui.note(&format!("{what} is a link, and stays"));
            continue;
        }
        let look = Look::at_run(&folder).map_err(work::pack_error)?;
        let seen_as = format!("{cohort}/{}", run.path);
        if !Contents::from(run).is_here(&seen_as, &look, seen, monitor).map_err(work::pack_error)? {
            ui.note(&format!("{what} has changed since it was pushed, and stays"));
            continue;
        }
        if has_other_files(&folder, look.files.len())? {
            ui.note(&format!("{what} has files that are in no blob (hidden, temporary, or links), and stays"));
            continue;
        }
        let found =
            remote.ask(monitor, |remote| remote.size_of(&run.blob)).map_err(|error| work::remote_error(&error))?;
        if found != Some(run.size) {
            ui.note(&format!("{what} is not in {}, and stays", remote.shown()));
            continue;
        }
        let wanted = Wanted { key: run.blob, size_bytes: run.size, what: what.clone() };
        candidates.push((Row { kind: Kind::Run, what, blob: None, bytes: look.raw_bytes(), path: folder }, wanted));
    }
    let _progress = ui.watch("verifying", candidates.iter().map(|(_, wanted)| wanted.size_bytes).sum(), monitor);
    let mut unknown = Vec::new();
    for (row, wanted) in candidates {
        let is_good_here = library.store.has(&wanted.key) == Some(wanted.size_bytes)
            && hash_file(&library.store.path_of(&wanted.key), monitor).is_ok_and(|found| found == wanted.key);
        if is_good_here { freed.push(row) } else { unknown.push((row, wanted)) }
    }
    let asked: Vec<Wanted> = unknown.iter().map(|(_, wanted)| wanted.clone()).collect();
    let results = transfer::check_all(remote.remote.as_ref(), &asked, &Options::default(), monitor);
    for ((row, _), result) in unknown.into_iter().zip(results) {
        match result {
            Ok(_) => freed.push(row),
            Err(TransferError::Cancelled) => return Err(work::stopped()),
            Err(error) => ui.warn(&format!("{} stays: it is not whole in {}: {error}", row.what, remote.shown())),
        }
    }
    freed.sort_by(|a, b| (a.kind == Kind::Run, &a.path).cmp(&(b.kind == Kind::Run, &b.path)));
    Ok(())
}

impl Report for GcReport {
    fn tables(&self) -> Vec<Table> {
        let name = if self.dry_run { "would be freed" } else { "freed" };
        let mut table =
            Table::new(vec![Column::fixed("kind").left(), Column::elastic(name, 30), Column::fixed("bytes")]);
        let has_blobs = self.freed.iter().any(|row| row.blob.is_some());
        if has_blobs {
            table.columns.push(Column::fixed("blob").left());
        }
        for row in &self.freed {
            let blob = row.blob.map_or_else(|| "-".to_owned(), |blob| short(&blob.to_string()));
            let cells = [Cell::Text(row.kind.shown().into()), Cell::Text(row.what.clone()), Cell::Bytes(row.bytes)];
            table.rows.push(cells.into_iter().chain(has_blobs.then_some(Cell::Text(blob))).collect());
        }
        if table.rows.is_empty() { Vec::new() } else { vec![table] }
    }
}
