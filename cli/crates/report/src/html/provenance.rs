//! Provenance: the scenario as it ran with its command-line overrides, versions and the machine.

use maud::{Markup, html};

use super::Page;
use saasbench_model::redact;

/// The scenario's text with syntax highlighting.
pub(crate) fn scenario(page: &Page<'_>) -> Markup {
    let text = &page.run.manifest.scenario;
    let overrides = serde_json::to_value(text.overrides).unwrap_or_default();
    let changed: Vec<String> =
        overrides.as_object().into_iter().flatten().map(|(key, value)| changed(key, value)).collect();
    html! {
        p.note { code { (text.file) } ", seed " (page.report.seed) ", SHA-256 " code { (text.sha256) } }
        @if !changed.is_empty() {
            p.note { strong { "Overridden on the command line: " } (changed.join(", ")) }
        }
        @if !text.is_unchanged() { p.remark { "This is not the text that ran: it was modified after the run." } }
        pre.scenario tabindex="0" { @for line in text.text.lines() { (highlighted(line)) "\n" } }
        @for (name, content) in &text.files {
            p.note { code { (name) } ": " (content.lines().count()) " lines, in the run's directory only, since they may be personal data" }
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

/// Highlights a line of TOML: comments, table headers and keys.
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
            dt { "saasbench" } dd { (manifest.saasbench) " recorded the run, " (env!("CARGO_PKG_VERSION")) " rendered this report" }
            dt { "machine" } dd { (manifest.machine.os) ", " (manifest.machine.arch) ", " (manifest.machine.cpus) " CPUs" }
            dt { "environment" } dd {
                (environment.name)
                @if environment.exclusive { ", exclusive" } @else { ", shared" }
                @if environment.fresh { ", fresh (started empty)" } @else { ", with existing state" }
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
