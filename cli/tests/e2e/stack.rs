//! A real stack: two `tenancy-server` processes over a real Redis, scraped by a real Prometheus every second.

use crate::support::{Prometheus, Redis, Replica, Sandbox, TENANTS, short};

#[test]
fn two_runs_in_a_row_on_a_real_stack_pass() {
    let redis = Redis::start();
    let replicas = Replica::pair(&redis, TENANTS);
    let prometheus = Prometheus::start(&replicas);
    let sandbox = Sandbox::with(&short("5s"), TENANTS);
    let (a, b) = (replicas[0].url(), replicas[1].url());
    let (at_prometheus, at_redis) = (prometheus.url(), redis.url());
    let arguments =
        ["--target", &a, "--target", &b, "--prometheus", &at_prometheus, "--redis", &at_redis, "--exclusive"];
    // The second run starts with the windows, sessions and counters of the first.
    for _ in 0..2 {
        let (ended, report) = sandbox.report(&arguments);
        ended.assert_code(0);
        assert_eq!(report.outcome(), "pass");
        for source in ["by scrape", "by Prometheus"] {
            for replica in ["a", "b"] {
                report.assert_all("counters", &format!("http_requests_total of {replica} {source}"), "pass");
                report.assert_all(
                    "counters",
                    &format!("tenant_requests_total of {replica} {source}"),
                    "pass",
                );
            }
        }
        report.assert_all("limit", "POST /chat", "pass");
    }
    assert_eq!(sandbox.runs().len(), 2);
}

#[test]
fn replicas_without_a_shared_store_over_admit() {
    let replicas = [(); 2].map(|()| Replica::start("memory", TENANTS));
    // Sessions are not shared either, so each user sticks to one replica.
    let scenario = short("3s").replace("duration =", "replica = \"sticky\"\nduration =");
    let scenario = scenario.replace("rate     = \"60/s\"", "users = 4\nthink_time = \"20ms..40ms\"");
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let (ended, report) = sandbox.report(&[
        "--target",
        &replicas[0].url(),
        "--target",
        &replicas[1].url(),
        "--exclusive",
        "--fresh",
    ]);
    ended.assert_code(1);
    report.assert_all("limit", "POST /chat", "fail");
    ended.assert_says(&["tenant acme: 6 admitted in the window", "5 promised (5/2s)", " by a, "]);
    report.assert_all("counters", "", "pass");
}

#[test]
fn in_a_shared_environment_rejections_and_surplus_are_inconclusive() {
    let redis = Redis::start();
    let replicas = Replica::pair(&redis, TENANTS);
    let sandbox = Sandbox::with(&short("3s"), TENANTS);
    let (ended, report) = sandbox.report(&[
        "--target",
        &replicas[0].url(),
        "--target",
        &replicas[1].url(),
        "--redis",
        &redis.url(),
    ]);
    ended.assert_code(3);
    report.assert_all("limit", "POST /chat", "inconclusive");
    report.assert_all("counters", "by scrape", "pass");
}
