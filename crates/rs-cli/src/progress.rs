//! Progress on standard error: a bar on a terminal, a line now and then elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Work shorter than this shows nothing.
const SILENCE: Duration = Duration::from_secs(1);
/// Time between two looks at the work.
const TICK: Duration = Duration::from_millis(100);
/// Time between two lines where there is no terminal.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Shows how far some work has come until it is dropped.
#[derive(Default)]
pub struct Progress {
    watcher: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    what: String,
    total_bytes: u64,
    is_live: bool,
}

impl Progress {
    pub(crate) fn hidden() -> Self {
        Self::default()
    }

    pub(crate) fn new(what: &str, total_bytes: u64, is_live: bool) -> Self {
        Self { watcher: None, what: what.to_owned(), total_bytes, is_live }
    }

    /// Watches the work: `done_bytes` is asked ten times a second.
    pub fn watch(&mut self, done_bytes: impl Fn() -> u64 + Send + 'static) {
        if self.what.is_empty() {
            return;
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, what, total_bytes, is_live) =
            (Arc::clone(&is_over), self.what.clone(), self.total_bytes, self.is_live);
        let watcher = std::thread::spawn(move || {
            let started = Instant::now();
            let mut said = started;
            let mut bar = None;
            while !over.load(Ordering::Relaxed) {
                std::thread::park_timeout(TICK);
                if started.elapsed() < SILENCE {
                    continue;
                }
                if is_live {
                    let bar = bar.get_or_insert_with(|| new_bar(&what, total_bytes));
                    let done_bytes = done_bytes();
                    bar.set_prefix(pace(done_bytes, total_bytes, started.elapsed()));
                    bar.set_position(done_bytes);
                } else if said.elapsed() >= HEARTBEAT {
                    said = Instant::now();
                    heartbeat(&what, done_bytes(), total_bytes, started.elapsed());
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        });
        self.watcher = Some((is_over, watcher));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((is_over, watcher)) = self.watcher.take() {
            is_over.store(true, Ordering::Relaxed);
            watcher.thread().unpark();
            // A bar that failed is no reason to fail.
            let _ = watcher.join();
        }
    }
}

fn new_bar(what: &str, total_bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total_bytes), ProgressDrawTarget::stderr());
    let template = "{msg} {bar:30} {decimal_bytes}/{decimal_total_bytes} {prefix}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_message(what.to_owned())
}

#[expect(clippy::print_stderr, reason = "the watcher's thread has no `Ui`; a line goes out whole")]
fn heartbeat(what: &str, done_bytes: u64, total_bytes: u64, elapsed: Duration) {
    let (done, total) = (DecimalBytes(done_bytes), DecimalBytes(total_bytes));
    let pace = pace(done_bytes, total_bytes, elapsed);
    eprintln!("{what}: {done} of {total} after {} s, {pace}", elapsed.as_secs());
}

/// Bytes a second since the work began, and the time that is left if it goes on so: `25.10 MB/s, 3 s left`.
fn pace(done_bytes: u64, total_bytes: u64, elapsed: Duration) -> String {
    let per_second = done_bytes as f64 / elapsed.as_secs_f64();
    let rate = format!("{}/s", DecimalBytes(per_second as u64));
    let left_bytes = total_bytes.saturating_sub(done_bytes);
    if done_bytes == 0 || left_bytes == 0 {
        return rate;
    }
    let left = HumanDuration(Duration::from_secs((left_bytes as f64 / per_second).ceil() as u64));
    format!("{rate}, {left:#} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_over_the_time_that_has_passed() {
        let check = |done, total, seconds, expected| {
            assert_eq!(pace(done, total, Duration::from_millis(seconds)), expected, "{done} of {total}");
        };
        check(2_510_000_000, 25_100_000_000, 1000, "2.51 GB/s, 9s left");
        check(50_000_000, 100_000_000, 2500, "20.00 MB/s, 3s left");
        check(1_000_000, 601_000_000, 1000, "1.00 MB/s, 10m left");
        check(100, 100, 2000, "50 B/s");
        check(0, 100, 2000, "0 B/s");
        // More than was expected.
        check(200, 100, 2000, "100 B/s");
    }
}
