//! Counters compared with the ledger, by hand-made runs.

use serde_json::json;

use super::*;
use crate::testing::Judge as _;
use saasbench_model::units::Nanos;
use saasbench_record::{
    prometheus::{POSITION, ResponseRecord},
    sample::{NoResponseReason, RequestOutcome, Sample},
    testing::{TestRun, sample},
};

/// Status and count.
type Counts<'a> = &'a [(&'a str, u32)];
/// Seconds and value.
type Series<'a> = &'a [(f64, &'a str)];

/// Three responses 200 by replica a, and `unknown` requests without a response.
fn samples(unknown: usize) -> Vec<Sample> {
    let answered = (0..3).map(|i| sample(i * 100, 0, RequestOutcome::Status(200)));
    let silent = (0..unknown as i64)
        .map(|i| sample(1000 + i, 0, RequestOutcome::NoResponse(NoResponseReason::Timeout)));
    answered.chain(silent).collect()
}

fn counts(pairs: &[(&str, u32)]) -> String {
    pairs
        .iter()
        .map(|(status, n)| {
            format!("http_requests_total{{handler=\"/chat\",method=\"POST\",status=\"{status}\"}} {n}\n")
        })
        .collect()
}

fn judged(unknown: usize, after: &[(&str, u32)], change: impl FnOnce(&mut TestRun)) -> Verdict {
    let mut made = TestRun::new("", &samples(unknown));
    made.settled("a", &counts(after));
    change(&mut made);
    made.verdict(Claim::Counters, "http_requests_total of a by scrape")
}

#[test]
fn a_counter_lies_between_responses_and_requests_sent() {
    use Outcome::{Fail, Pass};
    let table: &[(usize, Counts, Outcome)] = &[
        (0, &[("200", 3)], Pass),
        (0, &[("200", 2)], Fail),
        (0, &[("200", 4)], Fail),
        (0, &[("200", 3), ("500", 1)], Fail),
        (0, &[("429", 3)], Fail),
        (0, &[("200", 3), ("500", 0)], Pass),
        (2, &[("200", 3)], Pass),
        (2, &[("200", 5)], Pass),
        (2, &[("200", 6)], Fail),
        (2, &[("200", 2), ("500", 2)], Fail),
        (2, &[("200", 4), ("500", 1)], Pass),
        // Each status alone could be explained, all of them together cannot.
        (2, &[("200", 5), ("500", 1)], Fail),
    ];
    for (unknown, after, expected) in table {
        let verdict = judged(*unknown, after, |_| {});
        assert_eq!(verdict.outcome, *expected, "{unknown} unanswered, {after:?}: {verdict:#?}");
    }
}

#[test]
fn in_a_shared_environment_a_surplus_is_inconclusive_and_a_deficit_fails() {
    let company = |made: &mut TestRun| made.manifest.environment.exclusive = false;
    assert_eq!(judged(0, &[("200", 9)], company).outcome, Outcome::Inconclusive);
    assert_eq!(judged(0, &[("200", 2)], company).outcome, Outcome::Fail);
    assert_eq!(judged(0, &[("200", 3)], company).outcome, Outcome::Pass);
}

#[test]
fn a_restart_removes_the_lower_bound_but_not_the_upper() {
    let start = |at: u32| format!("process_start_time_seconds {at}\n");
    let restarted = |count: u32| {
        let mut made = TestRun::new("", &samples(0));
        let after = counts(&[("200", count)]) + &start(2);
        let before = counts(&[("200", 1000)]) + &start(1);
        made.scrape("a", "before", &before)
            .scrape("a", "after", &after)
            .scrape("a", "after", &after)
            .at_rest();
        made.verdict(Claim::Counters, "http_requests_total of a by scrape").outcome
    };
    assert_eq!(restarted(1), Outcome::Inconclusive);
    assert_eq!(restarted(4), Outcome::Fail);
}

#[test]
fn the_count_before_the_load_is_subtracted() {
    let mut made = TestRun::new("", &samples(0));
    let after = counts(&[("200", 10), ("404", 5)]);
    made.scrape("a", "before", &counts(&[("200", 7), ("404", 5)]));
    made.scrape("a", "after", &after).scrape("a", "after", &after).at_rest();
    assert_eq!(made.verdict(Claim::Counters, "of a by scrape").outcome, Outcome::Pass);
}

#[test]
fn without_data_nothing_passes() {
    let silent = TestRun::new("", &samples(0));
    let verdict = silent.verdict(Claim::Counters, "of a by scrape");
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(verdict.summary, @"there is no scrape from before the load: none was made");
    let other = judged(0, &[], |_| {});
    insta::assert_snapshot!(other.summary, @"there is no series http_requests_total: the service may use another name for its counter ([metrics])");
    let mut moving = TestRun::new("", &samples(0));
    moving.scrape("a", "before", "");
    moving.scrape("a", "after", &counts(&[("200", 2)])).scrape("a", "after", &counts(&[("200", 3)]));
    insta::assert_snapshot!(moving.verdict(Claim::Counters, "of a by scrape").summary, @"its metrics kept changing after the load");
}

#[test]
fn unreadable_metrics_prove_nothing_about_counters() {
    let mut made = TestRun::new("", &samples(0));
    made.settled("a", "http_requests_total{ 3\n");
    let verdict = made.verdict(Claim::Counters, "of a by scrape");
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(verdict.summary, @"observations/scrapes/000002-a.prom is not in the text format: line 1, column 22: expected a label name or `}`");
}

#[test]
fn grouped_statuses_are_compared_with_groups() {
    let mut samples = samples(0);
    samples.push(sample(500, 0, RequestOutcome::Status(429)));
    samples.push(sample(600, 0, RequestOutcome::Status(404)));
    let judged = |more: &str, after: &[(&str, u32)]| {
        let mut made = TestRun::new(more, &samples);
        made.settled("a", &counts(after));
        made.verdict(Claim::Counters, "of a by scrape")
    };
    let grouped = "[metrics]\nstatuses = \"grouped\"\n";
    assert_eq!(judged(grouped, &[("2xx", 3), ("4xx", 2)]).outcome, Outcome::Pass);
    assert_eq!(judged(grouped, &[("2xx", 3), ("4xx", 1)]).outcome, Outcome::Fail);
    assert_eq!(judged(grouped, &[("2xx", 3), ("404", 2)]).outcome, Outcome::Fail);
    // Statuses in another notation than declared are not a failure.
    let undeclared = judged("", &[("2xx", 3), ("4xx", 1)]);
    assert_eq!(undeclared.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(undeclared.summary, @r#"http_requests_total has statuses like "2xx": the contract needs `statuses = "grouped"` ([metrics])"#);
    let exact = judged(grouped, &[("200", 3), ("404", 1), ("429", 1)]);
    assert_eq!(exact.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(exact.summary, @r#"http_requests_total has statuses like "200": the contract needs `statuses = "exact"` ([metrics])"#);
}

#[test]
fn missing_labels_of_the_contract_are_reported() {
    let judged = |more: &str, after: &str| {
        let mut made = TestRun::new(more, &samples(0));
        made.settled("a", after);
        made.verdict(Claim::Counters, "http_requests_total of a by scrape")
    };
    let table = [
        "http_requests_total{handler=\"/chat\",verb=\"POST\",status=\"200\"} 3\n",
        "http_requests_total{path=\"/chat\",method=\"POST\",status=\"200\"} 3\n",
        "http_requests_total{handler=\"/chat\",method=\"POST\"} 3\n",
    ];
    let mut all = String::new();
    for text in table {
        let verdict = judged("", text);
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{text}");
        all += &format!("{}\n", verdict.summary);
    }
    insta::assert_snapshot!(all);
    let none = "[metrics]\nroute_label = \"\"\nmethod_label = \"\"\nstatus_label = \"\"\n";
    assert_eq!(judged(none, "http_requests_total 3\n").outcome, Outcome::Pass);
    let wrong = judged(none, "http_requests_total 2\n");
    assert_eq!(wrong.outcome, Outcome::Fail);
    insta::assert_snapshot!(wrong.summary);
}

#[test]
fn one_counter_can_also_have_the_tenant_label() {
    let more = "[metrics]\ntenant_requests = \"http_requests_total\"\n";
    let text = |tenant: &str| {
        format!("http_requests_total{{handler=\"/chat\",method=\"POST\",status=\"200\"{tenant}}} 3\n")
    };
    let judged = |tenant: &str, subject: &str| {
        let mut made = TestRun::new(more, &samples(0));
        made.settled("a", &text(tenant));
        made.verdict(Claim::Counters, subject)
    };
    for tenant in [",tenant=\"acme\"", ",tenant=\"globex\""] {
        assert_eq!(judged(tenant, "http_requests_total of a by scrape").outcome, Outcome::Pass);
    }
    let by_tenant = "http_requests_total by tenant of a by scrape";
    assert_eq!(judged(",tenant=\"acme\"", by_tenant).outcome, Outcome::Pass);
    assert_eq!(judged(",tenant=\"globex\"", by_tenant).outcome, Outcome::Fail);
    insta::assert_snapshot!(judged("", by_tenant).summary);
}

#[test]
fn a_counter_by_tenant_may_have_no_other_label() {
    let mut made = TestRun::new("", &samples(0));
    let text = counts(&[("200", 3)]);
    made.settled("a", &format!("{text}tenant_requests_total{{tenant=\"acme\"}} 3\n"));
    assert_eq!(made.verdict(Claim::Counters, "tenant_requests_total of a").outcome, Outcome::Pass);
    let mut made = TestRun::new("", &samples(0));
    made.settled("a", &format!("{text}tenant_requests_total{{tenant=\"acme\"}} 2\n"));
    assert_eq!(made.verdict(Claim::Counters, "tenant_requests_total of a").outcome, Outcome::Fail);
}

#[test]
fn a_route_that_is_ignored_is_ignored_on_both_sides() {
    let more = "[metrics]\nignore = [\"/chat\", \"/metrics\"]\n";
    let mut made = TestRun::new(more, &samples(0));
    made.settled("a", &counts(&[("200", 77)]));
    let verdict = made.verdict(Claim::Counters, "http_requests_total of a by scrape");
    assert_ne!(verdict.outcome, Outcome::Fail, "{verdict:#?}");
}

#[test]
fn without_a_start_time_a_falling_counter_shows_a_restart() {
    let mut made = TestRun::new("", &samples(0));
    let after = counts(&[("200", 1)]);
    made.scrape("a", "before", &counts(&[("200", 1000)]));
    made.scrape("a", "after", &after).scrape("a", "after", &after).at_rest();
    assert_eq!(made.verdict(Claim::Counters, "of a by scrape").outcome, Outcome::Inconclusive);
}

#[test]
fn without_a_start_time_one_falling_series_shows_a_restart() {
    let mut made = TestRun::new("", &samples(0));
    let after = counts(&[("200", 3)])
        + "http_requests_total{handler=\"/other\",method=\"GET\",status=\"200\"} 5000\n";
    made.scrape("a", "before", &counts(&[("200", 50)]));
    made.scrape("a", "after", &after).scrape("a", "after", &after).at_rest();
    assert_ne!(made.verdict(Claim::Counters, "of a by scrape").outcome, Outcome::Pass);
    let fell = "and the replica was not restarted";
    assert!(!format!("{:?}", made.judge().verdicts).contains(fell));
}

/// An environment that is not fresh is scraped until it is quiescent: what moves before that belongs to
/// earlier requests.
#[test]
fn increments_by_earlier_requests_are_no_surplus() {
    let mut made = TestRun::new("", &samples(0));
    let start = "process_start_time_seconds 1\n";
    for count in [100, 103, 103] {
        made.scrape("a", "before", &(counts(&[("200", count)]) + start));
    }
    let after = counts(&[("200", 106)]) + start;
    made.scrape("a", "after", &after).scrape("a", "after", &after).at_rest();
    let verdict = made.verdict(Claim::Counters, "http_requests_total of a by scrape");
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
}

#[test]
fn several_processes_behind_one_address_are_noticed() {
    let text = |start: u32| counts(&[("200", 3)]) + &format!("process_start_time_seconds {start}\n");
    let mut made = TestRun::new("", &samples(0));
    made.scrape("a", "before", &text(2))
        .scrape("a", "after", &text(1))
        .scrape("a", "after", &text(2))
        .at_rest();
    let verdict = made.verdict(Claim::Counters, "of a by scrape");
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
    insta::assert_snapshot!(verdict.summary, @"at least 2 processes respond at this address, each with its own registry: list every replica with an address of its own, or let them share a registry");
}

#[test]
fn a_record_whose_equal_scrapes_were_changed_is_a_failure() {
    for (previous, last) in [(3, 4), (4, 3)] {
        let mut made = TestRun::new("", &samples(0));
        made.scrape("a", "before", "").scrape("a", "after", &counts(&[("200", previous)]));
        made.scrape("a", "after", &counts(&[("200", last)])).at_rest();
        assert_eq!(made.verdict(Claim::Counters, "of a by scrape").outcome, Outcome::Fail);
    }
    let mut made = TestRun::new("", &samples(0));
    made.scrape("a", "before", &counts(&[("200", 6)]))
        .scrape("a", "before", &counts(&[("200", 7)]))
        .at_rest();
    let after = counts(&[("200", 10)]);
    made.scrape("a", "after", &after).scrape("a", "after", &after).at_rest();
    let verdict = made.verdict(Claim::Counters, "of a by scrape");
    insta::assert_snapshot!(verdict.summary, @"two scrapes were equal when they were recorded, and are not now: the record was changed");
}

#[test]
fn a_counter_that_fell_in_between_fails_unless_it_was_restarted() {
    let judged = |during: u32, starts: [u32; 3]| {
        let text = |count: u32, start: u32| {
            counts(&[("200", count)]) + &format!("process_start_time_seconds {start}\n")
        };
        let mut made = TestRun::new("", &samples(0));
        made.scrape("a", "before", &text(0, starts[0])).scrape("a", "during", &text(during, starts[1]));
        made.scrape("a", "after", &text(3, starts[2])).scrape("a", "after", &text(3, starts[2])).at_rest();
        made.verdict(Claim::Counters, "of a by scrape")
    };
    assert_eq!(judged(3, [1, 1, 1]).outcome, Outcome::Pass);
    // Only two of three that had been answered long before.
    assert_eq!(judged(2, [1, 1, 1]).outcome, Outcome::Fail);
    // The counts before and after the restart are too high together, though neither is by itself.
    assert_eq!(judged(3, [1, 1, 2]).outcome, Outcome::Fail);
    assert_eq!(judged(9, [1, 1, 2]).outcome, Outcome::Fail);
    let fell = judged(9, [1, 1, 1]);
    assert_eq!(fell.outcome, Outcome::Fail);
    insta::assert_snapshot!(fell.summary, @r#"http_requests_total{handler="/chat",method="POST",status="200"} fell from 9 to 3, and the replica was not restarted"#);
}

#[test]
fn in_a_shared_environment_the_counters_need_not_be_quiescent() {
    let mut made = TestRun::new("", &samples(0));
    made.manifest.environment.exclusive = false;
    made.scrape("a", "before", "").scrape("a", "after", &counts(&[("200", 2)]));
    assert_eq!(made.verdict(Claim::Counters, "of a by scrape").outcome, Outcome::Fail);
}

/// When, in seconds after the run's zero, the last scrape before the load and the last of all started.
type Positions = (Option<f64>, Option<f64>);

/// The verdict about replica a, given Prometheus's last scrapes before and after the load, its `up` and a
/// counter.
fn by_prometheus((before, after): Positions, up: Series, counter: Series) -> Verdict {
    let zero = 1_000_000_000.0;
    let instance = "127.0.0.1:1";
    let record = |at_s: i64, query: &str, result: serde_json::Value| ResponseRecord {
        at_ns: Nanos::from_secs(at_s),
        query: query.to_owned(),
        time_unix_s: zero,
        range_s: None,
        answer: Some(json!({"data": {"result": result}})),
        error: None,
    };
    let raw = |query: &str, labels: serde_json::Value, samples: Series| {
        let values: Vec<serde_json::Value> = samples.iter().map(|(at, v)| json!([zero + at, v])).collect();
        let mut metric = labels;
        metric["instance"] = json!(instance);
        record(20, query, json!([{"metric": metric, "values": values}]))
    };
    let position = |at_s: i64, at: Option<f64>| {
        let seen =
            at.map(|at| json!({"metric": {"instance": instance}, "value": [0, (zero + at).to_string()]}));
        record(at_s, POSITION, json!(seen.into_iter().collect::<Vec<_>>()))
    };
    let labels = json!({"handler": "/chat", "method": "POST", "status": "200"});
    let answers = [
        position(-1, before),
        position(20, after),
        raw("up[60s]", json!({}), up),
        raw("http_requests_total{instance=~\"x\"}[60s]", labels, counter),
    ];
    let made = TestRun::new("", &samples(0));
    let scenario = saasbench_model::scenario::testing::scenario(saasbench_model::scenario::testing::SCENARIO);
    let contract = scenario.metrics.as_ref().unwrap();
    let mut ledger = crate::ledger::Ledger::new(&scenario, 2, [], 0.0);
    for sample in samples(0) {
        ledger.add(&sample, crate::stall_attribution::StallExclusions::new(&[]).of(&sample));
    }
    ledger.close(&scenario);
    let assumptions = Assumptions { exclusive: true, restarted: false, complete: true };
    let replica = &made.manifest.environment.replicas[0];
    let span = PrometheusSpan { from: Nanos::ZERO, rest_unix: zero + 10.0 };
    let seen = (ledger.replica(0).unwrap(), &Err(NotQuiescent::Moving));
    super::by_prometheus(contract, replica, seen, &answers, span, assumptions).remove(0).verdict
}

#[test]
fn prometheus_is_judged_by_its_raw_samples() {
    let up: Series = &[(-5.0, "1"), (-0.1, "1"), (5.0, "1"), (11.0, "1")];
    let whole = (Some(-5.0), Some(11.0));
    let table: &[(Positions, Series, Series, Outcome)] = &[
        (whole, up, &[(-5.0, "7"), (5.0, "8"), (11.0, "10")], Outcome::Pass),
        // A new series starts at zero.
        (whole, up, &[(5.0, "1"), (11.0, "3")], Outcome::Pass),
        (whole, up, &[(5.0, "1"), (11.0, "2")], Outcome::Fail),
        // A reset: 2 before it, 1 after it.
        (whole, up, &[(-5.0, "7"), (5.0, "9"), (11.0, "1")], Outcome::Pass),
        // A scrape that started before the load and ended during it has counted some of the load already.
        (whole, up, &[(-5.0, "7"), (-0.1, "8"), (11.0, "10")], Outcome::Pass),
        ((None, Some(11.0)), up, &[(11.0, "3")], Outcome::Inconclusive),
        ((Some(-5.0), Some(5.0)), up, &[(5.0, "3")], Outcome::Inconclusive),
        ((Some(-5.0), None), up, &[(5.0, "3")], Outcome::Inconclusive),
        (whole, &[(-5.0, "1"), (11.0, "0")], &[(5.0, "3")], Outcome::Inconclusive),
        (whole, &[(-5.0, "0"), (11.0, "1")], &[(5.0, "3")], Outcome::Inconclusive),
    ];
    for (positions, up, counter, expected) in table {
        let verdict = by_prometheus(*positions, up, counter);
        assert_eq!(verdict.outcome, *expected, "{positions:?} {up:?} {counter:?}: {verdict:#?}");
    }
}
