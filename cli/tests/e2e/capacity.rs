//! `saasbench capacity` end to end: against a service with a known ceiling, and its messages for invalid
//! arguments.

use std::{fs, net::TcpListener, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Calibration, Ended, Sandbox, TENANTS, assert_keeps_to_schema, wait_for};

/// Short steps: a p90 objective needs 120 samples.
fn scenario(load: &str, bound: &str, search: &str) -> String {
    format!(
        "version = 1\nname = \"ceiling\"\n[[tenant]]\nid = \"acme\"\n[[journey]]\nname = \"look\"\n\
         [[journey.step]]\nget = \"/\"\n[[load]]\n{load}\nduration = \"1s\"\n\
         [[expect]]\nthat = \"p90 < {bound}\"\n[metrics]\nenabled = false\n\
         [capacity]\nstep_duration = \"500ms\"\nsettle = \"50ms\"\nprecision = \"50%\"\n{search}"
    )
}

fn by_rate() -> String {
    scenario("rate = \"100/s\"", "60ms", "start = 125\nbudget = \"20s\"\n")
}

/// Whether a search found a capacity, by its exit code: on a busy machine it may find only a bound.
fn found(ended: &Ended) -> (Value, Value) {
    let report: Value = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_keeps_to_schema("capacity", &report);
    let count = report["counts"][0].clone();
    match ended.code {
        Some(0) => {
            assert_eq!((&report["outcome"], &count["sure"]), (&"pass".into(), &true.into()), "{count:#}");
            assert!(count["capacity"]["value"].is_number(), "{count:#}");
        }
        Some(3) => {
            assert_eq!(report["outcome"], "inconclusive", "{count:#}");
            let bounds = [Value::from("budget"), Value::from("generator")];
            assert!(bounds.contains(&count["limit"]) || count["sure"] == false, "{count:#}");
        }
        _ => panic!("{ended:?}"),
    }
    (report, count)
}

#[test]
fn help() {
    insta::assert_snapshot!(Sandbox::new().run(&["capacity", "--help"]).out);
}

#[test]
fn no_level_beyond_the_ceiling_holds() {
    let service = Calibration::start(&["--ceiling", "300/s"]);
    let sandbox = Sandbox::with(&by_rate(), TENANTS);
    let ended =
        sandbox.run(&["capacity", "scenario.toml", "--target", &service.url(), "--json", "-", "--quiet"]);
    let (report, count) = found(&ended);
    // Above 300/s the queue grows by 60 ms or more within a step of 500 ms.
    // On a busy machine no level may have held.
    assert!(count["held"].as_f64().is_none_or(|held| held <= 300.0), "{count:#}");
    if count["broke_is_sure"] == true {
        assert!(count["broke"].as_f64().unwrap() > 125.0, "{count:#}");
    }
    let steps = count["steps"].as_array().unwrap();
    let dir = sandbox.path().join(report["directory"].as_str().unwrap());
    for step in steps {
        let run = dir.join(step["run"].as_str().unwrap());
        assert!(run.join("manifest.json").exists() && run.join("verdict.json").exists(), "{run:?}");
    }
    let kept = steps.iter().filter(|step| dir.join(step["run"].as_str().unwrap()).join("samples").exists());
    assert!(kept.count() <= 4, "samples of one step of each kind stay");
    shown_again(&sandbox, &dir);
}

/// A finished search can be listed, shown, and rendered again.
fn shown_again(sandbox: &Sandbox, dir: &Path) {
    let report = fs::read_to_string(dir.join("capacity.html")).unwrap();
    fs::remove_file(dir.join("capacity.html")).unwrap();
    let name = dir.file_name().unwrap().to_str().unwrap();
    sandbox.run(&["report", "latest"]).assert_says(&[&format!("{name}/capacity.html")]);
    // It is rendered from the files, under another directory name.
    assert_eq!(report, fs::read_to_string(dir.join("capacity.html")).unwrap());
    sandbox.run(&["list"]).assert_says(&[name, "/s"]);
    sandbox.run(&["show", "ceiling-capacity"]).assert_says(&["capacity of ceiling on", "1 replica: "]);
    let rejected = sandbox.run(&["show", "latest", "--junit", "-"]);
    rejected.assert_code(2);
    rejected.assert_says(&["has no claims", "leave out --junit and --markdown"]);
    let rejected = sandbox.run(&["verify", &format!("runs/{name}")]);
    rejected.assert_code(2);
    rejected.assert_says(&["it is a search for the capacity", "its steps are runs"]);
    sandbox.run(&["verify", "latest"]).assert_says(&["there is no run `latest`"]);
}

#[test]
fn a_search_by_users_finds_the_ceiling() {
    // Each of N users waits for the others: 2·N ms, so six are too many.
    let service = Calibration::start(&["--delay", "10ms", "--ceiling", "500/s"]);
    let text = scenario("users = 3\nspawn_rate = \"1/s\"", "66ms", "start = 10\nbudget = \"20s\"\n");
    let sandbox = Sandbox::with(&text.replace("[[tenant]]", "warmup = \"100ms\"\n[[tenant]]"), TENANTS);
    let ended = sandbox.run(&[
        "capacity",
        "scenario.toml",
        "--by",
        "users",
        "--target",
        &service.url(),
        "--json",
        "-",
        "--quiet",
    ]);
    let (report, count) = found(&ended);
    assert_eq!(report["by"], "users");
    assert!(!report["objectives"].to_string().contains("keeps up"), "{report:#}");
    assert!(count["held"].as_f64().is_none_or(|held| held <= 33.0 && held.fract() == 0.0), "{count:#}");
    if ended.code == Some(0) {
        let value = count["capacity"]["value"].as_f64().unwrap();
        assert!((20.0..=40.0).contains(&value), "{count:#}");
    }
    // All ten users of the first step exist when its warm-up ends, though the scenario starts one per second.
    let run = count["steps"][0]["run"].as_str().expect("a first step");
    let first = sandbox.path().join(report["directory"].as_str().unwrap()).join(run);
    let manifest: Value =
        serde_json::from_str(&fs::read_to_string(first.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["scenario"]["overrides"]["spawn"], 100.0, "{manifest:#}");
}

#[test]
fn an_objective_that_always_fails_fails_at_the_first_level() {
    // So far beyond the bound that no generator can have caused it.
    let service = Calibration::start(&["--delay", "400ms"]);
    let sandbox = Sandbox::with(&by_rate(), TENANTS);
    let ended = sandbox.run(&["capacity", "scenario.toml", "--target", &service.url(), "--quiet"]);
    if ended.code == Some(3) {
        // On a busy machine the result may be unconfirmed, but the objective still fails.
        let bounds = ["less than 125/s, not confirmed", "limit: the generator", "unknown"];
        assert!(bounds.iter().any(|bound| ended.out.contains(bound)), "{ended:?}");
    } else {
        ended.assert_code(1);
        assert!(ended.out.contains("less than 125/s"), "{ended:?}");
    }
}

#[test]
fn a_search_interrupted_in_its_first_step_writes_its_report() {
    let service = Calibration::start(&[]);
    let sandbox = Sandbox::with(&by_rate(), TENANTS);
    let target = service.url();
    let running =
        sandbox.start(&["capacity", "scenario.toml", "--target", &target, "--step-duration", "15s"]);
    let has_started = || {
        let steps = sandbox.runs().into_iter().map(|dir| dir.join("steps"));
        steps
            .filter_map(|dir| fs::read_dir(dir).ok())
            .flatten()
            .flatten()
            .any(|step| step.path().join("manifest.json").exists())
    };
    wait_for("the first step", has_started);
    running.signal(Signal::INT);
    let ended = running.end();
    ended.assert_code(130);
    ended.assert_says(&["1 replica: unknown", "limit: the search was interrupted"]);
    let dir = sandbox.only_run();
    assert!(dir.join("capacity.json").exists() && dir.join("capacity.html").exists());
    sandbox.run(&["show", "latest"]).assert_says(&["interrupted: results up to that point"]);
    let listed = sandbox.run(&["list"]);
    assert!(!listed.out.contains("is running, or was killed"), "{listed:?}");
}

#[test]
fn reports_an_unwritable_report_before_or_after_the_search() {
    let sandbox = Sandbox::with(&by_rate(), TENANTS);
    let rejected = sandbox.run(&["capacity", "scenario.toml", "--json", "no/such.json"]);
    rejected.assert_code(2);
    assert!(sandbox.runs().is_empty(), "nothing was started");
    // A full disk is noticed late.
    let service = Calibration::start(&[]);
    let target = service.url();
    let flags = ["--target", &target, "--max", "125", "--json", "/dev/full", "--quiet"];
    let late = sandbox.run(&[&["capacity", "scenario.toml"], flags.as_slice()].concat());
    late.assert_code(5);
    late.assert_says(&["capacity of ceiling on", "cannot write the report to /dev/full"]);
    let text = format!("{}\n{}", rejected.err, late.err);
    insta::assert_snapshot!(text);
}

#[test]
fn a_tenant_with_few_requests_gets_long_enough_steps() {
    let service = Calibration::start(&[]);
    // Every ninth request is globex's: half a second has 28 of the 120 responses that its p90 needs.
    let beside = "rate = \"100/s\"\ntenant = \"acme\"\nduration = \"1s\"\n[[load]]\n\
                  tenant = \"globex\"\nrate = \"12.5/s\"";
    let text = by_rate()
        .replace("[[journey]]", "[[tenant]]\nid = \"globex\"\n[[journey]]")
        .replace("rate = \"100/s\"", beside)
        .replace("that = \"p90 < 60ms\"", "that = \"p90 < 60ms\"\nwhere = { tenant = \"globex\" }")
        .replace("budget = \"20s\"", "budget = \"12s\"");
    let sandbox = Sandbox::with(&text, TENANTS);
    let target = service.url();
    let flags = ["--target", &target, "--start", "500", "--max", "500", "--json", "-", "--quiet"];
    let ended = sandbox.run(&[&["capacity", "scenario.toml"], flags.as_slice()].concat());
    let (_, count) = found(&ended);
    let steps = count["steps"].as_array().unwrap();
    let planned = |step: &Value| step["planned_ns"].as_u64().unwrap();
    assert_eq!(steps[0]["ending"], "unsure", "{count:#}");
    assert!(planned(&steps[1]) > 2 * planned(&steps[0]), "{count:#}");
    assert_ne!(count["limit"], "generator", "{count:#}");
}

#[test]
fn results_are_kept_when_the_service_goes_away() {
    let service = Calibration::start(&[]);
    let text = by_rate().replace("[capacity]", "[capacity]\nmax = 1000");
    let sandbox = Sandbox::with(&text, TENANTS);
    let running = sandbox.start(&["capacity", "scenario.toml", "--target", &service.url()]);
    wait_for("the second step", || running.err().contains("step   2"));
    drop(service);
    let ended = running.end();
    ended.assert_code(4);
    ended.assert_says(&[
        "the service no longer responds, after a step at",
        "limit: the search could not continue",
        "look into its log",
    ]);
    let dir = sandbox.only_run();
    let report: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("capacity.json")).unwrap()).unwrap();
    assert!(report["counts"][0]["steps"].as_array().unwrap().len() >= 2, "{report:#}");
    assert_eq!(report["outcome"], "inconclusive");
}

#[test]
fn a_search_waiting_for_the_service_can_be_interrupted() {
    // A server that accepts connections and never responds.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // With TLS the environment fails to start; without, the first request to the service never completes.
    for url in [format!("https://{address}"), format!("http://{address}")] {
        let sandbox = Sandbox::with(&by_rate(), TENANTS);
        let running = sandbox.start(&["capacity", "scenario.toml", "--target", &url]);
        wait_for("the directory", || !sandbox.runs().is_empty());
        running.signal(Signal::INT);
        let ended = running.end();
        ended.assert_code(130);
        ended.assert_says(&["nothing was measured"]);
        assert!(sandbox.runs().is_empty(), "nothing was recorded");
    }
}

#[test]
fn invalid_searches_are_reported() {
    let sandbox = Sandbox::with(&by_rate(), TENANTS);
    let two = "users = 1\nduration = \"1s\"\n[[load]]\nusers = 1";
    sandbox.write("users.toml", &scenario(two, "60ms", ""));
    let lines: [&[&str]; 9] = [
        &["--by", "users"],
        &["--by", "users", "--start", "20", "--max", "10"],
        &["--start", "200", "--max", "100"],
        &["--start", "200", "--max", "1000", "--at-least", "2000/s"],
        &["--by", "rate"],
        &["--by", "users", "--start", "1"],
        &["--precision", "5"],
        &["--replicas", "1,2", "--target", "http://127.0.0.1:1"],
        &["--replicas", "1,2", "--env", "staging"],
    ];
    let messages = lines.map(|flags| {
        let file =
            if flags.contains(&"1") || flags.contains(&"rate") { "users.toml" } else { "scenario.toml" };
        let ended = sandbox.run(&[&["capacity", file], flags].concat());
        ended.assert_code(2);
        format!("{}\n{}", flags.join(" "), ended.err)
    });
    insta::assert_snapshot!(messages.join("\n"));
}
