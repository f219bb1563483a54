//! Reads TOML tables key by key. An invalid key is reported, and reading continues with the next one.

use toml::{
    Spanned,
    de::{DeInteger, DeTable, DeValue},
};

use super::shapes::{Kind, Shape};
use crate::scenario::{
    notation::Complaint,
    problem::{Problem, Span, did_you_mean, listed, quoted},
};

/// A value as returned by the TOML parser.
pub(in crate::scenario) type Value<'t> = Spanned<DeValue<'t>>;

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) struct Located<T> {
    pub(in crate::scenario) value: T,
    pub(in crate::scenario) span: Span,
}

/// The content of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) enum Field<T> {
    /// The key is missing.
    Absent,
    /// The key is invalid, and was reported.
    Invalid,
    /// The key is valid.
    Given(Located<T>),
}

impl<T> Field<T> {
    pub(in crate::scenario) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(in crate::scenario) fn given(&self) -> Option<&Located<T>> {
        match self {
            Self::Given(located) => Some(located),
            Self::Absent | Self::Invalid => None,
        }
    }

    /// The value, or `default` if the key is missing; `None` if it is invalid.
    pub(in crate::scenario) fn or(self, default: T) -> Option<T> {
        match self {
            Self::Absent => Some(default),
            Self::Invalid => None,
            Self::Given(located) => Some(located.value),
        }
    }

    /// Like [`Self::or`], with `None` for a missing key.
    pub(in crate::scenario) fn optional(self) -> Option<Option<T>> {
        match self {
            Self::Absent => Some(None),
            Self::Invalid => None,
            Self::Given(located) => Some(Some(located.value)),
        }
    }
}

/// Place and shape of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) struct Header {
    pub(in crate::scenario) span: Span,
    pub(in crate::scenario) shape: &'static Shape,
}

impl Header {
    /// The problem of a missing key.
    pub(in crate::scenario) fn lacks(&self, key: &str) -> Problem {
        let message = format!("{} lacks {}", self.shape.name, quoted(key));
        Problem::at(self.span.clone(), message, "").help(self.shape.example(key))
    }

    /// The value of a mandatory key.
    pub(in crate::scenario) fn need<T>(
        &self,
        key: &str,
        field: Field<T>,
        found: &mut Vec<Problem>,
    ) -> Option<Located<T>> {
        match field {
            Field::Given(located) => Some(located),
            Field::Invalid => None,
            Field::Absent => {
                found.push(self.lacks(key));
                None
            }
        }
    }
}

/// A table with known keys.
#[derive(Debug)]
pub(super) struct Table<'t> {
    pub(super) header: Header,
    table: &'t DeTable<'t>,
}

impl<'t> Table<'t> {
    /// Reports every unknown key.
    pub(super) fn open(
        shape: &'static Shape,
        span: Span,
        table: &'t DeTable<'t>,
        found: &mut Vec<Problem>,
    ) -> Self {
        let known = || shape.keys.iter().map(|(name, ..)| *name);
        for (key, _) in table {
            if !known().any(|name| name == key.get_ref()) {
                let message = format!("unknown key {} in {}", quoted(key.get_ref()), shape.name);
                let problem = Problem::at(key.span(), message, did_you_mean(key.get_ref(), known()));
                found.push(problem.help(format!("the keys of {} are {}", shape.name, every(known()))));
            }
        }
        Self { header: Header { span, shape }, table }
    }

    /// Whether it has unknown keys: a missing key may be a misspelt one.
    pub(super) fn is_misspelt(&self) -> bool {
        let known = |key: &str| self.header.shape.keys.iter().any(|(name, ..)| *name == key);
        self.table.keys().any(|key| !known(key.get_ref()))
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'t Value<'t>> {
        debug_assert!(
            self.header.shape.keys.iter().any(|(name, ..)| *name == key),
            "{key} is not in the shape"
        );
        self.table.get(key)
    }

    /// Checks that a key is read as its shape says, because the JSON Schema of scenarios is generated from
    /// the shapes.
    pub(super) fn debug_assert_kind(&self, key: &str, fits: impl FnOnce(Kind) -> bool) {
        let kind = self.header.shape.kind(key);
        debug_assert!(kind.is_some_and(fits), "{key} of {} is no {kind:?}", self.header.shape.name);
    }

    /// Reads a key; `read` returns the problem if it is invalid.
    pub(super) fn read<T>(
        &self,
        key: &str,
        found: &mut Vec<Problem>,
        read: impl FnOnce(&'t Value<'t>, &mut Vec<Problem>) -> Option<T>,
    ) -> Field<T> {
        match self.get(key) {
            None => Field::Absent,
            Some(value) => match read(value, found) {
                Some(read) => Field::Given(Located { value: read, span: value.span() }),
                None => Field::Invalid,
            },
        }
    }

    /// The problem of a value of the wrong type; `key` may be followed by a dot and a user-chosen name.
    pub(super) fn mistyped(&self, key: &str, wanted: &str, value: &Value<'_>) -> Problem {
        let problem = Problem::at(value.span(), format!("{} takes {wanted}", quoted(key)), this_is(value));
        problem.help(self.header.shape.example(key.split('.').next().unwrap_or(key)))
    }

    /// Any text.
    pub(super) fn text(&self, key: &str, found: &mut Vec<Problem>) -> Field<String> {
        self.parsed(key, found, |text| Ok(text.to_owned()))
    }

    /// Text with a notation of its own.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        found: &mut Vec<Problem>,
        parse: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Field<T> {
        self.debug_assert_kind(key, |kind| matches!(kind, Kind::Text | Kind::Choice(_)));
        self.read(key, found, |value, found| match value.get_ref().as_str() {
            Some(text) => match parse(text) {
                Ok(parsed) => {
                    let choices = |kind| matches!(kind, Kind::Choice(texts) if !texts.contains(&text));
                    self.debug_assert_kind(key, |kind| !choices(kind));
                    Some(parsed)
                }
                Err(complaint) => {
                    found.push(invalid(key, value.span(), text, complaint));
                    None
                }
            },
            None => {
                found.push(self.mistyped(key, "text in quotes", value));
                None
            }
        })
    }

    /// A whole number, at least `least`.
    pub(super) fn whole(&self, key: &str, least: u64, found: &mut Vec<Problem>) -> Field<u64> {
        self.debug_assert_kind(key, |kind| kind == Kind::Whole(least));
        self.read(key, found, |value, found| {
            let problem = match value.get_ref() {
                DeValue::Integer(integer) => match whole(integer).map(u64::try_from) {
                    Some(Ok(number)) if number >= least => return Some(number),
                    None => Problem::at(value.span(), format!("{} is too large", quoted(key)), ""),
                    Some(_) => {
                        let message = format!("{} cannot be {integer}", quoted(key));
                        Problem::at(value.span(), message, format!("{least} is the least"))
                    }
                },
                _ => self.mistyped(key, "a whole number", value),
            };
            found.push(problem);
            None
        })
    }

    /// True or false.
    pub(super) fn boolean(&self, key: &str, found: &mut Vec<Problem>) -> Field<bool> {
        self.debug_assert_kind(key, |kind| kind == Kind::Boolean);
        self.read(key, found, |value, found| {
            let boolean = value.get_ref().as_bool();
            if boolean.is_none() {
                found.push(self.mistyped(key, "true or false", value));
            }
            boolean
        })
    }

    /// Keys and values of a table with user-chosen keys, in the order of the file.
    pub(super) fn entries(
        &self,
        key: &str,
        found: &mut Vec<Problem>,
    ) -> Vec<(Located<String>, &'t Value<'t>)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Table(table) => in_order(table),
            _ => {
                found.push(self.mistyped(key, "a table", value));
                Vec::new()
            }
        }
    }

    /// Like [`Self::entries`], with texts as values.
    pub(super) fn texts(
        &self,
        key: &str,
        found: &mut Vec<Problem>,
    ) -> Vec<(Located<String>, Located<String>)> {
        self.debug_assert_kind(key, |kind| kind == Kind::TextByName);
        let mut texts = Vec::new();
        for (name, value) in self.entries(key, found) {
            match value.get_ref().as_str() {
                Some(text) => texts.push((name, Located { value: text.to_owned(), span: value.span() })),
                None => found.push(self.mistyped(&format!("{key}.{}", name.value), "text in quotes", value)),
            }
        }
        texts
    }

    /// A table with known keys.
    pub(super) fn table(
        &self,
        key: &str,
        shape: &'static Shape,
        found: &mut Vec<Problem>,
    ) -> Option<Table<'t>> {
        self.debug_assert_kind(
            key,
            |kind| matches!(kind, Kind::Table(of) | Kind::TableOr(of, _) if of == shape),
        );
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Table::open(shape, value.span(), table, found)),
            _ => {
                found.push(self.mistyped(key, "a table", value));
                None
            }
        }
    }

    /// One table with known keys, or an array of them.
    pub(super) fn some_tables(
        &self,
        key: &str,
        shape: &'static Shape,
        found: &mut Vec<Problem>,
    ) -> Vec<Table<'t>> {
        self.debug_assert_kind(key, |kind| kind == Kind::SomeTables(shape));
        let Some(value) = self.get(key) else { return Vec::new() };
        let elements = match value.get_ref() {
            DeValue::Array(array) => array.iter().collect(),
            _ => vec![value],
        };
        let mut tables = Vec::new();
        for element in elements {
            match element.get_ref() {
                DeValue::Table(table) => tables.push(Table::open(shape, element.span(), table, found)),
                _ => found.push(self.mistyped(key, "tables", element)),
            }
        }
        tables
    }

    /// Several tables with known keys, each with its own header.
    pub(super) fn tables(
        &self,
        key: &str,
        shape: &'static Shape,
        found: &mut Vec<Problem>,
    ) -> Vec<Table<'t>> {
        self.debug_assert_kind(key, |kind| kind == Kind::Tables(shape));
        let Some(value) = self.get(key) else { return Vec::new() };
        let elements =
            match value.get_ref() {
                DeValue::Array(array) => array.iter().collect(),
                DeValue::Table(_) => {
                    let message = format!("there can be several of {}", quoted(key));
                    let label = format!("write {}", quoted(shape.name));
                    found.push(Problem::at(value.span(), message, label));
                    vec![value]
                }
                _ => {
                    let problem =
                        Problem::at(value.span(), format!("{} takes tables", quoted(key)), this_is(value));
                    found.push(problem.help(format!(
                        "write {} on a line of its own, and its keys below",
                        quoted(shape.name)
                    )));
                    Vec::new()
                }
            };
        let mut tables = Vec::new();
        for element in elements {
            match element.get_ref() {
                DeValue::Table(table) => tables.push(Table::open(shape, element.span(), table, found)),
                _ => found.push(self.mistyped(key, "tables", element)),
            }
        }
        tables
    }
}

/// The problem of a value that violates its notation.
pub(super) fn invalid(key: &str, span: Span, text: &str, complaint: Complaint) -> Problem {
    let message = format!("{} cannot be {}", quoted(key), quoted(text));
    Problem::at(span, message, complaint.message).help(complaint.help)
}

/// The label for a value of the wrong type.
fn this_is(value: &Value<'_>) -> &'static str {
    match value.get_ref() {
        DeValue::String(_) => "this is text",
        DeValue::Integer(_) => "this is a whole number",
        DeValue::Float(_) => "this is a decimal number",
        DeValue::Boolean(_) => "this is true or false",
        DeValue::Datetime(_) => "this is a date or time",
        DeValue::Array(_) => "this is an array",
        DeValue::Table(_) => "this is a table",
    }
}

/// The number, if it fits.
pub(in crate::scenario) fn whole(integer: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// Keys and values in the order of the file (the parser sorts them by name).
pub(in crate::scenario) fn in_order<'t>(table: &'t DeTable<'t>) -> Vec<(Located<String>, &'t Value<'t>)> {
    let locate = |key: &Spanned<std::borrow::Cow<'t, str>>| Located {
        value: key.get_ref().to_string(),
        span: key.span(),
    };
    let mut entries: Vec<_> = table.iter().map(|(key, value)| (locate(key), value)).collect();
    entries.sort_by_key(|(key, _)| key.span.start);
    entries
}

fn every(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The problem of an unknown name.
pub(in crate::scenario) fn unknown<'a>(
    what: &str,
    name: &Located<String>,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Problem {
    let message = format!("unknown {what} {}", quoted(&name.value));
    let problem = Problem::at(name.span.clone(), message, did_you_mean(&name.value, known.clone()));
    let names = listed(known);
    if names.is_empty() { problem } else { problem.help(format!("known: {names}")) }
}
