//! Cases of a comparison with baselines: one for each quantity of each tenant and step.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus};

use crate::{
    comparison::{reasons, told},
    gate::GateInputs,
};
use saasbench_verify::{
    Report,
    compare::{Change, Comparison, Quantity, Row},
};

/// None for a run that was not to be compared; one that says why for a run that could not be.
pub(super) fn cases(report: &Report, beside: GateInputs<'_>) -> Vec<TestCase> {
    match beside.compared {
        None => Vec::new(),
        Some(Err(why)) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("not-compared").set_message(why);
            vec![case(report, "with its baselines".to_owned(), status)]
        }
        Some(Ok(comparison)) => {
            let all = comparison.rows.iter().flat_map(|row| row.quantities.iter().map(move |of| (row, of)));
            let named = all.map(|(row, quantity)| {
                let Row { tenant, journey, step, .. } = row;
                let name = format!("{tenant}, {journey}/{step}: {}", quantity.name);
                let mut case = case(report, name, status(comparison, row, quantity));
                if matches!(quantity.outcome, Change::Better | Change::NoWorse | Change::Same) {
                    case.set_system_out(told(row, quantity));
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

/// As the comparison's outcome takes it.
fn status(comparison: &Comparison, row: &Row, quantity: &Quantity) -> TestCaseStatus {
    let text = told(row, quantity);
    let why = reasons(comparison).map(|reason| format!("{reason}\n")).collect::<String>();
    let mut failed = TestCaseStatus::non_success(NonSuccessKind::Failure);
    match quantity.outcome {
        Change::Worse => {
            failed.set_type("fail").set_message(text);
            failed
        }
        _ if row.is_undecided(quantity) => {
            failed.set_type("inconclusive").set_message(format!("inconclusive: {text}")).set_description(why);
            failed
        }
        Change::Unknown | Change::TooFew => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message(text);
            skipped
        }
        Change::Better | Change::NoWorse | Change::Same => TestCaseStatus::success(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{comparison::tests::comparison, junit::render};
    use saasbench_record::testing::Made;
    use saasbench_verify::testing::Judge as _;
    use saasbench_verify::verdict::Outcome;

    #[test]
    fn a_case_for_each_quantity_that_was_compared() {
        let mut report = Made::new("[metrics]\nenabled = false\n", &[]).judge();
        report.run = "runs/RUN".to_owned();
        report.verdicts.clear();
        let mut compared = comparison(Outcome::Fail);
        compared.rows[1].quantities.truncate(3);
        compared.rows[1].quantities[0].outcome = Change::Unknown;
        compared.generator = vec!["runs/new: 30 of 1000 arrivals were dropped".to_owned()];
        compared.rows.push(Row { tenant: "initech".to_owned(), ..compared.rows[1].clone() });
        compared.rows[2].quantities.drain(..2);
        let text = |beside| String::from_utf8(render(&report, beside).unwrap()).unwrap();
        let text_of = |compared| text(GateInputs { compared: Some(compared), ..GateInputs::default() });
        insta::assert_snapshot!(text_of(Ok(&compared)));
        insta::assert_snapshot!(text_of(Err("runs/old cannot be read")));
    }
}
