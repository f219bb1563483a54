//! Labels of a series, including the metric name under `__name__`, as in Prometheus.

use std::collections::BTreeMap;

use promql_parser::parser::LabelModifier;

/// Labels by name. A label with an empty value counts as missing.
pub type Labels = BTreeMap<String, String>;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// The value of a label; empty if it is missing.
pub(crate) fn value<'a>(labels: &'a Labels, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

/// Sets a label, or removes it if the value is empty.
pub(crate) fn set(labels: &mut Labels, name: &str, value: &str) {
    if value.is_empty() {
        labels.remove(name);
    } else {
        labels.insert(name.to_owned(), value.to_owned());
    }
}

pub(crate) fn without_name(mut labels: Labels) -> Labels {
    labels.remove(METRIC_NAME);
    labels
}

/// Only the named labels, or all except those and the metric's name: the key of a group or a match.
pub(crate) fn grouped(labels: &Labels, modifier: &LabelModifier) -> Labels {
    let is_named = |name: &String| modifier.labels().labels.contains(name);
    let stays = |name: &String| match modifier {
        LabelModifier::Include(_) => is_named(name),
        LabelModifier::Exclude(_) => name != METRIC_NAME && !is_named(name),
    };
    labels.iter().filter(|(name, _)| stays(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether a label may have that name.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|next| next.is_ascii_alphanumeric() || next == '_')
}

/// Formats labels: `{job="api", status="200"}`.
pub(crate) fn display(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use promql_parser::label;

    use super::*;

    #[test]
    fn grouping_keeps_named_labels_or_drops_them_with_the_metric_name() {
        let pairs = [("__name__", "up"), ("job", "api"), ("zone", "a")];
        let labels: Labels =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let named = |names: &[&str]| label::Labels::new(names.to_vec());
        let keys = |modifier| grouped(&labels, &modifier).into_keys().collect::<Vec<_>>();
        assert_eq!(keys(LabelModifier::Include(named(&["job", "nosuch"]))), ["job"]);
        assert_eq!(keys(LabelModifier::Include(named(&["__name__"]))), ["__name__"]);
        assert_eq!(keys(LabelModifier::Exclude(named(&["job"]))), ["zone"]);
        assert_eq!(keys(LabelModifier::Exclude(named(&[]))), ["job", "zone"]);
    }

    #[test]
    fn names_of_labels_are_checked() {
        for (name, valid) in [("le", true), ("_x1", true), ("", false), ("1x", false), ("a-b", false)] {
            assert_eq!(is_valid_name(name), valid, "{name}");
        }
    }
}
