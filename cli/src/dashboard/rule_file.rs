//! Parses a file of Prometheus rules: each rule becomes a panel with one query, each group a row.

use serde::Deserialize;

use super::{Document, Panel, PanelQuery, Purpose, ReadError};

#[derive(Debug, Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    name: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
}

/// Parses a rule file.
///
/// # Errors
/// When the text is not valid.
pub fn read(text: &str) -> Result<Document, ReadError> {
    let file: File = serde_yaml_ng::from_str(text).map_err(|error| ReadError::Yaml(error.to_string()))?;
    let rules = file
        .groups
        .into_iter()
        .flat_map(|group| group.rules.into_iter().map(move |rule| panel(&group.name, rule)));
    Ok(Document {
        title: "rules".to_owned(),
        variables: Vec::new(),
        panels: rules.collect(),
        left_out: Vec::new(),
    })
}

fn panel(group: &str, rule: Rule) -> Panel {
    let (title, purpose) = match (rule.alert, rule.record) {
        (Some(alert), _) => (format!("alert {alert}"), Purpose::Alert),
        (None, record) => (format!("record {}", record.unwrap_or_default()), Purpose::Recording),
    };
    Panel {
        row: Some(group.to_owned()),
        title,
        purpose,
        has_unit: true,
        repeat: None,
        min_step: None,
        max_points: None,
        queries: vec![PanelQuery {
            ref_id: String::new(),
            expr: rule.expr.trim().to_owned(),
            instant: false,
            legend: None,
            by_series: false,
            min_step: None,
        }],
    }
}
