//! Feeds the store: scrapes one target again and again, and adds what Prometheus adds (`up` and its like).

use std::time::Duration;

use super::store::{SeriesId, Shown, Store};
use saasbench_exposition::{Exposition, Labels};

/// A scrape that takes longer has failed: Prometheus's default. A scrape that is due meanwhile is left out.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is scraped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The `job` label.
    pub job: String,
    /// The `instance` label.
    pub instance: String,
    /// Where its page is.
    pub url: String,
}

impl Target {
    fn labels(&self) -> Labels {
        Labels::from([("job".to_owned(), self.job.clone()), ("instance".to_owned(), self.instance.clone())])
    }
}

/// Scrapes for ever: the first time at once, then every `interval`.
pub(super) async fn scrape(target: &Target, http: &reqwest::Client, interval: Duration, store: &Store) {
    let shown = Shown::default();
    let mut ticks = tokio::time::interval(interval);
    // A tick that was missed is no reason to scrape twice in a row.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let time = now();
        let started = tokio::time::Instant::now();
        let page = fetch(target, http).await;
        // A store in memory that takes no more has nobody to tell but whoever asks for what is missing: its samples are.
        let _ = ingest(store, &shown, target, time, started.elapsed(), page.as_ref());
    }
}

/// Adds one scrape of `time` (milliseconds since the epoch), or that it failed.
///
/// # Errors
/// The store's.
pub fn ingest(
    store: &Store,
    shown: &Shown,
    target: &Target,
    time: i64,
    took: Duration,
    page: Option<&Exposition>,
) -> Result<(), super::TsdbError> {
    let of_target = |name: &str, value: f64| (SeriesId::new(name, target.labels()), value);
    let count = page.map_or(0, |page| page.series.len());
    let samples = page.into_iter().flat_map(|page| &page.series).map(|series| {
        let mut labels = series.labels.clone();
        for (name, value) in target.labels() {
            // What the target says of itself gives way, as without `honor_labels`.
            if let Some(own) = labels.insert(name.clone(), value) {
                labels.insert(format!("exported_{name}"), own);
            }
        }
        (SeriesId::new(&series.name, labels), series.value)
    });
    let added = [
        of_target("up", if page.is_some() { 1.0 } else { 0.0 }),
        of_target("scrape_duration_seconds", took.as_secs_f64()),
        of_target("scrape_samples_scraped", count as f64),
        of_target("scrape_samples_post_metric_relabeling", count as f64),
    ];
    store.append(shown, time, samples.chain(added))
}

async fn fetch(target: &Target, http: &reqwest::Client) -> Option<Exposition> {
    let answer = http.get(&target.url).timeout(TIMEOUT).send().await.ok()?;
    let text = answer.error_for_status().ok()?.text().await.ok()?;
    saasbench_exposition::parse(&text).ok()
}

/// Milliseconds since the epoch.
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
