//! Which expressions can be evaluated: everything that the parser accepts, except functions that are not
//! implemented and language features of newer Prometheus versions.

use promql_parser::{
    parser::{
        Expr, VectorMatchFillValues, VectorSelector,
        token::{T_ATAN2, T_LIMIT_RATIO, T_LIMITK},
    },
    util::{ExprVisitor, walk_expr},
};

use crate::{
    error::{QueryError, unsupported},
    eval::functions,
};

/// Checks that an expression uses only what is supported.
///
/// # Errors
/// At the first construct that is not.
pub(crate) fn check(expr: &Expr) -> Result<(), QueryError> {
    walk_expr(&mut Checker, expr).map(|_| ())
}

struct Checker;

impl ExprVisitor for Checker {
    type Error = QueryError;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, QueryError> {
        match expr {
            Expr::VectorSelector(selector) => selected(selector)?,
            Expr::MatrixSelector(matrix) => selected(&matrix.vs)?,
            Expr::Subquery(subquery) if subquery.step.is_none() => unsupported("a subquery without a step")?,
            Expr::Call(call) if functions::find(call.func.name).is_none() => {
                unsupported(format!("the function `{}`", call.func.name))?;
            }
            Expr::Aggregate(aggregate) => {
                if matches!(aggregate.op.id(), T_LIMITK | T_LIMIT_RATIO) {
                    unsupported(format!("the aggregation `{}`", aggregate.op))?;
                }
                // The parser's walk skips parameters.
                aggregate.param.iter().try_for_each(|parameter| check(parameter))?;
            }
            Expr::Binary(binary) => {
                // Prometheus versions differ on whether its result keeps the metric's name.
                if binary.op.id() == T_ATAN2 {
                    unsupported("the operator `atan2`")?;
                }
                let fills = |fill: &VectorMatchFillValues| *fill != VectorMatchFillValues::default();
                if binary.modifier.as_ref().is_some_and(|modifier| fills(&modifier.fill_values)) {
                    unsupported("the `fill` modifiers")?;
                }
            }
            Expr::Extension(_) => unsupported("an extension")?,
            _ => {}
        }
        Ok(true)
    }
}

fn selected(selector: &VectorSelector) -> Result<(), QueryError> {
    if selector.matchers.or_matchers.is_empty() { Ok(()) } else { unsupported("`or` between matchers") }
}

#[cfg(test)]
mod tests {
    use crate::{Query, QueryError};

    #[test]
    fn unimplemented_functions_are_rejected_by_name() {
        for (text, construct) in [
            ("day_of_week()", "the function `day_of_week`"),
            ("1 + sum(sort_by_label(up, \"job\"))", "the function `sort_by_label`"),
            ("topk(scalar(hour()), up)", "the function `hour`"),
            ("max_over_time(up[5m:])", "a subquery without a step"),
            ("limitk(2, up)", "the aggregation `limitk`"),
            ("up atan2 up", "the operator `atan2`"),
            ("up + on (job) fill (0) up", "the `fill` modifiers"),
            ("rate(up{a=\"1\" or b=\"2\"}[5m])", "`or` between matchers"),
        ] {
            assert_eq!(
                Query::parse(text).unwrap_err(),
                QueryError::Unsupported(construct.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn invalid_promql_is_a_syntax_error() {
        for text in ["sum(", "", "up{", "nosuch(up)", "sum by (job) up", "1 == 1", "rate(up)"] {
            assert!(matches!(Query::parse(text), Err(QueryError::Syntax(_))), "{text}");
        }
    }
}
