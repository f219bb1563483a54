//! Queries Prometheus for raw samples and records every response as it was: `observations/prometheus.jsonl`.
//!
//! Raw samples come from an instant query of `metric{…}[range]` at an explicit time; `increase()` and
//! `rate()` extrapolate and are of no use for exact checks.

pub mod client;

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use crate::observe::observer_log::ProbeLog;
use client::{ApiError, Client};
use saasbench_engine::clock::RunClock;
use saasbench_model::{scenario::MetricsContract, units::Nanos};
use saasbench_record::{
    json_lines::to_line,
    manifest::Replica,
    prometheus::{POSITION, ResponseRecord, newest_scrapes},
    query::ApiRequest,
};

/// How long a replica may be missing from Prometheus's targets before it counts as missing. A Prometheus that
/// has just started shows its targets after one scrape interval.
const UNKNOWN_TARGET: Duration = Duration::from_secs(20);
/// How long Prometheus may fail to respond before it counts as unavailable.
const GONE: Duration = Duration::from_secs(10);
/// Metrics of redis_exporter about Redis's health.
const REDIS: [&str; 5] = [
    "redis_up",
    "redis_db_keys",
    "redis_db_keys_expiring",
    "redis_evicted_keys_total",
    "redis_memory_used_bytes",
];
/// Between two polls for whether Prometheus has caught up.
const POLL: Duration = Duration::from_millis(200);

/// A Prometheus server, and the record of its responses.
#[derive(Debug)]
pub struct Prometheus {
    client: Client,
    file: PathBuf,
    clock: RunClock,
    probes: ProbeLog,
}

impl Prometheus {
    /// A server that is queried by `client`; its responses are recorded into `run_dir/observations`.
    ///
    /// # Errors
    /// The file system's.
    pub fn new(client: Client, run_dir: &Path, clock: RunClock) -> io::Result<Self> {
        let dir = run_dir.join("observations");
        std::fs::create_dir_all(&dir)?;
        Ok(Self { client, file: dir.join("prometheus.jsonl"), clock, probes: ProbeLog::default() })
    }

    /// The same, with a log of its queries.
    #[must_use]
    pub fn with_log(self, probes: ProbeLog) -> Self {
        Self { probes, ..self }
    }

    /// Waits until every replica shows a scrape that started at `since` on the run's clock or later
    /// (`tolerance` is how far the two clocks may differ), or Prometheus is unavailable, or `within` is over;
    /// then records how far it has come. Whether that was far enough is judged later, from the record.
    ///
    /// # Errors
    /// Any I/O error.
    pub async fn wait_for_scrapes(
        &self,
        replicas: &[Replica],
        since: Nanos,
        tolerance: Nanos,
        within: Duration,
    ) -> io::Result<()> {
        let started = tokio::time::Instant::now();
        let since_unix = (self.clock.zero_unix() + since + tolerance).as_secs_f64();
        let mut answered = started;
        while started.elapsed() < within && answered.elapsed() < GONE {
            if let Ok(answer) = self.client.query(&self.now(POSITION)).await {
                answered = tokio::time::Instant::now();
                let seen = newest_scrapes(&answer);
                let reached = |replica: &Replica| match seen.get(&replica.instance) {
                    Some(newest) => *newest >= since_unix,
                    None => started.elapsed() > UNKNOWN_TARGET,
                };
                if replicas.iter().all(reached) {
                    break;
                }
            }
            tokio::time::sleep(POLL).await;
        }
        self.record(&self.now(POSITION)).await.map(|_| ())
    }

    /// Records the raw samples that the contract's claims need, from `from` on the run's clock until now.
    ///
    /// # Errors
    /// The file system's. A query without a response is no error: it is recorded.
    pub async fn record_raw_samples(
        &self,
        contract: &MetricsContract,
        replicas: &[Replica],
        from: Nanos,
    ) -> io::Result<()> {
        let seconds = ((self.clock.now() - from).as_secs_f64().ceil() as i64).max(1);
        // All targets' `up`, so that a message about a missing replica can list those that exist.
        self.record(&self.now(&format!("up[{seconds}s]"))).await?;
        let instances: Vec<String> = replicas.iter().map(|replica| escape_regex(&replica.instance)).collect();
        let matcher = format!("{{instance=~{:?}}}", instances.join("|"));
        let metrics = [
            Some("process_start_time_seconds"),
            Some("scrape_duration_seconds"),
            Some("scrape_samples_scraped"),
            Some(&contract.requests),
            contract.tenant_requests.as_deref(),
        ];
        for metric in metrics.into_iter().flatten() {
            self.record(&self.now(&format!("{metric}{matcher}[{seconds}s]"))).await?;
        }
        for metric in REDIS {
            self.record(&self.now(&format!("{metric}[{seconds}s]"))).await?;
        }
        Ok(())
    }

    /// Sends a query, records the response or why there is none, and returns it.
    ///
    /// # Errors
    /// The file system's. A query without a response is no error: it is recorded.
    pub async fn record(&self, request: &ApiRequest) -> io::Result<Option<Value>> {
        let at_ns = self.clock.now();
        let (time_unix_s, range_s) = match request {
            ApiRequest::Instant { time, .. } => (*time, None),
            ApiRequest::Range { start, end, step, .. } => (*end, Some((end - start, *step))),
            ApiRequest::Series { end, .. } => (*end, None),
            ApiRequest::LabelNames { end, .. } | ApiRequest::LabelValues { end, .. } => (*end, None),
            ApiRequest::Rules | ApiRequest::Metadata => (self.now_unix(), None),
        };
        let (answer, error) = match self.client.query(request).await {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let query = request.text().into_owned();
        // One query each: a rejected one does not affect the others.
        let seen = error.as_deref().map_or(Ok("responded"), Err);
        self.probes.note(&format!("Prometheus, {query}"), at_ns, self.clock.now(), seen);
        let record = ResponseRecord { at_ns, query, time_unix_s, range_s, answer, error };
        let line = to_line(&record)?;
        OpenOptions::new().create(true).append(true).open(&self.file)?.write_all(&line)?;
        Ok(record.answer)
    }

    /// Sends a query without recording it.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn query(&self, request: &ApiRequest) -> Result<Value, ApiError> {
        self.client.query(request).await
    }

    /// An instant query, now.
    pub fn now(&self, query: &str) -> ApiRequest {
        ApiRequest::Instant { query: query.to_owned(), time: self.now_unix() }
    }

    /// Now, in seconds since the epoch.
    pub fn now_unix(&self) -> f64 {
        (self.clock.zero_unix() + self.clock.now()).as_secs_f64()
    }
}

/// A text as a regular expression (RE2) that matches it alone.
pub(super) fn escape_regex(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() && c.is_ascii() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_character_is_escaped() {
        assert_eq!(escape_regex("127.0.0.1:80"), r"127\.0\.0\.1\:80");
    }
}
