//! Fixed windows and sliding logs: small histories whose verdict a person can check.

use super::*;

/// The quota is 2/1s.
#[test]
fn fixed_windows_by_hand() {
    let cases: &[Case] = &[
        ("nothing", |_| (), &[], ""),
        ("as promised", |_| (), &[(0, 0, A), (10, 10, A), (20, 20, R), (1_000, 1_000, A)], ""),
        ("one too many", |_| (), &[(0, 0, A), (10, 10, A), (20, 20, A)], "+ 0 1 2"),
        ("on the edge the old window may be over", |_| (), &[(0, 0, A), (10, 10, A), (1_000, 1_000, A)], ""),
        ("just before the edge it is not", |_| (), &[(0, 0, A), (10, 10, A), (999, 999, A)], "+ 0 1 2"),
        ("one tick is granted", |c| c.resolution = Nanos(MS), &[(0, 0, A), (10, 10, A), (999, 999, A)], ""),
        (
            "on the edge it may live",
            |_| (),
            &[(0, 0, A), (10, 10, A), (1_000, 1_000, R), (1_001, 1_001, A)],
            "",
        ),
        ("just behind it does not", |_| (), &[(0, 0, A), (10, 10, A), (1_001, 1_001, R)], "- 2 (0) of 1"),
        (
            "clocks may disagree",
            |c| c.tolerance = Tolerance { offset: Nanos(MS), drift: 1e-3 },
            &[(0, 0, A), (10, 10, A), (1_002, 1_002, R)],
            "",
        ),
        (
            "but not by more",
            |c| c.tolerance = Tolerance { offset: Nanos(MS), drift: 1e-3 },
            &[(0, 0, A), (10, 10, A), (1_003, 1_003, R)],
            "- 2 (0) of 1",
        ),
        ("rejected too early", |_| (), &[(0, 0, A), (10, 10, R), (20, 20, R), (30, 30, A)], "- 1 (1) of 2"),
        ("an unknown one may have counted", |_| (), &[(0, 0, A), (5, 900, U), (10, 10, R)], ""),
        ("but not before it was sent", |_| (), &[(0, 0, A), (10, 10, R), (20, 900, U)], "- 1 (1) of 1"),
        (
            "an unknown one may have started the window",
            |_| (),
            &[(0, 600, U), (700, 700, A), (1_200, 1_200, A), (1_300, 1_300, A)],
            "",
        ),
        (
            "a window begins with its first hit",
            |_| (),
            &[(0, 0, A), (900, 900, A), (1_100, 1_100, A), (1_200, 1_200, A)],
            "",
        ),
        (
            "so this is one too many",
            |_| (),
            &[(0, 0, A), (900, 900, A), (1_100, 1_100, A), (1_200, 1_200, A), (1_300, 1_300, A)],
            "+ 2 3 4",
        ),
        ("it is unknown which came first", |_| (), &[(0, 50, A), (10, 60, R), (20, 70, A), (30, 80, R)], ""),
        ("an old window", |c| c.fresh = false, &[(0, 0, R), (900, 900, R), (1_000, 1_000, R)], ""),
        ("no window is that old", |c| c.fresh = false, &[(0, 0, R), (1_001, 1_001, R)], "- 1 (0) of 1"),
        (
            "an old window, then one of ours",
            |c| c.fresh = false,
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A)],
            "",
        ),
        (
            "two windows do not begin within one",
            |c| c.fresh = false,
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A), (40, 40, A)],
            "+ 2 3 4",
        ),
        (
            "a rejection shows where the old window ends",
            |c| c.fresh = false,
            &[(0, 0, R), (10, 10, A), (20, 20, A), (30, 30, A)],
            "+ 1 2 3",
        ),
        ("others may have filled it", |c| c.exclusive = false, &[(0, 0, R), (5_000, 5_000, R)], ""),
        (
            "others take, they do not give",
            |c| c.exclusive = false,
            &[(0, 0, R), (10, 10, A), (20, 20, A), (30, 30, A)],
            "+ 1 2 3",
        ),
        (
            "behind the cut anyone may have filled it",
            |c| c.complete_until = Nanos(5 * MS),
            &[(0, 0, A), (10, 10, R)],
            "",
        ),
        ("before it none", |c| c.complete_until = Nanos(11 * MS), &[(0, 0, A), (10, 10, R)], "- 1 (1) of 1"),
        (
            "memory may be lost",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A), (40, 40, R)],
            "",
        ),
        (
            "or kept",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, R), (1_000, 1_000, A)],
            "",
        ),
        (
            "but only once",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A), (40, 40, A)],
            "+ 2 3 4",
        ),
        ("a full window stays full", |_| (), &[(0, 0, A), (10, 10, U), (20, 20, R), (30, 30, A)], "+ 3"),
    ];
    check(fixed_window::judge, cases);
}

/// The quota is 2/1s.
#[test]
fn sliding_logs_by_hand() {
    let cases: &[Case] = &[
        ("nothing", |_| (), &[], ""),
        (
            "as promised",
            |_| (),
            &[(0, 0, A), (500, 500, A), (600, 600, R), (1_000, 1_000, A), (1_001, 1_001, R)],
            "",
        ),
        ("one too many", |_| (), &[(0, 0, A), (500, 500, A), (999, 999, A)], "+ 0 1 2"),
        ("one tick is granted", |c| c.resolution = Nanos(MS), &[(0, 0, A), (500, 500, A), (999, 999, A)], ""),
        (
            "over two windows",
            |_| (),
            &[(0, 900, A), (0, 900, A), (0, 1_900, A), (0, 1_900, A), (0, 1_900, A)],
            "+ 0 1 2 3 4",
        ),
        ("a window later it may be in", |_| (), &[(0, 0, A), (0, 0, A), (1_000, 1_000, R)], ""),
        ("later still it is out", |_| (), &[(0, 0, A), (1, 1, A), (1_001, 1_001, R)], "- 2 (1) of 1"),
        ("an unknown one may have counted", |_| (), &[(0, 0, A), (5, 900, U), (1_000, 1_000, R)], ""),
        ("never both at once", |_| (), &[(0, 0, A), (900, 1_500, R), (1_200, 1_200, A)], "- 1 (1) of 1"),
        (
            "old admissions",
            |c| c.fresh = false,
            &[(0, 0, R), (1_000, 1_000, R), (1_001, 1_001, R)],
            "- 2 (0) of 1",
        ),
        ("others may have filled it", |c| c.exclusive = false, &[(0, 0, R), (5_000, 5_000, R)], ""),
        ("but gives nothing", |c| c.exclusive = false, &[(0, 0, A), (0, 0, A), (0, 0, A)], "+ 0 1 2"),
        (
            "behind the cut anyone may have",
            |c| c.complete_until = Nanos(5 * MS),
            &[(0, 0, A), (10, 10, R)],
            "",
        ),
        (
            "memory may be lost",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(25 * MS))],
            &[(0, 0, A), (10, 10, A), (30, 30, A), (40, 40, A)],
            "",
        ),
        (
            "but only once",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(25 * MS))],
            &[(0, 0, A), (10, 10, A), (30, 30, A), (40, 40, A), (50, 50, A)],
            "+ 2 3 4",
        ),
    ];
    check(sliding_log::judge, cases);
}

#[test]
fn unjudged_rejections_are_counted_by_cause() {
    let requests =
        history(&[(0, 0, R), (500, 500, A), (1_500, 1_500, R), (3_000, 3_000, R), (3_000, 3_000, U)]);
    let quota = Quota { limit: 1, window: Nanos::from_secs(1) };
    let judged = |change: fn(&mut HistoryContext)| {
        let mut context = alone();
        change(&mut context);
        let judgement = fixed_window::judge(&requests, quota, &context);
        assert_eq!((judgement.admitted, judgement.rejected, judgement.unknown), (1, 3, 1));
        assert_eq!(
            judgement.unjudged_rejections,
            sliding_log::judge(&requests, quota, &context).unjudged_rejections
        );
        judgement.unjudged_rejections
    };
    assert_eq!(judged(|_| ()), []);
    assert_eq!(judged(|c| c.fresh = false), [(1, Unjudged::UnknownStart)]);
    assert_eq!(judged(|c| c.complete_until = Nanos(SECOND)), [(2, Unjudged::CutOff)]);
    assert_eq!(judged(|c| c.exclusive = false), [(3, Unjudged::NotExclusive)]);
}

#[test]
fn a_certificate_can_be_checked_by_hand() {
    let requests = history(&[(4, 4, A), (10, 12, A), (20, 25, A), (30, 30, R)]);
    let judged = |limit, judge: Judge| {
        let judgement = judge(&requests, Quota { limit, window: Nanos::from_secs(10) }, &alone());
        let because = judgement.violations.into_iter().map(|violation| match violation {
            Violation::OverAdmission { from, to, allowed, because, .. } => {
                assert_eq!((from, to, allowed), (Nanos::from_millis(4), Nanos::from_millis(25), 2));
                because
            }
            Violation::WrongRejection { request, counted, of, because, .. } => {
                assert_eq!((request.id, counted, of), (3, 3, 1));
                because
            }
        });
        because.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        judged(2, fixed_window::judge),
        "a window that began with request 0 (0.004 s) lasts to 10.004 s at least; 3 were admitted in it, 2 are promised"
    );
    assert_eq!(
        judged(4, fixed_window::judge),
        "a window that began with request 0 (0.004 s) lasts to 10.004 s at least; from its beginning until the request \
         had been rejected, at 0.030 s, at most 3 can have been admitted, 4 are promised"
    );
    assert_eq!(
        judged(2, sliding_log::judge),
        "3 were admitted within 0.021 s, which is shorter than 10.000 s; 2 are promised in any such span"
    );
    assert_eq!(
        judged(4, sliding_log::judge),
        "at no instant from 0.030 s to 0.030 s can the 10.000 s before have held more than 3 admissions; it takes 4 to \
         reject"
    );
}
