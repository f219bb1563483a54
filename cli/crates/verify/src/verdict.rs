//! Verdicts: one claim, three outcomes, with evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use saasbench_model::units::Nanos;
use saasbench_record::manifest::ScenarioText;

/// What a claim came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The record shows that it holds.
    Pass,
    /// The record cannot tell.
    Inconclusive,
    /// The record shows that it does not hold.
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

/// Which question a claim answers; the names are part of the JSON report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The service's counters agree with what clients saw.
    Counters,
    /// The service's histograms are sane and not above what clients saw.
    Histograms,
    /// A server-side quantile lies where clients' latency allows it.
    Quantiles,
    /// The service's size metrics agree with the bytes that clients sent and got.
    Sizes,
    /// Gauges return to rest.
    Gauges,
    /// The service's metrics could be scraped as they should: in time, whole, fresh, without gaps.
    Scrapes,
    /// No label takes values without bound.
    Cardinality,
    /// Recording rules agree with what they stand for.
    Rules,
    /// The limiter's Redis is healthy: nothing without a TTL, nothing evicted, no growth without bound.
    Redis,
    /// A PromQL expression keeps its bound.
    Promql,
    /// Alerts fire and resolve in time, and stay silent where they should.
    Alerts,
    /// A promised limit was kept, and nobody was rejected without cause.
    Limit,
    /// What the rate-limit headers promise is kept.
    Headers,
    /// Nothing of a tenant's came to another.
    Isolation,
    /// A neighbour's flood is felt by nobody else.
    NoisyNeighbour,
    /// What a scenario expects of latency, rates and statuses.
    Expectation,
    /// The generator was not the bottleneck.
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

/// One claim and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Which question.
    pub claim: Claim,
    /// Of what: a metric and a replica, a limit, an expectation's text.
    pub subject: String,
    /// What it came to.
    pub outcome: Outcome,
    /// One line: why.
    pub summary: String,
    /// What it rests on; the findings that decided first. Never empty for a `Fail`.
    pub evidence: Vec<Evidence>,
    /// Where the scenario states it; nowhere where nothing had to be stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A place in the scenario's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// Its path as it was typed.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Character in the line, from 1.
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

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Whether it speaks for the claim.
    pub outcome: Outcome,
    /// Of what: a series, a tenant.
    pub subject: String,
    /// What the claim allows.
    pub expected: String,
    /// What the record shows.
    pub observed: String,
    /// More, a line each: the requests that prove it, where to look.
    pub details: Vec<String>,
    /// Numbers of the samples that prove it, in the recorded run.
    pub samples: Vec<u64>,
    /// Of a broken limit: all that it takes to check the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Certificate>,
    /// Of the first finding: the mistake that explains all that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnosis: Option<Diagnosis>,
    /// Of a comparison of clients with the server: what each of them says, as numbers.
    #[serde(skip)]
    pub sides: Option<Sides>,
}

/// What clients saw and what the server's metrics say of one thing, each as an interval: equal ends where it is known
/// exactly, an infinite end where it has none. It is what pictures are drawn from; in JSON the texts say the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sides {
    /// What clients saw: what of a counter can be true, or the bucket of a quantile.
    pub client: (f64, f64),
    /// What the server says.
    pub server: (f64, f64),
    /// Seconds; else a number of requests.
    pub in_seconds: bool,
}

/// The mistake that explains a failure: an explanation of everything that was found, no proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// `per-replica`, `off-by-one`, …
    pub hypothesis: String,
    /// What is known of it: `{"by": 1}`.
    pub parameters: serde_json::Value,
    /// The names of others that explain all of it as well; the one named is the simplest.
    pub alternatives: Vec<String>,
    /// The same in words.
    pub sentence: String,
}

/// A proof that a limit was broken, complete in itself: these requests, and no others, are needed to see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// Whose limit.
    pub tenant: String,
    /// What was promised: `8/10s`.
    pub quota: String,
    /// How it is counted: `sliding-log`.
    pub algorithm: String,
    /// Of a token bucket: how many tokens it holds when it is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// The earliest `sent_ns` of the requests.
    pub from_ns: Nanos,
    /// The latest `done_ns` of the requests.
    pub to_ns: Nanos,
    /// Over-admission: how many of the requests a conforming limiter could have admitted at most. A wrong rejection: how
    /// many admissions it could have counted at most; missing where none of several limits can have rejected, since each
    /// counts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<u64>,
    /// One sentence: why no conforming limiter can have answered so.
    pub reason: String,
    /// Over-admission: the admissions, more than `allowed`. A wrong rejection: the rejected request first, then all that
    /// may have counted against it.
    pub requests: Vec<Certified>,
    /// Other answers that the proof leans on, because they show what state the limiter was in; often none.
    pub given: Vec<Certified>,
}

/// A request of a [`Certificate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certified {
    /// Its number in the recorded run.
    pub sample: u64,
    /// Not decided before, on the run's clock.
    pub sent_ns: Nanos,
    /// Not decided after.
    pub done_ns: Nanos,
    /// Who decided.
    pub replica: String,
    /// `admitted`, `rejected` or `not answered`.
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
