//! `[http]` as written.

use std::net::IpAddr;

use super::{
    read::{Field, Located, Table},
    values::one_or_more,
};
use crate::{
    scenario::{
        http::{ConnectionScope, Dns, Version},
        notation::{self, Complaint},
        problem::{Problem, quoted},
    },
    units::Nanos,
};

/// `[http]`
#[derive(Debug)]
pub(in crate::scenario) struct Http {
    pub(in crate::scenario) version: Field<Version>,
    pub(in crate::scenario) connect_timeout: Field<Nanos>,
    pub(in crate::scenario) dns: Field<Dns>,
    pub(in crate::scenario) connections: Field<ConnectionScope>,
    pub(in crate::scenario) max_requests: Field<u64>,
    pub(in crate::scenario) max_age: Field<Nanos>,
    pub(in crate::scenario) sources: Field<Vec<IpAddr>>,
    pub(in crate::scenario) insecure: Field<bool>,
    pub(in crate::scenario) ca_file: Field<String>,
}

impl Http {
    pub(super) fn read(table: &Table<'_>, found: &mut Vec<Problem>) -> Self {
        Self {
            version: table.parsed("version", found, version),
            connect_timeout: table.parsed("connect_timeout", found, notation::positive_duration),
            dns: table.parsed("dns", found, dns),
            connections: table.parsed("connections", found, connections),
            max_requests: table.whole("max_requests", 1, found),
            max_age: table.parsed("max_age", found, notation::positive_duration),
            sources: sources(one_or_more(table, "source_addresses", found), found),
            insecure: table.boolean("insecure", found),
            ca_file: table.text("ca_file", found),
        }
    }
}

fn version(text: &str) -> Result<Version, Complaint> {
    match text {
        "auto" => Ok(Version::Auto),
        "1.1" => Ok(Version::Http11),
        "2" => Ok(Version::Http2),
        _ => Err(Complaint::new("this HTTP is not spoken here", "versions are \"auto\", \"1.1\" and \"2\"")),
    }
}

fn dns(text: &str) -> Result<Dns, Complaint> {
    match text {
        "per-run" => Ok(Dns::PerRun),
        "per-connection" => Ok(Dns::PerConnection),
        _ => Err(Complaint::new(
            "this is no time to resolve a name",
            "dns is \"per-run\" or \"per-connection\"",
        )),
    }
}

fn connections(text: &str) -> Result<ConnectionScope, Complaint> {
    match text {
        "reuse" => Ok(ConnectionScope::Reuse),
        "per-iteration" => Ok(ConnectionScope::PerIteration),
        "per-request" => Ok(ConnectionScope::PerRequest),
        _ => Err(Complaint::new(
            "this does not say what shares a connection",
            "connections is \"reuse\", \"per-iteration\" or \"per-request\"",
        )),
    }
}

/// Expands addresses and ranges.
fn sources(written: Field<Vec<Located<String>>>, found: &mut Vec<Problem>) -> Field<Vec<IpAddr>> {
    let Field::Given(Located { value: written, span }) = written else {
        return if written.is_absent() { Field::Absent } else { Field::Invalid };
    };
    let before = found.len();
    if written.is_empty() {
        let help = "leave `source_addresses` out, and the system chooses";
        found.push(Problem::at(span.clone(), "there is no source address", "").help(help));
    }
    let mut all = Vec::new();
    for text in &written {
        match notation::addresses(&text.value) {
            Ok(addresses) => all.extend(addresses),
            Err(complaint) => {
                let message = format!("{} is not a source address", quoted(&text.value));
                found.push(Problem::at(text.span.clone(), message, complaint.message).help(complaint.help));
            }
        }
    }
    if found.len() == before { Field::Given(Located { value: all, span }) } else { Field::Invalid }
}
