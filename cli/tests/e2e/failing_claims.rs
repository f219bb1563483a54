//! A verifier must be able to fail: limits that the service does not enforce, and expectations that are not
//! met.

use crate::support::{Ended, Report, Sandbox, TENANTS, change, short};

fn judged(scenario: &str) -> (Ended, Report) {
    Sandbox::with(scenario, TENANTS).report(&[])
}

#[test]
fn a_limit_one_below_the_real_one_is_over_admission() {
    let (ended, report) = judged(&change(&short("3s"), r#"acme = "5/2s""#, r#"acme = "4/2s""#));
    ended.assert_code(1);
    report.assert_all("limit", "POST /chat", "fail");
    // Tenant, count, window, limit and both replicas.
    ended.assert_says(&["tenant acme:", " admitted in the window ", "4 promised (4/2s)", " by a", " by b"]);
    // Only the limit fails.
    report.assert_all("counters", "", "pass");
    report.assert_all("expectation", "", "pass");
}

#[test]
fn a_limit_one_above_the_real_one_makes_rejections_wrong() {
    let (ended, report) = judged(&change(&short("3s"), r#"globex = "3/2s""#, r#"globex = "4/2s""#));
    ended.assert_code(1);
    report.assert_all("limit", "POST /chat", "fail");
    ended.assert_says(&[
        "tenant globex:",
        "rejections are proven wrong; the first at ",
        "of 4 admissions (4/2s) could count",
    ]);
}

#[test]
fn an_expectation_that_is_not_met_fails() {
    let expectations = r#"
[[expect]]
that = "count(200) > 100000"

[[expect]]
that  = "p50 from sent < 1ns"
where = { tenant = "acme" }

[[expect]]
that = "ratio(429) > 0%"
"#;
    let (ended, report) = judged(&(short("2s") + expectations));
    ended.assert_code(1);
    report.assert_all("expectation", "count(200) > 100000", "fail");
    report.assert_all("expectation", "p50 from sent < 1ns for acme", "fail");
    report.assert_all("expectation", "ratio(429) > 0%", "pass");
    report.assert_all("limit", "", "pass");
}

#[test]
fn an_unexpected_response_fails() {
    let (ended, report) = judged(&change(&short("2s"), "status = [200, 429]", "status = 200"));
    ended.assert_code(1);
    report.assert_all("expectation", "error_ratio == 0", "fail");
    ended.assert_says(&["status 429, expected 200"]);
    // Unwanted rejections still conform to the limit, and are counted.
    report.assert_all("limit", "", "pass");
    report.assert_all("counters", "", "pass");
}
