//! Executes the scripts of `docs/ci.md` verbatim, and parses its workflows as YAML.

use std::{env, fs, path::Path, process::Command};

use serde_yaml_ng::Value;

use crate::support::{Copied, Sandbox, TENANTS, fixture, short};

fn repository(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The code blocks of a language in `docs/ci.md`.
fn blocks(language: &str) -> Vec<String> {
    let text = fs::read_to_string(repository("docs/ci.md")).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// All values of a key anywhere in a document.
fn under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Mapping(entries) => {
            found.extend(entries.get(key));
            entries.values().for_each(|value| under(value, key, found));
        }
        Value::Sequence(elements) => elements.iter().for_each(|element| under(element, key, found)),
        _ => {}
    }
}

/// Runs a script as GitHub does; returns its stdout and its sandbox.
fn run(script: &str) -> (String, Sandbox) {
    let sandbox = Sandbox::with(&short("1s"), TENANTS);
    let program = Path::new(env!("CARGO_BIN_EXE_saasbench"));
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(sandbox.path()).env("PATH", path).env("GITHUB_ACTIONS", "true");
    command.env("GITHUB_STEP_SUMMARY", sandbox.path().join("step.md"));
    command.env("GITHUB_WORKSPACE", sandbox.path());
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{script}\n{out}\n{err}");
    (out, sandbox)
}

#[test]
fn documented_scripts_work() {
    let mut scripts = blocks("sh");
    assert_eq!(scripts.len(), 3);
    for block in blocks("yaml") {
        let document: Value = serde_yaml_ng::from_str(&block).unwrap();
        let mut found = Vec::new();
        under(&document, "run", &mut found);
        under(&document, "script", &mut found);
        let lines = found.iter().flat_map(|value| match value {
            Value::Sequence(lines) => lines.iter().filter_map(Value::as_str).collect(),
            other => vec![other.as_str().unwrap()],
        });
        scripts.extend(lines.filter(|script| script.contains("saasbench run")).map(str::to_owned));
    }
    assert_eq!(scripts.len(), 5, "{scripts:#?}");
    std::thread::scope(|scope| {
        for script in &scripts {
            scope.spawn(move || {
                let (out, sandbox) = run(script);
                let written = |name: &str| fs::read_to_string(sandbox.path().join(name)).unwrap_or_default();
                assert!(!out.contains("::error") && !out.contains("::warning"), "{out}");
                assert!(
                    !script.contains("junit.xml") || written("junit.xml").contains("<testsuites"),
                    "{script}"
                );
                assert!(
                    !script.contains("summary.md") || written("summary.md").contains("## ✅"),
                    "{script}"
                );
                assert!(!script.contains("STEP_SUMMARY") || written("step.md").contains("## ✅"), "{script}");
                assert!(
                    !script.contains("report.json") || written("report.json").starts_with('{'),
                    "{script}"
                );
            });
        }
    });
}

#[test]
fn failures_are_annotated_on_github() {
    let verify = |arguments: &[&str]| {
        let run = Copied::of(&fixture("over-admission"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_saasbench"));
        command.arg("verify").arg(run.path()).args(arguments).env("GITHUB_ACTIONS", "true");
        command.env_remove("GITHUB_STEP_SUMMARY").env_remove("GITHUB_WORKSPACE");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let text = verify(&[]);
    let annotations: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert!(!annotations.is_empty(), "{text}");
    for claim in ["limit", "headers"] {
        let start = format!("::error file=scenario.toml,line=35,col=1,title={claim}%3A POST /chat");
        assert!(annotations.iter().any(|annotation| annotation.starts_with(&start)), "{text}");
    }
    assert!(!verify(&["--json", "-"]).contains("::error"));
}

#[test]
fn workflows_are_yaml_with_jobs() {
    for entry in fs::read_dir(repository(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let document: Value = serde_yaml_ng::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let jobs = document.get("jobs").and_then(Value::as_mapping).unwrap();
        for (name, job) in jobs {
            assert!(job.get("runs-on").is_some() && job.get("steps").is_some(), "{path:?} {name:?}");
        }
    }
}
