//! Which expressions the embedded engine may evaluate. It answers most of PromQL as Prometheus does, and some of it
//! otherwise: a metric's name stays where a function should take it away, labels stay behind `on (…)`, subqueries are laid on other
//! instants, `-2 ^ 2` is 4. What is known to agree (`cli/tests/e2e/promql.rs` holds every construct to a real Prometheus) is let
//! pass, what can be mended is mended, and everything else is rejected: no answer is better than a wrong one.

use tsink::promql::ast::{
    AggregationExpr, AggregationOp, BinaryExpr, BinaryOp, CallExpr, Expr, LabelMatcher, MatchOp,
    MatrixSelector, UnaryOp, VectorMatchCardinality, VectorMatching, VectorSelector,
};

/// How an answer's labels are to be mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mend {
    /// The metric's name stays.
    pub(super) keeps_name: bool,
    /// Which labels stay beside it.
    pub(super) labels: Kept,
}

/// Which labels stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// All.
    All,
    /// These.
    Only(Vec<String>),
    /// All but these.
    But(Vec<String>),
}

/// An expression that is not evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the embedded Prometheus does not evaluate {construct}: it cannot be trusted with that; a real Prometheus can"
)]
pub struct Rejected {
    /// What it is.
    construct: String,
}

/// Functions that agree, and whether the metric's name stays.
pub const FUNCTIONS: [(&str, bool); 40] = [
    ("abs", false),
    ("absent", false),
    ("absent_over_time", false),
    ("avg_over_time", false),
    ("ceil", false),
    ("changes", false),
    ("clamp", false),
    ("clamp_max", false),
    ("clamp_min", false),
    ("count_over_time", false),
    ("delta", false),
    ("deriv", false),
    ("exp", false),
    ("floor", false),
    ("idelta", false),
    ("increase", false),
    ("irate", false),
    ("label_replace", true),
    ("last_over_time", true),
    ("ln", false),
    ("log10", false),
    ("log2", false),
    ("max_over_time", false),
    ("min_over_time", false),
    ("predict_linear", false),
    ("present_over_time", false),
    ("quantile_over_time", false),
    ("rate", false),
    ("resets", false),
    ("round", false),
    ("scalar", false),
    ("sort", true),
    ("sort_desc", true),
    ("sqrt", false),
    ("stddev_over_time", false),
    ("stdvar_over_time", false),
    ("sum_over_time", false),
    ("time", false),
    ("timestamp", false),
    ("vector", false),
];

/// Whether an expression may be evaluated, and how its answer is mended.
///
/// # Errors
/// When it is not known to agree with Prometheus.
pub(super) fn check(expr: &Expr) -> Result<Mend, Rejected> {
    match expr {
        Expr::Paren(inner) => check(inner),
        Expr::Binary(binary) if projects(binary) => {
            let named = inner(&binary.lhs)?;
            side(&binary.rhs)?;
            let on = binary.matching.as_ref().is_some_and(|matching| matching.on);
            let filters = binary.op.is_comparison() && !binary.return_bool;
            Ok(Mend { keeps_name: filters && named && !on, labels: left(binary) })
        }
        // A bound on a ratio of two vectors: the answer's labels are the ratio's.
        Expr::Binary(binary) if binary.op.is_comparison() && is_scalar(&binary.rhs) => {
            let mend = check(&binary.lhs)?;
            Ok(Mend { keeps_name: mend.keeps_name && !binary.return_bool, ..mend })
        }
        _ => Ok(Mend { keeps_name: inner(expr)?, labels: Kept::All }),
    }
}

/// One-to-one arithmetic or comparison over `on (…)` or `ignoring (…)`: the engine leaves labels that are not matched on.
fn projects(binary: &BinaryExpr) -> bool {
    let is_told = |matching: &VectorMatching| matching.on || !matching.labels.is_empty();
    let one_to_one = binary.matching.as_ref().is_some_and(|matching| {
        is_told(matching) && matching.cardinality == VectorMatchCardinality::OneToOne
    });
    one_to_one && !binary.op.is_set()
}

/// The labels that one-to-one matching leaves.
fn left(binary: &BinaryExpr) -> Kept {
    match &binary.matching {
        Some(matching) if matching.on => Kept::Only(matching.labels.clone()),
        Some(matching) => Kept::But(matching.labels.clone()),
        None => Kept::All,
    }
}

fn is_scalar(expr: &Expr) -> bool {
    match expr {
        Expr::NumberLiteral(_) => true,
        Expr::Paren(inner) => is_scalar(inner),
        Expr::Unary(unary) => is_scalar(&unary.expr),
        Expr::Binary(binary) => is_scalar(&binary.lhs) && is_scalar(&binary.rhs),
        Expr::Call(call) => matches!(call.func.as_str(), "time" | "scalar"),
        _ => false,
    }
}

/// Checks an expression whose name is of no matter.
fn side(expr: &Expr) -> Result<(), Rejected> {
    inner(expr).map(|_| ())
}

/// Whether the metric's name stays in the answer.
fn inner(expr: &Expr) -> Result<bool, Rejected> {
    match expr {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Ok(false),
        Expr::VectorSelector(selector) => selected(selector).map(|()| true),
        Expr::MatrixSelector(MatrixSelector { vector, .. }) => selected(vector).map(|()| true),
        Expr::Paren(within) => inner(within),
        Expr::Subquery(_) => reject("a subquery"),
        Expr::Unary(unary) => {
            side(&unary.expr)?;
            Ok(unary.op == UnaryOp::Pos && inner(&unary.expr)?)
        }
        Expr::Aggregation(aggregation) => aggregated(aggregation),
        Expr::Call(call) => called(call),
        Expr::Binary(binary) => combined(binary),
    }
}

fn selected(selector: &VectorSelector) -> Result<(), Rejected> {
    if selector.at.is_some() {
        return reject("the `@` modifier");
    }
    let is_name = |matcher: &LabelMatcher| matcher.name == "__name__" && matcher.op == MatchOp::Equal;
    if selector.metric_name.is_none() && !selector.matchers.iter().any(is_name) {
        return reject("a selector without a metric's name");
    }
    Ok(())
}

fn aggregated(aggregation: &AggregationExpr) -> Result<bool, Rejected> {
    let name = format!("{:?}", aggregation.op).to_lowercase();
    if let Some(parameter) = &aggregation.param {
        side(parameter)?;
    }
    let kept = match &*aggregation.expr {
        // Only labels that are left anyway are grouped by, or nothing is.
        Expr::Binary(binary) if projects(binary) => {
            side(&binary.lhs)?;
            side(&binary.rhs)?;
            let left = left(binary);
            let is_left = |label: &String| match &left {
                Kept::All => true,
                Kept::Only(labels) => labels.contains(label),
                Kept::But(labels) => !labels.contains(label),
            };
            let grouped = aggregation.grouping.as_ref();
            if grouped.is_some_and(|by| by.without || !by.labels.iter().all(is_left)) {
                return reject("a grouping over `on (…)` or `ignoring (…)` by other labels");
            }
            false
        }
        expr => inner(expr)?,
    };
    if aggregation.grouping.as_ref().is_some_and(|by| by.labels.iter().any(|label| label == "__name__")) {
        return reject("a grouping by the metric's name");
    }
    match aggregation.op {
        AggregationOp::TopK | AggregationOp::BottomK => Ok(kept),
        AggregationOp::CountValues | AggregationOp::LimitK | AggregationOp::LimitRatio => {
            reject(format!("the aggregation `{name}`"))
        }
        _ => Ok(false),
    }
}

fn called(call: &CallExpr) -> Result<bool, Rejected> {
    if call.func == "histogram_quantile" {
        return reject("`histogram_quantile` within another expression, or of no number from 0 to 1");
    }
    let Some((_, keeps)) = FUNCTIONS.iter().find(|(name, _)| *name == call.func) else {
        return reject(format!("the function `{}`", call.func));
    };
    let mut kept = false;
    for argument in &call.args {
        kept |= inner(argument)?;
    }
    Ok(*keeps && kept)
}

fn combined(binary: &BinaryExpr) -> Result<bool, Rejected> {
    if projects(binary) {
        return reject("`on (…)` or `ignoring (…)` within another expression");
    }
    if binary.op == BinaryOp::Atan2 || (binary.op == BinaryOp::Pow && matches!(*binary.lhs, Expr::Unary(_))) {
        return reject(if binary.op == BinaryOp::Pow { "a negative base of `^`" } else { "`atan2`" });
    }
    let (left, right) = (inner(&binary.lhs)?, inner(&binary.rhs)?);
    match binary.op {
        // Elements of the left side, and of the right one for `or`.
        BinaryOp::Or if left != right => reject("an `or` of which one side keeps its metric's name"),
        BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => Ok(left),
        op if op.is_comparison() && !binary.return_bool => {
            // A scalar on the left leaves the vector on the right.
            Ok(if is_scalar(&binary.lhs) { right } else { left })
        }
        _ => Ok(false),
    }
}

fn reject<T>(construct: impl Into<String>) -> Result<T, Rejected> {
    Err(Rejected { construct: construct.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(query: &str) -> Result<Mend, Rejected> {
        check(&tsink::promql::parse(query).unwrap())
    }

    #[test]
    fn the_name_stays_where_prometheus_leaves_it() {
        for query in [
            "up",
            "up == 0",
            "(up)",
            "up and up",
            "topk(1, up)",
            "last_over_time(up[1m])",
            "1 < up",
            "up offset 5m",
        ] {
            assert!(checked(query).unwrap().keeps_name, "{query}");
        }
        for query in [
            "rate(up[1m])",
            "up == bool 1",
            "up + 1",
            "-up",
            "sum(up)",
            "rate(up[1m]) > 3",
            "vector(1)",
            "up / up",
        ] {
            assert!(!checked(query).unwrap().keeps_name, "{query}");
        }
    }

    #[test]
    fn labels_that_are_not_matched_on_go() {
        let kept = |query: &str| checked(query).unwrap().labels;
        let x = || vec!["x".to_owned()];
        assert_eq!(kept("a - on (x) b"), Kept::Only(x()));
        assert_eq!(kept("a > on (x) b"), Kept::Only(x()));
        assert_eq!(kept("(a - on (x) b) > 3"), Kept::Only(x()));
        assert_eq!(kept("a / ignoring (x) b"), Kept::But(x()));
        assert_eq!(kept("a / ignoring () b"), Kept::All);
        assert_eq!(kept("a - on (x) group_left b"), Kept::All);
        assert_eq!(kept("a and on (x) b"), Kept::All);
        assert_eq!(kept("sum by (x) (a / on (x, y) b)"), Kept::All);
    }

    #[test]
    fn what_is_not_known_to_agree_is_rejected() {
        let queries = [
            "max_over_time(sum(rate(a[1m]))[5m:30s])",
            "a @ 3",
            "{job=\"x\"}",
            "count_values(\"v\", a)",
            "sgn(a)",
            "holt_winters(a[1m], 0.5, 0.5)",
            "sum by (z) (a / on (x) b)",
            "sum by (x) (a / ignoring (x) b)",
            "1 + (a / on (x) b)",
            "-2 ^ 2",
            "a atan2 b",
            "rate(a[1m]) or up",
            "sum by (__name__) (a)",
            "1 + histogram_quantile(0.5, a)",
        ];
        let told: Vec<String> =
            queries.iter().map(|query| format!("{query}\n  {}", checked(query).unwrap_err())).collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
