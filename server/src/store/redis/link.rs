//! One pipelined connection to Redis that heals itself. While it is down nobody waits: operations fail at once, and a
//! task of its own tries again until Redis is back. Nothing is ever sent twice: an unanswered command may have counted.

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

/// For an answer to a command. Redis needs well under a millisecond; a second without one is an outage.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// For a connection to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Between attempts while Redis is away: from the first to the longest, doubling.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// Commands that may queue for the connection's task: enough to write a burst in one go.
const PIPELINE: usize = 1024;

/// Clones share the connection.
#[derive(Debug, Clone)]
pub(super) struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    /// Without password.
    url: String,
    /// `None` while Redis is away; then exactly one task is trying to reconnect.
    line: RwLock<Option<Line>>,
}

/// A live connection. Its number tells a failure of this one from the late failure of one already replaced.
#[derive(Debug, Clone)]
struct Line {
    number: u64,
    connection: MultiplexedConnection,
}

impl Link {
    /// Connects, once.
    pub(super) async fn open(url: &str) -> Result<Self, StoreError> {
        let shown = without_password(url);
        let client =
            client(url).map_err(|error| StoreError::Url { url: shown.clone(), cause: error.to_string() })?;
        let shared = Arc::new(Shared { client, url: shown, line: RwLock::new(None) });
        match shared.connect(0).await {
            Ok(()) => Ok(Self(shared)),
            Err(error) => Err(StoreError::Unreachable { url: shared.url.clone(), cause: error.to_string() }),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.0.url
    }

    /// Sends one command and awaits its answer.
    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, StoreError> {
        self.try_send(command).await.map_err(Failure::into_store_error)
    }

    /// As [`send`](Self::send), for a caller that knows a remedy for some of Redis's own errors.
    pub(super) async fn try_send(&self, command: &Cmd) -> Result<Value, Failure> {
        let line = self.0.line.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(Line { number, mut connection }) = line else { return Err(Failure::Away) };
        command.query_async(&mut connection).await.map_err(|error| {
            if is_broken(&error) {
                self.0.replace(number);
            }
            Failure::Answered(error)
        })
    }
}

impl Shared {
    /// Puts a new connection into use, once it has answered a PING: a port may be open long before Redis has loaded its
    /// data.
    async fn connect(self: &Arc<Self>, number: u64) -> Result<(), RedisError> {
        // Reported of a loss at once, an idle server has reconnected before its next request comes. (A loss before the
        // connection is in use is noticed by the first command.)
        let shared = Arc::downgrade(self);
        let on_push = move |push: PushInfo| {
            if let (PushKind::Disconnection, Some(shared)) = (push.kind, shared.upgrade()) {
                shared.replace(number);
            }
            Ok::<_, Infallible>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_pipeline_buffer_size(PIPELINE)
            .set_push_sender(on_push);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        *self.line.write().unwrap_or_else(PoisonError::into_inner) = Some(Line { number, connection });
        Ok(())
    }

    /// Takes a broken connection out of use and starts to reconnect, unless that has been done already.
    fn replace(self: &Arc<Self>, number: u64) {
        let mut line = self.line.write().unwrap_or_else(PoisonError::into_inner);
        if line.as_ref().is_some_and(|line| line.number == number) {
            *line = None;
            tokio::spawn(reconnect(Arc::downgrade(self), number + 1));
        }
    }
}

/// Tries until it succeeds or nobody holds the store any more.
async fn reconnect(shared: Weak<Shared>, number: u64) {
    let (mut pause, longest) = RETRY_AFTER;
    while let Some(shared) = shared.upgrade() {
        if shared.connect(number).await.is_ok() {
            return;
        }
        drop(shared);
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
    }
}

/// A client of that URL. RESP3 (Redis 6 and later) because only there a lost connection is reported.
fn client(url: &str) -> Result<Client, RedisError> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    // Commands are small, and a request waits for each: they must not wait for more to fill a packet.
    let tcp = TcpSettings::default().set_nodelay(true);
    Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp))
}

/// Why a command has no good answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not sent.
    Away,
    /// It failed, on the way or in Redis.
    Answered(RedisError),
}

impl Failure {
    pub(super) fn into_store_error(self) -> StoreError {
        match self {
            Self::Away => StoreError::Away,
            Self::Answered(error) => StoreError::Failed(error.to_string()),
        }
    }
}

/// An error of the connection, as opposed to one that a healthy Redis answered with. One timeout is enough: answers come in
/// order, so what waits behind a lost one waits in vain.
fn is_broken(error: &RedisError) -> bool {
    error.is_timeout()
        || error.is_io_error()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
}

/// A URL as it may be shown: user, password and query (which can hold a password) are cut out of it.
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
    fn a_shown_url_holds_no_secret() {
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
