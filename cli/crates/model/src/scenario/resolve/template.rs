//! Compiles templates: which variables a step may use, and how their values are escaped.

use toml::de::DeValue;

use super::{Sources, feeders::Feeders};
use crate::scenario::{
    file::{Value, in_order, whole},
    journey::{Holds, When},
    problem::{Problem, Span, did_you_mean, listed, quoted},
    template::{Escape, Part, Piece, Template, Unclosed, Variable, is_name, pieces},
};

/// What all templates of a scenario share.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// The scenario's text, for marking a variable within its value.
    pub(super) text: &'a str,
    /// For checking that secrets are set.
    pub(super) sources: &'a Sources<'a>,
    /// The feeders that templates can use.
    pub(super) feeders: &'a Feeders,
}

/// Variables that exist without being saved.
pub(super) const BUILT_IN: [(&str, Variable); 4] = [
    ("tenant", Variable::Tenant),
    ("user", Variable::User),
    ("n", Variable::Iteration),
    ("canary", Variable::Canary),
];

/// What the templates of a step may use.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) context: &'a Context<'a>,
    /// The names that the journey saves; a slot is an index into it.
    pub(super) slots: &'a [Slot],
    /// The step's position in the order in which the journey's steps run.
    pub(super) order: usize,
    /// The condition on a saved value under which the step is sent.
    pub(super) guard: Option<&'a When>,
    /// Whether every value that the journey saves can be used, whenever it is saved.
    pub(super) all: bool,
}

/// A name that a journey saves.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) name: String,
    /// The position of the first step that saves it.
    pub(super) order: usize,
    /// The position of the first step that saves it and runs in every iteration, if any.
    pub(super) sure: Option<usize>,
    pub(super) span: Span,
}

impl Scope<'_> {
    /// Compiles a text; problems are reported once for each name.
    pub(super) fn compile(
        &self,
        text: &str,
        span: &Span,
        escape: Escape,
        found: &mut Vec<Problem>,
    ) -> Template {
        let mut template = Template::literal("", escape);
        self.push(&mut template, text, span, found, str::to_owned);
        template
    }

    /// A TOML value as JSON text, with templates in its texts and keys.
    pub(super) fn json(&self, value: &Value<'_>, found: &mut Vec<Problem>) -> Template {
        let mut template = Template::literal("", Escape::Json);
        self.push_json(&mut template, value, found);
        template
    }

    fn push_json(&self, template: &mut Template, value: &Value<'_>, found: &mut Vec<Problem>) {
        let unfit = |why: &str| Problem::at(value.span(), "JSON cannot hold this number", why);
        match value.get_ref() {
            DeValue::String(text) => self.push_json_text(template, text, &value.span(), found),
            DeValue::Integer(integer) => match whole(integer) {
                Some(number) => template.push_text(&number.to_string()),
                None => found.push(unfit("it is too large")),
            },
            DeValue::Float(float) => {
                match float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                    Some(number) => template.push_text(&number.to_string()),
                    None => found.push(unfit("it is not finite")),
                }
            }
            DeValue::Boolean(boolean) => template.push_text(if *boolean { "true" } else { "false" }),
            DeValue::Datetime(datetime) => template.push_text(&format!("\"{datetime}\"")),
            DeValue::Array(array) => {
                for (i, value) in array.iter().enumerate() {
                    template.push_text(if i == 0 { "[" } else { "," });
                    self.push_json(template, value, found);
                }
                template.push_text(if array.is_empty() { "[]" } else { "]" });
            }
            DeValue::Table(table) => {
                for (i, (key, value)) in in_order(table).into_iter().enumerate() {
                    template.push_text(if i == 0 { "{" } else { "," });
                    self.push_json_text(template, &key.value, &key.span, found);
                    template.push_text(":");
                    self.push_json(template, value, found);
                }
                template.push_text(if table.is_empty() { "{}" } else { "}" });
            }
        }
    }

    fn push_json_text(&self, template: &mut Template, text: &str, span: &Span, found: &mut Vec<Problem>) {
        template.push_text("\"");
        self.push(template, text, span, found, |text| {
            let quoted = serde_json::Value::from(text).to_string();
            quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
        });
        template.push_text("\"");
    }

    /// Appends a text, its literal parts transformed by `literal`.
    pub(super) fn push(
        &self,
        template: &mut Template,
        text: &str,
        span: &Span,
        found: &mut Vec<Problem>,
        literal: impl Fn(&str) -> String,
    ) {
        let pieces = match pieces(text) {
            Ok(pieces) => pieces,
            Err(unclosed) => return found.push(self.unclosed(unclosed, span)),
        };
        let mut wrong = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => template.push_text(&literal(text)),
                Piece::Variable(name) if wrong.contains(&name) => {}
                Piece::Variable(name) => match self.variable(name, span) {
                    Ok(variable) => template.parts.push(Part::Variable(variable)),
                    Err(problem) => {
                        wrong.push(name);
                        found.push(problem);
                    }
                },
            }
        }
    }

    fn variable(&self, name: &str, span: &Span) -> Result<Variable, Problem> {
        if let Some((_, variable)) = BUILT_IN.into_iter().find(|(built_in, _)| *built_in == name) {
            return Ok(variable);
        }
        let at = self.inside(span, &format!("${{{name}}}"));
        let shown = quoted(&format!("${{{name}}}"));
        if let Some(secret) = name.strip_prefix("env:") {
            return match self.context.sources.environment {
                Some(environment) if environment(secret).is_none() => {
                    let problem = Problem::at(at, format!("{shown} is not set"), "");
                    Err(problem.help(format!("set the environment variable {}", quoted(secret))))
                }
                _ => Ok(Variable::Secret(secret.to_owned())),
            };
        }
        if let Some((feeder, column)) = name.split_once('.') {
            return self.context.feeders.find(feeder, column, at);
        }
        let usable =
            || self.slots.iter().enumerate().filter(|(index, _)| self.has(*index)).map(|(_, slot)| slot);
        let known = || BUILT_IN.iter().map(|(name, _)| *name).chain(usable().map(|slot| slot.name.as_str()));
        match self.slots.iter().enumerate().find(|(_, slot)| slot.name == name) {
            Some((index, _)) if self.has(index) => Ok(Variable::Saved(index)),
            Some((_, slot)) if slot.order < self.order || slot.sure.is_none() => {
                let problem = Problem::at(at, format!("{shown} may not have been saved yet"), "used here");
                let problem =
                    problem.also(slot.span.clone(), "saved here, by a step that does not always run");
                Err(problem.help(format!("a step with `when = \"{name}\"` is sent only once it was saved")))
            }
            Some((_, slot)) => {
                let when = if slot.order == self.order { "this same step" } else { "a later step" };
                let problem = Problem::at(at, format!("{shown} is saved only by {when}"), "used here");
                let problem = problem.also(slot.span.clone(), "saved here");
                Err(problem.help("a step uses what steps before it saved; start steps come first"))
            }
            None => {
                let problem = Problem::at(at, format!("{shown} is never saved"), did_you_mean(name, known()));
                Err(problem.help(format!(
                    "known here: {}; others come from `save` of an earlier step, or from the environment as `${{env:NAME}}`",
                    listed(known())
                )))
            }
        }
    }

    /// Whether a value is certainly saved when the step is sent.
    fn has(&self, slot: usize) -> bool {
        let guarded = self
            .guard
            .is_some_and(|when| when.slot == slot && matches!(when.holds, Holds::Saved | Holds::Is(_)));
        let sure = self.slots.get(slot).and_then(|slot| slot.sure);
        self.all || guarded || sure.is_some_and(|order| order < self.order)
    }

    /// Whether everything that a template uses is certainly available.
    pub(super) fn can_fill(&self, template: &Template) -> bool {
        template.parts.iter().all(|part| match part {
            Part::Variable(Variable::Saved(slot)) => self.has(*slot),
            Part::Variable(_) | Part::Text(_) => true,
        })
    }

    fn unclosed(&self, unclosed: Unclosed<'_>, span: &Span) -> Problem {
        let rest = unclosed.rest;
        let (message, needle) = match rest.find('}') {
            Some(end) => {
                ("a variable's name is letters, digits, `_` and `-`", rest.get(..=end).unwrap_or(rest))
            }
            None => ("a variable ends in `}`", rest),
        };
        let problem = Problem::at(self.inside(span, needle), message, "");
        problem.help("a variable is written `${name}`; a literal `${` is written `$${`")
    }

    /// The place of `needle` within a value; the whole value if escapes hide it.
    pub(super) fn inside(&self, span: &Span, needle: &str) -> Span {
        let written = self.context.text.get(span.clone()).unwrap_or_default();
        match written.find(needle) {
            Some(at) if !needle.is_empty() => span.start + at..span.start + at + needle.len(),
            _ => span.clone(),
        }
    }
}

/// Whether a value can be saved under this name.
pub(super) fn can_be_saved(name: &str) -> bool {
    is_name(name) && BUILT_IN.iter().all(|(built_in, _)| *built_in != name)
}
