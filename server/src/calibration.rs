//! The calibration service, whose latency is known: a load generator has to report the latencies that theory
//! predicts.
//!
//! It delays responses by a fixed or random time, freezes on request, and serves no faster than a ceiling.
//! `schedule` computes when a response is due; this file is the server. Responses are accurate to some
//! microseconds: tokio's timers round up to whole milliseconds, so each wait uses its own timerfd.

mod args;
mod schedule;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use args::{CalibrationArgs, Delay, Freeze};
use schedule::Schedule;

/// How many delays are recorded for `/served`; later ones are only counted.
const MAX_RECORDED: usize = 1 << 20;

/// A service of known latency. Clones are the same service.
#[derive(Debug, Clone)]
pub struct Calibration(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    schedule: Schedule,
    /// When the first request arrived: the origin of the schedule.
    zero: Option<Instant>,
    served: u64,
    /// How long each request was really held, from its arrival until its response was sent.
    held: Vec<Duration>,
}

impl Calibration {
    /// A service with these settings, before its first request.
    #[must_use]
    pub fn new(args: &CalibrationArgs) -> Self {
        let schedule = Schedule::new(args);
        Self(Arc::new(Mutex::new(State { schedule, zero: None, served: 0, held: Vec::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a request that arrives now: when it arrived, and when its response is due.
    fn arrive(&self, delay: Option<Delay>) -> (Instant, Instant) {
        let mut state = self.lock();
        let now = Instant::now();
        let zero = *state.zero.get_or_insert(now);
        (now, zero + state.schedule.response_due(now - zero, delay))
    }

    fn record_held(&self, arrived: Instant) {
        let mut state = self.lock();
        state.served += 1;
        if state.held.len() < MAX_RECORDED {
            state.held.push(arrived.elapsed());
        }
    }

    fn freeze(&self, length: Duration) {
        let mut state = self.lock();
        let now = Instant::now();
        let zero = *state.zero.get_or_insert(now);
        state.schedule.freeze(now - zero, length);
    }

    /// The number of served requests, and quantiles of how long they were held:
    /// `{"served":3,"held_ns":{"p50":…}}`.
    fn served(&self) -> String {
        let (served, mut held) = {
            let state = self.lock();
            (state.served, state.held.clone())
        };
        held.sort_unstable();
        let at = |q: f64| {
            let rank = (q * held.len() as f64).ceil().max(1.0) as usize;
            held.get(rank - 1).map_or(0, Duration::as_nanos)
        };
        let (p50, p90, p99, max) = (at(0.5), at(0.9), at(0.99), at(1.0));
        format!(r#"{{"served":{served},"held_ns":{{"p50":{p50},"p90":{p90},"p99":{p99},"max":{max}}}}}"#)
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        // If the body is incomplete, the connection is broken, too.
        let _ = body.collect().await;
        let path = head.uri.path();
        match (&head.method, path) {
            (&Method::POST, "/freeze") => {
                let query = head.uri.query().and_then(|query| query.strip_prefix("for="));
                let Some(length) = query.and_then(|text| args::parse_span(text).ok()) else {
                    return response(
                        422,
                        r#"{"detail":"expected a duration: POST /freeze?for=2s"}"#.to_owned(),
                    );
                };
                self.freeze(length);
                response(200, r#"{"ok":true}"#.to_owned())
            }
            (&Method::GET, "/served") => response(200, self.served()),
            _ => {
                let delay = match path.strip_prefix("/delay/").map(str::parse::<Delay>) {
                    Some(Err(_)) => {
                        return response(
                            422,
                            r#"{"detail":"expected a duration: GET /delay/20ms"}"#.to_owned(),
                        );
                    }
                    Some(Ok(delay)) => Some(delay),
                    None => None,
                };
                let (arrived, due) = self.arrive(delay);
                if wait_until(due).await.is_err() {
                    return response(503, r#"{"detail":"no timer available"}"#.to_owned());
                }
                self.record_held(arrived);
                response(200, r#"{"ok":true}"#.to_owned())
            }
        }
    }
}

fn response(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    response
}

/// Waits until `due`: never shorter, and longer only by the latency of the scheduler.
async fn wait_until(due: Instant) -> io::Result<()> {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        let it_value = Timespec { tv_sec: seconds, tv_nsec: i64::from(left.subsec_nanos()) };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: nothing, it_value })?;
        #[expect(
            deprecated,
            reason = "an `OwnedFd` always returns its own descriptor; the replacement is unsafe"
        )]
        let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
        let _ = timer.readable().await?;
    }
}

/// Serves on `listener` until `shutdown`; then all connections end at once.
///
/// # Errors
///
/// The listener's local address is unavailable: it is not a working socket.
pub async fn serve(
    listener: TcpListener,
    service: Calibration,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.local_addr()?;
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            Some(_) = connections.join_next() => {}
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve_connection(stream, service.clone()));
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, service: Calibration) {
    let _ = stream.set_nodelay(true);
    let respond = service_fn(|request| async { Ok::<_, Infallible>(service.respond(request).await) });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), respond).await;
}
