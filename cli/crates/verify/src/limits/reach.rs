//! Was a limit put to the test? A limiter that admits too much shows only where the quota was used up, and
//! only if one more admission, or a few, would have been proven to be too many.

use saasbench_limiter::{
    Decision, HistoryContext, Judgement, OtherLimits, Promise, Request,
    sensitivity::{Cause, Sensitivity, sensitivity},
};
use saasbench_model::{scenario::Algorithm, units::Nanos};

/// How far the history of one key puts its limit to the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reach {
    /// The quota was never used up.
    NotUsedUp,
    /// It was, but no excess could have been proven.
    Blind(Cause),
    /// It was, and this many admissions more at once would have been proven to be too many.
    Tested { excess: u64 },
}

impl Reach {
    /// How far a history that was judged so puts the limit to the test.
    pub(super) fn of(
        history: &[Request],
        promise: Promise,
        judgement: &Judgement,
        context: &HistoryContext,
    ) -> Self {
        if !judgement.violations.is_empty() {
            return Self::Tested { excess: 1 };
        }
        // A rejection shows that a limit was used up, but not which one of several.
        let rejected = judgement.rejected > 0 && context.other_limits == OtherLimits::None;
        if !rejected && !used_up(history, promise) {
            return Self::NotUsedUp;
        }
        match sensitivity(history, promise, context) {
            Sensitivity::Excess(excess) => Self::Tested { excess },
            Sensitivity::Blind(cause) => Self::Blind(cause),
        }
    }
}

/// Whether as many requests as the quota permits were admitted within one window; for a token bucket, whether
/// it was emptied.
pub(super) fn used_up(history: &[Request], promise: Promise) -> bool {
    let quota = promise.quota;
    let admitted: Vec<Nanos> = history
        .iter()
        .filter(|request| request.decision == Decision::Admitted)
        .map(|request| request.sent)
        .collect();
    if let Algorithm::TokenBucket { .. } = promise.algorithm {
        let (full, rate) = (promise.room() as f64, quota.limit as f64 / quota.window.0.max(1) as f64);
        let (mut level, mut at) = (full, Nanos::ZERO);
        return admitted.into_iter().any(|sent| {
            level = (level + (sent - at).0 as f64 * rate).min(full) - 1.0;
            at = sent;
            level < 1.0
        });
    }
    let limit = usize::try_from(quota.limit).unwrap_or(usize::MAX);
    admitted.windows(limit.max(1)).any(|full| full[full.len() - 1] - full[0] < quota.window)
}
