//! `[[tenant]]`: ids given singly, by pattern or in files; each must be unique.

use std::{collections::HashMap, path::Path, sync::Arc};

use super::Sources;
use crate::{
    scenario::{
        TenantIndex,
        file::{Field, Header, Located, Tenant, unknown},
        notation,
        problem::{Problem, Source, Span, quoted},
    },
    units::TenantId,
};

/// The tenants of a scenario.
#[derive(Debug, Default)]
pub(super) struct Tenants {
    pub(super) ids: Vec<TenantId>,
    places: HashMap<TenantId, (TenantIndex, Place)>,
    /// Some could not be read: an unknown name may be one of them.
    incomplete: bool,
}

/// Where an id is written.
#[derive(Debug, Clone)]
struct Place {
    source: Option<Arc<Source>>,
    span: Span,
}

/// How many problems of one kind are shown for a file or pattern.
const MOST: usize = 5;

/// Reads all of them.
pub(super) fn resolve(
    file: &Header,
    blocks: Vec<Tenant>,
    sources: &Sources<'_>,
    found: &mut Vec<Problem>,
) -> Tenants {
    let mut tenants = Tenants::default();
    if blocks.is_empty() {
        found.push(Problem::new(format!("{} names no tenant", file.shape.name)).help(
            "a tenant is written [[tenant]] with `id = \"acme\"`, `pattern = \"t-0001..t-1000\"` or `file = \"tenants.jsonl\"`",
        ));
        tenants.incomplete = true;
    }
    for block in blocks {
        tenants.add(block, sources, found);
    }
    tenants
}

impl Tenants {
    /// The index of an id; an unknown one is a problem.
    pub(super) fn find(&self, name: &Located<String>, found: &mut Vec<Problem>) -> Option<TenantIndex> {
        let index = self.places.get(&TenantId::from(name.value.as_str())).map(|(index, _)| *index);
        if index.is_none() && !self.incomplete {
            found.push(unknown("tenant", name, self.ids.iter().map(TenantId::as_str)));
        }
        index
    }

    fn add(&mut self, block: Tenant, sources: &Sources<'_>, found: &mut Vec<Problem>) {
        let Tenant { header, id, pattern, file } = block;
        let given = [!id.is_absent(), !pattern.is_absent(), !file.is_absent()];
        if given.iter().filter(|given| **given).count() != 1 {
            let message = "a [[tenant]] has one of `id`, `pattern` and `file`";
            let label = if given.contains(&true) { "this one has several" } else { "this one has none" };
            found.push(Problem::at(header.span, message, label));
        }
        let invalid =
            [matches!(id, Field::Invalid), matches!(pattern, Field::Invalid), matches!(file, Field::Invalid)];
        self.incomplete |= given == [false; 3] || invalid.contains(&true);
        let mut repeated = 0;
        let mut add = |id: String, place: Place, found: &mut Vec<Problem>| {
            let id = TenantId::from(id.as_str());
            match self.places.get(&id) {
                Some((_, first)) if repeated < MOST => {
                    repeated += 1;
                    found.push(twice(&id, place, first));
                }
                Some(_) => {}
                None => {
                    self.places.insert(id.clone(), (self.ids.len(), place));
                    self.ids.push(id);
                }
            }
        };
        if let Field::Given(Located { value: id, span }) = id {
            add(id, Place { source: None, span }, found);
        }
        if let Field::Given(Located { value: ids, span }) = pattern {
            for id in ids {
                add(id, Place { source: None, span: span.clone() }, found);
            }
        }
        if let Field::Given(path) = file {
            let before = found.len();
            let ids = from_file(&path, sources, found);
            let incomplete = found.len() > before;
            for (id, place) in ids {
                add(id, place, found);
            }
            self.incomplete |= incomplete;
        }
    }
}

fn twice(id: &TenantId, second: Place, first: &Place) -> Problem {
    let problem = Problem::new(format!("tenant {} is there twice", quoted(id.as_str())));
    let problem = problem.mark(second.source, second.span, "again here");
    problem.mark(first.source.clone(), first.span.clone(), "first here")
}

fn from_file(
    path: &Located<String>,
    sources: &Sources<'_>,
    found: &mut Vec<Problem>,
) -> Vec<(String, Place)> {
    let Some(text) = read(path, sources, found) else { return Vec::new() };
    let source = Arc::new(Source { name: path.value.clone(), text });
    let ids = ids(&source, &path.span, found);
    ids.into_iter().map(|(id, span)| (id, Place { source: Some(source.clone()), span })).collect()
}

/// The text of a file that the scenario refers to.
pub(super) fn read(
    path: &Located<String>,
    sources: &Sources<'_>,
    found: &mut Vec<Problem>,
) -> Option<String> {
    match (sources.read_file)(Path::new(&path.value)) {
        Ok(text) => Some(text),
        Err(error) => {
            let message = format!("cannot read {}", quoted(&path.value));
            let problem = Problem::at(path.span.clone(), message, error.to_string());
            found.push(problem.help("paths are relative to the scenario's directory"));
            None
        }
    }
}

/// The `id` of each line and the line's place; `named` is where the scenario refers to the file.
pub(super) fn ids(source: &Arc<Source>, named: &Span, found: &mut Vec<Problem>) -> Vec<(String, Span)> {
    let mut ids = Vec::new();
    let mut bad = Vec::new();
    let mut start = 0;
    for (number, line) in source.text.split('\n').enumerate() {
        let span = start..start + line.trim_end().len();
        start += line.len() + 1;
        if line.trim().is_empty() {
            continue;
        }
        match id(line) {
            Ok(id) => ids.push((id, span)),
            Err((message, column)) => {
                let at = (span.start + column).min(span.end.saturating_sub(1)).max(span.start);
                let problem = Problem::new(format!("line {} of {} {message}", number + 1, source.name));
                let problem = problem.mark(Some(source.clone()), at..span.end, "");
                bad.push(problem.also(named.clone(), "the file is named here"));
            }
        }
    }
    if ids.is_empty() && bad.is_empty() {
        let problem = Problem::at(named.clone(), format!("{} names no tenant", quoted(&source.name)), "");
        found.push(problem.help("each line is a JSON object with an `id`: {\"id\": \"acme\"}"));
    }
    let more = bad.len().saturating_sub(MOST);
    found.extend(bad.into_iter().take(MOST));
    if more > 0 {
        let message = format!("{more} more lines of {} are wrong", quoted(&source.name));
        found.push(Problem::at(named.clone(), message, ""));
    }
    ids
}

/// The `id` of one line, or a problem with its column (bytes from 0).
fn id(line: &str) -> Result<String, (String, usize)> {
    let value: serde_json::Value = serde_json::from_str(line)
        .map_err(|error| ("is not JSON".to_owned(), error.column().saturating_sub(1)))?;
    let Some(object) = value.as_object() else { return Err(("is not a JSON object".to_owned(), 0)) };
    match object.get("id") {
        Some(serde_json::Value::String(id)) => match notation::label(id) {
            Ok(id) => Ok(id),
            Err(complaint) => Err((format!("has a bad `id`: {}", complaint.message), 0)),
        },
        Some(_) => Err(("has an `id` that is not text".to_owned(), 0)),
        None => Err(("has no `id`".to_owned(), 0)),
    }
}
