//! The increase of a counter that the ledger implies, grouped by the labels that the counter has; and whether
//! it has the labels that the contract promises.

use std::collections::BTreeMap;

use super::{Counter, Gains};
use crate::ledger::{Cell, Seen};
use saasbench_model::scenario::{Statuses, is_status_class};

/// What clients saw of one cell of a counter.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Responses by status label.
    pub(super) answered: BTreeMap<String, u64>,
    /// Requests without a response.
    pub(super) unknown: u64,
}

/// What the ledger implies for a counter. The contract names labels once for all series: if a counter by
/// tenant lacks one of them, requests are grouped together.
pub(super) fn expected(
    counter: Counter<'_>,
    ledger: &BTreeMap<Cell, Seen>,
    gains: &Gains,
) -> BTreeMap<Cell, Expected> {
    let lacks = |reported: &dyn Fn(&Cell, &str) -> bool| {
        counter.per_tenant && !gains.keys().any(|(cell, status)| reported(cell, status))
    };
    let lacks_method = lacks(&|cell, _| !cell.method.is_empty());
    let lacks_path = lacks(&|cell, _| !cell.path.is_empty());
    let lacks_status = lacks(&|_, status| !status.is_empty());
    let mut expected: BTreeMap<Cell, Expected> = BTreeMap::new();
    for (cell, seen) in ledger {
        let mut cell = cell.clone();
        if lacks_method {
            cell.method.clear();
        }
        if lacks_path {
            cell.path.clear();
        }
        let of_cell = expected.entry(cell).or_default();
        of_cell.unknown += seen.unknown;
        for (status, answered) in &seen.statuses {
            let label = if lacks_status { String::new() } else { counter.contract.status_of(*status) };
            *of_cell.answered.entry(label).or_default() += answered.count;
        }
    }
    expected
}

/// Why an existing counter cannot be compared: its labels are not those of the contract. That is not a wrong
/// count, so the verdict is Inconclusive.
pub(super) fn misread(
    counter: Counter<'_>,
    expected: &BTreeMap<Cell, Expected>,
    gains: &Gains,
) -> Option<String> {
    let contract = counter.contract;
    let statuses: Vec<&str> =
        gains.keys().map(|(_, status)| status.as_str()).filter(|status| !status.is_empty()).collect();
    let other = match contract.statuses {
        _ if statuses.is_empty() => None,
        Statuses::Exact if statuses.iter().all(|status| is_status_class(status)) => Some("grouped"),
        Statuses::Grouped if !statuses.iter().any(|status| is_status_class(status)) => Some("exact"),
        _ => None,
    };
    if let Some(other) = other {
        let seen = statuses[0];
        return Some(format!(
            "{} has statuses like {seen:?}: the contract needs `statuses = \"{other}\"` ([metrics])",
            counter.name
        ));
    }
    let reported = [
        ("method_label", &contract.method_label, (|cell, _| !cell.method.is_empty()) as Reported),
        ("route_label", &contract.route_label, |cell, _| !cell.path.is_empty()),
        ("status_label", &contract.status_label, |_, status| !status.is_empty()),
        ("tenant_requests", &contract.tenant_label, |cell, _| {
            cell.tenant.as_ref().is_some_and(|t| !t.is_empty())
        }),
    ];
    let wanted: Vec<(&Cell, &str)> = expected
        .iter()
        .flat_map(|(cell, of)| of.answered.keys().map(move |status| (cell, status.as_str())))
        .collect();
    let lacking = reported.iter().find(|(_, label, reported)| {
        label.is_some()
            && wanted.iter().any(|(cell, status)| reported(cell, status))
            && !gains.keys().any(|(cell, status)| reported(cell, status))
    });
    lacking.map(|(key, label, _)| {
        let label = label.as_deref().unwrap_or_default();
        format!(
            "no series of {} has the label {label:?}: the service may use another name, or have none, `{key} = \"\"` ([metrics])",
            counter.name
        )
    })
}

/// Whether a label of a series is present and not empty.
type Reported = fn(&Cell, &str) -> bool;
