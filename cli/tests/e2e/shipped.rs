//! The configuration shipped in `compose/`: Prometheus's and Alertmanager's own tools accept it, and every
//! rule has a test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A file or directory of `compose/`.
fn compose(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose").join(path)
}

/// The YAML files of a directory of `compose/`, in order.
fn files(dir: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(compose(dir)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yml"));
    files.sort();
    assert!(!files.is_empty(), "{dir} is empty");
    files
}

/// Runs a tool that must succeed; returns its output.
fn satisfied(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{command:?}\n{text}");
    text
}

#[test]
fn promtool_accepts_the_configuration() {
    let text = satisfied(
        Command::new("promtool").args(["check", "config"]).arg(compose("prometheus/prometheus.yml")),
    );
    let number = files("prometheus/rules").len();
    assert!(text.contains(&format!("{number} rule files found")), "{text}");
}

#[test]
fn promtool_accepts_the_rules() {
    let mut command = Command::new("promtool");
    satisfied(command.args(["check", "rules", "--lint=all", "--lint-fatal"]).args(files("prometheus/rules")));
}

#[test]
fn the_rules_pass_their_tests() {
    satisfied(Command::new("promtool").args(["test", "rules"]).args(files("prometheus/tests")));
}

#[test]
fn every_rule_is_tested() {
    let tests =
        files("prometheus/tests").iter().map(|file| fs::read_to_string(file).unwrap()).collect::<String>();
    for file in files("prometheus/rules") {
        let text = fs::read_to_string(&file).unwrap();
        let rules = text.lines().filter_map(|line| line.trim().strip_prefix("- "));
        for alert in rules.clone().filter_map(|line| line.strip_prefix("alert: ")) {
            // It must fire in one test, and stay silent or have resolved in another.
            let cases = tests.split("alertname: ").filter(|case| case.starts_with(alert));
            let (fires, silent): (Vec<&str>, Vec<&str>) = cases.partition(|case| case.contains("exp_alerts"));
            assert!(!fires.is_empty() && silent.len() >= 2, "{alert} of {} is not tested", file.display());
        }
        for record in rules.filter_map(|line| line.strip_prefix("record: ")) {
            let asked =
                tests.contains(&format!("expr: {record}\n")) || tests.contains(&format!("({record},"));
            assert!(asked, "{record} of {} is not tested", file.display());
        }
    }
}

/// Fills the template of Alertmanager's configuration from these variables; returns amtool's output and the
/// file.
fn filled(variables: &[(&str, &str)]) -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.arg(compose("alertmanager/entrypoint.sh")).env_clear().env("PATH", "/usr/bin:/bin");
    // A program that only exits, instead of Alertmanager.
    command.envs(variables.iter().copied()).env("ALERTMANAGER", "true");
    satisfied(command.env("ALERTMANAGER_CONFIG_DIR", dir.path()));
    let file = dir.path().join("alertmanager.yml");
    let said = satisfied(Command::new("amtool").arg("check-config").arg(&file));
    let text = fs::read_to_string(file).unwrap();
    (said, text.replace(&*dir.path().to_string_lossy(), "DIR"))
}

#[test]
fn amtool_accepts_alertmanagers_configuration() {
    let slack = [("SLACK_API_URL", "https://hooks.example/SECRET"), ("SLACK_CHANNEL", r"#a'b&|c\d")];
    let mail = [("SMTP_SMARTHOST", "mail:587"), ("SMTP_FROM", "Alerts <a@b.c>"), ("SMTP_TO", "on-call@b.c")];
    let login = [("SMTP_USERNAME", "me"), ("SMTP_PASSWORD", "SECRET")];
    for variables in [&[][..], &slack, &mail, &[mail.as_slice(), &login].concat()] {
        let (said, _) = filled(variables);
        assert!(said.contains("2 receivers"), "{said}");
    }
    let webhook = [("WEBHOOK_URL", "http://127.0.0.1:1/hook")];
    let (_, text) = filled(&[slack.as_slice(), &mail, &login, &webhook].concat());
    insta::assert_snapshot!(text);
}
