//! Known failure modes of counters, each tested for whether it explains everything that was found.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Accounts, Row};
use crate::verdict::Diagnosis;

/// How many examples are named.
const NAMED: usize = 3;

/// The route label holds the raw path instead of the route: what is missing from routes is counted elsewhere.
pub(super) fn raw_path(accounts: &Accounts) -> Option<Diagnosis> {
    let known = |row: &&Row| accounts.paths.contains(&row.cell.path);
    let strange: BTreeSet<&str> =
        accounts.rows.iter().filter(|row| !known(row)).map(|row| row.cell.path.as_str()).collect();
    let surplus_of_known: f64 = accounts.rows.iter().filter(known).map(Row::surplus).sum();
    if accounts.lack() == 0.0
        || strange.is_empty()
        || surplus_of_known > accounts.unknown
        || !accounts.balanced(|row| (row.cell.tenant.clone(), row.cell.method.clone(), row.status.clone()))
    {
        return None;
    }
    let count = strange.len();
    let named: Vec<&str> = strange.into_iter().take(NAMED).collect();
    let s = if count == 1 { "" } else { "s" };
    Some(Diagnosis::new(
        "handler-raw-path",
        json!({ "paths": count, "examples": named }),
        format!(
            "the raw path is used where the route template should be: what routes lack is counted under {count} other \
             path{s} ({})",
            named.join(", ")
        ),
    ))
}

/// What one tenant lacks, another has as a surplus.
pub(super) fn mislabelled_tenant(accounts: &Accounts) -> Option<Diagnosis> {
    let of = |row: &Row| (row.cell.method.clone(), row.cell.path.clone(), row.status.clone());
    let tenants = |wrong: fn(&Row) -> f64| -> BTreeSet<&str> {
        let rows = accounts.rows.iter().filter(|row| wrong(row) > 0.0);
        rows.filter_map(|row| row.cell.tenant.as_deref()).collect()
    };
    let (from, to) = (tenants(Row::lack), tenants(Row::surplus));
    if from.is_empty() || to.is_empty() || from == to || !accounts.balanced(of) {
        return None;
    }
    let named = |tenants: &BTreeSet<&str>| tenants.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let count = accounts.lack();
    Some(Diagnosis::new(
        "tenant-mislabelled",
        json!({ "from": from, "to": to, "requests": count }),
        format!(
            "requests are counted for the wrong tenant: {count} of {} count for {}",
            named(&from),
            named(&to)
        ),
    ))
}

/// What one status lacks, another has as a surplus, on the same route.
pub(super) fn mislabelled_status(accounts: &Accounts) -> Option<Diagnosis> {
    let statuses = |wrong: fn(&Row) -> f64| -> BTreeSet<&str> {
        accounts.rows.iter().filter(|row| wrong(row) > 0.0).map(|row| row.status.as_str()).collect()
    };
    let (from, to) = (statuses(Row::lack), statuses(Row::surplus));
    if from.is_empty() || to.is_empty() || !accounts.balanced(|row| row.cell.clone()) {
        return None;
    }
    let named = |statuses: &BTreeSet<&str>| statuses.iter().copied().collect::<Vec<_>>().join(", ");
    let count = accounts.lack();
    Some(Diagnosis::new(
        "status-mislabelled",
        json!({ "from": from, "to": to, "requests": count }),
        format!(
            "requests are counted with the wrong status: {count} that clients saw as {} count as {}",
            named(&from),
            named(&to)
        ),
    ))
}

/// All requests, or a share of them, count twice.
pub(super) fn counted_twice(accounts: &Accounts) -> Option<Diagnosis> {
    let surplus = accounts.surplus();
    if surplus <= accounts.unknown || accounts.lack() > 0.0 || !accounts.spread_evenly(Row::surplus) {
        return None;
    }
    // Requests without a response may have counted twice, too; three counts are not explained by double
    // counting.
    let unanswered = 2.0 * accounts.unknown;
    if surplus > accounts.seen() + unanswered {
        return None;
    }
    if accounts.rows.iter().any(|row| row.seen == 0.0 && row.gained > unanswered) {
        return None;
    }
    let seen = accounts.seen();
    let each = (seen / surplus).round();
    let every = surplus == seen;
    let share = if every { "every request is".to_owned() } else { format!("about 1 request in {each} is") };
    Some(Diagnosis::new(
        "count-double",
        json!({ "one_in": each, "requests": surplus }),
        format!("{share} counted twice: {} counted, {seen} seen by clients", seen + surplus),
    ))
}

/// A share of the requests is not counted.
pub(super) fn lost(accounts: &Accounts) -> Option<Diagnosis> {
    let lack = accounts.lack();
    if lack == 0.0 || accounts.surplus() > accounts.unknown || !accounts.spread_evenly(Row::lack) {
        return None;
    }
    let seen = accounts.seen();
    let each = (seen / lack).round();
    let series = accounts.rows.iter().filter(|row| row.lack() > 0.0).count();
    Some(Diagnosis::new(
        "count-lost",
        json!({ "one_in": each, "requests": lack }),
        format!(
            "about 1 request in {each} is not counted: {lack} of {seen}, in {series} of {} series",
            accounts.rows.len()
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Cell;

    fn accounts(seen: f64, gained: f64, unknown: f64) -> Accounts {
        let cell = Cell { tenant: None, method: "GET".to_owned(), path: "/".to_owned() };
        let paths = [cell.path.clone()].into();
        Accounts { rows: vec![Row { cell, status: "200".to_owned(), seen, gained }], unknown, paths }
    }

    #[test]
    fn unanswered_requests_may_count_twice_but_nothing_counts_three_times() {
        let named = |seen, gained, unknown| counted_twice(&accounts(seen, gained, unknown)).is_some();
        let table = [
            (100.0, 200.0, 0.0, true),
            (100.0, 218.0, 9.0, true),
            (100.0, 219.0, 9.0, false),
            (100.0, 300.0, 9.0, false),
            (100.0, 100.0, 9.0, false),
        ];
        for (seen, gained, unknown, expected) in table {
            assert_eq!(
                named(seen, gained, unknown),
                expected,
                "{seen} seen, {gained} counted, {unknown} unknown"
            );
        }
    }
}
