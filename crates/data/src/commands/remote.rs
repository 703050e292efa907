//! `data remote`: the places that blobs are pushed to and pulled from.

use std::path::PathBuf;

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use rs_core::digest::BlobId;
use rs_core::manifest::Remote as RemoteEntry;
use rs_core::monitor::Monitor;
use rs_core::{paths, suggest};
use serde::Serialize;

use crate::library::{Library, NamedRemote};
use crate::remote::{Location, Options, RemoteError};
use crate::{transfer, work};

/// Add, list, remove or try the places that blobs are pushed to and pulled from.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    /// The folder of the manifest.
    #[arg(long, value_name = "DIR", default_value = "data", global = true)]
    data: PathBuf,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum What {
    /// Add a remote, or give one another URL.
    Add {
        /// What to call it; `origin` is the one that is meant where none is named.
        name: String,
        /// A folder, `http(s)://...` (read only), or `s3://bucket/prefix[?endpoint=URL&region=NAME&style=path]`. Relative
        /// folders are relative to the manifest's.
        url: String,
    },
    /// List the remotes.
    List {
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Remove a remote from the manifest. Its blobs stay where they are.
    Remove {
        /// Which one.
        name: String,
    },
    /// Find out whether a remote can be reached, read and written.
    Test {
        /// Which one [default: origin, or the only one].
        name: Option<String>,
    },
}

/// Blobs that are asked for where a remote's folder says nothing.
const TRIED_BLOBS: usize = 8;

/// The document `data.remotes/1`.
#[derive(Debug, Serialize)]
struct RemotesReport {
    schema: &'static str,
    remotes: Vec<RemoteRow>,
}

#[derive(Debug, Serialize)]
struct RemoteRow {
    name: String,
    url: String,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    let mut library = Library::open_named(&args.data)?;
    match &args.what {
        What::Add { name, url } => {
            check_name(name)?;
            let location =
                Location::parse(url, &library.folder).map_err(|error| CommandError::input(error.to_string()))?;
            library.check_elsewhere(&location)?;
            let lock = library.lock()?;
            let entry = RemoteEntry { url: url.clone(), others: serde_json::Map::new() };
            library.update(&lock, |manifest| drop(manifest.remotes.insert(name.clone(), entry)))?;
            // Whoever types `../blobs` may think of the folder he stands in.
            let place = match location {
                Location::Folder(folder) if paths::show(&folder) != *url => {
                    format!(", the folder `{}`", paths::show(&folder))
                }
                _ => String::new(),
            };
            ui.note(&format!("`{name}` is now {url}{place}; `data remote test {name}` tries it"));
        }
        What::Remove { name } => {
            let lock = library.lock()?;
            let names: Vec<String> = library.manifest.remotes.keys().cloned().collect();
            if !names.contains(name) {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                return Err(CommandError::input(format!("no remote `{name}` in {}", paths::show(&library.file)))
                    .maybe_hint(suggest::hint(name, &names)));
            }
            library.update(&lock, |manifest| drop(manifest.remotes.remove(name)))?;
        }
        What::List { output } => {
            let row =
                |(name, remote): (&String, &RemoteEntry)| RemoteRow { name: name.clone(), url: remote.url.clone() };
            let remotes = library.manifest.remotes.iter().map(row).collect();
            output.print(ui, &RemotesReport { schema: "data.remotes/1", remotes })?;
        }
        What::Test { name } => {
            let remote = library.remote(name.as_deref(), &Options::default())?;
            let monitor = rs_cli::stoppable()?;
            let mut can = remote.ask(&monitor, |remote| remote.test()).map_err(|error| work::remote_error(&error))?;
            if !can.can_read {
                can.can_read = has_any_blob(&library, &remote, &monitor)?;
            }
            let word = |can: bool| if can { "yes" } else { "no" };
            ui.print(&format!(
                "{}\nread {}, write {}, list {}\n",
                remote.shown(),
                word(can.can_read),
                word(can.can_write),
                word(can.can_list)
            ))?;
            if can.can_read {
                return Ok(Exit::Done);
            }
            ui.problem(&format!(
                "nothing is there: {} has neither such a folder nor blobs of the manifest",
                remote.shown()
            ));
            return Ok(Exit::Negative);
        }
    }
    Ok(Exit::Done)
}

/// Whether a remote has one of some blobs of the manifest.
fn has_any_blob(library: &Library, remote: &NamedRemote, monitor: &Monitor) -> Result<bool, CommandError> {
    let keys: Vec<BlobId> = library.wanted_blobs().into_keys().take(TRIED_BLOBS).collect();
    let sizes = transfer::sizes_of(remote.remote.as_ref(), &keys, &Options::default(), monitor);
    let mut has_any = false;
    for size in sizes {
        match size {
            Ok(size) => has_any |= size.is_some(),
            Err(RemoteError::Denied { .. }) => {}
            Err(error) => return Err(work::remote_error(&error)),
        }
    }
    Ok(has_any)
}

fn check_name(name: &str) -> Result<(), CommandError> {
    let is_plain = |character: char| character.is_alphanumeric() || "-_.".contains(character);
    if !name.is_empty() && name.chars().all(is_plain) && !name.starts_with(['-', '.']) {
        return Ok(());
    }
    Err(CommandError::input(format!("`{name}` cannot be a remote's name: letters, digits, `-`, `_` and `.` are")))
}

impl Report for RemotesReport {
    fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(vec![Column::elastic("remote", 10), Column::elastic("url", 20)]);
        for row in &self.remotes {
            table.rows.push(vec![Cell::Text(row.name.clone()), Cell::Text(row.url.clone())]);
        }
        vec![table]
    }
}
