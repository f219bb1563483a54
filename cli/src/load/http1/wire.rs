//! The transport of HTTP/1.1: each user has a connection of its own to each replica, made when it is first needed.

use std::{net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, time::Instant};

use super::{
    connection::{After, Connection, Failure},
    deadline::Deadline,
};
use crate::{
    clock::RunClock,
    load::exchange::{Exchange, NoAnswer, Transport},
    record::sample::{Obstacle, Silence},
    units::Nanos,
};

/// Sends requests by HTTP/1.1.
#[derive(Debug)]
pub struct Http1 {
    replicas: Vec<SocketAddr>,
    timeout: Nanos,
    clock: RunClock,
}

/// The connections of one user.
#[derive(Debug)]
pub struct Line {
    /// One for each replica: those that lie idle. One in use is taken out, and comes back only if it can be used again.
    idle: Vec<Option<Connection<TcpStream>>>,
    deadline: Deadline,
}

impl Http1 {
    /// To the replicas at these addresses; a request may take `timeout`, connecting included.
    pub fn new(replicas: Vec<SocketAddr>, timeout: Duration, clock: RunClock) -> Self {
        Self { replicas, timeout: timeout.into(), clock }
    }

    /// A new connection to the replica.
    async fn dial(&self, replica: usize) -> Result<TcpStream, Obstacle> {
        let address = self.replicas.get(replica).ok_or(Obstacle::Unbuildable)?;
        let stream = TcpStream::connect(address).await.map_err(|_| Obstacle::ConnectFailed)?;
        stream.set_nodelay(true).map_err(|_| Obstacle::ConnectFailed)?;
        Ok(stream)
    }

    /// A new connection, or the end of the attempt; sets `sent` to when it was there, or to when it was given up.
    async fn connect(
        &self,
        deadline: &mut Deadline,
        at: Instant,
        exchange: &mut Exchange,
    ) -> Result<Connection<TcpStream>, NoAnswer> {
        let dialled = deadline.limit(at, self.dial(exchange.request.replica)).await;
        exchange.sent = self.clock.now();
        match dialled {
            Some(stream) => stream.map(Connection::new).map_err(NoAnswer::NotSent),
            None => Err(NoAnswer::NotSent(Obstacle::ConnectTimeout)),
        }
    }
}

#[cfg(test)]
impl Line {
    /// Whether there is a connection to the replica that lies idle as it should.
    pub(super) async fn is_idle(&mut self, replica: usize) -> bool {
        match &mut self.idle[replica] {
            Some(connection) => connection.is_idle().await,
            None => false,
        }
    }

    /// Lets no write to the replica succeed on the connection that lies idle, which shows nothing of it.
    pub(super) async fn refuse_writes(&mut self, replica: usize) {
        if let Some(connection) = &mut self.idle[replica] {
            connection.refuse_writes().await;
        }
    }
}

impl Transport for Http1 {
    type Line = Line;

    fn line(&self) -> Line {
        Line { idle: self.replicas.iter().map(|_| None).collect(), deadline: Deadline::default() }
    }

    async fn send(&self, line: &mut Line, exchange: &mut Exchange) -> Result<(), NoAnswer> {
        exchange.sent = self.clock.now();
        let at = self.clock.instant(exchange.sent + self.timeout);
        let replica = exchange.request.replica;
        let mut kept = line.idle.get_mut(replica).and_then(Option::take);
        if let Some(connection) = &mut kept
            && !connection.is_idle().await
        {
            kept = None;
        }
        let mut is_new = kept.is_none();
        loop {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.connect(&mut line.deadline, at, exchange).await?,
            };
            let outcome = line.deadline.limit(at, connection.exchange(exchange, &self.clock)).await;
            return match outcome {
                Some(Ok(after)) => {
                    if let (After::Reuse, Some(place)) = (after, line.idle.get_mut(replica)) {
                        *place = Some(connection);
                    }
                    Ok(())
                }
                // Not a byte has left, and a connection that was left idle is no witness against the replica.
                Some(Err(Failure::Unsent)) if !is_new => {
                    is_new = true;
                    continue;
                }
                Some(Err(Failure::Unsent)) => Err(NoAnswer::NotSent(Obstacle::ConnectFailed)),
                Some(Err(Failure::Lost)) => Err(NoAnswer::Unknown(Silence::ConnectionLost)),
                Some(Err(Failure::Malformed(_))) => Err(NoAnswer::Unknown(Silence::Malformed)),
                None => Err(NoAnswer::Unknown(Silence::Timeout)),
            };
        }
    }
}
