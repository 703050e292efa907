//! From samples to their raw records: finds the files, reads the lines, and makes sure that they are what was evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rs_cli::{CommandError, Ui};
use rs_core::cohort::{Cohort, CohortError, RawFile};
use rs_core::collect::Mark;
use rs_core::lexer::Lexer;
use rs_core::library::Libraries;
use rs_core::lines::read_lines;
use rs_core::origin::Origin;
use rs_core::params::canonical_params;
use rs_core::paths;
use rs_core::reader::raw_file_name;
use rs_core::record::{self, Record};
use rs_core::shape::Shape;
use rs_pointsdb::samples::{self, SampleRow};
use rs_query::Source;

/// A sample and its raw record.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) row: SampleRow,
    /// The record's file, as the user would type it.
    pub(crate) path: String,
    /// The record's line without its end, or why there is none.
    pub(crate) raw: Result<String, Problem>,
}

/// Why a record could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Its file is not here or cannot be read.
    File(String),
    /// Its line is not what was evaluated.
    Changed(String),
    /// Nobody knows where it is.
    Unplaced,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(what) => f.write_str(what),
            Self::Changed(what) => write!(f, "the file has changed since it was evaluated: {what}"),
            Self::Unplaced => {
                f.write_str("the database does not tell where: the file is damaged, or was elsewhere when it was read")
            }
        }
    }
}

impl Found {
    /// The record. `raw` must be there.
    pub(crate) fn record(&self) -> Option<Record<'_>> {
        let raw = self.raw.as_ref().ok()?;
        record::parse(Lexer::new(raw.trim_ascii_end().as_bytes()), &mut Shape::default()).ok()
    }

    /// `path:line`.
    pub(crate) fn place(&self) -> String {
        match &self.row.place {
            Some(place) => format!("{}:{}", self.path, place.line),
            None => self.path.clone(),
        }
    }
}

/// What came of one sample.
struct Read {
    /// Position of the sample.
    at: usize,
    path: String,
    raw: Result<String, Problem>,
}

/// Refuses a database that does not tell where samples are.
pub(crate) fn check_places(source: &Source) -> Result<(), CommandError> {
    if samples::have_places(&source.connection).map_err(|error| source.error(error))? {
        return Ok(());
    }
    let error = format!("`{}` does not tell where raw records are: it is of an older version", source.db.display());
    let dataset = source.dataset.as_ref().map_or("DATASET".into(), |dataset| paths::show(&dataset.file));
    Err(CommandError::input(error).hint(format!("evaluate --dataset {dataset} --force")))
}

/// What is tried for samples of one raw file.
struct Task<'a> {
    marks: &'a [Mark],
    /// Files that may be the one: it may have been compressed, or lie there twice.
    candidates: Vec<RawFile>,
    /// Where it would be, and what to say where there is none.
    missing: (String, Problem),
    /// Positions of the samples, by line.
    wanted: Vec<(u64, usize)>,
}

/// The raw records of samples, in their order.
pub(crate) fn read(source: &Source, rows: Vec<SampleRow>) -> Result<Vec<Found>, CommandError> {
    let mut by_file: BTreeMap<(String, u32), Vec<(u64, usize)>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some(place) = &row.place {
            by_file.entry((row.eval_id.clone(), place.file)).or_default().push((place.line.into(), at));
        }
    }
    let marks = samples::marks(&source.connection, by_file.keys().cloned()).map_err(|error| source.error(error))?;
    let cohorts = Cohorts::open(source, &rows)?;
    let tasks: Vec<Task<'_>> = by_file
        .into_iter()
        .map(|(file, mut wanted)| {
            wanted.sort_unstable();
            let row = &rows[wanted[0].1];
            let (candidates, missing) = cohorts.candidates(row);
            Task { marks: marks.get(&file).map_or(&[], Vec::as_slice), candidates, missing, wanted }
        })
        .collect();
    let read: Vec<Vec<Read>> = tasks.par_iter().map(|task| task.read(&rows)).collect();
    let mut found: Vec<Found> =
        rows.into_iter().map(|row| Found { path: row.eval_id.clone(), row, raw: Err(Problem::Unplaced) }).collect();
    for Read { at, path, raw } in read.into_iter().flatten() {
        (found[at].path, found[at].raw) = (path, raw);
    }
    Ok(found)
}

/// Tells of samples whose records could not be read; gives whether there are any.
pub(crate) fn tell_problems<'a>(found: impl IntoIterator<Item = &'a Found>, source: &Source, ui: &mut Ui) -> bool {
    let mut problems: BTreeMap<String, u64> = BTreeMap::new();
    let mut has_changed = false;
    for found in found {
        let Err(problem) = &found.raw else { continue };
        has_changed |= matches!(problem, Problem::Changed(_));
        // A file is told once, however many samples are in it.
        let place = if matches!(problem, Problem::Changed(_)) { found.place() } else { found.path.clone() };
        *problems.entry(format!("{place}: {problem}")).or_default() += 1;
    }
    for (problem, n_samples) in &problems {
        let times = if *n_samples > 1 { format!(" ({n_samples} samples)") } else { String::new() };
        ui.problem(&format!("{problem}{times}"));
    }
    if has_changed {
        let dataset = source.dataset.as_ref().map_or("DATASET".into(), |dataset| paths::show(&dataset.file));
        ui.note(&format!("`evaluate --dataset {dataset}` reads again what has changed"));
    }
    !problems.is_empty()
}

impl Task<'_> {
    fn read(&self, rows: &[SampleRow]) -> Vec<Read> {
        let lines: Vec<u64> = self.wanted.iter().map(|(line, _)| *line).collect();
        let row = |at: usize| &rows[self.wanted[at].1];
        let (path, problem) = self.missing.clone();
        let mut results: Vec<(String, Result<String, Problem>)> = vec![(path, Err(problem)); lines.len()];
        for file in &self.candidates {
            let path = paths::show(&file.path);
            let mut n_read = 0;
            let read = read_lines(file, self.marks, &lines, |at, line| {
                n_read = at + 1;
                if results[at].1.is_err() {
                    let checked = match line {
                        Some(line) => check(line, row(at)),
                        None => Err(Problem::Changed("it ends before this line".to_owned())),
                    };
                    results[at] = (path.clone(), checked);
                }
            });
            if let Err(error) = read {
                let problem = Problem::File(format!("cannot be read: {error}"));
                for result in results[n_read..].iter_mut().filter(|(_, raw)| raw.is_err()) {
                    *result = (path.clone(), Err(problem.clone()));
                }
            }
        }
        self.wanted.iter().zip(results).map(|(&(_, at), (path, raw))| Read { at, path, raw }).collect()
    }
}

/// The line, if it is the record that was evaluated.
fn check(line: &[u8], row: &SampleRow) -> Result<String, Problem> {
    let changed = |what: &str| Problem::Changed(what.to_owned());
    let text = std::str::from_utf8(line).map_err(|_| changed("this line is no UTF-8"))?;
    let record = record::parse(Lexer::new(text.trim_ascii_end().as_bytes()), &mut Shape::default())
        .map_err(|error| changed(&format!("this line is no record: {}", error.what)))?;
    let names = [(&record.model, &row.model), (&record.template, &row.template), (&record.sampler, &row.sampler)];
    let is_same = names.iter().all(|(written, known)| written.decode() == known.as_str())
        && record.base_task.decode() == row.base_task
        && canonical_params(record.params).is_ok_and(|params| params == row.params)
        && (record.seed, record.index, record.repeat) == (row.seed, row.index, row.repeat)
        && record.completion_tokens == row.completion_tokens
        && u32::try_from(record.trace_bytes()) == Ok(row.trace_bytes);
    if is_same { Ok(text.to_owned()) } else { Err(changed("this line is another record")) }
}

/// What to say of a database that knows no sizes of compressed traces, and what to run; `None` if it knows them.
pub(crate) fn without_sizes(source: &Source) -> Result<Option<String>, CommandError> {
    if samples::have_sizes(&source.connection).map_err(|error| source.error(error))? {
        return Ok(None);
    }
    let evaluate = match &source.dataset {
        Some(dataset) => format!("`evaluate --dataset {}`", paths::show(&dataset.file)),
        None => "`evaluate`".to_owned(),
    };
    Ok(Some(format!(
        "the database was made with --no-forensics ({evaluate} without it adds them): without compressed sizes"
    )))
}

/// The cohorts of some samples.
struct Cohorts {
    /// By what the database calls their folders.
    opened: BTreeMap<String, (PathBuf, Result<Cohort, CohortError>)>,
}

impl Cohorts {
    fn open(source: &Source, rows: &[SampleRow]) -> Result<Self, CommandError> {
        let names: BTreeSet<&String> = rows.iter().filter_map(|row| row.cohort.as_ref()).collect();
        // A database alone is taken to lie where its dataset does.
        let file = source.dataset.as_ref().map_or(source.db.as_path(), |dataset| dataset.file.as_path());
        let base = file.parent().unwrap_or(Path::new(""));
        let mut libraries = Libraries::default();
        let open = |name: &String| {
            let of_dataset = source.dataset.iter().flat_map(|dataset| &dataset.cohorts).map(|(path, _)| path);
            let is_it = |path: &&PathBuf| paths::show(path.strip_prefix(base).unwrap_or(path)) == *name;
            let folder = of_dataset.into_iter().find(is_it).cloned();
            let folder = folder.unwrap_or_else(|| paths::join(base, Path::new(name)));
            let opened = Cohort::open_among(&folder, &mut libraries);
            (name.clone(), (folder, opened))
        };
        Ok(Self { opened: names.into_iter().map(open).collect() })
    }

    /// The files that may hold a sample, and what to say if there is none.
    fn candidates(&self, row: &SampleRow) -> (Vec<RawFile>, (String, Problem)) {
        let Some(place) = &row.place else { return (Vec::new(), (String::new(), Problem::Unplaced)) };
        let no_such_file = || Problem::File("there is no such file".to_owned());
        let Some(name) = &row.cohort else {
            return (loose(&place.path), (place.path.clone(), no_such_file()));
        };
        let (folder, _) = &self.opened[name];
        let path = paths::show(&paths::join(folder, Path::new(&place.path)));
        match &self.opened[name] {
            (_, Err(error)) => (Vec::new(), (path, Problem::File(error.to_string()))),
            (folder, Ok(cohort)) => {
                let run = place.path.rsplit_once('/').map_or("", |(run, _)| run);
                let is_it = |file: &&RawFile| {
                    file.logical == place.path || matches!(file.origin, Origin::Unusable(_)) && file.run == run
                };
                let candidates = cohort.files.iter().filter(is_it).cloned().collect();
                let missing = if cohort.absent.iter().any(|absent| absent.run == run) {
                    let folder = paths::show(folder);
                    Problem::File(format!(
                        "it is neither extracted nor in the local store; `data pull cohort {folder}` fetches it"
                    ))
                } else {
                    no_such_file()
                };
                (candidates, (path, missing))
            }
        }
    }
}

/// A loose file, as it is or compressed.
fn loose(path: &str) -> Vec<RawFile> {
    let paths = ["", ".zst", ".gz"].map(|suffix| PathBuf::from(format!("{path}{suffix}")));
    let file = |path: PathBuf| {
        let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let codec = raw_file_name(path.file_name()?.to_str()?)?.1;
        Some(RawFile {
            path,
            logical: String::new(),
            run: String::new(),
            codec,
            size_bytes: metadata.len(),
            modified_nanos: 0,
            origin: Origin::File,
        })
    };
    paths.into_iter().filter_map(file).collect()
}
