//! Functions that change labels.

use promql_parser::parser::Expr;
use regex::Regex;

use super::argument;
use crate::{error::QueryError, eval::Evaluator, labels, value::Value};

/// `label_replace(v, target, replacement, source, regex)`.
pub(super) fn replace(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Result<Value, QueryError> {
    let mut samples = evaluator.vector(argument(arguments, 0)?)?;
    let text = |index: usize| evaluator.string(argument(arguments, index)?);
    let (target, replacement, source, pattern) = (text(1)?, text(2)?, text(3)?, text(4)?);
    let regex = Regex::new(&format!("^(?:{pattern})$"))
        .map_err(|_| failed(format!("invalid regular expression in label_replace(): {pattern}")))?;
    if !labels::is_valid_name(&target) {
        return Err(failed(format!("invalid destination label name in label_replace(): {target}")));
    }
    for sample in &mut samples {
        let mut value = String::new();
        if let Some(captures) = regex.captures(labels::value(&sample.labels, &source)) {
            captures.expand(&replacement, &mut value);
        } else {
            continue;
        }
        labels::set(&mut sample.labels, &target, &value);
    }
    Ok(Value::Vector(samples))
}

/// `label_join(v, target, separator, source, …)`.
pub(super) fn join(evaluator: &Evaluator, arguments: &[Box<Expr>]) -> Result<Value, QueryError> {
    let mut samples = evaluator.vector(argument(arguments, 0)?)?;
    let texts = arguments.iter().skip(1).map(|argument| evaluator.string(argument));
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    let [target, separator, sources @ ..] = texts.as_slice() else { return Err(super::missing()) };
    if let Some(invalid) = sources.iter().find(|name| !labels::is_valid_name(name)) {
        return Err(failed(format!("invalid source label name in label_join(): {invalid}")));
    }
    if !labels::is_valid_name(target) {
        return Err(failed(format!("invalid destination label name in label_join(): {target}")));
    }
    for sample in &mut samples {
        let values: Vec<&str> = sources.iter().map(|name| labels::value(&sample.labels, name)).collect();
        let value = values.join(separator);
        labels::set(&mut sample.labels, target, &value);
    }
    Ok(Value::Vector(samples))
}

fn failed(why: String) -> QueryError {
    QueryError::Evaluation(why)
}
