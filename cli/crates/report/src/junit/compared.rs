//! Test cases of a comparison with baselines: one for each quantity of each tenant and step.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus};

use crate::{
    comparison::{quantity_line, reasons},
    gate::GateInputs,
};
use saasbench_verify::{
    Report,
    compare::{Change, Comparison, Quantity, Row},
};

/// The cases; none without a comparison, and a single error for a comparison that was not possible.
pub(super) fn cases(report: &Report, gate: GateInputs<'_>) -> Vec<TestCase> {
    match gate.compared {
        None => Vec::new(),
        Some(Err(why)) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("not-compared").set_message(why);
            vec![case(report, "comparison with the baselines".to_owned(), status)]
        }
        Some(Ok(comparison)) => {
            let all = comparison.rows.iter().flat_map(|row| row.quantities.iter().map(move |of| (row, of)));
            let named = all.map(|(row, quantity)| {
                let Row { tenant, journey, step, .. } = row;
                let name = format!("{tenant}, {journey}/{step}: {}", quantity.name);
                let mut case = case(report, name, status(comparison, row, quantity));
                if matches!(quantity.outcome, Change::Improved | Change::NotRegressed | Change::Unchanged) {
                    case.set_system_out(quantity_line(row, quantity));
                }
                case
            });
            named.collect()
        }
    }
}

fn case(report: &Report, name: String, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{}.compare", report.scenario));
    case
}

/// The status, consistent with the comparison's outcome.
fn status(comparison: &Comparison, row: &Row, quantity: &Quantity) -> TestCaseStatus {
    let text = quantity_line(row, quantity);
    let why = reasons(comparison).map(|reason| format!("{reason}\n")).collect::<String>();
    let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
    match quantity.outcome {
        Change::Regressed => {
            failed.set_type("fail").set_message(text);
            failed
        }
        _ if row.is_undecided(quantity) => {
            let message =
                if text.starts_with("inconclusive") { text } else { format!("inconclusive: {text}") };
            failed.set_type("inconclusive").set_message(message).set_description(why);
            failed
        }
        Change::Inconclusive | Change::TooFew => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(text);
            skipped
        }
        Change::Improved | Change::NotRegressed | Change::Unchanged => TestCaseStatus::success(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{comparison::tests::comparison, junit::render};
    use saasbench_record::testing::TestRun;
    use saasbench_verify::testing::Judge as _;
    use saasbench_verify::verdict::Outcome;

    #[test]
    fn writes_a_case_for_each_compared_quantity() {
        let mut report = TestRun::new("[metrics]\nenabled = false\n", &[]).judge();
        report.run = "runs/RUN".to_owned();
        report.verdicts.clear();
        let mut compared = comparison(Outcome::Fail);
        compared.rows[1].quantities.truncate(3);
        compared.rows[1].quantities[0].outcome = Change::Inconclusive;
        compared.generator = vec!["runs/new: 30 of 1000 arrivals were dropped".to_owned()];
        compared.rows.push(Row { tenant: "initech".to_owned(), ..compared.rows[1].clone() });
        compared.rows[2].quantities.drain(..2);
        let text = |gate| render(&report, gate).unwrap();
        let text_of = |compared| text(GateInputs { compared: Some(compared), ..GateInputs::default() });
        insta::assert_snapshot!("compared_quantities", text_of(Ok(&compared)));
        insta::assert_snapshot!("comparison_not_possible", text_of(Err("runs/old cannot be read")));
    }
}
