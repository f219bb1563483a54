//! One run under a paused clock: a scenario in, its report out.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use saasbench::{
    clock::RunClock,
    load::{
        canary::Canaries,
        engine,
        exchange::{Exchange, NoAnswer, Request, Transport},
        limiter_fields::LimiterFields,
        render::Origin,
        worker::Setup,
    },
    record::{
        manifest::{Environment, FORMAT, Machine, Manifest, Replica, ScenarioText, State},
        reader::RecordedRun,
        sample::LimiterHeaders,
        writer::{Recorder, create_directory},
    },
    scenario::resolve::{Sources, resolve},
    units::{Nanos, Tolerance},
    verify::{Report, verify},
};
use tenancy::{App, Config, Fault, Faults, Store, Tenants};
use tokio_util::sync::CancellationToken;

/// Two replicas.
const NAMES: [&str; 2] = ["a", "b"];

/// How far clocks may disagree; in truth there is one.
const OFFSET: Nanos = Nanos::from_millis(1);

/// A run to be.
pub(crate) struct Plan {
    /// The scenario file.
    pub(crate) scenario: String,
    /// `tenants.jsonl`.
    pub(crate) tenants: String,
    pub(crate) faults: Vec<Fault>,
    pub(crate) seed: u64,
}

impl Plan {
    /// Runs it on a runtime of its own, and judges what was recorded.
    pub(crate) fn report(&self) -> Report {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let run = runtime.block_on(self.drive(dir.path()));
        verify(&run).unwrap()
    }

    async fn drive(&self, out: &Path) -> RecordedRun {
        let read_file = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let sources = Sources { read_file: &read_file, environment: None };
        let scenario = resolve(&self.scenario, "lies.toml", &sources);
        let scenario = Arc::new(scenario.unwrap_or_else(|problems| panic!("{problems}")));
        let dir = create_directory(out, &scenario.name).unwrap();
        let clock = RunClock::start();
        // Where aligned windows begin is the seed's choice.
        let unix = Duration::from_secs(1_700_000_000) + Duration::from_millis(self.seed * 337);
        let stop = CancellationToken::new();
        let names: Vec<String> = NAMES.map(str::to_owned).to_vec();
        let (recorder, sink) =
            Recorder::start(dir.clone(), Arc::clone(&scenario), names, stop.clone()).unwrap();
        let canaries = scenario.uses_canaries().then(Canaries::draw);
        let canary_nonce = canaries.as_ref().map(|canaries| canaries.nonce().to_owned());
        let origins = NAMES.map(|name| Origin { authority: name.to_owned(), prefix: String::new() });
        let tolerance = Tolerance { offset: OFFSET, drift: 0.0 };
        let setup =
            Setup::new(scenario, &origins, &BTreeMap::new(), clock, tolerance, canaries, Arc::default());
        let driving = engine::drive(Arc::new(setup), vec![self.service(clock, unix)], sink, &stop);
        let load = tokio::task::LocalSet::new().run_until(driving).await;
        let manifest = Manifest {
            format: FORMAT,
            saasbench: env!("CARGO_PKG_VERSION").to_owned(),
            state: State::Finished,
            scenario: ScenarioText::new("lies.toml".to_owned(), self.scenario.clone(), BTreeMap::new()),
            environment: environment(&self.faults),
            machine: Machine::this(),
            started_unix_ns: Nanos::from(unix).0,
            canary_nonce,
            load: Some(load),
            recorded: Some(recorder.finish().unwrap()),
        };
        manifest.write(&dir).unwrap();
        RecordedRun::open(&dir).unwrap()
    }

    fn service(&self, clock: RunClock, unix: Duration) -> Service {
        let tenants = Tenants::parse(&self.tenants, "tenants.jsonl").unwrap();
        let store = Store::memory_at(unix);
        let faults: Faults = self.faults.iter().copied().collect();
        let app = |replica| {
            let config = Config { replica, faults: faults.clone(), ..Config::default() };
            App::with_config(tenants.clone(), store.clone(), config)
        };
        Service { apps: (0..).map(app).take(NAMES.len()).collect(), clock, random: AtomicU64::new(self.seed) }
    }
}

fn environment(faults: &[Fault]) -> Environment {
    let replica = |name: &str| Replica {
        name: name.to_owned(),
        url: format!("http://{name}"),
        instance: name.to_owned(),
    };
    Environment {
        name: "in process".to_owned(),
        replicas: NAMES.iter().map(|name| replica(name)).collect(),
        prometheus: None,
        redis: None,
        exclusive: true,
        fresh: true,
        clock_offset_ns: OFFSET,
        clock_drift: 0.0,
        faults: faults.iter().map(ToString::to_string).collect(),
        insecure: false,
        http2: Vec::new(),
        metrics: None,
    }
}

/// Replicas without sockets; a request is under way for 0 to 3 ms each way, now and then for 30.
#[derive(Debug)]
struct Service {
    apps: Vec<App>,
    clock: RunClock,
    random: AtomicU64,
}

impl Service {
    async fn travel(&self) {
        // SplitMix64: whoever asks when, the sequence is the seed's.
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let millis = if mixed.is_multiple_of(64) { 30 } else { (mixed >> 8) % 4 };
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

impl Transport for Service {
    type Line = ();

    fn line(&self) {}

    async fn send(&self, (): &mut (), exchange: &mut Exchange) -> Result<(), NoAnswer> {
        exchange.sent = self.clock.now();
        let request = parse(&exchange.request);
        self.travel().await;
        let response = self.apps[exchange.request.replica].respond(request).await;
        self.travel().await;
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await;
        let now = self.clock.now();
        let answer = &mut exchange.answer;
        answer.status = head.status.as_u16();
        answer.limiter = LimiterHeaders::default();
        (answer.first_byte, answer.done) = (now, now);
        let mut fields = LimiterFields::default();
        for (name, value) in &head.headers {
            fields.note(name.as_str().as_bytes(), value.as_bytes(), answer);
        }
        fields.finish(Nanos::ZERO, answer);
        answer.body = body.to_bytes().to_vec();
        answer.body_bytes = answer.body.len() as u64;
        Ok(())
    }
}

/// The request as the server's own HTTP library has it.
fn parse(request: &Request) -> hyper::Request<Full<Bytes>> {
    let (head, body) = request.bytes.split_at(request.body_at);
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut fields);
    assert!(parsed.parse(head).unwrap().is_complete());
    let mut wire = hyper::Request::builder().method(parsed.method.unwrap()).uri(parsed.path.unwrap());
    for field in parsed.headers {
        wire = wire.header(field.name, field.value);
    }
    wire.body(Full::new(Bytes::copy_from_slice(body))).unwrap()
}
