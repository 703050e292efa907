//! `cargo xtask bench`: times against a peer in the same run, as ratios, and peak memory.
//!
//! The peer is DuckDB itself: one `read_ndjson ... GROUP BY` over the same files, through the same library.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rs_fixtures::{DEFAULT_SEED, FixtureModel, Scale};

use crate::process::{self, ProcessError};
use crate::workspace::{self, Profile};
use crate::{Outcome, setup};

/// Time the pipeline against its peer, or measure its memory.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure.
    #[arg(value_enum, default_value_t = Name::Pipeline)]
    name: Name,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// `evaluate` against DuckDB's own reader, on real data and on medium fixtures.
    Pipeline,
    /// Peak memory of `evaluate` on large fixtures (over 5 GB on disk).
    Memory,
}

/// Timed pairs of runs, after one pair to warm up.
const N_PAIRS: usize = 5;
/// What `evaluate` may use at its peak.
const MEMORY_LIMIT_MB: f64 = 300.0;
/// Real data, where a checkout has it beside it.
const REAL_DATA: &str = "../shared/real";

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    setup::run()?;
    let folder = workspace::root().join("target").join("bench");
    fs_err::create_dir_all(&folder)?;
    match arguments.name {
        Name::Pipeline => pipeline(&folder),
        Name::Memory => memory(&folder),
    }
}

/// Data to run on.
struct Subject {
    name: &'static str,
    dataset: PathBuf,
    files: Vec<PathBuf>,
}

impl Subject {
    /// All data files below the dataset's folder.
    fn new(name: &'static str, dataset: PathBuf) -> io::Result<Self> {
        let mut files = Vec::new();
        if let Some(folder) = dataset.parent() {
            collect_data_files(folder, &mut files)?;
        }
        files.sort();
        Ok(Self { name, dataset, files })
    }

    fn bytes(&self) -> io::Result<u64> {
        self.files.iter().map(|file| Ok(fs_err::metadata(file)?.len())).sum()
    }
}

fn pipeline(folder: &Path) -> Outcome {
    build(&["-p", "evaluate", "-p", "rs-pointsdb", "--bin", "evaluate", "--example", "read_ndjson_peer"])?;
    let mut subjects = Vec::new();
    let real = workspace::root().join(REAL_DATA);
    if real.join("data").join("rg.json").is_file() {
        let copy = folder.join("real");
        prepare_once(&copy, |copy| unpack_folder(&real, copy))?;
        subjects.push(Subject::new("real data, unpacked", copy.join("data").join("rg.json"))?);
    } else {
        note!("bench: no real data, because {REAL_DATA} is not there");
    }
    subjects.push(fixtures(folder, Scale::Medium)?);

    say!("{:<24}{:>8}{:>12}{:>12}{:>8}{:>10}{:>10}", "data", "MB", "evaluate s", "peer s", "ratio", "MB/s", "peak MB");
    let mut is_slower = false;
    for subject in &subjects {
        let figures = compare(subject, folder)?;
        let megabytes = subject.bytes()? as f64 / 1e6;
        let (own, peer) = (figures.evaluate.as_secs_f64(), figures.peer.as_secs_f64());
        is_slower |= own > peer;
        say!(
            "{:<24}{megabytes:>8.0}{own:>12.2}{peer:>12.2}{:>8.2}{:>10.0}{:>10.0}",
            subject.name,
            own / peer,
            megabytes / own,
            figures.peak_bytes as f64 / 1e6
        );
    }
    say!("\nMedians of {N_PAIRS} runs each, taken in turns; MB as stored; a ratio below 1 is faster than the peer.");
    Ok(if is_slower { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn memory(folder: &Path) -> Outcome {
    build(&["-p", "evaluate", "--bin", "evaluate"])?;
    let subject = fixtures(folder, Scale::Large)?;
    let measured = measure(&mut evaluate(&subject, folder)?)?;
    let megabytes = subject.bytes()? as f64 / 1e6;
    let peak = measured.peak_bytes as f64 / 1e6;
    let seconds = measured.wall.as_secs_f64();
    say!("{megabytes:.0} MB in {seconds:.1} s ({:.0} MB/s)", megabytes / seconds);
    let is_within = peak <= MEMORY_LIMIT_MB;
    say!(
        "peak memory {peak:.0} MB, {} the limit of {MEMORY_LIMIT_MB:.0} MB",
        if is_within { "within" } else { "OVER" }
    );
    Ok(if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build(what: &[&str]) -> Result<(), ProcessError> {
    process::run(&mut process::cargo(&[&["build", "--release"], what].concat()))
}

/// Writes fixtures below the bench folder, unless they are there.
fn fixtures(folder: &Path, scale: Scale) -> Result<Subject, Box<dyn std::error::Error>> {
    let (name, root) = match scale {
        Scale::Small => ("fixtures, small", folder.join("small")),
        Scale::Medium => ("fixtures, medium", folder.join("medium")),
        Scale::Large => ("fixtures, large", folder.join("large")),
    };
    let model = FixtureModel::new(scale, DEFAULT_SEED);
    if !root.is_dir() || !model.check(&root)?.is_empty() {
        note!("bench: writing fixtures ({scale}) to {}", workspace::shown(&root));
        model.write(&root)?;
    }
    Ok(Subject::new(name, root.join("data").join("r12.json"))?)
}

/// Fills a folder if an earlier run did not do so to the end.
fn prepare_once(folder: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let complete = folder.join(".complete");
    if complete.is_file() {
        return Ok(());
    }
    if folder.is_dir() {
        fs_err::remove_dir_all(folder)?;
    }
    note!("bench: unpacking to {}", workspace::shown(folder));
    fill(folder)?;
    fs_err::write(complete, "")
}

/// Copies a folder, with every `.zst` unpacked.
fn unpack_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let source = entry?.path();
        let Some(name) = source.file_name() else { continue };
        let target = to.join(name);
        if source.is_dir() {
            unpack_folder(&source, &target)?;
        } else if source.extension().is_some_and(|extension| extension == "zst") {
            zstd::stream::copy_decode(fs_err::File::open(&source)?, fs_err::File::create(target.with_extension(""))?)?;
        } else {
            fs_err::copy(&source, &target)?;
        }
    }
    Ok(())
}

fn collect_data_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_data_files(&path, files)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = name.strip_suffix(".zst").or_else(|| name.strip_suffix(".gz")).unwrap_or(&name);
        if plain.ends_with(".ndjson") || plain.ends_with(".jsonl") {
            files.push(path);
        }
    }
    Ok(())
}

/// What comparing one subject gave.
struct Figures {
    evaluate: Duration,
    peer: Duration,
    peak_bytes: u64,
}

/// Runs both in turns, so that whatever else the machine does hits both.
fn compare(subject: &Subject, folder: &Path) -> Result<Figures, Box<dyn std::error::Error>> {
    let mut evaluate_times = Vec::new();
    let mut peer_times = Vec::new();
    let mut peak_bytes = 0;
    for pair in 0..=N_PAIRS {
        let own = measure(&mut evaluate(subject, folder)?)?;
        let peer = measure(&mut peer(subject, folder)?)?;
        peak_bytes = peak_bytes.max(own.peak_bytes);
        if pair > 0 {
            evaluate_times.push(own.wall);
            peer_times.push(peer.wall);
        }
    }
    Ok(Figures { evaluate: median(&mut evaluate_times), peer: median(&mut peer_times), peak_bytes })
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn evaluate(subject: &Subject, folder: &Path) -> io::Result<Command> {
    let mut command = Command::new(Profile::Release.folder()?.join("evaluate"));
    command.arg("--dataset").arg(&subject.dataset).args(["--force", "-q", "--threads", &n_threads(), "--db"]);
    command.arg(fresh(folder, "evaluate.db")?);
    Ok(command)
}

fn peer(subject: &Subject, folder: &Path) -> io::Result<Command> {
    let list = folder.join("peer-files.txt");
    let paths: Vec<String> = subject.files.iter().map(|file| file.display().to_string()).collect();
    fs_err::write(&list, paths.join("\n"))?;
    let mut command = Command::new(Profile::Release.folder()?.join("examples").join("read_ndjson_peer"));
    command.args(["--threads", &n_threads(), "--out"]).arg(fresh(folder, "peer.db")?).arg("--list").arg(list);
    Ok(command)
}

fn n_threads() -> String {
    std::thread::available_parallelism().map_or(1, usize::from).to_string()
}

/// The path of a database that is not there yet.
fn fresh(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    match fs_err::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(path),
    }
}

/// How long a program ran, and its peak resident memory (0 where `/proc` is missing).
struct Measured {
    wall: Duration,
    peak_bytes: u64,
}

fn measure(command: &mut Command) -> Result<Measured, ProcessError> {
    command.stdout(Stdio::null());
    let failed = |command: &Command, status| ProcessError::Failed { command: process::shown(command), status };
    let start = |command: &Command, source| ProcessError::Start { program: process::shown(command), source };
    let began = Instant::now();
    let mut child = command.spawn().map_err(|source| start(command, source))?;
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let has_ended = AtomicBool::new(false);
    let (waited, peak_bytes) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !has_ended.load(Ordering::Relaxed) {
                peak = peak.max(peak_of(&status_file).unwrap_or(0));
                std::thread::sleep(Duration::from_millis(5));
            }
            peak
        });
        let waited = child.wait().map(|status| (status, began.elapsed()));
        has_ended.store(true, Ordering::Relaxed);
        (waited, watcher.join().unwrap_or(0))
    });
    let (status, wall) = waited.map_err(|source| start(command, source))?;
    if status.success() { Ok(Measured { wall, peak_bytes }) } else { Err(failed(command, status)) }
}

/// The high-water mark of a process's resident memory, which only ever rises.
fn peak_of(status_file: &Path) -> Option<u64> {
    let status = fs_err::read_to_string(status_file).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::{Path, median, peak_of};
    use std::time::Duration;

    #[test]
    fn the_median_is_the_middle() {
        let mut times = [3, 1, 2].map(Duration::from_secs);
        assert_eq!(median(&mut times), Duration::from_secs(2));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_has_a_peak() {
        assert!(peak_of(Path::new("/proc/self/status")).is_some_and(|bytes| bytes > 100_000));
    }
}
