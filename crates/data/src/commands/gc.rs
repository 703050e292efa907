//! `data gc`: frees what the manifest does not need, and extracted raw data that is safe elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::lock::Lock;
use rs_core::manifest::RunBlob;
use rs_core::monitor::Monitor;
use rs_core::pack::Pack;
use rs_core::paths;
use rs_core::store::hash_file;
use serde::Serialize;

use crate::leftovers::{self, beside_run, bytes_in, remove_run};
use crate::library::{Library, NamedRemote};
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

#[derive(Debug, Serialize)]
struct Row {
    /// `blob`, `leftover` or `run`.
    kind: &'static str,
    what: String,
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
    let remote = args.drop_extracted.then(open).transpose()?;
    // Without it nothing tells what is needed: it may have been left out of a check-out.
    if !library.file.is_file() && !library.store.blobs()?.is_empty() {
        let (store, file) = (paths::show(library.store.folder()), paths::show(&library.file));
        return Err(CommandError::input(format!(
            "{store} holds blobs, but there is no {file} that tells which are needed"
        ))
        .hint(format!("get {file} back, or remove {store} yourself")));
    }
    let lock: Option<Lock> = if args.dry_run { None } else { Some(library.lock()?) };
    let mut report = GcReport { schema: "data.gc/1", dry_run: args.dry_run, total_bytes: 0, freed: Vec::new() };
    let wanted = library.wanted_blobs();
    for (blob, bytes) in library.store.blobs()? {
        if !wanted.contains_key(&blob) {
            let path = library.store.path_of(&blob);
            let what = format!("{}: blob {blob}", held_by(&path));
            report.freed.push(Row { kind: "blob", what, bytes, path });
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
    match Pack::open(path) {
        Ok(pack) => match pack.members() {
            [] => "a run without files".to_owned(),
            [only] => format!("a run of {}", only.name),
            [first, .., last] => format!("a run of {} files, {} to {}", pack.members().len(), first.name, last.name),
        },
        Err(_) => "a database or a damaged blob".to_owned(),
    }
}

fn free(row: &Row) -> Result<(), CommandError> {
    if row.kind == "run" {
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
        freed.push(Row { kind: "leftover", what: paths::show(&path), bytes, path });
    }
    let evals = library.manifest.evals.values();
    let runs: BTreeSet<PathBuf> =
        evals.flat_map(|eval| eval.runs.iter().map(|run| library.run_folder(&eval.cohort, &run.path))).collect();
    for path in runs.iter().flat_map(|run| beside_run(run)) {
        freed.push(Row { kind: "leftover", what: paths::show(&path), bytes: bytes_in(&path)?, path });
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
        if (look.raw_bytes(), look.files.len() as u64) != (run.raw_size, run.n_files)
            || seen.content_or_hash(&format!("{cohort}/{}", run.path), &look, monitor).map_err(work::pack_error)?.hash
                != run.content
        {
            ui.note(&format!("{what} has changed since it was pushed, and stays"));
            continue;
        }
        if has_other_files(&folder, look.files.len())? {
            ui.note(&format!("{what} has files that are in no blob (hidden, temporary, or links), and stays"));
            continue;
        }
        let found = remote.remote.size_of(&run.blob).map_err(|error| work::remote_error(&error))?;
        if found != Some(run.size) {
            ui.note(&format!("{what} is not in {}, and stays", remote.shown()));
            continue;
        }
        let wanted = Wanted { key: run.blob, size_bytes: run.size, what: what.clone() };
        candidates.push((Row { kind: "run", what, bytes: look.raw_bytes(), path: folder }, wanted));
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
    freed.sort_by(|a, b| (a.kind == "run", &a.path).cmp(&(b.kind == "run", &b.path)));
    Ok(())
}

/// Whether a folder has more than the files that were packed.
fn has_other_files(folder: &Path, n_packed: usize) -> Result<bool, CommandError> {
    let mut n_files = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs_err::read_dir(&folder)? {
            let path = item?.path();
            if path.is_symlink() {
                return Ok(true);
            }
            if path.is_dir() { folders.push(path) } else { n_files += 1 }
        }
    }
    Ok(n_files != n_packed)
}

impl Report for GcReport {
    fn tables(&self) -> Vec<Table> {
        let name = if self.dry_run { "would be freed" } else { "freed" };
        let mut table =
            Table::new(vec![Column::fixed("kind").left(), Column::elastic(name, 30), Column::fixed("bytes")]);
        for row in &self.freed {
            table.rows.push(vec![Cell::Text(row.kind.into()), Cell::Text(row.what.clone()), Cell::Bytes(row.bytes)]);
        }
        if table.rows.is_empty() { Vec::new() } else { vec![table] }
    }
}
