//! The operations of the store in Redis. [`connection`] sends the commands, [`chat_script`] has the scripts
//! that decide about chats.

mod chat_script;
mod connection;

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind, Value};

use self::chat_script::{ChatCall, Script};
use self::connection::{CommandError, RedisConnection};
use super::{DecideOptions, StoreError};
use crate::limiter::{Decision, KeyedLimit};

#[derive(Debug, Clone)]
pub(super) struct RedisStore {
    connection: RedisConnection,
    fixed_windows: Script,
    general: Script,
    with_fault: Script,
}

impl RedisStore {
    pub(super) async fn connect(url: &str) -> Result<Self, StoreError> {
        let connection = RedisConnection::open(url).await?;
        let [fixed_windows, general, with_fault] =
            [chat_script::FIXED_WINDOWS, chat_script::GENERAL, chat_script::WITH_FAULT].map(Script::new);
        Ok(Self { connection, fixed_windows, general, with_fault })
    }

    pub(super) fn describe(&self) -> String {
        self.connection.url().to_owned()
    }

    pub(super) async fn create_session(
        &self,
        key: &str,
        lifetime: Option<Duration>,
    ) -> Result<(), StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(1);
        if let Some(lifetime) = lifetime {
            command.arg("PX").arg(chat_script::millis(lifetime));
        }
        self.connection.send(&command).await.map(drop)
    }

    pub(super) async fn has_session(&self, key: &str) -> Result<bool, StoreError> {
        let mut command = redis::cmd("EXISTS");
        command.arg(key);
        Ok(self.connection.send(&command).await? == Value::Int(1))
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.connection.send(&redis::cmd("PING")).await.map(drop)
    }

    pub(super) async fn decide(
        &self,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Result<Option<Decision>, StoreError> {
        let chat = ChatCall { session, limits };
        if chat.has_only_fixed_windows() {
            let command = |eval: &str, script: &str| chat.fixed_windows_command(eval, script);
            chat.parse_fixed_windows(&self.run(&self.fixed_windows, command).await?)
        } else {
            let command = |eval: &str, script: &str| chat.general_command(eval, script);
            chat.parse_general(&self.run(&self.general, command).await?)
        }
    }

    pub(super) async fn decide_with(
        &self,
        options: DecideOptions,
        session: &str,
        limits: &[KeyedLimit],
    ) -> Result<Option<Decision>, StoreError> {
        let chat = ChatCall { session, limits };
        let command = |eval: &str, script: &str| chat.command_with_fault(options, eval, script);
        chat.parse_general(&self.run(&self.with_fault, command).await?)
    }

    /// Runs a script; `command` makes the command from `EVALSHA` and its hash, or from `EVAL` and its text.
    async fn run(
        &self,
        script: &Script,
        command: impl Fn(&str, &str) -> redis::Cmd,
    ) -> Result<Value, StoreError> {
        match self.connection.try_send(&command("EVALSHA", &script.hash)).await {
            // A restarted Redis has lost the script. EVAL runs it and loads it again. The failed command ran
            // nothing, so nothing is counted twice.
            Err(CommandError::Failed(error)) if is_unknown_script(&error) => {
                self.connection.send(&command("EVAL", script.text)).await
            }
            result => result.map_err(CommandError::into_store_error),
        }
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

#[cfg(test)]
mod tests;
