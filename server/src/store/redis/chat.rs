//! One chat as a script's command, and the reading of what the script answers. Where all limits of a tenant are fixed
//! windows a script of its own, of plain counters, decides: most tenants have no other, and it is the faster one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::{Cmd, Value};

use super::super::{Manner, Step, StoreError};
use crate::limiter::{Algorithm, Decision, KeyedLimit, Limit, Standing};

/// For fixed windows.
pub(super) const FIXED: &str = include_str!("fixed.lua");

/// For limits of any algorithm.
pub(super) const ANY: &str = concat!(include_str!("limits.lua"), include_str!("decide.lua"));

/// As [`ANY`], as a fault wants it.
pub(super) const FAULTY: &str = concat!(include_str!("limits.lua"), include_str!("faulty.lua"));

#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) text: &'static str,
    /// By which Redis knows it once it has seen it.
    pub(super) hash: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }
}

/// One chat to decide about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chat<'a> {
    pub(super) session: &'a str,
    pub(super) limits: &'a [KeyedLimit],
}

impl Chat<'_> {
    /// Whether [`FIXED`] can decide it.
    pub(super) fn is_fixed(&self) -> bool {
        self.limits.iter().all(|keyed| keyed.enforced.algorithm == Algorithm::FixedWindow)
    }

    /// The command for [`FIXED`].
    pub(super) fn fixed(&self, verb: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(1 + self.limits.len()).arg(self.session);
        for keyed in self.limits {
            command.arg(&keyed.key);
        }
        for keyed in self.limits {
            command.arg(keyed.enforced.quota).arg(millis(keyed.enforced.window));
        }
        command
    }

    /// The command for [`ANY`].
    pub(super) fn any(&self, verb: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(1 + self.limits.len()).arg(self.session);
        for keyed in self.limits {
            match keyed.enforced.algorithm {
                // Not the other script's counter, which is of another kind.
                Algorithm::FixedWindow => command.arg(format!("{}:fixed-window", keyed.key)),
                _ => command.arg(&keyed.key),
            };
        }
        for KeyedLimit { enforced: limit, .. } in self.limits {
            let micros = u64::try_from(limit.window.as_micros()).unwrap_or(u64::MAX);
            command.arg(limit.algorithm.name()).arg(limit.quota).arg(micros).arg(limit.burst());
        }
        command
    }

    /// The command for [`FAULTY`].
    pub(super) fn faulty(&self, manner: Manner, verb: &str, script: &str) -> Cmd {
        let step = match manner.step {
            Step::Decide => "decide",
            Step::Check => "check",
            Step::Act => "act",
            Step::CountRefusals => "count-refusals",
        };
        let mut command = self.any(verb, script);
        command.arg(u64::try_from(manner.ahead.as_micros()).unwrap_or(u64::MAX)).arg(step);
        command
    }

    /// Reads what [`FIXED`] answers: hits and milliseconds for each limit.
    pub(super) fn read_fixed(&self, answer: &Value) -> Result<Option<Decision>, StoreError> {
        let Some(numbers) = self.numbers(answer, 0, 2)? else { return Ok(None) };
        let pairs = || numbers.chunks_exact(2).zip(self.limits);
        let refuses = |pair: &[u128], limit: &Limit| pair[0] > u128::from(limit.quota);
        let admitted = !pairs().any(|(pair, keyed)| refuses(pair, &keyed.enforced));
        let reading = |(pair, keyed): (&[u128], &KeyedLimit)| {
            // A refused request's own hit was taken back.
            let used = if admitted { pair[0] } else { pair[0].saturating_sub(1) };
            let left = Duration::from_millis(u64::try_from(pair[1]).unwrap_or(u64::MAX));
            Standing::Window { used: small(used), left }
                .reading(&keyed.enforced, refuses(pair, &keyed.enforced))
        };
        // Asking Redis for its time would make every chat dearer, for a header that has milliseconds.
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Some(Decision { at, readings: pairs().map(reading).collect() }))
    }

    /// Reads what [`ANY`] and [`FAULTY`] answer: its time, and four numbers for each limit.
    pub(super) fn read_any(&self, answer: &Value) -> Result<Option<Decision>, StoreError> {
        let Some(numbers) = self.numbers(answer, 1, 4)? else { return Ok(None) };
        let limits = numbers[1..].chunks_exact(4).zip(self.limits);
        let readings = limits.map(|(reported, keyed)| {
            let standing = standing(keyed.enforced.algorithm, [reported[1], reported[2], reported[3]]);
            standing.reading(&keyed.enforced, reported[0] == 0)
        });
        Ok(Some(Decision { at: micros(numbers[0]), readings: readings.collect() }))
    }

    /// `first` numbers and then `each` for every limit; `None` if there is no session.
    fn numbers(&self, answer: &Value, first: usize, each: usize) -> Result<Option<Vec<u128>>, StoreError> {
        let strange = || StoreError::Failed(format!("the chat script answered {answer:?}"));
        let Value::Array(values) = answer else { return Err(strange()) };
        if values.is_empty() {
            return Ok(None);
        }
        let numbers: Vec<u128> = values.iter().filter_map(number).collect();
        if numbers.len() != values.len() || numbers.len() != first + each * self.limits.len() {
            return Err(strange());
        }
        Ok(Some(numbers))
    }
}

/// What [`ANY`] tells of a limit, in the order of the script's `tell`.
fn standing(algorithm: Algorithm, [first, second, third]: [u128; 3]) -> Standing {
    match algorithm {
        Algorithm::FixedWindow | Algorithm::AlignedWindow => {
            Standing::Window { used: small(first), left: micros(second) }
        }
        Algorithm::SlidingLog => {
            Standing::Log { held: small(first), room_in: micros(second), clear_in: micros(third) }
        }
        Algorithm::SlidingCounter => {
            Standing::Counter { previous: small(first), current: small(second), elapsed: micros(third) }
        }
        // Tokens times microseconds there, times nanoseconds here.
        Algorithm::TokenBucket { .. } => Standing::Bucket { debt: first.saturating_mul(1000) },
    }
}

/// Negative ones are none of ours, but for a clock that was set back: then they are as good as 0.
fn number(value: &Value) -> Option<u128> {
    match value {
        Value::Int(number) => Some(u128::try_from(*number).unwrap_or(0)),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

fn small(number: u128) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn micros(number: u128) -> Duration {
    Duration::from_micros(u64::try_from(number).unwrap_or(u64::MAX))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
