//! `[http]`: resolves how requests are sent, and checks that the keys fit together.

use super::{Sources, tenants};
use crate::{
    scenario::{
        file::{self, Field},
        http::{Dns, Http, Version},
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
    let ca_file = match written.ca_file {
        Field::Absent => None,
        Field::Invalid => return None,
        Field::Given(path) => Some((tenants::read(&path, sources, found)?, path.value)),
    };
    let http = Http {
        version: written.version.or(Version::Auto)?,
        connect_timeout: written.connect_timeout.optional()?,
        dns: written.dns.or(Dns::PerRun)?,
        sources: written.sources.or(Vec::new())?,
        insecure: written.insecure.or(false)?,
        ca_file,
    };
    (found.len() == before).then_some(http)
}
