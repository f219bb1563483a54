//! The scripts on a real Redis, against the naive model. A decision of the general script tells its instant to the
//! microsecond, so the comparison is exact although time is real.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::time::Instant;

use super::super::Step;
use super::*;
use crate::limiter::model::{Model, check, keyed};

/// A redis-server on a socket of its own. Killed when dropped.
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
    async fn ask(&self, words: &[&str]) -> Value {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        self.link.send(&command).await.unwrap()
    }

    async fn life(&self, key: &str) -> i64 {
        match self.ask(&["PTTL", key]).await {
            Value::Int(left) => left,
            other => panic!("{other:?}"),
        }
    }

    async fn keys(&self) -> Vec<String> {
        redis::from_redis_value(self.ask(&["KEYS", "tenancy*"]).await).unwrap()
    }
}

/// All pairs of algorithms, but for the pair that the script of plain counters decides.
fn pairs() -> impl Iterator<Item = Vec<KeyedLimit>> {
    let names = (0..5).flat_map(|one| (0..5).map(move |other| (one, other)));
    names.filter(|pair| *pair != (0, 0)).map(|(one, other)| keyed(&[(1, 7, one, 3), (2, 11, other, 14)]))
}

#[tokio::test]
async fn decisions_are_those_of_the_naive_model() {
    let (_server, store) = Server::start().await;
    let mut rivals: Vec<_> = pairs().map(|limits| (Model::of(&limits), limits)).collect();
    for (index, (_, limits)) in rivals.iter_mut().enumerate() {
        for keyed in limits {
            keyed.key.push_str(&format!(":{index}"));
        }
    }
    let started = Instant::now();
    // Long enough for two buckets to fall out of sight; busy all the time, with a request each now and then.
    while started.elapsed() < Duration::from_millis(3200) {
        for (models, limits) in &mut rivals {
            // The faulty script, asked to be right, has to agree.
            let manner = Manner { ahead: Duration::ZERO, step: Step::Decide };
            check(models, &store.decide("{t}s", limits).await.unwrap().unwrap()).unwrap();
            check(models, &store.decide_as(manner, "{t}s", limits).await.unwrap().unwrap()).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
}

#[tokio::test]
async fn every_state_has_a_time_to_live_and_gets_it_again() {
    let (_server, store) = Server::start().await;
    for (name, life) in [(0, 3600), (1, 3600), (2, 3600), (3, 7200), (4, 3600)] {
        store.ask(&["DEL", "tenancy:{t}:chat:2:3600"]).await;
        let limits = keyed(&[(3600, 1, name, 1), (7200, 9, 2, 1)]);
        for admitted in [true, false] {
            let decision = store.decide("{t}s", &limits).await.unwrap().unwrap();
            assert_eq!(decision.admitted(), admitted, "{name}");
            let keys = store.keys().await;
            assert_eq!(keys.len(), 2, "{keys:?}");
            for key in keys {
                let longest = if key.contains(":7200") { 7200 } else { life } * 1000;
                let left = store.life(&key).await;
                assert!((1..=longest).contains(&left), "{key}: {left}");
                assert_eq!(store.ask(&["PERSIST", &key]).await, Value::Int(1));
            }
        }
        // Refused once more: what has lost its life has it again.
        assert!(!store.decide("{t}s", &limits).await.unwrap().unwrap().admitted());
        for key in store.keys().await {
            assert!(store.life(&key).await > 0, "{key}");
            store.ask(&["DEL", &key]).await;
        }
    }
}

#[tokio::test]
async fn a_refusal_by_one_limit_opens_nothing_of_the_others() {
    let (_server, store) = Server::start().await;
    for (one, other) in (0..5).flat_map(|one| (0..5).map(move |other| (one, other))) {
        // The same limit in both sets: a fixed window alone would be a plain counter of another key.
        let spent = keyed(&[(3600, 1, one, 1), (60, 100, 2, 1)]);
        let both = [spent.clone(), keyed(&[(7200, 5, other, 5)])].concat();
        assert!(store.decide("{t}s", &spent).await.unwrap().unwrap().admitted());
        for _ in 0..3 {
            assert!(!store.decide("{t}s", &both).await.unwrap().unwrap().admitted());
        }
        let keys = store.keys().await;
        assert_eq!(keys.len(), 2, "{keys:?}");
        for key in keys {
            store.ask(&["DEL", &key]).await;
        }
    }
}
