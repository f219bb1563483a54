//! The store in Redis: its operations and the reading of its answers. The connection is [`Link`]'s.

mod link;

use std::time::Duration;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use self::link::{Failure, Link};
use super::StoreError;
use crate::limiter::{Decision, KeyedLimit, Reading};

const CHAT_SCRIPT: &str = include_str!("chat.lua");

#[derive(Debug, Clone)]
pub(super) struct RedisStore {
    link: Link,
    /// By which Redis knows the script once it has seen it.
    script_hash: String,
}

impl RedisStore {
    pub(super) async fn connect(url: &str) -> Result<Self, StoreError> {
        let link = Link::open(url).await?;
        let script_hash = redis::Script::new(CHAT_SCRIPT).get_hash().to_owned();
        Ok(Self { link, script_hash })
    }

    pub(super) fn describe(&self) -> String {
        self.link.url().to_owned()
    }

    pub(super) async fn create_session(&self, key: &str, lifetime: Duration) -> Result<(), StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(1).arg("PX").arg(millis(lifetime));
        self.link.send(&command).await.map(drop)
    }

    pub(super) async fn has_session(&self, key: &str) -> Result<bool, StoreError> {
        let mut command = redis::cmd("EXISTS");
        command.arg(key);
        Ok(self.link.send(&command).await? == Value::Int(1))
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.link.send(&redis::cmd("PING")).await.map(drop)
    }

    pub(super) async fn decide(
        &self,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Result<Option<Decision>, StoreError> {
        let by_hash = chat_command("EVALSHA", &self.script_hash, session, limits);
        let answer = match self.link.try_send(&by_hash).await {
            // A Redis that has restarted forgot the script. EVAL runs it and makes it known again; the failed command
            // ran nothing, so nothing is counted twice.
            Err(Failure::Answered(error)) if is_unknown_script(&error) => {
                self.link.send(&chat_command("EVAL", CHAT_SCRIPT, session, limits)).await?
            }
            answer => answer.map_err(Failure::into_store_error)?,
        };
        read_decision(&answer, limits)
    }
}

fn chat_command(verb: &str, script: &str, session: &str, limits: &[KeyedLimit]) -> Cmd {
    let mut command = redis::cmd(verb);
    command.arg(script).arg(1 + limits.len()).arg(session);
    for keyed in limits {
        command.arg(&keyed.key);
    }
    for keyed in limits {
        command.arg(keyed.limit.quota).arg(millis(keyed.limit.window));
    }
    command
}

/// Reads what the script answers: hits and milliseconds for each limit.
fn read_decision(answer: &Value, limits: &[KeyedLimit]) -> Result<Option<Decision>, StoreError> {
    let strange = || StoreError::Failed(format!("the chat script answered {answer:?}"));
    let Value::Array(numbers) = answer else { return Err(strange()) };
    if numbers.is_empty() {
        return Ok(None);
    }
    if numbers.len() != 2 * limits.len() {
        return Err(strange());
    }
    let mut hits_and_ends = Vec::with_capacity(limits.len());
    for pair in numbers.chunks_exact(2) {
        let [Value::Int(hits), Value::Int(left)] = pair else { return Err(strange()) };
        hits_and_ends.push((u32::try_from(*hits).unwrap_or(u32::MAX), u64::try_from(*left).unwrap_or(1)));
    }
    let admitted = hits_and_ends.iter().zip(limits).all(|((hits, _), keyed)| *hits <= keyed.limit.quota);
    let reading = |((hits, left), keyed): (&(u32, u64), &KeyedLimit)| Reading {
        // A refused request's own hit was taken back.
        used: if admitted { *hits } else { hits.saturating_sub(1) },
        resets_in: Duration::from_millis(*left),
        refuses: *hits > keyed.limit.quota,
    };
    Ok(Some(Decision { readings: hits_and_ends.iter().zip(limits).map(reading).collect() }))
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
