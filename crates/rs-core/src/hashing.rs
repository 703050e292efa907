//! BLAKE3 of large files on several threads, in bounded memory and without mapping them: a file that somebody cuts
//! short meanwhile is an error, not a signal.

use fs_err::os::unix::fs::FileExt;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::monitor::Monitor;

/// Bytes that one thread reads and hashes at a time: a power of two, so that it is a subtree of the hash, and small
/// enough to stay in a core's cache between the two.
const GROUP_BYTES: u64 = 1 << 20;

/// BLAKE3 of the first `size_bytes` of a file, on all threads of the current rayon pool, `None` if cancelled. Counts
/// the bytes hashed.
///
/// # Errors
/// The file cannot be read, or is shorter ([`io::ErrorKind::UnexpectedEof`]).
pub(crate) fn hash_range(file: &fs_err::File, size_bytes: u64, monitor: &Monitor) -> io::Result<Option<blake3::Hash>> {
    let n_groups = usize::try_from(size_bytes.div_ceil(GROUP_BYTES)).unwrap_or(usize::MAX);
    if n_groups <= 1 {
        return hash_here(file, size_bytes, monitor);
    }
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results = Mutex::new(Vec::new());
    let work = || -> io::Result<Vec<(usize, ChainingValue)>> {
        let mut done = Vec::new();
        let mut buffer = vec![0; GROUP_BYTES as usize];
        while !monitor.is_cancelled() && !failed.load(Ordering::Relaxed) {
            // In the order of the disk.
            let group = next.fetch_add(1, Ordering::Relaxed);
            if group >= n_groups {
                break;
            }
            let start = group as u64 * GROUP_BYTES;
            let content = &mut buffer[..(size_bytes - start).min(GROUP_BYTES) as usize];
            file.read_exact_at(content, start)?;
            let mut hasher = blake3::Hasher::new();
            done.push((group, hasher.set_input_offset(start).update(content).finalize_non_root()));
            monitor.add(content.len() as u64);
        }
        Ok(done)
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(n_groups) {
            scope.spawn(|_| {
                let result = work();
                failed.fetch_or(result.is_err(), Ordering::Relaxed);
                results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(result);
            });
        }
    });
    let mut groups = Vec::with_capacity(n_groups);
    for result in results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        groups.extend(result?);
    }
    if groups.len() < n_groups {
        return Ok(None);
    }
    groups.sort_unstable_by_key(|(group, _)| *group);
    Ok(Some(merged(groups.into_iter().map(|(_, value)| value).collect())))
}

/// Like [`hash_range`], on this thread alone: for many files, each on a thread of its own.
pub(crate) fn hash_here(file: &fs_err::File, size_bytes: u64, monitor: &Monitor) -> io::Result<Option<blake3::Hash>> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; size_bytes.min(GROUP_BYTES) as usize];
    let mut at = 0;
    while at < size_bytes && !monitor.is_cancelled() {
        let content = &mut buffer[..(size_bytes - at).min(GROUP_BYTES) as usize];
        file.read_exact_at(content, at)?;
        hasher.update(content);
        at += content.len() as u64;
        monitor.add(content.len() as u64);
    }
    Ok((!monitor.is_cancelled()).then(|| hasher.finalize()))
}

/// The root of a tree over at least two subtrees, all but the last of one size: pairs are merged level by level, and
/// one without a partner waits for the next.
fn merged(mut level: Vec<ChainingValue>) -> blake3::Hash {
    while level.len() > 2 {
        let merge = |pair: &[ChainingValue]| match pair {
            [left, right] => merge_subtrees_non_root(left, right, Mode::Hash),
            rest => rest[0],
        };
        level = level.chunks(2).map(merge).collect();
    }
    merge_subtrees_root(&level[0], &level[1], Mode::Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(size_bytes: u64) {
        let content: Vec<u8> = (0..size_bytes).map(|at| (at % 251) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs_err::write(&path, &content).unwrap();
        let monitor = Monitor::default();
        let found = hash_range(&fs_err::File::open(&path).unwrap(), size_bytes, &monitor).unwrap();
        assert_eq!(found, Some(blake3::hash(&content)), "{size_bytes}");
        assert_eq!(monitor.done_bytes.into_inner(), size_bytes);
        let here = hash_here(&fs_err::File::open(&path).unwrap(), size_bytes, &Monitor::default()).unwrap();
        assert_eq!(here, found);
    }

    #[test]
    fn the_same_as_in_one_piece() {
        for groups in 0..=9 {
            for more in [0, 1, 1023, 1024, 1025, GROUP_BYTES - 1] {
                check(groups * GROUP_BYTES + more);
            }
        }
    }

    #[test]
    fn cancelled_and_cut_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs_err::write(&path, vec![0; 3 << 20]).unwrap();
        let file = fs_err::File::open(&path).unwrap();
        let error = hash_range(&file, 4 << 20, &Monitor::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let monitor = Monitor { cancel: std::sync::Arc::new(true.into()), ..Monitor::default() };
        assert_eq!(hash_range(&file, 3 << 20, &monitor).unwrap(), None);
    }
}
