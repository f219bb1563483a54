//! `saasbench capacity` from end to end: against a service of a known ceiling, and what it says of command lines.

use serde_json::Value;

use crate::support::{Calibration, Sandbox, TENANTS};

/// Short steps: nine of ten within 100 ms takes 120 samples.
fn scenario(more: &str) -> String {
    format!(
        "version = 1\nname = \"ceiling\"\n[[tenant]]\nid = \"acme\"\n[[journey]]\nname = \"look\"\n\
         [[journey.step]]\nget = \"/\"\n[[load]]\nrate = \"100/s\"\nduration = \"1s\"\n\
         [[expect]]\nthat = \"p90 < 100ms\"\n[metrics]\nenabled = false\n\
         [capacity]\nfrom = 100\nstep = \"800ms\"\nsettle = \"50ms\"\nprecision = \"20%\"\n{more}"
    )
}

#[test]
fn help() {
    insta::assert_snapshot!(Sandbox::new().run(&["capacity", "--help"]).out);
}

#[test]
fn no_level_is_said_to_hold_that_the_service_cannot_serve() {
    let service = Calibration::start(&["--ceiling", "300/s"]);
    let sandbox = Sandbox::with(&scenario("budget = \"15s\""), TENANTS);
    let ended =
        sandbox.run(&["capacity", "scenario.toml", "--target", &service.url(), "--json", "-", "--quiet"]);
    // On a machine that is busy elsewhere only a bound is told.
    assert!(matches!(ended.code, Some(0 | 1 | 3)), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["version"], 1);
    let count = &report["counts"][0];
    // A queue that grows by 100 ms and more in 800 ms keeps nobody's p90 below that.
    if let Some(held) = count["held"].as_f64() {
        assert!(held < 400.0, "{count:#}");
    }
    let steps = count["steps"].as_array().unwrap();
    assert!(!steps.is_empty());
    let dir = sandbox.path().join(report["directory"].as_str().unwrap());
    assert!(dir.join("capacity.json").exists());
    for step in steps {
        let run = dir.join(step["run"].as_str().unwrap());
        assert!(run.join("manifest.json").exists() && run.join("verdict.json").exists(), "{run:?}");
    }
    let kept = steps.iter().filter(|step| dir.join(step["run"].as_str().unwrap()).join("samples").exists());
    assert!(kept.count() <= 4, "samples of one step of each kind stay");
}

#[test]
fn what_fails_at_any_rate_fails_at_the_start() {
    let service = Calibration::start(&["--delay", "150ms"]);
    let sandbox = Sandbox::with(&scenario("budget = \"30s\""), TENANTS);
    let ended = sandbox.run(&["capacity", "scenario.toml", "--target", &service.url(), "--quiet"]);
    ended.assert_code(1);
    assert!(ended.out.contains("less than 100/s"), "{ended:?}");
}

#[test]
fn what_cannot_be_searched_is_told() {
    let sandbox = Sandbox::with(&scenario(""), TENANTS);
    let lines: [&[&str]; 5] = [
        &["--by", "users"],
        &["--from", "200", "--most", "100"],
        &["--precision", "5"],
        &["--replicas", "1,2", "--target", "http://127.0.0.1:1"],
        &["--replicas", "1,2", "--env", "staging"],
    ];
    let told = lines.map(|flags| {
        let ended = sandbox.run(&[&["capacity", "scenario.toml"], flags].concat());
        ended.assert_code(2);
        format!("{}\n{}", flags.join(" "), ended.err)
    });
    insta::assert_snapshot!(told.join("\n"));
}
