//! `data` against tar, zstd and b3sum, and with nothing to do.
//!
//! Push packs into the store and sends to a folder; pull fetches from there and unpacks; both sync what they write, which
//! their peers do not. Verify hashes blobs and extracted files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::measure::{Figures, compare, measure, median, shell};
use super::subjects::{chosen, prepare_once};
use super::{N_PAIRS, Size, build, n_threads};
use crate::Outcome;
use crate::process;
use crate::tools::{Speed, Tool};
use crate::workspace::Profile;

/// The peer of verify.
const B3SUM: Tool = Tool { program: "b3sum", version: "1.8.7", features: &[], speed: Speed::Run };
/// How fast `data` must be, as a part of its peer's speed.
const LEAST_RATIO: f64 = 0.9;
/// What `data` may use at its peak.
const MEMORY_LIMIT_MB: f64 = 200.0;
/// How long `data` may take over many files when there is nothing to do.
const LONGEST_IDLE: Duration = Duration::from_secs(1);

pub(super) fn run(folder: &Path, size: Size) -> Outcome {
    build()?;
    let bench = Bench::new(folder, size)?;
    say!("{:<10}{:>8}{:>10}{:>10}{:>8}{:>10}{:>10}", "", "MB", "data s", "peer s", "speed", "MB/s", "peak MB");
    let mut is_within = true;
    for (name, figures, megabytes) in
        [("push", bench.push()?, bench.raw_mb()?), ("pull", bench.pull()?, bench.raw_mb()?), bench.verify()?]
    {
        let (own, peer) = (figures.own.as_secs_f64(), figures.peer.as_secs_f64());
        let peak = figures.peak_bytes as f64 / 1e6;
        is_within &= peer / own >= LEAST_RATIO && peak <= MEMORY_LIMIT_MB;
        let (speed, rate) = (peer / own, megabytes / own);
        say!("{name:<10}{megabytes:>8.0}{own:>10.2}{peer:>10.2}{speed:>8.2}{rate:>10.0}{peak:>10.0}");
    }
    say!("\n{:<32}{:>8}{:>10}", "nothing to do, 200,000 files", "data s", "peak MB");
    let many = Many::new(folder)?;
    for arguments in [&["status"][..], &["pull", "dataset", "data/s.json", "--raw"]] {
        let (own, peak_bytes) = many.idle(arguments)?;
        let peak = peak_bytes as f64 / 1e6;
        is_within &= own <= LONGEST_IDLE && peak <= MEMORY_LIMIT_MB;
        say!("{:<32}{:>8.2}{peak:>10.0}", arguments.join(" "), own.as_secs_f64());
    }
    say!("\nMedians of {N_PAIRS} runs each, taken in turns. Speed is the peer's time by ours: at least {LEAST_RATIO}.");
    Ok(if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// `data` in a folder.
fn data(folder: &Path, arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(Profile::Release.folder()?.join("data"));
    command.args(arguments).args(["-q", "--threads", &n_threads()]).current_dir(folder);
    Ok(command)
}

/// The folders that are worked in.
struct Bench {
    /// The set of cohorts, as it is; nothing is written there.
    set: PathBuf,
    /// A project whose cohorts are those of the set.
    here: PathBuf,
    /// Another one, with the same manifest.
    there: PathBuf,
    remote: PathBuf,
    /// What the peers write: an archive, and a folder.
    archive: PathBuf,
    unpacked: PathBuf,
    b3sum: PathBuf,
}

impl Bench {
    fn new(folder: &Path, size: Size) -> Result<Self, Box<dyn std::error::Error>> {
        let subject = chosen(folder, size)?;
        let set = subject.dataset.with_extension("");
        let work = folder.join("data");
        remove_if_there(&work)?;
        let bench = Self {
            here: work.join("here"),
            there: work.join("there"),
            remote: work.join("remote"),
            archive: work.join("archive.tar.zst"),
            unpacked: work.join("unpacked"),
            b3sum: B3SUM.install()?,
            set,
        };
        for cohort in bench.cohorts()? {
            let here = bench.here.join(&cohort);
            fs_err::create_dir_all(here.parent().unwrap_or(&here))?;
            std::os::unix::fs::symlink(bench.set.join(cohort.file_name().unwrap_or_default()), here)?;
        }
        note!("bench: {} ({:.0} MB)", subject.name, bench.raw_mb()?);
        Ok(bench)
    }

    /// The cohorts' folders below a project's.
    fn cohorts(&self) -> io::Result<Vec<PathBuf>> {
        let below = Path::new("data").join(self.set.file_name().unwrap_or_default());
        let mut folders = Vec::new();
        for item in fs_err::read_dir(&self.set)? {
            let item = item?;
            // Beside cohorts lies the cache.
            if item.path().join("evals.json").is_file() {
                folders.push(below.join(item.file_name()));
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// Bytes of all files in run folders.
    fn raw_mb(&self) -> io::Result<f64> {
        let mut files = Vec::new();
        collect_run_files(&self.set, &mut files)?;
        let sizes = files.iter().map(|file| Ok(fs_err::metadata(file)?.len()));
        Ok(sizes.sum::<io::Result<u64>>()? as f64 / 1e6)
    }

    fn command(&self, folder: &Path, what: &str) -> io::Result<Command> {
        let mut command = data(folder, &[what, "cohort"])?;
        command.args(self.cohorts()?);
        Ok(command)
    }

    fn push(&self) -> Result<Figures, Box<dyn std::error::Error>> {
        let own = || {
            remove_if_there(&self.here.join("data/.blobs"))?;
            remove_if_there(&self.remote)?;
            write_manifest(&self.here, &self.remote)?;
            self.command(&self.here, "push")
        };
        let parent = self.set.parent().unwrap_or(&self.set);
        let name = Path::new(self.set.file_name().unwrap_or_default());
        let script = format!("tar c -C \"$1\" --exclude .cache \"$2\" | zstd -3 -T{} -q -f -o \"$3\"", n_threads());
        compare(own, || Ok(shell(&script, &[parent, name, &self.archive])))
    }

    fn pull(&self) -> Result<Figures, Box<dyn std::error::Error>> {
        let own = || {
            remove_if_there(&self.there)?;
            for cohort in self.cohorts()? {
                fs_err::create_dir_all(self.there.join(&cohort))?;
                let evals = cohort.join("evals.json");
                fs_err::copy(self.here.join(&evals), self.there.join(&evals))?;
            }
            fs_err::copy(self.here.join("data/manifest.json"), self.there.join("data/manifest.json"))?;
            self.command(&self.there, "pull")
        };
        let script = format!("zstd -d -T{} -q < \"$1\" | tar x -C \"$2\"", n_threads());
        let peer = || {
            remove_if_there(&self.unpacked)?;
            fs_err::create_dir_all(&self.unpacked)?;
            Ok(shell(&script, &[&self.archive, &self.unpacked]))
        };
        compare(own, peer)
    }

    /// Verifies what was pulled: blobs and extracted files.
    fn verify(&self) -> Result<(&'static str, Figures, f64), Box<dyn std::error::Error>> {
        let mut files = Vec::new();
        collect_run_files(&self.there.join("data").join(self.set.file_name().unwrap_or_default()), &mut files)?;
        for first in fs_err::read_dir(self.there.join("data/.blobs"))? {
            let first = first?;
            if first.file_name().len() == 2 && first.path().is_dir() {
                for blob in fs_err::read_dir(first.path())? {
                    files.push(blob?.path());
                }
            }
        }
        let mut bytes = 0;
        let list = self.archive.with_extension("list");
        let mut writer = io::BufWriter::new(fs_err::File::create(&list)?);
        for file in &files {
            bytes += fs_err::metadata(file)?.len();
            write!(writer, "{}\0", file.display())?;
        }
        writer.flush()?;
        let script = format!("xargs -0 \"$1\" --num-threads {} < \"$2\"", n_threads());
        let peer = || Ok(shell(&script, &[&self.b3sum, &list]));
        Ok(("verify", compare(|| data(&self.there, &["verify"]), peer)?, bytes as f64 / 1e6))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // The next run would remove it.
        let _ = self.archive.parent().map(remove_if_there);
    }
}

/// A project of many small files, all of it pushed and here: 20 cohorts of 100 runs of 100 files.
struct Many {
    folder: PathBuf,
}

impl Many {
    fn new(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = folder.join("many");
        prepare_once(&folder, |folder| {
            let mut paths = Vec::new();
            for cohort in 0..20 {
                let path = format!("s/M{cohort}");
                let runs = folder.join("data").join(&path);
                for run in 0..100 {
                    let run_folder = runs.join(format!("run-{run:03}"));
                    fs_err::create_dir_all(&run_folder)?;
                    for file in 0..100 {
                        let record = format!(
                            r#"{{"model":"m{cohort}","template":"t","sampler":"s","base_task":"b","params":{{"n":{file}}},"correct":true,"index":{run}}}"#
                        );
                        fs_err::write(run_folder.join(format!("{file:03}_task.ndjson")), record + "\n")?;
                    }
                }
                let evals = format!(
                    r#"[{{"evaluate":{{"glob":"data/{path}/*/*"}},"filters":{{"model":"m{cohort}","template":"t","sampler":"s"}},"label":"M{cohort}"}}]"#
                );
                fs_err::write(runs.join("evals.json"), evals)?;
                paths.push(format!(r#"{{"path":"{path}"}}"#));
            }
            let dataset = format!(r#"{{"name":"s","db":"s.db","cohorts":[{}]}}"#, paths.join(","));
            fs_err::write(folder.join("data/s.json"), dataset)?;
            // No database, but something that can be pushed.
            fs_err::write(folder.join("data/s.db"), "s")?;
            write_manifest(folder, &folder.join("remote"))
        })?;
        // Nothing is done if it was done before.
        process::run(&mut data(&folder, &["push", "dataset", "data/s.json", "--raw", "-o", "/dev/null"])?)?;
        Ok(Self { folder })
    }

    fn idle(&self, arguments: &[&str]) -> Result<(Duration, u64), Box<dyn std::error::Error>> {
        let (mut times, mut peak_bytes) = (Vec::new(), 0);
        for pair in 0..=N_PAIRS {
            let measured = measure(&mut data(&self.folder, arguments)?)?;
            peak_bytes = peak_bytes.max(measured.peak_bytes);
            if pair > 0 {
                times.push(measured.wall);
            }
        }
        Ok((median(&mut times), peak_bytes))
    }
}

/// A manifest of nothing but a remote.
fn write_manifest(project: &Path, remote: &Path) -> io::Result<()> {
    let text = format!("{{\"version\":1,\"remotes\":{{\"origin\":{{\"url\":\"{}\"}}}}}}\n", remote.display());
    fs_err::write(project.join("data/manifest.json"), text)
}

/// The files in run folders below a set.
fn collect_run_files(set: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for cohort in fs_err::read_dir(set)? {
        let cohort = cohort?;
        if cohort.file_name() == ".cache" {
            continue;
        }
        for run in fs_err::read_dir(cohort.path())? {
            let run = run?.path();
            if run.is_dir() {
                collect_files(&run, files)?;
            }
        }
    }
    Ok(())
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for item in fs_err::read_dir(folder)? {
        let path = item?.path();
        if path.is_dir() { collect_files(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn remove_if_there(folder: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
