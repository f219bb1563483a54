//! Which steps of its journey a user runs: one drawn by weight, or those whose turn it is.

use crate::plan::seeded::{self, Purpose};
use crate::scenario::{Journey, LoadModel, Scenario, Step, StepIndex};

/// The number in `[0, 1)` that [`choose`] selects a step by: for an arrival it depends on its number, for a
/// closed load's user (`user` from 0, `pass` counting its iterations from 1) on its own count. So it depends
/// neither on the number of workers nor on the service's speed.
pub fn draw(scenario: &Scenario, load: usize, user: u64, pass: u64, iteration: u64) -> f64 {
    let is_open = scenario.loads.get(load).is_some_and(|load| matches!(load.model, LoadModel::Open { .. }));
    let (who, index) = if is_open { (0, iteration) } else { (user + 1, pass) };
    seeded::uniform(scenario.seed, Purpose::Step, load, who, index)
}

/// Whether a step runs in the user's `pass`-th iteration (from 1), given its saved values.
pub fn is_selected(step: &Step, pass: u64, saved: &[Option<String>]) -> bool {
    pass.is_multiple_of(step.turn.every.max(1))
        && step.turn.when.as_ref().is_none_or(|when| when.holds(saved))
}

/// The step of an iteration of a journey with weights, selected by `draw` in `[0, 1)`: each has its weight's
/// share among those whose `when` holds. `None` if the journey has no weights, or no step can run.
pub fn choose(
    scenario: &Scenario,
    journey: &Journey,
    saved: &[Option<String>],
    draw: impl FnOnce() -> f64,
) -> Option<StepIndex> {
    let weighted = journey.steps.iter().filter_map(|&index| {
        let turn = &scenario.steps.get(index)?.turn;
        let eligible = turn.when.as_ref().is_none_or(|when| when.holds(saved));
        Some((index, turn.weight.filter(|_| eligible)?))
    });
    seeded::weighted(weighted, draw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::scenario;

    const HEAD: &str = "version = 1\n[[tenant]]\nid = \"a\"\n[[journey]]\nname = \"j\"\n";

    fn journey(steps: &str, load: &str) -> Scenario {
        scenario(&format!("{HEAD}{steps}[[load]]\n{load}\nduration = \"1s\"\n"))
    }

    fn weighted() -> Scenario {
        journey(
            "[[journey.step]]\nget = \"/a\"\nweight = 3\nsave = { x = \"/x\" }\n\
             [[journey.step]]\nget = \"/b\"\nweight = 1\n\
             [[journey.step]]\nget = \"/c\"\nweight = 4\nwhen = \"x\"\n",
            "users = 2",
        )
    }

    #[test]
    fn steps_are_chosen_by_their_weight() {
        let scenario = weighted();
        let choose =
            |draw, saved: &[Option<String>]| choose(&scenario, &scenario.journeys[0], saved, || draw);
        let nothing = [None];
        for (draw, step) in [(0.0, 0), (0.74, 0), (0.75, 1), (0.999_999_999_999_999_9, 1)] {
            assert_eq!(choose(draw, &nothing), Some(step), "{draw}");
        }
        let saved = [Some("1".to_owned())];
        for (draw, step) in [(0.0, 0), (0.374, 0), (0.375, 1), (0.499, 1), (0.5, 2), (0.99, 2)] {
            assert_eq!(choose(draw, &saved), Some(step), "{draw}");
        }
    }

    #[test]
    fn draws_keep_the_shares_and_depend_on_what_they_should() {
        let closed = weighted();
        let n = 80_000;
        let saved = [Some("1".to_owned())];
        let mut counts = [0_u64; 3];
        for i in 0..n {
            let draw = draw(&closed, 0, i % 40, 1 + i / 40, i * 7);
            counts[choose(&closed, &closed.journeys[0], &saved, || draw).unwrap()] += 1;
        }
        // Three, one and four eighths expected; five standard deviations are at most 707.
        for (count, expected) in counts.into_iter().zip([30_000, 10_000, 40_000]) {
            assert!(count.abs_diff(expected) < 707, "{counts:?}");
        }
        // A user's own count decides, not the iteration's number in the load, which depends on the service's
        // speed.
        assert_eq!(draw(&closed, 0, 3, 5, 17), draw(&closed, 0, 3, 5, 18));
        assert_ne!(draw(&closed, 0, 3, 5, 17), draw(&closed, 0, 4, 5, 17));
        let open = journey("[[journey.step]]\nget = \"/\"\nweight = 1\n", "rate = \"1/s\"");
        assert_eq!(draw(&open, 0, 3, 5, 17), draw(&open, 0, 4, 6, 17));
        assert_ne!(draw(&open, 0, 3, 5, 17), draw(&open, 0, 3, 5, 18));
    }

    #[test]
    fn steps_have_their_turn() {
        let scenario = journey(
            "[[journey.step]]\nget = \"/a\"\nsave = { x = \"/x\" }\n\
             [[journey.step]]\nget = \"/b\"\nevery = 3\n\
             [[journey.step]]\nget = \"/c\"\nwhen = { saved = \"x\", is = \"1\" }\n\
             [[journey.step]]\nget = \"/d\"\nwhen = { saved = \"x\", not = \"1\" }\n\
             [[journey.step]]\nget = \"/e\"\nwhen = { absent = \"x\" }\n\
             [[journey.step]]\nget = \"/f\"\nwhen = \"x\"\nevery = 2\n",
            "users = 1",
        );
        let walk = |pass, saved: Option<&str>| -> String {
            let saved = [saved.map(str::to_owned)];
            let steps = scenario.steps.iter().filter(|step| is_selected(step, pass, &saved));
            steps.map(|step| step.route.trim_start_matches("GET /")).collect()
        };
        assert_eq!(walk(1, None), "ade");
        assert_eq!(walk(3, None), "abde");
        assert_eq!(walk(1, Some("1")), "ac");
        assert_eq!(walk(2, Some("1")), "acf");
        assert_eq!(walk(6, Some("2")), "abdf");
        assert_eq!(choose(&scenario, &scenario.journeys[0], &[None], || 0.5), None);
    }
}
