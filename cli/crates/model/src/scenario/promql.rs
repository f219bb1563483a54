//! `[[expect]]` with `promql`: a bound on the values of a PromQL query.

use super::{
    expectation::{Comparison, comparison},
    notation::Complaint,
    problem::quoted,
};
use crate::units::Nanos;

/// A bound on the values of a PromQL query.
#[derive(Debug, Clone, PartialEq)]
pub struct Promql {
    /// The query as written.
    pub query: String,
    /// The bound as written: `<= 0.5`.
    pub is: String,
    /// Comparison of each value with the bound.
    pub comparison: Comparison,
    /// The bound: a plain number, because PromQL has no units.
    pub bound: f64,
    /// When it is evaluated.
    pub at: At,
    /// `fresh = true`: applies only to runs whose limits and sessions were empty at the start.
    pub fresh: bool,
    /// Byte offset of its definition in the scenario's text.
    pub stated_at: usize,
}

/// When a query is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At the end of the load.
    End,
    /// Repeatedly, from the end of the warm-up to the end of the load, a scrape interval apart.
    Every,
}

/// Values of the variables in a query.
#[derive(Debug, Clone, Copy)]
pub struct Variables<'a> {
    /// How long the load ran, without its warm-up.
    pub run: Nanos,
    /// The tenants' ids.
    pub tenants: &'a [&'a str],
    /// The replicas' `instance` labels.
    pub instances: &'a [&'a str],
}

const VARIABLES: &str = "`$__run` is the length of the load, such as `30s`; `${tenants}` and `${replicas}` match every tenant and every replica's instance: \
                         `{instance=~\"${replicas}\"}`";

impl Promql {
    /// The query with its variables filled in.
    pub fn filled(&self, variables: Variables<'_>) -> String {
        let Variables { run, tenants, instances } = variables;
        // Rounded up, so that the first scrape is within the range; never empty.
        let seconds = (run.as_secs_f64().ceil() as i64).max(1);
        self.query
            .replace("$__run", &format!("{seconds}s"))
            .replace("${tenants}", &any_of(tenants))
            .replace("${replicas}", &any_of(instances))
    }
}

/// A regular expression (RE2) that matches each of these texts. It contains no backslash, so it can be put
/// between any quotes.
fn any_of(texts: &[&str]) -> String {
    let escape = |text: &&str| -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || "_-: ".contains(c);
        text.chars().map(|c| if plain(c) { c.to_string() } else { format!("[{c}]") }).collect()
    };
    texts.iter().map(escape).collect::<Vec<_>>().join("|")
}

/// Checks a query: its variables must be known.
pub fn query(text: &str) -> Result<String, Complaint> {
    if text.trim().is_empty() {
        let help = "for example: promql = \"sum(rate(http_requests_total[30s]))\"";
        return Err(Complaint::new("nothing is asked here", help));
    }
    if text.trim_end().ends_with(']') {
        let help = "say what of them is meant: `max_over_time(x[30s])`, `rate(x[30s])`";
        return Err(Complaint::new("this is a range of samples, and no value to be compared", help));
    }
    let unknown = |name: &str| Complaint::new(format!("{} is not a variable here", quoted(name)), VARIABLES);
    for (at, _) in text.match_indices('$') {
        let rest = &text[at..];
        let is_known = ["${tenants}", "${replicas}"].iter().any(|known| rest.starts_with(known));
        let name = rest.get(1..).unwrap_or_default();
        let word: String = name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let braced = name.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        match braced {
            _ if is_known || word == "__run" => {}
            Some((inner, _)) => return Err(unknown(&format!("${{{inner}}}"))),
            // A `$` at the end of a regular expression is not a variable.
            None if word.is_empty() => {}
            None => return Err(unknown(&format!("${word}"))),
        }
    }
    Ok(text.to_owned())
}

/// Parses a bound: `<= 0.5`.
pub fn bound(text: &str) -> Result<(String, Comparison, f64), Complaint> {
    let help = "write a comparison with <, <=, >, >= or == and a plain number: `is = \"<= 0.5\"`";
    let (comparison, number) =
        comparison(text.trim()).ok_or_else(|| Complaint::new("nothing is compared here", help))?;
    match number.trim().replace('_', "").parse::<f64>() {
        Ok(bound) if bound.is_finite() => Ok((text.to_owned(), comparison, bound)),
        _ => Err(Complaint::new(format!("{} is not a plain number", quoted(number.trim())), help)),
    }
}

/// Parses when it is evaluated.
pub fn at(text: &str) -> Result<At, Complaint> {
    match text {
        "end" => Ok(At::End),
        "every" => Ok(At::Every),
        _ => Err(Complaint::new(
            "it is asked at the end, or every scrape interval",
            "write `at = \"end\"` or `at = \"every\"`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in() {
        let promql = Promql {
            query: query("sum(increase(x{t=~\"${tenants}\",i=~'${replicas}',p=~\"a$\"}[$__run]))").unwrap(),
            is: "> 0".to_owned(),
            comparison: Comparison::Greater,
            bound: 0.0,
            at: At::End,
            fresh: false,
            stated_at: 0,
        };
        let variables = Variables {
            run: Nanos::from_millis(29_500),
            tenants: &["acme", "a.b"],
            instances: &["127.0.0.1:80", "[::1]:80"],
        };
        assert_eq!(
            promql.filled(variables),
            "sum(increase(x{t=~\"acme|a[.]b\",i=~'127[.]0[.]0[.]1:80|[[]::1[]]:80',p=~\"a$\"}[30s]))"
        );
    }

    #[test]
    fn bounds_are_plain_numbers() {
        assert_eq!(bound("<= 0.5").unwrap(), ("<= 0.5".to_owned(), Comparison::AtMost, 0.5));
        assert_eq!(bound("==1_000").unwrap().2, 1000.0);
        assert_eq!(bound("> -1e3").unwrap().2, -1000.0);
        for text in ["", "0.5", "< 50ms", "< NaN", "<", "!= 3"] {
            assert!(bound(text).is_err(), "{text}");
        }
    }
}
