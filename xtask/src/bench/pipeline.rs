//! `evaluate` against DuckDB itself, and its memory.
//!
//! The peer is one `read_ndjson ... GROUP BY` over the same files, through the same library.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use rs_fixtures::Scale;

use super::measure::{measure, median};
use super::subjects::{Subject, fixtures, real};
use super::{N_PAIRS, build, n_threads};
use crate::Outcome;
use crate::workspace::Profile;

/// What `evaluate` may use at its peak.
const MEMORY_LIMIT_MB: f64 = 300.0;

/// Times both on real data and on medium fixtures.
pub(super) fn pipeline(folder: &Path) -> Outcome {
    build(&["-p", "evaluate", "-p", "rs-pointsdb", "--bin", "evaluate", "--example", "read_ndjson_peer"])?;
    let mut subjects = Vec::from_iter(real(folder)?);
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

/// Measures the peak on large fixtures.
pub(super) fn memory(folder: &Path) -> Outcome {
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

/// The path of a database that is not there yet.
fn fresh(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    match fs_err::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(path),
    }
}
