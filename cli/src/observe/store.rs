//! Samples the limiter's Redis: its `run_id` and uptime show a restart, which may have cost every limiter its
//! state, as may an eviction; its keys and memory are sampled, too.

mod bounded;

use std::{fs::OpenOptions, io::Write as _, path::Path, time::Duration};

use tokio_util::sync::CancellationToken;

use self::bounded::Connection;
use crate::{observe::observer_log::ProbeLog, secrets::redactor};
use saasbench_engine::clock::RunClock;
use saasbench_record::{
    json_lines::to_line,
    redis_samples::{Health, RedisSample},
};

/// Between two probes.
const INTERVAL: Duration = Duration::from_millis(500);
/// A sample that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Samples Redis repeatedly until `stop`, and once more then, and records each sample.
///
/// # Errors
/// Any I/O error. A Redis that does not respond is recorded, and is not an error.
pub async fn watch(
    url: &str,
    run_dir: &Path,
    clock: RunClock,
    stop: CancellationToken,
    probes: &ProbeLog,
) -> std::io::Result<()> {
    let dir = run_dir.join("observations");
    std::fs::create_dir_all(&dir)?;
    let mut file = OpenOptions::new().create(true).append(true).open(dir.join("store.jsonl"))?;
    let client = redis::Client::open(url);
    let database = client.as_ref().map_or(0, |client| client.get_connection_info().redis_settings().db());
    let (mut connection, redactor) = (None, redactor());
    loop {
        let is_last = stop.is_cancelled();
        let from_ns = clock.now();
        let polling = tokio::time::timeout(TIMEOUT, info(client.as_ref(), &mut connection));
        let seen = polling.await.unwrap_or_else(|_| Err(too_late()));
        if seen.is_err() {
            connection = None;
        }
        let info = seen.as_deref().ok();
        let field = |name: &str| info.and_then(|info| field(info, name));
        let (to_ns, health) = (clock.now(), info.and_then(|info| health(info, database)));
        let keys = health.map_or_else(|| "its state".to_owned(), |health| format!("{} keys", health.keys));
        let seen = seen.as_ref().map(|_| &*keys).map_err(String::as_str);
        probes.note("Redis", from_ns, to_ns, seen);
        let line = to_line(&RedisSample {
            from_ns,
            to_ns,
            run_id: field("run_id").map(|id| redactor.redact(id).into_owned()),
            uptime_s: field("uptime_in_seconds").and_then(|text| text.parse().ok()),
            health,
        })?;
        file.write_all(&line)?;
        // The last sample shows what the load left behind.
        if is_last {
            return Ok(());
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// Whether Redis responds at `url`.
///
/// # Errors
/// The reason, without the URL, which may hold a password.
pub async fn reachable(url: &str) -> Result<(), String> {
    let client = redis::Client::open(url).map_err(|error| error.to_string())?;
    let asked = async { Connection::open(&client).await?.info().await.map(|_| ()) };
    tokio::time::timeout(TIMEOUT, asked).await.unwrap_or_else(|_| Err(too_late()))
}

fn too_late() -> String {
    format!("no response in {} s", TIMEOUT.as_secs())
}

/// The output of `INFO`, or the reason why there is none.
async fn info(
    client: Result<&redis::Client, &redis::RedisError>,
    connection: &mut Option<Connection>,
) -> Result<String, String> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open(client.map_err(ToString::to_string)?).await?),
    };
    connection.info().await
}

/// A line `name:value` of `INFO`.
fn field<'t>(info: &'t str, name: &str) -> Option<&'t str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// The health that `INFO` shows of a database; one without a line is empty.
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
    async fn an_unavailable_redis_is_logged_once_with_its_reason() {
        let (to, logged) = std::sync::mpsc::channel();
        let probes = ProbeLog::new(Some(ObserverLog::new(to, false)));
        let (dir, once) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        once.cancel();
        for _ in 0..2 {
            let stop = once.clone();
            watch("redis://127.0.0.1:1", dir.path(), RunClock::start(), stop, &probes).await.unwrap();
        }
        let logged: Vec<String> = logged.try_iter().collect();
        let [logged] = logged.as_slice() else { panic!("{logged:#?}") };
        assert!(logged.contains(" s  Redis: failed: ") && logged.contains("refused"), "{logged}");
        assert_eq!(
            std::fs::read_to_string(dir.path().join("observations/store.jsonl")).unwrap().lines().count(),
            2
        );
    }

    #[test]
    fn info_is_parsed() {
        let info = "# Server\r\nrun_id:abc\r\nused_memory:1048576\r\nused_memory_human:1M\r\nevicted_keys:3\r\n\
                    # Keyspace\r\ndb0:keys=12,expires=10,avg_ttl=5\r\ndb10:keys=1,expires=0,avg_ttl=0\r\n";
        let zero = Health { keys: 12, expiring: 10, evicted: 3, memory: 1_048_576 };
        assert_eq!(health(info, 0), Some(zero));
        assert_eq!(health(info, 1), Some(Health { keys: 0, expiring: 0, ..zero }));
        assert_eq!((field(info, "run_id"), zero.without_ttl()), (Some("abc"), 2));
        assert_eq!(health("run_id:abc\r\n", 0), None);
    }
}
