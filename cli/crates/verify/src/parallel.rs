//! Judges independent items, such as the keys of a limit, on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Applies `judge` to each item; results are in the items' order.
pub(super) fn map<I: Sync, R: Send>(items: &[I], judge: impl Fn(&I) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(items.len());
    if threads < 2 {
        return items.iter().map(judge).collect();
    }
    // Items differ in size, so each thread takes the next one as soon as it is idle.
    let next = AtomicUsize::new(0);
    let work = || {
        let mut judged = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { return judged };
            judged.push((number, judge(item)));
        }
    };
    let mut judged: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended.flat_map(|judged| judged.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    judged.sort_unstable_by_key(|(number, _)| *number);
    judged.into_iter().map(|(_, said)| said).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, 2, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = items.iter().map(|item| item * 2).collect();
            assert_eq!(super::map(&items, |item| item * 2), doubled);
        }
    }
}
