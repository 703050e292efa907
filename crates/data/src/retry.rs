//! When to try again: pauses that double, each cut by chance so that many clients do not come back at once.

use std::time::{Duration, Instant};

use crate::remote::Options;
use rs_core::monitor::Monitor;

/// Time between two looks at the monitor.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Tries in a row that gained nothing.
#[derive(Debug)]
pub(crate) struct Patience<'a> {
    options: &'a Options,
    n_failed: u32,
}

/// What comes after a failed try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another try, after the pause that was made.
    Again,
    /// There were enough.
    GiveUp,
    /// The work is to stop.
    Stopped,
}

impl<'a> Patience<'a> {
    pub(crate) fn new(options: &'a Options) -> Self {
        Self { options, n_failed: 0 }
    }

    /// Something was gained: all tries are there again.
    pub(crate) fn renew(&mut self) {
        self.n_failed = 0;
    }

    /// Pauses after a failed try, for as long as the server asks within reason.
    pub(crate) fn pause(&mut self, retry_after: Option<Duration>, monitor: &Monitor) -> Next {
        self.n_failed += 1;
        if self.n_failed > self.options.n_retries {
            return Next::GiveUp;
        }
        let until = Instant::now() + self.length(retry_after, 0.5 + 0.5 * fastrand::f64());
        loop {
            if monitor.is_cancelled() {
                return Next::Stopped;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Again;
            }
            std::thread::sleep(left.min(TICK));
        }
    }

    /// The pause after `n_failed` tries; `part` of the longest it may be.
    fn length(&self, retry_after: Option<Duration>, part: f64) -> Duration {
        let doubled = self.options.first_pause.saturating_mul(1 << self.n_failed.saturating_sub(1).min(16));
        let usual = doubled.min(self.options.longest_pause).mul_f64(part);
        usual.max(retry_after.unwrap_or_default()).min(self.options.longest_pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let second = Duration::from_secs(1);
        let options = Options { n_retries: 3, first_pause: second, longest_pause: 5 * second, ..Options::default() };
        let lengths = |retry_after| {
            (1..=5)
                .map(|n_failed| Patience { options: &options, n_failed }.length(retry_after, 1.0).as_secs())
                .collect()
        };
        let usual: Vec<u64> = lengths(None);
        assert_eq!(usual, [1, 2, 4, 5, 5]);
        let asked: Vec<u64> = lengths(Some(3 * second));
        assert_eq!(asked, [3, 3, 4, 5, 5]);
        let asked: Vec<u64> = lengths(Some(3600 * second));
        assert_eq!(asked, [5; 5], "no longer than the longest");
    }

    #[test]
    fn tries_are_counted() {
        let options = Options { n_retries: 2, first_pause: Duration::ZERO, ..Options::default() };
        let (mut patience, monitor) = (Patience::new(&options), Monitor::default());
        let mut next = || patience.pause(None, &monitor);
        assert_eq!([next(), next(), next()], [Next::Again, Next::Again, Next::GiveUp]);
        patience.renew();
        assert_eq!(patience.pause(None, &monitor), Next::Again);
        monitor.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(patience.pause(None, &monitor), Next::Stopped);
    }
}
