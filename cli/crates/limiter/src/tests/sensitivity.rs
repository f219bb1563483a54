//! What a history without a violation shows: the smallest excess that would have been proven.

use super::{
    super::sensitivity::{Cause, Sensitivity, sensitivity},
    *,
};
use saasbench_model::scenario::{Anchor, Estimate, Refill};

const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::FixedWindow,
    Algorithm::SlidingLog,
    Algorithm::AlignedWindow,
    Algorithm::SlidingCounter { anchor: Anchor::Epoch, estimate: Estimate::Exact },
    Algorithm::SlidingCounter { anchor: Anchor::Epoch, estimate: Estimate::Floored },
    Algorithm::SlidingCounter { anchor: Anchor::FirstHit, estimate: Estimate::Exact },
    Algorithm::SlidingCounter { anchor: Anchor::FirstHit, estimate: Estimate::Floored },
    Algorithm::TokenBucket { burst: None, refill: Refill::Continuous },
];

/// Eight a window of 10 s: 200 requests a second from 1 s on, in 0.1 ms each.
fn flood() -> Vec<Request> {
    let requests: Vec<(i64, i64, Decision)> =
        (0..60).map(|i| (1_000 + i * 5, 1_000 + i * 5, if i < 8 { A } else { R })).collect();
    history(&requests)
}

fn shown(
    requests: &[Request],
    algorithm: Algorithm,
    change: impl FnOnce(&mut HistoryContext),
) -> Sensitivity {
    let quota = Quota { limit: 8, window: Nanos::from_secs(10) };
    let mut context = alone();
    change(&mut context);
    let promise = Promise { quota, algorithm };
    assert_eq!(judge(requests, promise, &context).violations, [], "{algorithm}");
    sensitivity(requests, promise, &context)
}

#[test]
fn one_admission_more_shows_with_clocks_that_agree() {
    for algorithm in ALGORITHMS {
        let found = shown(&flood(), algorithm, |context| context.tolerance.offset = Nanos(MS));
        assert_eq!(found, Sensitivity::Excess(1), "{algorithm}");
    }
}

/// Whatever the algorithm, a tolerance as long as the window leaves nothing to prove, and what it takes does.
#[test]
fn a_tolerance_as_long_as_the_window_shows_nothing() {
    for algorithm in ALGORITHMS {
        let with = |offset: Nanos| shown(&flood(), algorithm, |context| context.tolerance.offset = offset);
        let found = with(Nanos::from_secs(20));
        let Sensitivity::Blind(Cause::Offset(most)) = found else { panic!("{algorithm}: {found:?}") };
        println!("{algorithm}: {most}");
        assert!(most > Nanos::from_secs(1) && most < Nanos::from_secs(15), "{algorithm}: {most}");
        assert!(matches!(with(most), Sensitivity::Excess(_)), "{algorithm} with {most}");
    }
}

#[test]
fn a_clock_as_coarse_as_the_window_shows_nothing() {
    for algorithm in ALGORITHMS {
        let found = shown(&flood(), algorithm, |context| context.resolution = Nanos::from_secs(20));
        assert!(matches!(found, Sensitivity::Blind(Cause::Resolution(_))), "{algorithm}: {found:?}");
    }
}

#[test]
fn responses_as_slow_as_the_window_show_nothing() {
    let mut slow = flood();
    slow.iter_mut().for_each(|request| request.done = request.done + Nanos::from_secs(40));
    for algorithm in ALGORITHMS {
        let found = shown(&slow, algorithm, |_| ());
        assert_eq!(found, Sensitivity::Blind(Cause::History), "{algorithm}");
    }
}

/// With others on the key, two windows from the first hit may meet.
#[test]
fn a_shared_environment_hides_a_second_quota_of_windows_from_the_first_hit() {
    let shared = |context: &mut HistoryContext| context.exclusive = false;
    assert_eq!(shown(&flood(), Algorithm::FixedWindow, shared), Sensitivity::Excess(9));
    assert_eq!(shown(&flood(), Algorithm::SlidingLog, shared), Sensitivity::Excess(1));
}

/// As many more as would have been proven, together with the last one, are proven.
#[test]
fn what_is_said_to_show_does() {
    for seed in 0..cases(2_000) {
        let random = &mut Random(seed);
        let algorithm = random.pick(&ALGORITHMS);
        let quota = Quota { limit: 8, window: Nanos::from_secs(10) };
        let mut context = alone();
        context.tolerance.offset = Nanos(random.pick(&[MS, SECOND, 4 * SECOND, 9 * SECOND]));
        context.exclusive = random.chance(0.8);
        let promise = Promise { quota, algorithm };
        let mut requests = flood();
        let Sensitivity::Excess(excess) = sensitivity(&requests, promise, &context) else { continue };
        let (sent, done) = (requests[7].sent, requests[7].done);
        let more = requests.iter_mut().skip(8).take(excess as usize);
        more.for_each(|request| *request = Request { sent, done, decision: A, ..*request });
        let found = judge(&requests, promise, &context).violations;
        assert!(!found.is_empty(), "seed {seed}: {algorithm}, {excess} more {context:?}");
    }
}

/// Long histories and great quotas, with clocks that agree and with clocks that hide everything.
#[test]
fn long_histories_are_tried_out_in_bounded_time() {
    let requests = cases(50_000);
    let quota = Quota { limit: requests / 10, window: Nanos::from_secs(10) };
    let load = Load::new(Arrivals::Flood(30 * SECOND / requests as i64), requests, MS as f64);
    for algorithm in ALGORITHMS {
        let mut kept = Limiter::sliding_log(quota, false);
        let history = load.run(&mut kept, &mut Random(1));
        for (exclusive, offset) in [(true, MS), (false, MS), (true, 20 * SECOND)] {
            let tolerance = Tolerance { offset: Nanos(offset), drift: 0.0 };
            let context = HistoryContext { exclusive, tolerance, ..load.context() };
            let found = sensitivity(&history, Promise { quota, algorithm }, &context);
            // Where others use the key, what is in flight when a window of a counter ends leaves no trace.
            let first_hit = matches!(algorithm, Algorithm::SlidingCounter { anchor: Anchor::FirstHit, .. });
            let is_blind = offset > SECOND || first_hit && !exclusive;
            assert_eq!(matches!(found, Sensitivity::Blind(_)), is_blind, "{algorithm}: {found:?}");
        }
    }
}
