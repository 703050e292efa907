//! `analyze export`: every table as Parquet and CSV.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rs_cli::{Cell, Column, CommandError, CommonArgs, Exit, Format, OutputArgs, Report, Table, Ui};
use rs_core::paths;
use rs_pointsdb::export::{export, exported};
use serde::Serialize;

use crate::source::Source;

/// Write every table as Parquet and CSV into a folder, for pandas, Polars, R, spreadsheets or the DuckDB shell.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A dataset file or a database.
    dataset: PathBuf,
    /// The folder: a new one, or one that an earlier export made, which is replaced as a whole.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// How to print what was written.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    format: Format,
}

/// The document `analyze.export/1`.
#[derive(Debug, Serialize)]
struct ExportReport {
    schema: &'static str,
    folder: String,
    tables: Vec<TableRow>,
}

#[derive(Debug, Serialize)]
struct TableRow {
    table: String,
    rows: u64,
    parquet_bytes: u64,
    csv_bytes: u64,
}

pub(crate) fn run(args: &Args, common: &CommonArgs, ui: &mut Ui) -> Result<Exit, CommandError> {
    check_place(&args.output)?;
    let source = Source::open(&args.dataset, common, ui)?;
    let beside = |suffix: &str| {
        let mut name = args.output.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        args.output.with_file_name(name)
    };
    // Readers see the old export or the new one, never half.
    let partial = beside(".partial");
    remove(&partial)?;
    fs_err::create_dir(&partial).map_err(CommandError::environment)?;
    let written = export(&source.connection, &partial).map_err(|error| source.error(error)).and_then(|tables| {
        let size = |name: &str, extension: &str| {
            fs_err::metadata(partial.join(format!("{name}.{extension}"))).map(|metadata| metadata.len())
        };
        tables
            .into_iter()
            .map(|(table, rows)| {
                let (parquet_bytes, csv_bytes) = (size(table, "parquet")?, size(table, "csv")?);
                Ok(TableRow { table: table.to_owned(), rows, parquet_bytes, csv_bytes })
            })
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(CommandError::environment)
    });
    let tables = match written {
        Ok(tables) => tables,
        Err(error) => {
            remove(&partial)?;
            return Err(error);
        }
    };
    let old = beside(".old");
    remove(&old)?;
    if args.output.exists() {
        fs_err::rename(&args.output, &old).map_err(CommandError::environment)?;
    }
    fs_err::rename(&partial, &args.output).map_err(CommandError::environment)?;
    remove(&old)?;
    let report = ExportReport { schema: "analyze.export/1", folder: paths::show(&args.output), tables };
    OutputArgs { format: args.format, output: None }.print(ui, &report)?;
    Ok(Exit::Done)
}

/// Refuses a folder that holds what no export wrote: it would be lost.
fn check_place(folder: &Path) -> Result<(), CommandError> {
    let shown = paths::show(folder);
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.file_name().is_none() {
        return Err(CommandError::input(format!(
            "`{shown}` cannot be replaced; --output needs the name of a new folder"
        )));
    }
    if !parent.is_dir() {
        return Err(CommandError::input(format!("no folder `{}` to make `{shown}` in", paths::show(parent))));
    }
    if !folder.exists() {
        return Ok(());
    }
    if !folder.is_dir() {
        return Err(CommandError::input(format!("`{shown}` is a file; --output needs a folder")));
    }
    let is_own = |name: &OsStr| {
        let path = Path::new(name);
        let is_known = path.extension().is_some_and(|extension| extension == "parquet" || extension == "csv");
        is_known && path.file_stem().is_some_and(|stem| exported().any(|table| stem == table))
    };
    for item in fs_err::read_dir(folder)? {
        let name = item?.file_name();
        if !is_own(&name) {
            let name = name.to_string_lossy().into_owned();
            return Err(CommandError::input(format!("`{shown}` holds `{name}`, which no export wrote"))
                .hint("name a new folder: one that is there is replaced as a whole"));
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), CommandError> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(CommandError::environment(error)),
        _ => Ok(()),
    }
}

impl Report for ExportReport {
    fn tables(&self) -> Vec<Table> {
        let columns = ["table", "rows", "parquet", "csv"].map(Column::fixed);
        let mut table = Table::new(columns.into());
        for row in &self.tables {
            table.rows.push(vec![
                Cell::Text(row.table.clone()),
                Cell::Count(row.rows),
                Cell::Bytes(row.parquet_bytes),
                Cell::Bytes(row.csv_bytes),
            ]);
        }
        vec![table]
    }
}
