//! How long a user waits that was rejected for the time being: as long as the service asks.

use super::{exchange::Answer, worker::Setup};
use saasbench_model::{
    scenario::{Load, Retry, Step},
    units::Nanos,
};

/// How long a user waits before it sends a request again that got this answer; `None`: it takes the answer as it is.
///
/// To the time that the rejection asks for comes what the service's clock and ours may disagree on meanwhile. An honest
/// limiter may reject who comes back earlier than that, and its rejection would prove nothing.
pub(super) fn asked(setup: &Setup, load: &Load, step: &Step, answer: &Answer) -> Option<Nanos> {
    if load.retry == Retry::Never {
        return None;
    }
    let limits = setup.scenario.limits.iter();
    let rejecting =
        limits.filter(|limit| limit.route == step.route && limit.rejected.contains(answer.status));
    let tick = rejecting.map(|limit| limit.resolution).max()?;
    let time = answer.retry_after?;
    Some(time + setup.tolerance.over(time) + tick)
}
