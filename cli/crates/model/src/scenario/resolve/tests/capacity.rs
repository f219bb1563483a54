//! `[capacity]`: valid values and problems.

use super::{BASE, SOURCES, resolve};
use crate::{
    scenario::capacity::{By, Capacity},
    units::Nanos,
};

#[test]
fn every_key_may_be_stated_or_left_out() {
    let with = |table: &str| resolve(&format!("{BASE}\n{table}"), "base.toml", &SOURCES).unwrap().capacity;
    assert_eq!(with(""), Capacity::default());
    let all = with(
        "[capacity]\nby = \"rate\"\nstart = 10\nmax = 2.5e3\nstep_duration = \"5s\"\nsettle = \"0s\"\nreplicas = [1, 2]\nprecision = \"2.5%\"\nbudget = \"1m\"",
    );
    let expected = Capacity {
        by: Some(By::Rate),
        start: Some(10.0),
        max: Some(2500.0),
        step_duration: Some(Nanos::from_secs(5)),
        settle: Some(Nanos::ZERO),
        replicas: vec![1, 2],
        precision: Some(0.025),
        budget: Some(Nanos::from_secs(60)),
    };
    assert_eq!(all, expected);
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = format!(
        "{BASE}\n[capacity]\nby = \"users\"\nstart = 100\nmax = 10\nstep_duration = \"0s\"\nreplicas = [0, 2, \"x\"]\nprecision = \"90%\"\n"
    );
    let problems = resolve(&text, "base.toml", &SOURCES).unwrap_err();
    insta::assert_snapshot!(problems.render(false));
}
