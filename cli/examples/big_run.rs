//! Makes a recorded run with a given number of samples through the recorder itself, without a load: to
//! measure what recording, reading and judging take.
//!
//!     cargo run --release -p saasbench --example big_run -- DIRECTORY MILLIONS [limited]
//!     saasbench verify DIRECTORY/…

#![expect(clippy::print_stdout, reason = "an example prints what it made")]

#[path = "../benches/traffic/mod.rs"]
mod traffic;

use std::{path::PathBuf, sync::Arc};

use saasbench_model::units::Nanos;
use saasbench_record::{
    batch::Batch,
    manifest::{Environment, FORMAT, LoadPhase, Machine, Manifest, Replica, ScenarioText, State, identity},
    writer::{Recorder, create_directory},
};
use tokio::time::Instant;
use traffic::{Kind, Traffic};

/// When the run started: since the Unix epoch.
const STARTED: i64 = 1_700_000_000_000_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (out, millions) =
        (arguments.next().ok_or("where to?")?, arguments.next().ok_or("how many millions?")?);
    let kind = if arguments.next().as_deref() == Some("limited") { Kind::Limited } else { Kind::Plain };
    let samples = millions.parse::<f64>()? * 1e6;
    let dir = create_directory(&PathBuf::from(out), "big")?;
    std::fs::create_dir_all(dir.join("observations/scrapes"))?;
    std::fs::write(dir.join("observations/scrapes.jsonl"), "")?;

    let started = Instant::now();
    let scenario = Arc::new(kind.scenario()?);
    let text = ScenarioText::new("recorded.toml".to_owned(), kind.text(), Default::default());
    let (recorder, sink) =
        Recorder::start(dir.clone(), scenario, vec!["a".to_owned()], identity(STARTED, &text), || {})?;
    let mut batch = Batch::default();
    let mut to = Nanos::ZERO;
    for sample in Traffic::new(kind).take(samples as usize) {
        to = sample.done;
        batch.push(&sample);
        if batch.len() == 1_000 {
            sink.hand_over(&mut batch);
        }
    }
    sink.hand_over(&mut batch);
    drop(sink);
    let recorded = recorder.finish()?;

    let replica = Replica {
        name: "a".into(),
        url: "http://127.0.0.1:1".into(),
        instance: "127.0.0.1:1".into(),
        address: None,
    };
    let manifest = Manifest {
        format: FORMAT,
        saasbench: env!("CARGO_PKG_VERSION").to_owned(),
        state: State::Finished,
        scenario: text,
        environment: Environment {
            name: "made up".to_owned(),
            replicas: vec![replica],
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
        machine: Machine::this(),
        started_unix_ns: STARTED,
        canary_nonce: None,
        events: Vec::new(),
        load: Some(LoadPhase { from_ns: Nanos::ZERO, start_ns: Nanos::ZERO, to_ns: to }),
        recorded: Some(recorded),
        files: Default::default(),
    };
    manifest.write(&dir)?;
    println!("{} samples in {:.1} s: {}", recorded.samples, started.elapsed().as_secs_f64(), dir.display());
    Ok(())
}
