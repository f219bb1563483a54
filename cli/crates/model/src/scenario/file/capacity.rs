//! `[capacity]` as written.

use toml::de::DeValue;

use super::{
    Kind,
    read::{Field, Table, whole},
    values::number,
};
use crate::{
    scenario::{
        capacity::{By, precision},
        notation::{self, Complaint},
        problem::{Problem, quoted},
    },
    units::Nanos,
};

/// The highest level that is accepted.
const MOST_LEVEL: f64 = 1e7;
/// The most replicas of the reference server that can be started.
const MOST_REPLICAS: usize = 64;

/// `[capacity]`
#[derive(Debug)]
pub(in crate::scenario) struct Capacity {
    pub(in crate::scenario) by: Field<By>,
    pub(in crate::scenario) start: Field<f64>,
    pub(in crate::scenario) max: Field<f64>,
    pub(in crate::scenario) step_duration: Field<Nanos>,
    pub(in crate::scenario) settle: Field<Nanos>,
    pub(in crate::scenario) replicas: Field<Vec<usize>>,
    pub(in crate::scenario) precision: Field<f64>,
    pub(in crate::scenario) budget: Field<Nanos>,
}

impl Capacity {
    pub(super) fn read(table: &Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            by: table.parsed("by", found, by),
            start: number(table, "start", 1.0..=MOST_LEVEL, found),
            max: number(table, "max", 1.0..=MOST_LEVEL, found),
            step_duration: table.parsed("step_duration", found, notation::positive_duration),
            settle: table.parsed("settle", found, notation::duration),
            replicas: replicas(table, found),
            precision: table.parsed("precision", found, |text| {
                precision(text).map_err(|help| Complaint::new("this is no precision", help))
            }),
            budget: table.parsed("budget", found, notation::positive_duration),
        }
    }
}

fn by(text: &str) -> Result<By, Complaint> {
    match text {
        "rate" => Ok(By::Rate),
        "users" => Ok(By::Users),
        _ => Err(Complaint::new("nothing else is raised", "by is \"rate\" or \"users\"")),
    }
}

fn replicas(table: &Table<'_>, found: &mut Vec<Problem>) -> Field<Vec<usize>> {
    table.debug_assert_kind("replicas", |kind| kind == Kind::Wholes(1));
    table.read("replicas", found, |value, found| {
        let DeValue::Array(array) = value.get_ref() else {
            found.push(table.mistyped("replicas", "an array of whole numbers", value));
            return None;
        };
        let count = |value: &DeValue<'_>| match value {
            DeValue::Integer(integer) => whole(integer).and_then(|number| usize::try_from(number).ok()),
            _ => None,
        };
        let mut counts = Vec::new();
        for element in array.iter() {
            match count(element.get_ref()).filter(|count| (1..=MOST_REPLICAS).contains(count)) {
                Some(count) => counts.push(count),
                None => {
                    let message = format!("{} has a number that cannot be", quoted("replicas"));
                    let label = format!("there are 1 to {MOST_REPLICAS} replicas");
                    found.push(Problem::at(element.span(), message, label));
                }
            }
        }
        (counts.len() == array.len()).then_some(counts)
    })
}
