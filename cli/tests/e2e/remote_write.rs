//! The generator's own metrics, pushed to a real Prometheus by remote write.

use serde_json::Value;

use crate::support::{Calibration, Prometheus, Sandbox, TENANTS, free_port, get};

const SCENARIO: &str = "version = 1\nname = \"look\"\n[[tenant]]\nid = \"acme\"\n[[journey]]\nname = \"look\"\n\
    [[journey.step]]\nget = \"/\"\n[[load]]\nrate = \"200/s\"\nduration = \"2500ms\"\n[metrics]\nenabled = false\n";

/// Sum of the last values of all series of a selector, without staleness, and the number of samples of the
/// first series.
fn last_values(prometheus: &Prometheus, selector: &str) -> (f64, usize) {
    let port = prometheus.url().rsplit(':').next().unwrap().parse().unwrap();
    let query = format!("/api/v1/query?query={selector}[10m]");
    let response: Value = serde_json::from_str(&get(port, &query).unwrap()).unwrap();
    let series = response["data"]["result"].as_array().unwrap();
    let last = |series: &Value| {
        let value = series["values"].as_array().unwrap().last().unwrap()[1].as_str().unwrap();
        value.parse::<f64>().unwrap()
    };
    (
        series.iter().map(last).sum(),
        series.first().map_or(0, |first| first["values"].as_array().unwrap().len()),
    )
}

#[test]
fn pushed_metrics_equal_the_ledger() {
    let prometheus = Prometheus::configured("global: { scrape_interval: 1h }\n");
    let service = Calibration::start(&[]);
    let sandbox = Sandbox::with(SCENARIO, TENANTS);
    let push = format!("{}/api/v1/write", prometheus.url());
    let target = service.url();
    let (ended, report) = sandbox.report(&["--target", &target, "--push", &push, "--push-every", "1s"]);
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    assert!(!ended.err.contains("pushed"), "{ended:?}");
    let responses = report.count("/total/statuses/200");
    let (total, samples) = last_values(&prometheus, "saasbench_requests_total%7Bstatus=%22200%22%7D");
    assert_eq!(total, responses as f64);
    assert!(samples >= 2, "pushed while it went: {samples}");
    let (count, _) =
        last_values(&prometheus, "saasbench_request_duration_seconds_count%7Btenant=%22acme%22%7D");
    assert_eq!(count, responses as f64);
    // In seconds: the mean latency of undelayed responses is far below one.
    let (sum, _) = last_values(&prometheus, "saasbench_request_duration_from_sent_seconds_sum");
    assert!(sum > 0.0 && sum / (responses as f64) < 1.0, "{sum}");
    let run = sandbox.only_run();
    let run = run.file_name().unwrap().to_str().unwrap();
    let labels = format!(
        "saasbench_requests_total%7Bjob=%22saasbench%22,scenario=%22look%22,route=%22GET%20/%22,run=%22{run}%22%7D"
    );
    assert_eq!(last_values(&prometheus, &labels).0, responses as f64);
}

#[test]
fn a_failed_push_is_reported_and_does_not_change_the_verdict() {
    let service = Calibration::start(&[]);
    let target = service.url();
    // A closed port, and an endpoint that rejects remote write.
    let unheard = format!("http://user:hush@127.0.0.1:{}/api/v1/write", free_port());
    let deaf = format!("{target}/freeze");
    for (push, error) in [(unheard, "Connection refused"), (deaf, "it responded 422")] {
        let sandbox = Sandbox::with(&SCENARIO.replace("2500ms", "300ms"), TENANTS);
        let (ended, report) = sandbox.report(&["--target", &target, "--push", &push]);
        assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
        assert_eq!(report.count("/total/statuses/200"), 60);
        ended.assert_says(&["cannot be pushed, which is tried again", "requests never arrived", error]);
        assert!(!ended.err.contains("hush"), "{}", ended.err);
    }
}
