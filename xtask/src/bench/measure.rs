//! How long programs run, and how much memory they take.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::N_PAIRS;
use crate::process::{self, ProcessError};

/// How long a program ran, and its peak resident memory (0 where `/proc` is missing).
pub(super) struct Measured {
    pub(super) wall: Duration,
    pub(super) peak_bytes: u64,
}

/// Runs a program to its end, which must be a good one; what it prints is nobody's.
pub(super) fn measure(command: &mut Command) -> Result<Measured, ProcessError> {
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

/// What comparing one command with its peer gave: medians.
pub(super) struct Figures {
    pub(super) own: Duration,
    pub(super) peer: Duration,
    /// Of the command, in any run.
    pub(super) peak_bytes: u64,
}

/// Runs both in turns, each as it is made, so that whatever else the machine does hits both.
pub(super) fn compare(
    mut own: impl FnMut() -> io::Result<Command>,
    mut peer: impl FnMut() -> io::Result<Command>,
) -> Result<Figures, Box<dyn std::error::Error>> {
    let (mut own_times, mut peer_times, mut peak_bytes) = (Vec::new(), Vec::new(), 0);
    for pair in 0..=N_PAIRS {
        let ours = measure(&mut own()?)?;
        let theirs = measure(&mut peer()?)?;
        peak_bytes = peak_bytes.max(ours.peak_bytes);
        if pair > 0 {
            own_times.push(ours.wall);
            peer_times.push(theirs.wall);
        }
    }
    Ok(Figures { own: median(&mut own_times), peer: median(&mut peer_times), peak_bytes })
}

/// What a shell does, with these words as `$1`, `$2` and so on.
pub(super) fn shell(script: &str, words: &[&Path]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).args(words);
    command
}

/// The high-water mark of a process's resident memory, which only ever rises.
fn peak_of(status_file: &Path) -> Option<u64> {
    let status = fs_err::read_to_string(status_file).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The middle one.
pub(super) fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
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
