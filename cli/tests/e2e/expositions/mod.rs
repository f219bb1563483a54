//! Compares our exposition parser with promtool and with Prometheus itself: the same expositions are
//! rejected, and names get the same findings.

mod corpus;

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};

use saasbench_exposition::{
    format::Format,
    lint::{
        Finding, lint,
        rule::{Rule, Severity},
    },
    page::Page,
};
use serde_json::Value;

use self::corpus::{But, Case};
use crate::support::{Prometheus, wait_for_some};

fn cases() -> impl Iterator<Item = &'static Case> {
    use corpus::{GROUPS, LABELS, LINES, NAMES, NUMBERS, OPEN_METRICS, VALUES};
    [NUMBERS, LINES, LABELS, NAMES, GROUPS, VALUES, OPEN_METRICS].into_iter().flatten()
}

fn findings(case: &Case) -> Vec<Finding> {
    lint(&Page::read(case.text, case.format))
}

fn is_rejected(case: &Case) -> bool {
    findings(case).iter().any(|finding| finding.severity == Severity::Error)
}

#[test]
fn every_exposition_has_its_expected_findings() {
    for case in cases() {
        let found: Vec<String> =
            findings(case).iter().map(|f| format!("{}:{} {}", f.line, f.column, f.rule)).collect();
        assert_eq!(found, case.finds, "{}: {:?}", case.name, case.text);
    }
    let names: BTreeSet<&str> = cases().map(|case| case.name).collect();
    assert_eq!(names.len(), cases().count(), "each has a name of its own");
    let rules: BTreeSet<Rule> = cases().flat_map(|case| findings(case).into_iter().map(|f| f.rule)).collect();
    assert_eq!(rules.len(), 28, "each rule but that of the Content-Type has an exposition: {rules:?}");
}

/// Verification accepts exactly the expositions without a lint error about lines or repeated series.
#[test]
fn verification_rejects_invalid_expositions() {
    for case in cases().filter(|case| case.format == Format::of_text(case.text)) {
        let wrong =
            |f: &Finding| matches!(f.rule, Rule::Syntax | Rule::DuplicateSeries | Rule::TimestampBack);
        let types = |f: &Finding| f.rule == Rule::DuplicateMetadata && f.message.contains("TYPE");
        let expected = findings(case).iter().any(|finding| wrong(finding) || types(finding));
        // A second value of a series is fine in OpenMetrics, at a later time; verification wants one.
        let expected = expected || case.name == "om-later-timestamp";
        assert_eq!(saasbench_exposition::parse(case.text).is_err(), expected, "{}", case.name);
    }
}

/// Output of promtool: whether it can parse the exposition, and what it reports about names.
fn promtool(text: &str) -> Result<BTreeSet<(String, Rule)>, String> {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    match output.status.code() {
        Some(0 | 3) => Ok(said.lines().map(rule_of).collect()),
        _ => Err(said),
    }
}

/// The metric and our corresponding rule for a line of promtool's output.
fn rule_of(line: &str) -> (String, Rule) {
    let (metric, text) = line.split_once(' ').unwrap();
    let rules = [
        ("no help text", Rule::MissingHelp),
        ("counter metrics should have \"_total\"", Rule::CounterTotal),
        ("non-counter metrics should not have \"_total\"", Rule::ReservedTotal),
        ("\" suffix", Rule::ReservedSuffix),
        ("\" label", Rule::ReservedLabel),
        ("metric name should not include type", Rule::TypeInName),
        ("metric names should not contain ':'", Rule::ColonInName),
        ("not 'camelCase'", Rule::CamelCase),
        ("use base unit", Rule::BaseUnit),
        ("abbreviated units", Rule::UnitAbbreviation),
    ];
    let known = rules.into_iter().find(|(words, _)| text.contains(words));
    (metric.to_owned(), known.unwrap_or_else(|| panic!("promtool knows a rule more: {line}")).1)
}

const RULES_OF_BOTH: [Rule; 10] = [
    Rule::MissingHelp,
    Rule::CounterTotal,
    Rule::ReservedTotal,
    Rule::ReservedSuffix,
    Rule::ReservedLabel,
    Rule::TypeInName,
    Rule::ColonInName,
    Rule::CamelCase,
    Rule::BaseUnit,
    Rule::UnitAbbreviation,
];

#[test]
fn promtool_agrees() {
    for case in cases().filter(|case| case.format != Format::OpenMetrics) {
        let verdict = promtool(case.text);
        let but = case.but.iter().find_map(|but| match but {
            But::PromtoolTakes(_) => Some(false),
            But::PromtoolRejects(_) => Some(true),
            _ => None,
        });
        assert_eq!(verdict.is_err(), but.unwrap_or(is_rejected(case)), "{}: {verdict:?}", case.name);
        assert_ne!(but, Some(is_rejected(case)), "{}: there is no difference", case.name);
        let Ok(theirs) = verdict else { continue };
        let has_lines = findings(case).iter().all(|finding| finding.rule != Rule::Syntax);
        let ours: BTreeSet<(String, Rule)> = findings(case)
            .into_iter()
            .filter(|finding| RULES_OF_BOTH.contains(&finding.rule))
            .filter_map(|finding| Some((finding.metric?, finding.rule)))
            .collect();
        assert!(!has_lines || ours == theirs, "{}: {ours:?} {theirs:?}", case.name);
    }
}

/// Serves the expositions, each at a path of its index, while the tests run.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let path = lines.next().unwrap_or_default();
            let case = path.split([' ', '/']).nth(2).and_then(|number| cases().nth(number.parse().ok()?));
            // The request is read completely, or closing would cut the response off.
            if lines.any(|line| line.is_empty())
                && let Some(case) = case
            {
                let content_type = match case.format {
                    Format::Text004 => "text/plain; version=0.0.4; charset=utf-8",
                    Format::Text100 => "text/plain; version=1.0.0; charset=utf-8",
                    Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
                };
                let _ = write!(
                    &stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
                    case.text.len(),
                    case.text
                );
            }
        }
    });
    port
}

/// Prometheus' targets, by HTTP/1.0, which has no chunked encoding.
fn targets(port: u16) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET /api/v1/targets HTTP/1.0\r\n\r\n").ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    serde_json::from_str(response.split_once("\r\n\r\n")?.1).ok()
}

#[test]
fn prometheus_agrees() {
    let port = serve();
    let jobs: Vec<String> = (0..cases().count())
        .map(|number| {
            format!(
                "  - job_name: \"{number}\"\n    metrics_path: /{number}\n    static_configs:\n      - targets: [\"127.0.0.1:{port}\"]\n"
            )
        })
        .collect();
    let prometheus = Prometheus::configured(&format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n{}",
        jobs.concat()
    ));
    let targets = wait_for_some("Prometheus to have scraped every exposition", || {
        let response = targets(prometheus.port)?;
        let targets = response["data"]["activeTargets"].as_array()?.clone();
        let has_all =
            targets.len() == jobs.len() && targets.iter().all(|target| target["health"] != "unknown");
        has_all.then_some(targets)
    });
    let mut differences = Vec::new();
    for target in targets {
        let number: usize = target["labels"]["job"].as_str().unwrap().parse().unwrap();
        let case = cases().nth(number).unwrap();
        let but = case.but.iter().find_map(|but| match but {
            But::PrometheusTakes(_) => Some("up"),
            But::PrometheusRejects(_) => Some("down"),
            _ => None,
        });
        let ours = if is_rejected(case) { "down" } else { "up" };
        if target["health"] != but.unwrap_or(ours) || but == Some(ours) {
            differences.push(format!("{}: {} {}", case.name, target["health"], target["lastError"]));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}
