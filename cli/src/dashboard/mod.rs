//! Checks dashboards and rule files against a live Prometheus: all their queries are sent, and mistakes are
//! reported by panel and query.
//!
//! `grafana` and `rule_file` parse a [`Document`]; `variable` and `template` fill in variables as Grafana
//! does; `catalogue` is the contents of Prometheus, `expression` checks a query against it, `result` checks
//! its result; `check` sends the queries and combines everything; `finding` defines what is reported.

pub mod catalogue;
pub mod check;
pub mod expression;
pub mod finding;
pub mod grafana;
pub mod result;
pub mod rule_file;
pub mod template;
pub mod variable;

use variable::Variable;

/// A dashboard or a rule file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// Its variables, in order.
    pub variables: Vec<Variable>,
    /// Its panels, or rules, with queries to Prometheus.
    pub panels: Vec<Panel>,
    /// Parts that are not checked, with the reason.
    pub left_out: Vec<LeftOut>,
}

/// A part of a document that is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The panel.
    pub panel: String,
    /// The reason.
    pub reason: Reason,
}

/// Why a part is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A library panel, of which the file contains only the name.
    Library,
    /// A query to a data source of this type.
    Elsewhere(String),
    /// An alert of the panel that refers to a query that the panel does not have.
    AlertWithoutQuery(String),
}

/// The purpose of a panel, as far as it matters for checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Values over time.
    Graph,
    /// One value, or one per series.
    Value,
    /// Any other panel: tables, texts.
    Other,
    /// A recording rule.
    Recording,
    /// An alerting rule.
    Alert,
}

/// A panel, or a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The row (or rule group) that contains it.
    pub row: Option<String>,
    /// Its title.
    pub title: String,
    /// Its purpose.
    pub purpose: Purpose,
    /// Whether its values have a unit.
    pub has_unit: bool,
    /// The variable that it is repeated for, or its row is.
    pub repeat: Option<String>,
    /// The minimum time between two points, as written.
    pub min_step: Option<String>,
    /// The maximum number of points.
    pub max_points: Option<u64>,
    /// Its queries.
    pub queries: Vec<PanelQuery>,
}

/// A query of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelQuery {
    /// `A`, `B`, …; empty for a rule.
    pub ref_id: String,
    /// PromQL with variables.
    pub expr: String,
    /// Whether it is an instant query.
    pub instant: bool,
    /// The legend's template; `None` for the whole label set.
    pub legend: Option<String>,
    /// Whether its result is shown by series.
    pub by_series: bool,
    /// The minimum time between two points, as written.
    pub min_step: Option<String>,
}

impl Panel {
    /// Formats the place: `Row / Title`.
    pub fn place(&self) -> String {
        match &self.row {
            Some(row) if !row.is_empty() => format!("{row} / {}", self.title),
            _ => self.title.clone(),
        }
    }
}

/// Why a file is neither a dashboard nor a rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// It is not YAML.
    #[error("not a rule file: {0}")]
    Yaml(String),
    /// It is JSON, but not a dashboard.
    #[error("no dashboard: it has neither `panels` nor `rows`")]
    NoDashboard,
    /// A dashboard in the v2 schema, which Grafana 12 and later can export.
    #[error("a dashboard in Grafana's schema v2, which is not read")]
    SchemaV2,
}

impl ReadError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::NoDashboard => {
                "export it in Grafana: Share, Export, Save to file; rule files end in .yml or .yaml"
            }
            Self::Yaml(_) => "promtool check rules tells more",
            Self::SchemaV2 => "export it in the classic schema: Share, Export, Classic",
        }
    }
}

/// Parses a file according to its name: rule files end with `.yml` or `.yaml`, everything else is a
/// dashboard.
///
/// # Errors
/// When it is neither.
pub fn read(name: &str, text: &str) -> Result<Document, ReadError> {
    if name.ends_with(".yml") || name.ends_with(".yaml") {
        rule_file::read(text)
    } else {
        grafana::read(text)
    }
}

#[cfg(test)]
mod tests;
