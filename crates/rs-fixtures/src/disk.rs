//! The fixtures on disk: writing them, and comparing what is there.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::FixtureModel;
use crate::config::tracked_files;
use crate::plan::{Compression, File, Plan, Run};
use crate::render::{MARKER, render_file, side_files, store};

/// Why fixtures could not be written or compared.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// A run folder of the fixtures' name is there, and nothing says that the fixtures made it.
    #[error("`{}` is not a fixture (it holds no `{MARKER}`): move it away, or choose another root", .path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// Reading or writing failed; the message names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Data files; metadata, logs and lists are not counted.
    pub n_files: u64,
    /// Stored bytes of the data files.
    pub bytes: u64,
    /// Lines of the data files that are records.
    pub n_records: u64,
}

/// How a root differs from the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The file is not there.
    Missing {
        /// Relative to the root.
        path: String,
    },
    /// The file is there and differs.
    Changed {
        /// Relative to the root.
        path: String,
        /// The first line that differs, from 1.
        line: u64,
        /// The first byte that differs, from 0, when unpacked.
        byte: u64,
    },
    /// The file is there and cannot be read or unpacked.
    Unreadable {
        /// Relative to the root.
        path: String,
        /// The reader's message.
        reason: String,
    },
    /// A fixture that this model does not make: a run folder, or a file in one.
    Unexpected {
        /// Relative to the root.
        path: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => write!(formatter, "{path}: is missing"),
            Self::Changed { path, line, byte } => write!(formatter, "{path}:{line}: differs from byte {byte} on"),
            Self::Unreadable { path, reason } => write!(formatter, "{path}: {reason}"),
            Self::Unexpected { path } => write!(formatter, "{path}: is not part of the fixtures"),
        }
    }
}

impl FixtureModel {
    /// Writes the config, the datasets, the cohorts and all raw data below `root`, in place of what an earlier call
    /// wrote there. Run folders that no fixture made are left alone.
    ///
    /// # Errors
    ///
    /// [`FixtureError::NotOurs`] if a folder is in the way, before anything is written; [`FixtureError::Io`].
    pub fn write(&self, root: &Path) -> Result<Written, FixtureError> {
        let plan = &self.plan;
        for run in &plan.runs {
            let folder = root.join(Plan::run_path(run));
            if folder.exists() && !is_ours(&folder) {
                return Err(FixtureError::NotOurs { path: folder });
            }
        }
        for folder in our_folders(root)? {
            fs_err::remove_dir_all(root.join(folder))?;
        }
        for file in tracked_files() {
            write_text(&root.join(file.path), &file.content)?;
        }
        for run in &plan.runs {
            let folder = root.join(Plan::run_path(run));
            // The marker comes first: a run that is cut short can be replaced.
            for (name, content) in side_files(plan, run) {
                write_text(&folder.join(name), &content)?;
            }
        }
        self.data_files()
            .into_par_iter()
            .with_max_len(1)
            .map(|(run, file)| write_file(plan, file, &root.join(Plan::run_path(run)).join(&file.name)))
            .try_reduce(Written::default, |left, right| {
                Ok(Written {
                    n_files: left.n_files + right.n_files,
                    bytes: left.bytes + right.bytes,
                    n_records: left.n_records + right.n_records,
                })
            })
    }

    /// Compares everything that [`Self::write`] writes with what is below `root`; packed files by what is in them.
    ///
    /// # Errors
    ///
    /// [`FixtureError::Io`] if a folder cannot be listed. A file that cannot be read is a difference.
    pub fn check(&self, root: &Path) -> Result<Vec<Difference>, FixtureError> {
        let plan = &self.plan;
        let mut differences = Vec::new();
        for file in tracked_files() {
            differences.extend(compare_text(root, file.path, &file.content));
        }
        let planned: BTreeSet<String> = plan.runs.iter().map(Plan::run_path).collect();
        for folder in our_folders(root)? {
            if !planned.contains(&folder) {
                differences.push(Difference::Unexpected { path: folder });
            }
        }
        for run in &plan.runs {
            differences.extend(compare_folder(plan, root, run)?);
        }
        let of_data: Vec<Difference> = self
            .data_files()
            .into_par_iter()
            .with_max_len(1)
            .filter_map(|(run, file)| compare_file(plan, root, run, file))
            .collect();
        differences.extend(of_data);
        differences.sort_by_key(ToString::to_string);
        Ok(differences)
    }

    /// The data files, the largest first, so that no thread is left with a large one at the end.
    fn data_files(&self) -> Vec<(&Run, &File)> {
        let mut files: Vec<(&Run, &File)> =
            self.plan.runs.iter().flat_map(|run| run.files.iter().map(move |file| (run, file))).collect();
        files.sort_by_key(|(_, file)| std::cmp::Reverse(file.parts.len()));
        files
    }
}

fn is_ours(folder: &Path) -> bool {
    folder.join(MARKER).is_file()
}

/// The run folders below `root` that a fixture made, relative to it, sorted.
fn our_folders(root: &Path) -> io::Result<Vec<String>> {
    let mut folders = Vec::new();
    for cohort in subfolders(&root.join("data/r12"))? {
        for run in subfolders(&root.join("data/r12").join(&cohort))? {
            let path = format!("data/r12/{cohort}/{run}");
            if is_ours(&root.join(&path)) {
                folders.push(path);
            }
        }
    }
    folders.sort();
    Ok(folders)
}

/// The names of the folders in a folder, none if it does not exist. Links are not followed, and names that are not
/// Unicode are not ours.
fn subfolders(folder: &Path) -> io::Result<Vec<String>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

fn write_text(path: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(path, content)
}

fn write_file(plan: &Plan, file: &File, path: &Path) -> Result<Written, FixtureError> {
    let mut out = fs_err::File::create(path)?;
    let mut written = Written { n_files: 1, ..Written::default() };
    let mut n_records = 0;
    render_file(
        plan,
        file,
        |piece| {
            let stored = store(piece, file.compression)?;
            written.bytes += stored.len() as u64;
            out.write_all(&stored)
        },
        |_| n_records += 1,
    )?;
    written.n_records = n_records;
    Ok(written)
}

fn compare_text(root: &Path, path: String, content: &str) -> Option<Difference> {
    match fs_err::read(root.join(&path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Difference::Missing { path }),
        Err(error) => Some(Difference::Unreadable { path, reason: error.to_string() }),
        Ok(found) => Comparison::default()
            .first_difference(content.as_bytes(), &found)
            .map(|(line, byte)| Difference::Changed { path, line, byte }),
    }
}

fn compare_folder(plan: &Plan, root: &Path, run: &Run) -> io::Result<Vec<Difference>> {
    let run_path = Plan::run_path(run);
    let sides = side_files(plan, run);
    let mut differences = Vec::new();
    for (name, content) in &sides {
        differences.extend(compare_text(root, format!("{run_path}/{name}"), content));
    }
    let folder = root.join(&run_path);
    if !folder.is_dir() {
        return Ok(differences);
    }
    for entry in fs_err::read_dir(folder)? {
        let name = entry?.file_name();
        let is_planned =
            sides.iter().any(|(side, _)| name == *side) || run.files.iter().any(|file| name == file.name.as_str());
        if !is_planned {
            differences.push(Difference::Unexpected { path: format!("{run_path}/{}", name.to_string_lossy()) });
        }
    }
    Ok(differences)
}

fn compare_file(plan: &Plan, root: &Path, run: &Run, file: &File) -> Option<Difference> {
    let path = format!("{}/{}", Plan::run_path(run), file.name);
    match try_compare_file(plan, file, &root.join(&path)) {
        Ok(None) => None,
        Ok(Some((line, byte))) => Some(Difference::Changed { path, line, byte }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Difference::Missing { path }),
        Err(error) => Some(Difference::Unreadable { path, reason: error.to_string() }),
    }
}

/// The first line and byte that differ.
fn try_compare_file(plan: &Plan, file: &File, path: &Path) -> io::Result<Option<(u64, u64)>> {
    let stored = BufReader::with_capacity(256 * 1024, fs_err::File::open(path)?);
    let mut found: Box<dyn Read> = match file.compression {
        Compression::Plain => Box::new(stored),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(stored)),
        Compression::Zstd => Box::new(zstd::Decoder::with_buffer(stored)?),
    };
    let mut comparison = Comparison::default();
    let mut bytes = Vec::new();
    let rendered = render_file(
        plan,
        file,
        |piece| {
            bytes.clear();
            (&mut found).take(piece.len() as u64).read_to_end(&mut bytes).map_err(Stop::Io)?;
            match comparison.first_difference(piece, &bytes) {
                None => Ok(()),
                Some(place) => Err(Stop::Different(place)),
            }
        },
        |_| {},
    );
    match rendered {
        Ok(()) => {
            // Nothing more may follow.
            bytes.clear();
            (&mut found).take(1).read_to_end(&mut bytes)?;
            Ok(comparison.first_difference(&[], &bytes))
        }
        Err(Stop::Different(place)) => Ok(Some(place)),
        Err(Stop::Io(error)) => Err(error),
    }
}

enum Stop {
    Different((u64, u64)),
    Io(io::Error),
}

/// How far a comparison has come.
#[derive(Debug, Default)]
struct Comparison {
    lines: u64,
    bytes: u64,
}

impl Comparison {
    /// The line (from 1) and the byte (from 0) of the first difference between the next piece and what was found in its
    /// place.
    fn first_difference(&mut self, piece: &[u8], found: &[u8]) -> Option<(u64, u64)> {
        if piece == found {
            self.lines += count_lines(piece);
            self.bytes += piece.len() as u64;
            return None;
        }
        let common = piece.iter().zip(found).take_while(|(left, right)| left == right).count();
        Some((self.lines + count_lines(&piece[..common]) + 1, self.bytes + common as u64))
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
