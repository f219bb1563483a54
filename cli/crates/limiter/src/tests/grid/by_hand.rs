//! Aligned windows and sliding counters: small histories whose verdict a person can check.

use super::*;

fn check_kind(kind: GridKind, cases: &[Case]) {
    for (name, change, requests, expected) in cases {
        let mut context = alone();
        change(&mut context);
        let quota = Quota { limit: 2, window: Nanos::from_secs(1) };
        let judgement = kind.judge(&history(requests), quota, &context);
        assert_eq!(found(&judgement), *expected, "{}, {name}: {:?}", kind.name(), judgement.violations);
    }
}

/// The quota is 2/1s; windows start at whole seconds.
#[test]
fn aligned_windows_by_hand() {
    let cases: &[Case] = &[
        ("nothing", |_| (), &[], ""),
        ("as promised", |_| (), &[(0, 0, A), (10, 10, A), (20, 20, R), (1_000, 1_000, A)], ""),
        ("one too many", |_| (), &[(0, 0, A), (10, 10, A), (999, 999, A)], "+ 0 1 2"),
        (
            "twice as many around an edge",
            |_| (),
            &[(900, 900, A), (990, 990, A), (1_000, 1_000, A), (1_010, 1_010, A)],
            "",
        ),
        (
            "windows of Unix time",
            |c| c.unix_zero = Nanos(300 * MS),
            &[(600, 600, A), (650, 650, A), (700, 700, A), (1_000, 1_000, A), (1_699, 1_699, A)],
            "+ 2 3 4",
        ),
        (
            "one tick is granted",
            |c| c.resolution = Nanos(MS),
            &[(1_000, 1_000, A), (1_500, 1_500, A), (1_999, 1_999, A)],
            "",
        ),
        (
            "so is the offset",
            |c| c.tolerance.offset = Nanos(MS),
            &[(1_000, 1_000, A), (1_500, 1_500, A), (1_999, 1_999, A)],
            "",
        ),
        (
            "but it is one and the same",
            |c| c.tolerance.offset = Nanos(MS),
            &[
                (1_000, 1_000, A),
                (1_500, 1_500, A),
                (1_999, 1_999, A),
                (2_001, 2_001, A),
                (2_500, 2_500, A),
                (3_000, 3_000, A),
            ],
            "+ 0 1 2 3 4 5",
        ),
        (
            "none is admitted twice",
            |_| (),
            &[(0, 0, A), (10, 10, A), (950, 1_050, A), (960, 1_040, A), (1_500, 1_500, A)],
            "+ 0 1 2 3 4",
        ),
        ("rejected too early", |_| (), &[(0, 0, A), (10, 10, R), (20, 20, A)], "- 1 (1) of 1"),
        (
            "nothing is left of the window before",
            |_| (),
            &[(0, 0, A), (10, 10, A), (1_000, 1_000, R)],
            "- 2 (0) of 1",
        ),
        ("an unknown one may have counted", |_| (), &[(0, 0, A), (5, 900, U), (10, 10, R)], ""),
        ("a full window stays full", |_| (), &[(0, 0, A), (10, 10, U), (20, 20, R), (30, 30, A)], "+ 3"),
        ("an old window", |c| c.fresh = false, &[(0, 0, R), (999, 999, R)], ""),
        ("ends where the next begins", |c| c.fresh = false, &[(0, 0, R), (1_000, 1_000, R)], "- 1 (0) of 1"),
        ("others may have filled it", |c| c.exclusive = false, &[(0, 0, R), (5_000, 5_000, R)], ""),
        ("but gives nothing", |c| c.exclusive = false, &[(0, 0, A), (1, 1, A), (2, 2, A)], "+ 0 1 2"),
        (
            "behind the cut anyone may have",
            |c| c.complete_until = Nanos(5 * MS),
            &[(0, 0, A), (10, 10, R)],
            "",
        ),
        (
            "memory may be lost",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A), (40, 40, R)],
            "",
        ),
        (
            "more than once",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(25 * MS))],
            &[(20, 20, A), (20, 20, A), (20, 20, A), (20, 20, A), (20, 20, A), (20, 20, A), (20, 20, A)],
            "",
        ),
        (
            "but only once",
            |c| c.memory_losses = vec![(Nanos(15 * MS), Nanos(15 * MS))],
            &[(0, 0, A), (10, 10, A), (20, 20, A), (30, 30, A), (40, 40, A)],
            "+ 2 3 4",
        ),
    ];
    check_kind(ALIGNED, cases);
}

/// The quota is 2/1s; windows start at whole seconds.
#[test]
fn sliding_counters_by_hand() {
    const FULL: (i64, i64, Decision) = (0, 10, A);
    check_kind(
        EXACT,
        &[
            ("2 · 0.501 + 1 > 2", |_| (), &[FULL, FULL, (1_499, 1_499, A)], "+ 0 1 2"),
            ("2 · 0.500 + 1 = 2", |_| (), &[FULL, FULL, (1_500, 1_500, A)], ""),
            ("1 · 0.001 + 2 > 2", |_| (), &[FULL, FULL, (1_500, 1_500, A), (1_999, 1_999, A)], "+ 1 2 3"),
            ("1 · 0.999 + 1 + 1 > 2", |_| (), &[FULL, (1_001, 1_001, A), (1_002, 1_002, R)], ""),
            ("rejected rightly", |_| (), &[FULL, FULL, (1_499, 1_499, R)], ""),
            ("rejected wrongly", |_| (), &[FULL, FULL, (1_500, 1_500, R)], "- 2 (1) of 1"),
            ("two windows ago", |_| (), &[FULL, FULL, (2_000, 2_000, R)], "- 2 (0) of 1"),
            ("an old window may weigh", |c| c.fresh = false, &[(1_499, 1_499, R)], ""),
            ("as long as it does", |c| c.fresh = false, &[(2_000, 2_000, R)], "- 0 (0) of 1"),
        ],
    );
    check_kind(
        FLOORED,
        &[
            ("⌊2 · 1.000⌋ + 1 > 2", |_| (), &[FULL, FULL, (1_000, 1_000, A)], "+ 0 1 2"),
            ("⌊2 · 0.999⌋ + 1 = 2", |_| (), &[FULL, FULL, (1_001, 1_001, A)], ""),
            ("⌊2 · 0.500⌋ + 2 > 2", |_| (), &[FULL, FULL, (1_001, 1_001, A), (1_500, 1_500, A)], "+ 0 1 2 3"),
            ("⌊2 · 0.499⌋ + 2 = 2", |_| (), &[FULL, FULL, (1_001, 1_001, A), (1_501, 1_501, A)], ""),
            ("rejected wrongly", |_| (), &[FULL, FULL, (1_001, 1_001, R)], "- 2 (1) of 1"),
        ],
    );
    check_kind(
        FIRST_FLOORED,
        &[
            ("from the first hit", |_| (), &[(300, 300, A), (310, 310, A), (1_300, 1_300, A)], "+ 0 1 2"),
            ("rounded down", |_| (), &[(300, 300, A), (310, 310, A), (1_301, 1_301, A)], ""),
            (
                "gone after two windows",
                |_| (),
                &[(300, 300, A), (310, 310, A), (2_300, 2_300, R)],
                "- 2 (0) of 1",
            ),
            (
                "a rejection keeps the grid",
                |_| (),
                &[
                    (300, 300, A),
                    (310, 310, A),
                    (1_300, 1_300, R),
                    (2_100, 2_100, A),
                    (2_299, 2_299, A),
                    (2_310, 2_310, A),
                    (2_320, 2_320, R),
                ],
                "",
            ),
            (
                "a grid that began while nothing else happened",
                |_| (),
                &[
                    (0, 0, A),
                    (100, 2_600, A),
                    (2_650, 2_650, A),
                    (2_700, 2_700, R),
                    (3_100, 3_100, R),
                    (3_300, 3_300, A),
                ],
                "",
            ),
            (
                "a new grid",
                |_| (),
                &[(300, 300, A), (2_400, 2_400, A), (3_399, 3_399, A), (3_400, 3_400, R), (3_401, 3_401, A)],
                "",
            ),
            (
                "and not two in it",
                |_| (),
                &[(300, 300, A), (2_400, 2_400, A), (3_399, 3_399, A), (3_399, 3_399, A)],
                "+ 1 2 3",
            ),
        ],
    );
}

#[test]
fn a_grids_certificate_can_be_checked_by_hand() {
    let because = |kind: GridKind, limit, requests: &[(i64, i64, Decision)]| {
        let judgement =
            kind.judge(&history(requests), Quota { limit, window: Nanos::from_secs(10) }, &alone());
        let because = judgement.violations.into_iter().map(|violation| match violation {
            Violation::OverAdmission { because, .. } | Violation::WrongRejection { because, .. } => because,
        });
        because.collect::<Vec<_>>().join("\n")
    };
    let requests = [(4, 4, A), (10, 12, A), (20, 25, A), (14_000, 14_000, A), (14_010, 14_010, R)];
    insta::assert_snapshot!("aligned_too_many", because(ALIGNED, 2, &requests));
    insta::assert_snapshot!("aligned_too_few", because(ALIGNED, 4, &requests));
    insta::assert_snapshot!("counter_too_many", because(EXACT, 2, &requests));
    insta::assert_snapshot!("counter_too_few", because(FLOORED, 4, &requests));
    insta::assert_snapshot!(
        "counter_first_hit",
        because(FIRST_FLOORED, 3, &[&requests[..3], &[(10_003, 10_003, A), (10_004, 10_004, A)]].concat())
    );
    insta::assert_snapshot!(
        "together",
        because(ALIGNED, 2, &[(0, 0, A), (10, 10, U), (20, 20, R), (30, 30, A)])
    );
}

#[test]
fn rejections_by_another_limit_are_reported_one_by_one() {
    let requests = history(&[(0, 0, A), (10, 10, R), (20, 20, A), (30, 30, R), (1_000, 1_000, R)]);
    let context = HistoryContext { other_limits: OtherLimits::Atomic, ..alone() };
    let quota = Quota { limit: 2, window: Nanos::from_secs(1) };
    for (kind, wrong) in
        [(ALIGNED, vec![1, 4]), (EXACT, vec![1]), (FLOORED, vec![1]), (FIRST_FLOORED, vec![1])]
    {
        let judgement = kind.judge(&requests, quota, &context);
        assert_eq!(
            (judgement.violations, judgement.wrong_rejections),
            (Vec::new(), wrong),
            "{}",
            kind.name()
        );
    }
}
