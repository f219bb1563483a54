//! The most that can remain after an admission, by algorithm, given the admissions that are certain.
//!
//! Of each admission it is known that it was decided in `[sent, done]`. A bound is asked for quiet ones: then those sent
//! before were decided before. One whose order is not known is left out of counts, which only widens them.

use crate::headers::key::Said;
use saasbench_limiter::{HistoryContext, Promise, Request};
use saasbench_model::{
    scenario::{Algorithm, Estimate, Refill},
    units::Nanos,
};

/// The bounds of one key, asked in the order of `sent`.
#[derive(Debug)]
pub(super) struct Bounds<'a> {
    promise: Promise,
    context: &'a HistoryContext,
    /// `sent` of every admission so far, rising.
    sent: Vec<i64>,
    /// Sums of `sent` before each of them, in seconds.
    sums: Vec<f64>,
    /// Least of [`Self::bucket`]'s terms since `forgotten`.
    least: f64,
    /// The store may have lost its memory until this instant.
    forgotten: Nanos,
    window: Option<Window>,
}

/// A window known by when it ends.
#[derive(Debug, Clone, Copy)]
struct Window {
    reset: f64,
    since: Nanos,
    admitted: u64,
    least: u64,
}

impl<'a> Bounds<'a> {
    pub(super) fn new(promise: Promise, context: &'a HistoryContext) -> Self {
        Self {
            promise,
            context,
            sent: Vec::new(),
            sums: vec![0.0],
            least: f64::INFINITY,
            forgotten: Nanos(i64::MIN),
            window: None,
        }
    }

    /// The most that can remain after `admission`, and why; `None` if it is not quiet.
    pub(super) fn after(
        &mut self,
        admission: &Request,
        said: Option<&Said>,
        quiet: bool,
    ) -> Option<(u64, String)> {
        let losses = self.context.memory_losses.iter().filter(|(from, _)| *from <= admission.done);
        let forgotten = losses.map(|(_, to)| *to).fold(self.forgotten, Nanos::max);
        if forgotten > self.forgotten {
            (self.forgotten, self.least) = (forgotten, f64::INFINITY);
        }
        self.sent.push(admission.sent.0);
        self.sums.push(self.sums.last().copied().unwrap_or_default() + admission.sent.as_secs_f64());
        let by_bucket = self.bucket(admission);
        if !quiet {
            return None;
        }
        // Whatever came before: this one took one.
        let most = (self.capacity().saturating_sub(1), "this request is one of them".to_owned());
        let counted = match self.promise.algorithm {
            Algorithm::FixedWindow | Algorithm::AlignedWindow => self.in_window(admission, said),
            Algorithm::SlidingLog => Some(self.log(admission)),
            Algorithm::SlidingCounter { estimate, .. } => Some(self.counter(admission, estimate)),
            Algorithm::TokenBucket { .. } => Some(by_bucket),
        };
        Some(counted.into_iter().fold(most, |most, counted| if counted.0 < most.0 { counted } else { most }))
    }

    fn capacity(&self) -> u64 {
        match self.promise.algorithm {
            Algorithm::TokenBucket { burst: Some(burst), .. } => burst,
            _ => self.promise.quota.limit,
        }
    }

    /// What a span of this length may be off by on our clock.
    fn slack(&self, span: Nanos) -> Nanos {
        self.context.tolerance.over(span) + self.context.resolution
    }

    /// Admissions before the last one that were sent after `instant`, and after the store can have forgotten.
    fn earlier_since(&self, instant: Nanos) -> std::ops::Range<usize> {
        let instant = instant.max(self.forgotten).0;
        let last = self.sent.len() - 1;
        self.sent[..last].partition_point(|sent| *sent <= instant)..last
    }

    /// The log holds every admission of the last window: all that were sent later than `done − W + slack` were decided less
    /// than W before.
    fn log(&self, admission: &Request) -> (u64, String) {
        let window = self.promise.quota.window;
        let held = 1 + self.earlier_since(admission.done - window + self.slack(window)).len() as u64;
        let because = format!("{held} were admitted in the window before");
        (self.promise.quota.limit.saturating_sub(held), because)
    }

    /// Each admission of age `a < W` is counted with `1 − a/W` at least, wherever windows begin: in the current window it is
    /// counted whole; in the one before with `1 − e/W`, `e` being the time since that ended, which is not longer than `a`.
    /// The age is at most `done − sent + slack`. A floored estimate may be smaller by less than one.
    fn counter(&self, admission: &Request, estimate: Estimate) -> (u64, String) {
        let window = self.promise.quota.window;
        let slack = self.slack(window);
        let counted = self.earlier_since(admission.done - window + slack);
        let sum = self.sums[counted.end] - self.sums[counted.start];
        let latest = (admission.done + slack).as_secs_f64();
        let ages = (latest * counted.len() as f64 - sum) / window.as_secs_f64();
        let floored = if estimate == Estimate::Floored { 1.0 } else { 0.0 };
        let held = 1.0 + (counted.len() as f64 - ages - floored).max(0.0);
        let because = format!("at least {held:.2} are counted");
        // Sums of floats are exact to far less than this.
        let left = (self.promise.quota.limit as f64 - held + 1e-6).floor().max(0.0);
        (left as u64, because)
    }

    /// Before the j-th admission the bucket held B at most; since then `n` were taken, and at most ρ times the time from
    /// its `sent` to this one's `done` has come back, as long as the store kept its memory. The least over all j counts:
    /// it is carried along as `j − ρ·sent`. A clock's disagreement grows with the span, so it stands in ρ, too.
    fn bucket(&mut self, admission: &Request) -> (u64, String) {
        let Algorithm::TokenBucket { refill, .. } = self.promise.algorithm else {
            return (u64::MAX, String::new());
        };
        let rank = self.sent.len() as f64;
        let rate = self.promise.quota.limit as f64 / self.promise.quota.window.as_secs_f64();
        let drift = self.context.tolerance.drift.clamp(0.0, 0.5);
        let stretched = rate / (1.0 - drift);
        if admission.sent > self.forgotten {
            self.least = self.least.min(rank - stretched * admission.sent.as_secs_f64());
        }
        let step = match refill {
            Refill::Continuous => Nanos::ZERO,
            Refill::Steps(step) => step,
        };
        let extra = rate * (self.slack(Nanos::ZERO) + step).as_secs_f64();
        let come_back = stretched * admission.done.as_secs_f64() + extra;
        let left = self.capacity() as f64 - 1.0 - rank + self.least + come_back;
        if !left.is_finite() {
            return (u64::MAX, String::new());
        }
        ((left + 1e-6).floor().max(0.0) as u64, "more cannot have been refilled".to_owned())
    }

    /// Requests that were reported the same end belong to one window, because the ends of two are W apart: half of it tells
    /// them apart if it is longer than what rounding and clocks can do to a stated instant. Each admission of a window takes
    /// one of the quota, and one of what was said to remain.
    fn in_window(&mut self, admission: &Request, said: Option<&Said>) -> Option<(u64, String)> {
        let quota = self.promise.quota;
        let half = quota.window.as_secs_f64() / 2.0;
        let blur = 1.0 + 2.0 * self.slack(quota.window).as_secs_f64();
        let reset = said?.reset()?;
        let now = (self.context.unix_zero + admission.done).as_secs_f64();
        let is_instant = (reset - now).abs() <= quota.window.as_secs_f64() + blur;
        if half <= blur || !is_instant {
            return None;
        }
        let same =
            self.window.filter(|window| (window.reset - reset).abs() < half && window.since > self.forgotten);
        let fresh = Window { reset, since: admission.sent, admitted: 0, least: u64::MAX };
        let mut window = same.unwrap_or(fresh);
        window.admitted += 1;
        let by_count = quota.limit.saturating_sub(window.admitted);
        let by_last = window.least.saturating_sub(1);
        let most = if by_last < by_count {
            (by_last, format!("the one before in this window said {}", window.least))
        } else {
            (by_count, format!("{} were admitted in this window", window.admitted))
        };
        window.least = said?.remaining().map_or(by_last, |left| by_last.min(left.into()));
        self.window = Some(window);
        Some(most)
    }
}
