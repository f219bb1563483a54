//! The report of a search is well-formed and shows its result.

use super::*;
use crate::html::tests::{assert_sound, text};
use saasbench_verify::capacity::{
    result::{
        Stopped,
        testing::{count, report},
    },
    search::End,
};

const FOUND: Stopped = Stopped::Search(End::Found);

fn scaled() -> CapacityReport {
    let counts = [(1, 1.0), (2, 1.9), (4, 3.0)];
    report(counts.map(|(replicas, scale)| count(replicas, scale, Ending::Broke, FOUND, false)).into(), None)
}

#[test]
fn renders_a_search_over_replica_counts() {
    let page = render(&scaled());
    assert_sound(&page);
    insta::assert_snapshot!(text(&page));
}

#[test]
fn renders_one_replica_count_with_a_gate() {
    let mut report = report(vec![count(1, 1.0, Ending::Broke, FOUND, false)], Some(1000.0));
    report.interrupted = true;
    let page = render(&report);
    assert_sound(&page);
    let text = text(&page);
    insta::assert_snapshot!(text.split_once("steplevel").map(|(first, _)| first.to_owned()).unwrap());
}

#[test]
fn headlines_claim_only_what_was_found() {
    let heads: Vec<String> = [
        (Ending::Generator, FOUND, None),
        (Ending::Generator, Stopped::Search(End::BrokenAtLeast), None),
        (Ending::Broke, Stopped::Search(End::BrokenAtLeast), None),
        (Ending::Broke, FOUND, Some(2000.0)),
    ]
    .into_iter()
    .map(|(ending, stopped, at_least)| {
        let report = report(vec![count(1, 1.0, ending, stopped, false)], at_least);
        assert_sound(&render(&report));
        let (word, why) = headline(&report);
        format!("{word}: {why}")
    })
    .collect();
    insta::assert_snapshot!(heads.join("\n"));
    // A search with a budget shorter than a step, and one with a single level.
    let mut none = report(vec![count(1, 1.0, Ending::Broke, Stopped::Budget, false)], None);
    none.counts[0].steps.truncate(1);
    (none.counts[0].capacity, none.counts[0].knee) = (None, None);
    assert_sound(&render(&none));
    none.counts[0].steps.clear();
    (none.counts[0].held, none.counts[0].broke) = (None, None);
    assert_sound(&render(&none));
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let mut report = scaled();
    report.scenario = hostile.to_owned();
    report.environment = hostile.to_owned();
    report.objectives = vec![hostile.to_owned()];
    report.failure = Some(hostile.to_owned());
    report.counts[0].why = hostile.to_owned();
    report.counts[0].steps[1].why = Some(hostile.to_owned());
    let page = render(&report);
    assert_sound(&page);
    assert!(!page.contains("<img"), "escaped");
    assert_eq!(page.matches("<script>").count(), 1);
}
