//! How long a rejected user waits before it retries.

use super::{exchange::Response, worker::Setup};
use saasbench_model::{
    scenario::{Load, Retry, Step},
    units::Nanos,
};

/// How long a user waits before it retries a request with this response; `None` if it accepts the response as
/// it is.
///
/// The bound on the difference of the two clocks is added to the stated time: a conforming limiter may reject
/// a user that retries earlier, and that rejection would prove nothing.
pub(super) fn retry_delay(setup: &Setup, load: &Load, step: &Step, response: &Response) -> Option<Nanos> {
    if load.retry == Retry::Never {
        return None;
    }
    let limits = setup.scenario.limits.iter();
    let rejecting =
        limits.filter(|limit| limit.route == step.route && limit.rejected.contains(response.status));
    let tick = rejecting.map(|limit| limit.resolution).max()?;
    let time = response.retry_after?;
    Some(time + setup.tolerance.over(time) + tick)
}
