//! Handles TOML that does not parse: decides which errors leave the rest of the file readable.

use std::collections::HashSet;

use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};

use crate::scenario::{
    file::SHAPES,
    problem::{Problem, Span, quoted},
};

/// The syntax errors of a file, and how much of what the parser recovered is reliable.
#[derive(Debug)]
pub(super) struct Syntax {
    problems: Vec<Finding>,
    belief: Belief,
}

/// One syntax error.
#[derive(Debug)]
struct Finding {
    span: Span,
    problem: Problem,
    /// Whether nothing else should be reported about this place, because the parser guessed what it contains.
    /// Otherwise it is text without quotes, and an error for its key is more helpful.
    certain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    /// Every error is within one value or on one key, like missing quotes: the structure of tables and keys
    /// is reliable.
    Sound,
    /// Only what precedes the first error is reliable.
    Before(usize),
    /// Nothing in it resembles a scenario.
    Hopeless,
}

impl Syntax {
    /// The most syntax errors that are shown: one wrong bracket can cause hundreds.
    const MOST: usize = 10;

    /// Classifies the errors of a recovering parse.
    pub(super) fn judge(text: &str, root: &DeTable<'_>, errors: &[Error]) -> Self {
        let mut places = Places::default();
        places.of_table(root);
        let mut errors: Vec<(Span, &str)> = errors
            .iter()
            .map(|error| (error.span().unwrap_or(text.len()..text.len()), error.message()))
            .collect();
        errors.sort_by_key(|(span, _)| span.start);
        let mut problems = Vec::new();
        let mut broken = false;
        let mut first_structural = None;
        for (span, message) in errors {
            let whole = format!("this is not TOML: {message}");
            let problem = if places.texts.contains(&span) {
                unquoted(text, &span, whole)
            } else if places.others.contains(&span) {
                let help = "text stands in quotes; numbers, true and false stand without";
                Problem::at(span.clone(), whole, "this is no value").help(help)
            } else if let Some(container) = places.container(text, &span) {
                first_structural.get_or_insert(container.start);
                broken = true;
                let problem = Problem::at(span.clone(), whole, "");
                problem
                    .also(container.start..container.start + 1, "inside what is opened here: is it closed?")
            } else {
                if !places.keys.contains(&span) {
                    first_structural.get_or_insert(span.start);
                }
                Problem::at(span.clone(), whole, "")
            };
            let certain = places.others.contains(&span) || span.is_empty();
            problems.push(Finding { span, problem, certain });
            if broken {
                // Errors after unclosed brackets are mostly consequences of those.
                break;
            }
        }
        problems.truncate(Self::MOST);
        let known =
            |key: &str| SHAPES.first().is_some_and(|file| file.keys.iter().any(|(name, ..)| *name == key));
        let belief = match first_structural {
            None => Belief::Sound,
            Some(_) if !root.keys().any(|key| known(key.get_ref())) => Belief::Hopeless,
            Some(first) => Belief::Before(first),
        };
        Self { problems, belief }
    }

    /// Whether the structure of tables and keys is reliable.
    pub(super) fn is_sound(&self) -> bool {
        self.belief == Belief::Sound
    }

    /// Whether the text is not a scenario at all.
    pub(super) fn is_hopeless(&self) -> bool {
        self.belief == Belief::Hopeless
    }

    /// All errors; for a text that is not a scenario, only the first.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        const HELP: &str = "a scenario is a TOML file that begins with `version = 1`";
        let hopeless = self.is_hopeless();
        let problems = self.problems.into_iter().map(|finding| finding.problem);
        if hopeless {
            problems.take(1).map(|problem| problem.help(HELP)).collect()
        } else {
            problems.collect()
        }
    }

    /// Adds these problems to those found in what the parser recovered, without reporting a place twice.
    pub(super) fn merge_into(self, found: &mut Vec<Problem>) {
        let starts = |problem: &Problem| problem.labels.first().map(|label| label.span.clone());
        if let Belief::Before(first) = self.belief {
            found.retain(|problem| starts(problem).is_some_and(|span| span.end < first));
        }
        let taken =
            |problem: &Problem| starts(problem).is_some_and(|span| problems_at(&self.problems, &span));
        found.retain(|problem| !taken(problem));
        let said: HashSet<Span> = found.iter().filter_map(starts).collect();
        let unsaid =
            self.problems.into_iter().filter(|finding| finding.certain || !said.contains(&finding.span));
        found.extend(unsaid.map(|finding| finding.problem));
    }
}

/// Whether a syntax error explains this place better than its key.
fn problems_at(problems: &[Finding], span: &Span) -> bool {
    problems.iter().any(|finding| finding.certain && finding.span == *span)
}

/// A value that is not valid TOML by itself: most are texts without quotes.
fn unquoted(text: &str, span: &Span, whole: String) -> Problem {
    let written = text.get(span.clone()).unwrap_or_default();
    if written.is_empty() {
        return Problem::at(span.clone(), "a value is missing", "");
    }
    let is_word = written.starts_with(|c: char| c.is_alphanumeric()) && !written.contains('"');
    let message = if is_word { "text needs quotes".to_owned() } else { whole };
    let problem = Problem::at(span.clone(), message, "");
    if is_word { problem.help(format!("write {}", quoted(&format!("\"{written}\"")))) } else { problem }
}

/// What the parser found, by place.
#[derive(Debug, Default)]
struct Places {
    keys: HashSet<Span>,
    /// Texts, quoted or not.
    texts: HashSet<Span>,
    /// Numbers, booleans and dates.
    others: HashSet<Span>,
    /// Tables and arrays, including headers of tables.
    containers: Vec<Span>,
}

impl Places {
    fn of_table(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            self.keys.insert(key.span());
            self.of_value(value);
        }
    }

    fn of_value(&mut self, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) => {
                self.containers.push(value.span());
                self.of_table(table);
            }
            DeValue::Array(array) => {
                self.containers.push(value.span());
                array.iter().for_each(|value| self.of_value(value));
            }
            DeValue::String(_) => {
                self.texts.insert(value.span());
            }
            _ => {
                self.others.insert(value.span());
            }
        }
    }

    /// The outermost bracket over several lines that contains a place.
    fn container(&self, text: &str, place: &Span) -> Option<&Span> {
        let around = |span: &&Span| span.start < place.start && place.end <= span.end;
        let long = |span: &&Span| text.get((*span).clone()).is_some_and(|inside| inside.contains('\n'));
        self.containers.iter().filter(around).filter(long).min_by_key(|span| span.start)
    }
}
