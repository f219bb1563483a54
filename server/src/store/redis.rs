//! The store in Redis: its operations. The connection is [`Link`]'s, the scripts and their answers are [`chat`]'s.

mod chat;
mod link;

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

use self::chat::{Chat, Script};
use self::link::{Failure, Link};
use super::{Manner, StoreError};
use crate::limiter::{Decision, KeyedLimit};

#[derive(Debug, Clone)]
pub(super) struct RedisStore {
    link: Link,
    fixed: Script,
    any: Script,
    faulty: Script,
}

impl RedisStore {
    pub(super) async fn connect(url: &str) -> Result<Self, StoreError> {
        let link = Link::open(url).await?;
        let [fixed, any, faulty] = [chat::FIXED, chat::ANY, chat::FAULTY].map(Script::new);
        Ok(Self { link, fixed, any, faulty })
    }

    pub(super) fn describe(&self) -> String {
        self.link.url().to_owned()
    }

    pub(super) async fn create_session(
        &self,
        key: &str,
        lifetime: Option<Duration>,
    ) -> Result<(), StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(1);
        if let Some(lifetime) = lifetime {
            command.arg("PX").arg(chat::millis(lifetime));
        }
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
        let chat = Chat { session, limits };
        if chat.is_fixed() {
            chat.read_fixed(&self.run(&self.fixed, |verb, script| chat.fixed(verb, script)).await?)
        } else {
            chat.read_any(&self.run(&self.any, |verb, script| chat.any(verb, script)).await?)
        }
    }

    pub(super) async fn decide_as(
        &self,
        manner: Manner,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Result<Option<Decision>, StoreError> {
        let chat = Chat { session, limits };
        chat.read_any(&self.run(&self.faulty, |verb, script| chat.faulty(manner, verb, script)).await?)
    }

    /// Runs a script; `command` makes the command that names it by its hash or holds its text.
    async fn run(
        &self,
        script: &Script,
        command: impl Fn(&str, &str) -> redis::Cmd,
    ) -> Result<Value, StoreError> {
        match self.link.try_send(&command("EVALSHA", &script.hash)).await {
            // A Redis that has restarted forgot the script. EVAL runs it and makes it known again; the failed command
            // ran nothing, so nothing is counted twice.
            Err(Failure::Answered(error)) if is_unknown_script(&error) => {
                self.link.send(&command("EVAL", script.text)).await
            }
            answer => answer.map_err(Failure::into_store_error),
        }
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

#[cfg(test)]
mod tests;
