//! The sliding log: a request is rejected if and only if L admissions lie in the window before its decision.
//!
//! Let `l` be the shortest and `m` the longest that a window may last on the client's clock (`Lifetime`).
//!
//! **Over-admission.** An admission at `d` has at most L − 1 others in `[d − l, d)`, so of L + 1 consecutive
//! admissions the last is at least `l` after the first, and of kL + 1 at least `k·l`. More than kL certain
//! admissions in a span shorter than `k·l` are a proof, whatever others do, and however the run started or
//! was cut off. (A store that lost its state loses the log: no span is judged across a loss.)
//!
//! **Wrong rejection.** A rejection at `d` needs L admissions decided in `[d − m, d]`: see
//! `spans::isolated_rejection`.

use super::{
    HistoryContext, Judgement, Request, Violation,
    history::{History, Lifetime, losses, over_admission, seconds},
    spans,
};
use saasbench_model::units::Quota;

/// Judges the history of one key, sorted by `sent`, in O(n log n).
pub fn judge(requests: &[Request], quota: Quota, context: &HistoryContext) -> Judgement {
    let history = History::new(requests, context);
    let lifetime = Lifetime::of(quota.window, context);
    let mut judgement = history.judgement(lifetime, lifetime.least <= 0, context);
    judgement.violations.extend(over_full(&history, quota, lifetime, context));
    if context.has_other_limits() {
        let isolated = spans::isolated_rejections(&history, quota, lifetime, context);
        judgement.wrong_rejections = isolated.into_iter().map(|(request, _)| request.id).collect();
    } else {
        judgement.violations.extend(spans::isolated_rejection(&history, quota, lifetime, context));
    }
    judgement
}

fn over_full(
    history: &History<'_>,
    quota: Quota,
    lifetime: Lifetime,
    context: &HistoryContext,
) -> Option<Violation> {
    let allowed = |windows: u64| quota.limit.saturating_mul(windows);
    let span = spans::over_full_span(&history.admitted, lifetime.least, &losses(context), allowed)?;
    let allowed = allowed(span.windows);
    let requests = history.admitted.within(history.requests, span.after, span.by, allowed as usize + 1);
    let because = format!(
        "{} were admitted within {}, which is shorter than {}; {allowed} are promised in any such span",
        allowed + 1,
        seconds(span.by - span.after - 1),
        spans::windows(span.windows, lifetime.least),
    );
    Some(over_admission(quota, allowed, requests, because))
}
