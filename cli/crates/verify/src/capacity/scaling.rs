//! The Universal Scalability Law: what more replicas add, fitted to the capacities of several numbers of
//! replicas.
//!
//! `X(N) = λN / (1 + σ(N − 1) + κN(N − 1))` (Gunther, Guerrilla Capacity Planning, 2007, chapter 4): λ is the
//! throughput of one replica, σ the share of work that is serialised (contention), κ the cost per pair of
//! replicas of agreeing (coherency); 0 ≤ σ ≤ 1 and κ ≥ 0. The fit minimises the squares of `ln X`, because
//! capacities are known to within a relative error. Intervals are profile likelihoods: all values that occur
//! in some fit whose sum of squares is within the bound. They respect the parameters' bounds and need no
//! normal approximation.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Upper end of the search for κ: there, two replicas serve less than half of what one does.
const MOST_KAPPA: f64 = 2.0;
/// The 95 % point of χ² with one degree of freedom.
const CHI_SQUARED: f64 = 3.841;
/// Two-sided 95 % points of Student's t, from one degree of freedom on (Abramowitz and Stegun, table 26.10).
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// The measured throughput of a number of replicas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Number of replicas.
    pub replicas: u32,
    /// Throughput of all of them together; above zero.
    pub throughput: f64,
    /// Standard deviation of the logarithm of `throughput`, where known; otherwise estimated from the
    /// residuals of the fit.
    pub deviation: Option<f64>,
}

/// An estimate with a confidence interval; `null` stands for infinity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Best estimate.
    #[serde(deserialize_with = "infinite_if_null")]
    #[schemars(with = "Option<f64>")]
    pub value: f64,
    /// Lower end of the interval.
    #[serde(deserialize_with = "infinite_if_null")]
    #[schemars(with = "Option<f64>")]
    pub low: f64,
    /// Upper end of the interval.
    #[serde(deserialize_with = "infinite_if_null")]
    #[schemars(with = "Option<f64>")]
    pub high: f64,
}

/// JSON has no infinity, and serde_json writes `null` for it.
fn infinite_if_null<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::INFINITY))
}

impl Estimate {
    /// Whether a value lies within the interval.
    pub fn covers(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// Why no law can be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Three parameters need at least three different numbers of replicas.
    #[error(
        "the Universal Scalability Law needs the capacity of at least 3 numbers of replicas, and {0} are known"
    )]
    FewCounts(usize),
    /// There is no estimate of the points' error.
    #[error("how uncertain the capacities are is not known: measure some number of replicas more than once")]
    NoSpread,
}

/// A fitted law with all candidates that fit about as well.
#[derive(Debug, Clone)]
pub struct Fit {
    best: Candidate,
    /// Candidates within the bound, the best among them.
    good: Vec<Candidate>,
}

/// A shape with the λ that suits it best.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    shape: Shape,
    log_lambda: f64,
    /// How far `ln λ` may move either way while the law stays within the bound.
    slack: f64,
}

/// σ and κ.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    sigma: f64,
    kappa: f64,
}

impl Shape {
    /// `ln(X(N)/λ)`.
    fn log_speedup(self, replicas: f64) -> f64 {
        let others = replicas - 1.0;
        replicas.ln() - (self.sigma * others + self.kappa * replicas * others).ln_1p()
    }

    /// The number of replicas with the highest throughput, `√((1 − σ)/κ)`; infinite if κ is zero.
    fn peak(self) -> f64 {
        ((1.0 - self.sigma) / self.kappa).sqrt().max(1.0)
    }
}

/// Fits the law. The points' deviations are used if all points have one; otherwise they are estimated from
/// the residuals, which takes more points than parameters.
///
/// # Errors
/// When there are too few points.
pub fn fit(points: &[Point]) -> Result<Fit, FitError> {
    let mut counts: Vec<u32> = points.iter().map(|point| point.replicas).collect();
    counts.sort_unstable();
    counts.dedup();
    if counts.len() < 3 {
        return Err(FitError::FewCounts(counts.len()));
    }
    let is_known = points.iter().all(|point| point.deviation.is_some_and(|deviation| deviation > 0.0));
    let spare = points.len() - 3;
    if !is_known && spare == 0 {
        return Err(FitError::NoSpread);
    }
    let squares = Squares { points, is_known };
    let kappa = lowest(MOST_KAPPA, |kappa| squares.of(squares.best_at(kappa)).0);
    let shape = squares.best_at(kappa);
    let (least, log_lambda) = squares.of(shape);
    let bound = least + allowance(least, spare, is_known);
    let slack = squares.slack(least, bound);
    let best = Candidate { shape, log_lambda, slack };
    Ok(Fit { best, good: squares.within(shape, bound) })
}

/// By how much the sum of squares may exceed its minimum. With known deviations the excess follows χ² with
/// one degree of freedom, widened if the points fit worse than the deviations say (Birge's ratio); otherwise
/// the minimum itself estimates the variance, and the excess follows the square of Student's t.
fn allowance(least: f64, spare: usize, is_known: bool) -> f64 {
    let mean_square = if spare == 0 { 0.0 } else { least / spare as f64 };
    if is_known {
        return CHI_SQUARED * mean_square.max(1.0);
    }
    let t = STUDENT.get(spare.saturating_sub(1)).copied().unwrap_or(1.96 + 2.5 / spare as f64);
    t * t * mean_square
}

#[derive(Debug)]
struct Squares<'a> {
    points: &'a [Point],
    is_known: bool,
}

impl Squares<'_> {
    fn weight(&self, point: &Point) -> f64 {
        point.deviation.filter(|_| self.is_known).map_or(1.0, |deviation| deviation.powi(-2))
    }

    /// For a shape with the λ that suits it best: the sum of squares, and `ln λ`.
    fn of(&self, shape: Shape) -> (f64, f64) {
        let residual = |point: &Point| point.throughput.ln() - shape.log_speedup(f64::from(point.replicas));
        let sum = |of: &dyn Fn(&Point) -> f64| -> f64 { self.points.iter().map(of).sum() };
        let total = sum(&|point| self.weight(point));
        let log_lambda = sum(&|point| self.weight(point) * residual(point)) / total;
        (sum(&|point| self.weight(point) * (residual(point) - log_lambda).powi(2)), log_lambda)
    }

    fn best_at(&self, kappa: f64) -> Shape {
        let sigma = lowest(1.0, |sigma| self.of(Shape { sigma, kappa }).0);
        Shape { sigma, kappa }
    }

    /// How far `ln λ` may move until the sum of squares reaches the bound.
    fn slack(&self, sum: f64, bound: f64) -> f64 {
        let total: f64 = self.points.iter().map(|point| self.weight(point)).sum();
        ((bound - sum).max(0.0) / total).sqrt()
    }

    /// A dense sample of the laws within the bound, up to its edge.
    fn within(&self, best: Shape, bound: f64) -> Vec<Candidate> {
        const ROWS: u32 = 40;
        let fits = |shape: Shape| self.of(shape).0 <= bound;
        let (low, high) = reach(best.kappa, MOST_KAPPA, |kappa| fits(self.best_at(kappa)));
        let mut good = Vec::new();
        for kappa in spread(low, high, ROWS) {
            let centre = self.best_at(kappa);
            if !fits(centre) {
                continue;
            }
            let (low, high) = reach(centre.sigma, 1.0, |sigma| fits(Shape { sigma, kappa }));
            for sigma in spread(low, high, ROWS) {
                let shape = Shape { sigma, kappa };
                let (sum, log_lambda) = self.of(shape);
                good.push(Candidate { shape, log_lambda, slack: self.slack(sum, bound) });
            }
        }
        good
    }
}

/// Evenly spaced values from `low` to `high`, both included.
fn spread(low: f64, high: f64, steps: u32) -> impl Iterator<Item = f64> {
    (0..=steps).map(move |step| low + (high - low) * f64::from(step) / f64::from(steps))
}

/// Where a function on `0..=most` has its minimum: the best point of a grid that is finer towards zero,
/// refined by golden section (Kiefer 1953).
fn lowest(most: f64, of: impl Fn(f64) -> f64) -> f64 {
    const GRID: i32 = 48;
    let at = |step: i32| most * (f64::from(step.clamp(0, GRID)) / f64::from(GRID)).powi(2);
    let best = (0..=GRID).min_by(|a, b| of(at(*a)).total_cmp(&of(at(*b)))).unwrap_or(0);
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (at(best - 1), at(best + 1));
    for _ in 0..24 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if of(left) <= of(right) { high = right } else { low = left }
    }
    // The minimum is often exactly zero, which golden section never reaches.
    let found = (low + high) / 2.0;
    if of(0.0) <= of(found) { 0.0 } else { found }
}

/// The interval around `from`, within `0..=most`, in which `good` holds; found by bisection.
fn reach(from: f64, most: f64, good: impl Fn(f64) -> bool) -> (f64, f64) {
    let edge = |mut inside: f64, mut outside: f64| {
        if good(outside) {
            return outside;
        }
        for _ in 0..24 {
            let middle = (inside + outside) / 2.0;
            if good(middle) { inside = middle } else { outside = middle }
        }
        inside
    };
    (edge(from, 0.0), edge(from, most))
}

impl Fit {
    /// λ: the throughput of one replica.
    pub fn lambda(&self) -> Estimate {
        self.throughput(1)
    }

    /// σ: contention, between 0 and 1.
    pub fn sigma(&self) -> Estimate {
        self.estimate(|law| (law.shape.sigma, law.shape.sigma), self.best.shape.sigma)
    }

    /// κ: coherency, at least 0.
    pub fn kappa(&self) -> Estimate {
        self.estimate(|law| (law.shape.kappa, law.shape.kappa), self.best.shape.kappa)
    }

    /// Throughput of this many replicas.
    pub fn throughput(&self, replicas: u32) -> Estimate {
        let log = |law: &Candidate| law.log_lambda + law.shape.log_speedup(f64::from(replicas));
        let range = |law: &Candidate| ((log(law) - law.slack).exp(), (log(law) + law.slack).exp());
        self.estimate(range, log(&self.best).exp())
    }

    /// What one more replica adds to this many; negative beyond the peak.
    pub fn gain(&self, replicas: u32) -> Estimate {
        let gain = |law: &Candidate, moved: f64| {
            let at = |n: u32| (law.log_lambda + moved + law.shape.log_speedup(f64::from(n))).exp();
            at(replicas + 1) - at(replicas)
        };
        let range = |law: &Candidate| {
            let (one, other) = (gain(law, -law.slack), gain(law, law.slack));
            (one.min(other), one.max(other))
        };
        self.estimate(range, gain(&self.best, 0.0))
    }

    /// The number of replicas with the highest throughput; infinite where the law has no peak.
    pub fn peak(&self) -> Estimate {
        self.estimate(|law| (law.shape.peak(), law.shape.peak()), self.best.shape.peak())
    }

    fn estimate(&self, range: impl Fn(&Candidate) -> (f64, f64), value: f64) -> Estimate {
        let all = self.good.iter().map(range);
        let (low, high) = all.fold((value, value), |(low, high), (l, h)| (low.min(l), high.max(h)));
        Estimate { value, low, high }
    }
}

#[cfg(test)]
mod tests;
