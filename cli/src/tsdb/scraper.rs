//! Feeds the store: scrapes one target repeatedly, and adds the series that Prometheus adds (`up` and
//! others).

use std::time::Duration;

use crate::observe::http_body;
use saasbench_exposition::Exposition;
use saasbench_promql::{Labels, METRIC_NAME, Source, Store};

/// Prometheus's default scrape timeout. A scrape that becomes due meanwhile is skipped.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest exposition that is read: the embedded service's own.
const BODY_SIZE_LIMIT: u64 = 64 << 20;

/// A scrape target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The `job` label.
    pub job: String,
    /// The `instance` label.
    pub instance: String,
    /// Scrapes until it is cancelled: first at once, then every `interval`.
    pub url: String,
}

impl Target {
    fn labels(&self) -> Labels {
        Labels::from([("job".to_owned(), self.job.clone()), ("instance".to_owned(), self.instance.clone())])
    }
}

/// Scrapes until it is cancelled: the first time at once, then every `interval`.
pub(super) async fn scrape(target: &Target, http: &reqwest::Client, interval: Duration, store: &Store) {
    let mut source = Source::default();
    let mut ticks = tokio::time::interval(interval);
    // After a missed tick there are no two scrapes in a row.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let time = now();
        let started = tokio::time::Instant::now();
        let exposition = fetch(target, http).await;
        ingest(store, &mut source, target, time, started.elapsed(), exposition.as_ref());
    }
}

/// Adds a scrape of `time` (milliseconds since the epoch), or its failure.
pub fn ingest(
    store: &Store,
    source: &mut Source,
    target: &Target,
    time: i64,
    took: Duration,
    exposition: Option<&Exposition>,
) {
    let named = |mut labels: Labels, name: &str| {
        labels.insert(METRIC_NAME.to_owned(), name.to_owned());
        labels
    };
    let of_target = |name: &str, value: f64| (named(target.labels(), name), value);
    let count = exposition.map_or(0, |exposition| exposition.series.len());
    let samples = exposition.into_iter().flat_map(|exposition| &exposition.series).map(|series| {
        let mut labels = series.labels.clone();
        for (name, value) in target.labels() {
            // Conflicting labels of the target are renamed, as without `honor_labels`.
            if let Some(own) = labels.insert(name.clone(), value) {
                labels.insert(format!("exported_{name}"), own);
            }
        }
        (named(labels, &series.name), series.value)
    });
    let added = [
        of_target("up", if exposition.is_some() { 1.0 } else { 0.0 }),
        of_target("scrape_duration_seconds", took.as_secs_f64()),
        of_target("scrape_samples_scraped", count as f64),
        of_target("scrape_samples_post_metric_relabeling", count as f64),
    ];
    store.append(source, time, samples.chain(added));
}

async fn fetch(target: &Target, http: &reqwest::Client) -> Option<Exposition> {
    let response = http.get(&target.url).timeout(TIMEOUT).send().await.ok()?;
    let body = http_body::read(response.error_for_status().ok()?, BODY_SIZE_LIMIT).await.ok()?;
    saasbench_exposition::parse(&http_body::into_text(body)).ok()
}

/// Milliseconds since the epoch.
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
