//! Recorded runs with known verdicts, checked in: their reports must not change by accident.

use std::fs;

use rustix::process::Signal;
use saasbench_record::testing::{reseal, sealed_document};

use crate::support::{Copied, Ended, Report, Sandbox, TENANTS, change, copy, fixture, short};

/// Judges a checked-in run; returns how it ended, and its report.
fn judged(name: &str) -> (Ended, Report) {
    let run = Copied::of(&fixture(name));
    let json = run.verify(&["--json", "-"]);
    (run.verify(&[]), Report::parse(&json.out))
}

#[test]
fn good() {
    let (ended, report) = judged("good");
    ended.assert_code(0);
    assert_eq!(report.outcome(), "pass");
    insta::assert_snapshot!(ended.out);
}

#[test]
fn over_admission() {
    let (ended, report) = judged("over-admission");
    ended.assert_code(1);
    report.assert_all("limit", "", "fail");
    insta::assert_snapshot!(ended.out);
}

#[test]
fn tampered() {
    let (ended, report) = judged("tampered");
    ended.assert_code(1);
    report.assert_all("counters", "http_requests_total of b by scrape", "fail");
    insta::assert_snapshot!(ended.out);
}

#[test]
fn killed() {
    let (ended, report) = judged("killed");
    ended.assert_code(3);
    assert_eq!(report.outcome(), "inconclusive");
    insta::assert_snapshot!(ended.out);
}

#[test]
fn fixtures_are_small() {
    fn size(path: &std::path::Path) -> u64 {
        let entries = fs::read_dir(path).unwrap().map(Result::unwrap);
        entries.map(|e| if e.path().is_dir() { size(&e.path()) } else { e.metadata().unwrap().len() }).sum()
    }
    for name in ["good", "over-admission", "tampered", "killed"] {
        assert!(size(&fixture(name)) < 100_000, "{name}: {} bytes", size(&fixture(name)));
    }
}

/// The scenario of the fixtures: long enough for a window to end, with few enough requests to stay small.
fn recorded() -> String {
    change(&short("2500ms"), "60/s", "40/s")
}

/// Gives the fixtures their checksums again, after a change of how segments or checksums are written.
#[test]
#[ignore = "writes into the source tree"]
fn reseal_all() {
    for name in ["good", "over-admission", "tampered", "killed"] {
        reseal(&fixture(name));
    }
    let capacity = fixture("capacity").join("capacity.json");
    fs::write(&capacity, sealed_document(&fs::read_to_string(&capacity).unwrap())).unwrap();
}

/// Records the fixtures again; see `tests/fixtures/README.md`.
#[test]
#[ignore = "writes into the source tree"]
fn regenerate() {
    let keep = |sandbox: &Sandbox, name: &str| {
        let _ = fs::remove_dir_all(fixture(name));
        let run = sandbox.only_run();
        let _ = fs::remove_file(run.join("verdict.json"));
        copy(&run, &fixture(name));
    };
    let good = Sandbox::with(&recorded(), TENANTS);
    good.run(&["run", "scenario.toml"]).assert_code(0);
    keep(&good, "good");

    let scenario = change(&recorded(), r#"acme = "5/2s""#, r#"acme = "4/2s""#);
    let over_admission = Sandbox::with(&scenario, TENANTS);
    over_admission.run(&["run", "scenario.toml"]).assert_code(1);
    keep(&over_admission, "over-admission");

    let tampered = Copied::of(&fixture("good"));
    for file in tampered.last_scrapes("b").iter().rev().take(2) {
        let text = fs::read_to_string(file).unwrap();
        let series = r#"http_requests_total{handler="/chat",method="POST",status="429"} "#;
        fs::write(file, change(&text, series, &format!("{series}1"))).unwrap();
    }
    reseal(&tampered.path());
    let _ = fs::remove_dir_all(fixture("tampered"));
    copy(&tampered.path(), &fixture("tampered"));

    let killed = Sandbox::with(&short("1m"), TENANTS);
    let mut running = killed.start(&["run", "scenario.toml"]);
    running.wait_for_segments(1);
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, None);
    keep(&killed, "killed");
}
