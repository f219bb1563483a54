//! Request templates: text with `${name}` in it, compiled once and rendered into a reused buffer.
//!
//! Braces alone have no meaning here: they belong to JSON bodies and route templates.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// Characters that are percent-encoded in a path, a query or a form: all but unreserved ones (RFC 3986).
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A compiled template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// In order.
    pub parts: Vec<Part>,
    /// How a variable's value is written.
    pub escape: Escape,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Sent literally.
    Text(String),
    /// Replaced by its value.
    Variable(Variable),
}

/// What `${…}` refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `${tenant}`: the user's tenant id.
    Tenant,
    /// `${user}`: the user's number within its load, from 1.
    User,
    /// `${n}`: the iteration's number within its load, from 1; start steps see 0.
    Iteration,
    /// `${canary}`: a word of the user's tenant and this run that must never be returned to another tenant.
    Canary,
    /// `${name}`: a value saved by an earlier step of the journey.
    Saved(usize),
    /// `${feeder.column}`: a cell of the feeder's row for the user or the iteration.
    Fed {
        /// Index into [`super::Scenario::feeders`].
        feeder: usize,
        /// Index into [`super::feeder::Feeder::columns`].
        column: usize,
    },
    /// `${env:NAME}`: a secret; never written to a recorded run.
    Secret(String),
}

/// How a variable's value is escaped where the template puts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Inside a JSON string: quotes, backslashes and control characters escaped.
    Json,
    /// Inside a path or query: everything but unreserved characters (RFC 3986) percent-encoded.
    Url,
    /// Not escaped (headers, text bodies).
    None,
    /// Not escaped; the whole is the `user:password` of basic authentication (RFC 7617), sent in Base64 after
    /// `Basic `.
    Basic,
}

/// A piece of a template as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Literal text.
    Text(&'t str),
    /// The text between `${` and `}`.
    Variable(&'t str),
}

/// A `${` without a `}`, or with something in between that is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclosed<'t> {
    /// From `${` on.
    pub(crate) rest: &'t str,
}

/// Splits a template's text; `$${` is an escaped `${`.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Unclosed<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest.get(..at).is_some_and(|before| before.ends_with('$')) {
            // `$${`: the text before, then `${` itself.
            pieces.push(Piece::Text(&rest[..at - 1]));
            pieces.push(Piece::Text("${"));
            rest = &rest[at + 2..];
            continue;
        }
        pieces.push(Piece::Text(&rest[..at]));
        let open = &rest[at..];
        let end = open.find('}').ok_or(Unclosed { rest: open })?;
        let name = &open[2..end];
        if !is_variable(name) {
            return Err(Unclosed { rest: open });
        }
        pieces.push(Piece::Variable(name));
        rest = &open[end + 1..];
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    Ok(pieces)
}

/// Whether it is `name`, `feeder.column` or `env:NAME`.
fn is_variable(text: &str) -> bool {
    match (text.strip_prefix("env:"), text.split_once('.')) {
        (Some(name), _) => is_name(name),
        (None, Some((feeder, column))) => is_name(feeder) && is_name(column),
        (None, None) => is_name(text),
    }
}

/// Whether it is a valid name of a saved value or an environment variable: a letter or `_`, then letters,
/// digits, `_` and `-`.
pub(super) fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(inner)
}

impl Template {
    /// A template without variables.
    pub fn literal(text: impl Into<String>, escape: Escape) -> Self {
        let mut template = Self { parts: Vec::new(), escape };
        template.push_text(&text.into());
        template
    }

    /// Its text, if it has no variables.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends text, merged with preceding text.
    pub(super) fn push_text(&mut self, text: &str) {
        match self.parts.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_split_into_pieces() {
        use Piece::{Text, Variable};
        let table: [(&str, &[Piece]); 8] = [
            ("", &[]),
            ("/chat", &[Text("/chat")]),
            ("/a/${id}?b=${c-d}", &[Text("/a/"), Variable("id"), Text("?b="), Variable("c-d")]),
            ("${a}${env:B}", &[Variable("a"), Variable("env:B")]),
            ("{$} {a} $ {{", &[Text("{$} {a} $ {{")]),
            ("$${a}", &[Text("${"), Text("a}")]),
            ("x$${${a}$$", &[Text("x"), Text("${"), Variable("a"), Text("$$")]),
            ("é${a}é", &[Text("é"), Variable("a"), Text("é")]),
        ];
        for (text, expected) in table {
            assert_eq!(pieces(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, rest) in [
            ("a${", "${"),
            ("a${b", "${b"),
            ("${a b}", "${a b}"),
            ("x${}y", "${}y"),
            ("${env:}", "${env:}"),
            ("${1}", "${1}"),
        ] {
            assert_eq!(pieces(text), Err(Unclosed { rest }), "{text}");
        }
    }

    #[test]
    fn text_joins() {
        let mut template = Template::literal("a", Escape::None);
        template.push_text("");
        template.push_text("b");
        assert_eq!(template.parts, [Part::Text("ab".to_owned())]);
    }
}
