//! Waiting: for an instant, but no longer than until the run is stopped; and for as long as a service asks that refused a
//! request for the time being.

use tokio_util::sync::CancellationToken;

use super::{transport::Answer, user::Shared};
use crate::{
    clock::RunClock,
    scenario::{Load, Retry, Step},
    units::Nanos,
};

/// Until when the users of a load go on.
#[derive(Debug, Clone)]
pub struct Until {
    /// Nothing that is due at this instant or later begins.
    pub end: Nanos,
    /// Ends every wait at once.
    pub stop: CancellationToken,
}

impl Until {
    /// Waits until `due`; false when the run was stopped first.
    pub async fn wait(&self, clock: RunClock, due: Nanos) -> bool {
        if self.stop.is_cancelled() {
            return false;
        }
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep_until(clock.instant(due)) => true,
        }
    }
}

/// How long a user waits before it sends a request again that got this answer; `None`: it takes the answer as it is.
///
/// To the time that the refusal asks for comes what the service's clock and ours may disagree on meanwhile. An honest
/// limiter may refuse who comes back earlier than that, and its refusal would prove nothing.
pub(super) fn asked<T>(shared: &Shared<T>, load: &Load, step: &Step, answer: &Answer) -> Option<Nanos> {
    if load.retry == Retry::Never {
        return None;
    }
    let limits = shared.scenario.limits.iter();
    let refusing = limits.filter(|limit| limit.route == step.route && limit.refused.contains(answer.status));
    let tick = refusing.map(|limit| limit.resolution).max()?;
    let time = answer.retry_after?;
    Some(time + shared.tolerance.over(time) + tick)
}
