//! Where the run comes from: its scenario as it ran, what the command line changed of it, versions and the machine.

use maud::{Markup, html};

use super::Page;
use saasbench_model::redact;

/// The scenario's text, lightly coloured.
pub(crate) fn scenario(page: &Page<'_>) -> Markup {
    let text = &page.run.manifest.scenario;
    let overrides = serde_json::to_value(text.overrides).unwrap_or_default();
    let changed: Vec<String> =
        overrides.as_object().into_iter().flatten().map(|(key, value)| changed(key, value)).collect();
    html! {
        p.note { code { (text.file) } ", seed " (page.report.seed) ", SHA-256 " code { (text.sha256) } }
        @if !changed.is_empty() {
            p.note { strong { "Changed by the command line: " } (changed.join(", ")) }
        }
        @if !text.is_unchanged() { p.remark { "This is not the text that was run: it was changed in the record." } }
        pre.scenario tabindex="0" { @for line in text.text.lines() { (highlighted(line)) "\n" } }
        @for (name, content) in &text.files {
            p.note { code { (name) } ": " (content.lines().count()) " lines, in the record and not here, since they may be people's data" }
        }
    }
}

fn changed(key: &str, value: &serde_json::Value) -> String {
    match (key, value.as_i64()) {
        ("duration", Some(nanos)) => format!("duration {}", saasbench_model::units::Nanos(nanos)),
        ("rate" | "spawn", _) => format!("{key} {value}/s"),
        _ => format!("{key} {value}"),
    }
}

/// A line of TOML: comments, headers of tables, keys and the rest.
fn highlighted(line: &str) -> Markup {
    let start = line.trim_start();
    if start.starts_with('#') {
        return html! { span.comment { (line) } };
    }
    if start.starts_with('[')
        && start.trim_end().ends_with(']')
        && !start.contains('=')
        && !start.contains('"')
    {
        return html! { span.table { (line) } };
    }
    let key_ends = line.find('=').filter(|at| {
        line[..*at].chars().all(|character| character.is_alphanumeric() || " _-.".contains(character))
    });
    match key_ends {
        Some(at) => html! { span.key { (&line[..at]) } (&line[at..]) },
        None => html! { (line) },
    }
}

/// Versions and the machine.
pub(crate) fn machine(page: &Page<'_>) -> Markup {
    let manifest = &page.run.manifest;
    let environment = &manifest.environment;
    html! {
        dl.facts-of {
            dt { "saasbench" } dd { (manifest.saasbench) " recorded it, " (env!("CARGO_PKG_VERSION")) " made this page" }
            dt { "machine" } dd { (manifest.machine.os) ", " (manifest.machine.arch) ", " (manifest.machine.cpus) " processors" }
            dt { "environment" } dd {
                (environment.name)
                @if environment.exclusive { ", alone on it" } @else { ", others use it, too" }
                @if environment.fresh { ", started empty" } @else { ", with what was there before" }
                ", clocks within " (environment.clock_offset_ns)
            }
            @for replica in &environment.replicas {
                dt { "replica " (replica.name) } dd { code { (redact::url(&replica.url)) } @if environment.http2.contains(&replica.name) { " (HTTP/2)" } }
            }
            @if let Some(url) = &environment.prometheus { dt { "Prometheus" } dd { code { (redact::url(url)) } } }
            @if let Some(url) = &environment.redis { dt { "Redis" } dd { code { (redact::url(url)) } } }
            @for (name, version) in &environment.programs { dt { (name) } dd { (version) } }
            dt { "recorded in" } dd { code { (page.report.run) } }
        }
    }
}
