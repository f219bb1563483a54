//! `[capacity]`: whether there is anything to raise, and up to where.

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
    if let (Some(from), Some(most)) = (written.from.given(), written.most.given())
        && from.value > most.value
    {
        let problem = Problem::at(most.span.clone(), "`most` is less than `from`", "nothing lies between");
        found.push(problem.also(from.span.clone(), "this is more"));
    }
    // A load that is wrong is told of elsewhere, and may be the one.
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
        from: written.from.optional()?,
        most: written.most.optional()?,
        step: written.step.optional()?,
        settle: written.settle.optional()?,
        replicas: written.replicas.or(Vec::new())?,
        precision: written.precision.optional()?,
        budget: written.budget.optional()?,
    };
    (found.len() == before).then_some(capacity)
}
