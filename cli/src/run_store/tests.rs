//! Hand-made directories of runs.

use super::*;
use saasbench_record::{
    checksum::to_document,
    sample::RequestOutcome,
    testing::{TestRun, sample},
};
use saasbench_verify::testing::Judge as _;

fn runs_dir(runs: &[&str]) -> tempfile::TempDir {
    let runs_dir = tempfile::tempdir().unwrap();
    for run in runs {
        let dir = runs_dir.path().join(run);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("manifest.json"), "{}").unwrap();
    }
    runs_dir
}

#[test]
fn runs_are_found_by_their_names() {
    let runs_dir = runs_dir(&[
        "20261121T100000Z-flood",
        "20261121T100000Z-flood-2",
        "20261121T100000Z-flood-10",
        "20261122T100000Z-smoke",
        "20261120T100000Z-stress-100",
    ]);
    let found = |name: &str| {
        let found = find(Path::new(name), runs_dir.path(), RunKind::Run);
        let shown = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let place = runs_dir.path().display().to_string();
        found.map(shown).unwrap_or_else(|error| format!("{error}; {}", error.hint()).replace(&place, "RUNS"))
    };
    fs::create_dir(runs_dir.path().join("20261123T100000Z-none")).unwrap();
    let names = [
        "latest",
        "flood",
        "smoke",
        "20261122",
        "20261121",
        "20261121T100000Z-flood-1",
        "20261121T100000Z-flood",
        "stress",
        "stress-100",
        "none",
        "no/run",
        "",
    ];
    let shown: Vec<String> = names.iter().map(|name| format!("{name:25} {}", found(name))).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_renamed_run_is_as_old_as_it_was() {
    let runs_dir = runs_dir(&["monday", "renamed-flood", "20261121T100000Z-flood", "20261122T100000Z-flood"]);
    // Only the last one's start is known from its name alone: 2026-11-22, 10:00 UTC.
    let start = [("monday", 1), ("renamed-flood", 2), ("20261121T100000Z-flood", 3)];
    for (run, started) in start {
        let text = format!("{{\"started_unix_ns\": {started}}}");
        fs::write(runs_dir.path().join(run).join("manifest.json"), text).unwrap();
    }
    fs::create_dir(runs_dir.path().join("zoo")).unwrap();
    let expected = ["20261122T100000Z-flood", "20261121T100000Z-flood", "renamed-flood", "monday", "zoo"];
    assert_eq!(names(runs_dir.path()).unwrap(), expected);
    let found = |name: &str| find(Path::new(name), runs_dir.path(), RunKind::Run).unwrap();
    for name in ["latest", "flood"] {
        assert_eq!(found(name), runs_dir.path().join("20261122T100000Z-flood"));
    }
    let text = format!("{{\"started_unix_ns\": {}}}", i64::MAX);
    fs::write(runs_dir.path().join("renamed-flood/manifest.json"), text).unwrap();
    for name in ["latest", "flood", "renamed"] {
        assert_eq!(found(name), runs_dir.path().join("renamed-flood"), "{name}");
    }
}

#[test]
fn runs_are_listed_with_their_summaries() {
    let runs_dir = runs_dir(&["20261121T100000Z-broken"]);
    fs::create_dir(runs_dir.path().join("20261121T100001Z-empty")).unwrap();
    fs::write(runs_dir.path().join("a file"), "").unwrap();
    let mut made =
        TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200)), sample(9, 0, RequestOutcome::Dropped)]);
    let report = made.judge();
    for run in ["20261121T100002Z-flood", "20261121T100003Z-flood"] {
        let dir = runs_dir.path().join(run);
        fs::create_dir(&dir).unwrap();
        made.manifest.started_unix_ns = instant(&run[..16]).unwrap();
        made.manifest.write(&dir).unwrap();
        if run.ends_with("2Z-flood") {
            fs::write(dir.join("verdict.json"), verdict_document(&report, &dir).unwrap()).unwrap();
        }
    }
    let mut all = entries(runs_dir.path()).unwrap();
    assert!(all[1].bytes > all[0].bytes);
    for entry in &mut all {
        (entry.path, entry.bytes) = (PathBuf::from("PATH"), 0);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&all).unwrap());
    assert_eq!(entries(Path::new("no/such/directory")).unwrap(), []);
}

#[test]
fn capacity_searches_are_listed_and_found() {
    let runs_dir = runs_dir(&["20261121T100000Z-flood"]);
    let mut report = saasbench_verify::capacity::result::testing::report(
        vec![saasbench_verify::capacity::result::testing::count(
            1,
            1.0,
            saasbench_verify::capacity::step::Ending::Broke,
            saasbench_verify::capacity::result::Stopped::Budget,
            false,
        )],
        None,
    );
    let dir = runs_dir.path().join("20261121T100001Z-shop-capacity");
    fs::create_dir(&dir).unwrap();
    report.started_unix_ns = instant("20261121T100001Z").unwrap();
    fs::write(dir.join("capacity.json"), to_document(&report).unwrap()).unwrap();
    fs::create_dir_all(runs_dir.path().join("20261121T100002Z-shop-capacity/steps")).unwrap();
    for (name, text) in [("3Z-newer", to_document(&report).unwrap()), ("4Z-broken", b"{}".to_vec())] {
        let dir = runs_dir.path().join(format!("20261121T10000{name}"));
        fs::create_dir(&dir).unwrap();
        let text = String::from_utf8(text).unwrap().replace("\"version\": 1,", "\"version\": 2,");
        // It started two seconds later.
        let text = text.replace(
            &report.started_unix_ns.to_string(),
            &format!("{}", report.started_unix_ns + 2_000_000_000),
        );
        fs::write(dir.join("capacity.json"), text).unwrap();
    }
    let mut all = entries(runs_dir.path()).unwrap();
    for entry in &mut all {
        (entry.path, entry.bytes) = (PathBuf::from("PATH"), 0);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&all).unwrap());
    let found = |name: &str, kind| find(Path::new(name), runs_dir.path(), kind).ok();
    fs::remove_dir_all(runs_dir.path().join("20261121T100003Z-newer")).unwrap();
    fs::remove_dir_all(runs_dir.path().join("20261121T100004Z-broken")).unwrap();
    assert_eq!(found("latest", RunKind::Any), Some(dir.clone()));
    assert_eq!(found("shop-capacity", RunKind::Any), Some(dir));
    assert_eq!(found("latest", RunKind::Run), Some(runs_dir.path().join("20261121T100000Z-flood")));
    assert_eq!(found("shop-capacity", RunKind::Run), None, "it is no run");
}

#[test]
fn what_was_changed_is_not_believed() {
    let runs_dir = tempfile::tempdir().unwrap();
    let mut made = TestRun::new("", &[sample(0, 0, RequestOutcome::Status(200))]);
    let report = made.judge();
    let dir = runs_dir.path().join("20261121T100002Z-flood");
    fs::create_dir(&dir).unwrap();
    made.manifest.write(&dir).unwrap();
    let verdict = String::from_utf8(verdict_document(&report, &dir).unwrap()).unwrap();
    let written = |verdict: &str| {
        fs::write(dir.join("verdict.json"), verdict).unwrap();
        match entries(runs_dir.path()).unwrap().remove(0).content {
            Content::Run(run) => format!("{:?}", run.outcome),
            other => panic!("{other:?}"),
        }
    };
    let outcome = written(&verdict);
    assert_ne!(outcome, "None");
    let other = if outcome == "Some(Pass)" { "fail" } else { "pass" };
    let end = verdict.rfind("\"outcome\": \"").unwrap();
    let changed = format!("{}\"outcome\": \"{other}\"", &verdict[..end]);
    let rest = verdict[end..].split_once(',').unwrap().1;
    assert_eq!(written(&format!("{changed},{rest}")), "None");
    made.manifest.started_unix_ns += 1;
    made.manifest.write(&dir).unwrap();
    assert_eq!(written(&verdict), "None", "another run's");

    let manifest = fs::read_to_string(dir.join("manifest.json")).unwrap();
    fs::write(dir.join("manifest.json"), manifest.replace("\"exclusive\": true", "\"exclusive\": false"))
        .unwrap();
    let Content::Broken { broken } = entries(runs_dir.path()).unwrap().remove(0).content else {
        panic!("it was believed")
    };
    insta::assert_snapshot!(broken, @"manifest.json: it does not match its checksum: it was changed since it was written");
}

#[test]
#[cfg(unix)]
fn a_name_that_is_not_utf_8_is_listed() {
    use std::os::unix::ffi::OsStringExt as _;

    let runs_dir = runs_dir(&["20261121T100000Z-flood"]);
    let name = OsString::from_vec(b"20261121T100001Z-fl\xffod".to_vec());
    let dir = runs_dir.path().join(&name);
    fs::create_dir(&dir).unwrap();
    let mut made = TestRun::new("", &[]);
    made.manifest.started_unix_ns = instant("20261121T100001Z").unwrap();
    made.manifest.write(&dir).unwrap();
    let listed = entries(runs_dir.path()).unwrap();
    assert_eq!(listed[0].run, "20261121T100001Z-fl\u{fffd}od");
    assert!(serde_json::to_string(&listed).unwrap().contains("fl\u{fffd}od\",\"path\":"));
    let found = |name: &str| find(Path::new(name), runs_dir.path(), RunKind::Run);
    assert_eq!(found("latest").unwrap(), dir);
    assert_eq!(found("fl\u{fffd}od").unwrap(), dir);
}
