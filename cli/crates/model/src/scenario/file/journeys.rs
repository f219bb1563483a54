//! `[[journey]]` and `[[feeder]]` as written: steps, what they send, when they run, and how responses are
//! checked and used.

use toml::de::DeValue;

use super::{
    each,
    read::{Field, Header, Located, Table, Value},
    shapes::{AUTH, CHECK, SAVE, START, STEP, WHEN},
    values::{one_or_more, pattern, pointer, statuses},
};
use crate::{
    scenario::{
        StatusSet,
        expectation::Comparison,
        feeder::Order,
        notation,
        problem::Problem,
        response::{Pattern, Pointer},
    },
    units::Nanos,
};

/// The methods that a step can have, in the order of the documentation.
pub const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

/// Names and texts chosen by the user, in the order of the file.
pub(in crate::scenario) type Texts = Vec<(Located<String>, Located<String>)>;

/// `[[journey]]`
#[derive(Debug)]
pub(in crate::scenario) struct Journey<'t> {
    pub(in crate::scenario) header: Header,
    pub(in crate::scenario) name: Field<String>,
    pub(in crate::scenario) cookies: Field<bool>,
    pub(in crate::scenario) headers: Texts,
    pub(in crate::scenario) auth: Field<Auth>,
    pub(in crate::scenario) start: Vec<Step<'t>>,
    pub(in crate::scenario) steps: Vec<Step<'t>>,
}

/// `[[journey.start]]` or `[[journey.step]]`
#[derive(Debug)]
pub(in crate::scenario) struct Step<'t> {
    pub(in crate::scenario) header: Header,
    /// All pairs of method and path that were written.
    pub(in crate::scenario) requests: Vec<(&'static str, Field<String>)>,
    pub(in crate::scenario) name: Field<String>,
    pub(in crate::scenario) tenant: Field<String>,
    pub(in crate::scenario) route: Field<String>,
    pub(in crate::scenario) query: Texts,
    pub(in crate::scenario) headers: Texts,
    pub(in crate::scenario) auth: Field<Auth>,
    pub(in crate::scenario) json: Option<&'t Value<'t>>,
    pub(in crate::scenario) form: Field<Texts>,
    pub(in crate::scenario) body: Field<String>,
    pub(in crate::scenario) status: Field<StatusSet>,
    pub(in crate::scenario) checks: Vec<Check<'t>>,
    pub(in crate::scenario) save: Vec<(Located<String>, Field<Saved>)>,
    pub(in crate::scenario) foreign: Field<bool>,
    pub(in crate::scenario) weight: Field<u64>,
    pub(in crate::scenario) every: Field<u64>,
    pub(in crate::scenario) when: Field<When>,
    pub(in crate::scenario) repeat: Field<u64>,
    pub(in crate::scenario) pause: Field<(Nanos, Nanos)>,
}

/// `auth`
#[derive(Debug)]
pub(in crate::scenario) enum Auth {
    /// `"none"`
    None,
    /// A table of one key.
    Table {
        /// `basic = ["user", "password"]`
        basic: Field<Vec<Located<String>>>,
        /// `bearer = "token"`
        bearer: Field<String>,
    },
}

/// Where a response contains a value: all of the keys that were written.
#[derive(Debug)]
pub(in crate::scenario) struct Place {
    pub(in crate::scenario) json: Field<Pointer>,
    pub(in crate::scenario) header: Field<String>,
    pub(in crate::scenario) regex: Field<Pattern>,
}

/// The source of a saved value.
#[derive(Debug)]
pub(in crate::scenario) enum Saved {
    /// A JSON Pointer.
    Pointer(String),
    /// A table that states the place.
    Place(Place),
}

/// One of `check`
#[derive(Debug)]
pub(in crate::scenario) struct Check<'t> {
    pub(in crate::scenario) header: Header,
    pub(in crate::scenario) place: Place,
    pub(in crate::scenario) is: Option<&'t Value<'t>>,
    pub(in crate::scenario) not: Option<&'t Value<'t>>,
    pub(in crate::scenario) contains: Field<String>,
    pub(in crate::scenario) matches: Field<Pattern>,
    pub(in crate::scenario) size: Field<(Comparison, u64, String)>,
}

/// `when`
#[derive(Debug)]
pub(in crate::scenario) struct When {
    pub(in crate::scenario) saved: Field<String>,
    pub(in crate::scenario) absent: Field<String>,
    pub(in crate::scenario) is: Field<String>,
    pub(in crate::scenario) not: Field<String>,
}

/// `[[feeder]]`
#[derive(Debug)]
pub(in crate::scenario) struct Feeder {
    pub(in crate::scenario) header: Header,
    pub(in crate::scenario) name: Field<String>,
    pub(in crate::scenario) file: Field<String>,
    pub(in crate::scenario) order: Field<Order>,
}

impl<'t> Journey<'t> {
    pub(super) fn read(table: Table<'t>, found: &mut Vec<Problem>) -> Self {
        Self {
            name: table.parsed("name", found, notation::label),
            cookies: table.boolean("cookies", found),
            headers: table.texts("headers", found),
            auth: Auth::read(&table, found),
            start: each(table.tables("start", &START, found), found, Step::read),
            steps: each(table.tables("step", &STEP, found), found, Step::read),
            header: table.header,
        }
    }
}

impl<'t> Step<'t> {
    fn read(table: Table<'t>, found: &mut Vec<Problem>) -> Self {
        let written = METHODS.into_iter().filter(|method| table.get(method).is_some());
        Self {
            requests: written.map(|method| (method, table.text(method, found))).collect(),
            name: table.parsed("name", found, notation::label),
            tenant: table.parsed("tenant", found, notation::label),
            route: table.text("route", found),
            query: table.texts("query", found),
            headers: table.texts("headers", found),
            auth: Auth::read(&table, found),
            json: table.get("json"),
            form: table.read("form", found, |value, found| match value.get_ref() {
                DeValue::Table(_) => Some(table.texts("form", found)),
                _ => {
                    found.push(table.mistyped("form", "a table", value));
                    None
                }
            }),
            body: table.text("body", found),
            status: statuses(&table, "status", found),
            checks: Check::read_all(&table, found),
            save: Saved::read_all(&table, found),
            foreign: table.boolean("cross_tenant", found),
            weight: table.whole("weight", 1, found),
            every: table.whole("every", 1, found),
            when: When::read(&table, found),
            repeat: table.whole("repeat", 1, found),
            pause: table.parsed("think_time", found, notation::duration_range),
            header: table.header,
        }
    }
}

impl Auth {
    fn read(table: &Table<'_>, found: &mut Vec<Problem>) -> Field<Self> {
        table.read("auth", found, |value, found| match value.get_ref() {
            DeValue::String(text) if text == "none" => Some(Self::None),
            DeValue::Table(_) => {
                let table = table.table("auth", &AUTH, found)?;
                let basic = one_or_more(&table, "basic", found);
                let bearer = table.text("bearer", found);
                (!table.is_misspelt()).then_some(Self::Table { basic, bearer })
            }
            _ => {
                found.push(table.mistyped("auth", "a table, or \"none\"", value));
                None
            }
        })
    }
}

impl Place {
    fn read(table: &Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            json: table.parsed("json", found, pointer),
            header: table.parsed("header", found, notation::header_name),
            regex: table.parsed("regex", found, pattern),
        }
    }
}

impl Saved {
    fn read_all(table: &Table<'_>, found: &mut Vec<Problem>) -> Vec<(Located<String>, Field<Self>)> {
        let mut saves = Vec::new();
        for (name, value) in table.entries("save", found) {
            let saved = match value.get_ref() {
                DeValue::String(text) => Some(Self::Pointer(text.to_string())),
                DeValue::Table(inner) => {
                    let inner = Table::open(&SAVE, value.span(), inner, found);
                    let place = Place::read(&inner, found);
                    (!inner.is_misspelt()).then_some(Self::Place(place))
                }
                _ => {
                    let key = format!("save.{}", name.value);
                    found.push(table.mistyped(&key, "text in quotes, or a table", value));
                    None
                }
            };
            let field = saved
                .map_or(Field::Invalid, |saved| Field::Given(Located { value: saved, span: value.span() }));
            saves.push((name, field));
        }
        saves
    }
}

impl<'t> Check<'t> {
    fn read_all(table: &Table<'t>, found: &mut Vec<Problem>) -> Vec<Self> {
        let mut tables = table.some_tables("check", &CHECK, found);
        tables.retain(|table| !table.is_misspelt());
        each(tables, found, Self::read)
    }

    fn read(table: Table<'t>, found: &mut Vec<Problem>) -> Self {
        Self {
            place: Place::read(&table, found),
            is: table.get("is"),
            not: table.get("not"),
            contains: table.text("contains", found),
            matches: table.parsed("matches", found, pattern),
            size: table.parsed("size", found, |text| {
                let (comparison, bytes) = notation::size_bound(text)?;
                Ok((comparison, bytes, text.trim().to_owned()))
            }),
            header: table.header,
        }
    }
}

impl When {
    fn read(table: &Table<'_>, found: &mut Vec<Problem>) -> Field<Self> {
        table.read("when", found, |value, found| match value.get_ref() {
            DeValue::String(name) => {
                let saved = Field::Given(Located { value: name.to_string(), span: value.span() });
                Some(Self { saved, absent: Field::Absent, is: Field::Absent, not: Field::Absent })
            }
            DeValue::Table(inner) => {
                let inner = Table::open(&WHEN, value.span(), inner, found);
                let when = Self {
                    saved: inner.text("saved", found),
                    absent: inner.text("absent", found),
                    is: inner.text("is", found),
                    not: inner.text("not", found),
                };
                (!inner.is_misspelt()).then_some(when)
            }
            _ => {
                found.push(table.mistyped("when", "text in quotes, or a table", value));
                None
            }
        })
    }
}

impl Feeder {
    pub(super) fn read(table: Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            name: table.parsed("name", found, notation::variable_name),
            file: table.text("file", found),
            order: table.parsed("order", found, |text| match text {
                "sequential" => Ok(Order::Sequential),
                "random" => Ok(Order::Random),
                "unique" => Ok(Order::Unique),
                _ => Err(notation::Complaint::new(
                    "rows come in no such order",
                    "orders are \"sequential\", \"random\" and \"unique\": a row for each user",
                )),
            }),
            header: table.header,
        }
    }
}
