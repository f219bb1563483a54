//! `[capacity]`: checks that there is a load to raise, and resolves up to where.

use crate::scenario::{
    Load, LoadModel,
    capacity::{By, Capacity},
    file,
    problem::Problem,
};

/// `None` only after a problem was found.
pub(super) fn capacity(
    written: Option<file::Capacity>,
    loads: &[Option<Load>],
    found: &mut Vec<Problem>,
) -> Option<Capacity> {
    let Some(written) = written else { return Some(Capacity::default()) };
    let before = found.len();
    if let (Some(start), Some(max)) = (written.start.given(), written.max.given())
        && start.value > max.value
    {
        let problem = Problem::at(max.span.clone(), "`max` is less than `start`", "nothing lies between");
        found.push(problem.also(start.span.clone(), "this is more"));
    }
    // A load with a problem was reported already, and may be the one.
    let raised = |by: By| {
        loads.iter().any(|load| match (load.as_ref().map(|load| &load.model), by) {
            (None, _) => true,
            (Some(LoadModel::Open { .. }), by) => by == By::Rate,
            (Some(LoadModel::Closed { .. }), by) => by == By::Users,
        })
    };
    if let Some(by) = written.by.given().filter(|by| !raised(by.value)) {
        let (message, help) = match by.value {
            By::Rate => ("no load has a rate that could be raised", "write `by = \"users\"`"),
            By::Users => ("no load has users that could become more", "write `by = \"rate\"`"),
        };
        found.push(Problem::at(by.span.clone(), message, "").help(help));
    }
    let capacity = Capacity {
        by: written.by.optional()?,
        start: written.start.optional()?,
        max: written.max.optional()?,
        step_duration: written.step_duration.optional()?,
        settle: written.settle.optional()?,
        replicas: written.replicas.or(Vec::new())?,
        precision: written.precision.optional()?,
        budget: written.budget.optional()?,
    };
    (found.len() == before).then_some(capacity)
}
