//! Whatever a record does not put to the test is no Pass: every kind of claim over records in which it has nothing
//! to judge.

use crate::testing::Judge as _;
use saasbench_model::units::Nanos;
use saasbench_record::{
    sample::{NoResponseReason, RequestOutcome, Sample},
    testing::{TestRun, sample},
};

/// A scenario with every kind of claim that needs no Prometheus.
const SCENARIO: &str = r#"
version = 1
name = "nothing"
[[tenant]]
id = "acme"
[[tenant]]
id = "globex"
[metrics]
request_size = "http_request_size_bytes"
response_size = "http_response_size_bytes"
[[journey]]
name = "chat"
[[journey.step]]
post = "/chat"
status = [200, 429]
[[load]]
rate = "10/s"
duration = "10s"
[[limit]]
route = "POST /chat"
algorithm = "fixed-window"
quota = "5/10s"
[[expect]]
that = "p50 < 1s"
[[expect]]
that = "max < 1s"
[[expect]]
that = "error_ratio <= 100%"
[[expect]]
that = "count(500) == 0"
[[expect]]
that = "count < 1000"
[[expect]]
that = "rate < 100/s"
[[expect]]
that = "ratio(500) < 1%"
"#;

/// An exposition with every series of the contract, which counts nothing.
const ZEROS: &str = r#"http_requests_total{handler="/chat",method="POST",status="200"} 0
http_requests_inprogress{handler="/chat",method="POST"} 0
http_request_duration_seconds_bucket{handler="/chat",method="POST",le="1"} 0
http_request_duration_seconds_bucket{handler="/chat",method="POST",le="+Inf"} 0
http_request_duration_seconds_sum{handler="/chat",method="POST"} 0
http_request_duration_seconds_count{handler="/chat",method="POST"} 0
http_request_duration_highr_seconds_bucket{le="+Inf"} 0
http_request_duration_highr_seconds_sum 0
http_request_duration_highr_seconds_count 0
tenant_requests_total{tenant="acme",handler="/chat",method="POST",status="200"} 0
http_request_size_bytes_sum{handler="/chat"} 0
http_request_size_bytes_count{handler="/chat"} 0
http_response_size_bytes_sum{handler="/chat"} 0
http_response_size_bytes_count{handler="/chat"} 0
"#;

fn judged(samples: &[Sample], page: &str) -> String {
    let mut made = TestRun::of(SCENARIO.to_owned(), samples);
    made.manifest.environment.replicas.truncate(1);
    made.settled("a", page);
    let mut lines = String::new();
    for verdict in made.judge().verdicts {
        lines += &format!("{} {}: {} {}\n", verdict.claim, verdict.subject, verdict.outcome, verdict.summary);
    }
    lines
}

/// Each Pass in the snapshot says what was not tested, or is about the exposition or the number of requests alone.
#[test]
fn what_was_not_put_to_the_test_is_no_pass_without_words() {
    let unanswered = |outcome: RequestOutcome| {
        let sample = |millis| Sample { done: Nanos::from_secs(8), ..sample(millis, 0, outcome) };
        (0..3).map(|i| sample(i * 100)).collect::<Vec<_>>()
    };
    let timeouts = unanswered(RequestOutcome::NoResponse(NoResponseReason::Timeout));
    let dropped = unanswered(RequestOutcome::Dropped);
    let mut all = String::new();
    for (name, samples, page) in [
        ("no samples, an empty exposition", &[][..], ""),
        ("no samples, nothing counted", &[], ZEROS),
        ("only timeouts, an empty exposition", &timeouts, ""),
        ("only timeouts, nothing counted", &timeouts, ZEROS),
        ("only dropped arrivals", &dropped, ZEROS),
    ] {
        all += &format!("# {name}\n{}\n", judged(samples, page));
    }
    insta::assert_snapshot!(all);
}
