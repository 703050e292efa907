//! Output formats of commands that print a table.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::table::Table;
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
}

impl OutputArgs {
    /// Prints a report.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn print(&self, ui: &mut Ui, report: &impl Report) -> Result<(), CommandError> {
        let width = if self.output.is_some() { None } else { ui.screen().width };
        let (text, cut): (String, Vec<String>) = match self.format {
            Format::Json => (serde_json::to_string_pretty(report).map_err(std::io::Error::from)? + "\n", Vec::new()),
            Format::Csv => (report.tables().first().map(Table::to_csv).unwrap_or_default(), Vec::new()),
            Format::Markdown => (join(report.tables().iter().map(Table::to_markdown)), Vec::new()),
            Format::Table => {
                let (texts, cuts): (Vec<_>, Vec<_>) = report.tables().iter().map(|table| table.to_text(width)).unzip();
                let mut cut: Vec<String> = Vec::new();
                for name in cuts.concat() {
                    if !cut.contains(&name) {
                        cut.push(name);
                    }
                }
                (join(texts.into_iter()), cut)
            }
        };
        match &self.output {
            None => ui.print(&text)?,
            Some(path) => write_whole(path, &text)?,
        }
        if !cut.is_empty() {
            ui.note(&format!("no room for {}; a wider terminal or `--format json` shows all", cut.join(", ")));
        }
        Ok(())
    }
}

fn join(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("\n")
}

/// Writes a file beside its place and renames it, so that nobody sees half of it.
fn write_whole(path: &Path, text: &str) -> Result<(), CommandError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    fs_err::write(&partial, text).map_err(CommandError::environment)?;
    fs_err::rename(&partial, path).map_err(CommandError::environment)
}
