//! How a faulty replica decides about a chat, in place of [`Store::decide`]: in other steps than one, not at all, or
//! right and then reported wrong.

use std::time::Duration;

use tokio::time::Instant;

use super::distort::FOR_EVER;
use super::faulty::Faulty;
use super::{Fault, Skew};
use crate::limiter::{Decision, KeyedLimit};
use crate::store::{Manner, Step, Store, StoreError};

/// A store's answer to a chat.
type Decided = Result<Option<Decision>, StoreError>;

/// One chat to be decided.
#[derive(Clone, Copy)]
struct Chat<'a> {
    store: &'a Store,
    session: &'a str,
    limits: &'a [KeyedLimit],
    ahead: Duration,
}

impl Chat<'_> {
    async fn step(&self, step: Step) -> Decided {
        self.store.decide_as(Manner { ahead: self.ahead, step }, self.session, self.limits).await
    }
}

impl Faulty {
    /// In place of [`Store::decide`].
    pub(crate) async fn decide(&self, store: &Store, session: &str, limits: &[KeyedLimit]) -> Decided {
        self.disturb().await;
        let chat = Chat { store, session, limits, ahead: self.ahead(limits) };
        if self.fails_open() {
            return Ok(chat.step(Step::Check).await?.map(|decision| untouched(decision, limits)));
        }
        let mut decided = self.limited(chat).await?;
        if let Some(decision) = &mut decided {
            self.misreport(decision, limits);
        }
        Ok(decided)
    }

    /// `limit-false-rejection`, around the rest.
    async fn limited(&self, chat: Chat<'_>) -> Decided {
        let every = self.find(|fault| match fault {
            Fault::LimitFalseRefusal { every } => Some(*every),
            _ => None,
        });
        let Some(every) = every else { return self.raced(chat).await };
        // Held throughout: which ones are refused must not depend on who is quicker.
        let mut admitted = self.admitted.lock().await;
        let due = (*admitted + 1).is_multiple_of(every);
        let mut decided = if due { chat.step(Step::Check).await? } else { self.raced(chat).await? };
        if let Some(decision) = decided.as_mut().filter(|decision| decision.admitted()) {
            *admitted = admitted.wrapping_add(1);
            if let Some(reading) = decision.readings.first_mut().filter(|_| due) {
                (reading.remaining, reading.wait) = (0, Some(reading.resets_in));
            }
        }
        Ok(decided)
    }

    /// `limit-race`, or one step.
    async fn raced(&self, chat: Chat<'_>) -> Decided {
        let race = self.find(|fault| match fault {
            Fault::LimitRace { delay } => Some(*delay),
            _ => None,
        });
        if let Some(delay) = race {
            let checked = chat.step(Step::Check).await?;
            if !checked.as_ref().is_some_and(Decision::admitted) {
                return Ok(checked);
            }
            tokio::time::sleep(delay).await;
            return chat.step(Step::Act).await;
        }
        if self.has(Fault::LimitCountsRefusals) {
            return chat.step(Step::CountRefusals).await;
        }
        // A replica that shares its limits with conforming ones has to keep them under the same keys, where it can.
        let plain = |fault: &Fault| {
            !matches!(fault, Fault::LimitFalseRefusal { .. } | Fault::LimitSkewedClock { .. })
        };
        if self.all(plain) {
            return chat.store.decide(chat.session, chat.limits).await;
        }
        chat.step(Step::Decide).await
    }

    /// `limit-skewed-clock`: by how much this replica's clock is ahead of the first one's.
    fn ahead(&self, limits: &[KeyedLimit]) -> Duration {
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

    /// What clients are reported: as if the limits were kept as promised, but for the faults that lie about it.
    fn misreport(&self, decision: &mut Decision, limits: &[KeyedLimit]) {
        for (reading, KeyedLimit { limit, enforced, .. }) in decision.readings.iter_mut().zip(limits) {
            let more = i64::from(enforced.burst()) - i64::from(limit.burst());
            if more != 0 {
                let reported = (i64::from(reading.remaining) - more).max(0);
                let reported = if reading.wait.is_some() { 0 } else { reported };
                reading.remaining = u32::try_from(reported).unwrap_or(u32::MAX);
            }
            if enforced.window == FOR_EVER {
                reading.resets_in = reading.resets_in.min(limit.window);
                reading.wait = reading.wait.map(|wait| wait.min(limit.window));
            }
            if self.has(Fault::RemainingLies) {
                reading.remaining = reading.remaining.saturating_add(1);
            }
            if let Some(factor) = self.early() {
                let early = |wait: Duration| Duration::from_secs(wait.mul_f64(factor).as_secs().max(1));
                reading.wait = reading.wait.map(early);
            }
        }
    }

    /// `retry-after-early`.
    fn early(&self) -> Option<f64> {
        self.find(|fault| match fault {
            Fault::RetryAfterEarly { factor } => Some(*factor),
            _ => None,
        })
    }
}

/// As if nobody had ever come.
fn untouched(mut decision: Decision, limits: &[KeyedLimit]) -> Decision {
    for (reading, KeyedLimit { limit, .. }) in decision.readings.iter_mut().zip(limits) {
        (reading.remaining, reading.resets_in, reading.wait) = (limit.burst(), limit.window, None);
    }
    decision
}
