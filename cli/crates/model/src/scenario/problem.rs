//! Problems of a scenario, each with its place, and how they are rendered (like rustc's diagnostics).
//!
//! `file` and `resolve` collect [`Problem`]s; this module knows nothing about scenarios.

use std::{fmt, ops::Range, sync::Arc};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// A byte range in a text.
pub type Span = Range<usize>;

/// A text with the name to show for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name as the user wrote it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Marked places; the first is the problem itself, others explain it. Empty when something is missing
    /// from the file as a whole.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

/// A marked place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The text that contains it; `None` for the scenario.
    pub source: Option<Arc<Source>>,
    /// The marked range.
    pub span: Span,
    /// Text beside the mark; may be empty.
    pub text: String,
}

impl Problem {
    /// A problem of the file as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), labels: Vec::new(), help: None }
    }

    /// A problem at a place of the scenario.
    pub fn at(span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new(message).also(span, label)
    }

    /// Marks another place in the scenario.
    pub fn also(self, span: Span, label: impl Into<String>) -> Self {
        self.mark(None, span, label)
    }

    /// Marks a place in any text; `None` is the scenario.
    pub fn mark(mut self, source: Option<Arc<Source>>, span: Span, label: impl Into<String>) -> Self {
        self.labels.push(Label { source, span, text: label.into() });
        self
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Its position in the scenario, for sorting; problems without a place come last.
    fn position(&self) -> usize {
        let of_scenario = self.labels.iter().find(|label| label.source.is_none());
        of_scenario.map_or(usize::MAX, |label| label.span.start)
    }
}

/// All problems of a scenario; never empty, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    source: Source,
    list: Vec<Problem>,
}

impl Problems {
    /// Sorts problems by place. `list` must not be empty.
    pub(super) fn new(name: &str, text: &str, mut list: Vec<Problem>) -> Self {
        debug_assert!(!list.is_empty(), "a failure without a problem");
        list.sort_by_key(Problem::position);
        Self { source: Source { name: name.to_owned(), text: text.to_owned() }, list }
    }

    /// The problem of a scenario file that could not be read.
    pub fn unreadable(name: &str, error: &std::io::Error) -> Self {
        let problem = Problem::new(format!("cannot read {name}: {error}"));
        Self::new(name, "", vec![problem])
    }

    /// In the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Renders every problem with its source line, and a last line with their number.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        let lines = Lines::of(&self.source.text);
        for problem in &self.list {
            out.push_str(&renderer.render(&[self.group(problem, &lines)]));
            out.push_str("\n\n");
        }
        let count = match self.list.len() {
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        };
        let summary = Level::ERROR.primary_title(format!("{count} in {}", self.source.name));
        out.push_str(&renderer.render(&[Group::with_title(summary)]));
        out.push('\n');
        out
    }

    fn group<'a>(&'a self, problem: &'a Problem, own: &Lines) -> Group<'a> {
        let mut group = Group::with_title(Level::ERROR.primary_title(problem.message.as_str()));
        if problem.labels.is_empty() {
            group = group.element(Origin::path(self.source.name.as_str()));
        }
        // Labels of one text share a snippet; the first label of all is the problem itself.
        let mut rest = problem.labels.as_slice();
        let mut kind = AnnotationKind::Primary;
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|label| label.source == first.source).count();
            let (these, others) = rest.split_at(same);
            let source = first.source.as_deref().unwrap_or(&self.source);
            let spans: Vec<Span> = these.iter().map(|label| visible(&source.text, &label.span)).collect();
            let (line, shown) = match first.source {
                Some(_) => Lines::of(&source.text).around(&source.text, &spans),
                None => own.around(&source.text, &spans),
            };
            // The renderer reads all that it is given for each problem.
            let text = source.text.get(shown.clone()).unwrap_or_default();
            let mut snippet = Snippet::source(text).line_start(line).path(source.name.as_str());
            for (label, span) in these.iter().zip(spans) {
                let mark = kind.span(span.start - shown.start..span.end - shown.start);
                snippet =
                    snippet.annotation(mark.label((!label.text.is_empty()).then_some(label.text.as_str())));
                kind = AnnotationKind::Context;
            }
            group = group.element(snippet);
            rest = others;
        }
        match &problem.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}

/// Where each line of a text starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    /// The lines that contain the spans: the number of the first, from 1, and their bytes.
    fn around(&self, text: &str, spans: &[Span]) -> (usize, Span) {
        let from = spans.iter().map(|span| span.start).min().unwrap_or(0);
        let to = spans.iter().map(|span| span.end).max().unwrap_or(0);
        let line = self.0.partition_point(|start| *start <= from).max(1);
        let start = self.0.get(line - 1).copied().unwrap_or(0);
        let end = self.0.get(self.0.partition_point(|start| *start <= to)).copied().unwrap_or(text.len());
        (line, start..end.max(start))
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// The span, limited to its first line and to whole characters of `text`.
fn visible(text: &str, span: &Span) -> Span {
    let start = floor_char_boundary(text, span.start);
    let end = floor_char_boundary(text, span.end).max(start);
    let first_line = text.get(start..end).and_then(|marked| marked.find(['\n', '\r']));
    start..first_line.map_or(end, |length| start + length)
}

/// `str::floor_char_boundary`, which the oldest supported Rust does not have.
fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// User-written text in backquotes, safe for a message: no control characters, not too long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).flat_map(escape_control).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}

fn escape_control(c: char) -> impl Iterator<Item = char> {
    let (as_it_is, escaped) = if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
    as_it_is.into_iter().chain(escaped.into_iter().flatten())
}

/// The candidate most similar to `word`, if one is similar enough.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Bounds the work with thousands of tenants.
    const MOST: usize = 20_000;
    let allowed = ((word.chars().count() + 1) / 3).min(4);
    let distance = |candidate: &str| {
        if candidate.eq_ignore_ascii_case(word) {
            0
        } else if candidate.len().abs_diff(word.len()) > allowed * 2 {
            usize::MAX
        } else {
            strsim::damerau_levenshtein(candidate, word)
        }
    };
    candidates
        .into_iter()
        .take(MOST)
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The label for an unknown name: a suggestion, if a candidate is similar.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, candidates).map_or_else(String::new, |near| format!("did you mean {}?", quoted(near)))
}

/// Formats names: `a, b, c and 97 more`, each in backquotes.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let mut names = names.into_iter();
    let shown: Vec<String> = names.by_ref().take(MOST).map(quoted).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_text_cannot_control_the_terminal() {
        assert_eq!(quoted("a\u{1b}[31m\nb"), "`a\\u{1b}[31m\\nb`");
        assert_eq!(quoted(&"x".repeat(61)), format!("`{}…`", "x".repeat(60)));
    }

    #[test]
    fn a_suggestion_is_similar() {
        let keys = ["duration", "rate", "users"];
        for (word, near) in [
            ("duratoin", Some("duration")),
            ("user", Some("users")),
            ("Rate", Some("rate")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(word, keys), near, "{word}");
        }
    }

    #[test]
    fn a_mark_is_limited_to_one_line_and_whole_characters() {
        let text = "é = 1\nb = 2\n";
        assert_eq!(visible(text, &(0..1)), 0..0);
        assert_eq!(visible(text, &(0..9)), 0..6);
        assert_eq!(visible(text, &(90..99)), text.len()..text.len());
    }
}
