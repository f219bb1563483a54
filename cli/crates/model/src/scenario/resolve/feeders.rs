//! `[[feeder]]`: tables of data from CSV and JSON lines, and the allotment of their rows to loads.

use std::{collections::HashMap, sync::Arc};

use super::{Sources, tenants};
use crate::scenario::{
    Journey, Load, Step,
    feeder::{Feeder, Order},
    file::{self, Located},
    problem::{Problem, Source, Span, did_you_mean, listed, quoted},
    template::{Part, Piece, Variable, is_name, pieces},
};

/// The largest file, in bytes: the run's manifest contains a copy.
const LARGEST: usize = 16 << 20;

/// How many problems are shown per file.
const MOST: usize = 5;

/// The feeders of a scenario.
#[derive(Debug, Default)]
pub(super) struct Feeders {
    pub(super) list: Vec<Feeder>,
    /// Place of each name.
    places: Vec<Span>,
    /// Some could not be read: an unknown name or column may be theirs.
    incomplete: bool,
}

/// Reads all of them.
pub(super) fn resolve(
    written: Vec<file::Feeder>,
    sources: &Sources<'_>,
    found: &mut Vec<Problem>,
) -> Feeders {
    let mut feeders = Feeders::default();
    let mut names: HashMap<String, Span> = HashMap::new();
    for feeder in written {
        let before = found.len();
        let order = feeder.order.or(Order::Sequential);
        let name = feeder.header.need("name", feeder.name, found);
        let file = feeder.header.need("file", feeder.file, found);
        if let Some(name) = &name {
            super::unique("feeder", name, &mut names, found);
        }
        let table = file.and_then(|file| Table::read(&file, sources, found));
        match (name, table, order) {
            (Some(name), Some(table), Some(order)) if found.len() == before => {
                let Table { columns, cells, .. } = table;
                feeders.places.push(name.span);
                feeders.list.push(Feeder { name: name.value, columns, cells, order, first: Vec::new() });
            }
            _ => feeders.incomplete = true,
        }
    }
    feeders
}

impl Feeders {
    /// Resolves `${feeder.column}` at the place `at`.
    pub(super) fn find(&self, feeder: &str, column: &str, at: Span) -> Result<Variable, Problem> {
        let shown = quoted(&format!("${{{feeder}.{column}}}"));
        let names = || self.list.iter().map(|feeder| feeder.name.as_str());
        let Some((index, known)) = self.list.iter().enumerate().find(|(_, known)| known.name == feeder)
        else {
            if self.incomplete {
                // It may be one that could not be read, which was reported already.
                return Ok(Variable::Fed { feeder: usize::MAX, column: usize::MAX });
            }
            let message = format!("{shown} is of no feeder");
            let problem = Problem::at(at, message, did_you_mean(feeder, names()));
            return Err(problem.help(match self.list.is_empty() {
                true => "data comes from a [[feeder]] with a `name` and a `file`".to_owned(),
                false => format!("feeders: {}", listed(names())),
            }));
        };
        let columns = || known.columns.iter().map(String::as_str).filter(|column| is_name(column));
        match known.columns.iter().position(|known| known == column) {
            Some(column) => Ok(Variable::Fed { feeder: index, column }),
            None => {
                let message = format!("feeder {} has no column {}", quoted(feeder), quoted(column));
                let problem = Problem::at(at, message, did_you_mean(column, columns()));
                Err(problem.help(format!("its columns: {}", listed(columns()))))
            }
        }
    }

    /// Allots rows to each load from the feeders with `unique` order, one load after the other.
    pub(super) fn assign_rows(
        &mut self,
        journeys: &[Journey],
        steps: &[Step],
        loads: &[Load],
        places: &[Span],
        found: &mut Vec<Problem>,
    ) {
        let of_users = self.list.iter_mut().zip(&self.places).enumerate();
        for (index, (feeder, place)) in of_users.filter(|(_, (feeder, _))| feeder.order == Order::Unique) {
            let mut next = 0;
            for (load, load_place) in loads.iter().zip(places) {
                feeder.first.push(next);
                if load_uses(load, index, journeys, steps) {
                    next += load.model.most_users();
                    if next > feeder.rows() {
                        found.push(too_few(feeder, next, place, load_place));
                        break;
                    }
                }
            }
        }
    }
}

fn too_few(feeder: &Feeder, users: u64, place: &Span, load: &Span) -> Problem {
    let rows = feeder.rows();
    let message = format!("feeder {} has {rows} rows, and there can be {users} users", quoted(&feeder.name));
    let problem = Problem::at(load.clone(), message, "with the users of this load");
    let problem = problem.also(place.clone(), "each user has a row of its own");
    problem.help("fewer users (`max_users` of an open load), more rows, or order = \"random\"")
}

/// Whether a step of the load's journeys uses a feeder.
fn load_uses(load: &Load, feeder: usize, journeys: &[Journey], steps: &[Step]) -> bool {
    let steps = load
        .journeys
        .iter()
        .filter_map(|(journey, _)| journeys.get(*journey))
        .flat_map(|journey| journey.start.iter().chain(&journey.steps))
        .filter_map(|index| steps.get(*index));
    let mut parts = steps.flat_map(Step::templates).flat_map(|template| &template.parts);
    parts.any(|part| matches!(part, Part::Variable(Variable::Fed { feeder: used, .. }) if *used == feeder))
}

/// A file's rows.
struct Table {
    columns: Vec<String>,
    cells: Vec<String>,
    /// Problems with their places.
    bad: Vec<(Where, String)>,
}

/// A place in a file, from 1.
enum Where {
    Line(u64),
    Row(usize),
}

impl Table {
    fn read(file: &Located<String>, sources: &Sources<'_>, found: &mut Vec<Problem>) -> Option<Self> {
        let read = match file.value.rsplit_once('.') {
            Some((_, "csv")) => Self::of_csv,
            Some((_, "jsonl")) => Self::of_json_lines,
            _ => {
                let message = format!("{} is neither CSV nor JSON lines", quoted(&file.value));
                found.push(
                    Problem::at(file.span.clone(), message, "").help("its name ends in .csv or .jsonl"),
                );
                return None;
            }
        };
        let text = tenants::read(file, sources, found)?;
        if text.len() > LARGEST {
            let message = format!("{} is too large", quoted(&file.value));
            let label = format!("it has {} MiB, and 16 are the most", text.len().div_ceil(1 << 20));
            found.push(
                Problem::at(file.span.clone(), message, label).help("the run's manifest keeps a copy of it"),
            );
            return None;
        }
        let mut table = read(&text);
        table.check_cells(sources);
        if table.bad.is_empty() && table.cells.is_empty() {
            let problem = Problem::at(file.span.clone(), format!("{} has no rows", quoted(&file.value)), "");
            found.push(problem.help(
                "the first line of a CSV file names its columns; each line of a .jsonl file is a JSON object",
            ));
            return None;
        }
        let is_good = table.bad.is_empty();
        report(file, &text, std::mem::take(&mut table.bad), found);
        is_good.then_some(table)
    }

    fn of_csv(text: &str) -> Self {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let mut table = Self { columns: Vec::new(), cells: Vec::new(), bad: Vec::new() };
        match reader.headers() {
            Ok(columns) => table.columns = columns.iter().map(str::to_owned).collect(),
            Err(error) => table.bad.push((Where::Line(1), error.to_string())),
        }
        for (i, column) in table.columns.iter().enumerate() {
            if table.columns.iter().take(i).any(|earlier| earlier == column) {
                table.bad.push((Where::Line(1), format!("names column {} twice", quoted(column))));
            }
        }
        for record in reader.records() {
            match record {
                Ok(record) => table.cells.extend(record.iter().map(str::to_owned)),
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    let what = match error.kind() {
                        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                            format!("has {len} cells, and there are {expected_len} columns")
                        }
                        _ => format!("is not CSV: {error}"),
                    };
                    table.bad.push((Where::Line(line), what));
                }
            }
        }
        table
    }

    fn of_json_lines(text: &str) -> Self {
        let mut table = Self { columns: Vec::new(), cells: Vec::new(), bad: Vec::new() };
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let object: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(line) {
                Ok(object) => object,
                Err(_) => {
                    table.bad.push((Where::Line(number), "is not a JSON object".to_owned()));
                    continue;
                }
            };
            if table.columns.is_empty() {
                table.columns = object.keys().cloned().collect();
            }
            for column in &table.columns {
                table.cells.push(match object.get(column) {
                    Some(serde_json::Value::String(text)) => text.clone(),
                    Some(serde_json::Value::Null) | None => {
                        table.bad.push((Where::Line(number), format!("has no {}", quoted(column))));
                        String::new()
                    }
                    Some(other) => other.to_string(),
                });
            }
        }
        table
    }

    /// Cells may contain no variables but secrets, which must be set.
    fn check_cells(&mut self, sources: &Sources<'_>) {
        let width = self.columns.len().max(1);
        for (index, cell) in self.cells.iter().enumerate().filter(|(_, cell)| cell.contains("${")) {
            let row = index / width + 1;
            let complaint = match pieces(cell) {
                Err(_) => Some("holds a `${` without its `}`; a literal one is written `$${`".to_owned()),
                Ok(pieces) => pieces.into_iter().find_map(|piece| match piece {
                    Piece::Text(_) => None,
                    Piece::Variable(name) => match (name.strip_prefix("env:"), sources.environment) {
                        (None, _) => {
                            Some(format!("names {}; in a cell only `${{env:NAME}}` can stand", quoted(name)))
                        }
                        (Some(secret), Some(environment)) if environment(secret).is_none() => {
                            Some(format!("names {}, which is not set in the environment", quoted(secret)))
                        }
                        (Some(_), _) => None,
                    },
                }),
            };
            self.bad.extend(complaint.map(|complaint| (Where::Row(row), complaint)));
        }
    }
}

/// Reports the first problems of a file.
fn report(file: &Located<String>, text: &str, bad: Vec<(Where, String)>, found: &mut Vec<Problem>) {
    let more = bad.len().saturating_sub(MOST);
    let source = Arc::new(Source { name: file.value.clone(), text: text.to_owned() });
    for (place, what) in bad.into_iter().take(MOST) {
        found.push(match place {
            Where::Row(row) => {
                let message = format!("row {row} of {} {what}", file.value);
                Problem::at(file.span.clone(), message, "the file is named here")
            }
            Where::Line(number) => {
                let problem = Problem::new(format!("line {number} of {} {what}", file.value));
                let problem = problem.mark(Some(source.clone()), line(text, number.saturating_sub(1)), "");
                problem.also(file.span.clone(), "the file is named here")
            }
        });
    }
    if more > 0 {
        let message = format!("{more} more problems in {}", quoted(&file.value));
        found.push(Problem::at(file.span.clone(), message, ""));
    }
}

/// The span of a line (from 0).
fn line(text: &str, index: u64) -> Span {
    let mut start = 0;
    for (number, line) in (0..).zip(text.split('\n')) {
        if number == index {
            return start..start + line.trim_end().len();
        }
        start += line.len() + 1;
    }
    text.len()..text.len()
}
