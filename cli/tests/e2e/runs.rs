//! Commands on recorded runs, new scenarios, shell completions and manual pages.

use std::{fs, process::Stdio};

use serde_json::Value;

use crate::support::{Calibration, Report, Sandbox};

#[test]
fn runs_are_listed_and_shown() {
    let service = Calibration::start(&[]);
    let sandbox = Sandbox::new();
    let nothing = sandbox.run(&["list"]);
    nothing.assert_code(0);
    nothing.assert_says(&["nothing is recorded in runs"]);
    for count in ["20", "30"] {
        sandbox.run(&["stress", &service.url(), "-q", "40", "-n", count, "--quiet"]).assert_nothing_failed();
    }
    fs::create_dir(sandbox.path().join("runs/notes")).unwrap();

    let listed = sandbox.run(&["list"]);
    listed.assert_code(0);
    listed.assert_says(&["stress-127.0.0.1", "ad hoc", "no run: no manifest.json"]);
    let listed: Value = serde_json::from_str(&sandbox.run(&["list", "--json", "-"]).out).unwrap();
    let runs: Vec<&Value> =
        listed["runs"].as_array().unwrap().iter().filter(|run| run["broken"].is_null()).collect();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["requests"], &runs[1]["requests"]), (&30.into(), &20.into()));
    assert_ne!(runs[0]["outcome"], "fail");
    assert_eq!(runs[0]["state"], "finished");

    let path = sandbox.run(&["show", "latest", "--path"]);
    assert_eq!(path.out.trim(), runs[0]["path"].as_str().unwrap());
    let shown = sandbox.run(&["show", "latest"]);
    shown.assert_code(0);
    // The recorded run is shown, and judging it again gives the same result.
    let dir = sandbox.path().join(path.out.trim());
    assert_eq!(sandbox.run(&["verify", "stress-127.0.0.1"]).out, shown.out);
    fs::remove_file(dir.join("verdict.json")).unwrap();
    assert_eq!(sandbox.run(&["show", "latest"]).out, shown.out);
    let json = sandbox.run(&["show", runs[1]["run"].as_str().unwrap(), "--json", "-"]);
    assert_eq!(Report::parse(&json.out).count("/total/requests"), 20);
    let none = sandbox.run(&["show", "flood"]);
    none.assert_code(2);
    none.assert_says(&["there is no run `flood`", "saasbench list"]);
}

#[test]
fn output_that_cannot_be_written_fails_every_command() {
    let sandbox = Sandbox::new();
    for words in [&["--help"][..], &["--version"], &["run", "--help"], &["completions", "bash"], &["man"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = sandbox.command(words).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(5), "{words:?}: {err}");
        assert_eq!(err, "error: cannot write to standard output: No space left on device (os error 28)\n");
    }
    sandbox.run(&["--help"]).assert_code(0);
    sandbox.run(&["--nonsense"]).assert_code(2);
}

#[test]
fn completions_and_man_pages_are_generated() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = sandbox.run(&["completions", shell]);
        script.assert_code(0);
        assert!(script.out.contains("stress") && !script.out.contains("cleanup"), "{shell}: {}", script.out);
    }
    let manual = sandbox.run(&["man"]);
    manual.assert_code(0);
    manual.assert_says(&[".TH saasbench 1", "stress"]);
    sandbox.run(&["man", "share/man1"]).assert_code(0);
    let pages = fs::read_dir(sandbox.path().join("share/man1")).unwrap();
    let mut pages: Vec<String> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    assert!(
        pages.contains(&"saasbench-run.1".to_owned()) && !pages.contains(&"saasbench-part.1".to_owned()),
        "{pages:?}"
    );
    let run = fs::read_to_string(sandbox.path().join("share/man1/saasbench-run.1")).unwrap();
    assert!(run.contains("scenarios/flood.toml"), "{run}");
}

#[test]
fn a_new_scenario_is_valid_and_not_overwritten() {
    let sandbox = Sandbox::new();
    let made = sandbox.run(&["new", "checkout"]);
    made.assert_code(0);
    made.assert_says(&["wrote checkout.toml; run it: saasbench run checkout.toml"]);
    sandbox.run(&["validate", "checkout.toml"]).assert_code(0);
    let again = sandbox.run(&["new", "checkout.toml"]);
    again.assert_code(2);
    again.assert_says(&["checkout.toml is there already", "--force"]);
    sandbox.run(&["new", "checkout", "--force"]).assert_code(0);
    let text = fs::read_to_string(sandbox.path().join("checkout.toml")).unwrap();
    assert_eq!(sandbox.run(&["new", "-"]).out, text.replace("checkout", "new"));
    let ran = sandbox.run(&["run", "checkout.toml", "--run-time", "2s", "--rate", "100", "--quiet"]);
    ran.assert_nothing_failed();
    ran.assert_says(&["changed by the command line: 100/s for 2 s"]);

    let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/src/scaffold/openapi/specs/petstore.yaml");
    let made = sandbox.run(&["new", "pets", "--from", spec]);
    made.assert_code(0);
    made.assert_says(&[
        "left out: POST /pets/{petId}/uploadImage",
        "it needs the variable API_KEY",
        "--target https://petstore.example.com/v1",
    ]);
    let mut validate = sandbox.command(&["validate", "pets.toml"]);
    validate.envs([("API_KEY", "x"), ("PETSTORE_AUTH", "y")]);
    sandbox.start_command(&mut validate).end().assert_code(0);
    let broken = sandbox.run(&["new", "x", "--from", &spec.replace("petstore", "broken")]);
    broken.assert_code(2);
    broken.assert_says(&["leads nowhere; did you mean `Dog`?", "help: "]);
    for words in [&["new", "a b"][..], &["new", "x", "--from", "no/such.json"], &["new", "no/such/dir/x"]] {
        let wrong = sandbox.run(words);
        assert!(matches!(wrong.code, Some(2 | 5)), "{wrong:?}");
        assert!(wrong.err.starts_with("error: "), "{wrong:?}");
    }
}
