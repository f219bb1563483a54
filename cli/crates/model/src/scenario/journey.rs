//! What a user does: journeys, their steps, and how responses are used (checks and saved values).

use serde_json::Number;

use super::{
    JourneyIndex, StatusSet, StepIndex,
    expectation::Comparison,
    response::{Pattern, Place},
    template::{Part, Template, Variable},
};
use crate::units::Nanos;

/// What one user does: `start` steps once, then `steps` again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Journey {
    /// Unique among journeys.
    pub name: String,
    /// `[[journey.start]]`: once per user.
    pub start: Vec<StepIndex>,
    /// `[[journey.step]]`: one pass through them is an iteration; never empty. Either all have a weight, and
    /// an iteration runs one of them, or none has.
    pub steps: Vec<StepIndex>,
    /// Names of saved values; [`Variable::Saved`] and [`Save::slot`] index into it.
    pub saved: Vec<String>,
    /// `cookies`: whether each user stores and returns cookies.
    pub cookies: bool,
}

/// One request of a journey.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The journey it belongs to.
    pub journey: JourneyIndex,
    /// Unique within its journey; by default the route (with ` #2`, ` #3` … where a route repeats).
    pub name: String,
    /// Upper-case HTTP method.
    pub method: String,
    /// `METHOD /path`, which samples are grouped by, and limits and metrics refer to: the path without query,
    /// each `${x}` as `{x}`.
    pub route: String,
    /// The path and query to send; starts with `/`.
    pub path: Template,
    /// Header names (lower case) and values, including those of the journey, `auth` and `form`.
    pub headers: Vec<(String, Template)>,
    /// The body, if any; a JSON body sets `content-type: application/json` unless a header does.
    pub body: Option<Template>,
    /// Expected statuses; by default every 2xx.
    pub status: StatusSet,
    /// `check`: further conditions on a response with an expected status.
    pub checks: Vec<Check>,
    /// Values to save from the response.
    pub save: Vec<Save>,
    /// `tenant`: the tenant that the service attributes the request to, if it is not the user's own; limits
    /// and metrics are expected to count it there.
    pub tenant: Option<String>,
    /// `foreign = true`: the step uses something that belongs to another tenant, and must be rejected with
    /// [`Self::status`], which then contains no 2xx.
    pub foreign: bool,
    /// When the step runs.
    pub turn: Turn,
}

/// When a step runs, and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// `weight`: its share of the iterations in a journey with weights; `None` in all other journeys.
    pub weight: Option<u64>,
    /// `every`: only in every n-th iteration of a user; default 1.
    pub every: u64,
    /// `when`: only while this condition on a saved value holds.
    pub when: Option<When>,
    /// `repeat`: how many times in a row; default 1.
    pub repeat: u64,
    /// `think_time`: pause after each response, uniform in `low..=high`; by default none.
    pub pause: Option<(Nanos, Nanos)>,
}

impl Default for Turn {
    fn default() -> Self {
        Self { weight: None, every: 1, when: None, repeat: 1, pause: None }
    }
}

/// A condition on a saved value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// Index into [`Journey::saved`].
    pub slot: usize,
    /// The condition.
    pub holds: Holds,
}

/// Conditions on a saved value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// It was saved.
    Saved,
    /// It was not.
    Absent,
    /// It was saved, and equals this.
    Is(String),
    /// It was not saved, or differs from this.
    Not(String),
}

impl When {
    /// Whether the condition holds, given the saved values by slot.
    pub fn holds(&self, saved: &[Option<String>]) -> bool {
        let value = saved.get(self.slot).and_then(Option::as_deref);
        match &self.holds {
            Holds::Saved => value.is_some(),
            Holds::Absent => value.is_none(),
            Holds::Is(text) => value == Some(text),
            Holds::Not(text) => value != Some(text),
        }
    }
}

impl Step {
    /// Whether sending its request twice has the effect of sending it once (RFC 9110, section 9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }

    /// All its templates: those for the request, and those in checks of the response.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        [&self.path]
            .into_iter()
            .chain(self.headers.iter().map(|(_, value)| value))
            .chain(&self.body)
            .chain(self.checks.iter().filter_map(Check::template))
    }

    /// Whether one of its templates uses this variable.
    pub fn uses(&self, variable: &Variable) -> bool {
        self.templates()
            .flat_map(|template| &template.parts)
            .any(|part| matches!(part, Part::Variable(used) if used == variable))
    }

    /// The places in the response that its checks and saves refer to.
    fn places(&self) -> impl Iterator<Item = &Place> {
        let checked = self.checks.iter().filter_map(|check| match check {
            Check::Value { of, .. } => Some(of),
            Check::Size { .. } => None,
        });
        checked.chain(self.save.iter().map(|save| &save.from))
    }

    /// Whether its checks and saves need the response's headers.
    pub fn reads_head(&self) -> bool {
        self.places().any(|place| matches!(place, Place::Header(_)))
    }

    /// Whether its checks and saves need the response's body.
    pub fn reads_body(&self) -> bool {
        self.places().any(|place| !matches!(place, Place::Header(_)))
    }

    /// Whether its checks and saves apply to a response with this (expected) status: those of 2xx or, if no
    /// 2xx is expected, all. An expected rejection is neither checked nor saved from.
    pub fn reads(&self, status: u16) -> bool {
        (200..300).contains(&status) || !(200..300).any(|success| self.status.contains(success))
    }
}

/// A value to save from a response.
#[derive(Debug, Clone, PartialEq)]
pub struct Save {
    /// Index into [`Journey::saved`].
    pub slot: usize,
    /// Its place in the response.
    pub from: Place,
}

/// One condition on a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// A condition on a value in the response.
    Value {
        /// The value's place.
        of: Place,
        /// The condition.
        must: Condition,
    },
    /// `size = "< 10kB"`: a condition on the length of the body.
    Size {
        /// The comparison.
        comparison: Comparison,
        /// The number of bytes to compare with.
        bytes: u64,
        /// The condition as written.
        written: String,
    },
}

impl Check {
    /// The template of the text to compare with.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Self::Value { must, .. } => must.template(),
            Self::Size { .. } => None,
        }
    }
}

/// A condition on a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The value exists.
    Present,
    /// `is`: it equals this.
    Is(Literal),
    /// `not`: it exists and differs from this.
    Not(Literal),
    /// `contains`: its text contains this.
    Contains(Template),
    /// `matches`: the pattern matches in its text.
    Matches(Pattern),
}

impl Condition {
    /// The template of the text to compare with.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Self::Is(Literal::Text(template)) | Self::Not(Literal::Text(template)) => Some(template),
            Self::Contains(template) => Some(template),
            Self::Present | Self::Is(_) | Self::Not(_) | Self::Matches(_) => None,
        }
    }
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A text.
    Text(Template),
    /// A number; equal ones may be written differently (`1` and `1.0`).
    Number(Number),
    /// True or false.
    Boolean(bool),
}
