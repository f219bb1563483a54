//! The known failure modes of limiters, and how they are described.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use saasbench_model::{
    scenario::{Algorithm, Anchor, Estimate, Refill},
    units::Nanos,
};

/// The fault that explains everything that is wrong with a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// The simplest one.
    pub hypothesis: Hypothesis,
    /// Others that explain everything, too, the simpler ones first.
    pub others: Vec<Hypothesis>,
    /// What is explained and how, in one sentence.
    pub sentence: String,
}

/// A fault that a limiter can have.
#[derive(Debug, Clone, PartialEq)]
pub enum Hypothesis {
    /// Each replica enforces the limit on its own.
    PerReplica {
        /// The replicas that responded.
        replicas: Vec<String>,
    },
    /// Each of several processes behind one address enforces the limit on its own.
    PerProcess {
        /// Groups of connections that keep it, at least one for each process.
        processes: usize,
        /// The connections.
        connections: usize,
    },
    /// Nothing was rejected although the limit was exceeded.
    NotEnforced {
        /// The tenants whose promise was broken.
        tenants: Vec<String>,
    },
    /// The limit (for a token bucket: its capacity) differs by this much.
    OffByOne {
        /// The difference, positive if it is larger.
        by: i64,
        /// The tenants concerned.
        tenants: Vec<String>,
    },
    /// The promised number in a window of another length.
    OtherWindow {
        /// The promised window.
        promised: Nanos,
        /// A round length that explains everything.
        window: Nanos,
        /// All lengths that explain it: from, to.
        range: (Nanos, Nanos),
    },
    /// The same quota by another algorithm.
    OtherAlgorithm(Algorithm),
    /// Several tenants share one count.
    SharedKey {
        /// Their ids.
        tenants: Vec<String>,
    },
    /// From some instant on, quota is no longer restored.
    NoExpiry {
        /// The tenants concerned.
        tenants: Vec<String>,
    },
    /// Occasionally a request is rejected without cause.
    SporadicRejections {
        /// Number of rejections without cause.
        rejected: u64,
        /// Requests that had to be admitted, those included.
        of: u64,
    },
    /// For a while everything was admitted.
    FailsOpen {
        /// The last rejection before it.
        from: Nanos,
        /// The first rejection after it.
        to: Nanos,
    },
    /// Requests are counted some time after they are checked.
    Race,
    /// Rejected requests are counted, too.
    CountsRejections,
    /// The clocks of the deciding replicas differ.
    SkewedClocks {
        /// By how much: from, to.
        range: (Nanos, Nanos),
    },
}

impl Hypothesis {
    /// The name in the JSON report.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PerReplica { .. } => "per-replica",
            Self::PerProcess { .. } => "per-process",
            Self::NotEnforced { .. } => "not-enforced",
            Self::OffByOne { .. } => "off-by-one",
            Self::OtherWindow { .. } => "other-window",
            Self::OtherAlgorithm(_) => "other-algorithm",
            Self::SharedKey { .. } => "shared-key",
            Self::NoExpiry { .. } => "no-expiry",
            Self::SporadicRejections { .. } => "sporadic-rejections",
            Self::FailsOpen { .. } => "fails-open",
            Self::Race => "race",
            Self::CountsRejections => "counts-rejections",
            Self::SkewedClocks { .. } => "skewed-clocks",
        }
    }

    /// The parameters in the JSON report.
    pub fn parameters(&self) -> Value {
        match self {
            Self::PerReplica { replicas } => json!({ "replicas": replicas }),
            Self::PerProcess { processes, connections } => {
                json!({ "processes": processes, "connections": connections })
            }
            Self::NotEnforced { tenants } | Self::SharedKey { tenants } | Self::NoExpiry { tenants } => {
                json!({ "tenants": tenants })
            }
            Self::OffByOne { by, tenants } => json!({ "by": by, "tenants": tenants }),
            Self::OtherWindow { window, range: (from, to), .. } => {
                json!({ "window_ns": window, "from_ns": from, "to_ns": to })
            }
            Self::OtherAlgorithm(algorithm) => {
                json!(keys(*algorithm).into_iter().collect::<BTreeMap<_, _>>())
            }
            Self::SporadicRejections { rejected, of } => json!({ "rejected": rejected, "of": of }),
            Self::FailsOpen { from, to } => json!({ "from_ns": from, "to_ns": to }),
            Self::Race | Self::CountsRejections => json!({}),
            Self::SkewedClocks { range: (from, to) } => json!({ "from_ns": from, "to_ns": to }),
        }
    }
}

/// Formats the second half of a sentence: "every violation is explained by …".
impl std::fmt::Display for Hypothesis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PerReplica { replicas } => {
                write!(f, "a limit kept by each replica on its own ({})", list(replicas))
            }
            Self::PerProcess { processes, connections } => write!(
                f,
                "a limit kept by each of several processes behind one address: the {connections} connections fall into \
                 {processes} groups, and each keeps the quota by itself",
            ),
            Self::NotEnforced { tenants } => {
                write!(f, "no limit at all: nothing of {} was rejected", list(tenants))
            }
            Self::OffByOne { by, tenants } => {
                let how = if *by > 0 { "higher" } else { "lower" };
                write!(f, "a limit of {} that is {how} by {}", list(tenants), by.unsigned_abs())
            }
            Self::OtherWindow { promised, window, range: (from, to) } if from == to => {
                write!(f, "a window of {window} instead of {promised}")
            }
            Self::OtherWindow { promised, window, range: (from, to) } => write!(
                f,
                "a window of about {window} instead of {promised} (anything from {from} to {to} explains it)"
            ),
            Self::OtherAlgorithm(algorithm) => {
                let declared: Vec<String> =
                    keys(*algorithm).iter().map(|(key, value)| format!("`{key} = \"{value}\"`")).collect();
                write!(f, "the same quota kept by other rules: {}", declared.join(", "))?;
                match algorithm {
                    Algorithm::TokenBucket { .. } => f.write_str(", no `burst`"),
                    _ => Ok(()),
                }
            }
            Self::SharedKey { tenants } => write!(f, "one count shared by {}", list(tenants)),
            Self::NoExpiry { tenants } => {
                write!(f, "a count that never expires: {} got nothing back once used up", list(tenants))
            }
            Self::SporadicRejections { rejected, of } => write!(
                f,
                "sporadic rejections without cause: {rejected} of {of} that had to be admitted, 1 in about {}",
                (*of as f64 / (*rejected).max(1) as f64).round()
            ),
            Self::FailsOpen { from, to } => write!(
                f,
                "a limiter that failed open: between the rejections at {:.3} s and {:.3} s everything was admitted, \
                 without being counted",
                from.as_secs_f64(),
                to.as_secs_f64()
            ),
            Self::Race => f.write_str(
                "a race between check and count: each admission was right by what had been answered when it was sent, only \
                 together they were too many",
            ),
            Self::CountsRejections => f.write_str("rejected requests that use up the quota, too"),
            Self::SkewedClocks { range: (from, to) } if to.0 > from.0 * 2 => {
                write!(f, "replicas that decide by clocks of their own, at least {from} apart")
            }
            Self::SkewedClocks { range: (from, to) } => {
                let apart = Nanos(from.0 + (to.0 - from.0) / 2);
                write!(f, "replicas that decide by clocks of their own, about {apart} apart")
            }
        }
    }
}

impl Diagnosis {
    /// The diagnosis from all hypotheses that explain it, the simplest first; `None` if there are none.
    pub(super) fn of(hypotheses: Vec<Hypothesis>) -> Option<Self> {
        let mut hypotheses = hypotheses.into_iter();
        let hypothesis = hypotheses.next()?;
        let others: Vec<Hypothesis> = hypotheses.collect();
        let mut sentence = format!("every violation is explained by {hypothesis}");
        for other in &others {
            sentence.push_str(&format!("; as well by {other}"));
        }
        Some(Self { hypothesis, others, sentence })
    }
}

/// The keys that declare a limit of this algorithm, with every variant spelled out.
fn keys(algorithm: Algorithm) -> Vec<(&'static str, String)> {
    let mut keys = vec![("algorithm", algorithm.to_string())];
    match algorithm {
        Algorithm::SlidingCounter { anchor, estimate } => {
            let anchor = match anchor {
                Anchor::Epoch => "epoch",
                Anchor::FirstHit => "first-hit",
            };
            let estimate = match estimate {
                Estimate::Exact => "exact",
                Estimate::Floored => "floored",
            };
            keys.extend([("anchor", anchor.to_owned()), ("estimate", estimate.to_owned())]);
        }
        Algorithm::TokenBucket { refill, .. } => {
            let refill = match refill {
                Refill::Continuous => "continuous".to_owned(),
                Refill::Steps(step) => step.to_string(),
            };
            keys.push(("refill", refill));
        }
        Algorithm::FixedWindow | Algorithm::AlignedWindow | Algorithm::SlidingLog => {}
    }
    keys
}

/// Joins names: `a`, `a and b`, `a, b and c`.
fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}
