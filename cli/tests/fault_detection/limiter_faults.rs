//! Every limiter fault, for every algorithm that it affects, is detected and diagnosed in each run of ten
//! seconds. The table of the thorough series is in `docs/limits.md`.

use std::{collections::BTreeSet, fmt::Write as _, sync::Mutex, thread};

use saasbench_verify::verdict::{Claim, Outcome};
use tenancy::Fault;

use crate::{
    run::{Plan, seeds},
    service::Trouble,
};

/// Seeds of a thorough series, of which the table in `docs/limits.md` is.
const THOROUGH: u64 = 20;

/// Names of the algorithms in `tenants.jsonl` and `[[limit]]`.
pub(crate) const ALGORITHMS: [&str; 5] =
    ["fixed-window", "aligned-window", "sliding-log", "sliding-counter", "token-bucket"];

/// Algorithms that count more than whole windows: only for them it matters whether rejections count.
const WEIGHING: &[&str] = &["sliding-log", "sliding-counter", "token-bucket"];

/// A fault, its values by seed, the affected algorithms, and the expected diagnosis.
struct Row {
    fault: &'static str,
    values: &'static [&'static str],
    algorithms: &'static [&'static str],
    diagnosis: &'static str,
}

const fn row(
    fault: &'static str,
    values: &'static [&'static str],
    algorithms: &'static [&'static str],
    diagnosis: &'static str,
) -> Row {
    Row { fault, values, algorithms, diagnosis }
}

const ROWS: &[Row] = &[
    row("limit-per-replica", &[], &ALGORITHMS, "per-replica"),
    row("limit-off-by-one", &["1", "-1", "2", "3"], &ALGORITHMS, "off-by-one"),
    row("limit-short-window", &["0.5", "0.8", "0.6", "1.5"], &ALGORITHMS, "other-window"),
    row("limit-race", &["10ms", "20ms", "30ms"], &ALGORITHMS, "race"),
    row("limit-false-rejection", &["100", "50", "75"], &ALGORITHMS, "sporadic-rejections"),
    row("limit-shared-key", &[], &ALGORITHMS, "shared-key"),
    row("limit-no-expiry", &[], &ALGORITHMS, "no-expiry"),
    row("limit-fail-open", &["2s..4s", "1s..3s", "5s..6s"], &ALGORITHMS, "fails-open"),
    row("limit-skewed-clock", &["300ms", "450ms", "200ms"], &ALGORITHMS, "skewed-clocks"),
    row("limit-counts-rejections", &[], WEIGHING, "counts-rejections"),
];

/// Two tenants flood two replicas for ten seconds, at several times their quotas.
pub(crate) fn plan(algorithm: &str, faults: Vec<Fault>, seed: u64) -> Plan {
    let (quota, window) = [(30, 1), (25, 1), (60, 2), (40, 2)][seed as usize % 4];
    let rate = 80 + 5 * (seed % 7);
    let line = |id: &str| {
        format!(
            r#"{{"id": "{id}", "limits": {{"chat_per_{window}s": {{"quota": {quota}, "algorithm": "{algorithm}"}}}}}}"#
        )
    };
    let scenario = format!(
        r#"
version = 1
name = "fault-detection"
seed = {seed}
[metrics]
enabled = false
[[tenant]]
id = "acme"
[[tenant]]
id = "globex"
[[journey]]
name = "chat"
[[journey.start]]
post = "/session"
json = {{ tenant_id = "${{tenant}}" }}
save = {{ sid = "/session_id" }}
[[journey.step]]
post = "/chat"
json = {{ tenant_id = "${{tenant}}", session_id = "${{sid}}", message = "${{n}}" }}
status = [200, 429]
[[load]]
tenant = "acme"
rate = "{rate}/s"
duration = "10s"
[[load]]
tenant = "globex"
rate = "{}/s"
duration = "10s"
[[limit]]
route = "POST /chat"
algorithm = "{algorithm}"
quota = "{quota}/{window}s"
"#,
        rate + 11
    );
    Plan {
        scenario,
        tenants: format!("{}\n{}\n", line("acme"), line("globex")),
        faults,
        seed,
        trouble: Trouble::default(),
    }
}

/// Result of the limit's claim in one run.
struct Found {
    outcome: Outcome,
    diagnosis: Option<String>,
    certificate: Option<usize>,
    summary: String,
}

fn run(row: &Row, algorithm: &str, seed: u64) -> Found {
    let value = row.values.get(seed as usize % row.values.len().max(1));
    let fault = value.map_or_else(|| row.fault.to_owned(), |value| format!("{}={value}", row.fault));
    let report = plan(algorithm, vec![fault.parse().unwrap()], seed).report();
    let verdict = report.verdicts.into_iter().find(|verdict| verdict.claim == Claim::Limit).unwrap();
    Found {
        outcome: verdict.outcome,
        diagnosis: verdict
            .evidence
            .iter()
            .find_map(|finding| Some(finding.diagnosis.as_ref()?.hypothesis.clone())),
        certificate: verdict
            .evidence
            .iter()
            .find_map(|finding| Some(finding.certificate.as_ref()?.requests.len())),
        summary: verdict.summary,
    }
}

/// A cell of the table, with the runs in which the fault was missed or given another diagnosis.
fn cell(row: &Row, algorithm: &str) -> (String, Vec<String>) {
    if !row.algorithms.contains(&algorithm) {
        return ("–".to_owned(), Vec::new());
    }
    let (mut sizes, mut misses) = (BTreeSet::new(), Vec::new());
    for seed in 0..seeds(4, THOROUGH) {
        let Found { outcome, diagnosis, certificate, summary } = run(row, algorithm, seed);
        sizes.extend(certificate);
        if outcome != Outcome::Fail || diagnosis.as_deref() != Some(row.diagnosis) {
            misses.push(format!(
                "{}, {algorithm}, seed {seed}: {outcome}, {diagnosis:?}: {summary}",
                row.fault
            ));
        }
    }
    let sizes = match (sizes.first(), sizes.last()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least}–{most}"),
        _ => "none".to_owned(),
    };
    (sizes, misses)
}

/// All cells, computed by one thread per CPU.
fn cells() -> Vec<(String, Vec<String>)> {
    let todo: Vec<(usize, &Row, &str)> = ROWS
        .iter()
        .flat_map(|row| ALGORITHMS.map(|algorithm| (row, algorithm)))
        .enumerate()
        .map(|(at, (row, algorithm))| (at, row, algorithm))
        .collect();
    let count = todo.len();
    let (todo, done) = (Mutex::new(todo), Mutex::new(vec![Default::default(); count]));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((at, row, algorithm)) = { todo.lock().unwrap().pop() } {
                    let cell = cell(row, algorithm);
                    done.lock().unwrap()[at] = cell;
                }
            });
        }
    });
    done.into_inner().unwrap()
}

#[test]
fn every_limiter_fault_is_detected_and_diagnosed() {
    let cells = cells();
    let mut table = format!("| fault | values | diagnosis | {} |\n|---|---|---|", ALGORITHMS.join(" | "));
    table.push_str(&"--:|".repeat(ALGORITHMS.len()));
    table.push('\n');
    for (row, cells) in ROWS.iter().zip(cells.chunks(ALGORITHMS.len())) {
        let sizes: Vec<&str> = cells.iter().map(|(sizes, _)| sizes.as_str()).collect();
        let values = row.values.join(", ");
        let _ = writeln!(table, "| `{}` | {values} | {} | {} |", row.fault, row.diagnosis, sizes.join(" | "));
    }
    let misses: Vec<&str> = cells.iter().flat_map(|(_, misses)| misses).map(String::as_str).collect();
    assert!(misses.is_empty(), "{} runs:\n{}", misses.len(), misses.join("\n"));
    if seeds(0, THOROUGH) < THOROUGH {
        return;
    }
    let docs = include_str!("../../../docs/limits.md");
    assert!(docs.contains(&table), "docs/limits.md has another table than this:\n{table}");
}
