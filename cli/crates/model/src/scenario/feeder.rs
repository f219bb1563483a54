//! Rows of data for the templates: `${people.email}` is the column `email` of the feeder `people`.

use std::collections::BTreeMap;

use super::template::{Piece, pieces};

/// `[[feeder]]`: a table of texts, and how its rows are assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeder {
    /// The name that templates use; unique.
    pub name: String,
    /// Names of its columns, used as `${name.column}`.
    pub columns: Vec<String>,
    /// The cells row by row, `columns.len()` in each. A cell is the text in the file; a secret `${env:NAME}`
    /// in it is filled in only when it is sent.
    pub cells: Vec<String>,
    /// How rows are assigned.
    pub order: Order,
    /// With [`Order::Unique`], by load: the row of its first user. Loads that use the feeder are allotted
    /// consecutive rows.
    pub first: Vec<u64>,
}

/// How the rows of a feeder are assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `"sequential"` (the default): each iteration of a load takes the next row, starting over at the end.
    Sequential,
    /// `"random"`: a row is drawn for each iteration.
    Random,
    /// `"unique"`: each user has a row of its own for all its iterations.
    Unique,
}

impl Feeder {
    /// Number of rows.
    pub fn rows(&self) -> u64 {
        (self.cells.len() / self.columns.len().max(1)) as u64
    }

    /// Names of the secrets in its cells.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let pieces = self.cells.iter().filter(|cell| cell.contains("${")).flat_map(|cell| pieces(cell).ok());
        pieces.flatten().filter_map(|piece| match piece {
            Piece::Variable(name) => name.strip_prefix("env:"),
            Piece::Text(_) => None,
        })
    }

    /// The feeder with secrets replaced by their values.
    pub fn with_secrets(&self, secrets: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| secrets.get(name.strip_prefix("env:")?).map(String::as_str);
        let fill = |cell: &String| match pieces(cell) {
            Ok(pieces) if cell.contains("${") => pieces
                .into_iter()
                .filter_map(|piece| match piece {
                    Piece::Text(text) => Some(text),
                    Piece::Variable(name) => value(name),
                })
                .collect(),
            _ => cell.clone(),
        };
        Self { cells: self.cells.iter().map(fill).collect(), ..self.clone() }
    }

    /// The text of a cell, if it exists.
    pub fn cell(&self, row: u64, column: usize) -> Option<&str> {
        let row = usize::try_from(row).ok()?;
        self.cells.get(row * self.columns.len() + column).map(String::as_str)
    }
}
