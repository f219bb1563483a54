//! `saasbench stress`, and `saasbench run` of the scenario that it saves.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Calibration, Report, Sandbox, free_port};

fn manifest(run: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(run.join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn a_stress_test_is_a_regular_run() {
    let service = Calibration::start(&[]);
    let sandbox = Sandbox::new();
    let url = format!("{}/", service.url());
    let ended = sandbox.run(&[
        "stress",
        &url,
        "-c",
        "4",
        "-q",
        "60",
        "-n",
        "60",
        "--expect",
        "count == 60",
        "--json",
        "report.json",
    ]);
    ended.assert_nothing_failed();
    let about = format!("GET / at {}, 60/s until 60 requests are sent", service.url());
    ended.assert_says(&[&about, "everyone", "claims: "]);
    let report = Report::parse(&fs::read_to_string(sandbox.path().join("report.json")).unwrap());
    report.assert_all("expectation", "count == 60", "pass");
    assert_eq!(report.count("/total/requests"), 60);

    // An unexpected status is an error.
    let rejected =
        sandbox.run(&["stress", &url, "-c", "1", "-n", "3", "--status", "404", "-q", "100", "--quiet"]);
    rejected.assert_code(1);
    assert_eq!(rejected.err, "");
}

#[test]
fn the_saved_scenario_is_the_one_that_ran() {
    let service = Calibration::start(&[]);
    let sandbox = Sandbox::new();
    let (one, other) = (format!("{}/", service.url()), format!("{}/served", service.url()));
    let stress = ["stress", &one, &other, "-q", "40", "-n", "40"];
    let save = [&stress[..], &["--save", "saved.toml"]].concat();
    let saved = sandbox.run(&save);
    saved.assert_code(0);
    saved.assert_says(&["nothing was sent", &format!("saasbench run saved.toml --target {}", service.url())]);
    assert!(sandbox.runs().is_empty());
    sandbox.run(&["validate", "saved.toml"]).assert_code(0);
    let again = sandbox.run(&save);
    again.assert_code(2);
    again.assert_says(&["saved.toml is there already", "--force"]);

    sandbox.run(&[&stress[..], &["--out", "runs/one"]].concat()).assert_nothing_failed();
    sandbox
        .run(&["run", "saved.toml", "--target", &service.url(), "--out", "runs/two"])
        .assert_nothing_failed();
    let only = |name: &str| {
        let mut runs = fs::read_dir(sandbox.path().join("runs").join(name)).unwrap();
        runs.next().unwrap().unwrap().path()
    };
    let (one, two) = (only("one"), only("two"));
    let (first, second) = (manifest(&one), manifest(&two));
    assert_eq!(first["scenario"]["text"], second["scenario"]["text"]);
    assert_eq!(first["environment"], second["environment"]);
    assert_eq!(crate::plan::plan(&one), crate::plan::plan(&two));
}

#[test]
fn a_typo_is_reported_before_any_request() {
    let sandbox = Sandbox::new();
    let url = format!("http://127.0.0.1:{}/chat", free_port());
    let ended = sandbox.run(&["stress", &url, "-z", "1s"]);
    ended.assert_code(4);
    ended.assert_says(&[url.trim_end_matches("/chat"), "help: "]);
    assert!(sandbox.runs().is_empty());
}
