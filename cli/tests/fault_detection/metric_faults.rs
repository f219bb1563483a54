//! Every metrics fault is detected by its claim and diagnosed, without other violations; a conforming service
//! passes, whatever happens to its requests. The resulting table is in `docs/metrics.md`.

use std::{fmt::Write as _, sync::Mutex, thread, time::Duration};

use saasbench_verify::{
    Report,
    verdict::{Claim, Outcome, Verdict},
};

use crate::{
    run::{Plan, seeds},
    service::Trouble,
};

/// Shapes of the load, chosen in turn by the seed.
const SHAPES: [&str; 4] =
    ["open", "closed", "with requests without a response", "in stages, of mixed journeys"];

/// A fault, its value for each shape (or for all), the claim that must fail, and those that may for the same
/// reason.
struct Row {
    fault: &'static str,
    values: &'static [&'static str],
    claim: Claim,
    along: &'static [Claim],
}

const fn row(
    fault: &'static str,
    values: &'static [&'static str],
    claim: Claim,
    along: &'static [Claim],
) -> Row {
    Row { fault, values, claim, along }
}

impl Row {
    /// The fault as `--fault` takes it.
    fn with_value(&self, seed: u64) -> String {
        let value = self.values.get(seed as usize % self.values.len().max(1));
        value.map_or_else(|| self.fault.to_owned(), |value| format!("{}={value}", self.fault))
    }
}

use Claim::{Cardinality, Counters, Gauges, Histograms, Quantiles, Scrapes, Sizes};

const ROWS: &[Row] = &[
    // Each request without a response may be one that was lost, so more losses are needed for detection.
    row("count-lost", &["1000", "1000", "20", "500"], Counters, &[Histograms, Sizes]),
    row("count-double", &["1", "2", "1", "100"], Counters, &[Histograms, Sizes]),
    row("status-mislabelled", &[], Counters, &[]),
    row("tenant-mislabelled", &["10", "5", "10", "50"], Counters, &[Histograms]),
    // The gauge of requests in progress then occurs twice, once for each requested path.
    row("handler-raw-path", &[], Counters, &[Cardinality, Histograms, Scrapes, Sizes]),
    row("handler-raw-path", &[], Cardinality, &[Counters, Histograms, Scrapes, Sizes]),
    row("duration-in-ms", &[], Histograms, &[Quantiles]),
    row("duration-excludes-wait", &["60ms", "100ms", "60ms", "200ms"], Quantiles, &[]),
    row("bucket-not-cumulative", &[], Histograms, &[Quantiles]),
    row("inf-mismatch", &[], Histograms, &[]),
    row("sum-wrong", &[], Histograms, &[]),
    row("gauge-stuck", &["200", "50", "20", "200"], Gauges, &[]),
    row("metrics-stale", &[], Scrapes, &[Counters, Gauges, Histograms, Quantiles, Sizes]),
    row("metrics-truncated", &["0.5", "0.9", "0.1", "0.7"], Scrapes, &[]),
    row("scrape-slow", &["3s", "1500ms", "2s", "4s"], Scrapes, &[]),
    row("counter-reset", &["5s", "8s", "3s", "12s"], Counters, &[Histograms, Quantiles, Sizes]),
];

/// Three tenants send about 200 requests per second to two replicas for twenty seconds, several times their
/// quotas; one in ten users sends other requests instead, to existing and missing paths.
fn plan(fault: Option<&str>, seed: u64, restart: bool) -> Plan {
    let shape = seed as usize % SHAPES.len();
    let loads = match shape {
        1 => {
            "[[load]]\njourney = \"chat\"\nusers = 21\nthink_time = \"50ms..150ms\"\nduration = \"20s\"\n\
             [[load]]\njourney = \"look\"\nusers = 3\nthink_time = \"50ms..150ms\"\nduration = \"20s\"\n"
        }
        3 => {
            "[[load]]\njourney = { chat = 5, look = 1 }\nstages = [{ for = \"5s\", rate = \"250/s\" }, { for = \"10s\", rate = \"250/s\" }, { for = \"5s\", rate = \"20/s\" }]\n\
             [[load]]\njourney = \"chat\"\ntenant = \"globex\"\nusers = 4\nthink_time = \"20ms\"\nretry = \"retry-after\"\nduration = \"18s\"\n"
        }
        _ => {
            "[[load]]\njourney = \"chat\"\ntenant = \"acme\"\nrate = \"120/s\"\nduration = \"20s\"\n\
             [[load]]\njourney = \"chat\"\ntenant = [\"globex\", \"initech\"]\nrate = \"80/s\"\nduration = \"20s\"\n\
             [[load]]\njourney = \"look\"\nrate = \"20/s\"\nduration = \"20s\"\n"
        }
    };
    let scenario = format!(
        r#"
version = 1
name = "fault-detection"
seed = {seed}
[metrics]
interval = "{interval}s"
tenantless = ["/", "/nowhere"]
[metrics.routes]
"GET /nowhere" = "none"
[[tenant]]
id = "acme"
[[tenant]]
id = "globex"
[[tenant]]
id = "initech"
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
[[journey]]
name = "look"
[[journey.step]]
get = "/?at=${{n}}"
[[journey.step]]
get = "/nowhere?at=${{n}}"
status = 404
[[journey.step]]
name = "head"
head = "/"
status = 405
{loads}
[[limit]]
route = "POST /chat"
algorithm = "fixed-window"
quota = {{ acme = "30/1s", globex = "20/1s", initech = "{quota}/1s" }}
"#,
        interval = 1 + seed % 5,
        quota = 20 + seed % 7,
    );
    let line = |(id, quota): (&str, u64)| {
        format!("{{\"id\": \"{id}\", \"limits\": {{\"chat_per_1s\": {quota}}}}}\n")
    };
    let tenants = [("acme", 30), ("globex", 20), ("initech", 20 + seed % 7)].map(line).concat();
    let trouble = Trouble {
        slow_bodies: true,
        lost: (shape == 2).then_some(100),
        restart: restart.then(|| {
            (Duration::from_millis(4_000 + 431 * seed % 12_000), Duration::from_millis(200 + 71 * (seed % 9)))
        }),
    };
    let faults = fault.map(|fault| fault.parse().unwrap()).into_iter().collect();
    Plan { scenario, tenants, faults, seed, trouble }
}

/// Whether a verdict reports a fault of the metrics. Requests without a response are rightly errors of the
/// service.
fn fails(verdict: &&Verdict) -> bool {
    verdict.outcome == Outcome::Fail && verdict.claim != Claim::Expectation
}

/// The diagnosis of the first failing finding of a claim, with its sentence.
fn diagnosis(report: &Report, claim: Claim) -> Option<(String, String)> {
    let verdicts = report.verdicts.iter().filter(fails).filter(|verdict| verdict.claim == claim);
    let mut named =
        verdicts.flat_map(|verdict| &verdict.evidence).filter_map(|finding| finding.diagnosis.as_ref());
    named.next().map(|diagnosis| (diagnosis.hypothesis.clone(), diagnosis.sentence.clone()))
}

/// The sentence of a run's diagnosis, or what was unexpected about the run.
fn run(row: &Row, seed: u64) -> Result<String, String> {
    let fault = row.with_value(seed);
    let report = plan(Some(&fault), seed, false).report();
    let place = format!("{fault}, {}, seed {seed}", SHAPES[seed as usize % SHAPES.len()]);
    let failed = || report.verdicts.iter().filter(fails);
    if !failed().any(|verdict| verdict.claim == row.claim) {
        let doubtful = report.verdicts.iter().filter(|verdict| verdict.claim == row.claim);
        return Err(format!(
            "{place}: {} does not fail: {}; what does: {}",
            row.claim,
            shown(doubtful),
            shown(failed())
        ));
    }
    if let Some(other) =
        failed().find(|verdict| verdict.claim != row.claim && !row.along.contains(&verdict.claim))
    {
        return Err(format!("{place}: {} fails, too: {} {}", other.claim, other.subject, other.summary));
    }
    match diagnosis(&report, row.claim) {
        Some((hypothesis, sentence)) if hypothesis == row.fault => Ok(sentence),
        other => {
            Err(format!("{place}: called {other:?}; {}", shown(failed().filter(|v| v.claim == row.claim))))
        }
    }
}

fn shown<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let lines =
        verdicts.map(|verdict| format!("\n    {} {}: {}", verdict.claim, verdict.subject, verdict.summary));
    lines.collect()
}

/// Does `work` for each number below `count`, on one thread per CPU.
fn in_parallel<T: Send>(count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, done) = (Mutex::new(0..count), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(number) = { next.lock().unwrap().next() } {
                    let result = work(number);
                    done.lock().unwrap().push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[test]
fn every_metrics_fault_is_detected_and_diagnosed() {
    // One for each shape at least.
    let seeds = seeds(SHAPES.len() as u64, 20);
    let runs = in_parallel(ROWS.len() as u64 * seeds, |run_number| {
        run(&ROWS[(run_number / seeds) as usize], run_number % seeds)
    });
    let mut table =
        String::from("| fault | caught by | what is said of it, in the first run |\n|---|---|---|\n");
    for (row, runs) in ROWS.iter().zip(runs.chunks(seeds as usize)) {
        let sentence = runs[0].as_deref().unwrap_or_default();
        let _ = writeln!(table, "| `{}` | {} | {sentence} |", row.with_value(0), row.claim);
    }
    let misses: Vec<&String> = runs.iter().filter_map(|run| run.as_ref().err()).collect();
    let listed: Vec<String> = misses.iter().map(|miss| format!("{miss}\n")).collect();
    assert!(misses.is_empty(), "{} of {} runs:\n{}", misses.len(), runs.len(), listed.concat());
    let docs = include_str!("../../../docs/metrics.md");
    assert!(docs.contains(&table), "docs/metrics.md has another table than this:\n{table}");
}

#[test]
fn conforming_metrics_pass() {
    let failed = in_parallel(2 * seeds(12, 50), |number| {
        let (seed, restart) = (number / 2, number % 2 == 1);
        let report = plan(None, seed, restart).report();
        // Counts lost in a restart and requests without a response are inconclusive; everything else passes.
        let calm = !restart && SHAPES[seed as usize % SHAPES.len()] != SHAPES[2];
        let is_metric =
            |verdict: &&Verdict| matches!(verdict.claim, Counters | Histograms | Quantiles | Scrapes);
        let doubtful = |verdict: &&Verdict| calm && is_metric(verdict) && verdict.outcome != Outcome::Pass;
        let shown = shown(report.verdicts.iter().filter(|verdict| fails(verdict) || doubtful(verdict)));
        (!shown.is_empty())
            .then(|| format!("seed {seed}, {}, restart {restart}: {shown}\n", SHAPES[seed as usize % 4]))
    });
    let failed: Vec<String> = failed.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{} runs:\n{}", failed.len(), failed.concat());
}
