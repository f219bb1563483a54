//! Faults of the exposition: delayed, stale, truncated, or rewritten line by line.

use std::fmt::Write as _;
use std::sync::PoisonError;

use tokio::time::Instant;

use super::Fault;
use super::injector::FaultInjector;
use crate::telemetry::Telemetry;

impl FaultInjector {
    /// Replaces [`Telemetry::render`].
    pub(crate) async fn render(&self, telemetry: &Telemetry) -> String {
        let delay = self.find(|fault| match fault {
            Fault::ScrapeSlow { delay } => Some(*delay),
            _ => None,
        });
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        let mut text = self.cached(|| self.rewritten(telemetry.render()));
        let left = self.find(|fault| match fault {
            Fault::MetricsTruncated { factor } => Some(*factor),
            _ => None,
        });
        if let Some(left) = left {
            text.truncate(middle_of_a_line(&text, left));
        }
        text
    }

    /// `metrics-stale`: the cached exposition, until it is too old.
    fn cached(&self, render: impl FnOnce() -> String) -> String {
        let age = self.find(|fault| match fault {
            Fault::MetricsStale { age } => Some(*age),
            _ => None,
        });
        let Some(age) = age else { return render() };
        let mut cached = self.metric_state.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = cached.as_ref().filter(|(rendered, _)| rendered.elapsed() < age) {
            return text.clone();
        }
        let text = render();
        *cached = Some((Instant::now(), text.clone()));
        text
    }

    /// `bucket-not-cumulative`, `inf-mismatch`, `sum-wrong`.
    fn rewritten(&self, text: String) -> String {
        let [plain, inf, sum] =
            [Fault::BucketNotCumulative, Fault::InfMismatch, Fault::SumWrong].map(|fault| self.has(fault));
        if !(plain || inf || sum) {
            return text;
        }
        let mut out = String::with_capacity(text.len());
        // The value of the previous bucket; the line before the first bucket of a series is not one.
        let mut before = 0.0;
        for line in text.lines() {
            let sample = line.rsplit_once(' ').filter(|_| !line.starts_with('#'));
            let Some((series, value)) =
                sample.and_then(|(series, value)| Some((series, value.parse::<f64>().ok()?)))
            else {
                out.extend([line, "\n"]);
                continue;
            };
            let is_bucket = series.contains("_bucket{");
            let written = match (is_bucket, series.contains("le=\"+Inf\"")) {
                (true, true) if inf => value + (value / 100.0).ceil(),
                (true, false) if plain => value - before,
                (false, _) if sum && series.contains("_seconds_sum") => value * 1000.0,
                _ => value,
            };
            before = if is_bucket { value } else { 0.0 };
            // Writing into a string cannot fail.
            let _ = writeln!(out, "{series} {written}");
        }
        out
    }
}

/// The first position after `part` of the text at which a line that ends there is not a sample.
fn middle_of_a_line(text: &str, part: f64) -> usize {
    let least = (text.len() as f64 * part) as usize;
    let mut positions = text.match_indices('{').map(|(at, _)| at + 1).peekable();
    let first = positions.peek().copied();
    positions.find(|at| *at > least).or(first).unwrap_or_default()
}
