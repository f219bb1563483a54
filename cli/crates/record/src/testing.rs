//! Hand-made recorded runs, for tests of other crates.

mod reseal;

use tempfile::TempDir;

use self::reseal::resealed_segments;
pub use self::reseal::{reseal, sealed_document, sealed_lines};

use crate::{
    checksum::Checksum,
    damage::{PROMETHEUS, REDIS, SCRAPES},
    json_lines::to_line,
    manifest::{Environment, FORMAT, LoadPhase, Machine, Manifest, Replica, ScenarioText, State},
    reader::RecordedRun,
    sample::{LimiterHeaders, RequestOutcome, Sample},
    scrape::{Phase, ScrapeRecord},
    segment::{self, Names},
    self_monitor::SelfMonitorRecord,
    stall::{Cause, Stall},
};
use saasbench_model::scenario::testing::{SCENARIO, scenario};
use saasbench_model::units::Nanos;

/// A run under construction.
pub struct TestRun {
    pub dir: TempDir,
    pub manifest: Manifest,
    scrapes: Vec<ScrapeRecord>,
    /// That of the manifest when the samples were written.
    identity: Checksum,
    /// The self-monitor's record; without usage, the run counts as not monitored.
    pub self_monitor: SelfMonitorRecord,
}

/// A sample of the first step, sent at `millis`, with its response 10 ms later.
pub fn sample(millis: i64, replica: usize, outcome: RequestOutcome) -> Sample {
    let sent = Nanos::from_millis(millis);
    Sample {
        intended: sent,
        sent,
        first_byte: None,
        done: sent + Nanos::from_millis(10),
        tenant: 0,
        step: 0,
        load: 0,
        user: 1,
        request: 1,
        iteration: 1,
        replica,
        connection: 0,
        outcome,
        bytes_out: 0,
        bytes_in: 0,
        failed_check: None,
        limiter: LimiterHeaders::default(),
        retry_of: None,
        canary: None,
    }
}

/// A stall of the generator's process, in milliseconds.
pub fn stall(from: i64, length: i64) -> Stall {
    let from_ns = Nanos::from_millis(from);
    Stall {
        from_ns,
        to_ns: from_ns + Nanos::from_millis(length),
        cause: Cause::Stopped,
        drained_ns: Some(from_ns + Nanos::from_millis(2 * length)),
    }
}

impl TestRun {
    /// A finished run of `more` appended to [`SCENARIO`], in an exclusive, fresh environment.
    pub fn new(more: &str, samples: &[Sample]) -> Self {
        Self::of(format!("{SCENARIO}{more}"), samples)
    }

    /// The same for another scenario.
    pub fn of(text: String, samples: &[Sample]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a".to_owned(), "b".to_owned()];
        std::fs::create_dir_all(dir.path().join("samples")).unwrap();
        std::fs::create_dir_all(dir.path().join("observations/scrapes")).unwrap();
        let segment = dir.path().join("samples/000001.parquet");

        let replica = |name: &str, port: u16| Replica {
            name: name.to_owned(),
            url: format!("http://127.0.0.1:{port}"),
            instance: format!("127.0.0.1:{port}"),
            address: None,
        };
        let manifest = Manifest {
            format: FORMAT,
            saasbench: "0.1.0".to_owned(),
            state: State::Finished,
            scenario: ScenarioText::new("test.toml".to_owned(), text, Default::default()),
            environment: Environment {
                name: "test".to_owned(),
                replicas: vec![replica("a", 1), replica("b", 2)],
                prometheus: None,
                redis: None,
                exclusive: true,
                fresh: true,
                clock_offset_ns: Nanos::from_millis(1),
                clock_drift: 0.0,
                faults: Vec::new(),
                insecure: false,
                http2: Vec::new(),
                metrics: None,
                programs: Default::default(),
            },
            machine: Machine { os: "test".to_owned(), arch: "test".to_owned(), cpus: 1 },
            started_unix_ns: 1_000_000_000_000_000_000,
            recorded: None,
            files: Default::default(),
            canary_nonce: None,
            events: Vec::new(),
            load: Some(LoadPhase {
                from_ns: Nanos::ZERO,
                start_ns: Nanos::ZERO,
                to_ns: Nanos::from_secs(10),
            }),
        };
        let scenario = scenario(&manifest.scenario.text);
        segment::write(&segment, samples, &Names::new(&scenario, &names), manifest.identity()).unwrap();
        Self {
            identity: manifest.identity(),
            dir,
            manifest,
            scrapes: Vec::new(),
            self_monitor: SelfMonitorRecord::default(),
        }
    }

    /// Adds a scrape of a replica; `phase` is `before`, `during` (at 5 s) or `after` (from 20 s on, a second
    /// apart).
    pub fn scrape(&mut self, replica: &str, phase: &str, text: &str) -> &mut Self {
        let number = self.scrapes.len();
        let file = format!("{number:06}-{replica}.prom");
        std::fs::write(self.dir.path().join("observations/scrapes").join(&file), text).unwrap();
        let place = number as i64;
        let from = match phase {
            "before" => Nanos::from_secs(place - 1000),
            "during" => Nanos::from_secs(5) + Nanos::from_millis(place),
            _ => Nanos::from_secs(20 + place),
        };
        self.scrapes.push(ScrapeRecord {
            number: number as u64,
            replica: replica.to_owned(),
            phase: match phase {
                "before" => Phase::Before,
                "during" => Phase::During,
                _ => Phase::After,
            },
            from_ns: from,
            to_ns: from + Nanos(1),
            file: Some(file),
            sha256: Some(Checksum::of(text.as_bytes())),
            error: None,
            settled: false,
        });
        self
    }

    /// Gives the scrapes their times: from and to, in milliseconds.
    pub fn stamp_scrapes(&mut self, times: &[(i64, i64)]) {
        for (record, (from, to)) in self.scrapes.iter_mut().zip(times) {
            (record.from_ns, record.to_ns) = (Nanos::from_millis(*from), Nanos::from_millis(*to));
        }
    }

    /// One empty scrape before the load, and two of `text` after it.
    pub fn settled(&mut self, replica: &str, text: &str) -> &mut Self {
        self.scrape(replica, "before", "")
            .scrape(replica, "after", text)
            .scrape(replica, "after", text)
            .at_rest()
    }

    /// Marks the last scrape as quiescent.
    pub fn at_rest(&mut self) -> &mut Self {
        if let Some(record) = self.scrapes.last_mut() {
            record.settled = true;
        }
        self
    }

    /// Writes what has been collected, with checksums, and opens the run.
    pub fn open(&self) -> RecordedRun {
        let scrapes: Vec<Vec<u8>> = self.scrapes.iter().map(|record| to_line(record).unwrap()).collect();
        std::fs::write(self.dir.path().join(SCRAPES), scrapes.concat()).unwrap();
        for file in [PROMETHEUS, REDIS].map(|file| self.dir.path().join(file)) {
            if let Ok(text) = std::fs::read_to_string(&file) {
                std::fs::write(&file, sealed_lines(&text)).unwrap();
            }
        }
        self.self_monitor.write(self.dir.path()).unwrap();
        if self.manifest.identity() != self.identity {
            resealed_segments(self.dir.path(), &self.manifest);
        }
        self.manifest.write(self.dir.path()).unwrap();
        RecordedRun::open(self.dir.path()).unwrap()
    }
}
