//! The token bucket (equivalent to GCRA): it holds at most B tokens, is full at first, and is refilled by ρ =
//! limit/window tokens per nanosecond. A request is admitted if there is a whole token, and takes it; a
//! rejection takes nothing.
//!
//! **Time.** The limiter reads its own clock, in ticks: for a span x of ours it measures `x·(1 ± δ) ± σ`,
//! where σ is the clocks' offset plus one tick. If tokens are refilled in steps, the step is one more tick.
//! Over consecutive spans σ applies only once in all, because each reading by itself is off by no more.
//!
//! **Over-admission** and **wrong rejections** are proven in `grants` and in `level`.

mod grants;
mod level;

use super::{
    HistoryContext, Judgement, Request,
    history::{History, Lifetime},
};
use saasbench_model::{
    scenario::Refill,
    units::{Nanos, Quota},
};

/// Greater quotas and bursts would overflow the arithmetic, and are beyond realistic promises.
const MOST_TOKENS: u64 = 1 << 40;

/// Judges the history of one key, sorted by `sent`, in O(n log n). `burst` is the bucket's capacity, if it is
/// not the quota's limit.
pub fn judge(
    requests: &[Request],
    quota: Quota,
    burst: Option<u64>,
    refill: Refill,
    context: &HistoryContext,
) -> Judgement {
    let history = History::new(requests, context);
    let bucket = Bucket::new(quota, burst, refill, context);
    let from_empty = Nanos(bucket.time_to_gain(bucket.size));
    let mut judgement = history.judgement(Lifetime::of(from_empty, context), false, context);
    if quota.limit == 0 || quota.limit.max(bucket.size) > MOST_TOKENS || quota.window.0 <= 0 {
        return judgement;
    }
    judgement.violations.extend(bucket.over_admission(&history, context));
    let wrong = bucket.wrong_rejections(&history, context);
    if context.has_other_limits() {
        judgement.wrong_rejections = wrong.iter().map(|(request, _)| request.id).collect();
    } else {
        judgement.violations.extend(bucket.wrong_rejection(&history, &wrong, context));
    }
    judgement
}

/// Levels are integers: a token is worth the window's nanoseconds, and each nanosecond adds `limit`.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    quota: Quota,
    /// Capacity in tokens.
    size: u64,
    /// σ, in nanoseconds.
    slack: i64,
    /// By how much a reading can lie before an earlier one, on another replica's clock.
    back: i64,
    /// δ.
    drift: f64,
}

impl Bucket {
    fn new(quota: Quota, burst: Option<u64>, refill: Refill, context: &HistoryContext) -> Self {
        let drift = context.tolerance.drift.clamp(0.0, 0.5);
        let step = match refill {
            Refill::Continuous => 0,
            Refill::Steps(step) => step.0.max(0),
        };
        // Instants by a faster or slower clock are rounded to nanoseconds: their spans are off by at most
        // two.
        let rounding = if drift > 0.0 { 2 } else { 0 };
        let parts = [context.tolerance.offset.0, context.resolution.0, step, rounding];
        let slack = parts.into_iter().fold(0, |sum: i64, part| sum.saturating_add(part.max(0)));
        let offset = context.tolerance.offset.0;
        let back = if offset > 0 { offset.saturating_add(context.resolution.0.max(0)) } else { 0 };
        Self { quota, size: burst.unwrap_or(quota.limit), slack, back, drift }
    }

    /// Value of this many tokens.
    fn tokens(&self, count: u64) -> i128 {
        i128::from(count) * i128::from(self.quota.window.0)
    }

    /// What is refilled in this many nanoseconds of the limiter's clock.
    fn gain(&self, span: i64) -> i128 {
        i128::from(span) * i128::from(self.quota.limit)
    }

    /// How long refilling this many tokens takes, rounded up.
    fn time_to_gain(&self, count: u64) -> i64 {
        let time = self.tokens(count).saturating_add(i128::from(self.quota.limit.max(1)) - 1);
        i64::try_from(time / i128::from(self.quota.limit.max(1))).unwrap_or(i64::MAX)
    }

    /// This instant by the fastest clock within the tolerance; its spans are off by less than the slack.
    fn fast(&self, instant: i64) -> i64 {
        instant.saturating_add(self.drifted(instant))
    }

    /// This instant by the slowest clock within the tolerance.
    fn slow(&self, instant: i64) -> i64 {
        instant.saturating_sub(self.drifted(instant))
    }

    fn drifted(&self, instant: i64) -> i64 {
        if self.drift > 0.0 { (instant as f64 * self.drift).floor() as i64 } else { 0 }
    }

    /// Formats a level: `8.330`.
    fn in_tokens(&self, level: i128, round: Round) -> String {
        let add = match round {
            Round::Up => self.tokens(1) - 1,
            Round::Down => 0,
        };
        let thousandths = (level.max(0) * 1000 + add) / self.tokens(1).max(1);
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    }

    /// Describes the bucket: `a bucket of 8 that gains 0.8 a second`.
    fn described(&self) -> String {
        let rate = self.quota.limit as f64 / self.quota.window.as_secs_f64();
        format!("a bucket of {} that gains {} a second", self.size, rounded(rate))
    }
}

/// Direction in which a level is rounded.
#[derive(Debug, Clone, Copy)]
enum Round {
    Up,
    Down,
}

/// Formats with four decimals, if needed.
fn rounded(value: f64) -> String {
    let digits = if value >= 100.0 { 1 } else { 4 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
