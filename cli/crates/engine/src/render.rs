//! Renders requests from templates: every step is compiled once for every replica, and rendered into a reused
//! buffer.
//!
//! After compilation, everything constant is one piece of text: method, fields, host, secrets. A variable
//! costs a copy.

mod pieces;

use std::collections::BTreeMap;

use super::{canary::Canaries, cookies::Jar, exchange::Request};
pub(super) use pieces::base64;
use pieces::{Piece, Place, basic, number, put};
use saasbench_model::{
    plan::data_rows::{self, RowRequest},
    scenario::{
        Feeder, Scenario, Step, StepIndex, TenantIndex,
        journey::Check,
        template::{Escape, Part, Template, Variable},
    },
    units::TenantId,
};

/// The parts of a replica's address that its requests contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `host[:port]`, for the `host` field.
    pub authority: String,
    /// Prefix of every path, percent-encoded; empty or `/…` without a trailing slash.
    pub prefix: String,
}

/// Values for the variables of templates.
#[derive(Debug)]
pub struct Values<'a> {
    /// `${tenant}`
    pub tenant: &'a TenantId,
    /// `${user}`
    pub user: u64,
    /// `${n}`
    pub iteration: u64,
    /// `${canary}`: the run's canaries and the tenant; `None` only if no template uses it.
    pub canary: Option<(&'a Canaries, TenantIndex)>,
    /// Index of the load, which selects the user's rows of data.
    pub load: usize,
    /// Saved values by slot.
    pub saved: &'a [Option<String>],
    /// The user's cookies; `None` if the journey keeps none.
    pub cookies: Option<&'a Jar>,
}

/// The compiled steps of a scenario.
#[derive(Debug)]
pub struct Renderer {
    replicas: usize,
    seed: u64,
    /// By step and replica.
    compiled: Vec<Compiled>,
    /// By step and check: the text to compare with, if it has variables.
    compared: Vec<Vec<Option<Vec<Piece>>>>,
    /// With secrets filled in.
    feeders: Vec<Feeder>,
}

/// One step for one replica.
#[derive(Debug)]
struct Compiled {
    head: Vec<Piece>,
    /// `None` if there is no body, and the method needs no length.
    body: Option<Vec<Piece>>,
    is_head: bool,
    keep_head: bool,
    keep_body: bool,
}

/// A value that a template needs was never saved, or is not valid where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderFailed;

impl Renderer {
    /// Compiles every step of a scenario; `secrets` are the values of `${env:NAME}`, `keep_bodies` requests
    /// that every body is kept for the canary search.
    pub fn new(
        scenario: &Scenario,
        origins: &[Origin],
        secrets: &BTreeMap<String, String>,
        keep_bodies: bool,
    ) -> Self {
        let compiler = || Compiler { secrets, pieces: Vec::new() };
        let compile = |step: &Step, origin: &Origin| {
            let cookies = scenario.journeys.get(step.journey).is_some_and(|journey| journey.cookies);
            let mut compiled = compiler().step(step, origin, cookies);
            compiled.keep_body |= keep_bodies;
            compiled
        };
        let compiled = scenario.steps.iter().flat_map(|step| origins.iter().map(move |o| compile(step, o)));
        let compare = |step: &Step| step.checks.iter().map(|check| compiler().check(check)).collect();
        Self {
            replicas: origins.len(),
            seed: scenario.seed,
            compiled: compiled.collect(),
            compared: scenario.steps.iter().map(compare).collect(),
            feeders: scenario.feeders.iter().map(|feeder| feeder.with_secrets(secrets)).collect(),
        }
    }

    /// Renders a step's request into `request`; `body` is a scratch buffer.
    ///
    /// # Errors
    /// When a value is missing, or would break the message.
    pub fn render(
        &self,
        step: StepIndex,
        replica: usize,
        values: &Values<'_>,
        body: &mut Vec<u8>,
        request: &mut Request,
    ) -> Result<(), RenderFailed> {
        let compiled = self.compiled.get(step * self.replicas + replica).ok_or(RenderFailed)?;
        body.clear();
        if let Some(pieces) = &compiled.body {
            self.write(pieces, values, 0, body)?;
        }
        request.bytes.clear();
        self.write(&compiled.head, values, body.len(), &mut request.bytes)?;
        request.body_at = request.bytes.len();
        request.bytes.extend_from_slice(body);
        request.replica = replica;
        request.is_head = compiled.is_head;
        request.keep_head = compiled.keep_head;
        request.keep_body = compiled.keep_body;
        Ok(())
    }

    /// Appends the text that a check compares with; false when a value is missing.
    pub fn fill(&self, step: StepIndex, check: usize, values: &Values<'_>, out: &mut Vec<u8>) -> bool {
        let pieces = self.compared.get(step).and_then(|checks| checks.get(check)?.as_ref());
        pieces.is_some_and(|pieces| self.write(pieces, values, 0, out).is_ok())
    }

    /// The cell in a feeder's column, from the row for the user or the iteration.
    fn fed(&self, feeder: usize, column: usize, values: &Values<'_>) -> Option<&str> {
        let table = self.feeders.get(feeder)?;
        // Users are numbered from 1 in templates.
        let user = values.user.saturating_sub(1);
        let asker = RowRequest { load: values.load, user, iteration: values.iteration };
        table.cell(data_rows::row(table, feeder, self.seed, asker)?, column)
    }

    fn write(
        &self,
        pieces: &[Piece],
        values: &Values<'_>,
        body_length: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), RenderFailed> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text),
                Piece::BodyLength => number(body_length as u64, out),
                Piece::Basic(pieces) => {
                    let mut credentials = Vec::new();
                    self.write(pieces, values, 0, &mut credentials)?;
                    basic(&credentials, out);
                }
                Piece::Cookies => {
                    if let Some(jar) = values.cookies.filter(|jar| !jar.is_empty()) {
                        out.extend_from_slice(b"cookie: ");
                        jar.write_to(out);
                        out.extend_from_slice(b"\r\n");
                    }
                }
                Piece::Variable(variable, place) => match variable {
                    Variable::Tenant => put(*place, values.tenant.as_str(), out)?,
                    // Digits need no escaping anywhere.
                    Variable::User => number(values.user, out),
                    Variable::Iteration => number(values.iteration, out),
                    Variable::Canary => {
                        let (canaries, tenant) = values.canary.ok_or(RenderFailed)?;
                        out.extend_from_slice(canaries.word(tenant).as_bytes());
                    }
                    Variable::Saved(slot) => {
                        let saved = values.saved.get(*slot).and_then(Option::as_deref);
                        put(*place, saved.ok_or(RenderFailed)?, out)?;
                    }
                    Variable::Fed { feeder, column } => {
                        put(*place, self.fed(*feeder, *column, values).ok_or(RenderFailed)?, out)?;
                    }
                    // Compiled away, unless it is missing or not valid here.
                    Variable::Secret(_) => return Err(RenderFailed),
                },
            }
        }
        Ok(())
    }
}

/// Compiles one message.
struct Compiler<'a> {
    secrets: &'a BTreeMap<String, String>,
    pieces: Vec<Piece>,
}

impl Compiler<'_> {
    fn step(mut self, step: &Step, origin: &Origin, cookies: bool) -> Compiled {
        let is_given = |name: &str| step.headers.iter().any(|(given, _)| given == name);
        self.text(step.method.as_bytes());
        self.text(b" ");
        self.text(origin.prefix.as_bytes());
        self.template(&step.path, Place::Path);
        self.text(b" HTTP/1.1\r\n");
        let own = concat!("saasbench/", env!("CARGO_PKG_VERSION"));
        for (name, value) in [("host", origin.authority.as_str()), ("user-agent", own), ("accept", "*/*")] {
            if !is_given(name) {
                self.text(format!("{name}: {value}\r\n").as_bytes());
            }
        }
        for (name, value) in &step.headers {
            self.text(format!("{name}: ").as_bytes());
            if value.escape == Escape::Basic {
                self.credentials(value);
            } else {
                self.template(value, Place::Field);
            }
            self.text(b"\r\n");
        }
        if cookies && !is_given("cookie") {
            self.pieces.push(Piece::Cookies);
        }
        let is_json = step.body.as_ref().is_some_and(|body| body.escape == Escape::Json);
        if is_json && !is_given("content-type") {
            self.text(b"content-type: application/json\r\n");
        }
        // A method that usually has a body states that there is none (RFC 9110, 8.6).
        let expects_body = matches!(step.method.as_str(), "POST" | "PUT" | "PATCH");
        if (step.body.is_some() || expects_body) && !is_given("content-length") {
            self.text(b"content-length: ");
            self.pieces.push(Piece::BodyLength);
            self.text(b"\r\n");
        }
        self.text(b"\r\n");
        let head = std::mem::take(&mut self.pieces);
        let body = step.body.as_ref().map(|body| {
            self.template(body, Place::Body(body.escape));
            std::mem::take(&mut self.pieces)
        });
        Compiled {
            head,
            body,
            is_head: step.method == "HEAD",
            keep_head: cookies || step.reads_head(),
            keep_body: step.reads_body(),
        }
    }

    fn template(&mut self, template: &Template, place: Place) {
        for part in &template.parts {
            match part {
                Part::Text(text) => self.text(text.as_bytes()),
                Part::Variable(Variable::Secret(name)) => {
                    let mut text = Vec::new();
                    // An invalid value fails when the step is rendered.
                    match self.secrets.get(name).map(|secret| put(place, secret, &mut text)) {
                        Some(Ok(())) => self.text(&text),
                        _ => self.pieces.push(Piece::Variable(Variable::Secret(name.clone()), place)),
                    }
                }
                Part::Variable(variable) => self.pieces.push(Piece::Variable(variable.clone(), place)),
            }
        }
    }

    /// The value of `authorization`: encoded now, unless it depends on the user.
    fn credentials(&mut self, template: &Template) {
        let mut inner = Compiler { secrets: self.secrets, pieces: Vec::new() };
        inner.template(template, Place::Body(Escape::None));
        match inner.pieces.as_slice() {
            [Piece::Text(credentials)] => {
                let mut value = Vec::new();
                basic(credentials, &mut value);
                self.text(&value);
            }
            _ => self.pieces.push(Piece::Basic(inner.pieces)),
        }
    }

    /// The text that a check compares with; `None` if it has no variables.
    fn check(mut self, check: &Check) -> Option<Vec<Piece>> {
        let template = check.template().filter(|template| template.as_literal().is_none())?;
        self.template(template, Place::Body(Escape::None));
        Some(self.pieces)
    }

    fn text(&mut self, text: &[u8]) {
        Piece::push_text(&mut self.pieces, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNEY: &str = "version = 1\n[[tenant]]\nid = \"a/b \\\"c\\\" é\"\n[[load]]\nusers = 1\nduration = \"1s\"\n[[journey]]\nname = \"j\"\n";

    fn render(steps: &str, saved: &[Option<String>], secret: &str) -> Vec<Result<String, RenderFailed>> {
        let origin = Origin { authority: "h:1".to_owned(), prefix: "/api".to_owned() };
        let secrets = BTreeMap::from([("PATH".to_owned(), secret.to_owned())]);
        let text = format!("{JOURNEY}{steps}");
        let read_file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let sources =
            saasbench_model::scenario::resolve::Sources { read_file: &read_file, environment: None };
        let scenario = saasbench_model::scenario::resolve::resolve(&text, "t.toml", &sources).unwrap();
        let renderer = Renderer::new(&scenario, &[origin], &secrets, false);
        let canaries = Canaries::new("0000000000000001".to_owned());
        let tenant = &scenario.tenants[0];
        let values = Values {
            tenant,
            user: 2,
            iteration: 7,
            canary: Some((&canaries, 3)),
            load: 0,
            saved,
            cookies: None,
        };
        (0..scenario.steps.len())
            .map(|step| {
                let (mut body, mut request) = (Vec::new(), Request::default());
                renderer.render(step, 0, &values, &mut body, &mut request)?;
                assert_eq!(request.bytes[request.body_at..], body);
                Ok(String::from_utf8(request.bytes).unwrap())
            })
            .collect()
    }

    #[test]
    fn renders_a_complete_request() {
        let steps = r#"
[[journey.start]]
get = "/x/${tenant}?q=${n}"
headers = { X-Key = "k${env:PATH}", Accept = "text/plain" }
save = { sid = "/sid" }
[[journey.step]]
post = "/chat"
json = { t = "${tenant}", s = "${sid}", n = "${n}", u = "${user}", c = "${canary}" }
[[journey.step]]
put = "/chat"
headers = { Host = "other", Content-Type = "text/x" }
body = "<${tenant}>"
[[journey.step]]
delete = "/chat"
[[journey.step]]
post = "/empty"
"#;
        let rendered = render(steps, &[Some("s\n1".to_owned())], "s3");
        let whole: Vec<String> = rendered.into_iter().map(Result::unwrap).collect();
        insta::assert_snapshot!(whole.join("\n---\n").replace('\r', ""));
    }

    #[test]
    fn a_value_that_would_break_the_message_is_not_sent() {
        let steps = r#"
[[journey.start]]
get = "/"
headers = { X-A = "${env:PATH}" }
save = { sid = "/sid" }
[[journey.step]]
get = "/${sid}"
[[journey.step]]
get = "/"
headers = { X-A = "${sid}" }
"#;
        let of = |saved: Option<&str>, secret| {
            let rendered = render(steps, &[saved.map(str::to_owned)], secret);
            rendered.iter().map(Result::is_ok).collect::<Vec<_>>()
        };
        assert_eq!(of(Some("x"), "y"), [true, true, true]);
        assert_eq!(of(Some("x\r\nX-B: z"), "y"), [true, true, false]);
        assert_eq!(of(None, "y\n"), [false, false, false]);
    }
}
