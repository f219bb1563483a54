//! Binary operators: arithmetic, comparisons that filter or return 0 and 1, and set operators.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::{
    BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality,
    token::{
        T_ADD, T_DIV, T_EQLC, T_GTE, T_GTR, T_LAND, T_LOR, T_LSS, T_LTE, T_LUNLESS, T_MOD, T_MUL, T_NEQ,
        T_POW, T_SUB, TokenId,
    },
};

use crate::{
    error::QueryError,
    eval::Evaluator,
    labels::{self, Labels, METRIC_NAME},
    value::{Sample, Value},
};

/// An operator with its `bool`.
#[derive(Clone, Copy)]
struct Operator {
    id: TokenId,
    compares: bool,
    gives_bool: bool,
}

impl Operator {
    /// The result for two values; `None` if a comparison filters it away. A comparison keeps the left value.
    fn apply(self, left: f64, right: f64) -> Option<f64> {
        let holds = match self.id {
            T_ADD => return Some(left + right),
            T_SUB => return Some(left - right),
            T_MUL => return Some(left * right),
            T_DIV => return Some(left / right),
            T_MOD => return Some(left % right),
            T_POW => return Some(left.powf(right)),
            T_EQLC => left == right,
            T_NEQ => left != right,
            T_GTR => left > right,
            T_LSS => left < right,
            T_GTE => left >= right,
            T_LTE => left <= right,
            _ => false,
        };
        if self.gives_bool { Some(f64::from(holds)) } else { holds.then_some(left) }
    }

    /// Whether the result is another quantity than the operand, so that the metric's name is dropped.
    fn drops_name(self) -> bool {
        !self.compares || self.gives_bool
    }
}

pub(crate) fn evaluate(evaluator: &Evaluator, binary: &BinaryExpr) -> Result<Value, QueryError> {
    let (left, right) = (evaluator.evaluate(&binary.lhs)?, evaluator.evaluate(&binary.rhs)?);
    let compares = binary.op.is_comparison_operator();
    let operator = Operator { id: binary.op.id(), compares, gives_bool: binary.return_bool() };
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            let value = operator.apply(left, right);
            value
                .map(Value::Scalar)
                .ok_or_else(|| failed("comparisons between scalars must use BOOL modifier"))
        }
        (Value::Vector(samples), Value::Scalar(scalar)) => {
            Ok(Value::Vector(with_scalar(operator, samples, |value| operator.apply(value, scalar))))
        }
        (Value::Scalar(scalar), Value::Vector(samples)) => {
            // A filter keeps the vector's value.
            let apply = |value: f64| {
                let result = operator.apply(scalar, value);
                if operator.drops_name() { result } else { result.map(|_| value) }
            };
            Ok(Value::Vector(with_scalar(operator, samples, apply)))
        }
        (Value::Vector(left), Value::Vector(right)) => {
            let matching = Matching::of(binary.modifier.as_ref());
            match operator.id {
                T_LAND | T_LOR | T_LUNLESS => Ok(Value::Vector(matching.set(operator.id, left, right))),
                _ => matching.combine(operator, left, right).map(Value::Vector),
            }
        }
        _ => Err(failed("binary expression must contain only scalar and instant vector types")),
    }
}

fn with_scalar(operator: Operator, samples: Vec<Sample>, apply: impl Fn(f64) -> Option<f64>) -> Vec<Sample> {
    let combined = |Sample { labels, value }| {
        let labels = if operator.drops_name() { labels::without_name(labels) } else { labels };
        apply(value).map(|value| Sample { labels, value })
    };
    samples.into_iter().filter_map(combined).collect()
}

/// How elements of two vectors are matched.
struct Matching {
    labels: LabelModifier,
    cardinality: VectorMatchCardinality,
}

impl Matching {
    fn of(modifier: Option<&BinModifier>) -> Self {
        let labels = modifier.and_then(|modifier| modifier.matching.clone());
        Self {
            labels: labels.unwrap_or_else(|| LabelModifier::exclude(Vec::new())),
            cardinality: modifier.map_or(VectorMatchCardinality::OneToOne, |modifier| modifier.card.clone()),
        }
    }

    /// The labels that matching elements share.
    fn key(&self, sample: &Sample) -> Labels {
        labels::grouped(&sample.labels, &self.labels)
    }

    fn set(&self, operator: TokenId, mut left: Vec<Sample>, mut right: Vec<Sample>) -> Vec<Sample> {
        let keys =
            |samples: &[Sample]| samples.iter().map(|sample| self.key(sample)).collect::<BTreeSet<_>>();
        if operator == T_LOR {
            let known = keys(&left);
            right.retain(|sample| !known.contains(&self.key(sample)));
            left.extend(right);
        } else {
            let known = keys(&right);
            left.retain(|sample| known.contains(&self.key(sample)) == (operator == T_LAND));
        }
        left
    }

    fn combine(
        &self,
        operator: Operator,
        left: Vec<Sample>,
        right: Vec<Sample>,
    ) -> Result<Vec<Sample>, QueryError> {
        let is_swapped = matches!(self.cardinality, VectorMatchCardinality::OneToMany(_));
        let is_one_to_one = matches!(self.cardinality, VectorMatchCardinality::OneToOne);
        let (many, one) = if is_swapped { (right, left) } else { (left, right) };
        let ones = self.unique(&one, if is_swapped { "left" } else { "right" })?;
        let mut matched = BTreeSet::new();
        let mut combined = Vec::new();
        for sample in &many {
            let key = self.key(sample);
            let Some(partner) = ones.get(&key) else { continue };
            let (left, right) = if is_swapped { (*partner, sample) } else { (sample, *partner) };
            let Some(value) = operator.apply(left.value, right.value) else { continue };
            let labels = self.result(operator, sample, partner);
            // Grouping permits several, which must differ in their remaining labels.
            if !matched.insert((key, if is_one_to_one { Labels::new() } else { labels.clone() })) {
                return Err(failed(if is_one_to_one {
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                } else {
                    "multiple matches for labels: grouping labels must ensure unique matches"
                }));
            }
            combined.push(Sample { labels, value });
        }
        Ok(combined)
    }

    /// The elements of the side that must have one per key.
    fn unique<'a>(
        &self,
        samples: &'a [Sample],
        side: &str,
    ) -> Result<BTreeMap<Labels, &'a Sample>, QueryError> {
        let mut unique = BTreeMap::new();
        for sample in samples {
            let key = self.key(sample);
            if let Some(other) = unique.insert(key.clone(), sample) {
                return Err(failed(format!(
                    "found duplicate series for the match group {} on the {side} hand-side of the operation: \
                     [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                    labels::display(&key),
                    labels::display(&sample.labels),
                    labels::display(&other.labels),
                )));
            }
        }
        Ok(unique)
    }

    /// The labels of a result: those of the "many" side (one-to-one: those that are matched on), plus those
    /// that the `group` modifier takes from the other side.
    fn result(&self, operator: Operator, many: &Sample, one: &Sample) -> Labels {
        let mut result = many.labels.clone();
        if operator.drops_name() {
            result.remove(METRIC_NAME);
        }
        match (&self.cardinality, &self.labels) {
            (VectorMatchCardinality::OneToOne, LabelModifier::Include(on)) => {
                result.retain(|name, _| on.labels.contains(name));
            }
            (VectorMatchCardinality::OneToOne, LabelModifier::Exclude(ignored)) => {
                result.retain(|name, _| !ignored.labels.contains(name));
            }
            _ => {}
        }
        for name in self.cardinality.labels().into_iter().flat_map(|included| &included.labels) {
            labels::set(&mut result, name, labels::value(&one.labels, name));
        }
        result
    }
}

fn failed(why: impl Into<String>) -> QueryError {
    QueryError::Evaluation(why.into())
}
