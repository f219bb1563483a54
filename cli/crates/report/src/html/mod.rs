//! The report as one self-contained HTML file: no network, no fonts, no third-party scripts.
//!
//! `overview` is the first screen (verdict, what failed, three charts); `claims`, `groups`, `quotas`,
//! `client_server`, `generator` and `provenance` are the sections below it. `chart` draws SVG, `palette`
//! holds the colours, `timeline_events` the markers on time axes, `format` numbers and dates; `capacity` is
//! the report of a capacity search. Text of services and scenarios is escaped (by `maud`); should that ever
//! fail, the page's content security policy forbids it to load anything.

pub mod capacity;
mod chart;
mod claims;
mod client_server;
mod format;
mod generator;
mod groups;
mod overview;
mod palette;
mod pictures;
mod provenance;
mod quotas;
mod summary_text;
mod timeline_events;

use std::borrow::Cow;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::timeline::Timeline;
use crate::html::timeline_events::Mark;
use saasbench_model::{safe_text, units::Nanos};
use saasbench_record::reader::RecordedRun;
use saasbench_verify::Report;

/// File name in a run's directory.
pub const FILE: &str = "report.html";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// The data of a run's report.
struct Page<'a> {
    report: &'a Report,
    run: &'a RecordedRun,
    timeline: &'a Timeline,
    times: Times,
    marks: Vec<Mark>,
}

/// The intervals of a timeline, in seconds since the load started.
#[derive(Debug)]
struct Times {
    zero: Nanos,
    width: f64,
    intervals: Vec<(f64, f64)>,
}

impl Times {
    fn new(run: &RecordedRun, timeline: &Timeline) -> Self {
        let intervals = timeline.intervals();
        let first = intervals.first().map_or(Nanos::ZERO, |first| first.0);
        let zero = run.manifest.load.map_or(first, |load| load.start_ns);
        let seconds = |at: Nanos| (at - zero).as_secs_f64();
        let intervals = intervals.into_iter().map(|(from, to)| (seconds(from), seconds(to))).collect();
        Self { zero, width: timeline.width().as_secs_f64(), intervals }
    }

    /// The same with every `together` neighbouring intervals merged.
    fn coarser(&self, together: usize) -> Self {
        let span = |few: &[(f64, f64)]| {
            (few.first().map_or(0.0, |first| first.0), few.last().map_or(0.0, |last| last.1))
        };
        let intervals = self.intervals.chunks(together).map(span).collect();
        Self { zero: self.zero, width: self.width * together as f64, intervals }
    }

    /// Seconds from the start of the load to an instant of the run.
    fn seconds(&self, at: Nanos) -> f64 {
        (at - self.zero).as_secs_f64()
    }

    /// Start of the first interval and end of the last one.
    fn span(&self) -> (f64, f64) {
        (self.start(), self.intervals.last().map_or(1.0, |last| last.1))
    }

    fn start(&self) -> f64 {
        self.intervals.first().map_or(0.0, |first| first.0)
    }

    fn width(&self) -> f64 {
        self.width
    }

    /// Length of an interval; the last one may be shorter or longer than the others.
    fn length(&self, number: usize) -> f64 {
        self.intervals.get(number).map_or(self.width, |(from, to)| (to - from).max(1e-3))
    }

    fn middle(&self, number: usize) -> f64 {
        self.intervals.get(number).map_or(0.0, |(from, to)| (from + to) / 2.0)
    }
}

impl Page<'_> {
    /// Seconds from the start of the load to an instant of the run.
    fn seconds(&self, at: Nanos) -> f64 {
        self.times.seconds(at)
    }
}

/// Renders the report of a run.
pub fn render(report: &Report, run: &RecordedRun, timeline: &Timeline) -> String {
    let mut page = Page { report, run, timeline, times: Times::new(run, timeline), marks: Vec::new() };
    page.marks = timeline_events::gather(&page);
    let document = Document {
        title: format!("{}: {}", format::word(report.outcome), report.scenario),
        definitions: pictures::definitions(&page),
        skip: ("#claims", "Skip to the claims"),
        header: overview::header(&page),
        first: overview::screen(&page),
        sections: sections(&page),
        source: &report.run,
        origin: "Everything above is computed from the recorded run; times are UTC.",
    };
    safe_text::document(&document.render())
}

/// The parts that all HTML reports share.
struct Document<'a> {
    /// Title of the browser window.
    title: String,
    /// SVG definitions that charts refer to.
    definitions: Markup,
    /// Target and text of the skip link.
    skip: (&'static str, &'static str),
    /// The banner with the verdict.
    header: Markup,
    /// The rest of the first screen.
    first: Markup,
    sections: Vec<Section>,
    /// The directory that it was rendered from.
    source: &'a str,
    /// A note on that source.
    origin: &'static str,
}

impl Document<'_> {
    fn render(self) -> String {
        let Self { title, definitions, skip, header, first, sections, source, origin } = self;
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="generator" content={ "saasbench " (env!("CARGO_PKG_VERSION")) };
                    title { (title) }
                    style { (PreEscaped(palette::variables())) (PreEscaped(STYLE)) }
                }
                body {
                    (definitions)
                    a.skip href=(skip.0) { (skip.1) }
                    (header)
                    main {
                        (first)
                        nav aria-label="Sections" {
                            @for section in &sections { a href={ "#" (section.id) } { (section.title) } }
                        }
                        @for section in &sections {
                            section id=(section.id) aria-labelledby={ (section.id) "-h" } {
                                h2 id={ (section.id) "-h" } { (section.title) }
                                (section.content)
                            }
                        }
                    }
                    footer {
                        p { "Rendered by saasbench " (env!("CARGO_PKG_VERSION")) " from " code { (source) } ". " (origin) }
                    }
                    div #tip aria-hidden="true" hidden {}
                    p #said.unseen role="status" {}
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        document.into_string()
    }
}

/// A section below the first screen.
struct Section {
    id: Cow<'static, str>,
    title: Cow<'static, str>,
    content: Markup,
}

fn sections(page: &Page<'_>) -> Vec<Section> {
    let sections = [
        ("claims", "All claims", Some(claims::all(page))),
        ("tenants", "Tenants", groups::tenants(page)),
        ("quotas", "Quota usage", quotas::all(page)),
        ("replicas", "Replicas", groups::replicas(page)),
        ("sides", "Client vs. server", client_server::all(page)),
        ("alerts", "Alerts", generator::alerts(page)),
        ("events", "Timeline of events", generator::events(page)),
        ("generator", "Load generator", Some(generator::generator(page))),
        ("scenario", "Scenario", Some(provenance::scenario(page))),
        ("machine", "Provenance: versions and machine", Some(provenance::machine(page))),
    ];
    let present = sections.into_iter().filter_map(|(id, title, content)| {
        Some(Section { id: id.into(), title: title.into(), content: content? })
    });
    present.collect()
}

#[cfg(test)]
mod tests;
