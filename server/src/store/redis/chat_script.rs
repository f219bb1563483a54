//! The scripts that decide about a chat: their commands and the parsing of their replies. Tenants that have
//! only fixed windows, as most do, are decided by a separate, faster script of plain counters.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::{Cmd, Value};

use super::super::{DecideOptions, DecisionMode, StoreError};
use crate::limiter::{Algorithm, Decision, KeyedLimit, Limit, LimitUsage};

/// For fixed windows.
pub(super) const FIXED_WINDOWS: &str = include_str!("fixed_windows.lua");

/// For limits of any algorithm.
pub(super) const GENERAL: &str = concat!(include_str!("limits.lua"), include_str!("decide.lua"));

/// As [`GENERAL`], for a fault.
pub(super) const WITH_FAULT: &str =
    concat!(include_str!("limits.lua"), include_str!("decide_with_fault.lua"));

#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) text: &'static str,
    /// By which Redis finds it once it has been loaded.
    pub(super) hash: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }
}

/// One chat to decide about.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChatCall<'a> {
    pub(super) session: &'a str,
    pub(super) limits: &'a [KeyedLimit],
}

impl ChatCall<'_> {
    /// Whether [`FIXED_WINDOWS`] can decide it.
    pub(super) fn has_only_fixed_windows(&self) -> bool {
        self.limits.iter().all(|keyed| keyed.enforced.algorithm == Algorithm::FixedWindow)
    }

    /// The command for [`FIXED_WINDOWS`].
    pub(super) fn fixed_windows_command(&self, eval: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(eval);
        command.arg(script).arg(1 + self.limits.len()).arg(self.session);
        for keyed in self.limits {
            command.arg(&keyed.key);
        }
        for keyed in self.limits {
            command.arg(keyed.enforced.quota).arg(millis(keyed.enforced.window));
        }
        command
    }

    /// The command for [`GENERAL`].
    pub(super) fn general_command(&self, eval: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(eval);
        command.arg(script).arg(1 + self.limits.len()).arg(self.session);
        for keyed in self.limits {
            match keyed.enforced.algorithm {
                // Not the counter of the other script, which has another type.
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

    /// The command for [`WITH_FAULT`].
    pub(super) fn command_with_fault(&self, options: DecideOptions, eval: &str, script: &str) -> Cmd {
        let mode = match options.mode {
            DecisionMode::Decide => "decide",
            DecisionMode::CheckOnly => "check-only",
            DecisionMode::CountOnly => "count-only",
            DecisionMode::CountRejections => "count-rejections",
        };
        let mut command = self.general_command(eval, script);
        command.arg(u64::try_from(options.clock_offset.as_micros()).unwrap_or(u64::MAX)).arg(mode);
        command
    }

    /// Parses the reply of [`FIXED_WINDOWS`]: hits and milliseconds for each limit.
    pub(super) fn parse_fixed_windows(&self, reply: &Value) -> Result<Option<Decision>, StoreError> {
        let Some(numbers) = self.numbers(reply, 0, 2)? else { return Ok(None) };
        let pairs = || numbers.chunks_exact(2).zip(self.limits);
        let rejects = |pair: &[u128], limit: &Limit| pair[0] > u128::from(limit.quota);
        let admitted = !pairs().any(|(pair, keyed)| rejects(pair, &keyed.enforced));
        let result = |(pair, keyed): (&[u128], &KeyedLimit)| {
            // The hit of a rejected request was reverted.
            let used = if admitted { pair[0] } else { pair[0].saturating_sub(1) };
            let left = Duration::from_millis(u64::try_from(pair[1]).unwrap_or(u64::MAX));
            LimitUsage::Window { used: to_u32(used), left }
                .result(&keyed.enforced, rejects(pair, &keyed.enforced))
        };
        // Querying the time of Redis would make every chat more expensive, for a header in milliseconds.
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Some(Decision { at, results: pairs().map(result).collect() }))
    }

    /// Parses the reply of [`GENERAL`] and [`WITH_FAULT`]: the time, and four numbers for each limit.
    pub(super) fn parse_general(&self, reply: &Value) -> Result<Option<Decision>, StoreError> {
        let Some(numbers) = self.numbers(reply, 1, 4)? else { return Ok(None) };
        let limits = numbers[1..].chunks_exact(4).zip(self.limits);
        let results = limits.map(|(numbers, keyed)| {
            let usage = usage(keyed.enforced.algorithm, [numbers[1], numbers[2], numbers[3]]);
            usage.result(&keyed.enforced, numbers[0] == 0)
        });
        Ok(Some(Decision { at: micros(numbers[0]), results: results.collect() }))
    }

    /// Reads `first` numbers and `each` more for every limit; `None` if there is no session.
    fn numbers(&self, reply: &Value, first: usize, each: usize) -> Result<Option<Vec<u128>>, StoreError> {
        let unexpected = || StoreError::Failed(format!("unexpected reply of the chat script: {reply:?}"));
        let Value::Array(values) = reply else { return Err(unexpected()) };
        if values.is_empty() {
            return Ok(None);
        }
        let numbers: Vec<u128> = values.iter().filter_map(number).collect();
        if numbers.len() != values.len() || numbers.len() != first + each * self.limits.len() {
            return Err(unexpected());
        }
        Ok(Some(numbers))
    }
}

/// The usage of a limit, from the numbers of the script's `report`.
fn usage(algorithm: Algorithm, [first, second, third]: [u128; 3]) -> LimitUsage {
    match algorithm {
        Algorithm::FixedWindow | Algorithm::AlignedWindow => {
            LimitUsage::Window { used: to_u32(first), left: micros(second) }
        }
        Algorithm::SlidingLog => {
            LimitUsage::Log { held: to_u32(first), room_in: micros(second), clear_in: micros(third) }
        }
        Algorithm::SlidingCounter => {
            LimitUsage::Counter { previous: to_u32(first), current: to_u32(second), elapsed: micros(third) }
        }
        // The script counts in microseconds, this program in nanoseconds.
        Algorithm::TokenBucket { .. } => LimitUsage::Bucket { debt: first.saturating_mul(1000) },
    }
}

/// A number can only be negative if the clock was set back; then it counts as 0.
fn number(value: &Value) -> Option<u128> {
    match value {
        Value::Int(number) => Some(u128::try_from(*number).unwrap_or(0)),
        Value::BulkString(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

fn to_u32(number: u128) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn micros(number: u128) -> Duration {
    Duration::from_micros(u64::try_from(number).unwrap_or(u64::MAX))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
