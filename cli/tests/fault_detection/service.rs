//! Replicas without sockets: simulated network delays, lost responses and killed replicas. They share a
//! store, which survives their restarts.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Frame;
use saasbench::observe::{
    pages::{Page, Pages},
    scrape::Source,
};
use saasbench_engine::{
    clock::RunClock,
    exchange::{Exchange, Request, SendError, Transport},
    limiter_fields::LimiterFields,
};
use saasbench_model::units::Nanos;
use saasbench_record::{
    manifest::Replica,
    sample::{LimiterHeaders, NoResponseReason, NotSentReason},
};
use tenancy::{App, Config, Faults, Store, Tenants};
use tokio_util::sync::CancellationToken;

/// Simulated network and process failures; none by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble {
    /// Bodies take up to 20 ms to arrive, sometimes 300 ms, so that durations vary.
    pub(crate) slow_bodies: bool,
    /// One in n requests, at random, gets no response; half of these requests were handled.
    pub(crate) lost: Option<u64>,
    /// When the first replica is killed, and for how long.
    pub(crate) restart: Option<(Duration, Duration)>,
}

/// All replicas of a service; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Service(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    tenants: Tenants,
    store: Store,
    faults: Faults,
    trouble: Trouble,
    replicas: Vec<Mutex<Process>>,
    clock: RunClock,
    random: AtomicU64,
}

/// A replica's slot: its process, or none while it is killed.
#[derive(Debug)]
struct Process {
    app: Option<App>,
    killed: CancellationToken,
}

impl Service {
    pub(crate) fn start(
        tenants: Tenants,
        store: Store,
        faults: Faults,
        trouble: Trouble,
        clock: RunClock,
        seed: u64,
    ) -> Self {
        let gone = || Mutex::new(Process { app: None, killed: CancellationToken::new() });
        let replicas = vec![gone(), gone()];
        let random = AtomicU64::new(seed);
        let service = Self(Arc::new(Parts { tenants, store, faults, trouble, replicas, clock, random }));
        (0..service.0.replicas.len()).for_each(|replica| service.begin(replica));
        service
    }

    fn begin(&self, replica: usize) {
        let config = Config { replica: replica as u32, faults: self.0.faults.clone(), ..Config::default() };
        let app = App::with_config(self.0.tenants.clone(), self.0.store.clone(), config);
        *self.0.replicas[replica].lock().unwrap() =
            Process { app: Some(app), killed: CancellationToken::new() };
    }

    /// Kills and restarts the first replica, if configured.
    pub(crate) async fn restart(self) {
        let Some((at, away)) = self.0.trouble.restart else { return };
        tokio::time::sleep(at).await;
        {
            let mut process = self.0.replicas[0].lock().unwrap();
            process.app = None;
            process.killed.cancel();
        }
        tokio::time::sleep(away).await;
        self.begin(0);
    }

    /// How each replica is scraped.
    pub(crate) fn sources(&self, replicas: &[Replica]) -> Vec<Source> {
        let source = |(index, replica): (usize, &Replica)| Source {
            replica: replica.clone(),
            pages: Box::new(OfReplica { service: self.clone(), index }),
        };
        replicas.iter().enumerate().map(source).collect()
    }

    /// SplitMix64: the sequence depends on the seed only.
    fn random(&self) -> u64 {
        let state = self.0.random.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One direction takes 0 to 3 ms, sometimes 30 ms.
    async fn travel(&self) {
        let random = self.random();
        let millis = if random.is_multiple_of(64) { 30 } else { (random >> 8) % 4 };
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    fn body(&self, bytes: &[u8]) -> SlowBody {
        let slow = self.0.trouble.slow_bodies && !bytes.is_empty();
        let wait = slow.then(|| {
            let random = self.random();
            let micros = if random.is_multiple_of(100) { 300_000 } else { (random >> 8) % 20_000 };
            Box::pin(tokio::time::sleep(Duration::from_micros(micros)))
        });
        SlowBody { wait, bytes: Some(Bytes::copy_from_slice(bytes)) }
    }

    /// A round trip, as long as the replica lives.
    async fn ask(
        &self,
        replica: usize,
        request: hyper::Request<SlowBody>,
    ) -> Result<hyper::Response<Full<Bytes>>, SendError> {
        let (app, killed) = {
            let process = self.0.replicas[replica].lock().unwrap();
            (process.app.clone(), process.killed.clone())
        };
        let Some(app) = app else {
            self.travel().await;
            return Err(SendError::NotSent(NotSentReason::ConnectFailed));
        };
        let there_and_back = async {
            self.travel().await;
            let response = app.respond(request).await;
            self.travel().await;
            response
        };
        let answered = killed.run_until_cancelled(there_and_back).await;
        answered.ok_or(SendError::NoResponse(NoResponseReason::ConnectionLost))
    }
}

impl Transport for Service {
    type UserConnections = ();

    fn connect_user(&self, _in_turn: usize) {}

    async fn send(&self, (): &mut (), exchange: &mut Exchange) -> Result<(), SendError> {
        exchange.sent = self.0.clock.now();
        let request = self.parse(&exchange.request);
        let draw = self.0.trouble.lost.map_or(1, |every| self.random() % (2 * every));
        if draw == 0 {
            self.travel().await;
            return Err(SendError::NoResponse(NoResponseReason::ConnectionLost));
        }
        let response = self.ask(exchange.request.replica, request).await?;
        if self.0.trouble.lost == Some(draw) {
            return Err(SendError::NoResponse(NoResponseReason::ConnectionLost));
        }
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await;
        let now = self.0.clock.now();
        let answer = &mut exchange.response;
        answer.status = head.status.as_u16();
        answer.limiter = LimiterHeaders::default();
        (answer.first_byte, answer.done) = (now, now);
        let mut fields = LimiterFields::default();
        for (name, value) in &head.headers {
            fields.note(name.as_str().as_bytes(), value.as_bytes(), answer);
        }
        fields.finish(Nanos::ZERO, answer);
        // As hyper does for each connection.
        answer.body = if exchange.request.is_head { Vec::new() } else { body.to_bytes().to_vec() };
        answer.body_bytes = answer.body.len() as u64;
        Ok(())
    }
}

impl Service {
    /// The request in the types of the server's HTTP library.
    fn parse(&self, request: &Request) -> hyper::Request<SlowBody> {
        let (head, body) = request.bytes.split_at(request.body_at);
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut fields);
        assert!(parsed.parse(head).unwrap().is_complete());
        let mut wire = hyper::Request::builder().method(parsed.method.unwrap()).uri(parsed.path.unwrap());
        for field in parsed.headers {
            wire = wire.header(field.name, field.value);
        }
        wire.body(self.body(body)).unwrap()
    }
}

/// The expositions of one replica, as a scraper requests them.
#[derive(Debug)]
struct OfReplica {
    service: Service,
    index: usize,
}

/// Responses as over HTTP.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

impl Pages for OfReplica {
    fn get<'a>(&'a self, path: &'a str) -> Page<'a> {
        Box::pin(async move {
            let request = hyper::Request::get(path).body(self.service.body(&[])).unwrap();
            let asking = self.service.ask(self.index, request);
            match tokio::time::timeout(SCRAPE_TIMEOUT, asking).await {
                Err(_) => Err("operation timed out".to_owned()),
                Ok(Err(_)) => Err("connection refused".to_owned()),
                Ok(Ok(response)) => {
                    let Ok(body) = response.into_body().collect().await;
                    Ok(String::from_utf8(body.to_bytes().to_vec()).unwrap())
                }
            }
        })
    }

    fn get_afresh<'a>(&'a self, path: &'a str) -> Page<'a> {
        self.get(path)
    }
}

/// A body that arrives after a delay.
#[derive(Debug)]
struct SlowBody {
    wait: Option<Pin<Box<tokio::time::Sleep>>>,
    bytes: Option<Bytes>,
}

impl hyper::body::Body for SlowBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.wait.as_mut().is_some_and(|wait| wait.as_mut().poll(context).is_pending()) {
            return Poll::Pending;
        }
        self.wait = None;
        Poll::Ready(self.bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
