//! The run's own metrics, served while it goes (`--metrics-listen`): what the clients see, for Prometheus to keep beside what
//! the service says. `page` writes the text.

mod page;

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

use crate::{
    record::{own::Own, writer::TallyReader},
    scenario::Scenario,
    units::Nanos,
    watch::{in_flight::InFlight, stall::Stalled},
};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A connection on which nothing is asked for so long is closed.
const IDLE: Duration = Duration::from_secs(120);
/// Before accepting again after a failure: too many open files pass only as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How long the last answers may take.
const GRACE: Duration = Duration::from_secs(5);
/// So many intervals between scrapes tell how often it is scraped.
const INTERVALS: usize = 4;
/// Whoever scraped regularly, with this interval at the most, is waited for at the end.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// But not for longer than this: two looks by hand look regular, too.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Whose metrics they are.
#[derive(Debug)]
pub struct Subject {
    /// What runs.
    pub scenario: Arc<Scenario>,
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
    /// The recorder's totals, which must keep [`Own`] ones.
    pub tally: TallyReader,
    /// Requests under way.
    pub in_flight: Arc<InFlight>,
    /// How often and how long the generator stood still.
    pub stalled: Arc<Stalled>,
}

/// The page at its address. Dropped, it is gone at once.
#[derive(Debug)]
pub struct OwnMetrics {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
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

impl OwnMetrics {
    /// Listens; the page is empty until [`Self::begin`].
    ///
    /// # Errors
    /// When the address is not to be had.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        Self::serve(TcpListener::bind(address).await?.into_std()?)
    }

    /// Serves whoever connects to this address, as [`Self::listen`] does.
    ///
    /// # Errors
    /// The operating system's.
    pub fn serve(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            subject: OnceLock::new(),
            live: OnceLock::new(),
            scrapes: Mutex::default(),
            answered: watch::Sender::new(0),
        });
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared), stop.clone()));
        Ok(Self { address, shared, stop, serving })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// Says whose metrics they are. A second subject is not taken.
    pub fn begin(&self, subject: Subject) {
        let _ = self.shared.subject.set(subject);
    }

    /// Says where the numbers come from, and has them counted; before the first request. A second source is not taken.
    pub fn load_begins(&self, live: Live) {
        if let Some(Subject { scenario, replicas, .. }) = self.shared.subject.get() {
            live.tally.lock().own = Some(Own::new(scenario, replicas.len()));
        }
        let _ = self.shared.live.set(live);
    }

    /// Waits until whoever scraped it regularly has seen its end, which is now, but not past `stop`; then it is gone.
    pub async fn finish(mut self, stop: &CancellationToken, note: impl FnOnce(&str)) {
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
        let _ = (&mut self.serving).await;
    }
}

impl Drop for OwnMetrics {
    fn drop(&mut self) {
        self.serving.abort();
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
        let Some(subject) = self.subject.get() else { return String::new() };
        let Some(live) = self.live.get() else { return page::render(subject, &page::Numbers::default()) };
        // Copied, so that the recorder waits for no rendering.
        let own = live.tally.lock().own.clone();
        let (stalls, stalled) = live.stalled.total();
        page::render(subject, &page::Numbers { own, in_flight: live.in_flight.total(), stalls, stalled })
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
mod tests {
    use super::*;
    use crate::verify::testing::{SCENARIO, scenario};

    use crate::{
        record::{batch::Batch, sample::Outcome, writer::Recorder},
        verify::testing::sample,
        watch::stall::{Cause, Stall},
    };
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn ask(own: &OwnMetrics, request: &str) -> String {
        let mut stream = TcpStream::connect(own.address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().filter(|line| !line.starts_with("date:")).map(|line| format!("{line}\n")).collect()
    }

    fn subject() -> Subject {
        Subject {
            scenario: Arc::new(scenario(&SCENARIO.replace("\"chat\"", "'the \"chat\"'"))),
            environment: "test".to_owned(),
            replicas: vec!["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()],
            started_unix: Nanos::from_millis(1_500),
        }
    }

    async fn listen() -> OwnMetrics {
        OwnMetrics::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap()
    }

    /// A recorder whose totals are served, with these samples recorded.
    async fn loaded(own: &OwnMetrics, samples: &[Outcome]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("samples")).unwrap();
        let scenario = Arc::clone(&own.shared.subject.get().unwrap().scenario);
        let names = vec!["a".to_owned(), "b".to_owned()];
        let (recorder, sink) =
            Recorder::start(dir.path().to_owned(), scenario, names, Default::default()).unwrap();
        let stalled = Arc::new(Stalled::default());
        stalled.add(&Stall { from_ns: Nanos::ZERO, to_ns: Nanos::from_millis(7), cause: Cause::Machine });
        own.load_begins(Live { tally: recorder.tally(), in_flight: Arc::default(), stalled });
        let mut batch = Batch::default();
        for (i, outcome) in samples.iter().enumerate() {
            batch.push(&sample(i as i64, i % 2, *outcome));
        }
        sink.hand_over(&mut batch);
        drop(sink);
        tokio::task::spawn_blocking(move || recorder.finish()).await.unwrap().unwrap();
        dir
    }

    #[tokio::test]
    async fn the_page_tells_what_clients_saw() {
        let own = listen().await;
        own.begin(subject());
        let before = ask(&own, "GET /metrics").await;
        assert!(before.contains("saasbench_requests_in_flight 0\n"), "{before}");
        assert!(!before.contains("saasbench_requests_total"), "{before}");
        let silence = Outcome::Unknown(crate::record::sample::Silence::Timeout);
        let outcomes =
            [Outcome::Status(200), Outcome::Status(429), Outcome::Status(200), silence, Outcome::Dropped];
        let _dir = loaded(&own, &outcomes).await;
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"content-length: \d+", "content-length: N");
        let page = ask(&own, "GET /metrics").await;
        let of_most_bounds = |line: &&str| {
            line.contains("le=")
                && !["0.005", "0.01", "+Inf"].iter().any(|le| line.contains(&format!("le={le:?}")))
        };
        let page: Vec<&str> = page.lines().filter(|line| !of_most_bounds(line)).collect();
        let page = page.join("\n");
        settings.bind(|| insta::assert_snapshot!(page));
        let elsewhere = ask(&own, "GET /").await + &ask(&own, "POST /metrics").await;
        insta::assert_snapshot!(elsewhere);
    }

    #[tokio::test]
    async fn promtool_finds_nothing_wrong_with_it() {
        let own = listen().await;
        own.begin(subject());
        let _dir = loaded(&own, &[Outcome::Status(200)]).await;
        let page = ask(&own, "GET /metrics").await;
        let body = page.split_once("\n\n").unwrap().1.to_owned();
        let ended = tokio::task::spawn_blocking(move || {
            use std::{io::Write as _, process::Stdio};
            let mut command = std::process::Command::new("promtool");
            command.args(["check", "metrics"]).stdin(Stdio::piped());
            let mut promtool = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            promtool.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
            promtool.wait_with_output().unwrap()
        });
        let ended = ended.await.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success() && said.is_empty(), "{said}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_regular_reader_sees_the_end_and_nobody_else_is_waited_for() {
        let own = listen().await;
        own.begin(subject());
        own.finish(&CancellationToken::new(), |text| panic!("{text}")).await;

        let own = listen().await;
        own.begin(subject());
        own.shared.note_scrape();
        tokio::time::advance(Duration::from_secs(5)).await;
        own.shared.note_scrape();
        // Somebody looks with curl.
        own.shared.note_scrape();
        let shared = Arc::clone(&own.shared);
        let began = Instant::now();
        let stop = CancellationToken::new();
        let finished = tokio::spawn(async move { own.finish(&stop, |_| {}).await });
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(!finished.is_finished());
        shared.note_scrape();
        finished.await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(4));
    }

    /// A page that was looked at twice, a minute apart.
    async fn looked_at_twice() -> OwnMetrics {
        let own = listen().await;
        own.begin(subject());
        own.shared.note_scrape();
        tokio::time::advance(LONGEST_INTERVAL).await;
        own.shared.note_scrape();
        own
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_gone_is_not_waited_for_for_long() {
        let own = looked_at_twice().await;
        let began = Instant::now();
        let mut noted = String::new();
        own.finish(&CancellationToken::new(), |text| noted.push_str(text)).await;
        assert_eq!(began.elapsed().as_secs(), 15);
        insta::assert_snapshot!(noted, @"waiting for a last scrape of the run's own metrics");
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupted_run_waits_for_no_reader() {
        let own = looked_at_twice().await;
        let stop = CancellationToken::new();
        let began = Instant::now();
        tokio::join!(own.finish(&stop, |_| {}), async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            stop.cancel();
        });
        assert_eq!(began.elapsed().as_secs(), 2);
    }

    #[tokio::test]
    async fn who_connected_before_it_served_is_answered() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut early = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let _own = OwnMetrics::serve(listener).unwrap();
        early.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        early.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}
