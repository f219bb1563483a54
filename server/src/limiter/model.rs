//! A naive model of the algorithms, for tests: it decides from the list of all admissions, without other
//! state.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::{Algorithm, Decision, KeyedLimit, Limit, LimitResult};

/// A limit and all its admissions.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    limit: Limit,
    admitted: Vec<Duration>,
}

impl Model {
    pub(crate) fn of(limits: &[KeyedLimit]) -> Vec<Self> {
        limits.iter().map(|keyed| Self { limit: keyed.enforced, admitted: Vec::new() }).collect()
    }

    fn admits(&self, now: Duration) -> bool {
        let Limit { quota, window, algorithm, .. } = self.limit;
        let count = |is_in: &dyn Fn(Duration) -> bool| {
            self.admitted.iter().filter(|instant| is_in(**instant)).count() as u128
        };
        let (quota, length) = (u128::from(quota), window.as_nanos());
        let index = |instant: Duration| instant.as_nanos() / length;
        match algorithm {
            Algorithm::FixedWindow => {
                let mut windows: Vec<(Duration, u128)> = Vec::new();
                for instant in &self.admitted {
                    match windows.last_mut().filter(|(opened, _)| *instant < *opened + window) {
                        Some((_, used)) => *used += 1,
                        None => windows.push((*instant, 1)),
                    }
                }
                windows.last().is_none_or(|(opened, used)| now >= *opened + window || *used < quota)
            }
            Algorithm::AlignedWindow => count(&|instant| index(instant) == index(now)) < quota,
            Algorithm::SlidingLog => count(&|instant| instant + window > now) < quota,
            Algorithm::SlidingCounter => {
                let previous = count(&|instant| index(instant) + 1 == index(now));
                let current = count(&|instant| index(instant) == index(now));
                let rest = length - now.as_nanos() % length;
                previous * rest + (current + 1) * length <= quota * length
            }
            Algorithm::TokenBucket { burst } => {
                let full = u128::from(burst) * length;
                let (mut tokens, mut last) = (full, Duration::ZERO);
                for instant in self.admitted.iter().chain([&now]) {
                    tokens = full.min(tokens + (*instant - last).as_nanos() * quota);
                    last = *instant;
                    if tokens < length {
                        return false;
                    }
                    tokens -= length;
                }
                true
            }
        }
    }

    fn remaining(&self, now: Duration) -> u32 {
        let mut model = self.clone();
        while model.admits(now) {
            model.admitted.push(now);
        }
        u32::try_from(model.admitted.len() - self.admitted.len()).unwrap()
    }

    /// Checks a result after its decision: its times are long enough, and not a nanosecond too long.
    fn check(&self, now: Duration, result: &LimitResult) -> Result<(), TestCaseError> {
        let tick = Duration::from_nanos(1);
        prop_assert_eq!(result.remaining, self.remaining(now));
        if let Some(wait) = result.retry_after {
            prop_assert!(!self.admits(now) && self.admits(now + wait), "{:?} is too short", wait);
            prop_assert!(!self.admits(now + wait - tick), "{:?} is too long", wait);
        }
        let full = self.limit.burst();
        let reset = now + result.reset_after;
        prop_assert_eq!(self.remaining(reset), full);
        if self.remaining(now) < full {
            prop_assert!(self.remaining(reset - tick) < full, "{:?} is too long", result.reset_after);
        } else {
            let expected = match self.limit.algorithm {
                Algorithm::FixedWindow => self.limit.window,
                Algorithm::AlignedWindow => {
                    let window = self.limit.window.as_nanos();
                    Duration::from_nanos(u64::try_from(window - now.as_nanos() % window).unwrap())
                }
                _ => Duration::ZERO,
            };
            prop_assert_eq!(result.reset_after, expected);
        }
        Ok(())
    }
}

/// Compares a store's decision with the models, which count it if it is an admission.
pub(crate) fn check(models: &mut [Model], decision: &Decision) -> Result<(), TestCaseError> {
    let now = decision.at;
    let expected: Vec<bool> = models.iter().map(|model| !model.admits(now)).collect();
    let rejected: Vec<bool> = decision.results.iter().map(|result| result.retry_after.is_some()).collect();
    prop_assert_eq!(&rejected, &expected);
    if decision.admitted() {
        for model in models.iter_mut() {
            model.admitted.push(now);
        }
    }
    for (model, result) in models.iter().zip(&decision.results) {
        model.check(now, result)?;
    }
    Ok(())
}

/// Limits of a tenant `t`: each with a window in seconds, a quota, an algorithm (by its index in the list of
/// names) and, for the token bucket, a burst.
pub(crate) fn keyed_limits(limits: &[(u32, u32, usize, u32)]) -> Vec<KeyedLimit> {
    let keyed = |&(seconds, quota, name, burst): &(u32, u32, usize, u32)| {
        let name = Algorithm::NAMES[name];
        let mut value = json!({"quota": quota, "algorithm": name});
        if name == "token-bucket" {
            value["burst"] = json!(burst);
        }
        KeyedLimit::new("t", Limit::parse(&format!("chat_per_{seconds}s"), &value).unwrap())
    };
    limits.iter().map(keyed).collect()
}
