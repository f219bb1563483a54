//! Simulated services: those that count correctly, early or late, through restarts and missing responses,
//! must never fail; those with a known fault must fail with its diagnosis.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::testing::Judge as _;
use crate::verdict::{Claim, Outcome, Verdict};
use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::{NoResponseReason, RequestOutcome, Sample},
    testing::{TestRun, sample},
};

const SCENARIO: &str = r#"
version = 1
name = "test"
[[tenant]]
id = "acme"
[[tenant]]
id = "globex"
[[journey]]
name = "chat"
[[journey.step]]
post = "/chat"
status = [200, 429]
[[load]]
rate = "10/s"
duration = "10s"
"#;

/// End of the load in milliseconds; the last scrapes follow it.
const END: i64 = 12_000;

/// One request: when it was sent, how long it took, and how much later it counted, in milliseconds.
#[derive(Debug, Clone)]
struct Request {
    sent: i64,
    length: i64,
    late: i64,
    rejected: bool,
    tenant: usize,
    /// `Some` if it got no response: whether it counts nevertheless.
    silent: Option<bool>,
}

/// The service's fault.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Lost,
    Double,
    Status,
    Tenant,
    RawPath,
    /// All counters restart from zero at this time.
    Reset(i64),
    /// From this time on, the scrape body no longer changes.
    Stale(i64),
}

fn requests(most: usize) -> impl Strategy<Value = Vec<Request>> {
    let request = (0_i64..10_000, 1_i64..300, 0_i64..900, prop::bool::ANY, 0_usize..2, 0_u8..40);
    let request = request.prop_map(|(sent, length, late, rejected, tenant, fate)| {
        let silent = (fate < 2).then_some(fate == 1);
        Request { sent, length, late, rejected, tenant, silent }
    });
    prop::collection::vec(request, most / 2..most)
}

/// A service and its exposition.
struct Service<'a> {
    requests: &'a [Request],
    mistake: Fault,
    restart: Option<i64>,
}

impl Service<'_> {
    /// The scrape body at an instant.
    fn page(&self, at: i64) -> String {
        let at_last = match self.mistake {
            Fault::Stale(since) => at.min(since),
            _ => at,
        };
        let restarted = self.restart.filter(|restart| *restart <= at);
        let since = match self.mistake {
            Fault::Reset(reset) if reset <= at => Some(reset),
            _ => restarted,
        };
        let mut counts: BTreeMap<(usize, String, &str), u32> = BTreeMap::new();
        for (number, request) in self.requests.iter().enumerate() {
            let done = request.sent + request.length;
            let counted = done + request.late;
            if request.silent == Some(false) || counted > at_last || since.is_some_and(|since| done <= since)
            {
                continue;
            }
            let (mut tenant, mut status, mut path) =
                (request.tenant, if request.rejected { "429" } else { "200" }, "/chat".to_owned());
            let mut times = 1;
            match self.mistake {
                Fault::Lost if number % 10 == 0 => times = 0,
                Fault::Double => times = 2,
                Fault::Status if request.rejected => status = "200",
                Fault::Tenant if number % 5 == 0 => tenant = 1,
                Fault::RawPath => path = format!("/chat?n={}", number % 7),
                _ => {}
            }
            *counts.entry((tenant, path, status)).or_default() += times;
        }
        let line = |name: &str, tenant: &str, (path, status): (&str, &str), count: u32| {
            format!("{name}{{{tenant}handler=\"{path}\",method=\"POST\",status=\"{status}\"}} {count}\n")
        };
        let mut routes: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        let mut text = format!("process_start_time_seconds {}\n", if restarted.is_some() { 2 } else { 1 });
        for ((tenant, path, status), count) in &counts {
            *routes.entry((path, status)).or_default() += count;
            let tenant = format!("tenant=\"{}\",", ["acme", "globex"][*tenant]);
            text += &line("tenant_requests_total", &tenant, (path, status), *count);
        }
        routes.iter().for_each(|(key, count)| text += &line("http_requests_total", "", *key, *count));
        text
    }

    /// The recorded run, with scrapes at these times.
    fn run(&self, looks: &[i64]) -> TestRun {
        let record = |request: &Request| {
            let (sent, done) = (request.sent, request.sent + request.length);
            let cut = self.restart.is_some_and(|restart| sent <= restart && restart < done);
            let outcome = match request.rejected {
                _ if cut || request.silent.is_some() => {
                    RequestOutcome::NoResponse(NoResponseReason::ConnectionLost)
                }
                true => RequestOutcome::Status(429),
                false => RequestOutcome::Status(200),
            };
            Sample { done: Nanos::from_millis(done), tenant: request.tenant, ..sample(sent, 0, outcome) }
        };
        let mut samples: Vec<Sample> = self.requests.iter().map(record).collect();
        samples.sort_by_key(|sample| sample.sent);
        let mut made = TestRun::of(SCENARIO.to_owned(), &samples);
        made.manifest.environment.replicas.truncate(1);
        made.scrape("a", "before", &self.page(-10));
        let mut times = vec![(-12, -9)];
        for at in looks {
            made.scrape("a", "during", &self.page(*at));
            times.push((at - 2, at + 3));
        }
        for at in [END, END + 1000] {
            made.scrape("a", "after", &self.page(at));
            times.push((at, at + 1));
        }
        made.at_rest();
        made.stamp_scrapes(&times);
        made
    }
}

fn counters(made: &TestRun) -> Vec<Verdict> {
    let verdicts = made.judge().verdicts;
    verdicts.into_iter().filter(|verdict| verdict.claim == Claim::Counters).collect()
}

fn looks() -> impl Strategy<Value = Vec<i64>> {
    // Far enough apart not to overlap.
    prop::collection::btree_set(0_i64..100, 1..6)
        .prop_map(|looks| looks.iter().map(|at| at * 100 + 5).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_service_that_counts_right_never_fails(
        requests in requests(60), looks in looks(), restart in prop::option::of(500_i64..11_000),
    ) {
        let service = Service { requests: &requests, mistake: Fault::None, restart };
        for verdict in counters(&service.run(&looks)) {
            prop_assert_ne!(verdict.outcome, Outcome::Fail, "{:#?}", verdict);
            if restart.is_none() {
                prop_assert_eq!(verdict.outcome, Outcome::Pass, "{:#?}", verdict);
            }
        }
    }

    #[test]
    fn a_service_with_a_fault_is_diagnosed(requests in requests(400), which in 0_usize..7) {
        let requests: Vec<Request> =
            requests.into_iter().map(|request| Request { silent: None, ..request }).collect();
        let (mistake, name) = [
            (Fault::Lost, "count-lost"),
            (Fault::Double, "count-double"),
            (Fault::Status, "status-mislabelled"),
            (Fault::Tenant, "tenant-mislabelled"),
            (Fault::RawPath, "handler-raw-path"),
            (Fault::Reset(4000), "counter-reset"),
            (Fault::Stale(5005), "metrics-stale"),
        ][which];
        let service = Service { requests: &requests, mistake, restart: None };
        let failed: Vec<Verdict> = counters(&service.run(&[2505, 5005, 7505]))
            .into_iter()
            .filter(|verdict| verdict.outcome == Outcome::Fail)
            .collect();
        prop_assert!(!failed.is_empty());
        for verdict in failed {
            let hypothesis = verdict.evidence[0].diagnosis.as_ref().map(|diagnosis| diagnosis.hypothesis.as_str());
            prop_assert_eq!(hypothesis, Some(name), "{:#?}", verdict);
        }
    }
}

#[test]
fn known_counter_faults_are_diagnosed() {
    let requests: Vec<Request> = (0..400)
        .map(|n| Request {
            sent: n * 25,
            length: 10,
            late: 0,
            rejected: n % 4 == 0,
            tenant: n as usize % 3 / 2,
            silent: None,
        })
        .collect();
    let mistakes = [
        Fault::Lost,
        Fault::Double,
        Fault::Status,
        Fault::Tenant,
        Fault::RawPath,
        Fault::Reset(4000),
        Fault::Reset(6000),
        Fault::Stale(5005),
    ];
    let mut all = String::new();
    for mistake in mistakes {
        let service = Service { requests: &requests, mistake, restart: None };
        for verdict in counters(&service.run(&[2505, 5005, 7505])) {
            all += &format!("{mistake:?}: {} {}\n", verdict.outcome, verdict.summary);
            let diagnosis = verdict.evidence.first().and_then(|finding| finding.diagnosis.as_ref());
            all += &diagnosis
                .map_or(String::new(), |found| format!("    {}: {}\n", found.hypothesis, found.sentence));
        }
    }
    insta::assert_snapshot!(all);
}
