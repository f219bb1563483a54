//! Rows of data for the templates: `${people.email}` is the column `email` of the feeder `people`.

use std::collections::BTreeMap;

use super::template::{Piece, pieces};

/// `[[feeder]]`: a table of texts, and which row is whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeder {
    /// What templates call it; unique.
    pub name: String,
    /// Names of its columns; `${name.column}`.
    pub columns: Vec<String>,
    /// Row after row, as many cells each as there are columns. A cell is what stands in the file, where
    /// `${env:NAME}` is a secret, filled in only when it is sent.
    pub cells: Vec<String>,
    /// Which row is whose.
    pub order: Order,
    /// With [`Order::Unique`], by load: the row of its first user. Loads that use the feeder follow each
    /// other.
    pub first: Vec<u64>,
}

/// Which row of a feeder is whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `"sequential"` (the default): each iteration of a load has the next, round and round.
    Sequential,
    /// `"random"`: each iteration has one that is drawn for it.
    Random,
    /// `"unique"`: each user has one of its own, for all it does.
    Unique,
}

impl Feeder {
    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        (self.cells.len() / self.columns.len().max(1)) as u64
    }

    /// The names of the secrets in its cells.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let pieces = self.cells.iter().filter(|cell| cell.contains("${")).flat_map(|cell| pieces(cell).ok());
        pieces.flatten().filter_map(|piece| match piece {
            Piece::Variable(name) => name.strip_prefix("env:"),
            Piece::Text(_) => None,
        })
    }

    /// The same with its secrets filled in from their values by name.
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

    /// A cell.
    pub fn cell(&self, row: u64, column: usize) -> Option<&str> {
        let row = usize::try_from(row).ok()?;
        self.cells.get(row * self.columns.len() + column).map(String::as_str)
    }
}
