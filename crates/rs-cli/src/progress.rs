//! Progress on standard error: a bar on a terminal, a line now and then elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

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
                    bar.set_position(done_bytes());
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
    let template = "{msg} {bar:30} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_message(what.to_owned())
}

#[expect(clippy::print_stderr, reason = "the watcher's thread has no `Ui`; a line goes out whole")]
fn heartbeat(what: &str, done_bytes: u64, total_bytes: u64, elapsed: Duration) {
    let (done, total) = (DecimalBytes(done_bytes), DecimalBytes(total_bytes));
    eprintln!("{what}: {done} of {total} after {} s", elapsed.as_secs());
}
