//! Where a response contains a value: at a JSON Pointer, in a header, at a pattern's match, or the whole
//! body. Compiled when the scenario is read, so that nothing is compiled per response.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// Where a response contains a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In its JSON body, at a pointer.
    Json(Pointer),
    /// In the first header of this name (lower case).
    Header(String),
    /// In its body: the first group of the pattern's match, or the whole match if the pattern has no group.
    Found(Pattern),
    /// The whole body.
    Body,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(pointer) if pointer.as_str().is_empty() => f.write_str("the JSON body"),
            Self::Json(pointer) => f.write_str(pointer.as_str()),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Found(pattern) => write!(f, "what matches {pattern}"),
            Self::Body => f.write_str("the body"),
        }
    }
}

/// A JSON Pointer (RFC 6901), split into its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    tokens: Vec<Token>,
}

/// One token of a pointer: a step from a value to one of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The key in an object.
    pub key: String,
    /// The index in an array, if the token can be one: digits without a leading zero.
    pub index: Option<usize>,
}

impl Pointer {
    /// Parses a pointer: empty, or `/` before each token; `None` if the text is invalid.
    pub fn new(text: &str) -> Option<Self> {
        let tokens = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(Token::new).collect(),
            None if text.is_empty() => Vec::new(),
            None => return None,
        };
        Some(Self { text: text.to_owned(), tokens })
    }

    /// The pointer as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// From the outermost value inwards.
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

impl Token {
    fn new(escaped: &str) -> Self {
        let is_index = !escaped.is_empty()
            && escaped.bytes().all(|byte| byte.is_ascii_digit())
            && (escaped == "0" || !escaped.starts_with('0'));
        let index = if is_index { escaped.parse().ok() } else { None };
        Self { key: escaped.replace("~1", "/").replace("~0", "~"), index }
    }
}

/// A regular expression over bytes; equal if the texts are.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// The most memory that a compiled pattern may take, in bytes: far more than any reasonable one needs.
    const MOST_MEMORY: usize = 1 << 20;

    /// Compiles a pattern.
    ///
    /// # Errors
    /// The reason, in one line.
    pub fn new(text: &str) -> Result<Self, String> {
        RegexBuilder::new(text).size_limit(Self::MOST_MEMORY).build().map(Self).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            // The last line states the problem; those before show the place.
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                last.strip_prefix("error: ").unwrap_or(last).to_owned()
            }
        })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the pattern matches anywhere in `text`.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// The first group of the match, or the whole match if the pattern has no group.
    pub fn find<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        if self.0.captures_len() < 2 {
            return self.0.find(text).map(|found| found.as_bytes());
        }
        self.0.captures(text)?.get(1).map(|group| group.as_bytes())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_split_into_tokens() {
        let tokens = |text: &str| -> Vec<(String, Option<usize>)> {
            Pointer::new(text).unwrap().tokens.into_iter().map(|token| (token.key, token.index)).collect()
        };
        assert_eq!(tokens(""), []);
        assert_eq!(tokens("/"), [(String::new(), None)]);
        assert_eq!(
            tokens("/a~1b/0/01/~01"),
            [
                ("a/b".to_owned(), None),
                ("0".to_owned(), Some(0)),
                ("01".to_owned(), None),
                ("~1".to_owned(), None)
            ]
        );
        assert_eq!(Pointer::new("a"), None);
    }

    #[test]
    fn patterns_find_their_first_group() {
        for (pattern, text, found) in [
            ("id=(\\d+)", "x id=42;", Some("42")),
            ("\\d+", "x id=42;", Some("42")),
            ("(a)|(b)", "b", None),
            ("(?P<name>b+)(c)", "abbc", Some("bb")),
            ("z", "abc", None),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.find(text.as_bytes()), found.map(str::as_bytes), "{pattern} in {text}");
        }
        assert_eq!(Pattern::new("(").unwrap_err(), "unclosed group");
        assert_eq!(Pattern::new(r"\w{10000}").unwrap_err(), "it is too large");
    }
}
