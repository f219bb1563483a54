//! The most that can remain after an admission, by algorithm, given the admissions that are certain.
//!
//! Each admission was decided within `[sent, done]`. A bound is computed for quiet admissions only: requests
//! sent before one of those were decided before it. Admissions whose order is unknown are not counted, which
//! only makes the bounds wider.

use crate::headers::key::HeaderValue;
use saasbench_limiter::{HistoryContext, Promise, Request};
use saasbench_model::{
    scenario::{Algorithm, Estimate, Refill},
    units::Nanos,
};

/// The bounds of one key; must be queried in the order of `sent`.
#[derive(Debug)]
pub(super) struct Bounds<'a> {
    promise: Promise,
    context: &'a HistoryContext,
    /// `sent` of every admission so far, sorted.
    sent: Vec<i64>,
    /// Sums of `sent` before each of them, in seconds.
    sums: Vec<f64>,
    /// The minimum of [`Self::bucket`]'s terms since `forgotten`.
    least: f64,
    /// The store may have lost its state until this instant.
    forgotten: Nanos,
    window: Option<Window>,
}

/// A window, identified by its reset time.
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
        said: Option<&HeaderValue>,
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
        // Whatever came before, this one took one.
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

    /// By how much a span of this length may be off on our clock.
    fn slack(&self, span: Nanos) -> Nanos {
        self.context.tolerance.over(span) + self.context.resolution
    }

    /// Admissions before the last one that were sent after `instant`, and after the store can have lost its
    /// state.
    fn earlier_since(&self, instant: Nanos) -> std::ops::Range<usize> {
        let instant = instant.max(self.forgotten).0;
        let last = self.sent.len() - 1;
        self.sent[..last].partition_point(|sent| *sent <= instant)..last
    }

    /// The log holds every admission of the last window: all that were sent later than `done − W + slack`
    /// were decided less than W before.
    fn log(&self, admission: &Request) -> (u64, String) {
        let window = self.promise.quota.window;
        let held = 1 + self.earlier_since(admission.done - window + self.slack(window)).len() as u64;
        let because = format!("{held} were admitted in the window before");
        (self.promise.quota.limit.saturating_sub(held), because)
    }

    /// Each admission of age `a < W` has a weight of at least `1 − a/W`, wherever windows start: in the
    /// current window its weight is 1; in the previous one it is `1 − e/W`, where `e`, the time since that
    /// window ended, is at most `a`. The age is at most `done − sent + slack`. A floored estimate may be
    /// smaller by less than one.
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
        // Rounding of the sums is far below this.
        let left = (self.promise.quota.limit as f64 - held + 1e-6).floor().max(0.0);
        (left as u64, because)
    }

    /// Before the j-th admission the bucket held at most B; since then `n` tokens were taken, and at most ρ
    /// times the time from its `sent` to this one's `done` were refilled, as long as the store kept its
    /// state. The minimum over all j counts; it is carried along as `j − ρ·sent`. The clocks' disagreement
    /// grows with the span, so it is included in ρ.
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

    /// Responses with the same reset time belong to one window, because the ends of two windows are W apart:
    /// half of that separates them if it exceeds what rounding and clocks can do to a stated instant. Each
    /// admission of a window takes one of the quota, and one of the stated remainder.
    fn in_window(&mut self, admission: &Request, said: Option<&HeaderValue>) -> Option<(u64, String)> {
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
