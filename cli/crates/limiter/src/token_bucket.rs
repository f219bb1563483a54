//! The token bucket (GCRA is the same): it holds B tokens at most, is full at first, and gains ρ =
//! limit/window of them a nanosecond. A request is admitted if a whole token is there, and takes it; a
//! rejection takes nothing.
//!
//! **Time.** The limiter reads its own clock, in ticks: of a span x of ours it measures `x·(1 ± δ) ± σ`, σ
//! being the clocks' offset and one tick. Where tokens come in steps their clock ticks once a step: the step
//! is one more tick. Over many spans in a row σ is lost or won only once, because each reading by itself is
//! off by no more.
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

/// Greater quotas and bursts are beyond the arithmetic, and beyond what anyone promises.
const MOST_TOKENS: u64 = 1 << 40;

/// Judges the history of one key, sorted by `sent`, in O(n log n). `burst`: the bucket's size, if not the
/// quota.
pub fn judge(
    requests: &[Request],
    quota: Quota,
    burst: Option<u64>,
    refill: Refill,
    context: &HistoryContext,
) -> Judgement {
    let history = History::new(requests);
    let bucket = Bucket::new(quota, burst, refill, context);
    let from_empty = Nanos(bucket.time_to_gain(bucket.size));
    let mut judgement = history.judgement(Lifetime::of(from_empty, context), context);
    if quota.limit == 0 || quota.limit.max(bucket.size) > MOST_TOKENS || quota.window.0 <= 0 {
        return judgement;
    }
    judgement.violations.extend(bucket.over_admission(&history, context));
    let wrong = bucket.wrong_rejections(&history, context);
    if context.other_limits {
        judgement.wrong_rejections = wrong.iter().map(|(request, _)| request.id).collect();
    } else {
        judgement.violations.extend(bucket.wrong_rejection(&history, &wrong, context));
    }
    judgement
}

/// Levels are whole numbers: a token is worth the window's nanoseconds, and a nanosecond brings `limit` of
/// it.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    quota: Quota,
    /// Tokens in a full bucket.
    size: u64,
    /// σ, in nanoseconds.
    slack: i64,
    /// How far a reading can lie before an earlier one, on another replica's clock.
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
        // Instants by a faster or slower clock are rounded to nanoseconds: a span of them is off by two at
        // most.
        let rounding = if drift > 0.0 { 2 } else { 0 };
        let parts = [context.tolerance.offset.0, context.resolution.0, step, rounding];
        let slack = parts.into_iter().fold(0, |sum: i64, part| sum.saturating_add(part.max(0)));
        let offset = context.tolerance.offset.0;
        let back = if offset > 0 { offset.saturating_add(context.resolution.0.max(0)) } else { 0 };
        Self { quota, size: burst.unwrap_or(quota.limit), slack, back, drift }
    }

    /// Worth of this many tokens.
    fn tokens(&self, count: u64) -> i128 {
        i128::from(count) * i128::from(self.quota.window.0)
    }

    /// What comes in this many nanoseconds of the limiter's clock.
    fn gain(&self, span: i64) -> i128 {
        i128::from(span) * i128::from(self.quota.limit)
    }

    /// How long it takes to gain this many tokens, rounded up.
    fn time_to_gain(&self, count: u64) -> i64 {
        let time = self.tokens(count).saturating_add(i128::from(self.quota.limit.max(1)) - 1);
        i64::try_from(time / i128::from(self.quota.limit.max(1))).unwrap_or(i64::MAX)
    }

    /// This instant by the fastest clock that the tolerance permits; spans are off by less than the slack
    /// grants.
    fn fast(&self, instant: i64) -> i64 {
        instant.saturating_add(self.drifted(instant))
    }

    /// By the slowest one.
    fn slow(&self, instant: i64) -> i64 {
        instant.saturating_sub(self.drifted(instant))
    }

    fn drifted(&self, instant: i64) -> i64 {
        if self.drift > 0.0 { (instant as f64 * self.drift).floor() as i64 } else { 0 }
    }

    /// A level for a sentence: `8.330`.
    fn in_tokens(&self, level: i128, round: Round) -> String {
        let add = match round {
            Round::Up => self.tokens(1) - 1,
            Round::Down => 0,
        };
        let thousandths = (level.max(0) * 1000 + add) / self.tokens(1).max(1);
        format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
    }

    /// `a bucket of 8 that gains 0.8 a second`.
    fn described(&self) -> String {
        let rate = self.quota.limit as f64 / self.quota.window.as_secs_f64();
        format!("a bucket of {} that gains {} a second", self.size, rounded(rate))
    }
}

/// To which side a level errs.
#[derive(Debug, Clone, Copy)]
enum Round {
    Up,
    Down,
}

/// Four decimals, if it takes them.
fn rounded(value: f64) -> String {
    let digits = if value >= 100.0 { 1 } else { 4 };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
