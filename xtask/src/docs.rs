//! `cargo xtask docs`: what documents say of the programs, as the programs say it: the reference of the command lines,
//! `docs/cli/<program>.md`, and the commands that documents show, with their output and pictures.

mod console;
mod stage;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use self::console::Data;
use self::stage::Stage;
use crate::workspace::{self, BINARIES, Profile};
use crate::{Outcome, process};

/// Documents that show commands and what they print.
const DOCUMENTS: [&str; 2] = ["README.md", "docs/workflow.md"];

/// Write the reference of the command lines, and what the commands in README.md and docs/workflow.md print.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Compare with what is there instead of writing; exit 1 if anything differs.
    #[arg(long)]
    pub(crate) check: bool,
}

/// A file, and what it should hold.
type Page = (PathBuf, String);

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    process::run(&mut process::cargo(&["build", "--workspace", "--bins", "--quiet"]))?;
    generate(arguments)
}

/// The same with the programs as they were built last.
pub(crate) fn generate(arguments: &Arguments) -> Outcome {
    let mut pages = references()?;
    for document in DOCUMENTS {
        pages.extend(shown(document)?);
    }
    let mut n_stale = 0;
    for (path, wanted) in &pages {
        let found = match fs_err::read_to_string(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        if found == *wanted {
            continue;
        }
        if arguments.check {
            say!("docs: {}", difference(path, &found, wanted));
            n_stale += 1;
        } else {
            if let Some(folder) = path.parent() {
                fs_err::create_dir_all(folder)?;
            }
            fs_err::write(path, wanted)?;
            say!("docs: {} written", workspace::shown(path));
        }
    }
    if n_stale > 0 {
        say!("docs: {n_stale} files are not what the programs say; `cargo xtask docs` writes them anew");
    }
    Ok(if n_stale == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The reference of each program.
fn references() -> Result<Vec<Page>, Box<dyn Error>> {
    let programs = Profile::Dev.folder()?;
    let folder = workspace::root().join("docs").join("cli");
    let page = |binary: &str| {
        let reference = process::output(Command::new(programs.join(binary)).arg("reference"))?;
        Ok((folder.join(format!("{binary}.md")), reference))
    };
    BINARIES.into_iter().map(page).collect()
}

/// A document with what its commands print, and the pictures that they write.
fn shown(document: &str) -> Result<Vec<Page>, Box<dyn Error>> {
    let path = workspace::root().join(document);
    let stage = Stage::new(&document.replace(['/', '.'], "-"))?;
    let mut n_unchecked = 0;
    let text = console::refreshed(document, &fs_err::read_to_string(&path)?, |data, command| {
        let output = stage.output(data, command)?;
        n_unchecked += usize::from(data == Data::Real && output.is_none());
        Ok(output)
    })?;
    if n_unchecked > 0 {
        note!("docs: {n_unchecked} commands of {document} stay as they are: ../shared/real is not there");
    }
    let mut pages = stage.pictures()?;
    pages.push((path, text));
    Ok(pages)
}

/// Where a file begins to be another than it should be.
fn difference(path: &Path, found: &str, wanted: &str) -> String {
    let path = workspace::shown(path);
    let n_same = found.lines().zip(wanted.lines()).take_while(|(found, wanted)| found == wanted).count();
    let line = |text: &str| text.lines().nth(n_same).map_or_else(|| "nothing".to_owned(), |line| format!("`{line}`"));
    // Pictures have long lines.
    let brief = |line: String| if line.len() > 200 { "a long line".to_owned() } else { line };
    format!("{path}:{}: {} should be {}", n_same + 1, brief(line(found)), brief(line(wanted)))
}
