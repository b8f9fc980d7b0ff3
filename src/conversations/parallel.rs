//! A parallel map over a slice, on as many threads as there are cores.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Fewer items are processed before a second thread has started.
const MIN_ITEMS_PER_THREAD: usize = 64;

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
    let work = || {
        let mut done = Vec::new();
        while let Some((at, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
        {
            done.push((at, action(item)));
        }
        done
    };
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            // A panic aborts the process, so no thread returns an error here.
            all.extend(other.join().unwrap_or_default());
        }
        all
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, done)| done).collect()
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
