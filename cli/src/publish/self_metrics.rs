//! The run's own metrics, served while it goes (`--listen`) or pushed (`--push`): what the clients see, for Prometheus to keep
//! beside what the service says. `page` has what there is to tell, `push` sends it, `remote_write` is what it looks like then.

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

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A connection on which nothing is asked for so long is closed.
const IDLE: Duration = Duration::from_secs(120);
/// Before accepting again after a failure: too many open files pass only as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How long the last answers may take.
const GRACE: Duration = Duration::from_secs(5);
/// Intervals between scrapes from which the scrape interval is known.
const INTERVALS: usize = 4;
/// Longest scrape interval of a scraper that is waited for at the end.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// But not for longer than this: two looks by hand look regular, too.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Whose metrics they are.
#[derive(Debug)]
pub struct Subject {
    /// What runs.
    pub scenario: Arc<Scenario>,
    /// Name of the directory that it is recorded into.
    pub run: String,
    /// The environment's name.
    pub environment: String,
    /// Prometheus's `instance` label of each replica.
    pub replicas: Vec<String>,
    /// When the run's clock was zero, since the Unix epoch.
    pub started_unix: Nanos,
}

/// Where the numbers come from once the load begins.
#[derive(Debug, Clone)]
pub struct Live {
    /// The recorder's totals, which must keep [`SelfMetrics`] ones.
    pub tally: TallyReader,
    /// Requests under way.
    pub in_flight: Arc<InFlight>,
    /// How often and how long the generator stood still.
    pub stalled: Arc<StallLog>,
}

/// The page at its address, and what pushes it. Dropped, both are gone at once.
#[derive(Debug)]
pub struct SelfMetricsServer {
    shared: Arc<Shared>,
    stop: CancellationToken,
    serving: Option<(SocketAddr, JoinHandle<()>)>,
    /// Where they are pushed to, until that begins.
    push: Option<Push>,
    pushing: Option<Pushing>,
}

#[derive(Debug)]
struct Shared {
    subject: OnceLock<Subject>,
    live: OnceLock<Live>,
    scrapes: Mutex<Scrapes>,
    /// How many have been asked for.
    answered: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Scrapes {
    last: Option<Instant>,
    /// The last few, oldest first.
    intervals: VecDeque<Duration>,
}

impl SelfMetricsServer {
    /// Neither served nor pushed so far.
    pub fn new() -> Self {
        let shared = Arc::new(Shared {
            subject: OnceLock::new(),
            live: OnceLock::new(),
            scrapes: Mutex::default(),
            answered: watch::Sender::new(0),
        });
        Self { shared, stop: CancellationToken::new(), serving: None, push: None, pushing: None }
    }

    /// Listens; the page is empty until [`Self::begin`].
    ///
    /// # Errors
    /// When the address is not to be had.
    pub async fn listen(&mut self, address: SocketAddr) -> io::Result<()> {
        self.serve(TcpListener::bind(address).await?.into_std()?)
    }

    /// Serves clients that connect to this address, as [`Self::listen`] does.
    ///
    /// # Errors
    /// The operating system's.
    pub fn serve(&mut self, listener: std::net::TcpListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(serve(listener, Arc::clone(&self.shared), self.stop.clone()));
        self.serving = Some((address, serving));
        Ok(())
    }

    /// Has them pushed from [`Self::begin`] on.
    pub fn push_to(&mut self, push: Push) {
        self.push = Some(push);
    }

    /// Where they are served, if anywhere.
    pub fn url(&self) -> Option<String> {
        self.serving.as_ref().map(|(address, _)| format!("http://{address}/metrics"))
    }

    /// Says whose metrics they are, and pushes them for the first time: why that failed, if it did. A second subject is not
    /// taken.
    pub async fn begin(&mut self, subject: Subject) -> Option<String> {
        let _ = self.shared.subject.set(subject);
        let pushing = Pushing::start(self.push.take()?, Arc::clone(&self.shared));
        self.pushing.insert(pushing).first().await
    }

    /// Says where the numbers come from, and has them counted; before the first request. A second source is not taken.
    pub fn load_begins(&self, live: Live) {
        if let Some(Subject { scenario, replicas, .. }) = self.shared.subject.get() {
            live.tally.lock().own = Some(SelfMetrics::new(scenario, replicas.len()));
        }
        let _ = self.shared.live.set(live);
    }

    /// Waits until a regular scraper has seen its end, which is now, but not past `stop`; then it is gone. The
    /// end is pushed, too. Returns what could not be pushed in the whole run, if anything.
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

/// Serves until `stop`; what is being answered then is answered.
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

/// One connection, to its end; its errors are the peer's.
async fn converse(stream: TcpStream, shared: Arc<Shared>, watcher: Watcher) {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(shared.answer(&request)) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE);
    let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
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

    /// The values now; none of a load that has not started.
    fn numbers(&self) -> page::Numbers {
        let Some(live) = self.live.get() else { return page::Numbers::default() };
        // Copied, so that the recorder waits for no rendering.
        let own = live.tally.lock().own.clone();
        let (stalls, stalled) = live.stalled.total();
        page::Numbers { own, in_flight: live.in_flight.total(), stalls, stalled }
    }

    /// How often it is scraped: the longest time between two, since others may have looked in between.
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
