//! `[http]`: resolves how requests are sent, and checks that the keys fit together.

use super::{Sources, tenants};
use crate::{
    scenario::{
        file::{self, Field},
        http::{ConnectionScope, Dns, Http, Reuse, Version},
        problem::Problem,
    },
    units::Nanos,
};

/// `[http]`; `timeout` is a request's. `None` only after a problem was found.
pub(super) fn http(
    written: Option<file::Http>,
    timeout: Nanos,
    sources: &Sources<'_>,
    found: &mut Vec<Problem>,
) -> Option<Http> {
    let Some(written) = written else { return Some(Http::default()) };
    let before = found.len();
    if let Some(connect) = written.connect_timeout.given().filter(|connect| connect.value > timeout) {
        let message = format!("`connect_timeout` is longer than a request may take, {timeout}");
        let problem = Problem::at(connect.span.clone(), message, "it would never pass");
        found.push(problem.help("shorten it, or lengthen `timeout`"));
    }
    let trust = (written.insecure.given(), written.ca_file.given());
    if let (Some(insecure), Some(ca_file)) = trust
        && insecure.value
    {
        let message = "`insecure` accepts every certificate, whatever has signed it";
        let problem = Problem::at(insecure.span.clone(), message, "");
        found.push(problem.also(ca_file.span.clone(), "so this means nothing").help("leave one of them out"));
    }
    let once = written.connections.given().filter(|scope| scope.value == ConnectionScope::PerRequest);
    if let Some(once) = once {
        let useless = [
            written.max_requests.given().map(|given| ("max_requests", &given.span)),
            written.max_age.given().map(|given| ("max_age", &given.span)),
        ];
        for (key, span) in useless.into_iter().flatten() {
            let message = format!("`{key}` means nothing where each request has a connection of its own");
            let problem = Problem::at(once.span.clone(), message, "");
            found.push(problem.also(span.clone(), "this is never reached").help("leave one of them out"));
        }
    }
    let ca_file = match written.ca_file {
        Field::Absent => None,
        Field::Invalid => return None,
        Field::Given(path) => Some((tenants::read(&path, sources, found)?, path.value)),
    };
    let http = Http {
        version: written.version.or(Version::Auto)?,
        connect_timeout: written.connect_timeout.optional()?,
        dns: written.dns.or(Dns::PerRun)?,
        reuse: Reuse {
            scope: written.connections.optional()?,
            max_requests: written.max_requests.optional()?,
            max_age: written.max_age.optional()?,
        },
        sources: written.sources.or(Vec::new())?,
        insecure: written.insecure.or(false)?,
        ca_file,
    };
    (found.len() == before).then_some(http)
}
