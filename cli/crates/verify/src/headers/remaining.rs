//! `Remaining`: how many more requests would be admitted at the instant of the decision, the current one
//! already counted.
//!
//! A service may state less than clients can account for, because there may be other clients, but never more.
//! The bounds hold in any environment; only what follows from a rejection needs exclusive use of the key.

mod bounds;

use self::bounds::Bounds;
use super::{
    Break, Tested,
    key::{HeaderValue, Key},
};
use saasbench_limiter::{Decision, HistoryContext, Promise, Request};
use saasbench_model::units::Nanos;

/// A rejection must state that nothing is left: it and `Remaining` come from one decision.
pub(super) fn nothing_left(key: &Key<'_>) -> Tested {
    let mut tested = Tested::default();
    for rejection in key.decided(Decision::Rejected) {
        match key.said(rejection).and_then(HeaderValue::remaining) {
            None => {}
            Some(0) => tested.held(),
            Some(left) => tested.broken(|| Break {
                expected: "Remaining 0 on a rejection".to_owned(),
                observed: format!("rejected at {:.3} s with Remaining {left}", rejection.done.as_secs_f64()),
                requests: vec![*rejection],
            }),
        }
    }
    tested
}

/// An admission must state no more than the promise leaves after the admissions that are certain; see
/// [`bounds`].
pub(super) fn not_more(key: &Key<'_>, promise: Promise, context: &HistoryContext) -> Tested {
    let mut tested = Tested::default();
    let mut bounds = Bounds::new(promise, context);
    for admission in key.decided(Decision::Admitted) {
        let said = key.said(admission);
        let bound = bounds.after(admission, said, key.is_quiet(admission));
        let (Some(left), Some((most, because))) = (said.and_then(HeaderValue::remaining), bound) else {
            continue;
        };
        let left = u64::from(left);
        if left <= most {
            tested.held();
        } else {
            tested.broken(|| Break {
                expected: format!("Remaining at most {most} ({}): {because}", promise.quota),
                observed: format!("admitted at {:.3} s with Remaining {left}", admission.done.as_secs_f64()),
                requests: vec![*admission],
            });
        }
    }
    tested
}

/// What an admission states as remaining must be admitted before a request is rejected.
///
/// Whatever the algorithm, room only grows with time, and an admission takes one. After `n` was stated and
/// fewer than `n` requests can have been admitted since, there is room. A rejection is therefore a proof if
/// fewer than `n` other requests overlap the span from the admission's `sent` to the rejection's `done`. The
/// two must be further apart than the clocks may disagree, because otherwise the limiter's clock might have
/// gone backwards.
pub(super) fn as_announced(key: &Key<'_>, context: &HistoryContext) -> Tested {
    let mut tested = Tested::default();
    if !context.exclusive {
        return tested;
    }
    let apart = context.tolerance.over(Nanos::ZERO) + context.resolution;
    let mut last: Option<(&Request, u64)> = None;
    for request in &key.requests {
        match request.decision {
            Decision::Unknown => {}
            Decision::Admitted => {
                let said = key.said(request).and_then(HeaderValue::remaining);
                last = said.filter(|_| key.is_quiet(request)).map(|left| (request, left.into()));
            }
            Decision::Rejected => {
                let usable = |(admission, _): &(&Request, u64)| {
                    request.sent >= admission.done + apart && request.done < context.complete_until
                };
                let Some((admission, left)) = last.filter(usable) else { continue };
                // Each admission is tested once, by the first rejection after it.
                last = None;
                let others = key.possible_in(admission.sent.0, request.done.0).saturating_sub(1);
                if others >= left {
                    tested.held();
                } else {
                    tested.broken(|| Break {
                        expected: format!("{left} more admitted: Remaining {left}"),
                        observed: format!(
                            "admitted at {:.3} s with Remaining {left}; rejected at {:.3} s after at most {others} more",
                            admission.done.as_secs_f64(),
                            request.done.as_secs_f64(),
                        ),
                        requests: vec![*admission, *request],
                    });
                }
            }
        }
    }
    tested
}
