//! Since when a worker has been busy without a pause. A response that arrives meanwhile is read when its turn
//! comes; how long it lay there is unknown, and the generator's own.

use std::cell::Cell;

use tokio::runtime::Builder;

use crate::clock::RunClock;
use saasbench_model::units::Nanos;

thread_local! {
    /// When this thread last woke up; `None` on a thread whose runtime does not say.
    static WOKE: Cell<Option<Nanos>> = const { Cell::new(None) };
}

/// Makes the thread of a runtime note when it wakes up. Counts as awake from now on.
pub fn note(builder: &mut Builder, clock: RunClock) {
    WOKE.set(Some(clock.now()));
    builder.on_thread_unpark(move || WOKE.set(Some(clock.now())));
}

/// How much of the time from `written` to `done`, now, the worker may have been busy with other things,
/// although the response was there. It was not there when the worker last had nothing to do.
pub fn since(written: Nanos, done: Nanos) -> Nanos {
    WOKE.get().map_or(Nanos::ZERO, |woke| (done - woke.max(written)).max(Nanos::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_was_idle_meanwhile_kept_nobody_waiting_before_it_woke() {
        let at = Nanos::from_millis;
        assert_eq!(since(at(10), at(90)), Nanos::ZERO, "nothing is known");
        WOKE.set(Some(at(80)));
        assert_eq!(since(at(10), at(90)), at(10));
        WOKE.set(Some(at(5)));
        assert_eq!(since(at(10), at(90)), at(80), "busy since before it was sent");
        WOKE.set(None);
    }

    #[test]
    fn a_runtime_notes_when_it_wakes() {
        let mut builder = Builder::new_current_thread();
        let clock = RunClock::start();
        note(&mut builder, clock);
        let runtime = builder.enable_all().build().unwrap();
        let before = WOKE.get().unwrap();
        runtime.block_on(async {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            assert!(WOKE.get().unwrap() > before);
        });
        WOKE.set(None);
    }
}
