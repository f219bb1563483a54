//! Fills variables into a query as Grafana does: `$name`, `${name}`, `${name:format}`, `[[name]]`, and
//! built-in ones such as `$__rate_interval`.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use regex::{Captures, Regex};

use super::variable::Chosen;

/// Grafana's own regular expression for variables.
#[expect(clippy::unwrap_used, reason = "a constant that a test compiles")]
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$(\w+)|\[\[(\w+?)(?::(\w+))?\]\]|\$\{(\w+)(?:\.[^:}]+)?(?::([^}]+))?\}").unwrap()
});

/// Times for built-in variables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// First and last instant, in seconds since the epoch.
    pub span: (f64, f64),
    /// Seconds between two points.
    pub step: f64,
    /// Scrape interval in seconds.
    pub scrape: f64,
}

impl Times {
    /// `$__rate_interval`: at least four scrapes, so that two remain if some are late.
    fn rate_interval(&self) -> f64 {
        (self.step + self.scrape).max(4.0 * self.scrape)
    }

    /// The value of a built-in variable.
    fn value(&self, name: &str, format: Option<&str>) -> Option<String> {
        let (from, to) = self.span;
        let range = to - from;
        let instant = |at: f64| match format {
            Some("date:seconds") => format!("{:.0}", at),
            _ => format!("{:.0}", at * 1e3),
        };
        Some(match name {
            "__interval" => duration(self.step),
            "__interval_ms" => format!("{:.0}", self.step * 1e3),
            "__rate_interval" => duration(self.rate_interval()),
            "__rate_interval_ms" => format!("{:.0}", self.rate_interval() * 1e3),
            "__range" => duration(range),
            "__range_s" => format!("{range:.0}"),
            "__range_ms" => format!("{:.0}", range * 1e3),
            "__from" => instant(from),
            "__to" => instant(to),
            "__auto_interval" => duration(self.step),
            _ => return None,
        })
    }
}

/// A duration in PromQL: whole milliseconds, at least one.
fn duration(seconds: f64) -> String {
    let millis = (seconds * 1e3).round().max(1.0);
    if millis % 1e3 == 0.0 { format!("{:.0}s", millis / 1e3) } else { format!("{millis:.0}ms") }
}

/// Names of the variables in a text, without built-in ones.
pub fn names(text: &str) -> Vec<&str> {
    let of =
        |captures: Captures<'_>| [1, 2, 4].iter().find_map(|i| captures.get(*i)).map(|name| name.range());
    let found = VARIABLE.captures_iter(text).filter_map(of).filter_map(|range| text.get(range));
    found.filter(|name| !name.starts_with("__") && !name.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// The text with all known variables filled in.
pub fn fill<'t>(text: &'t str, variables: &BTreeMap<String, Chosen>, times: &Times) -> Cow<'t, str> {
    VARIABLE.replace_all(text, |captures: &Captures<'_>| {
        let part =
            |indices: &[usize]| indices.iter().find_map(|i| captures.get(*i)).map(|part| part.as_str());
        let (name, format) = (part(&[1, 2, 4]).unwrap_or_default(), part(&[3, 5]));
        if let Some(value) = times.value(name, format) {
            return value;
        }
        match variables.get(name) {
            Some(chosen) => written(chosen, format, times),
            None => captures[0].to_owned(),
        }
    })
}

fn written(chosen: &Chosen, format: Option<&str>, times: &Times) -> String {
    if let Some(all) = &chosen.all {
        return all.clone();
    }
    let each = |quote: &dyn Fn(&str) -> String, separator: &str| {
        chosen.values.iter().map(|value| quote(value)).collect::<Vec<_>>().join(separator)
    };
    let any_of = |quote: &dyn Fn(&str) -> String| match chosen.values.as_slice() {
        [one] => quote(one),
        _ => format!("({})", each(quote, "|")),
    };
    match format {
        None if chosen.as_regex => any_of(&|value| escaped(value, r"\\")),
        None => {
            // `$interval` with the value `$__auto_interval_interval`, as in Grafana.
            let auto = chosen.values.first().is_some_and(|value| value.starts_with("$__auto_interval"));
            if auto { duration(times.step) } else { each(&|value| value.replace('\\', r"\\"), ",") }
        }
        Some("regex") => any_of(&|value| escaped(value, r"\")),
        Some("pipe") => each(&str::to_owned, "|"),
        Some("doublequote") => each(&|value| format!("{value:?}"), ","),
        Some("singlequote") => each(&|value| format!("'{value}'"), ","),
        Some("glob") if chosen.values.len() != 1 => format!("{{{}}}", each(&str::to_owned, ",")),
        Some(_) => each(&str::to_owned, ","),
    }
}

/// A regular expression that matches only this text; special characters are prefixed with `escape`.
fn escaped(text: &str, escape: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\$^*{}[]'+?.()|".contains(c) {
            escaped.push_str(escape);
        }
        // A backslash is escaped by as many as represent one.
        match c {
            '\\' => escaped.push_str(escape),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(values: &[&str], as_regex: bool) -> Chosen {
        Chosen { values: values.iter().map(|value| (*value).to_owned()).collect(), as_regex, all: None }
    }

    #[test]
    fn variables_are_filled_in_like_grafana() {
        let variables = BTreeMap::from([
            ("job".to_owned(), chosen(&["api"], false)),
            ("tenant".to_owned(), chosen(&["acme", "a.b"], true)),
            ("one".to_owned(), chosen(&["127.0.0.1:80"], true)),
            ("all".to_owned(), Chosen { all: Some(".*".to_owned()), ..chosen(&["x"], true) }),
            ("interval".to_owned(), chosen(&["$__auto_interval_interval"], false)),
        ]);
        let times = Times { span: (100.0, 1000.0), step: 2.5, scrape: 1.0 };
        let table = [
            (r#"up{job="$job"}"#, r#"up{job="api"}"#),
            (r#"up{job="${job}"}"#, r#"up{job="api"}"#),
            (r#"up{job="[[job]]"}"#, r#"up{job="api"}"#),
            (r#"x{t=~"$tenant"}"#, r#"x{t=~"(acme|a\\.b)"}"#),
            (r#"x{t=~"${tenant:regex}"}"#, r#"x{t=~"(acme|a\.b)"}"#),
            (r#"x{t=~"[[tenant:pipe]]"}"#, r#"x{t=~"acme|a.b"}"#),
            (r#"x{t=~"${tenant:csv}"}"#, r#"x{t=~"acme,a.b"}"#),
            (r#"x{t=~"${tenant:glob}"}"#, r#"x{t=~"{acme,a.b}"}"#),
            (r#"x{i=~"$one"}"#, r#"x{i=~"127\\.0\\.0\\.1:80"}"#),
            (r#"x{i=~"$all"}"#, r#"x{i=~".*"}"#),
            ("rate(x[$__rate_interval])", "rate(x[4s])"),
            ("rate(x[$interval])", "rate(x[2500ms])"),
            ("rate(x[${__interval}]) + $__range_s", "rate(x[2500ms]) + 900"),
            ("x @ ${__to:date:seconds} + $__from", "x @ 1000 + 100000"),
            (
                r#"label_replace(x, "a", "$1", "b", "(.*)$") + $unknown"#,
                r#"label_replace(x, "a", "$1", "b", "(.*)$") + $unknown"#,
            ),
        ];
        for (text, filled) in table {
            assert_eq!(fill(text, &variables, &times), filled, "{text}");
        }
        assert_eq!(names("$a ${b:regex} [[c]] $1 $__range ${d.text} $"), ["a", "b", "c", "d"]);
    }
}
