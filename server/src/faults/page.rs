//! What a faulty replica shows of its metrics: the conforming page, late, old, cut off, or rewritten line by line.

use std::fmt::Write as _;
use std::sync::PoisonError;

use tokio::time::Instant;

use super::Fault;
use super::faulty::Faulty;
use crate::telemetry::Telemetry;

impl Faulty {
    /// In place of [`Telemetry::page`].
    pub(crate) async fn page(&self, telemetry: &Telemetry) -> String {
        let delay = self.find(|fault| match fault {
            Fault::ScrapeSlow { delay } => Some(*delay),
            _ => None,
        });
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        let mut page = self.kept(|| self.rewritten(telemetry.page()));
        let left = self.find(|fault| match fault {
            Fault::MetricsTruncated { factor } => Some(*factor),
            _ => None,
        });
        if let Some(left) = left {
            page.truncate(middle_of_a_line(&page, left));
        }
        page
    }

    /// `metrics-stale`: the last page, until it is too old.
    fn kept(&self, page: impl FnOnce() -> String) -> String {
        let age = self.find(|fault| match fault {
            Fault::MetricsStale { age } => Some(*age),
            _ => None,
        });
        let Some(age) = age else { return page() };
        let mut kept = self.miscounting.page.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, page)) = kept.as_ref().filter(|(since, _)| since.elapsed() < age) {
            return page.clone();
        }
        let page = page();
        *kept = Some((Instant::now(), page.clone()));
        page
    }

    /// `bucket-not-cumulative`, `inf-mismatch`, `sum-wrong`.
    fn rewritten(&self, page: String) -> String {
        let [plain, inf, sum] =
            [Fault::BucketNotCumulative, Fault::InfMismatch, Fault::SumWrong].map(|fault| self.has(fault));
        if !(plain || inf || sum) {
            return page;
        }
        let mut out = String::with_capacity(page.len());
        // What the bucket before counted; the first of a series comes after a line that is none.
        let mut before = 0.0;
        for line in page.lines() {
            let sample = line.rsplit_once(' ').filter(|_| !line.starts_with('#'));
            let Some((series, value)) =
                sample.and_then(|(series, text)| Some((series, text.parse::<f64>().ok()?)))
            else {
                out.extend([line, "\n"]);
                continue;
            };
            let is_bucket = series.contains("_bucket{");
            let reported = match (is_bucket, series.contains("le=\"+Inf\"")) {
                (true, true) if inf => value + (value / 100.0).ceil(),
                (true, false) if plain => value - before,
                (false, _) if sum && series.contains("_seconds_sum") => value * 1000.0,
                _ => value,
            };
            before = if is_bucket { value } else { 0.0 };
            // Writing into a string cannot fail.
            let _ = writeln!(out, "{series} {reported}");
        }
        out
    }
}

/// The first place after that part of the page where a line would be no sample if it ended there.
fn middle_of_a_line(page: &str, part: f64) -> usize {
    let least = (page.len() as f64 * part) as usize;
    let mut places = page.match_indices('{').map(|(at, _)| at + 1).peekable();
    let first = places.peek().copied();
    places.find(|at| *at > least).or(first).unwrap_or_default()
}
