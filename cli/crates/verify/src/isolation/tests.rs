//! Verdicts about isolation, by hand-made runs.

use super::*;
use crate::testing::Judge as _;
use saasbench_model::scenario::testing::SCENARIO;
use saasbench_record::{
    manifest::State,
    sample::NoResponseReason,
    testing::{TestRun, sample},
};

/// Steps 0 and 1 save the user's own session and one of initech's, step 2 chats with a canary, step 3 tries
/// initech's session.
const TRESPASS: &str = r#"
version = 1
name = "test"
[[tenant]]
id = "acme"
[[tenant]]
id = "globex"
[[tenant]]
id = "initech"
[[journey]]
name = "trespasser"
[[journey.start]]
post = "/session"
save = { own = "/session_id" }
[[journey.start]]
tenant = "initech"
post = "/session"
save = { session = "/session_id" }
[[journey.step]]
name = "own"
post = "/chat"
json = { session_id = "${own}", message = "${canary}" }
[[journey.step]]
name = "foreign"
post = "/chat"
json = { session_id = "${session}" }
status = 403
cross_tenant = true
[[load]]
rate = "10/s"
duration = "10s"
"#;

const CHAT: StepIndex = 2;
const FOREIGN: StepIndex = 3;

/// A response for `tenant` (0 to 2), with a canary of some tenant in it.
fn answer(
    millis: i64,
    tenant: TenantIndex,
    step: StepIndex,
    status: u16,
    canary: Option<TenantIndex>,
) -> Sample {
    Sample { tenant, step, canary, ..sample(millis, tenant % 2, RequestOutcome::Status(status)) }
}

/// Two tenants who chat and try initech's session, with conforming responses.
fn conforming() -> Vec<Sample> {
    let of = |i: i64| {
        let tenant = (i % 2) as usize;
        [answer(i * 100, tenant, CHAT, 200, Some(tenant)), answer(i * 100 + 50, tenant, FOREIGN, 403, None)]
    };
    (0..10).flat_map(of).collect()
}

fn judged(samples: &[Sample]) -> Verdict {
    TestRun::of(TRESPASS.to_owned(), samples).verdict(Claim::Isolation, "between tenants")
}

fn text(verdict: &Verdict) -> String {
    let mut text = format!("{}: {}\n", verdict.outcome, verdict.summary);
    for finding in verdict.evidence.iter().filter(|finding| finding.outcome != Outcome::Pass) {
        text += &format!("  expected {}\n  observed {}\n", finding.expected, finding.observed);
        finding.details.iter().for_each(|line| text += &format!("    {line}\n"));
    }
    text
}

#[test]
fn tenants_that_are_kept_apart_pass() {
    let verdict = judged(&conforming());
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    insta::assert_snapshot!(
        verdict.summary,
        @"10 cross-tenant requests were rejected; 10 canaries returned, each to its own tenant"
    );
}

#[test]
fn a_leaked_canary_is_reported_with_tenants_time_and_replica() {
    let mut samples = conforming();
    for i in [2, 6, 8, 10, 12, 14] {
        samples[i].canary = Some(1 - samples[i].tenant);
    }
    // Another tenant's canary in the response to a foreign step counts, too.
    samples[5].canary = Some(2);
    let verdict = judged(&samples);
    assert_eq!(verdict.evidence[0].samples, [8, 12]);
    insta::assert_snapshot!("a_leak", text(&verdict));
}

#[test]
fn a_foreign_request_that_was_served_is_a_breach() {
    let mut samples = conforming();
    samples[1].outcome = RequestOutcome::Status(200);
    samples[5].outcome = RequestOutcome::Status(200);
    samples[7].outcome = RequestOutcome::Status(404);
    insta::assert_snapshot!("a_breach", text(&judged(&samples)));
}

#[test]
fn a_request_on_behalf_of_a_tenant_may_get_that_tenants_data() {
    let mut samples = conforming();
    // Step 1 is sent on behalf of initech, whichever user sends it.
    samples.push(answer(5000, 0, 1, 200, Some(2)));
    assert_eq!(judged(&samples).outcome, Outcome::Pass);
    samples.push(answer(5010, 0, 1, 200, Some(0)));
    let verdict = judged(&samples);
    assert_eq!(verdict.summary, "initech received acme's canary: 1 response (by replica a)");
}

#[test]
fn isolation_that_was_not_tested_is_inconclusive() {
    let mut silent = conforming();
    silent.iter_mut().for_each(|sample| sample.canary = None);
    let mut unanswered = conforming();
    for sample in unanswered.iter_mut().filter(|sample| sample.step == FOREIGN) {
        sample.outcome = RequestOutcome::NoResponse(NoResponseReason::Timeout);
    }
    let mut alone = conforming();
    alone.retain(|sample| sample.tenant == 0);
    let all: String =
        [&silent, &unanswered, &alone, &Vec::new()].iter().map(|samples| text(&judged(samples))).collect();
    insta::assert_snapshot!("not_tested", all);
}

#[test]
fn a_breach_counts_in_a_run_that_was_cut_off_too() {
    let mut samples = conforming();
    samples[2].canary = Some(0);
    let mut made = TestRun::of(TRESPASS.to_owned(), &samples);
    made.manifest.state = State::Running;
    assert_eq!(made.verdict(Claim::Isolation, "").outcome, Outcome::Fail);
}

#[test]
fn a_scenario_without_canaries_and_foreign_steps_makes_no_claim() {
    let report = TestRun::of(SCENARIO.to_owned(), &[sample(0, 0, RequestOutcome::Status(200))]).judge();
    assert!(report.verdicts.iter().all(|verdict| verdict.claim != Claim::Isolation));
}
