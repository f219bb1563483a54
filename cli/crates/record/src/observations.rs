//! Reads a run's observations back, and picks out of an exposition what the metrics contract speaks of.

use std::{fs, path::Path};

use super::{
    json_lines::{ObservationsError, lines},
    manifest::Environment,
    prometheus::ResponseRecord,
    redis_samples::RedisSample,
    scrape::{Phase, ScrapeRecord},
    scrape_summary::Page,
};
use saasbench_model::{scenario::MetricsContract, units::Nanos};

/// What the service's metrics said during a run.
#[derive(Debug, Default)]
pub struct Observations {
    /// Scrapes of each replica, by its index, in order.
    pub scrapes: Vec<Vec<Scrape>>,
    /// Answers of Prometheus, in order.
    pub prometheus: Vec<ResponseRecord>,
    /// Looks at the limiter's Redis, in order.
    pub store: Vec<RedisSample>,
}

/// One scrape of one replica.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// When it was made, relative to the load.
    pub phase: Phase,
    /// When the request was sent.
    pub from: Nanos,
    /// When the answer was here.
    pub to: Nanos,
    /// File of the text, relative to the run's directory: evidence names it.
    pub file: Option<String>,
    /// Whether the replica was seen to have come to rest with it.
    pub settled: bool,
    /// The answer's text, or why there was none. Of a scrape during the load only the counter of requests, the gauge and the
    /// start time are kept: there are many of them.
    pub text: Result<String, String>,
    /// What is kept of the whole page, if there was an answer.
    pub page: Option<Page>,
}

/// The name that Prometheus client libraries give to a process's start time.
pub const START_TIME: &str = "process_start_time_seconds";

impl Observations {
    /// Reads what the run in `dir` observed; nothing at all is no error.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn read(
        dir: &Path,
        environment: &Environment,
        contract: Option<&MetricsContract>,
    ) -> Result<Self, ObservationsError> {
        let dir = dir.join("observations");
        let mut scrapes = vec![Vec::new(); environment.replicas.len()];
        for record in lines::<ScrapeRecord>(&dir.join("scrapes.jsonl"))? {
            let Some(index) = environment.replicas.iter().position(|replica| replica.name == record.replica)
            else {
                continue;
            };
            let mut page = None;
            let text = match &record.file {
                Some(name) => {
                    let path = dir.join("scrapes").join(name);
                    let text =
                        fs::read_to_string(&path).map_err(|source| ObservationsError::Io { path, source })?;
                    page = Some(Page::of(&text, contract));
                    Ok(if record.phase == Phase::During { followed(&text, contract) } else { text })
                }
                None => Err(record.error.clone().unwrap_or_default()),
            };
            scrapes[index].push(Scrape {
                phase: record.phase,
                from: record.from_ns,
                to: record.to_ns,
                settled: record.settled,
                file: record.file.map(|name| format!("observations/scrapes/{name}")),
                text,
                page,
            });
        }
        Ok(Self {
            scrapes,
            prometheus: lines(&dir.join("prometheus.jsonl"))?,
            store: lines(&dir.join("store.jsonl"))?,
        })
    }
}

/// The lines of an exposition that are followed through the load.
fn followed(text: &str, contract: Option<&MetricsContract>) -> String {
    let requests = contract.map(|contract| contract.requests.as_str());
    let gauge = contract.and_then(|contract| contract.in_progress.as_deref());
    let names = [Some(START_TIME), requests, gauge];
    let telling = |line: &&str| names.iter().flatten().any(|name| line.starts_with(name));
    // A last line without its end was cut off, and so may its value have been.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter(telling).flat_map(|line| [line, "\n"]).collect()
}
