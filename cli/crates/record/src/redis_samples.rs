//! Samples of the limiter's Redis (lines of `observations/store.jsonl`), and the restarts and evictions that
//! they show, which may have cost a limiter its state.

use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;

/// One sample of Redis: a line of `observations/store.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RedisSample {
    /// Before the query.
    pub from_ns: Nanos,
    /// After the query.
    pub to_ns: Nanos,
    /// Redis's `run_id`, which identifies its process; `None` if it did not respond.
    pub run_id: Option<String>,
    /// Whole seconds since its start.
    pub uptime_s: Option<u64>,
    /// What Redis reports about its content; `None` if it did not respond, or did not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// What Redis reports about its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Keys in the monitored database.
    pub keys: u64,
    /// Those with a TTL.
    pub expiring: u64,
    /// Keys that were evicted since its start.
    pub evicted: u64,
    /// Bytes in use.
    pub memory: u64,
}

impl Health {
    /// Keys without a TTL.
    pub fn without_ttl(&self) -> u64 {
        self.keys.saturating_sub(self.expiring)
    }
}

/// Spans in which a limiter may have lost its state: restarts, and samples between which keys were evicted.
pub fn losses(looks: &[RedisSample]) -> Vec<(Nanos, Nanos)> {
    let known: Vec<(&RedisSample, Health)> =
        looks.iter().filter_map(|look| Some((look, look.health?))).collect();
    let evicted = known.windows(2).filter(|pair| pair[1].1.evicted > pair[0].1.evicted);
    let evicted = evicted.map(|pair| (pair[0].0.from_ns, pair[1].0.to_ns));
    let mut losses: Vec<(Nanos, Nanos)> = restarts(looks).into_iter().chain(evicted).collect();
    losses.sort();
    losses
}

/// Spans of the run's clock in which Redis did not respond: from the start of the first sample without a response
/// to the end of the last one. It may have been longer.
pub fn outages(looks: &[RedisSample]) -> Vec<(Nanos, Nanos)> {
    let rows = looks.chunk_by(|a, b| a.run_id.is_some() == b.run_id.is_some());
    let silent = rows.filter(|row| row.iter().all(|look| look.run_id.is_none()));
    silent.filter_map(|row| Some((row.first()?.from_ns, row.last()?.to_ns))).collect()
}

/// Spans of the run's clock in which Redis was restarted: from the last sample of the old process to the
/// start of the new one, as bounded by its uptime.
pub fn restarts(looks: &[RedisSample]) -> Vec<(Nanos, Nanos)> {
    let answered: Vec<(&RedisSample, &str)> =
        looks.iter().filter_map(|look| Some((look, look.run_id.as_deref()?))).collect();
    answered
        .windows(2)
        .filter(|pair| pair[0].1 != pair[1].1)
        .map(|pair| {
            let (old, new) = (pair[0].0, pair[1].0);
            // The uptime is rounded down, so the start is not before `from − uptime − 1 s`; and it is before
            // this sample.
            let earliest = new.uptime_s.map_or(old.from_ns, |uptime| {
                new.from_ns - Nanos::from_secs(i64::try_from(uptime).unwrap_or(i64::MAX).saturating_add(1))
            });
            (old.from_ns.max(earliest), new.to_ns)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: i64, run_id: Option<&str>, uptime_s: u64) -> RedisSample {
        RedisSample {
            from_ns: Nanos::from_secs(at),
            to_ns: Nanos::from_secs(at) + Nanos::from_millis(1),
            run_id: run_id.map(str::to_owned),
            uptime_s: run_id.is_some().then_some(uptime_s),
            health: None,
        }
    }

    #[test]
    fn a_new_run_id_is_a_restart_and_its_uptime_bounds_it() {
        let looks = [
            look(1, Some("a"), 100),
            look(2, Some("a"), 101),
            look(3, None, 0),
            look(9, Some("b"), 1),
            look(10, Some("b"), 2),
        ];
        assert_eq!(restarts(&looks), [(Nanos::from_secs(7), Nanos::from_secs(9) + Nanos::from_millis(1))]);
    }

    #[test]
    fn a_missing_response_alone_is_no_restart() {
        assert_eq!(restarts(&[look(1, Some("a"), 5), look(2, None, 0), look(3, Some("a"), 7)]), []);
    }
}
