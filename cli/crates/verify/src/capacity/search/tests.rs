//! Simulated services whose objectives hold with a probability that falls with the level.

use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { start: 100.0, least: 100.0, most: 1e6, precision: 0.05, whole: false };

/// SplitMix64, in [0, 1).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Searches a service that holds with probability `holds(level)`; returns the trials in order, and how it
/// ended.
fn run(bounds: Bounds, seed: u64, holds: impl Fn(f64) -> f64) -> (Vec<(f64, bool)>, Search, Option<End>) {
    let mut search = Search::new(bounds);
    let (mut state, mut trials) = (seed, Vec::new());
    for _ in 0..400 {
        match search.next() {
            Next::Done(end) => return (trials, search, Some(end)),
            Next::Try(level) => {
                let held = uniform(&mut state) < holds(level);
                search.record(level, if held { Trial::Held } else { Trial::Broke });
                trials.push((level, held));
            }
        }
    }
    (trials, search, None)
}

fn reported(trials: &[(f64, bool)], search: &Search, end: Option<End>) -> String {
    let mark = |(level, held): &(f64, bool)| format!("{level}{}", if *held { "+" } else { "-" });
    let trials: Vec<String> = trials.iter().map(mark).collect();
    format!("{}\n  {end:?} {:?}\n", trials.join(" "), search.bracket())
}

#[test]
fn a_sharp_ceiling_is_bracketed_and_both_ends_are_repeated() {
    let sharp = |ceiling: f64| move |level: f64| f64::from(level <= ceiling);
    let mut text = String::new();
    for (bounds, ceiling) in [
        (BOUNDS, 3000.0),
        (BOUNDS, 99.0),
        (Bounds { most: 800.0, ..BOUNDS }, 3000.0),
        (Bounds { start: 1500.0, ..BOUNDS }, 700.0),
        (Bounds { whole: true, start: 1.0, least: 1.0, ..BOUNDS }, 7.0),
    ] {
        let (trials, search, end) = run(bounds, 1, sharp(ceiling));
        text += &reported(&trials, &search, end);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn one_unlucky_step_does_not_mislead_the_search() {
    let mut search = Search::new(BOUNDS);
    for (level, trial) in
        [(100.0, Trial::Held), (200.0, Trial::Held), (400.0, Trial::Broke), (400.0, Trial::Broke)]
    {
        search.record(level, trial);
    }
    assert_eq!(search.next(), Next::Try(282.8));
    for _ in 0..3 {
        search.record(400.0, Trial::Held);
    }
    assert_eq!(search.next(), Next::Try(800.0), "three of five hold: the service can do more");
}

#[test]
fn ends_are_certain_by_the_binomial_test() {
    let sure: Vec<(u32, u32)> =
        (0..=8).flat_map(|n| (0..=n).map(move |k| (k, n))).filter(|(k, n)| is_sure(*k, *n)).collect();
    assert_eq!(sure, [(5, 5), (6, 6), (7, 7), (7, 8), (8, 8)]);
}

/// The share of seeds whose interval covers the level at which the objectives hold half of the time.
#[test]
fn intervals_have_the_stated_coverage_at_soft_knees() {
    for width in [0.01, 0.03, 0.1] {
        // A logistic curve in the logarithm of the level.
        let holds = |level: f64| 1.0 / (1.0 + ((level / 3000.0).ln() / width).exp());
        let (mut covered, mut steps) = (0, 0);
        for seed in 0..150 {
            let (trials, search, end) = run(BOUNDS, seed, holds);
            assert_eq!(end, Some(End::Found), "{}", reported(&trials, &search, end));
            let Bracket { held, broke, .. } = search.bracket();
            covered += usize::from(held.unwrap() <= 3000.0 && 3000.0 <= broke.unwrap());
            steps += trials.len();
        }
        // Each end is wrong with at most 5 % for each level at which it is tried.
        assert!(covered >= 135, "{covered} of 150 at a width of {width}");
        assert!(steps / 150 <= 60, "{} steps", steps / 150);
    }
}

#[test]
fn steps_that_break_without_cause_widen_the_interval_and_do_not_move_it() {
    let mut far = 0;
    for seed in 0..200 {
        let holds = |level: f64| if level <= 3000.0 { 0.9 } else { 0.0 };
        let (trials, search, end) = run(BOUNDS, seed, holds);
        if end == Some(End::BrokenAtLeast) {
            // One in a hundred: two of two.
            far += 1;
            continue;
        }
        let Bracket { held, broke, middle, .. } = search.bracket();
        assert!(held.is_some() && broke.is_some(), "{}", reported(&trials, &search, end));
        far += usize::from((middle.unwrap() / 3000.0 - 1.0).abs() > 0.05);
    }
    assert!(far <= 10, "{far} of 200");
}

#[test]
fn an_end_that_moves_outwards_does_not_move_the_capacity() {
    let mut search = Search::new(BOUNDS);
    let trials = [(2794.0, "++++"), (2934.0, "++-+-"), (3064.0, "-----")];
    for (level, trials) in trials {
        trials.chars().for_each(|c| search.record(level, if c == '+' { Trial::Held } else { Trial::Broke }));
    }
    assert_eq!(search.next(), Next::Try(2794.0), "the lower end cannot become sure at 2934");
    search.record(2794.0, Trial::Held);
    assert_eq!(search.next(), Next::Done(End::Found));
    let bracket = search.bracket();
    assert_eq!((bracket.held, bracket.broke), (Some(2794.0), Some(3064.0)));
    assert_eq!(bracket.middle.map(f64::round), Some(2998.0));
}

/// Searches a service that never breaks, with a generator that spoils this share of the steps beyond
/// `ceiling`.
fn spoiled(ceiling: f64, share: f64) -> (Bracket, Option<End>, usize) {
    let mut search = Search::new(BOUNDS);
    let mut state = 3;
    for steps in 0..200 {
        match search.next() {
            Next::Done(end) => return (search.bracket(), Some(end), steps),
            Next::Try(level) => {
                let is_spoiled = level > ceiling && uniform(&mut state) < share;
                let service = if level > ceiling { Trial::Broke } else { Trial::Held };
                search.record(level, if is_spoiled { Trial::InvalidTrial } else { service });
            }
        }
    }
    (search.bracket(), None, 200)
}

#[test]
fn steps_that_the_generator_spoils_never_count_against_the_service() {
    let (bracket, end, steps) = spoiled(3000.0, 1.0);
    assert_eq!((bracket.held, bracket.held_is_sure, end), (Some(2934.0), true, Some(End::Found)));
    assert!(!bracket.broke_is_sure && bracket.is_spoiled && steps < 25, "{bracket:?} after {steps}");
    let (bracket, end, _) = spoiled(50.0, 1.0);
    assert_eq!((bracket.held, end), (None, Some(End::BrokenAtLeast)));
    assert!(!bracket.broke_is_sure && bracket.is_spoiled, "{bracket:?}");
    // If it fails only now and then, the other trials prove as much as they would alone.
    let (bracket, _, _) = spoiled(3000.0, 0.2);
    assert!(bracket.broke_is_sure && !bracket.is_spoiled, "{bracket:?}");
    let (bracket, end, _) = spoiled(50.0, 0.2);
    assert!(end == Some(End::BrokenAtLeast) && bracket.broke_is_sure, "{bracket:?}");
}

proptest! {
    #[test]
    fn every_search_ends_and_its_ends_are_in_order(
        seed: u64, ceiling in 50.0..50_000f64, width in 0.001..0.3f64, whole: bool, precision in 0.005..0.3f64,
    ) {
        let bounds = Bounds { whole, precision, most: 20_000.0, ..BOUNDS };
        let holds = |level: f64| 1.0 / (1.0 + ((level / ceiling).ln() / width).exp());
        let (trials, search, end) = run(bounds, seed, holds);
        prop_assert!(end.is_some(), "{}", reported(&trials, &search, end));
        let bracket = search.bracket();
        if let (Some(held), Some(broke)) = (bracket.held, bracket.broke) {
            prop_assert!(held < broke);
        }
        prop_assert!(trials.iter().all(|(level, _)| (bounds.least..=bounds.most).contains(level)));
    }
}
