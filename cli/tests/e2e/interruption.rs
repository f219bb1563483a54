//! Runs that end early: killed, interrupted, interrupted twice, aborted.

use std::{fs, io::Read as _, net::TcpListener};

use rustix::process::Signal;

use crate::support::{JOURNEY, Report, Sandbox, TENANTS, short, wait_for};

#[test]
fn a_killed_run_is_judged_up_to_its_last_segment() {
    let sandbox = Sandbox::with(&short("1m"), TENANTS);
    let mut running = sandbox.start(&["run", "scenario.toml"]);
    running.wait_for_segments(2);
    running.kill();
    let run = sandbox.only_run();
    // The segment being written when it was killed.
    fs::write(run.join("samples/000099.parquet.part"), "PAR1, and then nothing").unwrap();
    fs::write(run.join("manifest.json.part"), "{").unwrap();
    let torn = fs::read_to_string(run.join("observations/scrapes.jsonl")).unwrap() + r#"{"number": 9"#;
    fs::write(run.join("observations/scrapes.jsonl"), torn).unwrap();

    let ended = sandbox.run(&["verify", run.to_str().unwrap(), "--json", "report.json"]);
    ended.assert_code(3);
    ended.assert_says(&["note: the run was cut off", "up to its last complete segment, which ends at "]);
    let report = Report::parse(&fs::read_to_string(sandbox.path().join("report.json")).unwrap());
    assert_eq!(report.0["state"], "running");
    assert!(report.count("/total/requests") > 100, "{report:?}");
    report.assert_all("counters", "", "inconclusive");
    assert!(report.verdicts("limit").iter().all(|(_, outcome, _)| *outcome != "fail"), "{report:?}");
}

#[test]
fn an_interrupted_run_is_kept_and_judged() {
    for signal in [Signal::INT, Signal::TERM] {
        let sandbox = Sandbox::with(&short("1m"), TENANTS);
        let mut running = sandbox.start(&["run", "scenario.toml", "--json", "report.json"]);
        running.wait_for_segments(1);
        running.signal(signal);
        let ended = running.end();
        ended.assert_code(130);
        ended.assert_says(&["note: the run was interrupted"]);
        let report = Report::parse(&fs::read_to_string(sandbox.path().join("report.json")).unwrap());
        assert_eq!(report.0["state"], "interrupted");
        // It stopped cleanly: every request has an outcome, and the counters settled.
        assert_eq!(report.count("/total/unknown"), 0);
        report.assert_all("counters", "", "pass");
        report.assert_all("limit", "", "pass");
        sandbox.run(&["verify", sandbox.only_run().to_str().unwrap()]).assert_code(130);
    }
}

#[test]
fn a_run_that_cannot_pass_aborts_and_fails() {
    let hopeless =
        "\n[[expect]]\nthat = \"count(429) <= 3\"\nwhere = { tenant = \"acme\" }\nabort_on_fail = true\n";
    let sandbox = Sandbox::with(&(short("1h") + hopeless), TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(1);
    ended.assert_says(&[
        "note: the run was aborted at ",
        "`count(429) <= 3 for acme` can no longer hold: ",
        "declared at  scenario.toml:",
    ]);
    assert_eq!(report.0["state"], "aborted");
    report.assert_all("expectation", "count(429) <= 3 for acme", "fail");
    // The load ended cleanly: everything else is judged up to that point.
    assert_eq!(report.count("/total/unknown"), 0);
    report.assert_all("counters", "", "pass");
    report.assert_all("limit", "", "pass");
    let manifest = fs::read_to_string(sandbox.only_run().join("manifest.json")).unwrap();
    assert!(manifest.contains("\"event\": \"aborted\""), "{manifest}");
    assert!(manifest.contains("\"reason\": \"`count(429)"), "{manifest}");
    sandbox.run(&["verify", sandbox.only_run().to_str().unwrap()]).assert_code(1);
}

/// A run against a service that never responds, interrupted once.
#[test]
fn an_interrupted_run_does_not_wait_for_what_does_not_respond() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}", silent.local_addr().unwrap());
    let scenario = JOURNEY.replace("version = 1", "version = 1\ntimeout = \"10m\"")
        + "[[load]]\nusers = 1\nduration = \"10m\"\n[metrics]\nenabled = false\n";
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let running = sandbox.start(&["run", "scenario.toml", "--target", &target, "--json", "report.json"]);
    let _held = loop {
        let (mut connection, _) = silent.accept().unwrap();
        if connection.read(&mut [0; 16]).unwrap() > 0 {
            break connection;
        }
    };
    running.signal(Signal::INT);
    running.end().assert_code(130);
    let report = Report::parse(&fs::read_to_string(sandbox.path().join("report.json")).unwrap());
    assert_eq!(
        (report.count("/total/unknown"), report.count("/total/errors")),
        (1, 0),
        "it may have been received"
    );
}

#[test]
fn a_second_interrupt_quits_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}", silent.local_addr().unwrap());
    let scenario = JOURNEY.replace("version = 1", "version = 1\ntimeout = \"10m\"")
        + "[[load]]\nusers = 1\nduration = \"10m\"\n[metrics]\nenabled = false\n";
    let sandbox = Sandbox::with(&scenario, TENANTS);
    let running = sandbox.start(&["run", "scenario.toml", "--target", &target]);
    // The first connection only checks that the service is listening.
    let _held = loop {
        let (mut connection, _) = silent.accept().unwrap();
        if connection.read(&mut [0; 16]).unwrap() > 0 {
            break connection;
        }
    };
    running.signal(Signal::INT);
    wait_for("the first interrupt to be reported", || running.err().contains("again to quit at once"));
    running.signal(Signal::INT);
    running.end().assert_code(130);
}
