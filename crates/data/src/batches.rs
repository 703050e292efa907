//! Work on many things of very different sizes: on all threads, batch by batch, and while what came of one batch is
//! brought to the disk for good, the next is worked on.

use std::sync::mpsc;

use rayon::prelude::*;
use rs_core::pack::FRAME_BYTES;

/// A batch ends where it has so many bytes, or so many things: each keeps files open.
const MAX_BYTES: u64 = 64 << 20;
const MAX_THINGS: usize = 128;

/// Works on items and settles what came of them. Both get whole batches, in order, and give one result for each item;
/// so does this.
pub(crate) fn in_batches<T: Sync, U: Send, R: Send>(
    items: &[T],
    bytes_of: impl Fn(&T) -> u64,
    work: impl Fn(&[T]) -> Vec<U>,
    mut settle: impl FnMut(Vec<U>) -> Vec<R> + Send,
) -> Vec<R> {
    // One batch waits at most: what waits is not safe yet.
    let (sender, receiver) = mpsc::sync_channel::<Vec<U>>(1);
    std::thread::scope(|scope| {
        let settling = scope.spawn(move || receiver.iter().flat_map(&mut settle).collect());
        let mut rest = items;
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(length_of_batch(rest, &bytes_of));
            rest = others;
            if sender.send(work(batch)).is_err() {
                break;
            }
        }
        drop(sender);
        settling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// How many of the first items make a batch: at least one.
fn length_of_batch<T>(items: &[T], bytes_of: &impl Fn(&T) -> u64) -> usize {
    let mut bytes = 0_u64;
    for (position, item) in items.iter().enumerate().take(MAX_THINGS) {
        bytes = bytes.saturating_add(bytes_of(item));
        if bytes >= MAX_BYTES {
            return position + 1;
        }
    }
    items.len().min(MAX_THINGS)
}

/// Works on each item of a batch: large ones one after the other, each on all threads, small ones side by side.
pub(crate) fn each<T: Sync, U: Send>(
    batch: &[T],
    bytes_of: impl Fn(&T) -> u64 + Sync,
    work: impl Fn(&T) -> U + Sync,
) -> Vec<U> {
    let is_large = |item: &&T| bytes_of(item) > FRAME_BYTES;
    let mut large: std::vec::IntoIter<U> = batch.iter().filter(is_large).map(&work).collect::<Vec<_>>().into_iter();
    let small: Vec<Option<U>> = batch.par_iter().map(|item| (!is_large(&item)).then(|| work(item))).collect();
    small.into_iter().filter_map(|done| done.or_else(|| large.next())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order() {
        for n_items in [0, 1, 127, 128, 129, 1000] {
            let items: Vec<u64> = (0..n_items).map(|item| item * 300_000).collect();
            let work = |batch: &[u64]| {
                assert!((1..=MAX_THINGS).contains(&batch.len()));
                each(batch, |bytes| *bytes, |bytes| bytes + 1)
            };
            let mut n_settled = 0;
            let settle = |batch: Vec<u64>| {
                n_settled += batch.len();
                batch.into_iter().map(|bytes| bytes + 1).collect()
            };
            let found = in_batches(&items, |bytes| *bytes, work, settle);
            assert_eq!(found, items.iter().map(|bytes| bytes + 2).collect::<Vec<_>>());
            assert_eq!(n_settled, items.len());
        }
    }

    #[test]
    fn batches_end_at_bytes_or_things() {
        let length = |items: &[u64]| length_of_batch(items, &|bytes| *bytes);
        assert_eq!(length(&[u64::MAX, u64::MAX]), 1);
        assert_eq!(length(&[1, MAX_BYTES - 1, 1]), 2);
        assert_eq!(length(&[1, 1, 1]), 3);
        assert_eq!(length(&[0; 1000]), MAX_THINGS);
    }
}
