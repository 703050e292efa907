//! Spectra of a batch, half a kilobyte for each prompt, until points are made of them: in a file whose name is removed at
//! once, so that however many there are they take no memory, and whatever ends the process leaves nothing behind.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::forensics::{SPECTRUM_BINS, Spectrum};

const SPECTRUM_BYTES: usize = size_of::<Spectrum>();

/// Spectra by number, from 0.
pub(super) struct Spectra<'a> {
    /// Where the file is; must exist.
    folder: &'a Path,
    /// Made when it is first asked for.
    file: OnceLock<io::Result<File>>,
    /// How many there are.
    count: AtomicU64,
    /// The first failure of all threads.
    failure: OnceLock<io::Error>,
}

impl<'a> Spectra<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder, file: OnceLock::new(), count: AtomicU64::new(0), failure: OnceLock::new() }
    }

    /// Keeps some; returns the number of the first. [`Self::finish`] tells of a failure.
    pub(super) fn append(&self, spectra: &[Spectrum]) -> u64 {
        let first = self.count.fetch_add(spectra.len() as u64, Ordering::Relaxed);
        if spectra.is_empty() || self.has_failed() {
            return first;
        }
        let bytes: Vec<u8> = spectra.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tell(self.file().and_then(|file| file.write_all_at(&bytes, place(first))));
        first
    }

    fn file(&self) -> io::Result<&File> {
        self.file.get_or_init(|| tempfile::tempfile_in(self.folder)).as_ref().map_err(again)
    }

    /// Some that follow one another.
    pub(super) fn read(&self, first: u64, count: usize) -> io::Result<Vec<Spectrum>> {
        let mut bytes = vec![0; count * SPECTRUM_BYTES];
        self.read_bytes(first, &mut bytes)?;
        Ok(bytes.chunks_exact(SPECTRUM_BYTES).map(spectrum_of).collect())
    }

    /// One; `None` if it cannot be read, of which [`Self::finish`] tells.
    pub(super) fn get(&self, number: u64) -> Option<Spectrum> {
        let mut bytes = [0; SPECTRUM_BYTES];
        self.read_bytes(number, &mut bytes).ok()?;
        Some(spectrum_of(&bytes))
    }

    fn read_bytes(&self, first: u64, bytes: &mut [u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let result = self.file().and_then(|file| file.read_exact_at(bytes, place(first)));
        self.tell(result.as_ref().copied().map_err(again));
        result
    }

    /// Whether there is no use in going on.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.get().is_some()
    }

    fn tell(&self, result: io::Result<()>) {
        if let Err(error) = result {
            // Another thread's may be there already.
            let _ = self.failure.set(error);
        }
    }

    /// Tells whether all were kept, and read when they were asked for.
    pub(super) fn finish(self) -> io::Result<()> {
        self.failure.into_inner().map_or(Ok(()), Err)
    }
}

/// The same error: they cannot be cloned.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

fn place(number: u64) -> u64 {
    number.saturating_mul(SPECTRUM_BYTES as u64)
}

/// Of as many bytes as it has.
fn spectrum_of(bytes: &[u8]) -> Spectrum {
    let (values, _) = bytes.as_chunks();
    let mut spectrum = [0.0; SPECTRUM_BINS];
    spectrum.iter_mut().zip(values).for_each(|(value, bytes)| *value = f32::from_le_bytes(*bytes));
    spectrum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(value: f32) -> Spectrum {
        let mut spectrum = [value; SPECTRUM_BINS];
        spectrum[SPECTRUM_BINS - 1] = -value;
        spectrum
    }

    #[test]
    fn spectra_are_found_by_number_in_no_file_that_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let spectra = Spectra::new(folder.path());
        assert_eq!(spectra.append(&[]), 0);
        assert_eq!(spectra.append(&[spectrum(1.0), spectrum(f32::MIN_POSITIVE)]), 0);
        assert_eq!(spectra.append(&[]), 2);
        assert_eq!(spectra.append(&[spectrum(3.0)]), 2);
        assert_eq!(spectra.get(1), Some(spectrum(f32::MIN_POSITIVE)));
        assert_eq!(spectra.read(1, 2).unwrap(), [spectrum(f32::MIN_POSITIVE), spectrum(3.0)]);
        assert!(spectra.read(3, 0).unwrap().is_empty());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
        spectra.finish().unwrap();
    }

    #[test]
    fn what_threads_append_stays_together() {
        let folder = tempfile::tempdir().unwrap();
        let spectra = Spectra::new(folder.path());
        let append = |thread: u8| {
            let own = [spectrum(thread.into()); 3];
            (0..100).for_each(|_| assert_eq!(spectra.read(spectra.append(&own), 3).unwrap(), own));
        };
        std::thread::scope(|scope| (0..4).for_each(|thread| _ = scope.spawn(move || append(thread))));
        spectra.finish().unwrap();
    }

    #[test]
    fn a_failure_is_told_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let none = folder.path().join("none");
        let spectra = Spectra::new(&none);
        assert!(!spectra.has_failed());
        assert_eq!(spectra.append(&[spectrum(1.0)]), 0);
        assert!(spectra.has_failed());
        assert_eq!(spectra.finish().unwrap_err().kind(), io::ErrorKind::NotFound);

        let spectra = Spectra::new(folder.path());
        spectra.append(&[spectrum(1.0)]);
        assert_eq!(spectra.get(1), None, "there is but one");
        assert_eq!(spectra.finish().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
