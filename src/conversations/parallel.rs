//! A parallel map over a slice, on as many threads as there are cores.
//!
//! `rayon` would be four more crates, five seconds of processor time in a build and 70 KB of the
//! program, and no faster: every item here takes about as long as the next.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer items are processed before a second thread has started.
const MIN_ITEMS_PER_THREAD: usize = 64;

/// A thread takes this many items at a time. With equal shares for all threads, this one would wait
/// for one that a busy machine starts late; item by item, results would have to be sorted.
const ITEMS_PER_TAKE: usize = 16;

/// The allocator grows the memory of all but the main thread by single pages, with a system call
/// that stops the other threads. It keeps what was allocated once, so a thread allocates this much
/// before each take. A larger piece would be given back at once.
const RESERVED_BYTES: usize = 96 << 10;

/// Calls `action` for each item and returns the results in the order of the items.
pub(super) fn par_map<T: Sync, R: Send>(items: &[T], action: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let worth = items.len().div_ceil(MIN_ITEMS_PER_THREAD);
    // Finding the number of cores reads several files, so do it only for enough items.
    let threads = if worth < 2 {
        1
    } else {
        std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(worth)
    };
    if threads < 2 {
        return items.iter().map(action).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let taken = items.chunks(ITEMS_PER_TAKE).nth(number)?;
        Some((number, taken.iter().map(&action).collect::<Vec<R>>()))
    };
    let mut results = std::thread::scope(|scope| {
        let work = || {
            std::iter::from_fn(|| {
                std::hint::black_box(Vec::<u8>::with_capacity(RESERVED_BYTES));
                take()
            })
            .collect::<Vec<_>>()
        };
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut results: Vec<_> = std::iter::from_fn(take).collect();
        for worker in workers {
            // A panic aborts the process, so no thread returns an error here.
            results.extend(worker.join().unwrap_or_default());
        }
        results
    });
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().flat_map(|(_, taken)| taken).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn par_map_keeps_order() {
        for count in [0, 1, 63, 64, 1000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(
                par_map(&items, |i| i * 2),
                items.iter().map(|i| i * 2).collect::<Vec<_>>()
            );
        }
    }
}
