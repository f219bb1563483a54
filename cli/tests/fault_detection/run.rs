//! One run under a paused clock: from a scenario to its report.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use saasbench::observe::scrape::Scraper;
use saasbench_engine::{canary::Canaries, clock::RunClock, drive, render::Origin, worker::Setup};
use saasbench_model::{
    scenario::{
        Scenario,
        resolve::{Sources, resolve},
    },
    units::{Nanos, Tolerance},
};
use saasbench_record::{
    damage,
    manifest::{Environment, FORMAT, Machine, Manifest, Replica, ScenarioText, State, identity},
    reader::RecordedRun,
    scrape::Phase,
    writer::{Recorder, create_directory},
};
use saasbench_verify::{Report, verify};
use tenancy::{Fault, Faults, Store, Tenants};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::service::{Service, Trouble};

/// Two replicas.
const NAMES: [&str; 2] = ["a", "b"];

/// Assumed clock offset; there is only one clock.
const OFFSET: Nanos = Nanos::from_millis(1);

/// Input of a run.
pub(crate) struct Plan {
    /// The scenario file.
    pub(crate) scenario: String,
    /// `tenants.jsonl`.
    pub(crate) tenants: String,
    pub(crate) faults: Vec<Fault>,
    pub(crate) seed: u64,
    pub(crate) trouble: Trouble,
}

impl Plan {
    /// Runs it on its own runtime, and judges the recorded run.
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
        let scenario = resolve(&self.scenario, "fault-detection.toml", &sources);
        let scenario = Arc::new(scenario.unwrap_or_else(|problems| panic!("{problems}")));
        let dir = create_directory(out, &scenario.name).unwrap();
        let clock = RunClock::start();
        // The seed determines where aligned windows start.
        let unix = Duration::from_secs(1_700_000_000) + Duration::from_millis(self.seed * 337);
        let ending = drive::Ending::default();
        let names: Vec<String> = NAMES.map(str::to_owned).to_vec();
        let unwritable = ending.stop.clone();
        let text =
            ScenarioText::new("fault-detection.toml".to_owned(), self.scenario.clone(), BTreeMap::new());
        let (recorder, sink) = Recorder::start(
            dir.clone(),
            Arc::clone(&scenario),
            names,
            identity(Nanos::from(unix).0, &text),
            move || unwritable.cancel(),
        )
        .unwrap();
        let canaries = scenario.uses_canaries().then(Canaries::draw);
        let canary_nonce = canaries.as_ref().map(|canaries| canaries.nonce().to_owned());
        let origins = NAMES.map(|name| Origin { authority: name.to_owned(), prefix: String::new() });
        let tolerance = Tolerance { offset: OFFSET, drift: 0.0 };
        let setup =
            Setup::new(scenario, &origins, &BTreeMap::new(), clock, tolerance, canaries, Arc::default());
        let environment = environment(&self.faults);
        let service = self.service(clock, unix);
        let watch = Watch::begin(&setup.scenario, &environment, &service, &dir, clock).await;
        let troubled = tokio::spawn(service.clone().restart());
        let driving = drive::drive(Arc::new(setup), vec![service], sink, &ending);
        let load = tokio::task::LocalSet::new().run_until(driving).await;
        troubled.await.unwrap();
        watch.end().await;
        let manifest = Manifest {
            format: FORMAT,
            saasbench: env!("CARGO_PKG_VERSION").to_owned(),
            state: State::Finished,
            scenario: text,
            environment,
            machine: Machine::this(),
            started_unix_ns: Nanos::from(unix).0,
            canary_nonce,
            events: Vec::new(),
            load: Some(load),
            recorded: Some(recorder.finish().unwrap()),
            files: damage::checksums(&dir).unwrap(),
        };
        manifest.write(&dir).unwrap();
        RecordedRun::open(&dir).unwrap()
    }

    fn service(&self, clock: RunClock, unix: Duration) -> Service {
        let tenants = Tenants::parse(&self.tenants, "tenants.jsonl").unwrap();
        let faults: Faults = self.faults.iter().copied().collect();
        let store = Store::memory_at(unix);
        Service::start(tenants, store, faults, self.trouble.clone(), clock, self.seed)
    }
}

/// The replicas' metrics before, during and after the load; nothing if the scenario disables metrics.
struct Watch {
    scraper: Option<Arc<Scraper>>,
    stop: CancellationToken,
    during: JoinSet<std::io::Result<()>>,
}

impl Watch {
    async fn begin(
        scenario: &Scenario,
        environment: &Environment,
        service: &Service,
        dir: &Path,
        clock: RunClock,
    ) -> Self {
        let (stop, mut during) = (CancellationToken::new(), JoinSet::new());
        let Some(contract) = &scenario.metrics else { return Self { scraper: None, stop, during } };
        let sources = service.sources(&environment.replicas);
        let scraper = Arc::new(Scraper::new(sources, contract.clone(), dir, clock).unwrap());
        scraper.scrape_all(Phase::Before).await.unwrap();
        let (watching, stopped) = (Arc::clone(&scraper), stop.clone());
        during.spawn(async move { watching.scrape_until(stopped).await });
        Self { scraper: Some(scraper), stop, during }
    }

    async fn end(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.during.join_next().await {
            ended.unwrap().unwrap();
        }
        if let Some(scraper) = self.scraper {
            scraper.settle(Phase::After, Duration::from_secs(15), &CancellationToken::new()).await.unwrap();
        }
    }
}

fn environment(faults: &[Fault]) -> Environment {
    let replica = |name: &str| Replica {
        name: name.to_owned(),
        url: format!("http://localhost/{name}"),
        instance: name.to_owned(),
        address: None,
    };
    Environment {
        name: "in process".to_owned(),
        replicas: NAMES.iter().map(|name| replica(name)).collect(),
        prometheus: None,
        metrics: None,
        redis: None,
        exclusive: true,
        fresh: true,
        clock_offset_ns: OFFSET,
        clock_drift: 0.0,
        faults: faults.iter().map(ToString::to_string).collect(),
        insecure: false,
        http2: Vec::new(),
        programs: Default::default(),
    }
}

/// How many seeds a series has: `thorough` with `SAASBENCH_THOROUGH` (`ci/nightly`), otherwise `short`, and two without
/// optimisation, where a run takes ten times as long.
pub(crate) fn seeds(short: u64, thorough: u64) -> u64 {
    match std::env::var_os("SAASBENCH_THOROUGH") {
        Some(_) => thorough,
        None if cfg!(debug_assertions) => 2,
        None => short,
    }
}
