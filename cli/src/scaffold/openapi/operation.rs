//! One operation of a description, as a step needs it: its parameters and body, its response, and its
//! credentials.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    document::Document,
    schema::{self, Walk},
};
use saasbench_model::scenario::notation;

/// The methods that a step can have, as OpenAPI writes them.
const METHODS: [&str; 7] = ["post", "get", "head", "options", "put", "patch", "delete"];

/// An operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// In lower case.
    pub(super) method: &'static str,
    /// The path as written: `/pets/{petId}`.
    pub(super) path: String,
    /// Its first tag, or the first word of its path.
    pub(super) group: String,
    /// What it is for.
    pub(super) summary: Option<String>,
    /// Parameters that it has to have, those of the path first.
    pub(super) parameters: Vec<Parameter>,
    /// What it sends.
    pub(super) body: Body,
    /// Expected statuses as a step has them, without 429; empty: 2xx.
    pub(super) statuses: Vec<String>,
    /// Whether it says that it may reject with 429.
    pub(super) rejects: bool,
    /// Scalar fields of its response: names and JSON Pointers.
    pub(super) responses: BTreeMap<String, String>,
    /// Its credentials; empty for an operation that needs none.
    pub(super) security: Vec<Credential>,
}

/// A parameter of an operation, with a value to send.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: Place,
    /// A value that it may have.
    pub(super) example: String,
}

/// Which part of a request carries a parameter (`in`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In braces in the path.
    Path,
    Query,
    Header,
    Cookie,
}

/// What an operation sends.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// Names and values.
    Form(Vec<(String, String)>),
    /// Text of a type.
    Text(String, String),
}

/// A credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// `Authorization: Bearer`, from this variable.
    Bearer(String),
    /// Basic authentication, from variables with this prefix.
    Basic(String),
    /// A header, from a variable.
    Header(String, String),
    /// A parameter of the query, from a variable.
    Query(String, String),
    /// A cookie, from a variable.
    Cookie(String, String),
}

/// The operations of a description, and a line about each that cannot become a step.
pub(super) fn operations(document: &Document) -> (Vec<Operation>, Vec<String>) {
    let (mut operations, mut left_out) = (Vec::new(), Vec::new());
    let paths = document.root().get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let Some(item) = document.resolve(item) else {
            left_out.push(format!("{path}: it is described in another file"));
            continue;
        };
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            match read(document, method, path, item, operation) {
                Ok(operation) => operations.push(operation),
                Err(why) => left_out.push(format!("{} {path}: {why}", method.to_uppercase())),
            }
        }
        if item.get("trace").is_some() {
            left_out.push(format!("TRACE {path}: no step has this method"));
        }
    }
    (operations, left_out)
}

fn read(
    document: &Document,
    method: &'static str,
    path: &str,
    item: &Value,
    operation: &Value,
) -> Result<Operation, String> {
    let text = |key: &str| operation.get(key).and_then(Value::as_str).map(str::to_owned);
    let tag = operation.pointer("/tags/0").and_then(Value::as_str).map(str::to_owned);
    let word = path.split('/').find(|word| !word.is_empty() && !word.starts_with('{'));
    if !has_paired_braces(path) {
        return Err("the braces in its path are not in pairs around names".to_owned());
    }
    let (statuses, rejects, responses) = responses(document, operation)?;
    Ok(Operation {
        method,
        path: path.to_owned(),
        group: tag.or(word.map(str::to_owned)).unwrap_or_else(|| "root".to_owned()),
        summary: text("summary").or_else(|| text("operationId")),
        parameters: parameters(document, path, item, operation)?,
        body: body(document, operation)?,
        statuses,
        rejects,
        responses,
        security: security(document, operation)?,
    })
}

fn has_paired_braces(path: &str) -> bool {
    let mut parts = path.split('{');
    let is_free = |text: &str| !text.contains('}');
    parts.next().is_none_or(is_free)
        && parts
            .all(|part| part.split_once('}').is_some_and(|(name, after)| !name.is_empty() && is_free(after)))
}

/// The required parameters of a request; those of the operation override those of its path.
fn parameters(
    document: &Document,
    path: &str,
    item: &Value,
    operation: &Value,
) -> Result<Vec<Parameter>, String> {
    let mut found: Vec<Parameter> = Vec::new();
    for list in [operation.get("parameters"), item.get("parameters")] {
        for written in list.and_then(Value::as_array).into_iter().flatten() {
            let parameter = document.resolve(written).ok_or("a parameter is described in another file")?;
            let text = |key: &str| parameter.get(key).and_then(Value::as_str);
            let (Some(name), Some(place)) = (text("name"), text("in")) else { continue };
            let place = match place {
                "path" => Place::Path,
                "query" => Place::Query,
                "header" => Place::Header,
                "cookie" => Place::Cookie,
                other => return Err(format!("parameter {name} stands in `{other}`, which is unknown")),
            };
            if place == Place::Header && notation::header_name(name).is_err() {
                return Err(format!("parameter `{name}` is not the name of a header"));
            }
            let required = place == Place::Path || parameter.get("required") == Some(&Value::Bool(true));
            let known = found.iter().any(|known| known.name == name && known.place == place);
            // OpenAPI ignores these three: body and security define them.
            let own =
                ["accept", "content-type", "authorization"].contains(&name.to_ascii_lowercase().as_str());
            if required && !known && !(place == Place::Header && own) {
                let example =
                    media_example(document, parameter).map(|value| scalar(&value)).unwrap_or_default();
                found.push(Parameter { name: name.to_owned(), place, example });
            }
        }
    }
    for name in path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name) {
        if !found.iter().any(|known| known.place == Place::Path && known.name == name) {
            found.push(Parameter { name: name.to_owned(), place: Place::Path, example: "1".to_owned() });
        }
    }
    Ok(found)
}

/// An example of a parameter or a media type: its own, or one that its schema allows.
fn media_example(document: &Document, media: &Value) -> Option<Value> {
    let named = || {
        let first = media.get("examples")?.as_object()?.values().next()?;
        document.resolve(first)?.get("value")
    };
    let stated = media.get("example").or_else(named);
    stated.map(schema::literal).or_else(|| Walk::new(document).example(media.get("schema")?))
}

/// A value in the notation of paths, queries and forms.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn body(document: &Document, operation: &Value) -> Result<Body, String> {
    let Some(written) = operation.get("requestBody") else { return Ok(Body::None) };
    let body = document.resolve(written).ok_or("its body is described in another file")?;
    let content = body.get("content").and_then(Value::as_object);
    let media = |is: &dyn Fn(&str) -> bool| {
        content.into_iter().flatten().find(|(kind, _)| is(kind.split(';').next().unwrap_or_default().trim()))
    };
    if let Some((_, media)) =
        media(&|kind| kind == "application/json" || kind.ends_with("+json") || kind == "*/*")
    {
        let value = media_example(document, media).ok_or("its body has no schema that can be followed")?;
        return Ok(Body::Json(value));
    }
    if let Some((_, media)) = media(&|kind| kind == "application/x-www-form-urlencoded") {
        let value = media_example(document, media).unwrap_or_default();
        let fields = value.as_object().into_iter().flatten();
        return Ok(Body::Form(fields.map(|(name, value)| (name.clone(), scalar(value))).collect()));
    }
    if let Some((kind, media)) = media(&|kind| kind.starts_with("text/")) {
        let text = media_example(document, media).map(|value| scalar(&value)).unwrap_or_default();
        return Ok(Body::Text(kind.clone(), text));
    }
    let kinds: Vec<&str> = content.into_iter().flatten().map(|(kind, _)| kind.as_str()).collect();
    match (kinds.is_empty(), body.get("required") == Some(&Value::Bool(true))) {
        (false, true) => Err(format!("its body is {}, which a step cannot write", kinds.join(" or "))),
        _ => Ok(Body::None),
    }
}

type Responses = (Vec<String>, bool, BTreeMap<String, String>);

/// The statuses of success, whether it may reject, and the fields of the first successful response.
fn responses(document: &Document, operation: &Value) -> Result<Responses, String> {
    let responses = operation.get("responses").and_then(Value::as_object);
    let mut statuses = Vec::new();
    let (mut rejects, mut fields) = (false, BTreeMap::new());
    for (status, response) in responses.into_iter().flatten() {
        let status = status.to_ascii_lowercase();
        rejects |= status == "429" || status == "4xx";
        let is_good = status.starts_with('2');
        if is_good || status.starts_with('3') {
            statuses.push(status);
        }
        let media = document.resolve(response).and_then(|response| {
            let content = response.get("content")?.as_object()?;
            content.iter().find(|(kind, _)| kind.contains("json")).and_then(|(_, media)| media.get("schema"))
        });
        if let (true, true, Some(schema)) = (is_good, fields.is_empty(), media) {
            scalars(&Walk::new(document), schema, "", &mut fields);
        }
    }
    if statuses.iter().any(|status| status.starts_with('2')) {
        statuses.retain(|status| status.starts_with('2'));
    }
    Ok((statuses, rejects, fields))
}

/// The scalar fields of an object, and of what is within it under `data` or one other name.
fn scalars<'a>(walk: &Walk<'a>, schema: &'a Value, pointer: &str, found: &mut BTreeMap<String, String>) {
    for (name, property) in walk.properties(schema).unwrap_or_default() {
        let at = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        let Some(inner) = walk.properties(property.schema) else { continue };
        if inner.is_empty() {
            found.entry(name.to_owned()).or_insert(at);
        } else if pointer.is_empty() {
            scalars(walk, property.schema, &at, found);
        }
    }
}

/// The credentials of the operation's first alternative; the description's where it has none.
fn security(document: &Document, operation: &Value) -> Result<Vec<Credential>, String> {
    let stated = operation.get("security").or_else(|| document.root().get("security"));
    let first = stated.and_then(Value::as_array).and_then(|all| all.first()).and_then(Value::as_object);
    let mut found = Vec::new();
    for name in first.into_iter().flatten().map(|(name, _)| name) {
        let schemes = document.root().pointer("/components/securitySchemes");
        let scheme = schemes.and_then(|schemes| document.resolve(schemes.get(name)?));
        let scheme = scheme.ok_or_else(|| format!("its security scheme `{name}` is not described"))?;
        let text = |key: &str| scheme.get(key).and_then(Value::as_str).unwrap_or_default();
        let variable = variable(name);
        let key = text("name").to_owned();
        found.push(match (text("type"), text("scheme").to_ascii_lowercase().as_str(), text("in")) {
            ("http", "basic", _) => Credential::Basic(variable),
            ("http", "bearer", _) | ("oauth2" | "openIdConnect", ..) => Credential::Bearer(variable),
            ("apiKey", _, "header") => Credential::Header(key, variable),
            ("apiKey", _, "query") => Credential::Query(key, variable),
            ("apiKey", _, "cookie") => Credential::Cookie(key, variable),
            (kind, scheme, _) => {
                return Err(format!("its security is `{kind}` {scheme}, which a step cannot send"));
            }
        });
    }
    Ok(found)
}

/// The name of an environment variable: `petstore_auth` and `petstoreAuth` are `PETSTORE_AUTH`.
fn variable(name: &str) -> String {
    let mut variable = String::new();
    for c in name.chars() {
        let begins_word = c.is_ascii_uppercase() && variable.ends_with(|c: char| c.is_ascii_lowercase());
        if begins_word {
            variable.push('_');
        }
        variable.push(if c.is_ascii_alphanumeric() { c } else { '_' });
    }
    let variable = variable.to_ascii_uppercase();
    if variable.starts_with(|c: char| c.is_ascii_digit()) { format!("_{variable}") } else { variable }
}
