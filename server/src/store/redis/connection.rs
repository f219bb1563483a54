//! A pipelined connection to Redis that reconnects by itself. While it is down, operations fail at once, and
//! a separate task retries until Redis is back. Nothing is sent twice: a command without a reply may have
//! counted.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind,
    RedisError, Value,
};

use super::super::StoreError;

/// For the reply to a command. Redis needs well under a millisecond; a second without a reply is an outage.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// For establishing a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Between attempts to reconnect: the first and the longest; it doubles in between.
const RECONNECT_DELAY: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// Commands that may be queued: enough to write a burst at once.
const PIPELINE_CAPACITY: usize = 1024;

/// Clones share the connection.
#[derive(Debug, Clone)]
pub(super) struct RedisConnection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    /// Without user and password.
    url: String,
    /// `None` while Redis is unavailable; then exactly one task tries to reconnect.
    live: RwLock<Option<LiveConnection>>,
}

/// An established connection. Its generation distinguishes a failure of this one from the late failure of one
/// that has already been replaced.
#[derive(Debug, Clone)]
struct LiveConnection {
    generation: u64,
    connection: MultiplexedConnection,
}

impl RedisConnection {
    /// Connects, once.
    pub(super) async fn open(url: &str) -> Result<Self, StoreError> {
        let shown = without_password(url);
        let client =
            client(url).map_err(|error| StoreError::Url { url: shown.clone(), cause: error.to_string() })?;
        let shared = Arc::new(Shared { client, url: shown, live: RwLock::new(None) });
        match shared.connect(0).await {
            Ok(()) => Ok(Self(shared)),
            Err(error) => Err(StoreError::Unreachable { url: shared.url.clone(), cause: error.to_string() }),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    /// Sends one command and waits for its reply.
    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, StoreError> {
        self.try_send(command).await.map_err(CommandError::into_store_error)
    }

    /// As [`send`](Self::send), for callers that handle some errors of Redis.
    pub(super) async fn try_send(&self, command: &Cmd) -> Result<Value, CommandError> {
        let live = self.0.live.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(LiveConnection { generation, mut connection }) = live else {
            return Err(CommandError::NotConnected);
        };
        command.query_async(&mut connection).await.map_err(|error| {
            if is_broken(&error) {
                self.0.replace(generation);
            }
            CommandError::Failed(error)
        })
    }
}

impl Shared {
    /// Establishes a connection, and uses it once it has replied to a PING: the port may be open long before
    /// Redis has loaded its data.
    async fn connect(self: &Arc<Self>, generation: u64) -> Result<(), RedisError> {
        // Notified of a lost connection at once, an idle server reconnects before its next request. (A loss
        // before the connection is in use is detected by the first command.)
        let shared = Arc::downgrade(self);
        let on_push = move |push: PushInfo| {
            if let (PushKind::Disconnection, Some(shared)) = (push.kind, shared.upgrade()) {
                shared.replace(generation);
            }
            Ok::<_, Infallible>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_pipeline_buffer_size(PIPELINE_CAPACITY)
            .set_push_sender(on_push);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        *self.live.write().unwrap_or_else(PoisonError::into_inner) =
            Some(LiveConnection { generation, connection });
        Ok(())
    }

    /// Discards a broken connection and starts to reconnect, unless that has already happened.
    fn replace(self: &Arc<Self>, generation: u64) {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref().is_some_and(|live| live.generation == generation) {
            *live = None;
            tokio::spawn(reconnect(Arc::downgrade(self), generation + 1));
        }
    }
}

/// Retries until it succeeds or the store has been dropped.
async fn reconnect(shared: Weak<Shared>, generation: u64) {
    let (mut pause, longest) = RECONNECT_DELAY;
    while let Some(shared) = shared.upgrade() {
        if shared.connect(generation).await.is_ok() {
            return;
        }
        drop(shared);
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
    }
}

/// Uses RESP3 (Redis 6 and later), with which the client notifies of a lost connection.
fn client(url: &str) -> Result<Client, RedisError> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    // Commands are small, and a request waits for each: Nagle's algorithm would delay them.
    let tcp = TcpSettings::default().set_nodelay(true);
    Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp))
}

/// Why a command failed.
#[derive(Debug)]
pub(super) enum CommandError {
    /// It was not sent.
    NotConnected,
    /// The connection failed, or Redis returned an error.
    Failed(RedisError),
}

impl CommandError {
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::NotConnected => StoreError::Unavailable,
            Self::Failed(error) => StoreError::Failed(error.to_string()),
        }
    }
}

/// Whether the connection failed, as opposed to an error that a healthy Redis replied with. One timeout is
/// enough: replies come in order, so none can arrive after a lost one.
fn is_broken(error: &RedisError) -> bool {
    error.is_timeout()
        || error.is_io_error()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
}

/// The URL for messages, without user, password and query (which can contain a password).
fn without_password(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(front, _)| front);
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_displayed_url_contains_no_secret() {
        let table = [
            ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
            ("redis://user:p@ss:w@host:6379/1", "redis://host:6379/1"),
            ("redis://:pass@host", "redis://host"),
            ("unix:///tmp/redis.sock?pass=secret", "unix:///tmp/redis.sock"),
            ("user:pass@host", "host"),
            ("nonsense", "nonsense"),
        ];
        for (url, shown) in table {
            assert_eq!(without_password(url), shown);
        }
    }
}
