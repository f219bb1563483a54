//! The main workflow on the embedded environment: run, record, judge, report, and judge again.

use std::{fs, path::Path};

use crate::support::{Report, Sandbox, TENANTS, program, short};

#[test]
fn a_run_passes_and_is_judged_again_with_the_same_result() {
    let sandbox = Sandbox::with(&short("3s"), TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(0);
    assert_eq!((report.outcome(), &report.0["version"]), ("pass", &1.into()));
    for claim in ["expectation", "limit", "counters", "histograms", "quantiles"] {
        report.assert_all(claim, "", "pass");
    }
    assert_eq!(
        report.count("/total/requests"),
        report.count("/replicas/0/counts/requests") + report.count("/replicas/1/counts/requests")
    );
    assert!(report.count("/rows/1/counts/statuses/200") >= 5, "acme's windows: {report:?}");
    assert!(report.count("/rows/1/counts/statuses/429") > 0, "acme floods: {report:?}");

    let run = sandbox.only_run();
    assert_eq!(Report::parse(&fs::read_to_string(run.join("verdict.json")).unwrap()), report);
    let relative = Path::new("runs").join(run.file_name().unwrap());
    let relative = relative.to_str().unwrap();
    ended.assert_says(&[relative, &format!("report: {relative}/report.html")]);
    let again = sandbox.run(&["verify", relative, "--json", "again.json"]);
    again.assert_code(0);
    assert_eq!(again.out, ended.out);
    assert_eq!(Report::parse(&fs::read_to_string(sandbox.path().join("again.json")).unwrap()), report);
}

#[test]
fn three_replicas_and_sticky_users_pass() {
    let scenario = short("2s").replace("users    = 2", "users = 6\nreplica = \"sticky\"");
    let sandbox = Sandbox::with(&scenario.replace("[embedded]", "[embedded]\nreplicas = 3"), TENANTS);
    let (ended, report) = sandbox.report(&[]);
    ended.assert_code(0);
    assert_eq!(report.0["summary"]["replicas"].as_array().unwrap().len(), 3);
    report.assert_all("counters", "of c by scrape", "pass");
}

#[test]
fn stages_random_arrivals_and_a_warm_up_pass() {
    let stages = "\n[[load]]\njourney = \"chat\"\narrivals = \"poisson\"\nstages = [{ for = \"1s\", rate = \"30/s\" }, { for = \"1s\", rate = \"90/s\", jump = true }, { for = \"1s\", rate = \"0/s\" }]\n[[load]]\njourney = \"chat\"\npacing = \"200ms\"\ngraceful_stop = \"1s\"\nstages = [{ for = \"1s\", users = 4 }, { for = \"2s\", users = 0 }]\n";
    let sandbox = Sandbox::with(&format!("warmup = \"500ms\"\n{}{stages}", short("3s")), TENANTS);
    let (ended, report) = sandbox.report(&["--workers", "2"]);
    ended.assert_code(0);
    ended.assert_says(&["warm-up of 500 ms"]);
    assert!(report.count("/warmup/requests") > 0);
}

/// An injected fault is detected, and the run is marked as one with faults.
#[test]
fn an_injected_fault_is_detected() {
    let sandbox = Sandbox::with(&short("3s"), TENANTS);
    let (ended, report) = sandbox.report(&["--fault", "limit-per-replica"]);
    ended.assert_code(1);
    report.assert_all("limit", "", "fail");
    assert!(ended.err.contains("injected into the service: limit-per-replica"), "{}", ended.err);
    ended.assert_says(&[
        "the service ran with injected faults: --fault limit-per-replica",
        "kept by each replica on its own",
    ]);
    let manifest = fs::read_to_string(sandbox.only_run().join("manifest.json")).unwrap();
    assert!(manifest.contains("\"limit-per-replica\""), "{manifest}");
    let unknown = sandbox.run(&["run", "scenario.toml", "--fault", "limit-per-replca"]);
    unknown.assert_code(2);
    assert!(unknown.err.contains("did you mean `limit-per-replica`?"), "{}", unknown.err);
}

#[test]
fn shipped_scenarios_are_valid() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let paths = fs::read_dir(scenarios).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    assert!(files.len() >= 8, "{files:?}");
    let sandbox = Sandbox::new();
    sandbox.start_command(program().arg("validate").args(files)).end().assert_code(0);
}
