//! What is written and printed holds no secret in any encoding, and does nothing to a terminal, to a CI's log or
//! to the reader of a file.

use std::{fs, path::Path};

use saasbench_model::redact::secrets::testing::{base64, encodings};

use crate::support::{Echoing, Ended, Sandbox};

/// Twelve characters, of which every encoding is another.
const SECRET: &str = "k9/Zq<é \"7&w";
/// What attacks a terminal, a log, XML and a reader.
const EVIL: &str = "<b>\u{1b}[31mRED\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}31m\r\u{202e}RTL\u{2066}\u{fffe}|`t`\n::error::evil\n##[error]evil";

/// Every file below a directory.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let all = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![(path.display().to_string(), fs::read(&path).unwrap())]
        }
    });
    all.collect()
}

/// The output of a command, as a file.
fn printed(command: &[&str], ended: &Ended) -> (String, Vec<u8>) {
    let is_run = command.first() == Some(&"run") && !command.contains(&"--redis");
    assert!(!ended.err.contains("panicked"), "{command:?}: {}", ended.err);
    assert!(!is_run || matches!(ended.code, Some(1 | 3)), "{command:?}: {ended:?}");
    (command.join(" "), format!("{}\n{}", ended.out, ended.err).into_bytes())
}

#[test]
fn a_secret_is_neither_written_nor_printed() {
    let mut texts = encodings(SECRET);
    for before in ["", "m", "me:"] {
        texts.push(base64(format!("{before}{SECRET}").as_bytes(), false));
        texts.push(base64(format!("{before}{SECRET}").as_bytes(), true));
    }
    texts.sort();
    texts.dedup();
    assert!(texts.len() >= 20);
    let service = Echoing::start(texts.iter().map(|text| format!("said {text}.")).collect());
    let scenario = r#"
version = 1
name = "secret"
[[tenant]]
id = "acme"
[[journey]]
name = "j"
[[journey.step]]
post = "/x/${env:SECRET}?q=${env:SECRET}"
headers = { X-Api-Key = "${env:SECRET}" }
auth = { basic = ["me", "${env:SECRET}"] }
json = { text = "${env:SECRET}" }
status = [200, 429]
check = { header = "x-echo", is = "never" }
[[journey.step]]
get = "/y"
status = [200, 429]
check = { json = "/v", is = "never" }
[[journey.step]]
get = "/z"
status = [200, 429]
check = { json = "/v", contains = "${env:SECRET}!" }
[[load]]
rate = "50/s"
duration = "2s"
[metrics]
interval = "1s"
settle = "100ms"
"#;
    let sandbox = Sandbox::with(scenario, "");
    let password: String = SECRET.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let (target, prometheus) = (service.url(""), service.url(&format!("me:{password}@")));
    let run = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        let ended = sandbox.start_command(command.env("SECRET", SECRET).env("GITHUB_ACTIONS", "true")).end();
        printed(arguments, &ended)
    };
    let mut all = vec![run(&[
        "run",
        "scenario.toml",
        "--target",
        &target,
        "--prometheus",
        &prometheus,
        "-vv",
        "--color",
        "always",
        "--json",
        "report.json",
        "--junit",
        "junit.xml",
        "--markdown",
        "summary.md",
    ])];
    let recorded = sandbox.only_run().display().to_string();
    all.push(run(&["run", "scenario.toml", "--target", &target, "--progress", "json", "--json", "-"]));
    let redis = format!("redis://:{password}@127.0.0.1:1");
    all.push(run(&["run", "scenario.toml", "--target", &target, "--redis", &redis]));
    for command in ["verify", "show", "report"] {
        all.push(run(&[command, &recorded]));
    }
    all.push(run(&["list"]));
    all.push(run(&["compare", &recorded, &recorded, "--markdown", "-"]));
    all.push(run(&["metrics", &format!("{}/nowhere", service.url(&format!("me:{password}@")))]));
    let page = format!("{prometheus}/metrics");
    all.push(run(&["metrics", &page]));
    all.extend(files(sandbox.path()));
    assert!(all.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains("/x/said ${env:SECRET#")));
    for (name, bytes) in &all {
        for text in &texts {
            // The last character of Base64 may hold bits of what follows the secret.
            let searched = text.as_bytes().get(2..text.len() - 1).unwrap();
            let found = bytes.windows(searched.len()).any(|window| window == searched);
            assert!(!found, "{text} is in {name}:\n{}", String::from_utf8_lossy(bytes));
        }
    }
}

/// Whether a line would act on what shows it.
fn acts(line: &str) -> bool {
    let is_evil = |c: char| {
        c.is_control() && c != '\t'
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}')
    };
    let is_command = line.trim_start().strip_prefix("::").is_some_and(|rest| rest.contains("::"));
    line.contains(is_evil) || is_command || line.contains("##[")
}

#[test]
fn text_of_others_does_nothing_to_its_reader() {
    let service = Echoing::start(vec![EVIL.to_owned(), "\u{202e}<script>|`".to_owned()]);
    let about = serde_json::to_string(EVIL).unwrap();
    let name = "\\u202e<script>::error::|`]]>\\ufffe";
    let scenario = format!(
        r#"
version = 1
name = "evil"
description = {about}
[[tenant]]
id = "{name}"
[[journey]]
name = "{name}"
[[journey.step]]
name = "{name}"
get = "/x"
status = [200, 429]
check = {{ json = "/v", is = "never" }}
[[load]]
rate = "50/s"
duration = "2s"
[[limit]]
route = "GET /x"
quota = "8/10s"
algorithm = "fixed-window"
[[expect]]
promql = "up{{a=\"{name}\"}}"
is = "> 1"
[metrics]
interval = "1s"
settle = "100ms"
"#
    );
    let sandbox = Sandbox::with(&scenario, "");
    let url = service.url("");
    let run = |arguments: &[&str]| printed(arguments, &sandbox.run(arguments));
    let out = "runs\u{1b}[31m\u{202e}\n::error::dir";
    let mut all = vec![run(&[
        "run",
        "scenario.toml",
        "--target",
        &url,
        "--prometheus",
        &url,
        "-vv",
        "--out",
        out,
        "--json",
        "report.json",
        "--junit",
        "junit.xml",
        "--markdown",
        "summary.md",
    ])];
    let recorded = fs::read_dir(sandbox.path().join(out)).unwrap().next().unwrap().unwrap().path();
    let recorded = recorded.display().to_string();
    all.push(run(&["run", "scenario.toml", "--target", &url, "--progress", "json", "--json", "-"]));
    for command in ["verify", "show", "report"] {
        all.push(run(&[command, &recorded]));
    }
    all.push(run(&["report", &recorded, "--out", "-"]));
    all.push(run(&["list", "--out", out]));
    all.push(run(&["compare", &recorded, &recorded]));
    all.push(run(&["compare", &recorded, &recorded, "--markdown", "-"]));
    all.push(run(&["validate", "scenario.toml"]));
    all.push(run(&["validate", "\u{1b}[31m\n::error::.toml"]));
    all.push(run(&["metrics", &format!("{url}/metrics")]));
    all.push(run(&["metrics", &format!("{url}/metrics"), "--guess"]));
    // Names in a manifest that was changed.
    let manifest = Path::new(&recorded).join("manifest.json");
    let mut changed: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    changed["environment"]["name"] = EVIL.into();
    changed["environment"]["replicas"][0]["url"] = EVIL.into();
    fs::write(&manifest, changed.to_string()).unwrap();
    for command in ["verify", "show", "report"] {
        all.push(run(&[command, &recorded]));
    }
    for file in ["report.json", "junit.xml", "summary.md"] {
        all.push((file.to_owned(), fs::read(sandbox.path().join(file)).unwrap()));
    }
    let page = fs::read(Path::new(&recorded).join("report.html")).unwrap();
    all.push(("report.html".to_owned(), page));
    for (name, bytes) in all {
        let text = String::from_utf8(bytes).unwrap();
        let line = text.lines().find(|line| acts(line));
        assert!(line.is_none(), "{name}: {line:?}");
    }

    // In colour, only the program's own styles are left.
    let coloured = sandbox.run(&["verify", &recorded, "--color", "always"]);
    let shown = format!("{}{}", coloured.out, coloured.err);
    let plain = anstream::adapter::strip_str(&shown).to_string();
    assert!(shown.contains('\u{1b}') && !plain.lines().any(acts), "{plain:?}");
}
