//! Seeded choices: which tenant, journey and replica, and the source of all random numbers.

use crate::scenario::{Load, Routing, TenantIndex};

/// The purpose of a random choice: two purposes never share random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Length of a pause.
    Pause = 1,
    /// Time between random arrivals.
    Arrival = 2,
    /// Row of a feeder.
    Row = 16,
    /// Choice among weighted steps.
    Step = 17,
    /// Pause after a step.
    Think = 18,
    /// Choice among a load's journeys.
    Journey = 19,
}

/// A uniform number in `[0, 1)` that depends only on the arguments: the finaliser of SplitMix64 (Steele, Lea
/// and Flood, 2014) applied to them.
pub fn uniform(seed: u64, purpose: Purpose, load: usize, user: u64, index: u64) -> f64 {
    let mut state = seed;
    for part in [purpose as u64, load as u64, user, index] {
        state = split_mix(state ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    // A double holds exactly 53 bits.
    (state >> 11) as f64 / (1_u64 << 53) as f64
}

fn split_mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The tenant of a load's user or arrival with this number (from 0): round-robin.
pub fn tenant(load: &Load, number: u64) -> TenantIndex {
    let index = number % load.tenants.len().max(1) as u64;
    load.tenants.get(index as usize).copied().unwrap_or_default()
}

/// Which of a load's journeys its user or arrival `number` (from 0) runs, as an index into them; `index` is
/// the load's. Each journey gets its weight's share.
pub fn journey(load: &Load, seed: u64, index: usize, number: u64) -> usize {
    if load.journeys.len() < 2 {
        return 0;
    }
    let weights = load.journeys.iter().map(|(_, weight)| *weight).enumerate();
    weighted(weights, || uniform(seed, Purpose::Journey, index, 0, number)).unwrap_or_default()
}

/// Which of several weighted things a draw in `[0, 1)` selects; `None` if there are none.
pub fn weighted<T>(things: impl Iterator<Item = (T, u64)> + Clone, draw: impl FnOnce() -> f64) -> Option<T> {
    let total: u64 = things.clone().map(|(_, weight)| weight).sum();
    let last = total.checked_sub(1)?;
    // A double may round the product up to the total; the last thing takes that.
    let mut left = ((total as f64 * draw()) as u64).min(last);
    for (thing, weight) in things {
        match left.checked_sub(weight) {
            Some(less) => left = less,
            None => return Some(thing),
        }
    }
    None
}

/// The replica of a request: `user` counts from 0 within the load, `request` counts the requests over which
/// replicas alternate.
pub fn replica(routing: Routing, user: u64, request: u64, replicas: usize) -> usize {
    let replicas = replicas.max(1) as u64;
    let turn = match routing {
        Routing::RoundRobin => request,
        Routing::Sticky => user,
        Routing::Only(index) => index as u64,
    };
    (turn % replicas) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_seed_others() {
        let draw = |seed| [0, 1, 2].map(|i| uniform(seed, Purpose::Pause, 0, 1, i));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn uniform_is_uniform() {
        let n = 100_000;
        let mut tenths = [0_u32; 10];
        for i in 0..n {
            tenths[(uniform(1, Purpose::Pause, 2, i % 100, i / 100) * 10.0) as usize] += 1;
        }
        // 10,000 expected each; the standard deviation is 95.
        assert!(tenths.iter().all(|count| count.abs_diff(10_000) < 500), "{tenths:?}");
    }

    #[test]
    fn journeys_have_their_shares_with_every_tenant() {
        let scenario = crate::scenario::testing::scenario(
            "version = 1\n[[tenant]]\nid = \"a\"\n[[tenant]]\nid = \"b\"\n\
             [[journey]]\nname = \"x\"\n[[journey.step]]\nget = \"/\"\n\
             [[journey]]\nname = \"y\"\n[[journey.step]]\nget = \"/\"\n\
             [[load]]\nusers = 1\nduration = \"1s\"\njourney = { y = 1, x = 3 }\n\
             [[load]]\nusers = 1\nduration = \"1s\"\njourney = \"y\"\n",
        );
        let load = &scenario.loads[0];
        assert_eq!(load.journeys, [(1, 1), (0, 3)]);
        let mut counts = [[0_u64; 2]; 2];
        for number in 0..40_000 {
            counts[tenant(load, number)][journey(load, 1, 0, number)] += 1;
        }
        // 20,000 in all for each tenant; five standard deviations are 306.
        for of_tenant in counts {
            assert!(of_tenant[1].abs_diff(15_000) < 306, "{counts:?}");
        }
        assert_eq!(journey(&scenario.loads[1], 1, 1, 7), 0);
    }

    #[test]
    fn replicas_take_turns_or_stay() {
        let turns = |routing| [0, 1, 2, 3].map(|request| replica(routing, 5, request, 2));
        assert_eq!(turns(Routing::RoundRobin), [0, 1, 0, 1]);
        assert_eq!(turns(Routing::Sticky), [1, 1, 1, 1]);
        assert_eq!(turns(Routing::Only(1)), [1, 1, 1, 1]);
    }
}
