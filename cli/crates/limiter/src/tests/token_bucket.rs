//! Token buckets: judged by hand, with conforming and broken ones, and by exact search.

use super::{
    super::brute_force::token_bucket::explains,
    super::simulate::bucket::{Bucket, Kind},
    super::token_bucket::judge,
    *,
};
use saasbench_model::scenario::Refill;

/// A bucket with the quota's capacity, refilled continuously.
pub(super) fn by_quota(requests: &[Request], quota: Quota, context: &HistoryContext) -> Judgement {
    judge(requests, quota, None, Refill::Continuous, context)
}

/// A limiter that keeps that promise.
pub(super) fn of_quota(quota: Quota, level: bool) -> Limiter {
    let kind = if level { Kind::Level } else { Kind::ArrivalTime };
    Limiter::TokenBucket(Bucket::new(quota, quota.limit, kind))
}

/// The quota is 2/1s.
#[test]
fn token_buckets_by_hand() {
    let cases: &[Case] = &[
        ("nothing", |_| (), &[], ""),
        (
            "as promised",
            |_| (),
            &[
                (0, 0, A),
                (0, 0, A),
                (0, 0, R),
                (499, 499, R),
                (500, 500, A),
                (999, 999, R),
                (1_000, 1_000, A),
            ],
            "",
        ),
        ("one too many", |_| (), &[(0, 0, A), (0, 0, A), (499, 499, A)], "+ 0 1 2"),
        ("one tick is granted", |c| c.resolution = Nanos(MS), &[(0, 0, A), (0, 0, A), (499, 499, A)], ""),
        (
            "clocks may disagree",
            |c| c.tolerance = Tolerance { offset: Nanos(MS), drift: 0.01 },
            &[(0, 0, A), (0, 0, A), (495, 495, A)],
            "",
        ),
        (
            "but not by more",
            |c| c.tolerance = Tolerance { offset: Nanos(MS), drift: 0.01 },
            &[(0, 0, A), (0, 0, A), (493, 493, A)],
            "+ 0 1 2",
        ),
        (
            "a long span shows a small excess",
            |_| (),
            &[(0, 0, A), (300, 300, A), (600, 600, A), (990, 990, A)],
            "+ 0 1 2 3",
        ),
        ("of which some may have come later", |_| (), &[(0, 0, A), (0, 500, A), (400, 450, A)], ""),
        ("rejected too early", |_| (), &[(0, 0, A), (10, 10, R), (20, 20, R)], "- 1 (1) of 2"),
        ("an unknown one may have counted", |_| (), &[(0, 0, A), (5, 900, U), (10, 10, R)], ""),
        ("but not before it was sent", |_| (), &[(0, 0, A), (10, 10, R), (20, 900, U)], "- 1 (1) of 1"),
        (
            "nor does it weigh permanently",
            |_| (),
            &[(0, 0, A), (5, 900, U), (1_000, 1_000, R)],
            "- 2 (1) of 1",
        ),
        ("while it may still come, it does", |_| (), &[(0, 0, A), (5, 900, U), (450, 800, R)], ""),
        ("it is unknown which came first", |_| (), &[(0, 50, A), (0, 60, R), (20, 70, A), (30, 80, R)], ""),
        ("it may have been empty", |c| c.fresh = false, &[(0, 0, R), (499, 499, R)], ""),
        ("but gains", |c| c.fresh = false, &[(0, 0, R), (501, 501, R)], "- 1 (1) of 1"),
        ("others may have emptied it", |c| c.exclusive = false, &[(0, 0, R), (5_000, 5_000, R)], ""),
        (
            "others take, they do not give",
            |c| c.exclusive = false,
            &[(0, 0, R), (100, 100, A), (499, 499, A)],
            "+ 1 2",
        ),
        (
            "less than one token and half of one",
            |c| c.exclusive = false,
            &[(0, 0, R), (0, 100, A), (200, 250, A)],
            "",
        ),
        (
            "behind the cut anyone may have emptied it",
            |c| c.complete_until = Nanos(5 * MS),
            &[(0, 0, A), (10, 10, R)],
            "",
        ),
        (
            "memory may be lost",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A)],
            "",
        ),
        (
            "but only once",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A), (40, 40, A)],
            "+ 2 3 4",
        ),
        (
            "that is no reason to reject",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (20, 20, R)],
            "- 1 (1) of 1",
        ),
        (
            "another limit may have rejected",
            |c| c.other_limits = OtherLimits::Atomic,
            &[(0, 0, R), (0, 0, A), (0, 0, A)],
            "",
        ),
    ];
    check(by_quota, cases);
}

#[test]
fn bursts_and_steps_are_granted() {
    let judged = |requests: &[(i64, i64, Decision)], refill| {
        let quota = Quota { limit: 2, window: Nanos::from_secs(1) };
        found(&judge(&history(requests), quota, Some(3), refill, &alone()))
    };
    let steps = Refill::Steps(Nanos::from_millis(250));
    assert_eq!(judged(&[(0, 0, A), (0, 0, A), (0, 0, A), (0, 0, R)], Refill::Continuous), "");
    assert_eq!(judged(&[(0, 0, A), (0, 0, A), (0, 0, A), (499, 499, A)], Refill::Continuous), "+ 0 1 2 3");
    assert_eq!(judged(&[(0, 0, A), (0, 0, A), (0, 0, A), (250, 250, A)], steps), "");
    assert_eq!(judged(&[(0, 0, A), (0, 0, A), (0, 0, A), (249, 249, A)], steps), "+ 0 1 2 3");
    assert_eq!(judged(&[(0, 0, A), (0, 0, A), (0, 0, R)], Refill::Continuous), "- 2 (2) of 1");
    assert_eq!(judged(&[(0, 0, A), (0, 0, A), (0, 0, A), (501, 501, R)], Refill::Continuous), "- 3 (2) of 1");
    assert_eq!(judged(&[(0, 0, A), (0, 0, A), (0, 0, A), (749, 749, R)], steps), "");
    assert_eq!(judged(&[(0, 0, A), (0, 0, A), (0, 0, A), (751, 751, R)], steps), "- 3 (2) of 1");
}

#[test]
fn an_unknown_start_lasts_until_an_empty_bucket_is_full() {
    let requests = history(&[(0, 0, R), (1_900, 1_900, A), (1_950, 1_950, R), (2_100, 2_100, R)]);
    let quota = Quota { limit: 2, window: Nanos::from_secs(1) };
    let context = HistoryContext { fresh: false, ..alone() };
    let judged = |burst| judge(&requests, quota, burst, Refill::Continuous, &context).unjudged_rejections;
    assert_eq!(judged(None), [(1, Unjudged::UnknownStart)]);
    assert_eq!(judged(Some(4)), [(2, Unjudged::UnknownStart)]);
}

#[test]
fn rejections_of_one_of_several_limits_are_denied_each_by_itself() {
    let requests = history(&[(0, 0, A), (0, 0, R), (0, 0, A), (1, 1, R), (600, 600, R)]);
    let context = HistoryContext { other_limits: OtherLimits::Atomic, ..alone() };
    let judgement = by_quota(&requests, Quota { limit: 2, window: Nanos::from_secs(1) }, &context);
    assert_eq!((judgement.violations.len(), judgement.wrong_rejections), (0, vec![4]));
}

#[test]
fn a_buckets_certificate_can_be_checked_by_hand() {
    let quota = Quota { limit: 8, window: Nanos::from_secs(10) };
    let because = |requests: &[(i64, i64, Decision)], change: fn(&mut HistoryContext)| {
        let mut context = alone();
        change(&mut context);
        let judgement = by_quota(&history(requests), quota, &context);
        let because = judgement.violations.into_iter().map(|violation| match violation {
            Violation::OverAdmission { allowed, from, to, because, .. } => {
                format!("{because} (of {allowed}, {from} to {to})")
            }
            Violation::WrongRejection { counted, against, because, .. } => {
                format!("{because} ({counted}, {} against it)", against.len())
            }
        });
        because.collect::<Vec<_>>().join("\n")
    };
    let mut crowd = vec![(1_000, 1_100, A); 8];
    crowd.extend([(1_200, 1_412, A); 4]);
    insta::assert_snapshot!(because(&crowd, |_| ()), @"9 were admitted within 0.412 s; a bucket of 8 that gains 0.8 a second can have granted at most 8.330 (of 8, 1 s to 1.41 s)");
    let empty = [(1_000, 1_010, R), (1_200, 1_300, A), (1_400, 1_500, A)];
    insta::assert_snapshot!(because(&empty, |c| c.exclusive = false), @"request 0 was rejected, not before 1.000 s, so less than one token was there; of what was sent after it, a bucket of 8 that gains 0.8 a second can have granted less than 1.400 by 1.500 s, yet 2 were admitted (of 1, 1.2 s to 1.5 s)");
    let rejected = [(1_000, 1_010, A), (30_000, 30_010, A), (30_020, 30_500, U), (30_100, 30_110, R)];
    insta::assert_snapshot!(because(&rejected, |_| ()), @"a bucket of 8 that gains 0.8 a second cannot have held less than 6.072 at any instant from 30.100 s to 30.110 s; it takes less than one token to reject (2, 2 against it)");
}

/// Id of requests that another limit rejects.
const OTHERS: u64 = u64::MAX;

/// How a bucket stores its state, and what is promised about it.
fn any_kind(window: i64, random: &mut Random) -> (Kind, Refill) {
    let step = window / random.within(1, 30);
    match random.draw() % 4 {
        0 => (Kind::Level, Refill::Continuous),
        1 => (Kind::ArrivalTime, Refill::Continuous),
        2 => (Kind::Steps(step, true), Refill::Steps(Nanos(step))),
        _ => (Kind::Steps(step, false), Refill::Steps(Nanos(step))),
    }
}

#[test]
fn no_violation_is_reported_of_a_conforming_token_bucket() {
    for seed in 0..cases(20_000) {
        let random = &mut Random(seed);
        let window = random.pick(&[50 * MS, SECOND, 10 * SECOND]);
        let limit = random.pick(&[1, 2, 3, 5, 8, 8, 20]);
        let size = random.pick(&[limit, limit, 1, 2, 2 * limit]);
        let quota = Quota { limit, window: Nanos(window) };
        let (kind, refill) = any_kind(window, random);
        let load = any_load(window, size, random);
        let mut history = load.run(&mut Limiter::TokenBucket(Bucket::new(quota, size, kind)), random);
        let context = HistoryContext { other_limits: any_others(0.2, random), ..load.context() };
        if context.has_other_limits() {
            // Another limit rejects, too: that takes nothing, and only such rejections can be denied by this
            // one.
            let rejected: Vec<Request> = history.iter().filter(|_| random.chance(0.2)).copied().collect();
            let by_another = |one| Request { id: OTHERS, decision: R, ..one };
            history.extend(rejected.into_iter().map(by_another));
            history.sort_by_key(|request| (request.sent, request.id));
        }
        let judgement = judge(&history, quota, Some(size), refill, &context);
        assert!(
            judgement.violations.is_empty() && judgement.wrong_rejections.iter().all(|id| *id == OTHERS),
            "seed {seed}: {quota:?} of {size} {kind:?} {load:?}\n{}\n{judgement:?}",
            table(&history),
        );
    }
}

/// A tiny history with its quota and capacity, and clocks that may differ by half a tick to two.
fn tiny_bucket(random: &mut Random) -> (Vec<Request>, Quota, u64, HistoryContext) {
    let size = random.within(1, 4) as u64;
    let kind = random.pick(&[Kind::Level, Kind::ArrivalTime]);
    let (history, quota, mut context) =
        tiny(random, |quota, _| Limiter::TokenBucket(Bucket::new(quota, size, kind)));
    context.tolerance.offset = Nanos(random.pick(&[0, 0, 0, 1]));
    (history, quota, size, context)
}

/// Fails unless the certificate is well-formed and no conforming bucket explains its requests, with all other
/// admissions unknown and, for an over-admission, all other rejections, too; otherwise there are no others.
fn check_certificate(
    violation: &Violation,
    history: &[Request],
    explains: impl Fn(&[Request]) -> bool,
    judge: impl Fn(&[Request]) -> Judgement,
    context: &HistoryContext,
) {
    let mut core = certificate::core(violation);
    match violation {
        Violation::OverAdmission { requests, given, allowed, from, to, .. } => {
            assert_eq!((requests.len() as u64, given.len().max(1)), (allowed + 1, 1));
            assert!(requests.iter().all(|one| one.decision == A && history.contains(one)));
            assert!(requests.iter().all(|one| *from <= one.sent && one.done <= *to));
            assert!(requests.is_sorted_by_key(|one| (one.sent, one.id)));
            core.extend(given);
            let mut reduced = history.to_vec();
            let others = reduced.iter_mut().filter(|request| !core.contains(request));
            others.for_each(|request| request.decision = U);
            assert!(!explains(&reduced));
        }
        Violation::WrongRejection { request, counted, .. } => {
            assert!(!explains(&certificate::relaxed(history, &[*request], &[], context)));
            // What is not listed against it has no influence.
            let same = |violation: &Violation| matches!(violation, Violation::WrongRejection { counted: now, .. } if now == counted);
            assert!(judge(&core).violations.iter().any(same));
        }
    }
}

#[test]
fn the_token_bucket_agrees_with_brute_force() {
    let (mut broken, mut missed) = (0, 0);
    for seed in 0..cases(100_000) {
        let (history, quota, size, context) = tiny_bucket(&mut Random(seed));
        let slack = context.resolution.0 + context.tolerance.offset.0;
        let explains = |requests: &[Request]| explains(requests, quota, size, slack, &context);
        let judge = |requests: &[Request]| judge(requests, quota, Some(size), Refill::Continuous, &context);
        let (explained, violations) = (explains(&history), judge(&history).violations);
        let sound = std::panic::catch_unwind(|| {
            assert!(!explained || violations.is_empty());
            violations.iter().for_each(|one| check_certificate(one, &history, explains, judge, &context));
        });
        if let Err(cause) = sound {
            let history = table(&history);
            println!("seed {seed}: {quota:?} of {size} {context:?}\n{history}\n{violations:?}");
            std::panic::resume_unwind(cause);
        }
        broken += u64::from(!explained);
        missed += u64::from(!explained && violations.is_empty());
    }
    println!("{broken} broken, {missed} missed");
    assert!(missed * 20 <= broken, "{missed} of {broken} missed");
}

/// A burst that is off by one shows only where the bucket was full.
fn every_defect_is_found_in_a_bucket(since: i64) {
    let bucket = |quota, size| Limiter::TokenBucket(Bucket::new(quota, size, Kind::Level));
    for seed in 0..20 {
        let random = &mut Random(seed);
        let quota = Quota { limit: random.within(4, 8) as u64, window: Nanos::from_secs(10) };
        let size = random.pick(&[quota.limit, quota.limit, 2, 12]);
        let timed =
            |tenths: i64| bucket(Quota { window: Nanos(quota.window.0 * 10 / tenths), ..quota }, size);
        let mut defects = vec![
            ("a fifth faster", timed(12), true),
            ("a fifth slower", timed(8), false),
            ("per replica", Limiter::PerReplica(vec![bucket(quota, size), bucket(quota, size)]), true),
        ];
        if since == 0 {
            defects.push(("a burst of one more", bucket(quota, size + 1), true));
            defects.push(("a burst of one less", bucket(quota, size - 1), false));
        }
        let (lost, tail) = (random.pick(&[0.0, 0.000_2]), random.pick(&[0.0, 0.02]));
        let load = flood(random, since, lost, tail);
        for (defect, mut limiter, is_over_admission) in defects {
            let history = load.run(&mut limiter, random);
            let judgement = judge(&history, quota, Some(size), Refill::Continuous, &load.context());
            let found = judgement
                .violations
                .iter()
                .any(|violation| matches!(violation, Violation::OverAdmission { .. }) == is_over_admission);
            assert!(found, "{defect} of {size} at {quota}, seed {seed}: {:?} {load:?}", judgement.violations);
        }
    }
}

#[test]
fn every_defect_of_a_token_bucket_is_found() {
    every_defect_is_found_in_a_bucket(0);
}

#[test]
fn every_defect_of_a_token_bucket_is_found_from_an_unknown_start() {
    every_defect_is_found_in_a_bucket(13 * SECOND);
}
