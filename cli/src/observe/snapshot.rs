//! Reads a run's observations back, and picks out of an exposition what the metrics contract speaks of.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use super::{
    exposition::{self, ExpositionError, Labels, Series},
    page::Page,
    prometheus::AnswerRecord,
    scrape::{Phase, ScrapeRecord},
    store::StoreLook,
};
use crate::{record::manifest::Environment, scenario::MetricsContract, units::Nanos};

/// What the service's metrics said during a run.
#[derive(Debug, Default)]
pub struct Observations {
    /// Scrapes of each replica, by its index, in order.
    pub scrapes: Vec<Vec<Scrape>>,
    /// Answers of Prometheus, in order.
    pub prometheus: Vec<AnswerRecord>,
    /// Looks at the limiter's Redis, in order.
    pub store: Vec<StoreLook>,
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

/// Why observations could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObservationsError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is not what was written there.
    #[error("{path}:{line}: {message}")]
    Line {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

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

/// The records of a JSON-lines file. A last line without its newline was being written when the run was killed.
pub(crate) fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ObservationsError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(ObservationsError::Io { path: path.to_owned(), source }),
    };
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .enumerate()
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|error| ObservationsError::Line {
                path: path.to_owned(),
                line: i + 1,
                message: error.to_string(),
            })
        })
        .collect()
}

/// The part of an exposition that the contract's claims are about, without the routes that are not the load's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContractView {
    /// Value of every counter and every histogram component, by name and labels.
    pub series: BTreeMap<(String, Labels), f64>,
    /// The histogram of all durations and the sizes of bodies, by name and labels. They may count scrapes too, so they never
    /// come to rest.
    pub unresting: BTreeMap<(String, Labels), f64>,
    /// The in-progress gauge of the load's routes, by labels.
    pub gauges: BTreeMap<Labels, f64>,
    /// Sum of the in-progress gauge over the load's routes; `None` where there is no such gauge.
    pub in_progress: Option<f64>,
}

impl ContractView {
    /// Reads an exposition and takes the contract's part; nothing else of it is copied.
    ///
    /// # Errors
    /// When the text is no exposition.
    pub fn parse(text: &str, contract: &MetricsContract) -> Result<Self, ExpositionError> {
        let histograms = [contract.duration.as_deref(), contract.tenant_duration.as_deref()];
        let components = |base: &str| ["_bucket", "_sum", "_count"].map(|suffix| format!("{base}{suffix}"));
        let mut names: Vec<String> = histograms.into_iter().flatten().flat_map(components).collect();
        let unresting = [&contract.duration_all, &contract.request_size, &contract.response_size];
        let unresting: Vec<String> =
            unresting.into_iter().flatten().flat_map(|base| components(base)).collect();
        names.push(contract.requests.clone());
        names.extend(contract.tenant_requests.clone());
        let mut view = Self::default();
        // Whether the gauge tells routes apart: else the scrape itself, which is in progress, too, may be in it.
        let mut told_apart = None;
        exposition::samples(text, |sample| {
            let name = sample.name.decode();
            let (is_chosen, is_unresting) =
                (names.iter().any(|n| *n == name), unresting.iter().any(|n| *n == name));
            let is_gauge = contract.in_progress.as_deref() == Some(&*name);
            if !(is_chosen || is_unresting || is_gauge) {
                return;
            }
            let series = Series::from(sample);
            let route = contract.route_label.as_ref().and_then(|label| series.labels.get(label));
            if is_gauge {
                told_apart = Some(route.is_some());
            }
            if route.is_some_and(|route| contract.ignores(route)) {
                return;
            }
            if is_gauge {
                view.gauges.insert(series.labels.clone(), series.value);
            }
            let key = (series.name, series.labels);
            if is_unresting {
                view.unresting.insert(key.clone(), series.value);
            }
            if is_chosen {
                view.series.insert(key, series.value);
            }
        })?;
        view.in_progress = told_apart.map(|told_apart| match view.gauges.values().sum::<f64>() {
            sum if sum > 0.0 && !told_apart => (sum - 1.0).max(0.0),
            sum => sum,
        });
        Ok(view)
    }

    /// Whether both show the same counts, apart from what scrapes themselves move.
    pub fn agrees(&self, other: &Self) -> bool {
        // `NaN` agrees with itself here: it is no sign of movement, and has to be judged.
        let same = |(a, b): (&f64, &f64)| a == b || (a.is_nan() && b.is_nan());
        self.series.keys().eq(other.series.keys())
            && self.series.values().zip(other.series.values()).all(same)
    }

    /// Whether nothing of the load's is in progress, as far as can be told.
    pub fn at_rest(&self) -> bool {
        self.in_progress.is_none_or(|gauge| gauge == 0.0)
    }

    /// The value of one series.
    pub fn value(&self, name: &str, labels: &Labels) -> Option<f64> {
        let key = (name.to_owned(), labels.clone());
        self.series.get(&key).or_else(|| self.unresting.get(&key)).copied()
    }

    /// Labels and value of every series of one name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Labels, f64)> {
        let all = self.series.iter().chain(&self.unresting);
        all.filter(move |((series, _), _)| series == name).map(|((_, labels), value)| (labels, *value))
    }
}
