//! The longest that a request may take: it stands still while the generator does, so that a timeout proves that
//! the service had all of its time.

use std::{pin::Pin, sync::Arc};

use tokio::time::{Instant, timeout_at};

use super::stall_log::StallLog;
use crate::clock::RunClock;
use saasbench_model::units::Nanos;
use saasbench_record::stall::Stalls;

/// How far behind the meter of stalls may be to be asked; it ticks every millisecond.
const LAG: Nanos = Nanos::from_millis(2);
/// A meter that is behind by more has ended, and is not waited for.
const ENDED: Nanos = Nanos::from_secs(1);

/// The timeout of requests.
#[derive(Debug, Clone)]
pub struct ResponseTimeout {
    length: Nanos,
    clock: RunClock,
    /// Without it the timeout does not know of stalls.
    stalls: Option<Arc<StallLog>>,
}

impl ResponseTimeout {
    /// Requests may take `length`, connecting included.
    pub fn new(length: Nanos, clock: RunClock) -> Self {
        Self { length, clock, stalls: None }
    }

    /// The same, and the share of these stalls in addition.
    #[must_use]
    pub fn with_stalls(self, stalls: Arc<StallLog>) -> Self {
        Self { stalls: Some(stalls), ..self }
    }

    /// When a request that is sent at an instant has taken this long, if the generator does not stall.
    pub fn deadline(&self, sent: Nanos) -> Instant {
        self.clock.instant(sent + self.length)
    }

    /// Goes on with `work`, whose deadline has passed, for as long as the generator's stalls account for.
    /// `None` if it has had all of its time. What has arrived is read first.
    pub async fn beyond<T>(&self, sent: Nanos, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        while let Some(at) = self.later(sent) {
            if let Ok(output) = timeout_at(at, work.as_mut()).await {
                return Some(output);
            }
        }
        None
    }

    /// For how much of a span that began with sending the generator's stalls account.
    pub fn share(&self, from: Nanos, to: Nanos) -> Nanos {
        let log = self.stalls.as_deref();
        log.map_or(Nanos::ZERO, |log| log.all(|stalls| Stalls::new(stalls).share(from, to)))
    }

    /// The deadline with the stalls so far, if it has not passed.
    fn later(&self, sent: Nanos) -> Option<Instant> {
        let (log, now) = (self.stalls.as_deref()?, self.clock.now());
        let behind = now - log.known_until();
        let end = if behind > LAG && behind < ENDED {
            // A stall that has just ended may not be known yet.
            now + Nanos::from_millis(1)
        } else {
            sent + self.length + log.all(|stalls| Stalls::new(stalls).share(sent, now))
        };
        (now < end).then(|| self.clock.instant(end))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, pin::pin, time::Duration};

    use super::*;
    use saasbench_record::stall::{Cause, Stall};

    /// How long a request that is sent at once is waited for, with these stalls by start and length (ms).
    async fn waited(stalls: &[(i64, i64)]) -> Nanos {
        let clock = RunClock::start();
        let log = Arc::new(StallLog::default());
        for (from, length) in stalls {
            let [from_ns, to_ns] = [*from, from + length].map(Nanos::from_millis);
            log.add(&Stall { from_ns, to_ns, cause: Cause::Stopped, drained_ns: Some(to_ns) });
        }
        log.complete_until(Nanos::from_secs(100));
        let timeout = ResponseTimeout::new(Nanos::from_secs(4), clock).with_stalls(log);
        let sent = clock.now();
        tokio::time::sleep_until(timeout.deadline(sent)).await;
        assert_eq!(timeout.beyond(sent, pin!(pending::<()>())).await, None);
        clock.now() - sent
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_stands_still_with_the_generator() {
        let waits = [
            waited(&[]).await,
            waited(&[(1_000, 300)]).await,
            waited(&[(1_000, 300), (2_000, 12), (3_000, 4), (4_100, 100), (9_000, 100)]).await,
        ];
        let rounded = waits.map(|waited| (waited.0 + 500_000) / 1_000_000);
        assert_eq!(rounded, [4_000, 4_300, 4_412]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_arrived_meanwhile_is_read() {
        let clock = RunClock::start();
        let log = Arc::new(StallLog::default());
        let timeout = ResponseTimeout::new(Nanos::from_secs(1), clock).with_stalls(Arc::clone(&log));
        let work = tokio::time::sleep(Duration::from_millis(1_200));
        let sent = clock.now();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let [from_ns, to_ns] = [200, 500].map(Nanos::from_millis);
        log.add(&Stall { from_ns, to_ns, cause: Cause::Stopped, drained_ns: None });
        log.complete_until(Nanos::from_secs(100));
        assert_eq!(timeout.beyond(sent, pin!(work)).await, Some(()));
    }
}
