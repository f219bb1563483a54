//! Verdicts: one claim, three outcomes, with evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;
use saasbench_record::manifest::ScenarioText;

/// Result of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The record shows that the claim holds.
    Pass,
    /// The record does not decide it.
    Inconclusive,
    /// The record shows that the claim does not hold.
    Fail,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pass => "Pass",
            Self::Inconclusive => "Inconclusive",
            Self::Fail => "Fail",
        })
    }
}

/// The kind of claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The service's request counters agree with the responses that clients received.
    Counters,
    /// The service's duration histograms are well-formed, and show no longer durations than clients measured.
    Histograms,
    /// A quantile computed from the service's histogram lies where the clients' latencies allow it.
    Quantiles,
    /// The service's size metrics agree with the bytes that clients sent and received.
    Sizes,
    /// Gauges of requests in progress return to zero after the load.
    Gauges,
    /// The metrics endpoint could be scraped in time, with complete and current expositions and without gaps.
    Scrapes,
    /// No label has an unbounded number of values.
    Cardinality,
    /// The values of recording rules agree with their expressions.
    Rules,
    /// The limiter's Redis is healthy: no key without a TTL, no evictions, no unbounded growth.
    Redis,
    /// A PromQL expression stays within its bound.
    Promql,
    /// Alerts fire and resolve in time, and do not fire without a cause.
    Alerts,
    /// A rate limit admitted no more than its quota, and rejected no request that was within it.
    Limit,
    /// Rate-limit response headers state the truth.
    Headers,
    /// No data of one tenant reached another tenant.
    Isolation,
    /// A flood by one tenant does not slow down other tenants or reduce their goodput beyond the bounds.
    NoisyNeighbour,
    /// A bound of the scenario on latency, rates or statuses.
    Expectation,
    /// The load generator was not the bottleneck.
    Generator,
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Counters => "counters",
            Self::Histograms => "histograms",
            Self::Quantiles => "quantiles",
            Self::Sizes => "sizes",
            Self::Gauges => "gauges",
            Self::Scrapes => "scrapes",
            Self::Cardinality => "cardinality",
            Self::Rules => "rules",
            Self::Redis => "redis",
            Self::Promql => "promql",
            Self::Alerts => "alerts",
            Self::Limit => "limit",
            Self::Headers => "headers",
            Self::Isolation => "isolation",
            Self::NoisyNeighbour => "noisy-neighbour",
            Self::Expectation => "expect",
            Self::Generator => "generator",
        })
    }
}

/// One claim and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The kind of claim.
    pub claim: Claim,
    /// What the claim is about: a metric and a replica, a limit, the text of an expectation.
    pub subject: String,
    /// Result of the claim: the worst outcome of its findings.
    pub outcome: Outcome,
    /// The reason in one line.
    pub summary: String,
    /// The findings, worst first. Never empty for a `fail`.
    pub evidence: Vec<Evidence>,
    /// Where the scenario states the claim; absent for a claim that is always verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A position in the scenario file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Path of the file, as typed.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Character within the line, counted from 1.
    pub column: usize,
}

impl Place {
    /// Line and column of the byte `at` in a scenario's text.
    pub fn of(scenario: &ScenarioText, at: usize) -> Self {
        let before = scenario.text.get(..at).unwrap_or(&scenario.text);
        let line = before.rsplit_once('\n').map_or(before, |(_, line)| line);
        Self {
            file: scenario.file.clone(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One finding of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Result of this finding.
    pub outcome: Outcome,
    /// What was checked: a series, a tenant and so on.
    pub subject: String,
    /// What the claim allows.
    pub expected: String,
    /// What the record shows.
    pub observed: String,
    /// Further lines: the requests that prove the finding, and where to look.
    pub details: Vec<String>,
    /// Numbers of the samples in the recorded run that prove the finding.
    pub samples: Vec<u64>,
    /// For a violated limit: the complete proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// On the first finding of a failed claim: the hypothesis that explains all of its findings, if there is
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// For a comparison of clients with the server: the values of both, as numbers.
    #[serde(skip)]
    pub sides: Option<Sides>,
}

/// A value as clients saw it and as the server's metrics show it, each as an interval: equal ends if it is
/// known exactly, an infinite end if it is unbounded. Charts are drawn from it; in JSON the texts contain the
/// same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sides {
    /// As clients saw it: the possible values of a counter, or the bucket of a quantile.
    pub client: (f64, f64),
    /// As the server shows it.
    pub server: (f64, f64),
    /// Whether the values are seconds; otherwise they are numbers of requests.
    pub in_seconds: bool,
}

/// The hypothesis that explains a failed claim: it accounts for all of its findings, but is not proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// Name of the hypothesis: `per-replica`, `off-by-one`, …
    pub hypothesis: String,
    /// Parameters of the hypothesis, for example `{"by": 1}`.
    pub parameters: serde_json::Value,
    /// Names of other hypotheses that explain the findings as well; `hypothesis` is the simplest.
    pub alternatives: Vec<String>,
    /// The hypothesis as a sentence.
    pub sentence: String,
}

/// A self-contained proof that a limit was violated: the requests listed here suffice to check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// The tenant whose limit was violated.
    pub tenant: String,
    /// The promised quota, for example `8/10s`.
    pub quota: String,
    /// The limiter's algorithm, for example `sliding-log`.
    pub algorithm: String,
    /// For a token bucket: its capacity in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// Earliest `sent_ns` of `requests`.
    pub from_ns: Nanos,
    /// Latest `done_ns` of `requests`.
    pub to_ns: Nanos,
    /// For an over-admission: how many of the requests a conforming limiter admits at most. For a wrong
    /// rejection: how many admissions the limiter can have counted at most; absent if the route has several
    /// limits, because each of them counts separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<u64>,
    /// Why no conforming limiter can have responded like this, in one sentence.
    pub reason: String,
    /// For an over-admission: the admitted requests, more than `allowed`. For a wrong rejection: the rejected
    /// request first, then every request that may have counted against it.
    pub requests: Vec<Certified>,
    /// Other responses that the proof relies on because they show the limiter's state; often empty.
    pub given: Vec<Certified>,
}

/// A request of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certified {
    /// Number of its sample in the recorded run.
    pub sample: u64,
    /// When it was sent, on the run's clock: the limiter cannot have decided earlier.
    pub sent_ns: Nanos,
    /// When its response was complete, on the run's clock: the limiter cannot have decided later.
    pub done_ns: Nanos,
    /// Name of the replica that it was sent to.
    pub replica: String,
    /// `admitted`, `rejected` or `no response`.
    pub decision: String,
}

impl Diagnosis {
    /// A diagnosis without alternatives.
    pub fn new(hypothesis: &str, parameters: serde_json::Value, sentence: impl Into<String>) -> Self {
        Self {
            hypothesis: hypothesis.to_owned(),
            parameters,
            alternatives: Vec::new(),
            sentence: sentence.into(),
        }
    }
}

impl Evidence {
    /// A finding without details.
    pub fn new(
        outcome: Outcome,
        subject: impl Into<String>,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) -> Self {
        Self {
            outcome,
            subject: subject.into(),
            expected: expected.into(),
            observed: observed.into(),
            details: Vec::new(),
            samples: Vec::new(),
            certificate: None,
            diagnosis: None,
            sides: None,
        }
    }

    /// Adds the compared intervals of clients and server.
    #[must_use]
    pub fn compared(self, client: (f64, f64), server: (f64, f64), in_seconds: bool) -> Self {
        Self { sides: Some(Sides { client, server, in_seconds }), ..self }
    }

    /// Adds one line of details.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }
}

impl Verdict {
    /// An Inconclusive verdict without evidence, and why.
    pub fn inconclusive(claim: Claim, subject: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            claim,
            subject: subject.into(),
            outcome: Outcome::Inconclusive,
            summary: why.into(),
            evidence: Vec::new(),
            place: None,
        }
    }

    /// A verdict whose outcome is the worst of its findings; without any it is Inconclusive, because no data
    /// is never a Pass. `summary` is computed from outcome and findings.
    pub fn from_evidence(
        claim: Claim,
        subject: impl Into<String>,
        mut evidence: Vec<Evidence>,
        summary: impl FnOnce(Outcome, &[Evidence]) -> String,
    ) -> Self {
        let outcome = evidence.iter().map(|finding| finding.outcome).max().unwrap_or(Outcome::Inconclusive);
        evidence.sort_by_key(|finding| std::cmp::Reverse(finding.outcome));
        let summary = if evidence.is_empty() { "no data".to_owned() } else { summary(outcome, &evidence) };
        Self { claim, subject: subject.into(), outcome, summary, evidence, place: None }
    }

    /// Adds where the scenario states the claim, given as a byte offset in its text.
    #[must_use]
    pub fn stated(mut self, scenario: &ScenarioText, at: impl Into<Option<usize>>) -> Self {
        self.place = at.into().map(|at| Place::of(scenario, at));
        self
    }

    /// Adds the diagnosis to the first finding; only a failure gets one.
    #[must_use]
    pub fn explained(mut self, diagnosis: Option<Diagnosis>) -> Self {
        let first = self.evidence.first_mut().filter(|first| first.outcome == Outcome::Fail);
        if let (Some(first), Some(diagnosis)) = (first, diagnosis) {
            first.details.insert(0, format!("diagnosis: {}", diagnosis.sentence));
            first.diagnosis = Some(diagnosis);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_in_lines_and_characters() {
        let text = "version = 1\n# é\n[[expect]]\nthat = \"p99 < 1s\" # é\n";
        let scenario = ScenarioText::new("ci/x.toml".to_owned(), text.to_owned(), Default::default());
        let place = |at| Place::of(&scenario, at).to_string();
        assert_eq!(place(0), "ci/x.toml:1:1");
        assert_eq!(place(text.find("[[").unwrap()), "ci/x.toml:3:1");
        assert_eq!(place(text.find("\"p99").unwrap()), "ci/x.toml:4:8");
        assert_eq!(place(text.len() + 9), "ci/x.toml:5:1");
    }
}
