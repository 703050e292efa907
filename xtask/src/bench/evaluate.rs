//! `evaluate` against what reads, parses and compresses the same bytes: DuckDB, a bare scan, `zstd`, Python; against
//! itself with other numbers of files and threads; and its memory.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::process::ExitCode;
use std::time::Duration;

use super::arrangements::{self, Arrangement};
use super::measure::{Figures, compare, median, shell};
use super::subjects::{Subject, chosen, packed_real};
use super::{N_PAIRS, Size, build, fresh, n_threads};
use crate::Outcome;
use crate::workspace::{self, Profile};

/// What `evaluate` may use at its peak, beyond what samples took in the batch that had most of them. They may not all be
/// there at the peak; what is being written of the batch before is not subtracted.
const MEMORY_LIMIT_MB: f64 = 250.0;
/// How long writing the large database may take, and how large its file may be.
const LONGEST_WRITE_SECONDS: f64 = 5.0;
const LARGEST_DATABASE_MB: f64 = 300.0;

/// What was measured against a peer, and how much of its time `evaluate` may take.
struct Line {
    what: &'static str,
    figures: Figures,
    /// Bytes that samples took at most, by what `evaluate` says.
    sample_memory_bytes: u64,
    /// Largest good ratio of the times.
    most: f64,
}

pub(super) fn run(folder: &Path, size: Size) -> Outcome {
    build()?;
    let subject = arrangements::plain(folder, &chosen(folder, size)?)?;
    let megabytes = subject.bytes()? as f64 / 1e6;
    say!("{}: {megabytes:.0} MB in {} files, {} threads\n", subject.name, subject.files.len(), n_threads());
    say!(
        "{:<30}{:>8}{:>8}{:>7}{:>7} {:>8}{:>11}",
        "evaluate, against",
        "seconds",
        "peer",
        "ratio",
        "goal",
        "peak MB",
        "samples MB"
    );
    let bench = Bench { folder, subject: &subject };
    let mut is_good = true;
    let (mut peak, mut peak_beyond) = (0.0_f64, 0.0_f64);
    bench.each(size, |line| {
        peak = peak.max(line.peak_mb());
        peak_beyond = peak_beyond.max(line.peak_mb() - line.samples_mb());
        is_good &= line.is_good();
        line.say();
    })?;
    bench.tell_floors()?;
    is_good &= peak_beyond <= MEMORY_LIMIT_MB;
    say!("7 Peak memory {peak:.0} MB; beyond samples {peak_beyond:.0} MB, of at most {MEMORY_LIMIT_MB:.0} MB.");
    is_good &= bench.write()?;
    say!(
        "Medians of {N_PAIRS} runs each, taken in turns. A ratio is our time by the peer's; `!` is one beyond its goal."
    );
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Line {
    fn ratio(&self) -> f64 {
        self.figures.own.as_secs_f64() / self.figures.peer.as_secs_f64()
    }

    fn is_good(&self) -> bool {
        self.ratio() <= self.most
    }

    fn peak_mb(&self) -> f64 {
        self.figures.peak_bytes as f64 / 1e6
    }

    fn samples_mb(&self) -> f64 {
        self.sample_memory_bytes as f64 / 1e6
    }

    fn say(&self) {
        let (own, peer) = (self.figures.own.as_secs_f64(), self.figures.peer.as_secs_f64());
        let mark = if self.is_good() { ' ' } else { '!' };
        let (what, ratio, most) = (self.what, self.ratio(), self.most);
        let (peak, samples) = (self.peak_mb(), self.samples_mb());
        say!("{what:<30}{own:>8.2}{peer:>8.2}{ratio:>7.2}{most:>7.2}{mark}{peak:>8.0}{samples:>11.0}");
    }
}

/// What is read, and where results go.
struct Bench<'a> {
    folder: &'a Path,
    subject: &'a Subject,
}

/// A run of `evaluate`.
#[derive(Clone, Copy)]
struct Run<'a> {
    dataset: &'a Path,
    forensics: Forensics,
    threads: &'a str,
}

/// Whether traces are compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Forensics {
    Without,
    With,
}

impl Bench<'_> {
    /// Measures against one peer after the other.
    fn each(&self, size: Size, mut tell: impl FnMut(&Line)) -> Result<(), Box<dyn std::error::Error>> {
        use Forensics::{With, Without};
        let threads = n_threads();
        let dataset = &self.subject.dataset;
        let without = Run { dataset, forensics: Without, threads: &threads };
        let with = Run { forensics: With, ..without };
        let mut line = |what, own: Run<'_>, peer: &dyn Fn() -> io::Result<Command>, most| {
            let figures = compare(|| self.evaluate(own), peer)?;
            tell(&Line { what, figures, sample_memory_bytes: self.sample_memory_bytes(own)?, most });
            Ok::<_, Box<dyn std::error::Error>>(())
        };
        line("1 read_ndjson and GROUP BY", without, &|| self.read_ndjson(), 1.0 / 3.0)?;
        line("2 a bare scan", without, &|| self.scan(&threads, &["--list"]), 1.3)?;
        line("3 that and libdeflate", with, &|| self.scan(&threads, &["--deflate", "--list"]), 1.15)?;
        if has_python() {
            line("4 a Python program", with, &|| self.python(), 0.2)?;
        } else {
            note!("bench: no Python, because `python3` is not there");
        }
        for (what, stored) in [("5 .zst: zstd and a bare scan", self.zst(size)?), ("5 blobs: the same", self.blobs()?)]
        {
            let script = format!(
                "xargs -P{threads} -d '\\n' -n 64 zstd -dcq < \"$1\" > /dev/null; \"$2\" --threads {threads} --list \"$3\""
            );
            let (packed, plain) = (self.list("packed", &stored)?, self.list("plain", self.subject)?);
            let scan = Profile::Release.folder()?.join("examples/bare_scan");
            line(
                what,
                Run { dataset: &stored.dataset, ..without },
                &|| Ok(shell(&script, &[&packed, &scan, &plain])),
                1.15,
            )?;
        }
        let one = arrangements::rearranged(self.folder, self.subject, Arrangement::OneFile)?;
        let many = arrangements::rearranged(self.folder, self.subject, Arrangement::ManyFiles)?;
        let (one, many) = (Run { dataset: &one.dataset, ..without }, Run { dataset: &many.dataset, ..without });
        line("6 one file, by 2,000", one, &|| self.evaluate(many), 1.2)?;
        line("6 2,000 files, by one", many, &|| self.evaluate(one), 1.2)?;
        let two_by_one = 1.0 / 1.8;
        let on = |threads, run| Run { threads, ..run };
        line("6 two threads, by one", on("2", without), &|| self.evaluate(on("1", without)), two_by_one)?;
        line("6 the same, with forensics", on("2", with), &|| self.evaluate(on("1", with)), two_by_one)
    }

    fn evaluate(&self, run: Run<'_>) -> io::Result<Command> {
        let mut command = Command::new(Profile::Release.folder()?.join("evaluate"));
        command.arg("--dataset").arg(run.dataset).args(["--force", "-q", "--threads", run.threads, "--db"]);
        command.arg(fresh(self.folder, "evaluate.db")?);
        if run.forensics == Forensics::Without {
            command.arg("--no-forensics");
        }
        Ok(command)
    }

    /// What `evaluate` says that samples took.
    fn sample_memory_bytes(&self, run: Run<'_>) -> Result<u64, Box<dyn std::error::Error>> {
        let summary = crate::process::output(self.evaluate(run)?.args(["--format", "json"]))?;
        let summary: serde_json::Value = serde_json::from_str(&summary)?;
        summary["sample_memory_bytes"].as_u64().ok_or_else(|| "`evaluate` says nothing of `sample_memory_bytes`".into())
    }

    fn read_ndjson(&self) -> io::Result<Command> {
        let mut command = Command::new(Profile::Release.folder()?.join("examples").join("read_ndjson_peer"));
        command.args(["--threads", &n_threads(), "--out"]).arg(fresh(self.folder, "peer.db")?);
        command.arg("--list").arg(self.list("plain", self.subject)?);
        Ok(command)
    }

    fn scan(&self, threads: &str, arguments: &[&str]) -> io::Result<Command> {
        let mut command = Command::new(Profile::Release.folder()?.join("examples").join("bare_scan"));
        command.args(["--threads", threads]).args(arguments).arg(self.list("plain", self.subject)?);
        Ok(command)
    }

    /// What bounds items 1 and 6 on this machine: how long reading takes by itself, and what a second core is worth.
    fn tell_floors(&self) -> Result<(), Box<dyn std::error::Error>> {
        let reading = ["--read", "--list"];
        let ratio = |figures: Figures| figures.own.as_secs_f64() / figures.peer.as_secs_f64();
        let alone = ratio(compare(|| self.scan(&n_threads(), &reading), || self.read_ndjson())?);
        say!("\n1 To read the files, and do nothing else, takes {alone:.2} of the time of read_ndjson.");
        let read_twice = ratio(compare(|| self.scan("2", &reading), || self.scan("1", &reading))?);
        let scanned_twice = ratio(compare(|| self.scan("2", &["--list"]), || self.scan("1", &["--list"]))?);
        say!(
            "6 Two threads take {read_twice:.2} of the time of one to read alone, {scanned_twice:.2} for the bare scan."
        );
        Ok(())
    }

    fn python(&self) -> io::Result<Command> {
        let mut command = Command::new("python3");
        command.arg(workspace::root().join("xtask/src/bench/python_peer.py")).arg(n_threads());
        command.arg(self.list("plain", self.subject)?);
        Ok(command)
    }

    /// The paths of a subject's files, one a line.
    fn list(&self, name: &str, subject: &Subject) -> io::Result<PathBuf> {
        let list = self.folder.join(format!("{name}-files.txt"));
        let paths: Vec<String> = subject.files.iter().map(|file| file.display().to_string()).collect();
        fs_err::write(&list, paths.join("\n"))?;
        Ok(list)
    }

    /// The subject in `.zst` files.
    fn zst(&self, size: Size) -> Result<Subject, Box<dyn std::error::Error>> {
        let packed = if size == Size::Real { packed_real(self.folder)? } else { None };
        Ok(packed.map_or_else(|| arrangements::compressed(self.folder, self.subject), Ok)?)
    }

    /// The subject in blobs.
    fn blobs(&self) -> Result<Subject, Box<dyn std::error::Error>> {
        let data = Profile::Release.folder()?.join("data");
        arrangements::in_blobs(self.folder, self.subject, &data)
    }

    /// Writes a large database several times; whether that was fast and small enough.
    fn write(&self) -> Result<bool, Box<dyn std::error::Error>> {
        let program = Profile::Release.folder()?.join("examples").join("large_points_db");
        let mut megabytes = 0.0;
        let mut times = Vec::new();
        for _ in 0..N_PAIRS {
            let database = fresh(self.folder, "large-points.db")?;
            let output = crate::process::output(Command::new(&program).arg(&database))?;
            times.push(Duration::from_secs_f64(output.trim().parse()?));
            megabytes = fs_err::metadata(&database)?.len() as f64 / 1e6;
            fs_err::remove_file(&database)?;
        }
        let seconds = median(&mut times).as_secs_f64();
        say!(
            "8 150 evaluations of 1,070 points of 100 samples: written in {seconds:.1} s (at most \
             {LONGEST_WRITE_SECONDS:.0}), {megabytes:.0} MB (at most {LARGEST_DATABASE_MB:.0})."
        );
        Ok(seconds <= LONGEST_WRITE_SECONDS && megabytes <= LARGEST_DATABASE_MB)
    }
}

fn has_python() -> bool {
    Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success())
}
