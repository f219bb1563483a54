//! Simulated processes behind one address. One process, however often it is restarted, is never several; several
//! are, as soon as one of them is met again.

use proptest::prelude::*;

use super::several;
use crate::{
    testing::Judge as _,
    verdict::{Claim, Outcome},
};
use saasbench_model::{scenario::Preset, units::Nanos};
use saasbench_record::{
    observations::Scrape,
    sample::RequestOutcome,
    scrape::Phase,
    testing::{TestRun, sample},
};

/// What a process shows: when it started, and what it has counted and used of the processor.
#[derive(Debug, Clone, Copy, Default)]
struct Process {
    start: Option<f64>,
    count: u32,
    cpu: Option<f64>,
}

impl Process {
    fn page(&self) -> String {
        let line = |name: &str, value: Option<f64>| value.map(|value| format!("{name} {value}\n"));
        let start = line("process_start_time_seconds", self.start).unwrap_or_default();
        let cpu = line("process_cpu_seconds_total", self.cpu).unwrap_or_default();
        let labels = r#"handler="/chat",method="POST",status="200""#;
        format!("{start}{cpu}http_requests_total{{{labels}}} {}\n", self.count)
    }
}

fn scrapes(readings: &[(Phase, Process)]) -> Vec<Scrape> {
    let scrape = |(at, (phase, process)): (usize, &(Phase, Process))| Scrape {
        phase: *phase,
        from: Nanos::from_secs(at as i64),
        to: Nanos::from_secs(at as i64) + Nanos(1),
        file: None,
        settled: false,
        text: Ok(process.page()),
        page: None,
    };
    readings.iter().enumerate().map(scrape).collect()
}

fn found(readings: &[(Phase, Process)]) -> Option<usize> {
    several(&scrapes(readings), &Preset::Tenancy.contract())
}

/// Phases in order, of a number of scrapes.
fn phase(at: usize, of: usize) -> Phase {
    match at * 3 / of {
        0 => Phase::Before,
        1 => Phase::During,
        _ => Phase::After,
    }
}

proptest! {
    #[test]
    fn one_process_with_restarts_is_never_several(
        steps in prop::collection::vec((0_u32..50, prop::bool::weighted(0.2)), 3..30),
        says_start in prop::bool::ANY,
        says_cpu in prop::bool::ANY,
    ) {
        let mut process = Process {
            start: says_start.then_some(100.0),
            cpu: says_cpu.then_some(1.0),
            ..Process::default()
        };
        let of = steps.len();
        let readings: Vec<_> = steps.into_iter().enumerate().map(|(at, (more, restarts))| {
            if restarts {
                process = Process {
                    start: process.start.map(|start| start + 0.01),
                    cpu: process.cpu.map(|_| 0.0),
                    count: 0,
                };
            }
            // After the load, nothing is counted.
            if phase(at, of) == Phase::During {
                process.count += more;
            }
            process.cpu = process.cpu.map(|cpu| cpu + f64::from(more) * 0.01);
            (phase(at, of), process)
        }).collect();
        prop_assert_eq!(found(&readings), None);
    }

    #[test]
    fn several_are_found_when_one_is_met_again(
        counts in prop::collection::btree_set(1_u32..1_000, 2..6),
        meets in prop::collection::vec(0_usize..6, 2..8),
        starts in 0_u8..3,
    ) {
        let start = |index: usize| match starts {
            0 => None,
            1 => Some(100.0),
            _ => Some(100.0 + index as f64 / 100.0),
        };
        let of = |(index, count): (usize, &u32)| Process { start: start(index), count: *count, cpu: None };
        let processes: Vec<Process> = counts.iter().enumerate().map(of).collect();
        // The one with the most is met, then others, then the first again.
        let last = processes.len() - 1;
        let others = meets.iter().map(|index| index % last);
        let met: Vec<usize> = [last].into_iter().chain(others).chain([last]).collect();
        let readings: Vec<_> = met.iter().map(|index| (Phase::After, processes[*index])).collect();
        prop_assert!(found(&readings).is_some_and(|found| (2..=processes.len()).contains(&found)));
    }
}

#[test]
fn processes_that_counted_the_same_differ_in_processor_time() {
    let process = |cpu: f64| Process { start: Some(100.0), count: 5, cpu: Some(cpu) };
    assert_eq!(found(&[(Phase::After, process(1.5)), (Phase::After, process(1.4))]), Some(2));
    assert_eq!(found(&[(Phase::After, process(1.4)), (Phase::After, process(1.5))]), None);
}

/// Ten requests: five that the one of two processes counts, then five that the other counts. The scrapes meet them in
/// turn.
fn met_in_turn(starts: [f64; 2]) -> TestRun {
    let samples: Vec<_> = (0..10).map(|i| sample(i * 1000, 0, RequestOutcome::Status(200))).collect();
    let mut made = TestRun::new("", &samples);
    made.manifest.environment.replicas.truncate(1);
    let page = |number: usize, count: u32| Process { start: Some(starts[number]), count, cpu: None }.page();
    made.scrape("a", "before", &page(0, 0));
    let mut times = vec![(-1000, -999)];
    for (at, number, count) in [(4_600, 0, 5), (5_600, 1, 1), (6_600, 0, 5)] {
        made.scrape("a", "during", &page(number, count));
        times.push((at, at + 1));
    }
    for at in [20_000, 21_000] {
        made.scrape("a", "after", &page(0, 5));
        times.push((at, at + 1));
    }
    made.stamp_scrapes(&times);
    made
}

/// Also where both have counted the same in the end, and their start times are the same.
#[test]
fn several_processes_are_no_failure_and_said_first() {
    for (starts, is_at_rest) in [([1.0, 1.0], true), ([1.0, 2.0], true), ([1.0, 2.0], false)] {
        let mut made = met_in_turn(starts);
        if is_at_rest {
            made.at_rest();
        }
        let verdict = made.verdict(Claim::Counters, "http_requests_total of a by scrape");
        assert_eq!(verdict.outcome, Outcome::Inconclusive, "{starts:?} {verdict:#?}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(verdict.summary, @"at least 2 processes respond at this address, each with its own registry: list every replica with an address of its own, or let them share a registry");
        }
    }
}
