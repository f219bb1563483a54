//! A connection to Redis whose responses have a bound: whatever answers at its address must not fill the memory.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use redis::{AsyncConnectionConfig, Client, ConnectionAddr, RedisConnectionInfo, aio::MultiplexedConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    task::AbortHandle,
};

/// The longest response that is read: `INFO` takes a few KiB.
const LONGEST: u64 = 1 << 20;

/// A connection to Redis.
#[derive(Debug)]
pub(super) struct Connection {
    commands: MultiplexedConnection,
    /// Bytes that may still be read.
    left: Arc<AtomicU64>,
    driver: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Connection {
    /// Connects, authenticates, and selects the database.
    ///
    /// # Errors
    /// The reason, without the URL.
    pub(super) async fn open(client: &Client) -> Result<Self, String> {
        let info = client.get_connection_info();
        let settings = info.redis_settings();
        let failed = |error: io::Error| error.to_string();
        match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
                Self::over(stream, settings).await
            }
            ConnectionAddr::Unix(path) => {
                Self::over(UnixStream::connect(path).await.map_err(failed)?, settings).await
            }
            _ => Err("its address has to begin with redis:// or unix://".to_owned()),
        }
    }

    async fn over<S>(stream: S, settings: &RedisConnectionInfo) -> Result<Self, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let left = Arc::new(AtomicU64::new(LONGEST));
        let stream = Bounded { stream, left: Arc::clone(&left) };
        let opened =
            MultiplexedConnection::new_with_config(settings, stream, AsyncConnectionConfig::default()).await;
        let (commands, driver) = opened.map_err(|error| error.to_string())?;
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Self { commands, left, driver })
    }

    /// The output of `INFO`.
    ///
    /// # Errors
    /// The reason.
    pub(super) async fn info(&mut self) -> Result<String, String> {
        self.left.store(LONGEST, Ordering::Relaxed);
        let asked = redis::cmd("INFO").query_async(&mut self.commands).await;
        asked.map_err(|error| match self.left.load(Ordering::Relaxed) {
            0 => too_long(),
            _ => error.to_string(),
        })
    }
}

fn too_long() -> String {
    format!("its response is longer than {} MiB: this is no Redis", LONGEST >> 20)
}

/// A stream of which a bounded number of bytes is read.
struct Bounded<S> {
    stream: S,
    left: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = (buffer.filled().len() - before) as u64;
        let left = self.left.load(Ordering::Relaxed).saturating_sub(read);
        self.left.store(left, Ordering::Relaxed);
        Poll::Ready(match left {
            0 => Err(io::Error::new(io::ErrorKind::InvalidData, too_long())),
            _ => Ok(()),
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// Responds to everything with a text of a million megabytes.
    #[tokio::test]
    async fn an_endless_response_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"$1000000000000\r\n").await;
            while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
        });
        let client = Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let error = match Connection::open(&client).await {
            Ok(mut connection) => connection.info().await.unwrap_err(),
            Err(error) => error,
        };
        assert!(error.contains("its response is longer than 1 MiB: this is no Redis"), "{error}");
    }
}
