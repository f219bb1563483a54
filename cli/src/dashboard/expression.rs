//! Checks a PromQL expression against the contents of a Prometheus: names, labels, and whether its functions
//! suit its metrics.

use std::collections::BTreeSet;

use promql_parser::{
    label::{METRIC_NAME, MatchOp},
    parser::{
        AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorSelector,
        token::{T_BOTTOMK, T_COUNT, T_COUNT_VALUES, T_GROUP, T_LAND, T_LOR, T_LUNLESS, T_TOPK},
    },
};

use super::{
    catalogue::{Catalogue, Kind, nearest},
    finding::Finding,
};

/// Functions that need two samples in their range, and compute a rate or a difference.
const RATES: [&str; 8] = [
    "rate",
    "irate",
    "increase",
    "delta",
    "idelta",
    "deriv",
    "predict_linear",
    "double_exponential_smoothing",
];
/// Those of them that are for counters only.
const OF_COUNTERS: [&str; 3] = ["rate", "irate", "increase"];
/// Functions that only test whether there are series.
const PRESENCE: [&str; 5] =
    ["absent", "absent_over_time", "present_over_time", "timestamp", "count_over_time"];

/// Names of all metrics in an expression.
pub fn metrics(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    each_selector(expr, &mut |selector| names.extend(name_of(selector)));
    names
}

/// Every selector, as PromQL, without its range and offset.
pub fn selectors(expr: &Expr) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    each_selector(expr, &mut |selector| {
        let plain = VectorSelector { offset: None, at: None, ..selector.clone() };
        texts.insert(plain.to_string());
    });
    texts
}

/// Whether the outermost operation divides.
pub fn divides(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(inner) => divides(&inner.expr),
        Expr::Unary(inner) => divides(&inner.expr),
        Expr::Call(call) => call.args.args.iter().any(|argument| divides(argument)),
        Expr::Aggregate(of) => divides(&of.expr),
        Expr::Binary(of) => {
            let op = of.op.to_string();
            op == "/" || op == "%" || divides(&of.lhs) || divides(&of.rhs)
        }
        _ => false,
    }
}

fn each_selector(expr: &Expr, each: &mut impl FnMut(&VectorSelector)) {
    match expr {
        Expr::VectorSelector(selector) => each(selector),
        Expr::MatrixSelector(selector) => each(&selector.vs),
        _ => children(expr).into_iter().for_each(|child| each_selector(child, each)),
    }
}

fn children(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Aggregate(of) => of.param.iter().map(AsRef::as_ref).chain([of.expr.as_ref()]).collect(),
        Expr::Unary(of) => vec![&of.expr],
        Expr::Binary(of) => vec![&of.lhs, &of.rhs],
        Expr::Paren(of) => vec![&of.expr],
        Expr::Subquery(of) => vec![&of.expr],
        Expr::Call(of) => of.args.args.iter().map(AsRef::as_ref).collect(),
        _ => Vec::new(),
    }
}

/// The metric of a selector; `None` if it is a pattern.
fn name_of(selector: &VectorSelector) -> Option<String> {
    let by_matcher = || {
        let mut matchers = selector.matchers.matchers.iter();
        let exact = matchers.find(|matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal)?;
        Some(exact.value.clone())
    };
    selector.name.clone().or_else(by_matcher)
}

/// The mistakes in an expression, apart from its result. All its metrics must have been queried. `is_graph`
/// states that it is shown over time.
pub fn examine(expr: &Expr, catalogue: &Catalogue, is_graph: bool) -> Vec<Finding> {
    let mut examiner = Examiner { catalogue, findings: Vec::new() };
    examiner.visit(expr, Context { is_graph, ..Context::default() });
    let mut findings: Vec<Finding> = Vec::new();
    for finding in examiner.findings {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// The context of a subexpression.
#[derive(Debug, Clone, Copy, Default)]
struct Context<'e> {
    /// Its values are shown over time, unchanged.
    is_graph: bool,
    /// The function that takes its range.
    function: Option<&'e str>,
    /// If it has no series, an `or` provides an alternative.
    has_fallback: bool,
}

/// Labels that a subexpression can have; `None` if unknown.
type Known = Option<BTreeSet<String>>;

struct Examiner<'c> {
    catalogue: &'c Catalogue,
    findings: Vec<Finding>,
}

impl Examiner<'_> {
    fn visit(&mut self, expr: &Expr, context: Context<'_>) -> Known {
        match expr {
            Expr::VectorSelector(selector) => self.selector(selector, None, context),
            Expr::MatrixSelector(of) => self.selector(&of.vs, Some(of.range.as_millis()), context),
            Expr::Paren(of) => self.visit(&of.expr, context),
            Expr::Unary(of) => self.visit(&of.expr, context),
            Expr::Subquery(of) => self.visit(&of.expr, context),
            Expr::Aggregate(of) => self.aggregate(of, context),
            Expr::Binary(of) => self.binary(of, context),
            Expr::Call(of) => self.call(of, context),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Some(BTreeSet::new()),
        }
    }

    fn selector(&mut self, selector: &VectorSelector, range_ms: Option<u128>, context: Context<'_>) -> Known {
        let name = name_of(selector)?;
        if !self.catalogue.names.contains(&name) {
            let nearest = self.catalogue.nearest(&name);
            self.findings.push(Finding::UnknownMetric { name, nearest, has_fallback: context.has_fallback });
            return None;
        }
        let metric = self.catalogue.metric(&name)?;
        for matcher in &selector.matchers.matchers {
            // A matcher that accepts the empty string also matches series without the label.
            if matcher.name != METRIC_NAME && !matcher.is_match("") {
                self.require(&matcher.name, &metric.labels, &format!("`{name}`"));
            }
        }
        self.fits(&name, range_ms, metric.interval, context);
        Some(metric.labels.clone())
    }

    /// Checks that a metric is used according to its type.
    fn fits(&mut self, name: &str, range_ms: Option<u128>, interval: Option<f64>, context: Context<'_>) {
        let kind = self.catalogue.kind(name);
        let function = context.function.unwrap_or_default();
        if kind == Some(Kind::Counter) && context.is_graph && context.function.is_none() {
            self.findings.push(Finding::CounterWithoutRate(name.to_owned()));
        }
        if kind == Some(Kind::Gauge) && OF_COUNTERS.contains(&function) {
            let finding = Finding::RateOfGauge { metric: name.to_owned(), function: function.to_owned() };
            self.findings.push(finding);
        }
        let (Some(range_ms), Some(interval)) = (range_ms, interval) else { return };
        let (range_ms, interval_ms) = (range_ms as u64, (interval * 1e3).round() as u64);
        if RATES.contains(&function) && range_ms < 2 * interval_ms {
            self.findings.push(Finding::ShortRange { metric: name.to_owned(), range_ms, interval_ms });
        }
    }

    /// Reports a label that no series has.
    fn require(&mut self, label: &str, known: &BTreeSet<String>, metrics: &str) {
        if known.contains(label) {
            return;
        }
        let nearest = nearest(label, known.iter().map(String::as_str));
        let finding = Finding::UnknownLabel { label: label.to_owned(), metrics: metrics.to_owned(), nearest };
        self.findings.push(finding);
    }

    fn aggregate(&mut self, of: &AggregateExpr, context: Context<'_>) -> Known {
        let counts = [T_COUNT, T_GROUP, T_COUNT_VALUES].contains(&of.op.id());
        let inner = self.visit(&of.expr, Context { is_graph: context.is_graph && !counts, ..context });
        if let Some(param) = &of.param {
            self.visit(param, Context::default());
        }
        let keeps = [T_TOPK, T_BOTTOMK].contains(&of.op.id());
        match &of.modifier {
            _ if keeps => inner,
            Some(LabelModifier::Include(labels)) => {
                let inner = inner?;
                let metrics = metric_names(&of.expr);
                labels.labels.iter().for_each(|label| self.require(label, &inner, &metrics));
                Some(labels.labels.iter().cloned().collect())
            }
            Some(LabelModifier::Exclude(labels)) => {
                Some(inner?.into_iter().filter(|label| !labels.labels.contains(label)).collect())
            }
            // The label that `count_values` creates is named by a parameter.
            None if of.op.id() == T_COUNT_VALUES => None,
            None => Some(BTreeSet::new()),
        }
    }

    fn binary(&mut self, of: &BinaryExpr, context: Context<'_>) -> Known {
        let is_or = of.op.id() == T_LOR;
        let stands_in = |other: &Expr| {
            context.has_fallback
                || is_or && metrics(other).iter().any(|name| self.catalogue.names.contains(name))
        };
        let (for_left, for_right) = (stands_in(&of.rhs), stands_in(&of.lhs));
        let left = self.visit(&of.lhs, Context { has_fallback: for_left, ..context });
        let right = self.visit(&of.rhs, Context { has_fallback: for_right, ..context });
        let both: Known = left.as_ref().zip(right).map(|(left, right)| left.union(&right).cloned().collect());
        if let Some((modifier, both)) = of.modifier.as_ref().zip(both.as_ref()) {
            let on = modifier
                .matching
                .as_ref()
                .filter(|matching| matching.is_include())
                .map(LabelModifier::labels);
            let metrics = metric_names(&Expr::Binary(of.clone()));
            for label in on.into_iter().chain(modifier.card.labels()).flat_map(|labels| &labels.labels) {
                self.require(label, both, &metrics);
            }
        }
        if of.op.id() == T_LAND || of.op.id() == T_LUNLESS { left } else { both }
    }

    fn call(&mut self, of: &Call, context: Context<'_>) -> Known {
        let name = of.func.name;
        let ranges =
            RATES.contains(&name) || name.ends_with("_over_time") || name == "changes" || name == "resets";
        let context = match name {
            _ if PRESENCE.contains(&name) => Context { is_graph: false, function: Some(name), ..context },
            _ if ranges => Context { function: Some(name), ..context },
            _ => context,
        };
        let mut known: Known = Some(BTreeSet::new());
        for argument in &of.args.args {
            let labels = self.visit(argument, context);
            known = known.zip(labels).map(|(known, labels)| known.union(&labels).cloned().collect());
        }
        match name {
            "absent" | "absent_over_time" | "vector" | "scalar" | "time" => None,
            "label_replace" | "label_join" => {
                let mut known = known?;
                if let Some(Expr::StringLiteral(made)) = of.args.args.get(1).map(AsRef::as_ref) {
                    known.insert(made.val.clone());
                }
                Some(known)
            }
            "histogram_quantile" => {
                let mut known = known?;
                let classic = metrics(&Expr::Call(of.clone())).iter().any(|name| name.ends_with("_bucket"));
                if !known.remove("le") && classic {
                    self.findings.push(Finding::WithoutBuckets(name));
                }
                Some(known)
            }
            _ => known,
        }
    }
}

/// The metrics of an expression, for messages.
fn metric_names(expr: &Expr) -> String {
    let names: Vec<String> = metrics(expr).into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "the expression".to_owned() } else { names.join(", ") }
}
