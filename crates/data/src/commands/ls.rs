//! `data ls`: the blobs of a remote, and what they hold.

use std::path::PathBuf;

use rs_cli::{Cell, Column, CommandError, Exit, OutputArgs, Report, Table, Ui};
use serde::Serialize;

use crate::library::{Library, short};
use crate::remote::Options;
use crate::work;

/// List the blobs of a remote, and what they hold.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// The remote [default: origin, or the only one].
    remote: Option<String>,
    /// The folder of the manifest.
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// The document `data.ls/1`.
#[derive(Debug, Serialize)]
struct LsReport {
    schema: &'static str,
    remote: String,
    blobs: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    blob: String,
    bytes: u64,
    /// What it holds, as the manifest says; null if it says nothing.
    holds: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CommandError> {
    args.output.check()?;
    let library = Library::open_named(&args.data)?;
    let remote = library.remote(args.remote.as_deref(), &Options::default())?;
    let monitor = rs_cli::stoppable()?;
    let listed = remote.ask(&monitor, |remote| remote.list()).map_err(|error| work::remote_error(&error))?;
    let wanted = library.wanted_blobs();
    let blobs = listed
        .into_iter()
        .map(|(blob, bytes)| Row {
            blob: blob.to_string(),
            bytes,
            holds: wanted.get(&blob).map(|(what, _)| what.clone()),
        })
        .collect();
    args.output.print(ui, &LsReport { schema: "data.ls/1", remote: remote.shown(), blobs })?;
    Ok(Exit::Done)
}

impl Report for LsReport {
    fn tables(&self) -> Vec<Table> {
        let mut table =
            Table::new(vec![Column::fixed("blob").left(), Column::fixed("bytes"), Column::elastic("holds", 20)])
                .titled(format!("in {}", self.remote));
        for row in &self.blobs {
            table.rows.push(vec![
                Cell::Text(short(&row.blob)),
                Cell::Bytes(row.bytes),
                Cell::Text(row.holds.clone().unwrap_or_else(|| "not in the manifest".into())),
            ]);
        }
        vec![table]
    }
}
