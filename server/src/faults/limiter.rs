//! Faults of the limiter: [`FaultInjector::decide`] replaces [`Store::decide`]. It decides in more than one
//! step, not at all, or correctly and then states a wrong result.

use std::time::Duration;

use tokio::time::Instant;

use super::config_faults::NEVER_EXPIRES;
use super::injector::FaultInjector;
use super::{Fault, Skew};
use crate::limiter::{Decision, KeyedLimit};
use crate::store::{DecideOptions, DecisionMode, Store, StoreError};

/// What the store decided; `None` if there is no such session.
type DecideResult = Result<Option<Decision>, StoreError>;

/// One chat to decide about.
#[derive(Clone, Copy)]
struct ChatCall<'a> {
    store: &'a Store,
    session: &'a str,
    limits: &'a [KeyedLimit],
    clock_offset: Duration,
}

impl ChatCall<'_> {
    async fn decide(&self, mode: DecisionMode) -> DecideResult {
        let options = DecideOptions { clock_offset: self.clock_offset, mode };
        self.store.decide_with(options, self.session, self.limits).await
    }
}

impl FaultInjector {
    /// Replaces [`Store::decide`].
    pub(crate) async fn decide(&self, store: &Store, session: &str, limits: &[KeyedLimit]) -> DecideResult {
        self.delay_chat().await;
        let chat = ChatCall { store, session, limits, clock_offset: self.clock_offset(limits) };
        if self.fails_open() {
            return Ok(chat.decide(DecisionMode::CheckOnly).await?.map(|decision| unused(decision, limits)));
        }
        let mut decided = self.with_false_rejections(chat).await?;
        if let Some(decision) = &mut decided {
            self.misstate(decision, limits);
        }
        Ok(decided)
    }

    /// `limit-false-rejection`, around the other faults.
    async fn with_false_rejections(&self, chat: ChatCall<'_>) -> DecideResult {
        let every = self.find(|fault| match fault {
            Fault::LimitFalseRejection { every } => Some(*every),
            _ => None,
        });
        let Some(every) = every else { return self.in_steps(chat).await };
        // Held throughout, so that exactly every N-th admission is rejected.
        let mut admitted = self.admitted.lock().await;
        let due = (*admitted + 1).is_multiple_of(every);
        let mut decided =
            if due { chat.decide(DecisionMode::CheckOnly).await? } else { self.in_steps(chat).await? };
        if let Some(decision) = decided.as_mut().filter(|decision| decision.admitted()) {
            *admitted = admitted.wrapping_add(1);
            if let Some(result) = decision.results.first_mut().filter(|_| due) {
                (result.remaining, result.retry_after) = (0, Some(result.reset_after));
            }
        }
        Ok(decided)
    }

    /// `limit-race` and `limit-counts-rejections`, or a correct decision.
    async fn in_steps(&self, chat: ChatCall<'_>) -> DecideResult {
        let race = self.find(|fault| match fault {
            Fault::LimitRace { delay } => Some(*delay),
            _ => None,
        });
        if let Some(delay) = race {
            let checked = chat.decide(DecisionMode::CheckOnly).await?;
            if !checked.as_ref().is_some_and(Decision::admitted) {
                return Ok(checked);
            }
            tokio::time::sleep(delay).await;
            return chat.decide(DecisionMode::CountOnly).await;
        }
        if self.has(Fault::LimitCountsRejections) {
            return chat.decide(DecisionMode::CountRejections).await;
        }
        // Replicas without these faults use the plain script and its keys, so it has to be used here, too,
        // where possible.
        let plain = |fault: &Fault| {
            !matches!(fault, Fault::LimitFalseRejection { .. } | Fault::LimitSkewedClock { .. })
        };
        if self.all(plain) {
            return chat.store.decide(chat.session, chat.limits).await;
        }
        chat.decide(DecisionMode::Decide).await
    }

    /// `limit-skewed-clock`: by how much this replica's clock is ahead of the first one's.
    fn clock_offset(&self, limits: &[KeyedLimit]) -> Duration {
        let skew = self.find(|fault| match fault {
            Fault::LimitSkewedClock { skew } => Some(*skew),
            _ => None,
        });
        let shortest = limits.iter().map(|keyed| keyed.limit.window).min().unwrap_or_default();
        match skew {
            None => Duration::ZERO,
            Some(Skew::By(duration)) => duration * self.replica,
            Some(Skew::OfWindow(fraction)) => shortest.mul_f64(fraction) * self.replica,
        }
    }

    /// `limit-fail-open`.
    fn fails_open(&self) -> bool {
        let span = self.find(|fault| match fault {
            Fault::LimitFailOpen { from, to } => Some(*from..*to),
            _ => None,
        });
        span.is_some_and(|span| span.contains(&self.process.first_chat.get_or_init(Instant::now).elapsed()))
    }

    /// Makes the results state the limits as promised, except for the faults of headers.
    fn misstate(&self, decision: &mut Decision, limits: &[KeyedLimit]) {
        for (result, KeyedLimit { limit, enforced, .. }) in decision.results.iter_mut().zip(limits) {
            let difference = i64::from(enforced.burst()) - i64::from(limit.burst());
            if difference != 0 {
                let stated = (i64::from(result.remaining) - difference).max(0);
                let stated = if result.retry_after.is_some() { 0 } else { stated };
                result.remaining = u32::try_from(stated).unwrap_or(u32::MAX);
            }
            if enforced.window == NEVER_EXPIRES {
                result.reset_after = result.reset_after.min(limit.window);
                result.retry_after = result.retry_after.map(|wait| wait.min(limit.window));
            }
            if self.has(Fault::RemainingTooHigh) {
                result.remaining = result.remaining.saturating_add(1);
            }
            if let Some(factor) = self.retry_after_factor() {
                let early = |wait: Duration| Duration::from_secs(wait.mul_f64(factor).as_secs().max(1));
                result.retry_after = result.retry_after.map(early);
            }
        }
    }

    /// `retry-after-early`.
    fn retry_after_factor(&self) -> Option<f64> {
        self.find(|fault| match fault {
            Fault::RetryAfterEarly { factor } => Some(*factor),
            _ => None,
        })
    }
}

/// A decision with untouched limits.
fn unused(mut decision: Decision, limits: &[KeyedLimit]) -> Decision {
    for (result, KeyedLimit { limit, .. }) in decision.results.iter_mut().zip(limits) {
        (result.remaining, result.reset_after, result.retry_after) = (limit.burst(), limit.window, None);
    }
    decision
}
