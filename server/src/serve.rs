//! The accept loop: HTTP/1.1 connections and their graceful shutdown.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::app::App;
use crate::head_timeout::HeadTimeout;

/// A connection on which no request head arrives for this long is closed. Longer than clients keep idle
/// connections (reqwest: 90 s), so that clients close first and no request is sent into a connection that is
/// being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Delay after a failed accept: its usual cause, too many open files, only passes as connections end.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(20);

/// Serves `app` on `listener` until `shutdown` completes. From then on no connection is accepted, idle ones
/// are closed, and requests in flight are completed, for up to [`Config::grace`](crate::Config::grace).
/// Dropping the future ends all connections at once.
///
/// # Errors
///
/// The listener's local address is unavailable: it is not a working socket.
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    listener.local_addr()?;
    let mut http = http1::Builder::new();
    // A client may close its sending side and still wait for the response; and a request that was read
    // completely is processed and counted even if the client has disconnected since.
    http.half_close(true).timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
    let head_timeout = app.config().head_timeout;
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (service, watcher) = (app.service(), graceful.watcher());
                    connections.spawn(serve_connection(http.clone(), stream, head_timeout, service, watcher));
                }
                // The peer has disconnected, or the process has too many open files: serving continues.
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_DELAY).await,
            },
        }
    }
    drop(listener);
    // Connections that outlive the grace period end when `connections` is dropped.
    let _ = tokio::time::timeout(app.config().grace, graceful.shutdown()).await;
    Ok(())
}

/// Serves one connection to its end. Its errors are the peer's: malformed HTTP (hyper responds with a bare
/// 400, before there is a request that could be counted) or a broken connection.
async fn serve_connection(
    http: http1::Builder,
    stream: TcpStream,
    head_timeout: Duration,
    service: TowerToHyperService<Router>,
    watcher: Watcher,
) {
    // Responses are small and written at once: Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let _ = watcher
        .watch(http.serve_connection(TokioIo::new(HeadTimeout::new(stream, head_timeout)), service))
        .await;
}
