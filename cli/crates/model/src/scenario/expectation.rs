//! `[[expect]]`: a bound on what clients saw, such as `p99 < 50ms` or `ratio(429) <= 5%`.

use super::{
    JourneyIndex, Scenario, StepIndex, TenantIndex,
    notation::{self, Complaint},
    problem::{closest, quoted},
};

/// A bound that the scenario states.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The text as written, for reports.
    pub that: String,
    /// What is measured.
    pub measure: Measure,
    /// Comparison of the measured value with the bound.
    pub comparison: Comparison,
    /// The bound, in the measure's unit: nanoseconds, requests per second, requests, or a ratio 0–1.
    pub bound: f64,
    /// Which samples count.
    pub filter: Filter,
    /// `abort_on_fail = true`: the load ends as soon as the expectation can no longer be met.
    pub abort: bool,
    /// `fresh = true`: applies only to runs whose limits and sessions were empty at the start.
    pub fresh: bool,
    /// Byte offset of its definition in the scenario's text; `None` for the default expectation.
    pub stated_at: Option<usize>,
}

/// What an expectation measures.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// `p50`, `p99.9`, …: quantile 0 < q < 1 of the latency of requests with a response, in nanoseconds.
    Quantile {
        /// 0.99 for `p99`.
        q: f64,
        /// Start of the latency.
        from: LatencyFrom,
    },
    /// `max`: the greatest latency, in nanoseconds.
    Max(LatencyFrom),
    /// `mean`: the mean latency, in nanoseconds.
    Mean(LatencyFrom),
    /// `error_ratio`: share of requests without a response, with an unexpected status, or with a failed
    /// check.
    ErrorRatio,
    /// `rate`: responses per second of load; `rate(200)`: those with this status.
    Rate(Option<u16>),
    /// `count`: requests; `count(200)`: responses with this status.
    Count(Option<u16>),
    /// `ratio(429)`: share of the responses with this status.
    Ratio(u16),
    /// `resent`: requests that were sent once more, because the server had closed the idle connection that they
    /// were sent on.
    Resent,
}

/// Where a latency's clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatencyFrom {
    /// When the request was due (the default): waiting in the generator counts.
    Intended,
    /// When it was sent: `p99 from sent < 50ms`.
    Sent,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

impl Expectation {
    /// Whether it covers a tenant's requests of a step.
    pub fn applies(&self, scenario: &Scenario, tenant: TenantIndex, step: StepIndex) -> bool {
        self.filter.tenant.is_none_or(|only| only == tenant) && self.is_about(scenario, step)
    }

    /// Whether it covers a step's requests, of any tenant.
    pub fn is_about(&self, scenario: &Scenario, index: StepIndex) -> bool {
        let Filter { journey, steps, .. } = &self.filter;
        let step = scenario.steps.get(index);
        let of_journey = step.map(|step| step.journey);
        let is_start = of_journey
            .and_then(|journey| scenario.journeys.get(journey))
            .is_some_and(|journey| journey.start.contains(&index));
        // Errors count in start steps, too; all other measures exclude start steps unless one is named.
        let counts_starts = self.measure == Measure::ErrorRatio || steps.is_some();
        journey.is_none_or(|journey| Some(journey) == of_journey)
            && steps.as_ref().is_none_or(|steps| steps.contains(&index))
            && (counts_starts || !is_start)
    }
}

impl Comparison {
    /// Whether the comparison of `value` with `bound` is true.
    pub fn holds<T: PartialOrd + Copy>(self, value: T, bound: T) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Greater => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => value == bound,
        }
    }
}

/// Which samples an expectation covers; `None` means all. Start steps are covered only if `step` names one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// One tenant.
    pub tenant: Option<TenantIndex>,
    /// One journey.
    pub journey: Option<JourneyIndex>,
    /// Steps with the given name (there may be one in each of several journeys).
    pub steps: Option<Vec<StepIndex>>,
}

const MEASURES: &str = "measures are p50, p99.9 and the like, max, mean (each also `from sent`), error_ratio, rate, rate(200), count, \
                        count(200), ratio(429) and resent";
const OPERATORS: &str = "an expectation compares: `p99 < 50ms`, with <, <=, >, >= or ==";

/// Parses `<measure> [from sent|from intended] <operator> <bound>`; the bound is in the unit of
/// [`Expectation::bound`].
pub fn parse(that: &str) -> Result<(Measure, Comparison, f64), Complaint> {
    let Some(at) = that.find(['<', '>', '=', '!', '≤', '≥']) else {
        return Err(Complaint::new("nothing is compared here", OPERATORS));
    };
    let (left, right) = that.split_at(at);
    let Some((comparison, bound)) = comparison(right) else {
        return Err(Complaint::new("this is no comparison", OPERATORS));
    };
    let measure = measure(left.trim())?;
    let bound = measure.bound(bound.trim())?;
    Ok((measure, comparison, bound))
}

/// The operator at the start of a text, and the rest.
pub(super) fn comparison(text: &str) -> Option<(Comparison, &str)> {
    let operators = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("==", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let found = operators.iter().find_map(|(sign, comparison)| Some((*comparison, text.strip_prefix(sign)?)));
    found.filter(|(_, bound)| !bound.starts_with(['<', '>', '=']))
}

fn measure(text: &str) -> Result<Measure, Complaint> {
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    let from = match rest.as_slice() {
        [] => None,
        ["from", "sent"] => Some(LatencyFrom::Sent),
        ["from", "intended"] => Some(LatencyFrom::Intended),
        _ => {
            let help = format!("latencies can be measured `from sent` or `from intended`; {MEASURES}");
            return Err(Complaint::new(format!("{} means nothing here", quoted(&rest.join(" "))), help));
        }
    };
    let (base, argument) = match name.strip_suffix(')').and_then(|inner| inner.split_once('(')) {
        Some((base, argument)) => (base, Some(status(argument)?)),
        None => (name, None),
    };
    let latency = from.unwrap_or(LatencyFrom::Intended);
    let measure = match (base, argument) {
        ("max", None) => Measure::Max(latency),
        ("mean", None) => Measure::Mean(latency),
        ("error_ratio", None) => Measure::ErrorRatio,
        ("rate", status) => Measure::Rate(status),
        ("count", status) => Measure::Count(status),
        ("ratio", Some(status)) => Measure::Ratio(status),
        ("resent", None) => Measure::Resent,
        ("ratio", None) => {
            let help = "name the status: `ratio(429) <= 5%`; for everything unexpected there is error_ratio";
            return Err(Complaint::new("a ratio of which responses?", help));
        }
        (base, None) if is_quantile(base) => Measure::Quantile { q: quantile(base)?, from: latency },
        _ => {
            let near = closest(base, ["max", "mean", "error_ratio", "rate", "count", "ratio", "resent"]);
            let help = match near {
                Some(near) => format!("did you mean {}? {MEASURES}", quoted(near)),
                None => MEASURES.to_owned(),
            };
            return Err(Complaint::new(format!("{} is not a measure", quoted(name)), help));
        }
    };
    if from.is_some() && !measure.is_latency() {
        let help = "only p50, p99 and the like, max and mean are latencies";
        return Err(Complaint::new(format!("{} is not a latency, so it has no `from`", quoted(name)), help));
    }
    Ok(measure)
}

fn is_quantile(name: &str) -> bool {
    name.strip_prefix('p').is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))
}

/// Parses `p99.9` as 0.999: the digits are shifted as text, so that the result is not `0.9990000000000001`.
fn quantile(name: &str) -> Result<f64, Complaint> {
    let help = "quantiles lie between p0 and p100, both excluded: p50, p99, p99.9";
    let outside = || Complaint::new(format!("{} is not a quantile", quoted(name)), help);
    let digits = name.get(1..).unwrap_or_default();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = [whole, fraction].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    if !is_plain || whole.is_empty() || whole.len() > 2 || digits.ends_with('.') {
        return Err(outside());
    }
    match format!("0.{whole:0>2}{fraction}").parse() {
        Ok(q) if 0.0 < q && q < 1.0 => Ok(q),
        _ => Err(outside()),
    }
}

fn status(text: &str) -> Result<u16, Complaint> {
    match text.trim().parse() {
        Ok(status) if (100..600).contains(&status) => Ok(status),
        _ => {
            let message = format!("{} is not a status", quoted(text));
            Err(Complaint::new(message, "HTTP statuses run from 100 to 599: `count(200)`"))
        }
    }
}

impl Measure {
    /// Whether a bound with this comparison can be definitely broken before the load has ended.
    pub fn can_be_ruled_out(&self, comparison: Comparison) -> bool {
        match self {
            Self::Rate(_) => false,
            Self::Ratio(_) => true,
            _ => !matches!(comparison, Comparison::Greater | Comparison::AtLeast),
        }
    }

    /// Whether it is a latency.
    fn is_latency(&self) -> bool {
        matches!(self, Self::Quantile { .. } | Self::Max(_) | Self::Mean(_))
    }

    /// Parses a bound in this measure's unit.
    fn bound(&self, text: &str) -> Result<f64, Complaint> {
        match self {
            Self::Quantile { .. } | Self::Max(_) | Self::Mean(_) => Ok(notation::duration(text)?.0 as f64),
            Self::Rate(_) => notation::rate_or_zero(text),
            Self::Count(_) | Self::Resent => match text.replace('_', "").parse::<u32>() {
                Ok(count) => Ok(f64::from(count)),
                Err(_) => {
                    let message = format!("{} is not a count", quoted(text));
                    Err(Complaint::new(message, "a count is a whole number: `count(200) == 24`"))
                }
            },
            Self::ErrorRatio | Self::Ratio(_) => ratio(text),
        }
    }
}

/// Parses a ratio from 0 to 1: `5%` or `0.05`.
fn ratio(text: &str) -> Result<f64, Complaint> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let is_plain = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match number.parse::<f64>() {
        Ok(value) if is_plain && value <= scale => Ok(value / scale),
        Ok(value) if is_plain && scale == 1.0 && value <= 100.0 => {
            let help = format!("did you mean `{number}%`? A ratio is written `5%` or `0.05`");
            Err(Complaint::new(format!("a ratio of {number} is more than all"), help))
        }
        _ => {
            let message = format!("{} is not a ratio", quoted(text));
            Err(Complaint::new(message, "a ratio is written `5%` or `0.05`, at most 100%"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations() {
        use Comparison::{AtLeast, AtMost, Equal, Greater, Less};
        use LatencyFrom::{Intended, Sent};
        let quantile = |q, from| Measure::Quantile { q, from };
        for (text, measure, comparison, bound) in [
            ("p99 < 50ms", quantile(0.99, Intended), Less, 50e6),
            ("p99.9 from sent <= 1s", quantile(0.999, Sent), AtMost, 1e9),
            ("p5 from intended > 0s", quantile(0.05, Intended), Greater, 0.0),
            ("p99.99<1.5s", quantile(0.9999, Intended), Less, 1.5e9),
            ("max from sent < 2s", Measure::Max(Sent), Less, 2e9),
            ("mean >= 1ms", Measure::Mean(Intended), AtLeast, 1e6),
            ("error_ratio == 0%", Measure::ErrorRatio, Equal, 0.0),
            ("error_ratio <= 0.05", Measure::ErrorRatio, AtMost, 0.05),
            ("ratio(429) <= 5%", Measure::Ratio(429), AtMost, 0.05),
            ("ratio(200) > 99.5 %", Measure::Ratio(200), Greater, 0.995),
            ("rate >= 100/s", Measure::Rate(None), AtLeast, 100.0),
            ("rate(200) >= 30/m", Measure::Rate(Some(200)), AtLeast, 0.5),
            ("resent == 0", Measure::Resent, Equal, 0.0),
            ("count == 1_000", Measure::Count(None), Equal, 1000.0),
            ("count(200)==24", Measure::Count(Some(200)), Equal, 24.0),
        ] {
            assert_eq!(parse(text), Ok((measure, comparison, bound)), "{text}");
        }
    }

    #[test]
    fn no_expectations() {
        for (text, complaint) in [
            ("", "nothing is compared here"),
            ("p99", "nothing is compared here"),
            ("p99 = 50ms", "this is no comparison"),
            ("p99 =< 50ms", "this is no comparison"),
            ("p99 <> 50ms", "this is no comparison"),
            ("p99 != 50ms", "this is no comparison"),
            ("p99 ≤ 50ms", "this is no comparison"),
            ("< 50ms", "`` is not a measure"),
            ("p95th < 50ms", "`p95th` is not a quantile"),
            ("p0 < 50ms", "`p0` is not a quantile"),
            ("p100 < 50ms", "`p100` is not a quantile"),
            ("p99. < 50ms", "`p99.` is not a quantile"),
            ("p999 < 50ms", "`p999` is not a quantile"),
            ("latency < 50ms", "`latency` is not a measure"),
            ("max(200) < 50ms", "`max(200)` is not a measure"),
            ("p99 after sent < 50ms", "`after sent` means nothing here"),
            ("count from sent == 3", "`count` is not a latency, so it has no `from`"),
            ("ratio < 5%", "a ratio of which responses?"),
            ("count(20) == 3", "`20` is not a status"),
            ("count(2xx) == 3", "`2xx` is not a status"),
            ("p99 < 50", "the unit is missing"),
            ("p99 < -5ms", "time cannot be negative"),
            ("rate > 100", "this is not a rate: nothing says per which time"),
            ("count == 1.5", "`1.5` is not a count"),
            ("error_ratio < 5", "a ratio of 5 is more than all"),
            ("error_ratio < 101%", "`101%` is not a ratio"),
            ("error_ratio < nan", "`nan` is not a ratio"),
        ] {
            assert_eq!(parse(text).unwrap_err().message, complaint, "{text}");
        }
    }
}
