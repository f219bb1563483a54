//! The generator's own metrics, served during a run (`--listen`) or pushed (`--push`): what clients see, for
//! Prometheus to store beside the service's metrics. `page` renders them, `push` sends them, and
//! `remote_write` is the format for that.

mod page;
mod push;
mod remote_write;

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

pub use self::push::Push;
use self::push::Pushing;
use saasbench_engine::self_monitor::{in_flight::InFlight, stall_log::StallLog};
use saasbench_model::{scenario::Scenario, units::Nanos};
use saasbench_record::{self_metrics::SelfMetrics, writer::TallyReader};
use tenancy::head_timeout::HeadTimeout;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A connection without requests for this long is closed.
const IDLE: Duration = Duration::from_secs(120);
/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failed accept: the usual cause, too many open files, passes only as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Timeout of the last responses.
const GRACE: Duration = Duration::from_secs(5);
/// Number of intervals between scrapes from which the scrape interval is computed.
const INTERVALS: usize = 4;
/// The longest scrape interval for which the end of a run waits …
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// … but no longer than this, because two manual requests look regular, too.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// The subject of the metrics.
#[derive(Debug)]
pub struct Subject {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// Name of the run's directory.
    pub run: String,
    /// The environment's name.
    pub environment: String,
    /// Prometheus's `instance` label of each replica.
    pub replicas: Vec<String>,
    /// The zero of the run's clock, since the Unix epoch.
    pub started_unix: Nanos,
}

/// The sources of the values, once the load starts.
#[derive(Debug, Clone)]
pub struct Live {
    /// The recorder's totals, which must include [`SelfMetrics`].
    pub tally: TallyReader,
    /// Requests in flight.
    pub in_flight: Arc<InFlight>,
    /// The generator's stalls.
    pub stalled: Arc<StallLog>,
}

/// Serves the metrics at an address, and pushes them; dropping it ends both at once.
#[derive(Debug)]
pub struct SelfMetricsServer {
    shared: Arc<Shared>,
    stop: CancellationToken,
    serving: Option<(SocketAddr, JoinHandle<()>)>,
    /// Where they are pushed to; taken when pushing starts.
    push: Option<Push>,
    pushing: Option<Pushing>,
}

#[derive(Debug)]
struct Shared {
    subject: OnceLock<Subject>,
    live: OnceLock<Live>,
    scrapes: Mutex<Scrapes>,
    /// How many scrapes have been responded to.
    answered: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Scrapes {
    last: Option<Instant>,
    /// The latest intervals, oldest first.
    intervals: VecDeque<Duration>,
}

impl SelfMetricsServer {
    /// Neither serves nor pushes yet.
    pub fn new() -> Self {
        let shared = Arc::new(Shared {
            subject: OnceLock::new(),
            live: OnceLock::new(),
            scrapes: Mutex::default(),
            answered: watch::Sender::new(0),
        });
        Self { shared, stop: CancellationToken::new(), serving: None, push: None, pushing: None }
    }

    /// Listens; the exposition is empty until [`Self::begin`].
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn listen(&mut self, address: SocketAddr) -> io::Result<()> {
        self.serve(TcpListener::bind(address).await?.into_std()?)
    }

    /// Serves clients that connect to this listener, as [`Self::listen`] does.
    ///
    /// # Errors
    /// Any error of the operating system.
    pub fn serve(&mut self, listener: std::net::TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, Arc::clone(&self.shared), self.stop.clone()));
        self.serving = Some((address, serving));
        Ok(())
    }

    /// Pushes the metrics from [`Self::begin`] on.
    pub fn push_to(&mut self, push: Push) {
        self.push = Some(push);
    }

    /// The URL at which they are served, if any.
    pub fn url(&self) -> Option<String> {
        self.serving.as_ref().map(|(address, _)| format!("http://{address}/metrics"))
    }

    /// Sets the subject, and pushes for the first time; returns why that failed, if it did. A second subject
    /// is ignored.
    pub async fn begin(&mut self, subject: Subject) -> Option<String> {
        let _ = self.shared.subject.set(subject);
        let pushing = Pushing::start(self.push.take()?, Arc::clone(&self.shared));
        self.pushing.insert(pushing).first().await
    }

    /// Sets the sources of the values, and starts counting; must precede the first request. A second source
    /// is ignored.
    pub fn load_begins(&self, live: Live) {
        if let Some(Subject { scenario, replicas, .. }) = self.shared.subject.get() {
            live.tally.lock().own = Some(SelfMetrics::new(scenario, replicas.len()));
        }
        let _ = self.shared.live.set(live);
    }

    /// Waits until a regular scraper has seen the final values, but not beyond `stop`; then stops serving.
    /// The final values are pushed, too. Returns what could not be pushed during the whole run, if anything.
    pub async fn finish(mut self, stop: &CancellationToken, note: impl FnOnce(&str)) -> Option<String> {
        let lost = match self.pushing.take() {
            Some(pushing) => pushing.finish(stop).await,
            None => None,
        };
        let interval = self.shared.interval().filter(|interval| *interval <= LONGEST_INTERVAL);
        if let Some(interval) = interval.filter(|_| !stop.is_cancelled()) {
            note("waiting for a last scrape of the run's own metrics");
            let mut answered = self.shared.answered.subscribe();
            let enough = *answered.borrow_and_update() + 1;
            let scraped = answered.wait_for(|count| *count >= enough);
            tokio::select! {
                () = stop.cancelled() => {}
                _ = tokio::time::timeout((interval * 2).min(LONGEST_WAIT), scraped) => {}
            }
        }
        self.stop.cancel();
        if let Some((_, serving)) = &mut self.serving {
            let _ = serving.await;
        }
        lost
    }
}

impl Default for SelfMetricsServer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SelfMetricsServer {
    fn drop(&mut self) {
        if let Some((_, serving)) = &self.serving {
            serving.abort();
        }
    }
}

/// Serves until `stop`; responses in progress are completed.
async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&shared), graceful.watcher()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// Handles one connection to its end; its errors are the peer's.
async fn converse(stream: TcpStream, shared: Arc<Shared>, watcher: Watcher) {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(&request)) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let _ = watcher
        .watch(http.serve_connection(TokioIo::new(HeadTimeout::new(stream, HEAD_TIMEOUT)), service))
        .await;
}

impl Shared {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, body) = match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => {
                self.note_scrape();
                (StatusCode::OK, self.page())
            }
            (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "GET only\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, "the metrics are at /metrics\n".to_owned()),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(CONTENT_TYPE));
        response
    }

    fn page(&self) -> String {
        self.subject.get().map_or_else(String::new, |subject| page::render(subject, &self.numbers()))
    }

    /// The current values; no totals before the load has started.
    fn numbers(&self) -> page::Numbers {
        let Some(live) = self.live.get() else { return page::Numbers::default() };
        // Copied, so that the recorder need not wait for rendering.
        let own = live.tally.lock().own.clone();
        let (stalls, stalled) = live.stalled.total();
        page::Numbers { own, in_flight: live.in_flight.total(), stalls, stalled }
    }

    /// The scrape interval: the longest of the latest ones, since others may have fetched the metrics in
    /// between.
    fn interval(&self) -> Option<Duration> {
        let scrapes = self.scrapes.lock().unwrap_or_else(PoisonError::into_inner);
        scrapes.intervals.iter().max().copied()
    }

    fn note_scrape(&self) {
        let now = Instant::now();
        let mut scrapes = self.scrapes.lock().unwrap_or_else(PoisonError::into_inner);
        let last = scrapes.last.replace(now);
        scrapes.intervals.extend(last.map(|last| now - last));
        if scrapes.intervals.len() > INTERVALS {
            scrapes.intervals.pop_front();
        }
        drop(scrapes);
        self.answered.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests;
