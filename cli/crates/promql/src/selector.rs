//! Matches series by selectors.

use promql_parser::{
    label::MatchOp,
    parser::{self, Expr, VectorSelector},
};

use crate::{
    error::QueryError,
    labels::{self, Labels, METRIC_NAME},
};

/// A selector without a range, such as `up{job=~"api|web"}`.
#[derive(Debug, Clone)]
pub struct Selector(VectorSelector);

impl Selector {
    /// Parses a selector.
    ///
    /// # Errors
    /// When the text is not PromQL, or is another kind of expression.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        match parser::parse(text).map_err(QueryError::Syntax)? {
            Expr::VectorSelector(selector) if selector.matchers.or_matchers.is_empty() => Ok(Self(selector)),
            _ => Err(QueryError::Syntax(format!("`{text}` is not a selector"))),
        }
    }

    /// Whether it selects a series.
    pub fn matches(&self, series: &Labels) -> bool {
        matches(&self.0, series)
    }
}

/// The metric's name, if the selector requires a single one.
pub(crate) fn name(selector: &VectorSelector) -> Option<&str> {
    selector.name.as_deref().or_else(|| {
        let mut matchers = selector.matchers.matchers.iter();
        let equal =
            matchers.find(|matcher| matcher.name == METRIC_NAME && matches!(matcher.op, MatchOp::Equal));
        equal.map(|matcher| matcher.value.as_str())
    })
}

pub(crate) fn matches(selector: &VectorSelector, series: &Labels) -> bool {
    let is_named = |name: &String| labels::value(series, METRIC_NAME) == name;
    let fits =
        |matcher: &promql_parser::label::Matcher| matcher.is_match(labels::value(series, &matcher.name));
    selector.name.as_ref().is_none_or(is_named) && selector.matchers.matchers.iter().all(fits)
}

/// The labels that a selector requires to equal one value, for `absent`.
pub(crate) fn required(selector: &VectorSelector) -> Labels {
    let mut required = Labels::new();
    for matcher in selector.matchers.matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        let times = selector.matchers.matchers.iter().filter(|other| other.name == matcher.name).count();
        if times == 1 && matches!(matcher.op, MatchOp::Equal) {
            labels::set(&mut required, &matcher.name, &matcher.value);
        }
    }
    required
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Labels {
        let pairs = [("__name__", "up"), ("job", "api"), ("instance", "a:1")];
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_selector_matches_whole_values_and_missing_labels_as_empty() {
        for (text, expected) in [
            ("up", true),
            ("down", false),
            (r#"{__name__="up"}"#, true),
            (r#"{__name__=~"u."}"#, true),
            (r#"up{job="api"}"#, true),
            (r#"up{job=~"ap"}"#, false),
            (r#"up{job=~"api|web", instance!~"b.*"}"#, true),
            (r#"up{zone=""}"#, true),
            (r#"up{zone!=""}"#, false),
            (r#"{zone=~".*", job="api"}"#, true),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(&series()), expected, "{text}");
        }
    }

    #[test]
    fn other_expressions_are_not_selectors() {
        for text in ["up[5m]", "sum(up)", "{}", "up{", r#"up{a="1" or b="2"}"#] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}
