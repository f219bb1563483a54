//! A token bucket that can be in debt, by as much as it holds: because refused requests are taken from it, too, or because
//! it checks first and takes later.
//!
//! Every request is decided in the middle of its interval; how far the level can be from that is what the requests in
//! flight may have taken, and what may have come while an answer was on its way.

use super::World;
use crate::{
    units::Quota,
    verify::limiter::{Decision, Request},
};

/// Whether such a bucket explains all answers.
pub(super) fn explains(requests: &[Request], quota: Quota, burst: u64, world: &World) -> bool {
    // With clocks of its own each replica adds what the others have added already: too many orders are possible.
    let one_clock = world.offsets.iter().all(|offset| *offset == 0);
    if !one_clock {
        return false;
    }
    let rate = quota.limit as f64 / quota.window.0.max(1) as f64;
    let burst = burst as f64;
    let mut order: Vec<&Request> = requests.iter().collect();
    order.sort_by_key(|request| (middle(request), request.id));
    // `doubt`: unanswered requests that may have taken a token.
    let (mut level, mut doubt, mut at) = (burst, 0.0, None);
    for (request, slack) in order.into_iter().zip(slack(requests, rate, world.slack)) {
        let now = middle(request);
        let gained = (now - at.unwrap_or(now)) as f64 * rate;
        at = Some(now);
        if level - doubt + gained >= burst {
            doubt = 0.0;
        }
        level = (level + gained).min(burst);
        let (explained, takes) = match request.decision {
            Decision::Admitted => (level + slack >= 1.0, true),
            Decision::Refused => (level - doubt - slack < 1.0, world.refusals_count),
            Decision::Unknown => {
                doubt += 1.0;
                continue;
            }
        };
        if !explained {
            return false;
        }
        if takes {
            level = (level - 1.0).max(-burst);
        }
    }
    true
}

fn middle(request: &Request) -> i64 {
    request.sent.0 + (request.done - request.sent).0 / 2
}

/// By how much the level that each request met may be off, in the order of their middles.
fn slack(requests: &[Request], rate: f64, ticks: i64) -> Vec<f64> {
    let mut done: Vec<i64> = requests.iter().map(|request| request.done.0).collect();
    done.sort_unstable();
    let off = |request: &Request| {
        let begun = requests.partition_point(|other| other.sent <= request.done);
        let over = done.partition_point(|done| *done < request.sent.0);
        let in_flight = begun.saturating_sub(over + 1) as f64;
        let length = ((request.done - request.sent).0 + ticks) as f64;
        (middle(request), request.id, in_flight + 2.0 * length * rate)
    };
    let mut slack: Vec<(i64, u64, f64)> = requests.iter().map(off).collect();
    slack.sort_by_key(|(middle, id, _)| (*middle, *id));
    slack.into_iter().map(|(_, _, off)| off).collect()
}
