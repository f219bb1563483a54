//! `Retry-After`: a client that retries then is admitted, and one that retries earlier, by more than the
//! rounding, is not.
//!
//! A rejection decided at `d` states `k`, the soonest whole second. So the first instant `x` at which a
//! request will be admitted, if nothing else is admitted meanwhile, lies in `(d + k − 1 s, d + k]` by the
//! limiter's clock. On our clock `k` may be longer or shorter by `slack`: what the clocks may disagree on
//! over `k`, plus one tick.

use super::{
    Break, Tested,
    key::{HeaderValue, Key},
};
use saasbench_limiter::{Decision, HistoryContext, Request};
use saasbench_model::units::Nanos;

const SECOND: Nanos = Nanos::from_secs(1);

/// The stated `k`, and by how much it may be off on our clock.
fn stated(key: &Key<'_>, rejection: &Request, context: &HistoryContext) -> Option<(Nanos, Nanos)> {
    let wait = Nanos::from_secs(key.said(rejection)?.retry_after()?.into());
    Some((wait, context.tolerance.over(wait) + context.resolution))
}

/// A client that retries when asked to must be admitted.
///
/// A request sent at `done + k + slack` or later is decided after `x`. Room only grows while nothing is
/// admitted, whatever the algorithm, and whether or not the store loses its state. So it must be admitted if
/// nothing else can have been admitted since the rejection: no other request that may have been admitted
/// overlaps `[rejection.sent, its done]`, and the environment is exclusive. Later requests need no test: the
/// first one either is admitted and consumes quota, or proves the promise broken.
pub(super) fn come_back(key: &Key<'_>, context: &HistoryContext) -> Tested {
    let mut tested = Tested::default();
    if !context.exclusive {
        return tested;
    }
    for rejection in key.decided(Decision::Rejected) {
        let Some((wait, slack)) = stated(key, rejection, context) else { continue };
        let from = rejection.done + wait + slack;
        let next = key.requests.partition_point(|request| request.sent < from);
        let Some(back) = key.requests.get(next).filter(|back| back.done < context.complete_until) else {
            continue;
        };
        let admitted = key.possible_in(rejection.sent.0, back.done.0);
        match back.decision {
            Decision::Admitted if admitted == 1 => tested.held(),
            Decision::Rejected if admitted == 0 => tested.broken(|| Break {
                expected: format!("admitted from {:.3} s on: Retry-After {wait}", from.as_secs_f64()),
                observed: format!(
                    "rejected at {:.3} s with Retry-After {wait}, rejected again at {:.3} s, and nothing was admitted between",
                    rejection.done.as_secs_f64(),
                    back.done.as_secs_f64(),
                ),
                requests: vec![*rejection, *back],
            }),
            _ => {}
        }
    }
    tested
}

/// No request may be admitted earlier than the rounding explains.
///
/// A request that was sent after the rejection was done, and done before `sent + k − 1 s − slack`, is decided
/// between `d` and `x`. Other clients only take room away, so this holds in shared environments, too, but not
/// if the store loses its state.
pub(super) fn not_before(key: &Key<'_>, context: &HistoryContext) -> Tested {
    let mut tested = Tested::default();
    let mut rejections: Vec<(&Request, Nanos)> = key
        .decided(Decision::Rejected)
        .filter_map(|rejection| {
            let (wait, slack) = stated(key, rejection, context)?;
            let until = rejection.sent + wait - SECOND - slack;
            let losses = context.memory_losses.iter().filter(|(_, to)| *to >= rejection.sent);
            Some((rejection, losses.map(|(from, _)| *from).fold(until, Nanos::min)))
        })
        .filter(|(rejection, until)| *until > rejection.done)
        .collect();
    rejections.sort_by_key(|(rejection, _)| rejection.done);
    let mut reported = rejections.into_iter().peekable();
    // Of the rejections done before a request was sent, the one that rules out the longest time.
    let mut longest: Option<(&Request, Nanos)> = None;
    for request in &key.requests {
        while let Some(next) = reported.next_if(|(rejection, _)| rejection.done < request.sent) {
            if longest.is_none_or(|(_, until)| next.1 > until) {
                longest = Some(next);
            }
        }
        let Some((rejection, _)) = longest.filter(|(_, until)| request.done < *until) else { continue };
        match request.decision {
            Decision::Rejected => tested.held(),
            Decision::Unknown => {}
            Decision::Admitted => {
                let wait = key.said(rejection).and_then(HeaderValue::retry_after).unwrap_or_default();
                tested.broken(|| Break {
                    expected: format!("nothing admitted for {wait} s (rounded up): Retry-After {wait}"),
                    observed: format!(
                        "rejected at {:.3} s with Retry-After {wait}, and a request of {:.3} s was admitted",
                        rejection.done.as_secs_f64(),
                        request.sent.as_secs_f64(),
                    ),
                    requests: vec![*rejection, *request],
                });
            }
        }
    }
    tested
}
