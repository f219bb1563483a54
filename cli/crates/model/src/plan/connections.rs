//! Over how many connections a user sends.
//!
//! A limit that each of several processes behind one address keeps by itself shows only to somebody with
//! connections to several of them. The users of an open load stand for all who send at that rate, so against a
//! limit each of them uses several connections in turn, unless the scenario says otherwise. A user of a closed
//! load stands for one client with one connection.

use crate::scenario::{Load, LoadModel, Scenario};

/// As many as let a limit of several processes show in nearly every run.
const IN_TURN: usize = 8;

/// The most connections of one worker's first users, so that a scenario of many tenants and replicas does not
/// open thousands.
const MOST: usize = 256;

/// How many connections to each of `replicas` a user of a load uses in turn. `rank` is the number of users
/// before it that can take the same arrivals.
pub fn in_turn(scenario: &Scenario, load: &Load, rank: u64, replicas: usize) -> usize {
    let is_open = matches!(load.model, LoadModel::Open { .. });
    // The first one takes the arrivals as long as it can; more users are more connections.
    if !is_open || rank > 0 || !scenario.http.reuse.is_default() || !is_limited(scenario, load) {
        return 1;
    }
    let users = load.tenants.len().max(1) * load.journeys.len().max(1);
    (MOST / (users * replicas).max(1)).clamp(1, IN_TURN)
}

/// Whether a step of the load's journeys has a route with a limit.
fn is_limited(scenario: &Scenario, load: &Load) -> bool {
    let journeys = load.journeys.iter().filter_map(|(journey, _)| scenario.journeys.get(*journey));
    let mut steps = journeys
        .flat_map(|journey| journey.start.iter().chain(&journey.steps))
        .filter_map(|step| scenario.steps.get(*step));
    steps.any(|step| scenario.limits.iter().any(|limit| limit.route == step.route))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::scenario;

    fn connections(load: &str, http: &str, limit: &str, tenants: usize) -> [usize; 2] {
        let all: Vec<String> = (0..tenants).map(|n| format!("[[tenant]]\nid = \"t{n}\"\n")).collect();
        let scenario = scenario(&format!(
            "version = 1\n{http}\n{}[[journey]]\nname = \"ask\"\n[[journey.step]]\nget = \"/ask\"\n[[journey.step]]\nget = \"/x\"\n[[load]]\n{load}\nduration = \"1s\"\n[[limit]]\nroute = \"{limit}\"\nalgorithm = \"fixed-window\"\nquota = \"5/3s\"\n",
            all.concat()
        ));
        [0, 1].map(|rank| in_turn(&scenario, &scenario.loads[0], rank, 2))
    }

    #[test]
    fn the_first_users_of_open_loads_against_limits_use_several_connections() {
        let (open, limited) = ("rate = \"10/s\"", "GET /ask");
        assert_eq!(connections(open, "", limited, 2), [8, 1]);
        assert_eq!(connections(open, "", limited, 40), [3, 1], "256 for 40 tenants and 2 replicas");
        assert_eq!(connections(open, "", limited, 400), [1, 1]);
        assert_eq!(connections("users = 2", "", limited, 2), [1, 1], "closed");
        for http in ["connections = \"reuse\"", "max_requests = 9", "max_age = \"9s\""] {
            assert_eq!(connections(open, &format!("[http]\n{http}"), limited, 2), [1, 1], "{http}");
        }
    }
}
