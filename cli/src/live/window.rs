//! The latest samples of a run: differences of its running totals, second by second, in total and by tenant.

use std::collections::{BTreeMap, VecDeque};

use saasbench_model::units::Nanos;
use saasbench_record::{
    latencies::Latencies,
    recent::Recent,
    tally::{Outcomes, Tally},
};

/// Seconds that count as "now": enough for stable figures.
const NOW: usize = 3;
/// Seconds that are kept for charts.
const KEPT: usize = 600;
/// Seconds of a tenant's rate that are kept for sparklines.
const RATES: usize = 120;
/// The status of a rejection by a limit.
const TOO_MANY_REQUESTS: u16 = 429;

/// The latest samples of a run.
#[derive(Debug, Default)]
pub struct Window {
    /// By tenant, in the scenario's order.
    pub tenants: Vec<Tenant>,
    /// All tenants together, in intervals of about a second, oldest first.
    pub seconds: VecDeque<Second>,
    /// Totals so far.
    pub total: Totals,
    at: Nanos,
}

/// Totals, or an increase of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Totals {
    /// Outcomes, including dropped arrivals.
    pub outcomes: Outcomes,
    /// Requests that count as errors; dropped arrivals do not.
    pub errors: u64,
}

/// One tenant.
#[derive(Debug, Clone, Default)]
pub struct Tenant {
    /// Totals so far.
    pub total: Totals,
    /// Increase during the last second.
    pub added: Totals,
    /// Requests per second, one value per second, oldest first.
    pub rates: VecDeque<f64>,
    lately: VecDeque<Slice>,
}

/// A tenant's samples of about a second.
#[derive(Debug, Clone)]
struct Slice {
    lasted: Nanos,
    requests: u64,
    answered: u64,
    rejected: u64,
    latencies: Latencies,
}

/// All tenants' samples of about a second.
#[derive(Debug, Clone, PartialEq)]
pub struct Second {
    /// When it ended, on the run's clock.
    pub end: Nanos,
    /// Its length.
    pub lasted: Nanos,
    /// The increase of the totals.
    pub added: Totals,
    /// Latency from intended at 0.5, 0.9 and 0.99; `None` without a response.
    pub quantiles: Option<[Nanos; 3]>,
}

impl Totals {
    /// Requests, without dropped arrivals.
    pub fn requests(&self) -> u64 {
        self.outcomes.answered() + self.outcomes.unknown + self.outcomes.not_sent
    }

    /// The increase since `before`.
    fn since(&self, before: &Self) -> Self {
        let (now, then) = (&self.outcomes, &before.outcomes);
        let statuses: BTreeMap<u16, u64> = now
            .statuses
            .iter()
            .map(|(status, count)| (*status, count - then.statuses.get(status).unwrap_or(&0)))
            .filter(|(_, count)| *count > 0)
            .collect();
        Self {
            outcomes: Outcomes {
                statuses,
                unknown: now.unknown - then.unknown,
                resent: now.resent - then.resent,
                not_sent: now.not_sent - then.not_sent,
                dropped: now.dropped - then.dropped,
            },
            errors: self.errors - before.errors,
        }
    }

    /// Adds another's counts.
    pub fn plus(&mut self, other: &Self) {
        for (status, count) in &other.outcomes.statuses {
            *self.outcomes.statuses.entry(*status).or_default() += count;
        }
        self.outcomes.unknown += other.outcomes.unknown;
        self.outcomes.resent += other.outcomes.resent;
        self.outcomes.not_sent += other.outcomes.not_sent;
        self.outcomes.dropped += other.outcomes.dropped;
        self.errors += other.errors;
    }
}

impl Window {
    /// An empty window for this many tenants, from `at` on.
    pub fn new(tenants: usize, at: Nanos) -> Self {
        Self { tenants: vec![Tenant::default(); tenants], at, ..Self::default() }
    }

    /// Makes the tally collect what [`Self::step`] takes from it.
    pub fn follow(&self, tally: &mut Tally) {
        tally.recent = Some(Recent::new(self.tenants.len()));
    }

    /// Takes the changes of a followed tally up to `now`.
    pub fn step(&mut self, tally: &mut Tally, now: Nanos) {
        let recent = tally.recent.as_mut().map(Recent::take).unwrap_or_default();
        let totals: Vec<Totals> = tally
            .tenants
            .iter()
            .zip(&tally.tenant_errors)
            .map(|(outcomes, errors)| Totals { outcomes: outcomes.clone(), errors: *errors })
            .collect();
        self.add(totals, recent, now);
    }

    fn add(&mut self, totals: Vec<Totals>, recent: Recent, now: Nanos) {
        let lasted = now - self.at;
        self.at = now;
        let (mut added, mut latencies) = (Totals::default(), Latencies::default());
        let recent = recent.0.into_iter().chain(std::iter::repeat_with(Latencies::default));
        for ((tenant, total), recent) in self.tenants.iter_mut().zip(totals).zip(recent) {
            latencies.merge(&recent);
            tenant.step(total, recent, lasted);
            added.plus(&tenant.added);
        }
        self.total.plus(&added);
        let quantile = |q| latencies.quantile(q);
        let quantiles =
            quantile(0.5).zip(quantile(0.9)).zip(quantile(0.99)).map(|((p50, p90), p99)| [p50, p90, p99]);
        push(&mut self.seconds, Second { end: now, lasted, added, quantiles }, KEPT);
    }

    /// Current requests per second of all tenants.
    pub fn rate(&self) -> f64 {
        self.tenants.iter().map(Tenant::rate).sum()
    }

    /// A current quantile of the latency, over all tenants.
    pub fn quantile(&self, q: f64) -> Option<Nanos> {
        let mut all = Latencies::default();
        let slices = self.tenants.iter().flat_map(|tenant| &tenant.lately);
        slices.for_each(|slice| all.merge(&slice.latencies));
        all.quantile(q)
    }
}

impl Tenant {
    fn step(&mut self, total: Totals, latencies: Latencies, lasted: Nanos) {
        self.added = total.since(&self.total);
        self.total = total;
        let outcomes = &self.added.outcomes;
        let slice = Slice {
            lasted,
            requests: self.added.requests(),
            answered: outcomes.answered(),
            rejected: outcomes.statuses.get(&TOO_MANY_REQUESTS).copied().unwrap_or_default(),
            latencies,
        };
        push(&mut self.rates, per_second(slice.requests, lasted), RATES);
        push(&mut self.lately, slice, NOW);
    }

    /// Current requests per second.
    pub fn rate(&self) -> f64 {
        let lasted = self.lately.iter().fold(Nanos::ZERO, |sum, slice| sum + slice.lasted);
        per_second(self.lately.iter().map(|slice| slice.requests).sum(), lasted)
    }

    /// A current quantile of the latency; `None` without a response.
    pub fn quantile(&self, q: f64) -> Option<Nanos> {
        let mut all = Latencies::default();
        self.lately.iter().for_each(|slice| all.merge(&slice.latencies));
        all.quantile(q)
    }

    /// The quantile over the last second.
    pub fn last_quantile(&self, q: f64) -> Option<Nanos> {
        self.lately.back()?.latencies.quantile(q)
    }

    /// Current share of responses that are rejections (429); `None` without a response.
    pub fn rejected(&self) -> Option<f64> {
        let answered: u64 = self.lately.iter().map(|slice| slice.answered).sum();
        let rejected: u64 = self.lately.iter().map(|slice| slice.rejected).sum();
        (answered > 0).then(|| rejected as f64 / answered as f64)
    }

    /// The sum of several tenants.
    pub fn sum<'a>(tenants: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for tenant in tenants {
            sum.total.plus(&tenant.total);
            sum.added.plus(&tenant.added);
            sum.rates.resize(tenant.rates.len(), 0.0);
            sum.rates.iter_mut().zip(&tenant.rates).for_each(|(sum, rate)| *sum += rate);
            for (index, slice) in tenant.lately.iter().enumerate() {
                match sum.lately.get_mut(index) {
                    Some(sum) => sum.plus(slice),
                    None => sum.lately.push_back(slice.clone()),
                }
            }
        }
        sum
    }
}

impl Slice {
    fn plus(&mut self, other: &Self) {
        self.requests += other.requests;
        self.answered += other.answered;
        self.rejected += other.rejected;
        self.latencies.merge(&other.latencies);
    }
}

fn per_second(count: u64, lasted: Nanos) -> f64 {
    if lasted > Nanos::ZERO { count as f64 / lasted.as_secs_f64() } else { 0.0 }
}

/// Appends a value, and drops the oldest beyond a limit.
fn push<T>(values: &mut VecDeque<T>, value: T, kept: usize) {
    if values.len() == kept {
        values.pop_front();
    }
    values.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_record::{sample::RequestOutcome, testing::sample};

    #[test]
    fn current_figures_cover_the_last_seconds() {
        let mut tally = Tally::new(2);
        let mut window = Window::new(2, Nanos::ZERO);
        window.follow(&mut tally);
        for second in 1..=5_i64 {
            let mut samples: Vec<_> = (0..10).map(|i| sample(i, 0, RequestOutcome::Status(200))).collect();
            for sample in &mut samples {
                sample.done = sample.intended + Nanos::from_millis(second);
            }
            samples[0].outcome = RequestOutcome::Status(429);
            (samples[1].tenant, samples[1].failed_check) = (1, Some("status 404, expected 200".to_owned()));
            tally.add(&samples.iter().collect());
            window.step(&mut tally, Nanos::from_secs(second));
        }
        assert_eq!(window.total.requests(), 50);
        assert_eq!((window.tenants[0].total.errors, window.tenants[1].total.errors), (0, 5));
        assert_eq!(window.seconds.back().unwrap().added.outcomes.to_string(), "9×200  1×429");
        assert!((window.rate() - 10.0).abs() < 1e-9 && (window.tenants[1].rate() - 1.0).abs() < 1e-9);
        assert!((window.tenants[0].rejected().unwrap() - 1.0 / 9.0).abs() < 1e-9);
        // Covers the seconds with 3, 4 and 5 ms, and not those before.
        let [low, high] = [0.01, 1.0].map(|q| window.quantile(q).unwrap().as_millis_f64());
        assert!((low / 3.0 - 1.0).abs() < 0.04 && (high / 5.0 - 1.0).abs() < 0.04, "{low} {high}");
        let both = Tenant::sum(window.tenants.iter());
        assert!((both.rate() - 10.0).abs() < 1e-9 && both.total.errors == 5 && both.rates.len() == 5);
    }
}
