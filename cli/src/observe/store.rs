//! Watches the limiter's Redis: its `run_id` and uptime tell a restart, which may have cost every limiter its memory.

use std::{fs::OpenOptions, io::Write as _, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{clock::RunClock, units::Nanos};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(500);
/// A look that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// One look at Redis: a line of `observations/store.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreLook {
    /// Before the look.
    pub from_ns: Nanos,
    /// After it.
    pub to_ns: Nanos,
    /// Redis's `run_id`: another one is another process. `None` when it did not answer.
    pub run_id: Option<String>,
    /// Whole seconds since its start.
    pub uptime_s: Option<u64>,
}

/// Spans of the run's clock in which Redis was restarted: from the last look at the old process to the start of the new
/// one, as its uptime bounds it.
pub fn restarts(looks: &[StoreLook]) -> Vec<(Nanos, Nanos)> {
    let answered: Vec<(&StoreLook, &str)> =
        looks.iter().filter_map(|look| Some((look, look.run_id.as_deref()?))).collect();
    answered
        .windows(2)
        .filter(|pair| pair[0].1 != pair[1].1)
        .map(|pair| {
            let (old, new) = (pair[0].0, pair[1].0);
            // The uptime is rounded down, so the start is not before `from − uptime − 1 s`; it is before this look.
            let earliest = new.uptime_s.map_or(old.from_ns, |uptime| {
                new.from_ns - Nanos::from_secs(i64::try_from(uptime).unwrap_or(i64::MAX).saturating_add(1))
            });
            (old.from_ns.max(earliest), new.to_ns)
        })
        .collect()
}

/// Looks at Redis again and again until `stop`, and writes each look down.
///
/// # Errors
/// The file system's. A Redis that does not answer is no error: it is written down.
pub async fn watch(
    url: &str,
    run_dir: &Path,
    clock: RunClock,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let dir = run_dir.join("observations");
    std::fs::create_dir_all(&dir)?;
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("store.jsonl"))?;
    let client = redis::Client::open(url).ok();
    let mut connection = None;
    loop {
        let from_ns = clock.now();
        let seen = tokio::time::timeout(TIMEOUT, look(client.as_ref(), &mut connection)).await.ok().flatten();
        if seen.is_none() {
            connection = None;
        }
        let (run_id, uptime_s) = seen.unzip();
        let mut line = serde_json::to_vec(&StoreLook {
            from_ns,
            to_ns: clock.now(),
            run_id,
            uptime_s: uptime_s.flatten(),
        })?;
        line.push(b'\n');
        file.write_all(&line)?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// Whether Redis answers at `url` at all; the reason if not.
///
/// # Errors
/// The reason, in words, without the URL (which may hold a password).
pub async fn reachable(url: &str) -> Result<(), String> {
    let client = redis::Client::open(url).map_err(|error| error.to_string())?;
    match tokio::time::timeout(TIMEOUT, client.get_multiplexed_async_connection()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer in {} s", TIMEOUT.as_secs())),
    }
}

async fn look(
    client: Option<&redis::Client>,
    connection: &mut Option<redis::aio::MultiplexedConnection>,
) -> Option<(String, Option<u64>)> {
    if connection.is_none() {
        *connection = client?.get_multiplexed_async_connection().await.ok();
    }
    let info: String = redis::cmd("INFO").arg("server").query_async(connection.as_mut()?).await.ok()?;
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(|value| value.trim().to_owned())
    };
    Some((field("run_id")?, field("uptime_in_seconds").and_then(|text| text.parse().ok())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: i64, run_id: Option<&str>, uptime_s: u64) -> StoreLook {
        StoreLook {
            from_ns: Nanos::from_secs(at),
            to_ns: Nanos::from_secs(at) + Nanos::from_millis(1),
            run_id: run_id.map(str::to_owned),
            uptime_s: run_id.is_some().then_some(uptime_s),
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
    fn silence_alone_is_no_restart() {
        assert_eq!(restarts(&[look(1, Some("a"), 5), look(2, None, 0), look(3, Some("a"), 7)]), []);
    }
}
