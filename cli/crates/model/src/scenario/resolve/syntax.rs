//! What to make of TOML that does not parse: which of its errors leave the rest of the file readable.

use std::collections::HashSet;

use toml::{
    Spanned,
    de::{DeTable, DeValue, Error},
};

use crate::scenario::{
    file::SHAPES,
    problem::{Problem, Span, quoted},
};

/// The syntax errors of a file, and how far what the parser recovered can be believed.
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
    /// What the parser made of the place is a guess, so that nothing else can be said of it. Otherwise it is
    /// text that lacks its quotes, and where text is wrong there its key says more.
    certain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    /// Every error sits inside one value or on one key, as missing quotes do: tables and keys are where they
    /// seem to be.
    Sound,
    /// Only what stands before the first error is certain.
    Before(usize),
    /// Nothing in it looks like a scenario.
    Hopeless,
}

impl Syntax {
    /// The most syntax errors that are shown: one wrong bracket can make hundreds.
    const MOST: usize = 10;

    /// Weighs the errors of a recovering parse.
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
                // What follows brackets that were never closed is mostly an echo of that.
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

    /// Whether tables and keys are where they seem to be.
    pub(super) fn is_sound(&self) -> bool {
        self.belief == Belief::Sound
    }

    /// Whether the text is something else altogether.
    pub(super) fn is_hopeless(&self) -> bool {
        self.belief == Belief::Hopeless
    }

    /// The first error alone says it all of a hopeless text; otherwise all of them.
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

    /// Joins these problems with those found in what the parser recovered, without saying one thing twice.
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

/// Whether syntax says more of this place than the key it belongs to.
fn problems_at(problems: &[Finding], span: &Span) -> bool {
    problems.iter().any(|finding| finding.certain && finding.span == *span)
}

/// A value that is no TOML by itself: most are texts without quotes.
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

/// Where the parser found what.
#[derive(Debug, Default)]
struct Places {
    keys: HashSet<Span>,
    /// Texts, quoted or not.
    texts: HashSet<Span>,
    /// Numbers, booleans and dates.
    others: HashSet<Span>,
    /// Tables and arrays, headers of tables among them.
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

    /// The outermost bracket of several lines that a place is in.
    fn container(&self, text: &str, place: &Span) -> Option<&Span> {
        let around = |span: &&Span| span.start < place.start && place.end <= span.end;
        let long = |span: &&Span| text.get((*span).clone()).is_some_and(|inside| inside.contains('\n'));
        self.containers.iter().filter(around).filter(long).min_by_key(|span| span.start)
    }
}
