//! Frames: how many are under way at a time, what needs an order among them, and what zstd says of one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use zstd::zstd_safe;

use super::{ContentHash, Monitor, PackError};

/// Most frames under way at a time. Each takes twice [`FRAME_BYTES`](super::FRAME_BYTES) at worst, so that all stay
/// below 100 MB; so many threads are faster than disks are.
pub(super) const MAX_UNDER_WAY: usize = 5;

/// Most frames in a blob: 8 TiB of input.
pub(super) const MAX_FRAMES: usize = 1 << 20;

/// How many threads work on frames.
pub(super) fn n_workers(n_frames: usize) -> usize {
    rayon::current_num_threads().min(MAX_UNDER_WAY).min(n_frames)
}

pub(super) fn unpoisoned<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

/// Hashes contents that lie in several frames: whoever has the next part takes a turn, whoever has a later one waits.
///
/// Frames are claimed in order and worked on without a pause, so the one that all wait for is always under way.
#[derive(Debug, Default)]
pub(super) struct Turns {
    hashers: Mutex<HashMap<usize, (u64, blake3::Hasher)>>,
    changed: Condvar,
    stopped: AtomicBool,
}

/// What [`Turns::take`] did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// More is to come.
    Taken,
    /// That was the last part.
    Last(ContentHash),
    /// The work has been stopped.
    Stopped,
}

impl Turns {
    /// Adds the part of a member's content that begins at `from`, once all before it has been added.
    pub(super) fn take(&self, member: usize, from: u64, part: &[u8], size_bytes: u64) -> Turn {
        let mut hashers = self.lock();
        if from == 0 {
            hashers.insert(member, (0, blake3::Hasher::new()));
        }
        let mut hasher = loop {
            if self.stopped.load(Ordering::Relaxed) {
                return Turn::Stopped;
            }
            match hashers.get(&member) {
                Some((next, _)) if *next == from => {
                    break hashers.remove(&member).map(|(_, hasher)| hasher).unwrap_or_default();
                }
                _ => hashers = unpoisoned(self.changed.wait(hashers)),
            }
        };
        drop(hashers);
        hasher.update(part);
        let next = from + part.len() as u64;
        if next == size_bytes {
            return Turn::Last(hasher.finalize().into());
        }
        self.lock().insert(member, (next, hasher));
        self.changed.notify_all();
        Turn::Taken
    }

    /// Nobody waits any more.
    fn stop(&self) {
        let hashers = self.lock();
        self.stopped.store(true, Ordering::Relaxed);
        drop(hashers);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, (u64, blake3::Hasher)>> {
        unpoisoned(self.hashers.lock())
    }
}

/// Hands out frames in order, takes back what became of them in any order, and passes that on in order.
pub(super) struct Line<'a, T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    n_frames: usize,
    monitor: &'a Monitor,
    turns: Turns,
}

struct State<T> {
    /// The frame that is handed out next.
    next: usize,
    /// The frame that is passed on next.
    next_out: usize,
    /// Somebody passes frames on.
    passing: bool,
    waiting: HashMap<usize, T>,
    /// The failure of the earliest frame.
    failure: Option<(usize, PackError)>,
}

impl<'a, T: Send> Line<'a, T> {
    /// Works on all frames, on several threads of the current rayon pool: `work` makes something of one with what
    /// `scratch` made for the thread, and `pass_on` gets the results in order, one at a time.
    pub(super) fn run<S>(
        n_frames: usize,
        monitor: &'a Monitor,
        scratch: impl Fn() -> Result<S, PackError> + Sync,
        work: impl Fn(&mut S, usize, &Turns) -> Result<T, PackError> + Sync,
        pass_on: impl FnMut(T) -> Result<(), PackError> + Send,
    ) -> Result<(), PackError> {
        let state = State { next: 0, next_out: 0, passing: false, waiting: HashMap::new(), failure: None };
        let line =
            Self { state: Mutex::new(state), changed: Condvar::new(), n_frames, monitor, turns: Turns::default() };
        let pass_on = Mutex::new(pass_on);
        rayon::scope(|scope| {
            for _ in 0..n_workers(n_frames) {
                scope.spawn(|_| {
                    let _guard = StopOnPanic(&line);
                    let mut made = None;
                    while let Some(frame) = line.claim() {
                        let result = match &mut made {
                            Some(scratch) => work(scratch, frame, &line.turns),
                            None => scratch().and_then(|new| work(made.insert(new), frame, &line.turns)),
                        };
                        line.give_back(frame, result, &pass_on);
                    }
                });
            }
        });
        match unpoisoned(line.state.into_inner()).failure {
            Some((_, error)) => Err(error),
            None if monitor.is_cancelled() => Err(PackError::Cancelled),
            None => Ok(()),
        }
    }

    /// The next frame, once not too many are under way.
    fn claim(&self) -> Option<usize> {
        let most = MAX_UNDER_WAY.min(rayon::current_num_threads() + 2);
        let mut state = unpoisoned(self.state.lock());
        loop {
            if state.failure.is_some() || self.monitor.is_cancelled() || state.next >= self.n_frames {
                return None;
            }
            if state.next - state.next_out < most {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = unpoisoned(self.changed.wait(state));
        }
    }

    fn give_back(
        &self,
        frame: usize,
        result: Result<T, PackError>,
        pass_on: &Mutex<impl FnMut(T) -> Result<(), PackError>>,
    ) {
        let result = match result {
            Ok(result) => result,
            Err(error) => return self.fail(frame, error),
        };
        let mut state = unpoisoned(self.state.lock());
        state.waiting.insert(frame, result);
        if state.passing {
            return;
        }
        state.passing = true;
        loop {
            let frame = state.next_out;
            let Some(result) = state.waiting.remove(&frame) else { break };
            drop(state);
            let passed = (unpoisoned(pass_on.lock()))(result);
            if let Err(error) = passed {
                self.fail(frame, error);
                // `passing` stays: nothing comes after a failure.
                return;
            }
            state = unpoisoned(self.state.lock());
            state.next_out += 1;
            self.changed.notify_all();
        }
        state.passing = false;
    }

    fn fail(&self, frame: usize, error: PackError) {
        let mut state = unpoisoned(self.state.lock());
        // Who was only stopped has nothing to say; of the others the earliest, as if one thread had done it all.
        let is_earliest =
            |(earliest, _): &(usize, PackError)| frame < *earliest && !matches!(error, PackError::Cancelled);
        if state.failure.as_ref().is_none_or(is_earliest) {
            state.failure = Some((frame, error));
        }
        drop(state);
        self.changed.notify_all();
        self.turns.stop();
    }
}

/// Lets nobody wait for a thread that panicked.
struct StopOnPanic<'a, 'b, T: Send>(&'a Line<'b, T>);

impl<T: Send> Drop for StopOnPanic<'_, '_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(0, PackError::Cancelled);
        }
    }
}

/// What the header of a zstd frame says, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Bytes of the header itself.
    pub(crate) header_bytes: usize,
    /// Bytes of the input.
    pub(crate) content_bytes: Option<u64>,
    /// Memory that a decoder must hold.
    pub(super) window_bytes: u64,
    /// Whether a checksum stands at the end.
    pub(crate) has_checksum: bool,
    /// Whether a dictionary is needed.
    pub(super) needs_dictionary: bool,
}

impl FrameHeader {
    /// Reads the header at the start of a frame. `None` if there is none, as at skippable frames.
    pub(crate) fn read(whole: &[u8]) -> Option<Self> {
        let frame = whole.strip_prefix(&zstd_safe::MAGICNUMBER.to_le_bytes())?;
        let (descriptor, rest) = frame.split_first()?;
        let is_single_segment = descriptor & 0x20 != 0;
        let (window, rest) = if is_single_segment { (None, rest) } else { (Some(*rest.first()?), &rest[1..]) };
        let id_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
        let size_bytes = match descriptor >> 6 {
            0 => usize::from(is_single_segment),
            power => 1 << power,
        };
        let size = rest.get(id_bytes..id_bytes + size_bytes)?;
        let mut bytes = [0; 8];
        bytes[..size_bytes].copy_from_slice(size);
        // Two bytes begin where one ends.
        let size = u64::from_le_bytes(bytes) + if size_bytes == 2 { 256 } else { 0 };
        let content_bytes = (size_bytes > 0).then_some(size);
        let window_bytes = match window {
            Some(window) => {
                let base = 1_u64 << (10 + (window >> 3));
                base + base / 8 * u64::from(window & 7)
            }
            None => size,
        };
        Some(Self {
            header_bytes: whole.len() - rest.len() + id_bytes + size_bytes,
            content_bytes,
            window_bytes,
            has_checksum: descriptor & 4 != 0,
            needs_dictionary: descriptor & 3 != 0,
        })
    }
}
