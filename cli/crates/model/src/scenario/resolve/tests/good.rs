//! Valid scenarios: what they resolve to, the shipped ones, and every block of `docs/scenario.md`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{BASE, SOURCES, Sources, environment, read_file, resolve};
use crate::{
    scenario::{
        Algorithm, Anchor, Estimate, LoadModel, Pause, Refill, Routing, Scenario, Spacing, Stage,
        expectation::{LatencyFrom, Measure},
        file::SHAPES,
        template::{Escape, Part, Template, Variable},
    },
    units::{Nanos, Rate, TenantId},
};

fn good(text: &str) -> Scenario {
    resolve(text, "dir/my base.toml", &SOURCES).unwrap_or_else(|problems| panic!("{problems}"))
}

fn repository(path: &str) -> PathBuf {
    // Relative to this file, not to Cargo.toml: the crate can be tested outside of the workspace.
    let here = PathBuf::from(file!());
    let here = if here.is_absolute() {
        here
    } else {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(here)
    };
    here.ancestors().find(|dir| dir.join("scenarios").is_dir()).unwrap().join(path)
}

#[test]
fn the_base_scenario() {
    let scenario = good(BASE);
    assert_eq!(scenario.name, "my-base");
    assert_eq!((scenario.seed, scenario.timeout), (1, Nanos::from_secs(5)));
    assert_eq!(scenario.tenants, ["acme", "globex"].map(TenantId::from));
    let journey = &scenario.journeys[0];
    assert_eq!((journey.start.as_slice(), journey.steps.as_slice()), ([0].as_slice(), [1, 2].as_slice()));
    assert_eq!(journey.saved, ["sid"]);
    let steps: Vec<(&str, &str)> =
        scenario.steps.iter().map(|s| (s.name.as_str(), s.route.as_str())).collect();
    assert_eq!(
        steps,
        [("POST /session", "POST /session"), ("POST /chat", "POST /chat"), ("read", "GET /items/{sid}")]
    );
    let path = &scenario.steps[2].path;
    let text = |text: &str| Part::Text(text.to_owned());
    let parts = vec![text("/items/"), Part::Variable(Variable::Saved(0)), text("?full=1")];
    assert_eq!(path, &Template { parts, escape: Escape::Url });
    assert_eq!(scenario.steps[1].headers[0].0, "x-session-id");
    assert_eq!(scenario.loads[0].tenants, [0]);
    assert_eq!(
        scenario.loads[0].model,
        LoadModel::Open { rate: held(25, 200.0), spacing: Spacing::Constant, max_users: 50 }
    );
    assert_eq!(scenario.loads[1].tenants, [0, 1]);
    let pause = Pause::Uniform(Nanos::from_secs(1), Nanos::from_secs(3));
    assert_eq!(
        scenario.loads[1].model,
        LoadModel::Closed { users: held(20, 2.0), spawn: Some(Rate(1.0)), pause }
    );
    assert_eq!(scenario.loads[1].after, Nanos::from_secs(5));
    assert_eq!(scenario.loads[1].routing, Routing::Only(1));
    assert_eq!(scenario.limits[0].algorithm, Algorithm::FixedWindow);
    assert_eq!(scenario.limits[0].quota.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>(), [0, 1]);
    let expectation = &scenario.expectations[0];
    assert_eq!(expectation.measure, Measure::Quantile { q: 0.99, from: LatencyFrom::Intended });
    assert_eq!(expectation.filter.steps.as_deref(), Some([2].as_slice()));
    let metrics = scenario.metrics.unwrap();
    assert_eq!(metrics.requests, "http_requests_total");
    assert_eq!((scenario.embedded.replicas, scenario.embedded.tenants), (2, None));
}

fn held(secs: i64, level: f64) -> Vec<Stage> {
    vec![Stage { length: Nanos::from_secs(secs), from: level, to: level }]
}

#[test]
fn stages_start_at_the_previous_stages_value() {
    let staged = |keys: &str| {
        let all = "rate = \"200/s\"\nmax_users = 50\nduration = \"25s\"";
        let scenario = good(&BASE.replacen(all, keys, 1));
        let load = &scenario.loads[0];
        let stages: Vec<_> =
            load.model.stages().iter().map(|s| (s.length.as_secs_f64(), s.from, s.to)).collect();
        (stages, load.duration.as_secs_f64(), load.model.clone())
    };
    let ramp = "stages = [{ for = \"30s\", users = 100 }, { for = \"1m\", users = 100 }, { for = \"10s\", users = 0 }]";
    let (stages, duration, _) = staged(&format!("{ramp}\ngraceful_stop = \"5s\"\npacing = \"2s\""));
    assert_eq!(stages, [(30.0, 0.0, 100.0), (60.0, 100.0, 100.0), (10.0, 100.0, 0.0)]);
    assert_eq!(duration, 100.0);
    let spike = "rate = \"10/s\"\narrivals = \"poisson\"\nstages = [{ for = \"5s\", rate = \"10/s\" }, { for = \"1s\", rate = \"500/s\", jump = true }, { for = \"5s\", rate = \"0/s\" }]";
    let (stages, _, model) = staged(spike);
    assert_eq!(stages, [(5.0, 10.0, 10.0), (1.0, 500.0, 500.0), (5.0, 500.0, 0.0)]);
    assert!(matches!(model, LoadModel::Open { spacing: Spacing::Poisson, max_users: 1000, .. }));
    let (_, _, model) = staged("users = 3\nduration = \"1s\"\npacing = \"2s\"");
    let pause = Pause::Pacing(Nanos::from_secs(2));
    assert_eq!(model, LoadModel::Closed { users: held(1, 3.0), spawn: None, pause });
}

#[test]
fn windows_on_a_grid() {
    let limited = |keys: &str| {
        let text = BASE.replacen("\"fixed-window\"", keys, 1);
        good(&text).limits[0].algorithm
    };
    let counter = |anchor, estimate| Algorithm::SlidingCounter { anchor, estimate };
    assert_eq!(limited("\"aligned-window\""), Algorithm::AlignedWindow);
    assert_eq!(limited("\"sliding-counter\""), counter(Anchor::Epoch, Estimate::Exact));
    assert_eq!(
        limited("\"sliding-counter\"\nanchor = \"first-hit\"\nestimate = \"floored\""),
        counter(Anchor::FirstHit, Estimate::Floored)
    );
}

#[test]
fn token_buckets() {
    let limited = |keys: &str| {
        let text = BASE.replacen("\"fixed-window\"", &format!("\"token-bucket\"\n{keys}"), 1);
        good(&text).limits[0].algorithm
    };
    let bucket = |burst, refill| Algorithm::TokenBucket { burst, refill };
    assert_eq!(limited(""), bucket(None, Refill::Continuous));
    assert_eq!(limited("burst = 12\nrefill = \"continuous\""), bucket(Some(12), Refill::Continuous));
    assert_eq!(limited("refill = \"100ms\""), bucket(None, Refill::Steps(Nanos::from_millis(100))));
}

/// A step's JSON body, with variables in Rust notation.
fn body(json: &str) -> String {
    let text = BASE.replacen("{ session_id = \"${sid}\", message = \"msg-${n}\" }", json, 1);
    let body = good(&text).steps[1].body.clone().unwrap();
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Variable(variable) => format!("<{variable:?}>"),
    };
    body.parts.iter().map(part).collect()
}

#[test]
fn json_bodies() {
    for (toml, json) in [
        ("{ z = 1, a = -0x1f, m = 1.50 }", r#"{"z":1,"a":-31,"m":1.5}"#),
        ("{}", "{}"),
        ("[]", "[]"),
        ("[true, [1, {}], { a.b = \"c\" }]", r#"[true,[1,{}],{"a":{"b":"c"}}]"#),
        ("\"just text\"", "\"just text\""),
        ("{ at = 1979-05-27T07:32:00Z }", r#"{"at":"1979-05-27T07:32:00Z"}"#),
        (r#"{ "a\"b\u0001" = "\\ \n é" }"#, r#"{"a\"b\u0001":"\\ \n é"}"#),
        (r#"{ "${tenant}" = "${user}-${n}${sid}" }"#, r#"{"<Tenant>":"<User>-<Iteration><Saved(0)>"}"#),
        (r#"{ a = "$${n} ${env:TOKEN}" }"#, r#"{"a":"${n} <Secret("TOKEN")>"}"#),
    ] {
        let toml = toml.replace("-0x1f", "-31");
        assert_eq!(body(&toml), json, "{toml}");
    }
}

#[test]
fn tenants_come_from_patterns_and_files() {
    let more = "id = \"globex\"\n[[tenant]]\npattern = \"t-09..t-11\"\n[[tenant]]\nfile = \"tenants.jsonl\"";
    let scenario = good(&BASE.replacen("id = \"globex\"", more, 1));
    let ids: Vec<&str> = scenario.tenants.iter().map(TenantId::as_str).collect();
    assert_eq!(ids, ["acme", "globex", "t-09", "t-10", "t-11", "umbrella", "hooli"]);
    assert_eq!(scenario.loads[1].tenants.len(), 7);
}

#[test]
fn repeated_routes_are_numbered() {
    let step = "[[journey.step]]\npost = \"/chat\"\n";
    let named = "[[journey.step]]\npost = \"/chat\"\nname = \"POST /chat #2\"\n";
    let scenario = good(&BASE.replacen("[[load]]", &format!("{step}{named}{step}[[load]]"), 1));
    let names: Vec<&str> = scenario.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        ["POST /session", "POST /chat", "read", "POST /chat #3", "POST /chat #2", "POST /chat #4"]
    );
}

#[test]
fn a_secret_may_be_unset_if_it_is_not_looked_up() {
    let text = BASE.replacen("\"msg-${n}\"", "\"${env:UNSET}\"", 1);
    assert!(resolve(&text, "base.toml", &SOURCES).is_err());
    assert!(resolve(&text, "base.toml", &Sources { read_file: &read_file, environment: None }).is_ok());
    assert_eq!(environment("TOKEN").as_deref(), Some("secret"));
}

#[test]
fn iterations_end_a_load_within_the_hour() {
    let scenario = good(&BASE.replacen("duration = \"20s\"", "iterations = 7", 1));
    assert_eq!((scenario.loads[1].iterations, scenario.loads[1].duration), (Some(7), Nanos::from_secs(3600)));
}

#[test]
fn shipped_scenarios_resolve() {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(repository("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path).unwrap();
            let shown = path.file_name().unwrap().to_str().unwrap();
            let read_file = |beside: &Path| fs::read_to_string(path.with_file_name(beside));
            let sources = Sources { read_file: &read_file, environment: None };
            let scenario = resolve(&text, shown, &sources).unwrap_or_else(|problems| panic!("{problems}"));
            assert!(scenario.about.is_some(), "{shown} says what it is about");
            assert_eq!(format!("{}.toml", scenario.name), shown);
            names.insert(scenario.name);
        }
    }
    let expected =
        "smoke flood cross-replica isolation neighbours ramp mixed stress-50 stress-100 stress-1000";
    for name in expected.split(' ') {
        assert!(names.contains(name), "{name} is shipped");
    }
}

/// The code blocks of the documentation: ` ```toml ` is a whole scenario, ` ```toml fragment ` is appended to
/// the first whole one.
#[test]
fn documented_examples_resolve() {
    let doc = fs::read_to_string(repository("docs/scenario.md")).unwrap();
    let mut whole = None;
    let mut blocks = 0;
    for block in doc.split("\n```toml").skip(1) {
        let (kind, rest) = block.split_once('\n').unwrap();
        let (text, _) = rest.split_once("\n```").unwrap();
        let text = match kind.trim() {
            "" => {
                whole.get_or_insert(text);
                text.to_owned()
            }
            "fragment" => format!("{}\n{text}", whole.expect("a whole scenario comes first")),
            kind => panic!("a block of kind {kind}"),
        };
        blocks += 1;
        if let Err(problems) = resolve(&text, "docs/scenario.md", &SOURCES) {
            panic!("{problems}");
        }
    }
    assert!(blocks >= 10, "{blocks} blocks");
}

#[test]
fn every_key_is_documented() {
    let doc = fs::read_to_string(repository("docs/scenario.md")).unwrap();
    for shape in SHAPES {
        for (key, ..) in shape.keys {
            assert!(
                doc.contains(&format!("`{key}`")),
                "`{key}` of {} is not in docs/scenario.md",
                shape.name
            );
        }
    }
}
