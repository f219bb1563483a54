//! Watches the limiter's Redis: its `run_id` and uptime tell a restart, which may have cost every limiter its memory; so may
//! an eviction. And it tells what it holds.

use std::{fs::OpenOptions, io::Write as _, path::Path, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::observe::observer_log::ProbeLog;
use saasbench_engine::clock::RunClock;
use saasbench_record::redis_samples::{Health, RedisSample};

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(500);
/// A look that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Looks at Redis again and again until `stop`, once more then, and writes each look down.
///
/// # Errors
/// The file system's. A Redis that does not answer is no error: it is written down.
pub async fn watch(
    url: &str,
    run_dir: &Path,
    clock: RunClock,
    stop: CancellationToken,
    looks: &ProbeLog,
) -> std::io::Result<()> {
    let dir = run_dir.join("observations");
    std::fs::create_dir_all(&dir)?;
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("store.jsonl"))?;
    let client = redis::Client::open(url);
    let database = client.as_ref().map_or(0, |client| client.get_connection_info().redis_settings().db());
    let mut connection = None;
    loop {
        let is_last = stop.is_cancelled();
        let from_ns = clock.now();
        let looking = tokio::time::timeout(TIMEOUT, look(client.as_ref(), &mut connection));
        let seen = looking.await.unwrap_or_else(|_| Err(too_late()));
        if seen.is_err() {
            connection = None;
        }
        let info = seen.as_deref().ok();
        let field = |name: &str| info.and_then(|info| field(info, name));
        let (to_ns, health) = (clock.now(), info.and_then(|info| health(info, database)));
        let keys = health.map_or_else(|| "its state".to_owned(), |health| format!("{} keys", health.keys));
        let seen = seen.as_ref().map(|_| &*keys).map_err(String::as_str);
        looks.note("Redis", from_ns, to_ns, seen);
        let mut line = serde_json::to_vec(&RedisSample {
            from_ns,
            to_ns,
            run_id: field("run_id").map(str::to_owned),
            uptime_s: field("uptime_in_seconds").and_then(|text| text.parse().ok()),
            health,
        })?;
        line.push(b'\n');
        file.write_all(&line)?;
        // What the load left behind is seen by the last look.
        if is_last {
            return Ok(());
        }
        tokio::select! {
            () = stop.cancelled() => {}
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
        Err(_) => Err(too_late()),
    }
}

fn too_late() -> String {
    format!("no answer in {} s", TIMEOUT.as_secs())
}

/// What `INFO` says; the reason, in words, if it says nothing.
async fn look(
    client: Result<&redis::Client, &redis::RedisError>,
    connection: &mut Option<redis::aio::MultiplexedConnection>,
) -> Result<String, String> {
    let connection = match connection {
        Some(connection) => connection,
        None => {
            let client = client.map_err(ToString::to_string)?;
            let opened = client.get_multiplexed_async_connection().await;
            connection.insert(opened.map_err(|error| error.to_string())?)
        }
    };
    redis::cmd("INFO").query_async(connection).await.map_err(|error| error.to_string())
}

/// A line `name:value` of `INFO`.
fn field<'t>(info: &'t str, name: &str) -> Option<&'t str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What `INFO` says of a database; one without a line is empty.
fn health(info: &str, database: i64) -> Option<Health> {
    let number = |name: &str| field(info, name)?.parse().ok();
    // `keys=3,expires=2,avg_ttl=0`
    let keyspace = field(info, &format!("db{database}")).unwrap_or_default();
    let part = |name: &str| {
        let value = keyspace.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        value.map_or(Some(0), |value| value.parse().ok())
    };
    Some(Health {
        keys: part("keys")?,
        expiring: part("expires")?,
        evicted: number("evicted_keys")?,
        memory: number("used_memory")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::observer_log::ObserverLog;

    #[tokio::test]
    async fn a_redis_that_is_away_is_told_once_and_for_its_reason() {
        let (to, told) = std::sync::mpsc::channel();
        let looks = ProbeLog::told(Some(ObserverLog::new(to, false)));
        let (dir, once) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        once.cancel();
        for _ in 0..2 {
            let stop = once.clone();
            watch("redis://127.0.0.1:1", dir.path(), RunClock::start(), stop, &looks).await.unwrap();
        }
        let told: Vec<String> = told.try_iter().collect();
        let [told] = told.as_slice() else { panic!("{told:#?}") };
        assert!(told.contains(" s  Redis: failed: ") && told.contains("refused"), "{told}");
        assert_eq!(
            std::fs::read_to_string(dir.path().join("observations/store.jsonl")).unwrap().lines().count(),
            2
        );
    }

    #[test]
    fn what_info_says_is_read() {
        let info = "# Server\r\nrun_id:abc\r\nused_memory:1048576\r\nused_memory_human:1M\r\nevicted_keys:3\r\n\
                    # Keyspace\r\ndb0:keys=12,expires=10,avg_ttl=5\r\ndb10:keys=1,expires=0,avg_ttl=0\r\n";
        let zero = Health { keys: 12, expiring: 10, evicted: 3, memory: 1_048_576 };
        assert_eq!(health(info, 0), Some(zero));
        assert_eq!(health(info, 1), Some(Health { keys: 0, expiring: 0, ..zero }));
        assert_eq!((field(info, "run_id"), zero.forever()), (Some("abc"), 2));
        assert_eq!(health("run_id:abc\r\n", 0), None);
    }
}
