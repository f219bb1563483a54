//! Tests of the scripts on a real Redis, against the naive model. A decision of the general script states its
//! instant to the microsecond, so the comparison is exact although time is real.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::time::Instant;

use super::super::DecisionMode;
use super::*;
use crate::limiter::model::{Model, check, keyed_limits};

/// A private redis-server on a Unix socket. Killed when dropped.
struct Server {
    child: Child,
    directory: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    async fn start() -> (Self, RedisStore) {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no"]).arg("--unixsocket").arg(&socket);
        command.arg("--dir").arg(directory.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("redis-server is missing: run ci/test, which installs it");
        let server = Self { child, directory };
        let started = Instant::now();
        loop {
            match RedisStore::connect(&server.url()).await {
                Ok(store) => {
                    store.create_session("{t}s", Some(Duration::from_secs(3600))).await.unwrap();
                    return (server, store);
                }
                Err(error) => assert!(started.elapsed() < Duration::from_secs(20), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.directory.path().join("redis.sock").display())
    }
}

impl RedisStore {
    async fn query(&self, words: &[&str]) -> Value {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        self.connection.send(&command).await.unwrap()
    }

    async fn ttl(&self, key: &str) -> i64 {
        match self.query(&["PTTL", key]).await {
            Value::Int(left) => left,
            other => panic!("{other:?}"),
        }
    }

    async fn keys(&self) -> Vec<String> {
        redis::from_redis_value(self.query(&["KEYS", "tenancy*"]).await).unwrap()
    }
}

/// All pairs of algorithms, except for the pair that the script of plain counters decides.
fn pairs() -> impl Iterator<Item = Vec<KeyedLimit>> {
    let names = (0..5).flat_map(|one| (0..5).map(move |other| (one, other)));
    names
        .filter(|pair| *pair != (0, 0))
        .map(|(one, other)| keyed_limits(&[(1, 7, one, 3), (2, 11, other, 14)]))
}

#[tokio::test]
async fn decisions_equal_those_of_the_naive_model() {
    let (_server, store) = Server::start().await;
    let mut cases: Vec<_> = pairs().map(|limits| (Model::of(&limits), limits)).collect();
    for (index, (_, limits)) in cases.iter_mut().enumerate() {
        for keyed in limits {
            keyed.key.push_str(&format!(":{index}"));
        }
    }
    let started = Instant::now();
    // Long enough for two buckets to expire, with a request every few milliseconds.
    while started.elapsed() < Duration::from_millis(3200) {
        for (models, limits) in &mut cases {
            // The script for faults, in the mode without one, has to agree.
            let options = DecideOptions { clock_offset: Duration::ZERO, mode: DecisionMode::Decide };
            check(models, &store.decide("{t}s", limits).await.unwrap().unwrap()).unwrap();
            check(models, &store.decide_with(options, "{t}s", limits).await.unwrap().unwrap()).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
}

#[tokio::test]
async fn every_state_has_a_time_to_live_which_is_restored() {
    let (_server, store) = Server::start().await;
    for (name, life) in [(0, 3600), (1, 3600), (2, 3600), (3, 7200), (4, 3600)] {
        store.query(&["DEL", "tenancy:{t}:chat:2:3600"]).await;
        let limits = keyed_limits(&[(3600, 1, name, 1), (7200, 9, 2, 1)]);
        for admitted in [true, false] {
            let decision = store.decide("{t}s", &limits).await.unwrap().unwrap();
            assert_eq!(decision.admitted(), admitted, "{name}");
            let keys = store.keys().await;
            assert_eq!(keys.len(), 2, "{keys:?}");
            for key in keys {
                let longest = if key.contains(":7200") { 7200 } else { life } * 1000;
                let left = store.ttl(&key).await;
                assert!((1..=longest).contains(&left), "{key}: {left}");
                assert_eq!(store.query(&["PERSIST", &key]).await, Value::Int(1));
            }
        }
        // After another rejection, keys that lost their time to live have one again.
        assert!(!store.decide("{t}s", &limits).await.unwrap().unwrap().admitted());
        for key in store.keys().await {
            assert!(store.ttl(&key).await > 0, "{key}");
            store.query(&["DEL", &key]).await;
        }
    }
}

#[tokio::test]
async fn a_rejection_by_one_limit_counts_in_no_other() {
    let (_server, store) = Server::start().await;
    for (one, other) in (0..5).flat_map(|one| (0..5).map(move |other| (one, other))) {
        // `spent` is in both sets, with a second limit: a fixed window alone would be a plain counter with
        // another key.
        let spent = keyed_limits(&[(3600, 1, one, 1), (60, 100, 2, 1)]);
        let both = [spent.clone(), keyed_limits(&[(7200, 5, other, 5)])].concat();
        assert!(store.decide("{t}s", &spent).await.unwrap().unwrap().admitted());
        for _ in 0..3 {
            assert!(!store.decide("{t}s", &both).await.unwrap().unwrap().admitted());
        }
        let keys = store.keys().await;
        assert_eq!(keys.len(), 2, "{keys:?}");
        for key in keys {
            store.query(&["DEL", &key]).await;
        }
    }
}
