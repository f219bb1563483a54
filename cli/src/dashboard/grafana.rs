//! Parses a dashboard as exported by Grafana: panels, in rows or not, collapsed or not, with their queries
//! and variables. Supports schemas from before Grafana 5 (`rows`) up to 41.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Document, LeftOut, Panel, PanelQuery, Purpose, ReadError, Reason, variable};

/// Panels with a time axis.
const GRAPHS: [&str; 6] = ["timeseries", "graph", "heatmap", "barchart", "trend", "state-timeline"];
/// Panels that show one value per series.
const VALUES: [&str; 6] = ["stat", "gauge", "bargauge", "singlestat", "piechart", "grafana-piechart-panel"];

/// Parses a dashboard.
///
/// # Errors
/// When the text is not valid.
pub fn read(text: &str) -> Result<Document, ReadError> {
    let mut json: Value = serde_json::from_str(text).map_err(|error| ReadError::Json(error.to_string()))?;
    // As wrapped by the API.
    if let Some(inner) = json.get_mut("dashboard").filter(|inner| inner.is_object()) {
        json = inner.take();
    }
    if json.pointer("/spec/elements").or_else(|| json.get("elements")).is_some() {
        return Err(ReadError::SchemaV2);
    }
    if json.get("panels").is_none() && json.get("rows").is_none() {
        return Err(ReadError::NoDashboard);
    }
    let sources = sources(&json);
    let mut reader = Reader { sources: &sources, panels: Vec::new(), left_out: Vec::new() };
    let mut row = Row::default();
    for panel in list(&json, "panels") {
        if text_of(panel, "type") == "row" {
            row = Row::of(panel);
            reader.panels(list(panel, "panels"), &row);
        } else {
            reader.panel(panel, &row);
        }
    }
    for old in list(&json, "rows") {
        reader.panels(list(old, "panels"), &Row::of(old));
    }
    let inputs = inputs(&json);
    let variables =
        json.pointer("/templating/list").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(Document {
        title: text_of(&json, "title").to_owned(),
        variables: variables.iter().filter_map(|json| variable::read(json, &inputs)).collect(),
        panels: reader.panels,
        left_out: reader.left_out,
    })
}

/// Constants that an exported dashboard asks for on import, by name.
fn inputs(json: &Value) -> BTreeMap<String, String> {
    let constants = list(json, "__inputs").filter(|input| text_of(input, "type") == "constant");
    constants.map(|input| (text_of(input, "name").to_owned(), text_of(input, "value").to_owned())).collect()
}

/// The types of data sources behind the variables and inputs of a dashboard.
fn sources(json: &Value) -> BTreeMap<String, String> {
    let mut sources = BTreeMap::new();
    for input in list(json, "__inputs").filter(|input| text_of(input, "type") == "datasource") {
        sources.insert(text_of(input, "name").to_owned(), text_of(input, "pluginId").to_owned());
    }
    let variables = json.pointer("/templating/list").and_then(Value::as_array).into_iter().flatten();
    for variable in variables.filter(|variable| text_of(variable, "type") == "datasource") {
        sources.insert(text_of(variable, "name").to_owned(), text_of(variable, "query").to_owned());
    }
    sources
}

/// The row of a panel.
#[derive(Debug, Default)]
struct Row {
    title: Option<String>,
    repeat: Option<String>,
}

impl Row {
    fn of(json: &Value) -> Self {
        let some = |key| Some(text_of(json, key).to_owned()).filter(|text| !text.is_empty());
        Self { title: some("title"), repeat: some("repeat") }
    }
}

struct Reader<'a> {
    sources: &'a BTreeMap<String, String>,
    panels: Vec<Panel>,
    left_out: Vec<LeftOut>,
}

impl Reader<'_> {
    fn panels<'j>(&mut self, panels: impl Iterator<Item = &'j Value>, row: &Row) {
        panels.for_each(|panel| self.panel(panel, row));
    }

    fn panel(&mut self, json: &Value, row: &Row) {
        let kind = text_of(json, "type");
        let purpose = match kind {
            _ if GRAPHS.contains(&kind) => Purpose::Graph,
            _ if VALUES.contains(&kind) => Purpose::Value,
            _ => Purpose::Other,
        };
        let own_repeat = Some(text_of(json, "repeat").to_owned()).filter(|name| !name.is_empty());
        let mut panel = Panel {
            row: row.title.clone(),
            title: title(json),
            purpose,
            has_unit: kind == "state-timeline" || has_unit(json),
            repeat: own_repeat.or_else(|| row.repeat.clone()),
            min_step: some(json, "interval"),
            max_points: json.get("maxDataPoints").and_then(Value::as_u64),
            queries: Vec::new(),
        };
        let targets: Vec<&Value> = list(json, "targets").collect();
        if json.get("libraryPanel").is_some() && targets.is_empty() {
            self.leave_out(&panel, Reason::Library);
            return;
        }
        for target in targets {
            match self.elsewhere(target.get("datasource").or_else(|| json.get("datasource"))) {
                Some(source) => self.leave_out(&panel, Reason::Elsewhere(source)),
                None => panel.queries.extend(query(target, purpose)),
            }
        }
        for ref_id in alert_queries(json) {
            if !panel.queries.iter().any(|query| query.ref_id == ref_id) {
                self.leave_out(&panel, Reason::AlertWithoutQuery(ref_id));
            }
        }
        if !panel.queries.is_empty() {
            self.panels.push(panel);
        }
    }

    fn leave_out(&mut self, panel: &Panel, reason: Reason) {
        let left_out = LeftOut { panel: panel.place(), reason };
        if !self.left_out.contains(&left_out) {
            self.left_out.push(left_out);
        }
    }

    /// The type of a data source that is certainly not a Prometheus.
    fn elsewhere(&self, source: Option<&Value>) -> Option<String> {
        let kind = match source? {
            Value::String(name) => self.source_behind(name)?,
            source => match source.get("type").and_then(Value::as_str) {
                Some(kind) => kind,
                None => self.source_behind(text_of(source, "uid"))?,
            },
        };
        // Mixed: each query names its own data source.
        let is_prometheus = kind.is_empty() || kind.contains("prometheus") || kind == "datasource";
        (!is_prometheus).then(|| kind.to_owned())
    }

    /// The type behind `$name` or `${name}`.
    fn source_behind(&self, text: &str) -> Option<&str> {
        let name = text.strip_prefix('$')?.trim_start_matches('{').trim_end_matches('}');
        self.sources.get(name).map(String::as_str)
    }
}

fn query(json: &Value, purpose: Purpose) -> Option<PanelQuery> {
    let expr = some(json, "expr")?;
    let is = |key| json.get(key).and_then(Value::as_bool).unwrap_or(false);
    let shown = purpose == Purpose::Graph || purpose == Purpose::Value;
    let format = text_of(json, "format");
    Some(PanelQuery {
        ref_id: text_of(json, "refId").to_owned(),
        expr,
        instant: is("instant") && !is("range"),
        legend: some(json, "legendFormat"),
        by_series: shown && !is("hide") && (format.is_empty() || format == "time_series"),
        min_step: some(json, "interval"),
    })
}

fn title(json: &Value) -> String {
    let title = text_of(json, "title");
    match json.get("id").and_then(Value::as_u64) {
        Some(id) if title.is_empty() => format!("(panel {id} without a title)"),
        _ if title.is_empty() => "(panel without a title)".to_owned(),
        _ => title.to_owned(),
    }
}

/// The queries that the conditions of a panel's own alert refer to.
fn alert_queries(json: &Value) -> Vec<String> {
    let conditions = json.pointer("/alert/conditions").and_then(Value::as_array).into_iter().flatten();
    let ids = conditions.filter_map(|condition| condition.pointer("/query/params/0").and_then(Value::as_str));
    ids.map(str::to_owned).collect()
}

/// Whether the panel's values have a unit, or are mapped to texts.
fn has_unit(json: &Value) -> bool {
    let places = [
        "/fieldConfig/defaults/unit",
        "/yaxes/0/format",
        "/yAxis/format",
        "/format",
        "/options/yAxis/unit",
        "/options/fieldOptions/defaults/unit",
    ];
    let given =
        |pointer: &&str| json.pointer(pointer).and_then(Value::as_str).is_some_and(|unit| !unit.is_empty());
    let overrides = json.pointer("/fieldConfig/overrides").and_then(Value::as_array).into_iter().flatten();
    let mut properties = overrides.flat_map(|of| list(of, "properties"));
    let mapped = json.pointer("/fieldConfig/defaults/mappings").and_then(Value::as_array);
    let named = json.pointer("/options/textMode").and_then(Value::as_str) == Some("name");
    places.iter().any(given)
        || properties.any(|property| text_of(property, "id") == "unit")
        || mapped.is_some_and(|mappings| !mappings.is_empty())
        || named
}

fn list<'j>(json: &'j Value, key: &str) -> impl Iterator<Item = &'j Value> + use<'j> {
    json.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text_of<'j>(json: &'j Value, key: &str) -> &'j str {
    json.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn some(json: &Value, key: &str) -> Option<String> {
    Some(text_of(json, key).trim().to_owned()).filter(|text| !text.is_empty())
}
