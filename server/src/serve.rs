//! Connections: accepting them, speaking HTTP/1.1 on them, and bringing them to an orderly end.

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

/// A connection on which no request's head arrives for so long is closed. Longer than clients keep idle connections
/// (reqwest: 90 s), so that it is they who close and no request meets a closing door.
const IDLE: Duration = Duration::from_secs(120);

/// Before accepting again after a failure: the usual cause, too many open files, passes only as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves `app` on `listener` until `shutdown` completes. Then no connection is accepted any more, idle ones are closed,
/// and requests in flight are answered, for as long as [`Config::grace`](crate::Config::grace) allows. Dropping the future
/// ends all connections at once.
///
/// # Errors
///
/// The listener cannot tell its own address, which means that it is no working socket.
pub async fn serve(
    listener: TcpListener,
    app: App,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    listener.local_addr()?;
    let mut http = http1::Builder::new();
    // A client may close its sending side and still await its answer; and a request that was read whole is answered and
    // counted even if the client has gone since.
    http.half_close(true).timer(TokioTimer::new()).header_read_timeout(IDLE);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(http.clone(), stream, app.service(), graceful.watcher()));
                }
                // The peer has gone again, or the process has no file left: neither is a reason to stop serving.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    // What is left after the grace is cut off when `connections` goes.
    let _ = tokio::time::timeout(app.config().grace, graceful.shutdown()).await;
    Ok(())
}

/// One connection, to its end. Its errors are the peer's: broken HTTP (answered with a bare 400 by hyper, before any
/// request exists that could be counted) or a broken connection.
async fn converse(
    http: http1::Builder,
    stream: TcpStream,
    service: TowerToHyperService<Router>,
    watcher: Watcher,
) {
    // Answers are small and complete: they must not wait for more to fill a packet.
    let _ = stream.set_nodelay(true);
    let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
}
