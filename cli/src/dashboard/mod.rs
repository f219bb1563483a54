//! Checks dashboards and rule files against a live Prometheus: whatever they ask is asked, and what is wrong is named by panel
//! and query.
//!
//! `grafana` and `rule_file` read a [`Document`]; `variable` and `template` fill in variables as Grafana does; `catalogue` is what
//! Prometheus has, `expression` holds a query against it, `result` its result; `check` asks and puts it together; `finding`
//! is what is reported.

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

/// A dashboard or a rule file: what it asks, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is called.
    pub title: String,
    /// Its variables, in its order.
    pub variables: Vec<Variable>,
    /// Its panels, or rules, that ask Prometheus.
    pub panels: Vec<Panel>,
    /// What of it could not be read or is asked of others: place and reason.
    pub left_out: Vec<LeftOut>,
}

/// A part of a document that is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which panel.
    pub panel: String,
    /// Why.
    pub reason: Reason,
}

/// Why a part is not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A library panel, of which the file has the name only.
    Library,
    /// Asked of a data source of this type.
    Elsewhere(String),
    /// An alert of the panel that rests on a query that the panel does not have.
    AlertWithoutQuery(String),
}

/// What a panel is for, as far as the checks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Values over time.
    Graph,
    /// One value, or one a series.
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
    /// The row (or rule group) it stands in.
    pub row: Option<String>,
    /// Its title.
    pub title: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether its values have a unit.
    pub has_unit: bool,
    /// The variable for whose values it is repeated; its row's, if that is.
    pub repeat: Option<String>,
    /// The least time between two points, as written.
    pub min_step: Option<String>,
    /// How many points it shows at most.
    pub max_points: Option<u64>,
    /// What it asks.
    pub queries: Vec<PanelQuery>,
}

/// A query of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelQuery {
    /// `A`, `B`, …; empty for a rule, which has one.
    pub ref_id: String,
    /// PromQL, with variables.
    pub expr: String,
    /// Asked at one instant only.
    pub instant: bool,
    /// The text of its legend; `None`: the whole label set.
    pub legend: Option<String>,
    /// Whether its answer is shown by series.
    pub by_series: bool,
    /// The least time between two points, as written.
    pub min_step: Option<String>,
}

impl Panel {
    /// `Row / Title`.
    pub fn place(&self) -> String {
        match &self.row {
            Some(row) if !row.is_empty() => format!("{row} / {}", self.title),
            _ => self.title.clone(),
        }
    }
}

/// A file that is neither a dashboard nor a rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Json(String),
    /// It is not YAML.
    #[error("not a rule file: {0}")]
    Yaml(String),
    /// It is JSON, but no dashboard.
    #[error("no dashboard: it has neither `panels` nor `rows`")]
    NoDashboard,
    /// A dashboard in the schema that Grafana 12 and later can export.
    #[error("a dashboard in Grafana's schema v2, which is not read")]
    SchemaV2,
}

impl ReadError {
    /// What the user can do.
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

/// Reads a file by its name: rules end in `.yml` or `.yaml`, all else is a dashboard.
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
