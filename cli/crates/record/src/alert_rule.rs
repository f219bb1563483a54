//! What an alerting rule's expression depends on (the selectors that it reads, the comparisons that decide
//! it), and the queries to Prometheus that show whether those series exist and what their values were. The
//! observer sends these queries and the verifier looks up their responses by text, so both use this module.

use std::collections::BTreeSet;

use promql_parser::parser::{Expr, VectorSelector, parse, token};
use serde_json::Value;

/// Query for all samples of the alerts.
pub const SAMPLES: &str = "ALERTS";

/// Query for when each alert became active.
pub const ACTIVE_SINCE: &str = "ALERTS_FOR_STATE";

/// Query for all scrapes: where there are none, Prometheus was down. Worded so that it differs from the
/// queries of other claims.
pub const SCRAPES: &str = "{__name__=\"up\"}";

/// Start of the query whether Prometheus itself, if it scrapes itself, was restarted.
pub const RESTARTS: &str = "changes(process_start_time_seconds";

/// An alerting rule, as Prometheus reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Name of the alert.
    pub name: String,
    /// PromQL expression.
    pub query: String,
    /// `for`: how long the expression must be true before the alert fires, in seconds.
    pub hold_s: f64,
    /// How often its group is evaluated, in seconds.
    pub interval_s: f64,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// Why its last evaluation failed.
    pub error: Option<String>,
}

/// The alerting rules in the response to `/api/v1/rules`.
pub fn rules(answer: &Value) -> Vec<Rule> {
    let array =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_f64).unwrap_or_default();
    let mut found = Vec::new();
    for group in answer.get("data").map(|data| array(data, "groups")).unwrap_or_default() {
        let rules = array(&group, "rules");
        let alerting = rules.iter().filter(|rule| text(rule, "type").as_deref() == Some("alerting"));
        found.extend(alerting.filter_map(|rule| {
            Some(Rule {
                name: text(rule, "name")?,
                query: text(rule, "query")?,
                hold_s: number(rule, "duration"),
                interval_s: number(&group, "interval"),
                health: text(rule, "health").unwrap_or_else(|| "unknown".to_owned()),
                error: text(rule, "lastError").filter(|error| !error.is_empty()),
            })
        }));
    }
    found
}

/// What an expression depends on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Basis {
    /// Every selector with a metric name that must find series, once; this excludes both sides of an `or`.
    pub selectors: Vec<Selector>,
    /// Comparisons that must all be true; the two sides of an `and` count separately.
    pub comparisons: Vec<Comparison>,
}

/// A selector in an expression: `http_requests_total{status="500"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// As text, without range, offset or `@`.
    pub text: String,
    /// The metric.
    pub metric: String,
    /// The labels that a series must have to be selected.
    pub matched: BTreeSet<String>,
    /// The labels that the expression groups it by.
    pub grouped: BTreeSet<String>,
}

/// A comparison: `left > right`.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Left side, as PromQL.
    pub left: String,
    /// `>`, `==`, …
    pub operator: String,
    /// Right side, as PromQL.
    pub right: String,
}

impl Basis {
    /// Parses an expression; `None` if it is not valid PromQL.
    pub fn of(expression: &str) -> Option<Self> {
        let expression = parse(expression).ok()?;
        let mut basis = Self::default();
        basis.gather(&expression, &BTreeSet::new());
        compared(&expression, &mut basis.comparisons);
        Some(basis)
    }

    /// Adds the selectors that must find series; `grouped` has the labels of the surrounding aggregations.
    fn gather(&mut self, expression: &Expr, grouped: &BTreeSet<String>) {
        match expression {
            Expr::VectorSelector(selector) => self.add(selector, grouped),
            Expr::MatrixSelector(matrix) => self.add(&matrix.vs, grouped),
            Expr::Aggregate(aggregate) => {
                let by = aggregate.modifier.as_ref().filter(|modifier| modifier.is_include());
                let by = by.into_iter().flat_map(|modifier| &modifier.labels().labels);
                self.gather(&aggregate.expr, &grouped.iter().chain(by).cloned().collect());
            }
            Expr::Unary(unary) => self.gather(&unary.expr, grouped),
            Expr::Paren(paren) => self.gather(&paren.expr, grouped),
            Expr::Subquery(subquery) => self.gather(&subquery.expr, grouped),
            Expr::Binary(binary) => match binary.op.id() {
                // Either side may be without series.
                token::T_LOR => {}
                token::T_LUNLESS => self.gather(&binary.lhs, grouped),
                _ => {
                    self.gather(&binary.lhs, grouped);
                    self.gather(&binary.rhs, grouped);
                }
            },
            // These look for the absence of series.
            Expr::Call(call) if call.func.name.starts_with("absent") => {}
            Expr::Call(call) => call.args.args.iter().for_each(|argument| self.gather(argument, grouped)),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
    }

    fn add(&mut self, selector: &VectorSelector, grouped: &BTreeSet<String>) {
        let named =
            selector.matchers.find_matchers("__name__").into_iter().next().map(|matcher| matcher.value);
        let Some(metric) = selector.name.clone().or(named) else { return };
        let plain = VectorSelector { offset: None, at: None, ..selector.clone() };
        // A matcher that accepts the empty string also matches series without the label.
        let matchers = selector.matchers.matchers.iter();
        let matched = matchers.filter(|matcher| matcher.name != "__name__" && !matcher.is_match(""));
        let matched = matched.map(|matcher| matcher.name.clone()).collect();
        let grouped = grouped.clone();
        let selector = Selector { text: plain.to_string(), metric, matched, grouped };
        match self.selectors.iter_mut().find(|known| known.text == selector.text) {
            Some(known) => known.grouped.extend(selector.grouped),
            None => self.selectors.push(selector),
        }
    }
}

fn compared(expression: &Expr, found: &mut Vec<Comparison>) {
    match expression {
        Expr::Paren(paren) => compared(&paren.expr, found),
        Expr::Binary(binary) if binary.op.id() == token::T_LAND => {
            compared(&binary.lhs, found);
            compared(&binary.rhs, found);
        }
        Expr::Binary(binary) if binary.op.is_comparison_operator() && !binary.return_bool() => {
            found.push(Comparison {
                left: binary.lhs.to_string(),
                operator: binary.op.to_string(),
                right: binary.rhs.to_string(),
            });
        }
        _ => {}
    }
}

/// A query without the span at its end, which identifies it.
pub fn without_span(query: &str) -> &str {
    query.rsplit_once('[').map_or(query, |(before, _)| before)
}

/// Query for how many series a selector had.
pub fn count(selector: &str, span: &str) -> String {
    format!("count(last_over_time({selector}[{span}]))")
}

/// Query for the values of a label of a metric; the most frequent, because there may be very many.
pub fn values(metric: &str, label: &str, span: &str) -> String {
    format!("topk(50, count by ({label}) (last_over_time({metric}[{span}])))")
}

/// Query for the values of one side of a comparison. Differs from a query for raw samples, even if the side
/// is a selector.
pub fn course(side: &str) -> String {
    format!("({side})")
}

/// Query for metrics whose names start like this one; the result has them as values of the label `name`.
pub fn relatives(metric: &str, span: &str) -> String {
    let stem: String = metric.chars().take(4).collect();
    let series = format!("last_over_time({{__name__=~\"{stem}.*\"}}[{span}])");
    format!("count by (name) (label_replace({series}, \"name\", \"$1\", \"__name__\", \"(.*)\"))")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basis(expression: &str) -> String {
        let Basis { selectors, comparisons } = Basis::of(expression).unwrap();
        let selectors = selectors
            .iter()
            .map(|s| format!("{} of {}: {:?}, by {:?}\n", s.text, s.metric, s.matched, s.grouped));
        let comparisons = comparisons.iter().map(|c| format!("{} [{}] {}\n", c.left, c.operator, c.right));
        selectors.chain(comparisons).collect()
    }

    #[test]
    fn finds_the_selectors_and_comparisons_of_an_expression() {
        insta::assert_snapshot!(basis(
            r#"sum by (tenant) (rate(x_total{status="429"}[30s] offset 1m)) > 0.5
               and (max(up{job!="a"}) by (job) == 1 and y) and z > bool 1 and {__name__="w", q=~".*"} <= 2 * v
               and (a or b) and (absent(c) unless d) and (e unless f)"#
        ));
    }

    #[test]
    fn the_shipped_rules_can_be_parsed() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../compose/prometheus/rules");
        let mut rules = 0;
        for file in std::fs::read_dir(dir).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for rule in text.split("expr: ").skip(1) {
                let (first, rest) = rule.split_once('\n').unwrap();
                let block =
                    rest.lines().take_while(|line| line.starts_with("          ")).collect::<String>();
                let expression = if first == "|" { &block } else { first };
                let basis = Basis::of(expression).unwrap_or_else(|| panic!("{expression}"));
                let is_either = expression.contains(" or ");
                assert!(is_either || !basis.selectors.is_empty(), "{expression}");
                rules += 1;
            }
        }
        assert_eq!(rules, 20);
    }
}
