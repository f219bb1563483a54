//! Snapshots of the text reports.

use super::*;
use saasbench_verify::capacity::{
    result::{
        Stopped,
        testing::{count, report},
    },
    search::End,
};

const FOUND: Stopped = Stopped::Search(End::Found);

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn renders_a_search_over_replica_counts() {
    let counts = [(1, 1.0), (2, 1.9), (4, 3.0)];
    let counts = counts.map(|(replicas, scale)| count(replicas, scale, Ending::Broke, FOUND, replicas > 2));
    insta::assert_snapshot!(plain(&render(&report(counts.into(), None))));
}

#[test]
fn names_bounds_as_bounds() {
    let of = |ending, stopped| {
        let report = report(vec![count(1, 1.0, ending, stopped, false)], Some(1020.0));
        plain(&render(&report)).lines().skip(4).take(3).collect::<Vec<_>>().join("\n")
    };
    let all = [
        of(Ending::Generator, FOUND),
        of(Ending::Broke, Stopped::Budget),
        of(Ending::Broke, Stopped::Search(End::BrokenAtLeast)),
        of(Ending::Broke, Stopped::Interrupted),
        of(Ending::Broke, Stopped::Failed),
        of(Ending::Generator, Stopped::Search(End::BrokenAtLeast)),
    ];
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn reports_why_a_search_ended() {
    let mut broken_off = report(vec![count(1, 1.0, Ending::Broke, Stopped::Failed, false)], Some(1020.0));
    broken_off.failure = Some("the run could not be recorded: No space left on device".to_owned());
    let text = plain(&render(&broken_off.concluded(false)));
    insta::assert_snapshot!(text.lines().skip(10).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_gate_names_its_number_of_replicas() {
    let counts = [(2, 2.0), (1, 1.0)];
    let counts = counts.map(|(replicas, scale)| count(replicas, scale, Ending::Broke, FOUND, false));
    let mut report = report(counts.into(), Some(1500.0));
    report.at_least_with = Some(2);
    let report = report.concluded(true);
    let text = plain(&render(&report));
    insta::assert_snapshot!(text.lines().last().unwrap(), @"at least 1500/s with 2 replicas: yes");
    let page = crate::html::capacity::render(&report);
    assert!(page.contains("at least 1500/s with 2 replicas is reached"), "{page}");
}

#[test]
fn writes_a_line_per_step() {
    let count = count(1, 1.0, Ending::Broke, FOUND, false);
    let lines: Vec<String> =
        (1..).zip(count.steps.iter().take(2)).map(|(n, step)| line(n, By::Rate, step)).collect();
    insta::assert_snapshot!(plain(&lines.join("\n")));
    assert_eq!(
        [level(By::Users, 1.0), level(By::Users, 12.0), level(By::Rate, 2933.51)],
        ["1 user", "12 users", "2934/s"]
    );
}
