//! Random damage to recorded runs: every command that reads them ends, without a panic, and gives no Pass and
//! no Fail that the whole record does not give.
//!
//! 200 mutations by default, 2,000 with `SAASBENCH_THOROUGH`; `SAASBENCH_SEED` starts another series.

mod mutation;

use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use clap::Parser as _;

use self::mutation::{Mutation, Random, copy};
use crate::{
    args::{Cli, Command},
    exit::Exit,
    output::Output,
    run_store::{self, Content},
};
use saasbench_model::units::Nanos;
use saasbench_record::{
    manifest::Recorded,
    reader::RecordedRun,
    sample::{RequestOutcome, Sample},
    self_monitor::SelfMonitorRecord,
    testing::{TestRun, reseal, sample, sealed_document, stall},
};
use saasbench_verify::{Report, verdict::Outcome};

/// A record before it is damaged, and what it gives.
struct Whole {
    dir: tempfile::TempDir,
    found: Found,
}

/// What the commands make of a record.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// By claim and subject.
    verdicts: BTreeMap<String, Outcome>,
    /// Of `verify`, `compare` with a whole record and itself, and what `show` and `list` report.
    outcomes: BTreeMap<&'static str, Outcome>,
}

impl Found {
    /// Every Pass and Fail here that `whole` does not have.
    fn beyond<'a>(&'a self, whole: &'a Self) -> impl Iterator<Item = String> + 'a {
        let verdicts = self
            .verdicts
            .iter()
            .map(|(claim, outcome)| (claim.as_str(), *outcome, whole.verdicts.get(claim)));
        let outcomes = self.outcomes.iter().map(|(of, outcome)| (*of, *outcome, whole.outcomes.get(of)));
        verdicts
            .chain(outcomes)
            .filter(|(_, outcome, whole)| *outcome != Outcome::Inconclusive && *whole != Some(outcome))
            .map(|(of, outcome, whole)| format!("{of}: {outcome}, and {whole:?} of the whole record"))
    }
}

/// Runs a command of the command line; its exit, or none where it failed.
fn run(words: &[&str]) -> Option<Exit> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut output = Output::new(&mut out, &mut err, false);
    match Cli::try_parse_from([&["saasbench"], words].concat()).unwrap().command {
        Command::Verify(args) => super::verify::verify(&args, &mut output),
        Command::Show(args) => super::show::show(&args, &mut output),
        Command::Report(args) => super::report::report(&args, &mut output),
        Command::Compare(args) => super::compare::compare(&args, &mut output),
        Command::List(args) => super::list::list(&args, &mut output),
        other => panic!("{other:?}"),
    }
    .ok()
}

fn outcome(exit: Option<Exit>) -> Outcome {
    match exit {
        Some(Exit::Pass) => Outcome::Pass,
        Some(Exit::Fail) => Outcome::Fail,
        _ => Outcome::Inconclusive,
    }
}

/// What the commands make of the record `run` in `dir`, beside a whole one of the same scenario.
fn found(dir: &Path, base: &Path) -> Found {
    let path = dir.join("run");
    let text = path.to_str().unwrap();
    let json = dir.join("out.json");
    let mut found = Found::default();
    if let Ok(report) = RecordedRun::open(&path)
        .map_err(|_| ())
        .and_then(|run| saasbench_verify::verify(&run).map_err(|_| ()))
    {
        for verdict in &report.verdicts {
            found.verdicts.insert(format!("{} {}", verdict.claim, verdict.subject), verdict.outcome);
        }
    }
    found.outcomes.insert("verify", outcome(run(&["verify", text])));
    found.outcomes.insert("compare", outcome(run(&["compare", base.to_str().unwrap(), text, "--force"])));
    run(&["report", text, "--out", dir.join("page.html").to_str().unwrap()]);
    let _ = fs::remove_file(&json);
    run(&["show", text, "--json", json.to_str().unwrap()]);
    if let Ok(report) = fs::read_to_string(&json)
        .map_err(|_| ())
        .and_then(|text| serde_json::from_str::<Report>(&text).map_err(|_| ()))
    {
        found.outcomes.insert("show", report.outcome);
    }
    run(&["list", "--out", dir.to_str().unwrap()]);
    for entry in run_store::entries(dir).unwrap() {
        let outcome = match entry.content {
            Content::Run(run) => run.outcome,
            Content::Capacity { capacity } => Some(capacity.outcome),
            Content::Broken { .. } => None,
        };
        outcome.map(|outcome| found.outcomes.insert("list", outcome));
    }
    found
}

/// A record with everything that a run leaves: verdict and page included.
fn whole(make: impl FnOnce(&Path)) -> Whole {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    make(&run);
    if run.join("manifest.json").exists() {
        reseal(&run);
        let report = saasbench_verify::verify(&RecordedRun::open(&run).unwrap()).unwrap();
        fs::write(run.join("verdict.json"), run_store::verdict_document(&report, &run).unwrap()).unwrap();
    }
    // Compared with itself under another path, as every mutation is.
    copy(&run, &dir.path().join("base"));
    let base = dir.path().join("base");
    let kept = tempfile::tempdir().unwrap();
    fs::rename(&base, kept.path().join("base")).unwrap();
    let found = found(dir.path(), &kept.path().join("base"));
    Whole { dir, found }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What the generator measured of itself, with these stalls.
fn monitored(stalls: &[(i64, i64)]) -> SelfMonitorRecord {
    let stalls = stalls.iter().map(|(from, length)| stall(*from, *length)).collect();
    SelfMonitorRecord { stalls, ..SelfMonitorRecord::default() }
}

/// A run that breaks its expectation only because the generator stalled.
fn stalled(path: &Path) {
    let slow = |number: i64| {
        let mut sample = sample(number * 4, (number % 2) as usize, RequestOutcome::Status(200));
        if (100..400).contains(&number) {
            sample.done = sample.sent.max(Nanos::from_millis(1700));
        }
        sample
    };
    let samples: Vec<Sample> = (0..500).map(slow).collect();
    let mut made = TestRun::new("[[expect]]\nthat = \"p50 < 50ms\"\n", &samples);
    made.self_monitor = monitored(&[(400, 1300)]);
    made.settled("a", "").settled("b", "");
    made.manifest.recorded = Some(Recorded { segments: 1, samples: 500, ..Recorded::default() });
    made.open();
    copy(made.dir.path(), path);
}

fn records() -> Vec<Whole> {
    let fixed = |name: &'static str| {
        move |path: &Path| {
            copy(&fixture(name), path);
            if name != "capacity" {
                monitored(&[(500, 30)]).write(path).unwrap();
            }
        }
    };
    vec![
        whole(fixed("good")),
        whole(fixed("over-admission")),
        whole(stalled),
        whole(fixed("tampered")),
        whole(fixed("killed")),
        whole(fixed("capacity")),
    ]
}

/// Peak memory of this process in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn no_damage_gives_a_verdict_that_the_whole_record_does_not_give() {
    let is_thorough = std::env::var_os("SAASBENCH_THOROUGH").is_some();
    let count = if is_thorough { 2000 } else { 200 };
    let first = std::env::var("SAASBENCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let records = records();
    let outcome = |index: usize| records[index].found.outcomes["verify"];
    use Outcome::{Fail, Inconclusive, Pass};
    assert_eq!([0, 1, 2, 3, 4].map(outcome), [Pass, Fail, Inconclusive, Fail, Inconclusive]);
    let mut wrong = Vec::new();
    for seed in first..first + count {
        let mut random = Random::new(seed);
        let index = random.below(records.len());
        let (record, other) = (&records[index], &records[random.below(records.len())]);
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        copy(&record.dir.path().join("run"), &run);
        let mutation = Mutation::apply(&mut random, &run, &other.dir.path().join("run"));
        let tried = catch_unwind(AssertUnwindSafe(|| found(dir.path(), &record.dir.path().join("run"))));
        let of = format!("seed {seed}, record {index}, {mutation:?}");
        match tried {
            Err(_) => wrong.push(format!("{of}: it panicked")),
            Ok(found) => wrong.extend(found.beyond(&record.found).map(|what| format!("{of}: {what}"))),
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    // Alone in its process, as `ci/nightly` runs it.
    if is_thorough {
        assert!(peak_memory() < 200_000_000, "{} bytes", peak_memory());
    }
}

/// A manifest that was made to say something else, checksum included, may be wrong in what it says, but ends
/// no command with a panic.
#[test]
fn no_manifest_that_is_made_up_ends_in_a_panic() {
    let count = if std::env::var_os("SAASBENCH_THOROUGH").is_some() { 1000 } else { 100 };
    let records = records();
    let mut wrong = Vec::new();
    for seed in 1..=count {
        let mut random = Random::new(seed);
        let record = &records[random.below(5)];
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        copy(&record.dir.path().join("run"), &run);
        let mutation = Mutation::field(&mut random, &run);
        let manifest = run.join("manifest.json");
        fs::write(&manifest, sealed_document(&fs::read_to_string(&manifest).unwrap())).unwrap();
        if catch_unwind(AssertUnwindSafe(|| found(dir.path(), &record.dir.path().join("run")))).is_err() {
            wrong.push(format!("seed {seed}: {mutation:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
