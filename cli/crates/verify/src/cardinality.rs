//! Judges cardinality: do labels take values without bound? Each value creates new series, permanently, in
//! the service and in Prometheus.
//!
//! A record cannot show unbounded growth, but the run knows what it sent. Two things are failures, because
//! both grow with the requests: label values that are raw request paths of a template with unlimited paths,
//! and values that look like identifiers, many of them new since before the load. Any other fast growth is
//! reported, not judged.

mod sent;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use self::sent::Sent;
use super::verdict::{Claim, Diagnosis, Evidence, Outcome, Verdict};
use saasbench_exposition::cardinality::id_kind;
use saasbench_record::{observations::Scrape, reader::RecordedRun, scrape::Phase};

/// From this many raw paths of one template on, they are no coincidence: routes may happen to fit a template.
const PATHS: usize = 3;
/// This many new identifiers are more than a service's versions, pods and hashes.
const IDS: usize = 20;
/// This many new values of a label are reported, if there is one for every ten requests.
const MANY: usize = 100;
/// How many examples are named.
const EXAMPLES: usize = 3;
/// Labels that belong to the format of histograms and summaries.
const STRUCTURAL: [&str; 2] = ["le", "quantile"];

/// Values by metric and label.
type Values = BTreeMap<(String, String), BTreeSet<String>>;

/// Judges the labels of all replicas in one verdict. `requests` is the number of responses.
pub fn judge(run: &RecordedRun, requests: u64) -> Option<Verdict> {
    let contract = run.scenario.metrics.as_ref()?;
    let sent = Sent::new(&run.scenario, contract);
    let mut evidence = Vec::new();
    let (mut diagnosis, mut most) = (None, 0);
    for (replica, scrapes) in run.manifest.environment.replicas.iter().zip(&run.observations.scrapes) {
        let Some((series, values)) = last(scrapes, Phase::After) else {
            let why = format!("{}: there is no readable scrape from after the load", replica.name);
            evidence.push(Evidence::new(Outcome::Inconclusive, &replica.name, "labels with few values", why));
            continue;
        };
        if series == 0 {
            let why = format!("{}: not tested: its exposition has no series", replica.name);
            evidence.push(Evidence::new(Outcome::Inconclusive, &replica.name, "labels with few values", why));
            continue;
        }
        let (series_before, before) = last(scrapes, Phase::Before).unwrap_or_default();
        let before_of = |key| before.get(key).cloned().unwrap_or_default();
        let found = values.iter().filter_map(|(key, values)| {
            let new: BTreeSet<&String> =
                values.iter().filter(|value| !before_of(key).contains(*value)).collect();
            finding(&replica.name, key, &new, &sent, requests)
        });
        let found: Vec<(Evidence, Option<Diagnosis>)> = found.collect();
        let observed = format!("{}: {series} series, {series_before} before the load", replica.name);
        evidence.push(Evidence::new(Outcome::Pass, &replica.name, "labels with few values", observed));
        most = most.max(values.values().map(BTreeSet::len).max().unwrap_or(0));
        for (finding, explanation) in found {
            let of_route = contract.route_label.as_deref();
            diagnosis = diagnosis
                .or(explanation.filter(|_| of_route.is_some_and(|label| finding.subject.contains(label))));
            evidence.push(finding);
        }
    }
    let verdict =
        Verdict::from_evidence(Claim::Cardinality, "labels", evidence, |outcome, evidence| match outcome {
            Outcome::Pass => {
                let reported: Vec<&str> = evidence.iter().map(|finding| finding.observed.as_str()).collect();
                format!("{}; at most {most} values per label", reported.join("; "))
            }
            _ => evidence[0].observed.clone(),
        });
    Some(verdict.explained(diagnosis))
}

/// From the last good scrape of a phase: the number of series, and the values of their labels.
fn last(scrapes: &[Scrape], phase: Phase) -> Option<(usize, Values)> {
    let scrape = scrapes.iter().rfind(|scrape| scrape.phase == phase && scrape.text.is_ok())?;
    let exposition = saasbench_exposition::parse(scrape.text.as_deref().ok()?).ok()?;
    let mut values = Values::new();
    for series in &exposition.series {
        let suffixes = ["_bucket", "_sum", "_count"];
        let family =
            suffixes.iter().find_map(|suffix| series.name.strip_suffix(suffix)).unwrap_or(&series.name);
        for (label, value) in series.labels.iter().filter(|(label, _)| !STRUCTURAL.contains(&label.as_str()))
        {
            values.entry((family.to_owned(), label.clone())).or_default().insert(value.clone());
        }
    }
    Some((exposition.series.len(), values))
}

/// The finding about one label of one metric, by its `new` values: those that appeared during the load.
fn finding(
    replica: &str,
    (metric, label): &(String, String),
    new: &BTreeSet<&String>,
    sent: &Sent<'_>,
    requests: u64,
) -> Option<(Evidence, Option<Diagnosis>)> {
    let examples = |values: &[&String]| -> String {
        values.iter().take(EXAMPLES).map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ")
    };
    let subject = format!("{label} of {metric} of {replica}");
    let unknown: Vec<&String> = new.iter().copied().filter(|value| !sent.knows(value)).collect();
    if let Some((template, paths)) = sent.raw_paths(new).filter(|(_, paths)| paths.len() >= PATHS) {
        let observed = format!(
            "{subject}: {} values are raw request paths ({}), of {template}",
            paths.len(),
            examples(&paths)
        );
        let finding = Evidence::new(
            Outcome::Fail,
            subject,
            format!("the route, {template}, instead of its paths"),
            observed,
        );
        let count = paths.len();
        let diagnosis = Diagnosis::new(
            "handler-raw-path",
            json!({ "paths": count, "examples": paths.iter().take(EXAMPLES).collect::<Vec<_>>() }),
            format!(
                "the raw path is used where the route template should be: {count} paths of {template} have series of their own"
            ),
        );
        return Some((finding, Some(diagnosis)));
    }
    let ids: Vec<&String> = unknown.iter().copied().filter(|value| id_kind(value).is_some()).collect();
    if ids.len() >= IDS.max(2 * sent.tenants()) {
        let observed = format!(
            "{subject}: {} values that look like identifiers appeared during the load ({})",
            ids.len(),
            examples(&ids)
        );
        return Some((Evidence::new(Outcome::Fail, subject, "labels without identifiers", observed), None));
    }
    if unknown.len() >= MANY && unknown.len() as u64 * 10 >= requests {
        let observed = format!(
            "{subject}: {} values appeared during {requests} responses ({}); whether they are bounded is unknown",
            unknown.len(),
            examples(&unknown)
        );
        return Some((
            Evidence::new(Outcome::Inconclusive, subject, "labels with few values", observed),
            None,
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Judge as _;
    use saasbench_record::{
        sample::{RequestOutcome, Sample},
        testing::{TestRun, sample},
    };

    const ORDERS: &str = r#"
version = 1
name = "test"
[[tenant]]
id = "acme"
[[journey]]
name = "orders"
[[journey.step]]
get = "/orders/${n}?page=1"
[[journey.step]]
get = "/orders/latest"
[[load]]
rate = "10/s"
duration = "10s"
"#;

    fn judged(label: &str, values: impl IntoIterator<Item = String>) -> Verdict {
        let samples: Vec<Sample> = (0..50).map(|i| sample(i * 100, 0, RequestOutcome::Status(200))).collect();
        let mut made = TestRun::of(ORDERS.to_owned(), &samples);
        made.manifest.environment.replicas.truncate(1);
        let line = |value: String| format!("http_requests_total{{{label}={value:?},status=\"200\"}} 1\n");
        made.settled("a", &values.into_iter().map(line).collect::<String>());
        made.verdict(Claim::Cardinality, "labels")
    }

    fn reported(verdict: &Verdict) -> String {
        let diagnosis = verdict.evidence[0].diagnosis.as_ref();
        let diagnosis = diagnosis.map_or("", |diagnosis| &diagnosis.sentence);
        format!("{}: {}\n    {diagnosis}\n", verdict.outcome, verdict.summary)
    }

    #[test]
    fn labels_with_unbounded_values_are_reported() {
        let all = [
            judged("handler", ["/orders/{n}".to_owned(), "/orders/latest".to_owned()]),
            judged("handler", (0..9).map(|n| format!("/orders/{n}"))),
            judged("handler", (0..9).map(|n| format!("/orders/{n}?page=1"))),
            // Routes may fit a template by coincidence.
            judged("handler", ["/orders/latest", "/orders/oldest", "/orders/{id}"].map(str::to_owned)),
            judged("session", (0..30).map(|n: u32| format!("{:032x}", u128::from(n) << 90))),
            judged("pod", (0..3).map(|n: u32| format!("{:032x}", u128::from(n) << 90))),
            judged("sku", (0..200).map(|n| format!("item {n}"))),
            judged("tenant", ["acme".to_owned()]),
        ];
        use Outcome::{Fail, Inconclusive, Pass};
        let expected = [Pass, Fail, Fail, Pass, Fail, Pass, Inconclusive, Pass];
        let text: String = all.iter().map(reported).collect();
        assert_eq!(all.each_ref().map(|verdict| verdict.outcome), expected, "{text}");
        insta::assert_snapshot!(text);
    }
}
