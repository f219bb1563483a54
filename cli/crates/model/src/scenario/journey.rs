//! What a user does: journeys, their steps, and what becomes of a response (checks, and values to keep).

use serde_json::Number;

use super::{
    JourneyIndex, StatusSet, StepIndex,
    answer::{Pattern, Place},
    expectation::Comparison,
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
    /// `[[journey.step]]`: one pass through them is an iteration; never empty. Either all of them have a
    /// weight, and a pass is one of them, or none has.
    pub steps: Vec<StepIndex>,
    /// Names of saved values; [`Variable::Saved`] and [`Save::slot`] index into it.
    pub saved: Vec<String>,
    /// `cookies`: whether each user keeps the cookies that it is given, and sends them back.
    pub cookies: bool,
}

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The journey it belongs to.
    pub journey: JourneyIndex,
    /// Unique within its journey; by default the route (with ` #2`, ` #3` … where a route repeats).
    pub name: String,
    /// Upper-case HTTP method.
    pub method: String,
    /// `METHOD /path`: what samples are grouped by and limits and metrics refer to: path without query, each
    /// `${x}` as `{x}`.
    pub route: String,
    /// The path and query to send; starts with `/`.
    pub path: Template,
    /// Header names (lower case) and values; those of the journey and of `auth` and `form` included.
    pub headers: Vec<(String, Template)>,
    /// The body, if any; a JSON body sets `content-type: application/json` unless a header does.
    pub body: Option<Template>,
    /// Which statuses are expected; default every 2xx.
    pub status: StatusSet,
    /// `check`: what else is expected of a response with an expected status.
    pub checks: Vec<Check>,
    /// Values to keep from the response.
    pub save: Vec<Save>,
    /// `tenant`: whom the service takes the request for, where that is not the user's own tenant: its metrics
    /// and its limits are expected to count it there.
    pub tenant: Option<String>,
    /// `foreign = true`: it uses something that belongs to another tenant, and must be rejected with
    /// [`Self::status`], which then has no 2xx in it.
    pub foreign: bool,
    /// When it has its turn.
    pub turn: Turn,
}

/// When a step has its turn, and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// `weight`: its share of the passes of a journey whose passes are one step each; `None` in all other
    /// journeys.
    pub weight: Option<u64>,
    /// `every`: only in every n-th iteration of a user; default 1.
    pub every: u64,
    /// `when`: only while this holds of a saved value.
    pub when: Option<When>,
    /// `repeat`: how many times in a row; default 1.
    pub repeat: u64,
    /// `think_time`: how long the user thinks after each response, uniform in `low..=high`; default none.
    pub pause: Option<(Nanos, Nanos)>,
}

impl Default for Turn {
    fn default() -> Self {
        Self { weight: None, every: 1, when: None, repeat: 1, pause: None }
    }
}

/// What has to hold of a saved value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// Index into [`Journey::saved`].
    pub slot: usize,
    /// What has to hold.
    pub holds: Holds,
}

/// What can hold of a saved value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// It was saved.
    Saved,
    /// It was not.
    Absent,
    /// It was saved, and is this.
    Is(String),
    /// It was not saved, or is something else.
    Not(String),
}

impl When {
    /// Whether it holds, with the saved values by slot.
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
    /// Everything in it that is filled in: what is sent, and what is expected of the response.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        [&self.path]
            .into_iter()
            .chain(self.headers.iter().map(|(_, value)| value))
            .chain(&self.body)
            .chain(self.checks.iter().filter_map(Check::template))
    }

    /// Whether one of its templates names this variable.
    pub fn uses(&self, variable: &Variable) -> bool {
        self.templates()
            .flat_map(|template| &template.parts)
            .any(|part| matches!(part, Part::Variable(used) if used == variable))
    }

    /// Where in the response its checks and its saves look.
    fn places(&self) -> impl Iterator<Item = &Place> {
        let checked = self.checks.iter().filter_map(|check| match check {
            Check::Value { of, .. } => Some(of),
            Check::Size { .. } => None,
        });
        checked.chain(self.save.iter().map(|save| &save.from))
    }

    /// Whether the response's fields have to be kept for its checks and saves.
    pub fn reads_head(&self) -> bool {
        self.places().any(|place| matches!(place, Place::Header(_)))
    }

    /// Whether the response's body has to be kept for its checks and saves.
    pub fn reads_body(&self) -> bool {
        self.places().any(|place| !matches!(place, Place::Header(_)))
    }

    /// Whether its checks and saves are for a response with this (expected) status: those of 2xx, and of all
    /// where none of the expected ones is one. An expected rejection has nothing to offer.
    pub fn reads(&self, status: u16) -> bool {
        (200..300).contains(&status) || !(200..300).any(|success| self.status.contains(success))
    }
}

/// A value kept from a response.
#[derive(Debug, Clone, PartialEq)]
pub struct Save {
    /// Index into [`Journey::saved`].
    pub slot: usize,
    /// Where it stands.
    pub from: Place,
}

/// One thing that is expected of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Of a value in it.
    Value {
        /// Which.
        of: Place,
        /// What.
        must: Condition,
    },
    /// `size = "< 10kB"`: of the length of its body.
    Size {
        /// How it compares.
        comparison: Comparison,
        /// With how many bytes.
        bytes: u64,
        /// As written.
        written: String,
    },
}

impl Check {
    /// The text that is filled in before a value is compared with it.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Self::Value { must, .. } => must.template(),
            Self::Size { .. } => None,
        }
    }
}

/// What is expected of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// That there is one.
    Present,
    /// `is`: that it equals this.
    Is(Literal),
    /// `not`: that it is there and does not equal this.
    Not(Literal),
    /// `contains`: that this is part of its text.
    Contains(Template),
    /// `matches`: that this is found in its text.
    Matches(Pattern),
}

impl Condition {
    /// The text that is filled in before a value is compared with it.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Self::Is(Literal::Text(template)) | Self::Not(Literal::Text(template)) => Some(template),
            Self::Contains(template) => Some(template),
            Self::Present | Self::Is(_) | Self::Not(_) | Self::Matches(_) => None,
        }
    }
}

/// A value that another is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A text.
    Text(Template),
    /// A number; equal ones may be written differently (`1` and `1.0`).
    Number(Number),
    /// True or false.
    Boolean(bool),
}
