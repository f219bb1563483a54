//! Loads that cost most to judge.

use super::*;

/// Loads that are hard to judge, with conforming and broken limiters: no violation is reported for the
/// conforming ones. The cost in nanoseconds per request is printed, but not asserted; `SAASBENCH_CASES` sets
/// the number of requests.
#[test]
fn hard_loads_are_judged_soundly_and_their_cost_is_printed() {
    let requests = cases(50_000);
    let quota = |limit| Quota { limit, window: Nanos::from_secs(10) };
    let open = quota(u64::MAX / 4);
    let shapes = [
        ("a flood", quota(8), quota(8), 30 * SECOND, MS as f64),
        ("a flood, one too many", quota(8), quota(9), 30 * SECOND, MS as f64),
        ("a flood, one too few", quota(8), quota(7), 30 * SECOND, MS as f64),
        (
            "a thousand in flight",
            quota(1_000),
            quota(1_000),
            30 * SECOND,
            30.0 * SECOND as f64 * 500.0 / requests as f64,
        ),
        ("a great quota", quota(requests / 10), quota(requests / 10), 30 * SECOND, MS as f64),
        ("a great quota, too few", quota(requests / 10), quota(requests / 20), 30 * SECOND, MS as f64),
        ("many windows", quota(2), quota(2), 10 * SECOND * requests as i64 / 8, SECOND as f64),
        ("many windows, one too few", quota(3), quota(2), 10 * SECOND * requests as i64 / 8, SECOND as f64),
        ("latencies as long as windows", quota(8), quota(8), SECOND * requests as i64, 10.0 * SECOND as f64),
        (
            "latencies as long as windows, broken",
            quota(8),
            quota(6),
            SECOND * requests as i64,
            10.0 * SECOND as f64,
        ),
        ("no limit kept", quota(8), open, 30 * SECOND, MS as f64),
        ("nothing admitted", quota(8), quota(0), 30 * SECOND, MS as f64),
    ];
    for (name, promised, kept, span, latency) in shapes {
        for (_, judge, make) in [
            ("fixed window", fixed_window::judge as Judge, Limiter::fixed_window as Make),
            ("sliding log", sliding_log::judge, Limiter::sliding_log),
            ("token bucket", token_bucket::by_quota, token_bucket::of_quota),
        ] {
            for since in [0, span / 3] {
                let mut load = Load::new(Arrivals::Flood(span / requests as i64), requests, latency);
                (load.since, load.tail) = (since, 0.01);
                let history = load.run(&mut make(kept, false), &mut Random(1));
                let judgement = judge(&history, promised, &load.context());
                assert!(
                    kept != promised || judgement.violations.is_empty(),
                    "{name}: {:?}",
                    judgement.violations
                );
            }
        }
    }
}
