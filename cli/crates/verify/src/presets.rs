//! Tests the presets of the metrics contract: each is given an exposition as its library writes it, and a
//! matching hand-made run. The exposition must pass, and must fail once it is tampered with.

use super::verdict::{Claim, Outcome, Verdict};
use crate::testing::Judge as _;
use saasbench_model::scenario::Preset;
use saasbench_record::sample::{RequestOutcome, Sample};
use saasbench_record::testing::{TestRun, sample};

/// The run that the expositions are about (`tests/fixtures/presets/README.md`).
const RUN: &str = r#"
version = 1
name = "presets"
[[tenant]]
id = "acme"
[[journey]]
name = "all"
[[journey.step]]
post = "/chat"
status = [200, 429]
[[journey.step]]
get = "/items/${n}"
[[journey.step]]
get = "/nope"
status = 404
[[load]]
rate = "10/s"
duration = "10s"
"#;

/// A library's exposition, and the label it uses for a path that no route matches.
struct Case {
    preset: Preset,
    page: &'static str,
    unmatched: Option<&'static str>,
}

const CASES: [Case; 4] = [
    Case {
        preset: Preset::FastapiInstrumentator,
        page: include_str!("../../../tests/fixtures/presets/fastapi-instrumentator.prom"),
        unmatched: Some("none"),
    },
    Case {
        preset: Preset::OtelHttpServer,
        page: include_str!("../../../tests/fixtures/presets/otel-http-server.prom"),
        unmatched: Some(""),
    },
    Case {
        preset: Preset::Micrometer,
        page: include_str!("../../../tests/fixtures/presets/micrometer.prom"),
        unmatched: Some("/**"),
    },
    Case {
        preset: Preset::AxumPrometheus,
        page: include_str!("../../../tests/fixtures/presets/axum-prometheus.prom"),
        unmatched: None,
    },
];

/// Step, status, and the sizes of both bodies in bytes.
const REQUESTS: [(usize, u16, u64, u64); 8] = [
    (0, 200, 16, 17),
    (0, 200, 16, 17),
    (0, 200, 16, 17),
    (0, 429, 16, 22),
    (0, 429, 16, 22),
    (1, 200, 0, 8),
    (1, 200, 0, 8),
    (2, 404, 0, 22),
];

impl Case {
    /// The verdicts about replica a, if its exposition after the load is `page`.
    fn judged(&self, page: &str) -> Vec<Verdict> {
        let routes = self.unmatched.map(|label| format!("routes = {{ \"GET /nope\" = {label:?} }}\n"));
        let contract =
            format!("[metrics]\npreset = \"{}\"\n{}", self.preset.name(), routes.unwrap_or_default());
        let requests = REQUESTS.iter().enumerate();
        let samples: Vec<Sample> = requests
            .map(|(i, (step, status, bytes_out, bytes_in))| Sample {
                step: *step,
                bytes_out: *bytes_out,
                bytes_in: *bytes_in,
                ..sample(i as i64 * 100, 0, RequestOutcome::Status(*status))
            })
            .collect();
        let mut made = TestRun::of(format!("{RUN}{contract}"), &samples);
        made.settled("a", page);
        made.judge().verdicts.into_iter().filter(|verdict| verdict.subject.contains(" of a")).collect()
    }

    /// The exposition, with one added to the first series of `metric` that counts chats and contains `label`.
    fn one_more(&self, metric: &str, label: &str) -> String {
        let counts = |line: &&str| {
            line.starts_with(&format!("{metric}{{")) && line.contains("\"/chat\"") && line.contains(label)
        };
        let line = self.page.lines().find(counts).unwrap();
        let (series, value) = line.rsplit_once(' ').unwrap();
        self.page.replacen(line, &format!("{series} {}", value.parse::<f64>().unwrap() + 1.0), 1)
    }
}

fn outcomes(verdicts: &[Verdict], claim: Claim) -> Vec<Outcome> {
    verdicts.iter().filter(|verdict| verdict.claim == claim).map(|verdict| verdict.outcome).collect()
}

#[test]
fn a_librarys_exposition_passes_under_its_preset() {
    for case in CASES {
        let name = case.preset.name();
        let verdicts = case.judged(case.page);
        assert!(verdicts.iter().all(|verdict| verdict.outcome != Outcome::Fail), "{name}: {verdicts:#?}");
        for claim in [Claim::Counters, Claim::Histograms] {
            let outcomes = outcomes(&verdicts, claim);
            assert!(!outcomes.is_empty(), "{name}: {claim}");
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Pass), "{name}: {verdicts:#?}");
        }
    }
}

#[test]
fn missing_and_additional_labels_are_ignored() {
    // The instrumentations for Go and Java leave the route out where none matched; a second host makes a
    // second series.
    let [_, otel, _, axum] = CASES;
    let page = otel.page.replace("http_route=\"\",", "");
    let host = |host: &str| {
        let of_chat = |line: &&str| line.contains("\"/chat\"") && line.contains("\"200\"");
        let halve = |line: &str, most: f64| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let value = value.parse::<f64>().unwrap();
            let part = if value == 3.0 { most } else { value * most / 3.0 };
            format!(
                "{}{{host=\"{host}\",{} {part}\n",
                series.split_once('{').unwrap().0,
                series.split_once('{').unwrap().1
            )
        };
        let most = if host == "a" { 2.0 } else { 1.0 };
        axum.page.lines().filter(of_chat).map(|line| halve(line, most)).collect::<String>()
    };
    let others: String = axum
        .page
        .lines()
        .filter(|line| !line.contains("\"/chat\"") || !line.contains("\"200\""))
        .flat_map(|line| [line, "\n"])
        .collect();
    let two_hosts = host("a") + &host("b") + &others;
    for (case, page) in [(otel, page), (axum, two_hosts)] {
        let verdicts = case.judged(&page);
        for claim in [Claim::Counters, Claim::Histograms] {
            let outcomes = outcomes(&verdicts, claim);
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Pass), "{verdicts:#?}");
        }
        assert!(verdicts.iter().all(|verdict| verdict.outcome != Outcome::Fail), "{verdicts:#?}");
    }
}

#[test]
fn a_tampered_exposition_fails_under_its_preset() {
    for case in CASES {
        let (name, contract) = (case.preset.name(), case.preset.contract());
        let counters = case.judged(&case.one_more(&contract.requests, "2"));
        assert!(outcomes(&counters, Claim::Counters).contains(&Outcome::Fail), "{name}: {counters:#?}");
        let bucket = format!("{}_bucket", contract.duration.unwrap());
        let histograms = case.judged(&case.one_more(&bucket, "le=\"+Inf\""));
        assert!(outcomes(&histograms, Claim::Histograms).contains(&Outcome::Fail), "{name}: {histograms:#?}");
    }
}

#[test]
fn another_librarys_exposition_proves_nothing() {
    for case in &CASES {
        for other in CASES.iter().filter(|other| other.preset != case.preset) {
            let verdicts = case.judged(other.page);
            assert!(
                outcomes(&verdicts, Claim::Counters).iter().all(|outcome| *outcome == Outcome::Inconclusive),
                "{} under {}: {verdicts:#?}",
                other.preset.name(),
                case.preset.name()
            );
        }
    }
}
