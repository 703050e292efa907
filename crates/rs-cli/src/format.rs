//! Output formats of commands that print a table.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::table::{Cut, Table};
use crate::ui::Ui;

/// How a table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For documents.
    Markdown,
    /// One versioned document, with everything.
    Json,
    /// The table's cells, unrounded.
    Csv,
}

/// How and where a table is printed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How to print the result.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
    /// Write the result to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The result of a command: a versioned document for machines, tables for people. Its first field is `schema`.
pub trait Report: Serialize {
    /// The tables that people read, one after another; CSV has the first only.
    fn tables(&self) -> Vec<Table>;

    /// The same for a screen of this width: where there is no room for a table it may be laid out in another way.
    fn tables_within(&self, width: Option<usize>) -> Vec<Table> {
        let _ = width;
        self.tables()
    }

    /// The table that CSV has, if it is another: one row for each fact.
    fn facts(&self) -> Option<Table> {
        None
    }
}

impl OutputArgs {
    /// Checks that there is a place for the result: before long work, not after it.
    ///
    /// # Errors
    /// `--output` names a folder, or a file in a folder that is not there.
    pub fn check(&self) -> Result<(), CommandError> {
        self.output.as_deref().map_or(Ok(()), check_output)
    }

    /// Prints a report.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn print(&self, ui: &mut Ui, report: &impl Report) -> Result<(), CommandError> {
        let width = if self.output.is_some() { None } else { ui.screen().width };
        let (text, cut) = match self.format {
            Format::Json => {
                (serde_json::to_string_pretty(report).map_err(std::io::Error::from)? + "\n", Cut::default())
            }
            Format::Csv => {
                let facts = report.facts().or_else(|| report.tables().into_iter().next());
                (facts.as_ref().map(Table::to_csv).unwrap_or_default(), Cut::default())
            }
            Format::Markdown => (join(report.tables().iter().map(Table::to_markdown)), Cut::default()),
            Format::Table => {
                let (texts, cuts): (Vec<_>, Vec<_>) =
                    report.tables_within(width).iter().map(|table| table.to_text(width)).unzip();
                (join(texts.into_iter()), cuts.into_iter().fold(Cut::default(), Cut::and))
            }
        };
        print_text(ui, self.output.as_deref(), &text)?;
        if cut != Cut::default() {
            ui.note(&format!("{cut}; a wider terminal or `--format json` shows all"));
        }
        Ok(())
    }
}

/// Prints a result that is a text of its own kind: to a file, whole or not at all, or to standard output.
///
/// # Errors
/// The output cannot be written.
pub fn print_text(ui: &mut Ui, output: Option<&Path>, text: &str) -> Result<(), CommandError> {
    match output {
        None => ui.print(text),
        Some(path) => write_whole(path, text.as_bytes()),
    }
}

fn join(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("\n")
}

/// Writes a file beside its place and renames it, so that nobody sees half of it. What is no file, like a pipe or
/// `/dev/stdout`, is written to.
///
/// # Errors
/// There is no place for it, or it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    check_output(path)?;
    if path.exists() && !path.is_file() {
        return fs_err::write(path, bytes).map_err(CommandError::environment);
    }
    // A link stays a link.
    let place = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = place.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = place.with_file_name(name);
    fs_err::write(&partial, bytes).and_then(|()| fs_err::rename(&partial, &place)).map_err(CommandError::environment)
}

/// Refuses a path that cannot become a file.
///
/// # Errors
/// It is a folder, or in a folder that is not there.
pub fn check_output(path: &Path) -> Result<(), CommandError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() || path.file_name().is_none() {
        return Err(CommandError::input(format!(
            "`{}` is a folder; --output needs the name of a file",
            path.display()
        )));
    }
    if !folder.is_dir() {
        return Err(CommandError::input(format!("no folder `{}` to write `{}` in", folder.display(), path.display()))
            .hint(format!("mkdir -p {}", folder.display())));
    }
    Ok(())
}
