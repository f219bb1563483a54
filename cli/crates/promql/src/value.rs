//! The result of evaluating an expression.

use crate::labels::Labels;

/// The value of an expression at one instant.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// A text.
    String(String),
    /// Series with one value each, in the order that `sort` and `topk` give.
    Vector(Vec<Sample>),
    /// Series with their samples in a range.
    Matrix(Vec<Series>),
}

impl Value {
    /// Prometheus's name of its type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "scalar",
            Self::String(_) => "string",
            Self::Vector(_) => "instant vector",
            Self::Matrix(_) => "range vector",
        }
    }
}

/// One element of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// One element of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Its samples, in order of time.
    pub points: Vec<Point>,
}

/// A value at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Milliseconds since the epoch.
    pub time: i64,
    /// The value.
    pub value: f64,
}
