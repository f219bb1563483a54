//! A dashboard's variable: the source of its values, and which of them a query uses.

use std::{collections::BTreeMap, fmt};

use regex::Regex;
use serde_json::Value;

/// A variable.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// Its name in queries.
    pub name: String,
    /// Source of its values.
    pub source: Source,
    /// Only matching values are used, reduced to the first group.
    pub filter: Option<String>,
    /// Several values can be selected: queries contain them as a regular expression.
    pub several: bool,
    /// The value for "all", if it is not the list of values.
    pub all: Option<String>,
    /// The values that were selected when the dashboard was saved.
    pub current: Vec<String>,
}

/// Source of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `label_values(label)` or `label_values(selector, label)`.
    LabelValues {
        /// Restricts the series; `None` for all.
        selector: Option<String>,
        /// The label.
        label: String,
    },
    /// `label_names()`, `label_names(regex)`.
    LabelNames(Option<String>),
    /// `metrics(regex)`.
    Metrics(String),
    /// `query_result(expr)`: a text for each series of the result.
    QueryResult(String),
    /// A selector: its series as texts.
    Series(String),
    /// A fixed list in the dashboard.
    Fixed(Vec<String>),
    /// Filled by Grafana; queries do not need its value.
    Free,
}

/// In the dashboard's notation.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LabelValues { selector: Some(selector), label } => {
                write!(f, "label_values({selector}, {label})")
            }
            Self::LabelValues { selector: None, label } => write!(f, "label_values({label})"),
            Self::LabelNames(filter) => write!(f, "label_names({})", filter.as_deref().unwrap_or_default()),
            Self::Metrics(filter) => write!(f, "metrics({filter})"),
            Self::QueryResult(expr) => write!(f, "query_result({expr})"),
            Self::Series(selector) => f.write_str(selector),
            Self::Fixed(values) => f.write_str(&values.join(", ")),
            Self::Free => Ok(()),
        }
    }
}

/// The values of a variable in a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Its values.
    pub values: Vec<String>,
    /// Whether they are written as a regular expression.
    pub as_regex: bool,
    /// Used as it is, in place of the values.
    pub all: Option<String>,
}

/// Parses a variable of a dashboard; `None` for one without a name, and for ad hoc filters, which queries do
/// not contain.
pub fn read(json: &Value, inputs: &BTreeMap<String, String>) -> Option<Variable> {
    let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default();
    let is = |key: &str| json.get(key).and_then(Value::as_bool).unwrap_or(false);
    let name = Some(text("name").to_owned()).filter(|name| !name.is_empty())?;
    let some = |key: &str| Some(text(key).trim().to_owned()).filter(|text| !text.is_empty());
    let source = match text("type") {
        "adhoc" | "groupby" => return None,
        "query" => query_source(json),
        "custom" => Source::Fixed(options(text("query"))),
        "interval" => Source::Fixed(options(text("query"))),
        "constant" | "textbox" => Source::Fixed(vec![with_inputs(text("query"), inputs)]),
        _ => Source::Free,
    };
    Some(Variable {
        name,
        source,
        filter: some("regex"),
        several: is("multi") || is("includeAll"),
        all: some("allValue").filter(|_| is("includeAll")),
        current: current(json),
    })
}

fn query_source(json: &Value) -> Source {
    let query = match json.get("query") {
        Some(Value::String(query)) => query.as_str(),
        Some(query) => query.get("query").and_then(Value::as_str).unwrap_or_default(),
        None => json.get("definition").and_then(Value::as_str).unwrap_or_default(),
    };
    let query = query.trim();
    let call = |function: &str| {
        let inner = query.strip_prefix(function)?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.trim().to_owned())
    };
    if let Some(arguments) = call("label_values") {
        // The label follows the last comma: selectors contain commas, too.
        let (selector, label) = match arguments.rsplit_once(',') {
            Some((selector, label)) => (Some(selector.trim().to_owned()), label.trim().to_owned()),
            None => (None, arguments),
        };
        let selector = selector.filter(|selector| !selector.is_empty());
        return Source::LabelValues { selector, label };
    }
    if let Some(pattern) = call("label_names") {
        return Source::LabelNames(Some(pattern).filter(|pattern| !pattern.is_empty()));
    }
    if let Some(pattern) = call("metrics") {
        return Source::Metrics(pattern);
    }
    match call("query_result") {
        Some(expr) => Source::QueryResult(expr),
        None => Source::Series(query.to_owned()),
    }
}

/// Splits a list: `a, b : c` has the values `a` and `c`, since of text and value the value counts. `\,` is a
/// literal comma.
fn options(list: &str) -> Vec<String> {
    let list = list.replace("\\,", "\u{0}");
    let value = |item: &str| {
        let item = item.trim().replace('\u{0}', ",");
        item.split_once(" : ").map_or(item.clone(), |(_, value)| value.trim().to_owned())
    };
    list.split(',').map(value).filter(|value| !value.is_empty()).collect()
}

fn with_inputs(text: &str, inputs: &BTreeMap<String, String>) -> String {
    inputs.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

fn current(json: &Value) -> Vec<String> {
    match json.pointer("/current/value") {
        Some(Value::String(value)) => vec![value.clone()],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

impl Variable {
    /// The texts that may contain other variables.
    pub fn texts(&self) -> Vec<&str> {
        match &self.source {
            Source::LabelValues { selector, label } => {
                selector.iter().map(String::as_str).chain([label.as_str()]).collect()
            }
            Source::LabelNames(pattern) => pattern.iter().map(String::as_str).collect(),
            Source::Metrics(text) | Source::QueryResult(text) | Source::Series(text) => vec![text],
            Source::Fixed(values) => values.iter().map(String::as_str).collect(),
            Source::Free => Vec::new(),
        }
    }

    /// The values that pass its filter, each once, in order.
    pub fn filtered(&self, values: Vec<String>) -> Vec<String> {
        let filter = self.filter.as_deref().and_then(pattern);
        let mut kept: Vec<String> = match filter {
            None => values,
            Some(filter) => values.iter().filter_map(|value| first_group(&filter, value)).collect(),
        };
        let mut seen = std::collections::BTreeSet::new();
        kept.retain(|value| seen.insert(value.clone()));
        kept
    }

    /// The values for queries: all of them if it permits several, otherwise the last selected one, or the
    /// first.
    pub fn choose(&self, values: &[String]) -> Chosen {
        let kept = if self.several {
            values.to_vec()
        } else {
            let current = self.current.iter().find(|current| values.contains(current));
            current.or(values.first()).into_iter().cloned().collect()
        };
        Chosen { values: kept, as_regex: self.several, all: self.all.clone() }
    }
}

/// A filter `/pattern/flags`, or a pattern that must match the whole value.
fn pattern(text: &str) -> Option<Regex> {
    match text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) {
        Some((pattern, flags)) if flags.contains('i') => Regex::new(&format!("(?i){pattern}")).ok(),
        Some((pattern, _)) => Regex::new(pattern).ok(),
        None => Regex::new(&format!("^{text}$")).ok(),
    }
}

/// What a filter extracts from a value: its group `value`, otherwise its first group, otherwise the whole
/// match.
fn first_group(filter: &Regex, value: &str) -> Option<String> {
    let captures = filter.captures(value)?;
    let group = captures.name("value").or_else(|| captures.get(1));
    Some(group.map_or(value, |group| group.as_str()).to_owned())
}
