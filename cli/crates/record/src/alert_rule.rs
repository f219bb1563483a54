//! What a rule's expression rests on: the selectors whose series it reads, and the comparisons that decide it. And the
//! questions to Prometheus that tell whether those series are there and what they came to, so that who asks them and who
//! reads the answers mean the same.

use std::collections::BTreeSet;

use promql_parser::parser::{Expr, VectorSelector, parse, token};
use serde_json::Value;

/// All samples of the alerts.
pub const SAMPLES: &str = "ALERTS";

/// Since when each was active.
pub const ACTIVE_SINCE: &str = "ALERTS_FOR_STATE";

/// Every scrape: where there are none, Prometheus was away. Not the question that other claims ask.
pub const SCRAPES: &str = "{__name__=\"up\"}";

/// Whether Prometheus itself, if it scrapes itself, was started anew.
pub const RESTARTS: &str = "changes(process_start_time_seconds";

/// An alerting rule, as Prometheus tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Name of the alert.
    pub name: String,
    /// Its expression.
    pub query: String,
    /// `for`: how long the expression must have held, in seconds.
    pub hold_s: f64,
    /// How often its group is evaluated, in seconds.
    pub interval_s: f64,
    /// `ok`, `err` or `unknown`.
    pub health: String,
    /// Why its last evaluation failed.
    pub error: Option<String>,
}

/// The alerting rules in the answer to `/api/v1/rules`.
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

/// What an expression rests on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Basis {
    /// Every selector with a metric's name that has to find something, once: neither side of an `or` has to.
    pub selectors: Vec<Selector>,
    /// Comparisons that all must hold, those of `and` each by itself.
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

/// `left > right`.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub left: String,
    /// `>`, `==`, …
    pub operator: String,
    /// What it is compared with.
    pub right: String,
}

impl Basis {
    /// Reads an expression; `None` where it cannot be read.
    pub fn of(expression: &str) -> Option<Self> {
        let expression = parse(expression).ok()?;
        let mut basis = Self::default();
        basis.gather(&expression, &BTreeSet::new());
        compared(&expression, &mut basis.comparisons);
        Some(basis)
    }

    /// Adds the selectors that the expression has to find; `grouped`: by the labels of the aggregations around.
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
            // That there is nothing is what these look for.
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
        // One that matches no text matches series without the label, too.
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

/// A question without the span at its end: what tells it from others.
pub fn without_span(query: &str) -> &str {
    query.rsplit_once('[').map_or(query, |(before, _)| before)
}

/// Asks how many series a selector had.
pub fn count(selector: &str, span: &str) -> String {
    format!("count(last_over_time({selector}[{span}]))")
}

/// Asks what values a label of a metric had; the commonest, for there may be very many.
pub fn values(metric: &str, label: &str, span: &str) -> String {
    format!("topk(50, count by ({label}) (last_over_time({metric}[{span}])))")
}

/// Asks for what one side of a comparison came to. Not what asks for raw samples, even where it is a selector.
pub fn course(side: &str) -> String {
    format!("({side})")
}

/// Asks for the metrics whose names begin as this one does: values of the label `name`.
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
    fn an_expression_rests_on_selectors_and_comparisons() {
        insta::assert_snapshot!(basis(
            r#"sum by (tenant) (rate(x_total{status="429"}[30s] offset 1m)) > 0.5
               and (max(up{job!="a"}) by (job) == 1 and y) and z > bool 1 and {__name__="w", q=~".*"} <= 2 * v
               and (a or b) and (absent(c) unless d) and (e unless f)"#
        ));
    }

    #[test]
    fn the_shipped_rules_can_be_read() {
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
