//! Overrides of a scenario's loads by the command line: rates, users, durations. The record stores them
//! beside the scenario's text, so that a run is judged again as it was.

use serde::{Deserialize, Serialize};

use super::{LoadModel, Scenario, Stage};
use crate::units::{Nanos, Rate};

/// The overrides; none by default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Overrides {
    /// Peak iterations per second of all open loads together; each keeps its share and its shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Peak number of users of all closed loads together; each keeps its share and its shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// Users started per second in all closed loads together; each starts its share of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn: Option<f64>,
    /// When the last load starts its last iteration: delays and stages of all loads are scaled together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Nanos>,
    /// Iterations of all loads together, divided as evenly as possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u64>,
}

/// Why overrides cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// A rate, but no open load.
    #[error("no load of the scenario has a rate that could be changed: all of them have users")]
    NoRate,
    /// Users, but no closed load.
    #[error("no load of the scenario has users whose number could be changed: all of them have a rate")]
    NoUsers,
    /// The duration is not longer than the warm-up.
    #[error("the warm-up takes {warmup}, and the loads are over after {duration}")]
    OnlyWarmup {
        /// The scenario's warm-up.
        warmup: Nanos,
        /// The duration given.
        duration: Nanos,
    },
    /// Fewer than one per load.
    #[error("{given} is too few for {loads} loads: each needs one at least")]
    TooFew {
        /// The number to divide.
        given: u64,
        /// The number of loads.
        loads: usize,
    },
}

impl OverrideError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoRate => {
                "say how many users there are to be: --users 100, and --spawn-rate 10/s if they are to come one by one"
            }
            Self::NoUsers => "say how many iterations are to begin per second: --rate 100/s",
            Self::OnlyWarmup { .. } => "nothing would be left to be judged: let them last longer",
            Self::TooFew { .. } => "give a greater number, or take loads out of the scenario",
        }
    }
}

/// Formats overrides: `500/s, 100 users, 10 users started per second for 30 s`.
impl std::fmt::Display for Overrides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            self.rate.map(|rate| format!("{rate}/s")),
            self.users.map(|users| format!("{users} users")),
            self.spawn.map(|spawn| format!("{spawn} users started per second")),
            self.iterations.map(|iterations| format!("{iterations} iterations")),
        ];
        let reported: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&reported.join(", "))?;
        match self.duration {
            Some(duration) if reported.is_empty() => write!(f, "lasts {duration}"),
            Some(duration) => write!(f, " for {duration}"),
            None => Ok(()),
        }
    }
}

impl Overrides {
    /// Whether there are no overrides.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Changes the scenario's loads.
    ///
    /// # Errors
    /// When there is no load to apply it to; the scenario must not be used then.
    pub fn apply(&self, scenario: &mut Scenario) -> Result<(), OverrideError> {
        if let Some(duration) = self.duration {
            last_for(scenario, duration)?;
        }
        if let Some(rate) = self.rate {
            arrive(scenario, rate)?;
        }
        if let Some(users) = self.users {
            populate(scenario, users)?;
        }
        if let Some(spawn) = self.spawn {
            start(scenario, spawn)?;
        }
        if let Some(iterations) = self.iterations {
            let shares = vec![1.0; scenario.loads.len()];
            for (load, share) in scenario.loads.iter_mut().zip(shared(iterations, &shares)?) {
                load.iterations = Some(share);
            }
        }
        Ok(())
    }
}

fn last_for(scenario: &mut Scenario, duration: Nanos) -> Result<(), OverrideError> {
    if scenario.warmup >= duration {
        return Err(OverrideError::OnlyWarmup { warmup: scenario.warmup, duration });
    }
    let planned = scenario.loads.iter().map(|load| load.after + load.duration).max().unwrap_or_default();
    let factor = duration.as_secs_f64() / planned.as_secs_f64();
    let scaled = |length: Nanos| Nanos((length.0 as f64 * factor).round() as i64);
    for load in &mut scenario.loads {
        load.after = scaled(load.after);
        for stage in stages(&mut load.model) {
            stage.length = scaled(stage.length).max(Nanos(1));
        }
        load.duration = Stage::length(load.model.stages());
    }
    Ok(())
}

fn stages(model: &mut LoadModel) -> &mut [Stage] {
    match model {
        LoadModel::Open { rate, .. } => rate,
        LoadModel::Closed { users, .. } => users,
    }
}

fn arrive(scenario: &mut Scenario, total: f64) -> Result<(), OverrideError> {
    let rates = scenario.loads.iter_mut().filter_map(|load| match &mut load.model {
        LoadModel::Open { rate, .. } => Some(rate),
        LoadModel::Closed { .. } => None,
    });
    let rates: Vec<&mut Vec<Stage>> = rates.collect();
    let highest: f64 = rates.iter().map(|stages| Stage::highest(stages)).sum();
    if highest == 0.0 {
        return Err(OverrideError::NoRate);
    }
    for stage in rates.into_iter().flatten() {
        stage.from *= total / highest;
        stage.to *= total / highest;
    }
    Ok(())
}

fn populate(scenario: &mut Scenario, total: u64) -> Result<(), OverrideError> {
    let numbers = scenario.loads.iter_mut().filter_map(|load| match &mut load.model {
        LoadModel::Closed { users, .. } => Some(users),
        LoadModel::Open { .. } => None,
    });
    let numbers: Vec<&mut Vec<Stage>> = numbers.collect();
    let highest: Vec<f64> = numbers.iter().map(|stages| Stage::highest(stages)).collect();
    if highest.iter().sum::<f64>() == 0.0 {
        return Err(OverrideError::NoUsers);
    }
    let shares = shared(total, &highest)?;
    for ((stages, highest), share) in numbers.into_iter().zip(highest).zip(shares) {
        for stage in stages.iter_mut().filter(|_| highest > 0.0) {
            stage.from = (stage.from / highest * share as f64).round();
            stage.to = (stage.to / highest * share as f64).round();
        }
    }
    Ok(())
}

fn start(scenario: &mut Scenario, total: f64) -> Result<(), OverrideError> {
    let all: u64 = scenario.loads.iter().map(users_of).sum();
    if all == 0 {
        return Err(OverrideError::NoUsers);
    }
    for load in &mut scenario.loads {
        let share = users_of(load) as f64 / all as f64;
        if let LoadModel::Closed { spawn, .. } = &mut load.model {
            *spawn = (share > 0.0).then_some(Rate(total * share));
        }
    }
    Ok(())
}

/// Users of a closed load; zero for an open one.
fn users_of(load: &super::Load) -> u64 {
    match &load.model {
        LoadModel::Closed { .. } => load.model.most_users(),
        LoadModel::Open { .. } => 0,
    }
}

/// Whole numbers that add up to `total`, in proportion to `weights`, at least one for each weight above zero.
fn shared(total: u64, weights: &[f64]) -> Result<Vec<u64>, OverrideError> {
    let loads = weights.iter().filter(|weight| **weight > 0.0).count();
    let Some(rest) = total.checked_sub(loads as u64) else {
        return Err(OverrideError::TooFew { given: total, loads });
    };
    let sum: f64 = weights.iter().sum();
    let mut given = 0;
    let mut upto = 0.0;
    let shares = weights.iter().map(|weight| {
        upto += weight;
        let share = (rest as f64 * upto / sum).round() as u64 - given;
        given += share;
        share + u64::from(*weight > 0.0)
    });
    Ok(shares.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{SCENARIO, scenario};

    const MIXED: &str = r#"
[[load]]
rate = "30/s"
duration = "10s"
[[load]]
after = "5s"
stages = [{ for = "5s", rate = "10/s" }, { for = "10s", rate = "0/s" }]
[[load]]
users = 3
duration = "20s"
[[load]]
users = 1
spawn_rate = "1/s"
duration = "20s"
"#;

    fn changed(overrides: &Overrides) -> Result<Vec<String>, OverrideError> {
        let text = SCENARIO.split("[[load]]").next().unwrap_or_default();
        let mut scenario = scenario(&format!("{text}{MIXED}"));
        overrides.apply(&mut scenario)?;
        let reported = |load: &super::super::Load| {
            let shape: Vec<String> = load
                .model
                .stages()
                .iter()
                .map(|stage| format!("{}..{} for {}", stage.from, stage.to, stage.length))
                .collect();
            let spawn = match &load.model {
                LoadModel::Closed { spawn: Some(spawn), .. } => format!(", spawn {spawn:?}"),
                _ => String::new(),
            };
            let iterations = load.iterations.map(|count| format!(", {count} iterations")).unwrap_or_default();
            format!("after {}: {}{spawn}{iterations}", load.after, shape.join(", "))
        };
        Ok(scenario.loads.iter().map(reported).collect())
    }

    #[test]
    fn overrides_scale_loads_and_keep_their_shapes() {
        let all = Overrides {
            rate: Some(400.0),
            users: Some(8),
            spawn: Some(4.0),
            duration: Some(Nanos::from_secs(10)),
            iterations: Some(10),
        };
        insta::assert_debug_snapshot!(changed(&all).unwrap());
        assert_eq!(changed(&Overrides::default()).unwrap().len(), 4);
        assert!(Overrides::default().is_empty() && !all.is_empty());
        let reported = [all, Overrides { rate: None, iterations: None, spawn: None, ..all }];
        insta::assert_snapshot!(reported.map(|overrides| overrides.to_string()).join("\n"), @r"
        400/s, 8 users, 4 users started per second, 10 iterations for 10 s
        8 users for 10 s
        ");
        let only = Overrides { duration: all.duration, ..Overrides::default() };
        assert_eq!(only.to_string(), "lasts 10 s");
    }

    #[test]
    fn impossible_overrides_are_reported() {
        let none = Overrides::default();
        let few = Overrides { users: Some(1), ..none };
        let reported = |error: OverrideError| format!("{error}\n  help: {}\n", error.hint());
        let mut all = reported(changed(&few).unwrap_err());
        let mut open = scenario(SCENARIO);
        let mut closed = scenario(&SCENARIO.replace("rate = \"10/s\"", "users = 3"));
        all += &reported(Overrides { users: Some(9), ..none }.apply(&mut open).unwrap_err());
        all += &reported(Overrides { rate: Some(9.0), ..none }.apply(&mut closed).unwrap_err());
        open.warmup = Nanos::from_secs(5);
        let short = Overrides { duration: Some(Nanos::from_secs(4)), ..none };
        all += &reported(short.apply(&mut open).unwrap_err());
        insta::assert_snapshot!(all);
    }

    #[test]
    fn shares_add_up() {
        for (total, weights) in
            [(10, vec![1.0, 1.0, 1.0]), (3, vec![1.0, 100.0, 1.0]), (100, vec![0.0, 0.3, 0.7])]
        {
            let shares = shared(total, &weights).unwrap();
            assert_eq!(shares.iter().sum::<u64>(), total, "{shares:?}");
            assert!(shares.iter().zip(&weights).all(|(share, weight)| (*share > 0) == (*weight > 0.0)));
        }
    }
}
