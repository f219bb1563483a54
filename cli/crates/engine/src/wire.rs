//! The transport of a run: HTTP/1.1 or HTTP/2, as negotiated with each replica before the load.

use std::{rc::Rc, sync::Arc};

use super::{
    connect::{
        dial::Dialer,
        endpoint::{Endpoint, Endpoints, Protocol},
        resolve::System,
    },
    exchange::{Exchange, SendError, Transport},
    http1::wire::{self, Http1},
    http2::{self, Http2},
    self_monitor::response_timeout::ResponseTimeout,
};
use crate::clock::RunClock;

/// Sends requests to each replica by the version of HTTP negotiated with it.
#[derive(Debug)]
pub struct Wire {
    endpoints: Arc<Endpoints>,
    http1: Http1,
    http2: Http2,
}

impl Wire {
    /// For the worker with this number; a request may take `timeout`, connecting included.
    pub fn new(endpoints: Arc<Endpoints>, worker: usize, timeout: &ResponseTimeout, clock: RunClock) -> Self {
        let dialer = Rc::new(Dialer::new(Arc::clone(&endpoints), System, worker));
        Self {
            endpoints,
            http1: Http1::new(Rc::clone(&dialer), timeout.clone(), clock),
            http2: Http2::new(dialer, timeout.clone(), clock),
        }
    }
}

/// The connections of one user.
#[derive(Debug)]
pub struct UserConnections {
    http1: wire::UserConnections,
    http2: http2::UserConnections,
}

impl Transport for Wire {
    type UserConnections = UserConnections;

    fn connect_user(&self, in_turn: usize) -> UserConnections {
        UserConnections { http1: self.http1.connect_user(in_turn), http2: self.http2.connect_user(in_turn) }
    }

    fn end_iteration(&self, connections: &mut UserConnections) {
        self.http1.end_iteration(&mut connections.http1);
        self.http2.end_iteration(&mut connections.http2);
    }

    async fn send(
        &self,
        connections: &mut UserConnections,
        exchange: &mut Exchange,
    ) -> Result<(), SendError> {
        match self.endpoints.replicas().get(exchange.request.replica).map(Endpoint::protocol) {
            // Boxed, so that users of HTTP/1.1 need no memory for it.
            Some(Protocol::Http2) => Box::pin(self.http2.send(&mut connections.http2, exchange)).await,
            _ => self.http1.send(&mut connections.http1, exchange).await,
        }
    }
}
