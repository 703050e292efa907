//! `data pull`: fetches blobs that are not here, and unpacks them.

mod bring;
mod plan;

use std::path::PathBuf;

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::pack;
use serde::Serialize;

use self::bring::{Bringing, check_room, stays, to_fetch};
use self::plan::{Plan, plan};
use crate::contents::Contents;
use crate::items::{self, Group, Here, Item, Items};
use crate::library::{Library, NamedRemote};
use crate::remote::Options;
use crate::seen::Seen;
use crate::work;

/// Fetch run folders and databases from a remote.
///
/// What is here already is not fetched again. What is not whole or not what the manifest says is refused. Interrupted,
/// the same command goes on where it stopped.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// Pull the database of a dataset.
    Dataset {
        /// The dataset file.
        file: PathBuf,
        /// Pull the raw data of its evaluations too.
        #[arg(long)]
        raw: bool,
        /// Replace a database that is here and is another one.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Pull the raw data of cohorts.
    Cohort {
        /// Their folders.
        #[arg(required = true, value_name = "DIR")]
        folders: Vec<PathBuf>,
        #[command(flatten)]
        common: Common,
    },
    /// Pull the raw data of evaluations.
    Eval {
        /// Their eval ids, or prefixes or identities.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// The folder of the manifest.
        #[arg(long, value_name = "DIR", default_value = "data")]
        data: PathBuf,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Clone, clap::Args)]
struct Common {
    /// The remote to pull from [default: origin, or the only one].
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    /// Tell what would be fetched, and fetch nothing.
    #[arg(long)]
    dry_run: bool,
    /// Leave run folders packed: `evaluate` reads them out of their blobs.
    #[arg(long)]
    no_extract: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `data.pull/1`.
#[derive(Debug, Serialize)]
struct PullReport {
    schema: &'static str,
    /// Null if nothing had to be fetched.
    remote: Option<String>,
    dry_run: bool,
    items: Vec<Row>,
}

/// What became, or would become, of a cohort or database.
#[derive(Debug, Clone, Default, Serialize)]
struct Row {
    /// `cohort` or `database`.
    kind: &'static str,
    name: String,
    /// Runs wanted; 1 for a database.
    runs: u64,
    /// Those that were here as they should be.
    here: u64,
    /// Blobs to fetch, and their stored bytes.
    fetch: u64,
    fetch_bytes: u64,
    /// Runs to unpack, and the bytes of their files.
    extract: u64,
    extract_bytes: u64,
    /// Left as they are here, where they differ from the manifest.
    kept: u64,
    /// Refused or not fetched.
    failed: u64,
}

impl Row {
    /// An item was not unpacked after all.
    fn leave_packed(&mut self, item: &Item) {
        self.extract -= 1;
        self.extract_bytes -= item.raw_bytes();
    }
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    let monitor = rs_cli::stoppable()?;
    let Plan { mut library, common, wanted: Items { items, groups }, existing } = plan(&args.what, ui)?;
    common.output.check()?;
    // Whatever is wrong with what was typed is found before any work.
    let open = |library: &Library, name| library.remote(name, &Options::default());
    let named_remote = common.remote.as_deref().map(|name| open(&library, Some(name))).transpose()?;
    let lock = if common.dry_run { None } else { Some(library.lock()?) };
    let row = |group: Group| Row { kind: group.kind, name: group.name, ..Row::default() };
    let rows = groups.into_iter().map(row).collect();
    let mut report = PullReport { schema: "data.pull/1", remote: None, dry_run: common.dry_run, items: rows };
    if lock.is_some() {
        items.iter().try_for_each(|item| pack::sweep_unpacked(&item.place))?;
    }
    let mut seen = Seen::read(&library);
    let here = items::look(&items, &mut seen, &monitor, ui)?;
    let (mut wanted, mut incomplete) = (Vec::new(), Vec::new());
    for (item, here) in items.iter().zip(here) {
        let row = &mut report.items[item.group];
        row.runs += 1;
        let is_database = matches!(item.contents, Contents::Database { .. });
        match here {
            Here::Same => row.here += 1,
            Here::Different if !is_database || existing == pack::Existing::Refuse => {
                row.kept += 1;
                let hint = if is_database { "`--force` replaces it" } else { "move it away to pull it" };
                ui.warn(&stays(item, hint));
            }
            Here::Absent | Here::Partly | Here::Different => {
                if common.no_extract && !is_database && library.store.has(&item.blob) == Some(item.size_bytes) {
                    row.here += 1;
                }
                wanted.push(item);
                if here == Here::Partly {
                    incomplete.push(item);
                }
            }
        }
    }
    let is_incomplete = |item: &Item| incomplete.iter().any(|other| std::ptr::eq(*other, item));
    let is_extracted = |item: &&Item| !common.no_extract || matches!(item.contents, Contents::Database { .. });
    let to_extract: Vec<&Item> = wanted.iter().copied().filter(is_extracted).collect();
    let (to_complete, to_unpack): (Vec<&Item>, Vec<&Item>) =
        to_extract.iter().copied().partition(|item| is_incomplete(item));
    let to_fetch = to_fetch(&library.store, &wanted, &mut report.items);
    for item in &to_extract {
        let row = &mut report.items[item.group];
        row.extract += 1;
        row.extract_bytes += item.raw_bytes();
    }
    let remote = if to_fetch.is_empty() { None } else { Some(named_remote.map_or_else(|| open(&library, None), Ok)?) };
    report.remote = remote.as_ref().map(NamedRemote::shown);
    let mut failure = None;
    if lock.is_none() {
        if !to_fetch.is_empty() {
            let bytes = Cell::Bytes(to_fetch.iter().map(|blob| blob.size_bytes).sum()).for_people();
            ui.note(&format!("would fetch {bytes} in {} blobs", to_fetch.len()));
        }
        if let Err(error) = check_room(&library, &to_fetch, &to_extract) {
            ui.warn(&error.error.to_string());
        }
    }
    if let Some(lock) = &lock {
        check_room(&library, &to_fetch, &to_extract)?;
        let mut bringing = Bringing { library: &library, lock, rows: &mut report.items, monitor: &monitor };
        if let Some(remote) = &remote {
            failure = bringing.fetch(remote.remote.as_ref(), &to_fetch, &items, ui).err();
        }
        // What was fetched is unpacked all the same.
        if !monitor.is_cancelled() {
            failure = failure.or(bringing.extract(&to_unpack, &mut seen, ui).err());
            failure = failure.or(bringing.complete(&to_complete, &mut seen, ui).err());
        }
        // What was done is remembered, however the rest ended.
        seen.save(&library, Some(lock));
    }
    if monitor.is_cancelled() {
        return Err(failure.unwrap_or_else(work::stopped));
    }
    common.output.print(ui, &report)?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    let is_whole = report.items.iter().all(|row| row.failed + row.kept == 0);
    Ok(if is_whole { Exit::Done } else { Exit::Negative })
}

impl Report for PullReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![
            Column::elastic(if self.dry_run { "would pull" } else { "pulled" }, 20),
            Column::fixed("runs"),
            Column::fixed("here"),
            Column::fixed("fetched").rank(1),
            Column::fixed("bytes"),
            Column::fixed("unpacked").rank(1),
            Column::fixed("raw"),
            Column::fixed("kept").rank(2),
            Column::fixed("failed"),
        ]);
        if let Some(remote) = &self.remote {
            table = table.titled(format!("from {remote}"));
        }
        for row in &self.items {
            table.rows.push(vec![
                Cell::Text(format!("{} {}", row.kind, row.name)),
                Cell::Count(row.runs),
                Cell::Count(row.here),
                Cell::Count(row.fetch),
                Cell::Bytes(row.fetch_bytes),
                Cell::Count(row.extract),
                Cell::Bytes(row.extract_bytes),
                Cell::Count(row.kept),
                Cell::Count(row.failed),
            ]);
        }
        vec![table]
    }
}
