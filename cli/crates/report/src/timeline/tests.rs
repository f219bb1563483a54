//! Timelines match the recorded samples, independent of the run's length.

use super::*;
use saasbench_record::{
    sample::{NoResponseReason, NotSentReason},
    testing::{TestRun, sample},
};
use saasbench_verify::testing::Judge as _;

/// A run's timeline and its report.
fn judged(more: &str, samples: &[Sample], length: i64) -> (Timeline, saasbench_verify::Report) {
    let mut made = TestRun::new(more, samples);
    if let Some(load) = &mut made.manifest.load {
        load.to_ns = Nanos::from_secs(length);
    }
    made.judge();
    let run = RecordedRun::open(made.dir.path()).unwrap();
    let (report, timeline) = judge(&run, |_| {}).unwrap();
    (timeline, report)
}

fn outcome(number: i64) -> RequestOutcome {
    match number % 11 {
        0 => RequestOutcome::Status(429),
        1 => RequestOutcome::Status(503),
        2 => RequestOutcome::NoResponse(NoResponseReason::Timeout),
        3 => RequestOutcome::NotSent(NotSentReason::ConnectFailed),
        4 => RequestOutcome::Dropped,
        5 => RequestOutcome::Status(301),
        6 => RequestOutcome::Status(404),
        _ => RequestOutcome::Status(200),
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, ..Default::default() })]
    #[test]
    fn sums_equal_the_reports_counts(step in 1..40_000_i64, count in 1..400_i64) {
        let samples: Vec<Sample> = (0..count).map(|i| sample(i * step, (i % 2) as usize, outcome(i))).collect();
        let (timeline, report) = judged("", &samples, count * step / 1000 + 1);
        let intervals = timeline.intervals();
        proptest::prop_assert!(intervals.len() <= INTERVALS);
        proptest::prop_assert!(intervals.iter().all(|(from, to)| from <= to));
        for group in [Group::All, Group::Tenant(0), Group::Replica(0), Group::Replica(1)] {
            let mut sum = Cell::default();
            timeline.history(group).into_iter().for_each(|cell| sum.merge(cell));
            let counts = match group {
                Group::Replica(number) => &report.summary.replicas[number].counts,
                _ => &report.summary.total,
            };
            let statuses = |range: std::ops::Range<u16>| counts.statuses.range(range).map(|(_, count)| count).sum::<u64>();
            proptest::prop_assert_eq!(sum.requests(), counts.requests);
            proptest::prop_assert_eq!(sum.count(Kind::Success), statuses(100..300));
            proptest::prop_assert_eq!(sum.count(Kind::Limited), statuses(429..430));
            proptest::prop_assert_eq!(sum.count(Kind::ClientError), statuses(400..500) - statuses(429..430));
            proptest::prop_assert_eq!(sum.count(Kind::ServerError), statuses(500..600));
            proptest::prop_assert_eq!(sum.count(Kind::NoResponse), counts.unknown);
            proptest::prop_assert_eq!(sum.count(Kind::NotSent), counts.not_sent);
            proptest::prop_assert_eq!(sum.count(Kind::Dropped), counts.dropped);
            proptest::prop_assert_eq!(sum.latency.count(), counts.statuses.values().sum::<u64>());
        }
    }
}

#[test]
fn intervals_have_round_widths() {
    let width = |secs: i64| {
        judged(
            "",
            &[sample(0, 0, RequestOutcome::Status(200)), sample(secs * 1000, 0, RequestOutcome::Status(200))],
            secs,
        )
        .0
        .width()
    };
    let widths: Vec<String> =
        [5, 25, 100, 400, 2000, 4000, 10_000, 86_000].map(width).iter().map(Nanos::to_string).collect();
    insta::assert_snapshot!(widths.join(", "), @"100 ms, 200 ms, 1 s, 2 s, 10 s, 20 s, 60 s, 600 s");
}

#[test]
fn a_run_without_a_known_start_starts_with_its_first_sample() {
    let mut made = TestRun::new(
        "",
        &[sample(7_000, 0, RequestOutcome::Status(200)), sample(7_500, 0, RequestOutcome::Status(200))],
    );
    made.manifest.load = None;
    made.judge();
    let run = RecordedRun::open(made.dir.path()).unwrap();
    let mut timeline = Timeline::new(&run);
    run.for_each_sample(|_, sample| timeline.add(sample)).unwrap();
    assert_eq!(timeline.intervals()[0].0, Nanos::from_millis(7_010));
    assert_eq!(timeline.intervals().len(), 6);
}

#[test]
fn tenants_beyond_the_busiest_are_merged() {
    let text =
        saasbench_model::scenario::testing::SCENARIO.replace("id = \"acme\"", "pattern = \"t-01..t-40\"");
    let heavy = "[[load]]\ntenant = \"t-40\"\nrate = \"99/s\"\nduration = \"10s\"\n";
    let shown = busiest(&saasbench_model::scenario::testing::scenario(&format!("{text}{heavy}")));
    assert_eq!((shown.len(), shown.last()), (TENANTS, Some(&39)));
}

/// The windows of acme's quota, as from–to:admitted in seconds.
fn windows(limit: &str, sent: &[i64]) -> Vec<String> {
    let samples: Vec<Sample> = sent.iter().map(|at| sample(*at, 0, RequestOutcome::Status(200))).collect();
    windows_of(limit, &samples)
}

fn windows_of(limit: &str, samples: &[Sample]) -> Vec<String> {
    let more = format!("[[limit]]\nroute = \"POST /chat\"\nper = \"tenant\"\n{limit}\n");
    let (timeline, _) = judged(&more, samples, 60);
    let uses = timeline.quotas();
    let shown = |window: &Window| {
        format!("{:.2}–{:.2}:{}", window.from.as_secs_f64(), window.to.as_secs_f64(), window.admitted)
    };
    uses.iter().flat_map(|of| &of.windows).map(shown).collect()
}

#[test]
fn windows_match_a_conforming_limiter() {
    let fixed = "algorithm = \"fixed-window\"\nquota = \"2/10s\"";
    // The third was sent before the first window can have ended, and decided after.
    assert_eq!(windows(fixed, &[0, 5_000, 9_995, 15_000]), ["0.00–10.00:2", "9.99–20.00:2"]);
    // An admission that fits into either stays in the earlier one.
    assert_eq!(windows(fixed, &[0, 9_995, 15_000]), ["0.00–10.00:2", "15.00–25.00:1"]);
    // Over-admission stays visible.
    assert_eq!(windows(fixed, &[0, 1_000, 2_000, 3_000]), ["0.00–10.00:4"]);
    let aligned = "algorithm = \"aligned-window\"\nquota = \"2/10s\"";
    assert_eq!(windows(aligned, &[5_000, 6_000, 9_995, 12_000]), ["0.00–10.00:2", "10.00–20.00:2"]);
    let log = "algorithm = \"sliding-log\"\nquota = \"2/10s\"";
    assert_eq!(
        windows(log, &[0, 5_000, 9_995, 16_000]),
        ["0.01–0.01:1", "5.01–5.01:2", "10.01–10.01:2", "16.01–16.01:2"]
    );
}

#[test]
fn windows_do_not_depend_on_recording_order() {
    for algorithm in ["fixed-window", "aligned-window", "sliding-log", "token-bucket"] {
        let limit = format!("algorithm = \"{algorithm}\"\nquota = \"3/2s\"");
        let samples: Vec<Sample> = (0..40).map(|i| sample(i * 310, 0, RequestOutcome::Status(200))).collect();
        // One worker's samples follow those of another.
        let (even, odd): (Vec<_>, Vec<_>) =
            samples.iter().cloned().enumerate().partition(|(i, _)| i % 2 == 0);
        let apart: Vec<Sample> = even.into_iter().chain(odd).map(|(_, sample)| sample).collect();
        assert_eq!(windows_of(&limit, &apart), windows_of(&limit, &samples), "{algorithm}");
    }
}

#[test]
fn keeps_violated_quotas_of_merged_tenants() {
    let limits = |route: &str| {
        format!(
            "[[limit]]\nroute = \"{route}\"\nper = \"tenant\"\nalgorithm = \"fixed-window\"\nquota = \"2/10s\"\n"
        )
    };
    let text =
        saasbench_model::scenario::testing::SCENARIO.replace("id = \"acme\"", "pattern = \"t-001..t-120\"");
    let heavy = "[[load]]\ntenant = \"t-001\"\nrate = \"99/s\"\nduration = \"10s\"\n";
    // All exceed their quota except the last one.
    let of = |tenant: usize| {
        let many = if tenant == 119 { 2 } else { 4 };
        (0..many).map(move |i| Sample { tenant, ..sample(i * 100, 0, RequestOutcome::Status(200)) })
    };
    let made = TestRun::of(
        format!("{text}{}{heavy}", limits("POST /chat")),
        &(0..120).flat_map(of).collect::<Vec<_>>(),
    );
    made.judge();
    let (_, timeline) = judge(&RecordedRun::open(made.dir.path()).unwrap(), |_| {}).unwrap();
    let kept: Vec<(TenantIndex, bool)> =
        timeline.quotas().iter().map(|of| (of.tenant, of.is_broken)).collect();
    assert_eq!(kept.len(), TENANTS + 48);
    assert!(kept.iter().all(|(tenant, is_broken)| *is_broken && *tenant < 119), "{kept:?}");
}
