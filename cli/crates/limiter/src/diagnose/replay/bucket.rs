//! A token bucket that can go into debt, by up to its capacity: because rejected requests are charged, too,
//! or because it charges some time after checking.
//!
//! Every request is taken to be decided in the middle of its interval; the level may be off by what requests
//! in flight may have taken, and by what may have been refilled while a response was on its way.

use super::World;
use crate::{Decision, Request};
use saasbench_model::units::Quota;

/// Whether such a bucket explains all responses.
pub(super) fn explains(requests: &[Request], quota: Quota, burst: u64, world: &World) -> bool {
    // If no clock is followed by all, each replica refills what others have refilled already: too many orders
    // are possible.
    let one_clock = world.offsets.iter().all(|offset| *offset == 0);
    if !one_clock && !world.believed {
        return false;
    }
    let rate = quota.limit as f64 / quota.window.0.max(1) as f64;
    let burst = burst as f64;
    // Refilling starts with the first charge: its uncertainty shifts every later level.
    let first = requests.iter().find(|request| request.decision == Decision::Admitted);
    let started = first.map_or(0.0, |first| (first.done - first.sent).0 as f64 * rate);
    let mut order: Vec<&Request> = requests.iter().collect();
    order.sort_by_key(|request| (middle(request), request.id));
    // `doubt`: unanswered requests that may have taken a token. Each charge stores level and instant;
    // replicas whose clock is behind that instant use it.
    let (mut stored, mut doubt, mut at) = (burst, 0.0, None);
    for (request, slack) in order.into_iter().zip(slack(requests, rate, world.slack)) {
        let slack = slack + started;
        let now = (middle(request) + world.offset(request)).max(at.unwrap_or(i64::MIN));
        let gained = (now - at.unwrap_or(now)) as f64 * rate;
        if stored - doubt + gained >= burst {
            doubt = 0.0;
        }
        let level = (stored + gained).min(burst);
        let (explained, takes) = match request.decision {
            Decision::Admitted => (level + slack >= 1.0, true),
            Decision::Rejected => (level - doubt - slack < 1.0, world.rejections_count),
            Decision::Unknown => {
                doubt += 1.0;
                continue;
            }
        };
        if !explained {
            return false;
        }
        if takes {
            (stored, at) = ((level - 1.0).max(-burst), Some(now));
        }
    }
    true
}

fn middle(request: &Request) -> i64 {
    request.sent.0 + (request.done - request.sent).0 / 2
}

/// By how much the level at each request may be off, in the order of the middles of their intervals.
fn slack(requests: &[Request], rate: f64, ticks: i64) -> Vec<f64> {
    let mut done: Vec<i64> = requests.iter().map(|request| request.done.0).collect();
    done.sort_unstable();
    let off = |request: &Request| {
        let started = requests.partition_point(|other| other.sent <= request.done);
        let over = done.partition_point(|done| *done < request.sent.0);
        let in_flight = started.saturating_sub(over + 1) as f64;
        let length = ((request.done - request.sent).0 + ticks) as f64;
        (middle(request), request.id, in_flight + 2.0 * length * rate)
    };
    let mut slack: Vec<(i64, u64, f64)> = requests.iter().map(off).collect();
    slack.sort_by_key(|(middle, id, _)| (*middle, *id));
    slack.into_iter().map(|(_, _, off)| off).collect()
}
