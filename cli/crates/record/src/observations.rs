//! Reads a run's observations: what the service's side showed.

use super::{
    damage::{DamageKind, Files, PROMETHEUS, Part, REDIS, SCRAPES},
    json_lines::{ObservationsError, lines},
    manifest::Environment,
    prometheus::ResponseRecord,
    redis_samples::RedisSample,
    scrape::{Phase, ScrapeRecord},
    scrape_summary::Page,
};
use saasbench_exposition::format::Format;
use saasbench_model::{scenario::MetricsContract, units::Nanos};

/// What the service's side showed during a run.
#[derive(Debug, Default)]
pub struct Observations {
    /// Scrapes of each replica, by its index, in order.
    pub scrapes: Vec<Vec<Scrape>>,
    /// Responses of Prometheus, in order.
    pub prometheus: Vec<ResponseRecord>,
    /// Samples of the limiter's Redis, in order.
    pub store: Vec<RedisSample>,
}

/// One scrape of one replica.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// When it was made, relative to the load.
    pub phase: Phase,
    /// When the request was sent.
    pub from: Nanos,
    /// When the response had arrived.
    pub to: Nanos,
    /// File of the text, relative to the run's directory; named in evidence.
    pub file: Option<String>,
    /// Whether this scrape showed the replica to be quiescent.
    pub settled: bool,
    /// The text of the response, or why there was none. During the load only the counter of requests, the
    /// gauge and the start time are retained, because there are many scrapes.
    pub text: Result<String, String>,
    /// Summary of the whole scrape body, if there was a response.
    pub page: Option<Page>,
}

/// The name that Prometheus client libraries give to a process's start time.
pub const START_TIME: &str = "process_start_time_seconds";

impl Observations {
    /// Reads the observations of a run; missing files are no error, and what cannot be used becomes damage.
    ///
    /// # Errors
    /// When an existing file cannot be read.
    pub(crate) fn read(
        files: &mut Files<'_>,
        environment: &Environment,
        contract: Option<&MetricsContract>,
    ) -> Result<Self, ObservationsError> {
        let mut scrapes = vec![Vec::new(); environment.replicas.len()];
        let records = lines::<ScrapeRecord>(files, SCRAPES, Part::Scrapes)?;
        if records.iter().zip(0..).any(|(record, number)| record.number != number) {
            files.add(SCRAPES, Part::Scrapes, DamageKind::Incomplete);
        }
        for record in records {
            let Some(index) = environment.replicas.iter().position(|replica| replica.name == record.replica)
            else {
                continue;
            };
            let mut page = None;
            let file = record.file.map(|name| format!("observations/scrapes/{name}"));
            let text = match &file {
                Some(file) => match files.text(file, Part::Scrapes, record.sha256) {
                    Some(text) => {
                        page = Some(Page::of(&text, contract));
                        Ok(if record.phase == Phase::During { followed(&text, contract) } else { text })
                    }
                    None => Err("its exposition is damaged".to_owned()),
                },
                None => Err(record.error.clone().unwrap_or_default()),
            };
            scrapes[index].push(Scrape {
                phase: record.phase,
                from: record.from_ns,
                to: record.to_ns,
                settled: record.settled,
                file,
                text,
                page,
            });
        }
        Ok(Self {
            scrapes,
            prometheus: lines(files, PROMETHEUS, Part::Prometheus)?,
            store: lines(files, REDIS, Part::Redis)?,
        })
    }
}

/// The lines of an exposition that are retained during the load.
fn followed(text: &str, contract: Option<&MetricsContract>) -> String {
    let requests = contract.map(|contract| contract.requests.as_str());
    let gauge = contract.and_then(|contract| contract.in_progress.as_deref());
    let names = [Some(START_TIME), requests, gauge];
    let telling = |line: &&str| names.iter().flatten().any(|name| line.starts_with(name));
    // An unterminated last line was cut off, and so may its value have been.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines: String = whole.lines().filter(telling).flat_map(|line| [line, "\n"]).collect();
    // Its lines may have exemplars and timestamps in seconds.
    if Format::of_text(text).is_open_metrics() {
        lines.push_str("# EOF\n");
    }
    lines
}
