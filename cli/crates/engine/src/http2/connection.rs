//! One connection of HTTP/2 and the streams that the server allows on it at once.

use std::{cell::Cell, rc::Rc};

use bytes::Bytes;
use h2::{
    Ping, SendStream,
    client::{Builder, ResponseFuture, SendRequest},
};
use tokio::sync::Semaphore;

use crate::{
    clock::RunClock,
    connect::{lifetime::Lifetime, number, stream::Stream},
    http1::decoder::HEAD_LIMIT,
};
use saasbench_model::{scenario::http::Reuse, units::Nanos};

/// Flow control window per response: large enough, because nothing is left unread for long.
const STREAM_WINDOW: u32 = 1 << 20;
/// Flow control window of all responses together.
const CONNECTION_WINDOW: u32 = 1 << 24;

/// A connection for streams. It closes when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    handle: SendRequest<Bytes>,
    number: u32,
    /// Streams that may still be opened; closed when no more can be.
    free: Semaphore,
    /// Number of all streams, including open ones.
    all: Cell<usize>,
    life: Cell<Lifetime>,
    /// Number of open streams.
    open: Cell<usize>,
}

/// Permission for one stream.
#[derive(Debug)]
pub(super) struct Slot {
    connection: Rc<Connection>,
    /// The connection's life if it was idle before.
    idle: Option<Lifetime>,
}

impl Connection {
    /// Starts HTTP/2 on a stream, and waits until the server has declared how many streams it allows.
    ///
    /// # Errors
    /// When the other side speaks another protocol, or closes the connection.
    pub(super) async fn open(stream: Stream, life: Lifetime) -> Result<Rc<Self>, h2::Error> {
        let (handle, mut driver) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(HEAD_LIMIT as u32)
            .handshake(stream)
            .await?;
        let mut pings = driver.ping_pong();
        let connection = Rc::new(Self {
            handle,
            number: number::next(),
            free: Semaphore::new(0),
            all: Cell::new(0),
            life: Cell::new(life),
            open: Cell::new(0),
        });
        let weak = Rc::downgrade(&connection);
        tokio::task::spawn_local(async move {
            // Its streams receive the error that it ended with.
            let _ = driver.await;
            if let Some(connection) = weak.upgrade() {
                connection.free.close();
            }
        });
        // The server's settings come before everything else, so before this pong.
        if let Some(pings) = &mut pings {
            pings.ping(Ping::opaque()).await?;
        }
        connection.fit();
        Ok(connection)
    }

    /// Whether streams can be opened for requests at `now`.
    pub(super) fn is_usable(&self, reuse: &Reuse, now: Nanos) -> bool {
        // Requests in flight count for `max_requests`, too.
        !self.free.is_closed() && self.life.get().takes_another(reuse, self.open.get(), now)
    }

    /// Opens no further stream: those that wait for one go to another connection.
    pub(super) fn retire(&self) {
        self.free.close();
    }

    /// Waits for a stream that the server allows; `None` if the connection takes no further request.
    pub(super) async fn slot(self: Rc<Self>, reuse: &Reuse, clock: &RunClock) -> Option<Slot> {
        self.fit();
        let permit = self.free.acquire().await.ok()?;
        // Others may have used it up meanwhile.
        if !self.is_usable(reuse, clock.now()) {
            return None;
        }
        permit.forget();
        let idle = (self.open.get() == 0).then(|| self.life.get());
        self.open.set(self.open.get() + 1);
        Some(Slot { connection: self, idle })
    }

    /// Applies the number of streams that the server allows now.
    fn fit(&self) {
        let (allowed, all) = (self.handle.current_max_send_streams(), self.all.get());
        let allowed = allowed.min(Semaphore::MAX_PERMITS);
        if allowed > all {
            self.free.add_permits(allowed - all);
            self.all.set(allowed);
        } else {
            // Those in use remain, and are removed when they are returned.
            self.all.set(all - self.free.forget_permits(all - allowed));
        }
    }
}

impl Slot {
    /// Number of its connection, unique within the process.
    pub(super) fn connection_number(&self) -> u32 {
        self.connection.number
    }

    /// The response was complete at `done`.
    pub(super) fn respond(&self, done: Nanos) {
        let mut life = self.connection.life.get();
        life.respond(done, None);
        self.connection.life.set(life);
    }

    /// How long the connection had been idle, if its server may have closed it for that just when this request
    /// was sent, at `sent`, which was seen at `lost`.
    pub(super) fn closed_idle(&self, sent: Nanos, lost: Nanos) -> Option<Nanos> {
        self.idle?.closed_idle(sent, lost)
    }

    /// No further request goes over its connection.
    pub(super) fn retire(&self) {
        self.connection.retire();
    }

    /// Opens a stream and sends a request's head on it; `None` if the connection accepts no more, and nothing
    /// was sent.
    pub(super) fn send(
        &self,
        head: http::Request<()>,
        is_all: bool,
    ) -> Option<(ResponseFuture, SendStream<Bytes>)> {
        let sent = self.connection.handle.clone().send_request(head, is_all);
        if sent.is_err() {
            self.connection.free.close();
        }
        sent.ok()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connection.open.set(self.connection.open.get() - 1);
        self.connection.free.add_permits(1);
        self.connection.fit();
    }
}
