//! The transport of a run: HTTP/1.1 or HTTP/2, as negotiated with each replica before the load.

use std::{rc::Rc, sync::Arc};

use super::{
    connect::{
        dial::Dialer,
        endpoint::{Endpoint, Endpoints, Protocol},
        resolve::System,
    },
    exchange::{Exchange, SendError, Transport},
    http1::wire::{Http1, UserConnections},
    http2::Http2,
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

impl Transport for Wire {
    type UserConnections = UserConnections;

    fn connect_user(&self) -> UserConnections {
        self.http1.connect_user()
    }

    async fn send(
        &self,
        connections: &mut UserConnections,
        exchange: &mut Exchange,
    ) -> Result<(), SendError> {
        match self.endpoints.replicas().get(exchange.request.replica).map(Endpoint::protocol) {
            // Boxed, so that users of HTTP/1.1 need no memory for it.
            Some(Protocol::Http2) => Box::pin(self.http2.send(&mut (), exchange)).await,
            _ => self.http1.send(connections, exchange).await,
        }
    }
}
