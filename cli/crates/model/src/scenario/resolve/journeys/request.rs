//! What a step sends: path and query, headers including those of the journey, and body.

use percent_encoding::utf8_percent_encode;

use crate::scenario::template::RESERVED;
use crate::scenario::{
    file::{self, Auth, Field, Located, METHODS, Texts},
    notation,
    problem::{Problem, Span, listed, quoted},
    resolve::template::Scope,
    template::{Escape, Piece, Template, pieces},
};

/// Headers that are derived from the request itself.
const OWN_HEADERS: [&str; 3] = ["content-length", "transfer-encoding", "connection"];

/// The headers that a journey gives to its steps, compiled as if every value had been saved.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    headers: Vec<(String, Template, Span)>,
    /// By header: whether any step sends it.
    given: Vec<bool>,
}

impl Defaults {
    /// Compiles them; problems are reported here, once for all steps.
    pub(super) fn read(
        headers: &Texts,
        auth: &Field<Auth>,
        scope: &Scope<'_>,
        found: &mut Vec<Problem>,
    ) -> Self {
        let spans: Vec<Span> = headers.iter().map(|(name, _)| name.span.clone()).collect();
        let mut compiled = self::headers(headers, scope, found);
        let auth_span = auth.given().map(|auth| auth.span.clone()).unwrap_or_default();
        compiled.extend(authorization(auth, headers, scope, found));
        let spans = spans.into_iter().chain([auth_span]);
        let headers: Vec<_> =
            compiled.into_iter().zip(spans).map(|((name, value), span)| (name, value, span)).collect();
        Self { given: vec![false; headers.len()], headers }
    }

    /// Adds those that the step does not set itself, if their values are saved before it.
    fn add_to(&mut self, headers: &mut Vec<(String, Template)>, anonymous: bool, scope: &Scope<'_>) {
        for ((name, value, _), given) in self.headers.iter().zip(&mut self.given) {
            let stated = headers.iter().any(|(stated, _)| stated == name);
            let declined = anonymous && name == "authorization";
            if stated || declined {
                *given = true;
            } else if scope.can_fill(value) {
                headers.push((name.clone(), value.clone()));
                *given = true;
            }
        }
    }

    /// Reports those that no step can send.
    pub(super) fn leftover(&self, found: &mut Vec<Problem>) {
        for ((name, _, span), _) in self.headers.iter().zip(&self.given).filter(|(_, given)| !**given) {
            let message = format!("no step can send header {}", quoted(name));
            let problem =
                Problem::at(span.clone(), message, "it names what is not sure to be saved before any step");
            found.push(problem.help("values of the journey's headers are best saved by a [[journey.start]]"));
        }
    }
}

/// All headers of a step: its own, those of `auth` and `form`, and those of the journey.
pub(super) fn all_headers(
    step: &file::Step<'_>,
    defaults: &mut Defaults,
    scope: &Scope<'_>,
    found: &mut Vec<Problem>,
) -> Vec<(String, Template)> {
    let mut all = headers(&step.headers, scope, found);
    all.extend(authorization(&step.auth, &step.headers, scope, found));
    if step.form.given().is_some() && !all.iter().any(|(name, _)| name == "content-type") {
        let kind = Template::literal("application/x-www-form-urlencoded", Escape::None);
        all.push(("content-type".to_owned(), kind));
    }
    let anonymous = step.auth.given().is_some_and(|auth| matches!(auth.value, Auth::None));
    defaults.add_to(&mut all, anonymous, scope);
    all
}

/// The header for `auth`.
fn authorization(
    auth: &Field<Auth>,
    headers: &Texts,
    scope: &Scope<'_>,
    found: &mut Vec<Problem>,
) -> Option<(String, Template)> {
    const HELP: &str = "auth is { basic = [\"user\", \"password\"] } or { bearer = \"token\" }";
    let auth = auth.given()?;
    let Auth::Table { basic, bearer } = &auth.value else { return None };
    if let Some((name, _)) = headers.iter().find(|(name, _)| name.value.eq_ignore_ascii_case("authorization"))
    {
        let problem = Problem::at(auth.span.clone(), "a request has one authorization", "`auth` is one");
        found.push(problem.also(name.span.clone(), "this header is another"));
    }
    let value = match (basic, bearer) {
        (Field::Absent, Field::Absent) => {
            found.push(Problem::at(auth.span.clone(), "`auth` says nothing", "").help(HELP));
            return None;
        }
        (Field::Given(basic), Field::Absent) => match basic.value.as_slice() {
            [user, password] => credentials(user, password, scope, found),
            _ => {
                let problem = Problem::at(basic.span.clone(), "`basic` takes a user and a password", "");
                found.push(problem.help(HELP));
                return None;
            }
        },
        (Field::Absent, Field::Given(bearer)) => {
            complain_of_controls("the token", bearer, found);
            let mut value = Template::literal("Bearer ", Escape::None);
            scope.push(&mut value, &bearer.value, &bearer.span, found, str::to_owned);
            value
        }
        (Field::Invalid, _) | (_, Field::Invalid) => return None,
        _ => {
            let problem =
                Problem::at(auth.span.clone(), "`auth` is either `basic` or `bearer`", "this is both");
            found.push(problem.help(HELP));
            return None;
        }
    };
    Some(("authorization".to_owned(), value))
}

/// `user:password` (RFC 7617), encoded when it is sent.
fn credentials(
    user: &Located<String>,
    password: &Located<String>,
    scope: &Scope<'_>,
    found: &mut Vec<Problem>,
) -> Template {
    let literals = pieces(&user.value).unwrap_or_default();
    if literals.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains(':'))) {
        found.push(Problem::at(
            user.span.clone(),
            "a user's name cannot hold `:`",
            "basic auth ends it there",
        ));
    }
    let mut value = Template::literal("", Escape::Basic);
    scope.push(&mut value, &user.value, &user.span, found, str::to_owned);
    value.push_text(":");
    scope.push(&mut value, &password.value, &password.span, found, str::to_owned);
    value
}

/// The one method and path of a step; `Some` also for an invalid path, which was reported already.
pub(super) fn request<'s>(
    step: &'s file::Step<'_>,
    found: &mut Vec<Problem>,
) -> Option<(&'static str, &'s Located<String>)> {
    match step.requests.as_slice() {
        [(method, Field::Given(path))] => Some((method, path)),
        [_] => None,
        [] => {
            let problem = Problem::at(step.header.span.clone(), "this step sends nothing", "");
            found.push(problem.help(format!("one of {} says what: post = \"/chat\"", listed(METHODS))));
            None
        }
        several => {
            let mut places: Vec<&Span> =
                several.iter().filter_map(|(_, path)| Some(&path.given()?.span)).collect();
            places.sort_by_key(|span| span.start);
            let mut problem = Problem::new("a step sends one request");
            for (i, span) in places.into_iter().enumerate() {
                problem = problem.also(span.clone(), if i == 0 { "this" } else { "or this?" });
            }
            if problem.labels.is_empty() {
                problem = problem.also(step.header.span.clone(), "");
            }
            found.push(problem.help("give the second request a [[journey.step]] of its own"));
            None
        }
    }
}

/// The route `METHOD /path`, each `${x}` as `{x}`, without the query.
pub(super) fn route(method: &str, path: &Located<String>, given: &Field<String>) -> Option<String> {
    let method = method.to_ascii_uppercase();
    match given {
        Field::Given(route) => return Some(format!("{method} {}", route.value)),
        Field::Invalid => return None,
        Field::Absent => {}
    }
    let mut route = format!("{method} ");
    for piece in pieces(&path.value).ok()? {
        match piece {
            Piece::Text(text) => match text.split_once('?') {
                Some((before, _)) => {
                    route.push_str(before);
                    return Some(route);
                }
                None => route.push_str(text),
            },
            Piece::Variable(name) => route.push_str(&format!("{{{name}}}")),
        }
    }
    Some(route)
}

fn path_template(path: &Located<String>, scope: &Scope<'_>, found: &mut Vec<Problem>) -> Template {
    let text = &path.value;
    let allowed = |c: char| c.is_ascii_graphic() && !r##"#"<>\^`{|}"##.contains(c);
    let literals = pieces(text).unwrap_or_default();
    let odd = literals.iter().find_map(|piece| match piece {
        Piece::Text(text) => text.chars().find(|c| !allowed(*c)),
        Piece::Variable(_) => None,
    });
    if !text.starts_with('/') {
        let problem = Problem::at(path.span.clone(), "a path begins with `/`", "");
        found.push(match text.strip_prefix("http") {
            Some(_) => problem.help("the environment says where the service is; a step gives the path alone"),
            None => problem.help(format!("write {}", quoted(&format!("/{text}")))),
        });
    } else if let Some(odd) = odd {
        let at = scope.inside(&path.span, &odd.to_string());
        let problem = Problem::at(at, format!("a path cannot hold {}", quoted(&odd.to_string())), "");
        found.push(match odd {
            '{' | '}' => problem.help("a variable is written `${name}`: \"/items/${id}\""),
            '#' => problem.help("what follows a `#` is never sent to a server"),
            odd => problem.help(format!("write it as {}", quoted(&percent_encoded(&odd.to_string())))),
        });
    }
    scope.compile(text, &path.span, Escape::Url, found)
}

/// The path with the pairs of `query` appended.
pub(super) fn path_and_query(
    path: &Located<String>,
    query: &Texts,
    scope: &Scope<'_>,
    found: &mut Vec<Problem>,
) -> Template {
    let mut template = path_template(path, scope, found);
    if !query.is_empty() {
        let has_query = pieces(&path.value).is_ok_and(|pieces| {
            pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains('?')))
        });
        template.push_text(if has_query { "&" } else { "?" });
        push_pairs(&mut template, query, scope, found);
    }
    template
}

/// Appends `name=value&name=value`, percent-encoded.
fn push_pairs(template: &mut Template, pairs: &Texts, scope: &Scope<'_>, found: &mut Vec<Problem>) {
    for (i, (name, value)) in pairs.iter().enumerate() {
        template.push_text(if i == 0 { "" } else { "&" });
        scope.push(template, &name.value, &name.span, found, percent_encoded);
        template.push_text("=");
        scope.push(template, &value.value, &value.span, found, percent_encoded);
    }
}

/// Text with everything but unreserved characters (RFC 3986) percent-encoded.
fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn headers(written: &Texts, scope: &Scope<'_>, found: &mut Vec<Problem>) -> Vec<(String, Template)> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    for (name, value) in written {
        let lower = name.value.to_ascii_lowercase();
        let wrong = if !notation::is_token(&lower) {
            Some("is not the name of a header")
        } else if OWN_HEADERS.contains(&lower.as_str()) {
            Some("is set by saasbench itself")
        } else if headers.iter().any(|(earlier, _)| *earlier == lower) {
            Some("is there twice: headers do not tell capitals from small letters")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            found.push(Problem::at(name.span.clone(), format!("{} {wrong}", quoted(&name.value)), ""));
        }
        complain_of_controls(&format!("the value of header {}", quoted(&name.value)), value, found);
        headers.push((lower, scope.compile(&value.value, &value.span, Escape::None, found)));
    }
    headers
}

fn complain_of_controls(what: &str, value: &Located<String>, found: &mut Vec<Problem>) {
    if value.value.chars().any(|c| c.is_control() && c != '\t') {
        found.push(Problem::at(value.span.clone(), format!("{what} holds control characters"), ""));
    }
}

/// The body, from whichever of `json`, `form` and `body` is set.
pub(super) fn body(step: &file::Step<'_>, scope: &Scope<'_>, found: &mut Vec<Problem>) -> Option<Template> {
    let json = step.json.map(|json| (scope.json(json, found), json.span(), "`json`"));
    let form = step.form.given().map(|form| {
        let mut template = Template::literal("", Escape::Url);
        push_pairs(&mut template, &form.value, scope, found);
        (template, form.span.clone(), "`form`")
    });
    let body = step.body.given().map(|body| {
        (scope.compile(&body.value, &body.span, Escape::None, found), body.span.clone(), "`body`")
    });
    let mut bodies = [json, form, body].into_iter().flatten();
    let (template, span, key) = bodies.next()?;
    if let Some((_, other, another)) = bodies.next() {
        let problem = Problem::at(span, "a step has one body", format!("{key} is one"));
        found.push(problem.also(other, format!("{another} is another")));
    }
    Some(template)
}
