//! Writes the journeys made from a description as a scenario's text.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use super::{
    links::{Group, Linked, is_tenant},
    operation::{Body, Credential, Operation, Place},
    text::one_line,
};
use crate::scaffold::{
    target::percent_encoded,
    value::{basic, inline, key, table},
};

/// The feeder of values that no response contains.
const FEEDER: &str = "given";
/// Marks a variable that is in JSON without quotes, because its value is a number.
const BARE: (&str, &str) = ("\u{e000}", "\u{e001}");

/// Writes a scenario.
#[derive(Debug)]
pub(super) struct Writer {
    text: String,
    /// The feeder's file, where there can be one.
    rows: Option<String>,
    /// Its columns, and a value for each.
    columns: BTreeMap<String, String>,
    secrets: Vec<String>,
}

impl Writer {
    pub(super) fn new(rows: Option<&str>) -> Self {
        Self {
            text: String::new(),
            rows: rows.map(str::to_owned),
            columns: BTreeMap::new(),
            secrets: Vec::new(),
        }
    }

    /// The text above the journeys.
    pub(super) fn head(&mut self, name: &str, title: &str, file: &str, target: Option<&str>) {
        let text = &mut self.text;
        let url = target.unwrap_or(super::ELSEWHERE);
        let _ = writeln!(
            text,
            "# Made from {}, with values that its schemas allow. Review it, then run it:",
            one_line(file)
        );
        let _ = writeln!(text, "#     saasbench run FILE --target {}", one_line(url));
        let _ = writeln!(text, "version = 1\nname = {}\ndescription = {}", basic(name), basic(title.trim()));
        text.push_str("\n# The tenants of the users: ${tenant}.\n[[tenant]]\nid = \"acme\"\n\n[[tenant]]\nid = \"globex\"\n");
    }

    /// A journey with its steps.
    pub(super) fn journey(&mut self, group: &Group) {
        let _ = write!(self.text, "\n[[journey]]\nname = {}\n", basic(&one_line(&group.name)));
        for linked in &group.operations {
            self.step(linked);
        }
    }

    fn step(&mut self, linked: &Linked) {
        let operation = &linked.operation;
        self.text.push('\n');
        if let Some(summary) = &operation.summary {
            let _ = writeln!(self.text, "# {}", one_line(summary));
        }
        let kind = if linked.is_start { "start" } else { "step" };
        let path = self.path(linked);
        let _ = writeln!(self.text, "[[journey.{kind}]]\n{} = {}", operation.method, basic(&path));
        if operation.path.contains('{') {
            let _ = writeln!(self.text, "route = {}", basic(&plain_path(&operation.path)));
        }
        let (mut query, mut headers) = (Vec::new(), Vec::new());
        let mut cookies = Vec::new();
        for parameter in &operation.parameters {
            let value = match parameter.place {
                Place::Path => continue,
                _ => self.filled(linked, &parameter.name, &parameter.example, str::to_owned),
            };
            let name = escaped(&parameter.name);
            match parameter.place {
                Place::Query => query.push((name, value)),
                Place::Header => headers.push((name, value)),
                Place::Cookie | Place::Path => cookies.push(format!("{name}={value}")),
            }
        }
        self.credentials(operation, &mut query, &mut headers, &mut cookies);
        let body = self.body(linked, &mut headers);
        if !cookies.is_empty() {
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        for (key, pairs) in [("query", query), ("headers", headers)] {
            if !pairs.is_empty() {
                let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let _ = writeln!(self.text, "{key} = {}", table(pairs));
            }
        }
        self.text.push_str(&body);
        self.status(linked);
        if !linked.saves.is_empty() {
            let pairs = linked.saves.iter().map(|(name, pointer)| (name.as_str(), pointer.as_str()));
            let _ = writeln!(self.text, "save = {}", table(pairs));
        }
    }

    fn path(&mut self, linked: &Linked) -> String {
        // In an encoded text, nothing starts a variable that would have to be escaped.
        let literal = |text: &str| percent_encoded(&constant(text).replace("$${", "${"));
        let (mut path, mut rest) = (String::new(), linked.operation.path.as_str());
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').unwrap_or((after, ""));
            let parameters = &linked.operation.parameters;
            let parameter = parameters.iter().find(|known| known.place == Place::Path && known.name == name);
            let example = parameter.map_or("", |parameter| parameter.example.as_str());
            // Where `${` stands in a path, it is not the start of a variable.
            let (before, dollar) = before.strip_suffix('$').map_or((before, ""), |before| (before, "%24"));
            path.push_str(&(plain_path(before) + dollar));
            path.push_str(&self.filled(linked, name, example, literal));
            rest = behind;
        }
        path + &plain_path(rest)
    }

    /// The template for the value `name`: a saved value, the tenant, a cell of the feeder, or the example
    /// itself.
    fn filled(
        &mut self,
        linked: &Linked,
        name: &str,
        example: &str,
        literal: impl Fn(&str) -> String,
    ) -> String {
        let example = if example.trim().is_empty() { "1" } else { example };
        match linked.fills.get(name) {
            Some(called) => format!("${{{called}}}"),
            None if is_tenant(name) => "${tenant}".to_owned(),
            None if self.rows.is_some() => {
                format!("${{{FEEDER}.{}}}", self.column(&linked.operation.path, name, &constant(example)))
            }
            None => literal(example),
        }
    }

    /// The column of a value: by its name, unless that has another value (`id` of a pet and of a user); then
    /// by the name of what it belongs to, too, and by a number where that does not help either.
    fn column(&mut self, path: &str, name: &str, example: &str) -> String {
        let plain = identifier(name);
        let before = path.split_once(&format!("{{{name}}}")).map_or(path, |(before, _)| before);
        let owner = before.rsplit('/').find(|part| !part.is_empty() && !part.contains('{'));
        let owned = owner.map(|owner| identifier(&format!("{owner}_{name}")));
        let numbered = (2_u64..).map(|number| format!("{plain}_{number}"));
        let mut names = std::iter::once(plain.clone()).chain(owned).chain(numbered);
        let is_good = |column: &String| {
            self.columns.entry(column.clone()).or_insert_with(|| example.to_owned()) == example
        };
        names.find(is_good).unwrap_or(plain)
    }

    fn credentials(
        &mut self,
        operation: &Operation,
        query: &mut Vec<(String, String)>,
        headers: &mut Vec<(String, String)>,
        cookies: &mut Vec<String>,
    ) {
        let mut has_auth = false;
        for credential in &operation.security {
            let mut secret = |name: &str| {
                if !self.secrets.iter().any(|known| known == name) {
                    self.secrets.push(name.to_owned());
                }
                format!("${{env:{name}}}")
            };
            match credential {
                Credential::Header(name, variable) => headers.push((escaped(name), secret(variable))),
                Credential::Query(name, variable) => query.push((escaped(name), secret(variable))),
                Credential::Cookie(name, variable) => {
                    cookies.push(format!("{}={}", escaped(name), secret(variable)));
                }
                // A request has one authorization.
                Credential::Bearer(_) | Credential::Basic(_) if has_auth => {}
                Credential::Bearer(variable) => {
                    has_auth = true;
                    let token = secret(variable);
                    let _ = writeln!(self.text, "auth = {{ bearer = {} }}", basic(&token));
                }
                Credential::Basic(variable) => {
                    has_auth = true;
                    let (user, password) =
                        (secret(&format!("{variable}_USER")), secret(&format!("{variable}_PASSWORD")));
                    let _ =
                        writeln!(self.text, "auth = {{ basic = [{}, {}] }}", basic(&user), basic(&password));
                }
            }
        }
    }

    /// The body's line; JSON that TOML has no value for goes out as text with a header of its own.
    fn body(&self, linked: &Linked, headers: &mut Vec<(String, String)>) -> String {
        match &linked.operation.body {
            Body::None => String::new(),
            Body::Form(fields) => {
                let fields = fields.iter().map(|(name, value)| {
                    let value = match linked.fills.get(name) {
                        Some(called) => format!("${{{called}}}"),
                        None if is_tenant(name) => "${tenant}".to_owned(),
                        None => value.clone(),
                    };
                    (escaped(name), value)
                });
                let fields: Vec<(String, String)> = fields.collect();
                let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                format!("form = {}\n", table(fields))
            }
            Body::Text(kind, text) => {
                headers.push(("content-type".to_owned(), kind.clone()));
                format!("body = {}\n", basic(text))
            }
            Body::Json(value) => {
                let filled = filled_json(linked, value);
                let text = filled.to_string();
                match inline(&filled).filter(|_| !text.contains(BARE.0)) {
                    Some(written) => format!("json = {written}\n"),
                    None => {
                        headers.push(("content-type".to_owned(), "application/json".to_owned()));
                        let text = text
                            .replace(&format!("\"{}", BARE.0), "${")
                            .replace(&format!("{}\"", BARE.1), "}");
                        format!("body = {}\n", basic(&text))
                    }
                }
            }
        }
    }

    /// The expected statuses. A rejected step saves nothing, so steps that others depend on must not be
    /// rejected.
    fn status(&mut self, linked: &Linked) {
        let operation = &linked.operation;
        let mut statuses: Vec<String> = operation.statuses.clone();
        if operation.rejects && linked.saves.is_empty() {
            if statuses.is_empty() {
                statuses.push("2xx".to_owned());
            }
            statuses.push("429".to_owned());
        }
        let written = |status: &String| if status.ends_with("xx") { basic(status) } else { status.clone() };
        if !statuses.is_empty() && statuses != ["2xx"] {
            let statuses: Vec<String> = statuses.iter().map(written).collect();
            let _ = writeln!(self.text, "status = [{}]", statuses.join(", "));
        }
    }

    /// The text below the journeys.
    pub(super) fn tail(&mut self, journeys: &[Group], left_out: &[String]) {
        let text = &mut self.text;
        if let (Some(file), false) = (&self.rows, self.columns.is_empty()) {
            text.push_str(
                "\n# Values that no response contains: put as many rows into the file as there are.\n",
            );
            let _ = writeln!(text, "[[feeder]]\nname = \"{FEEDER}\"\nfile = {}", basic(file));
        }
        text.push_str(
            "\n# Few users, who think for a while: what the service takes is for you to say.\n[[load]]\n",
        );
        if journeys.len() > 1 {
            let names = journeys.iter().map(|group| format!("{} = 1", key(&one_line(&group.name))));
            let _ = writeln!(text, "journey  = {{ {} }}", names.collect::<Vec<_>>().join(", "));
        }
        text.push_str("users    = 4\nthink_time = \"500ms..1500ms\"\nduration = \"30s\"\n");
        text.push_str(
            "\n# For example, once there are a thousand requests:\n# [[expect]]\n# that = \"p99 < 250ms\"\n",
        );
        text.push_str("\n# Metrics of the service are not looked at. `saasbench metrics URL --guess` says what could stand here.\n");
        text.push_str("[metrics]\nenabled = false\n");
        if !left_out.is_empty() {
            text.push_str("\n# Left out:\n");
            left_out.iter().for_each(|line| text.push_str(&format!("# {}\n", one_line(line))));
        }
    }

    /// The text, the rows of its feeder, and the variables of its secrets.
    pub(super) fn finish(self) -> (String, Option<String>, Vec<String>) {
        let cell = |text: &String| {
            let text = one_line(text);
            if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
        };
        let line = |cells: Vec<String>| cells.join(",") + "\n";
        let rows = self.rows.filter(|_| !self.columns.is_empty()).map(|_| {
            line(self.columns.keys().map(cell).collect()) + &line(self.columns.values().map(cell).collect())
        });
        (self.text, rows, self.secrets)
    }
}

/// A text as templates can name it.
fn identifier(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = text.chars().map(allowed).collect();
    let is_good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if is_good { name } else { format!("_{name}") }
}

/// A name in a template: it is part of it, and holds no variables.
fn escaped(name: &str) -> String {
    name.replace("${", "$${")
}

/// A value that is the same for all: one of a schema may count requests and users.
fn constant(text: &str) -> String {
    text.replace("${n}", "1").replace("${user}", "1")
}

/// A description's path in the notation of a step: braces are kept, but `${` would start a variable.
fn plain_path(path: &str) -> String {
    let path = path.replace("${", "%24{");
    let plain = |c: char| c.is_ascii_graphic() && !"?#\"<>\\^`|".contains(c);
    path.chars().map(|c| if plain(c) { c.to_string() } else { percent_encoded(&c.to_string()) }).collect()
}

/// A body with values from earlier responses, and with the user's tenant.
fn filled_json(linked: &Linked, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let filled = match (linked.fills.get(name), value) {
                    (Some(called), Value::Number(_)) => {
                        Value::String(format!("{}{called}{}", BARE.0, BARE.1))
                    }
                    (Some(called), Value::String(_)) => Value::String(format!("${{{called}}}")),
                    (None, Value::String(_)) if is_tenant(name) => Value::String("${tenant}".to_owned()),
                    _ => filled_json(linked, value),
                };
                (escaped(name), filled)
            };
            Value::Object(fields.iter().filter(|(_, value)| !value.is_null()).map(field).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| filled_json(linked, item)).collect()),
        other => other.clone(),
    }
}
