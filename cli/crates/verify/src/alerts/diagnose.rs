//! Explains why an alert does not fire: its rule is dead (no rule of that name, its evaluation fails, it
//! reads series that do not exist), its threshold was never reached, its `for` is too long, or it fires with
//! other labels.

use serde_json::json;

use super::timeline::{Course, Recorded, latest};
use crate::verdict::Diagnosis;
use saasbench_exposition::Labels;
use saasbench_model::{
    scenario::{Alert, AlertPromise, problem::did_you_mean},
    units::Nanos,
};
use saasbench_record::{
    alert_rule as rule,
    alert_rule::{Basis, Comparison, Rule, Selector},
    prometheus::matrix,
};

/// A rule that cannot fire.
pub(super) struct Dead {
    pub(super) diagnosis: Diagnosis,
    /// Whether it could fire once the series that it reads exist.
    pub(super) may_still_fire: bool,
}

fn diagnosis(hypothesis: &str, parameters: serde_json::Value, sentence: String) -> Diagnosis {
    Diagnosis { hypothesis: hypothesis.to_owned(), parameters, alternatives: Vec::new(), sentence }
}

/// Why an alert that should have fired did not, or fired late.
pub(super) fn silence(alert: &Alert, recorded: &Recorded, course: &Course) -> Option<Diagnosis> {
    let dead = dead(alert, recorded).map(|dead| dead.diagnosis);
    let of_name = || recorded.rules.iter().flatten().filter(|rule| rule.name == alert.name);
    dead.or_else(|| fires_for_others(alert, recorded))
        .or_else(|| of_name().find_map(|rule| diagnose_empty_query(rule, recorded)))
        .or_else(|| of_name().find_map(|rule| holds_too_long(alert, rule, course)))
        .or_else(|| of_name().find_map(|rule| out_of_reach(rule, recorded)))
}

/// Why no rule of the alert's name can fire, if so.
pub(super) fn dead(alert: &Alert, recorded: &Recorded) -> Option<Dead> {
    let rules = recorded.rules.as_ref()?;
    let of_name: Vec<&Rule> = rules.iter().filter(|rule| rule.name == alert.name).collect();
    let surely = |parameters, sentence| Dead {
        diagnosis: diagnosis("dead-alert-rule", parameters, sentence),
        may_still_fire: false,
    };
    if of_name.is_empty() {
        // A Prometheus whose rules are evaluated elsewhere lists none of them, but shows their alerts.
        if !recorded.fired(&alert.name).is_empty() {
            return None;
        }
        let near = hint(&alert.name, rules.iter().map(|rule| rule.name.as_str()));
        let sentence = format!("Prometheus has no alerting rule {}{near}", alert.name);
        return Some(surely(json!({"cause": "no-rule"}), sentence));
    }
    // One working rule among several of the name is enough.
    let mut dead = of_name.into_iter().map(|rule| {
        if rule.health == "err" {
            let error = rule.error.as_deref().unwrap_or("no reason given");
            let sentence = format!("the evaluation of {} fails: {error}", rule.name);
            return Some(surely(json!({"cause": "error", "error": error}), sentence));
        }
        let basis = Basis::of(&rule.query)?;
        let (parameters, sentence) =
            basis.selectors.iter().find_map(|selector| reads_nothing(rule, selector, recorded))?;
        let diagnosis = diagnosis("dead-alert-rule", parameters, sentence);
        Some(Dead { diagnosis, may_still_fire: true })
    });
    let first = dead.next()??;
    dead.all(|dead| dead.is_some()).then_some(first)
}

/// Diagnoses a selector that matches no series because its metric or one of its labels does not exist.
fn reads_nothing(
    rule: &Rule,
    selector: &Selector,
    recorded: &Recorded,
) -> Option<(serde_json::Value, String)> {
    let Selector { metric, text, matched, .. } = selector;
    if recorded.now(&rule::count(metric, ""))?.is_empty() {
        let near = recorded.now(&rule::relatives(metric, "")).unwrap_or_default();
        let near = near.iter().filter_map(|(labels, _)| labels.get("name").map(String::as_str));
        let near = hint(metric, near);
        let parameters = json!({"cause": "no-metric", "metric": metric});
        return Some((parameters, format!("{} queries {metric}, which has no series{near}", rule.name)));
    }
    let missing = matched.iter().find(|label| !has_label(metric, label, recorded))?;
    let parameters = json!({"cause": "no-label", "metric": metric, "label": missing});
    let sentence = format!("{} queries {text}, and no series of {metric} has the label {missing}", rule.name);
    Some((parameters, sentence))
}

/// Whether some series of a metric has a label; assumed where it was not queried.
fn has_label(metric: &str, label: &str, recorded: &Recorded) -> bool {
    let values = recorded.now(&rule::values(metric, label, ""));
    values.is_none_or(|values| values.iter().any(|(labels, _)| labels.contains_key(label)))
}

/// Diagnoses a selector whose label value matches no series: nothing was rejected, or the value is misspelt.
fn diagnose_empty_query(rule: &Rule, recorded: &Recorded) -> Option<Diagnosis> {
    Basis::of(&rule.query)?.selectors.into_iter().find_map(|Selector { text, metric, matched, .. }| {
        if !recorded.now(&rule::count(&text, ""))?.is_empty() {
            return None;
        }
        let shown = |label: &String| {
            let values = recorded.now(&rule::values(&metric, label, ""))?;
            let values = values.iter().filter_map(|(labels, _)| labels.get(label).map(String::as_str));
            let mut values: Vec<&str> = values.take(5).collect();
            values.sort_unstable();
            Some(format!("; {label} was {}", values.join(", ")))
        };
        let values: String = matched.iter().filter_map(shown).collect();
        let sentence = format!("{} queries {text}, which has no series{values}", rule.name);
        let parameters = json!({"cause": "no-value", "selector": text});
        Some(diagnosis("dead-alert-rule", parameters, sentence))
    })
}

fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = did_you_mean(word, known);
    if near.is_empty() { near } else { format!("; {near}") }
}

/// Diagnoses an alert that fired, but only with labels other than the promised ones.
fn fires_for_others(alert: &Alert, recorded: &Recorded) -> Option<Diagnosis> {
    let fired = recorded.fired(&alert.name);
    if fired.is_empty() || fired.iter().any(|labels| alert.matches(labels)) {
        return None;
    }
    let shown = |labels: &&Labels| {
        let own = labels.iter().filter(|(name, _)| !matches!(name.as_str(), "alertname" | "alertstate"));
        let own: Vec<String> = own.map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{{{}}}", own.join(", "))
    };
    let mut others: Vec<String> = fired.iter().map(shown).collect();
    others.sort();
    others.dedup();
    others.truncate(3);
    let sentence = format!("{} fired for {} only", alert.name, others.join(", "));
    let rules = recorded.rules.iter().flatten().filter(|rule| rule.name == alert.name);
    let missing = rules.filter_map(|rule| Basis::of(&rule.query)).flat_map(|basis| basis.selectors).find_map(
        |Selector { metric, grouped, .. }| {
            let missing = grouped.into_iter().find(|label| !has_label(&metric, label, recorded))?;
            Some((metric, missing))
        },
    );
    Some(match missing {
        Some((metric, label)) => {
            let sentence = format!("{sentence}: its rule groups by {label}, which no series of {metric} has");
            let parameters = json!({"cause": "no-label", "metric": metric, "label": label, "fired": others});
            diagnosis("dead-alert-rule", parameters, sentence)
        }
        None => diagnosis("other-labels", json!({"fired": others}), sentence),
    })
}

/// Diagnoses an expression that was true, but not for as long as the rule's `for` demands.
fn holds_too_long(alert: &Alert, rule: &Rule, course: &Course) -> Option<Diagnosis> {
    let (from, to) = course.pending?;
    let AlertPromise::Fires { within, .. } = alert.promise else { return None };
    let hold = Nanos::from_secs_f64(rule.hold_s);
    if course.firing.is_some() && hold <= within {
        return None;
    }
    let sentence = format!(
        "the expression of {} held from {} to {}, and the rule requires it to hold for {hold}",
        rule.name,
        super::at(from),
        super::at(to)
    );
    Some(diagnosis(
        "for-too-long",
        json!({"for_s": rule.hold_s, "held_s": (to - from).as_secs_f64()}),
        sentence,
    ))
}

/// Diagnoses a comparison with a constant that was never true, and how near it came.
fn out_of_reach(rule: &Rule, recorded: &Recorded) -> Option<Diagnosis> {
    let Basis { comparisons, .. } = Basis::of(&rule.query)?;
    comparisons.iter().find_map(|Comparison { left, operator, right }| {
        let bound: f64 = right.parse().ok()?;
        let answer = latest(&recorded.answers, &rule::course(left), true).ok()?.answer.as_ref()?;
        let values = matrix(answer).into_iter().flat_map(|series| series.samples).map(|(_, value)| value);
        let values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
        let (holds, nearest): (fn(f64, f64) -> bool, Option<f64>) = match operator.as_str() {
            ">" => (|a, b| a > b, values.iter().copied().reduce(f64::max)),
            ">=" => (|a, b| a >= b, values.iter().copied().reduce(f64::max)),
            "<" => (|a, b| a < b, values.iter().copied().reduce(f64::min)),
            "<=" => (|a, b| a <= b, values.iter().copied().reduce(f64::min)),
            _ => return None,
        };
        if values.iter().any(|value| holds(*value, bound)) {
            return None;
        }
        let nearest = nearest?;
        let sentence = format!(
            "{} requires {left} {operator} {right}; it reached {} at {}",
            rule.name,
            round(nearest),
            if operator.starts_with('>') { "most" } else { "least" }
        );
        let parameters = json!({"bound": bound, "nearest": nearest});
        Some(diagnosis("threshold-never-reached", parameters, sentence))
    })
}

/// Four significant digits are enough for a reader.
fn round(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
