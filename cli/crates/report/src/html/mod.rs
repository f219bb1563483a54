//! The report as one HTML file that needs nothing else: no network, no font, no script of another. `first` is the first screen:
//! the verdict, what broke, three pictures; the other files are the sections below it. `chart` draws, `palette` colours,
//! `marks` is what happened when; `capacity` is the page of a search for the capacity. Everything that a service or a scenario says is escaped (by `maud`), and the page allows
//! itself to load nothing, should that ever fail.

pub mod capacity;
mod chart;
mod claims;
mod client_server;
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
use saasbench_model::units::Nanos;
use saasbench_record::reader::RecordedRun;
use saasbench_verify::{Report, verdict::Outcome};

/// The file's name in the recorded run.
pub const FILE: &str = "report.html";

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// What a page is made from.
struct Page<'a> {
    report: &'a Report,
    run: &'a RecordedRun,
    timeline: &'a Timeline,
    times: Times,
    marks: Vec<Mark>,
}

/// The intervals of a timeline, in seconds since the load began.
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

    /// The same with so many neighbours taken together.
    fn coarser(&self, together: usize) -> Self {
        let span = |few: &[(f64, f64)]| {
            (few.first().map_or(0.0, |first| first.0), few.last().map_or(0.0, |last| last.1))
        };
        let intervals = self.intervals.chunks(together).map(span).collect();
        Self { zero: self.zero, width: self.width * together as f64, intervals }
    }

    /// An instant of the run.
    fn seconds(&self, at: Nanos) -> f64 {
        (at - self.zero).as_secs_f64()
    }

    /// When the first interval begins and the last one ends.
    fn span(&self) -> (f64, f64) {
        (self.begin(), self.intervals.last().map_or(1.0, |last| last.1))
    }

    fn begin(&self) -> f64 {
        self.intervals.first().map_or(0.0, |first| first.0)
    }

    fn width(&self) -> f64 {
        self.width
    }

    /// How long an interval is; the last one may be shorter or longer than the others.
    fn length(&self, number: usize) -> f64 {
        self.intervals.get(number).map_or(self.width, |(from, to)| (to - from).max(1e-3))
    }

    fn middle(&self, number: usize) -> f64 {
        self.intervals.get(number).map_or(0.0, |(from, to)| (from + to) / 2.0)
    }
}

impl Page<'_> {
    /// An instant of the run, in seconds since the load began.
    fn seconds(&self, at: Nanos) -> f64 {
        self.times.seconds(at)
    }
}

/// Renders the page.
pub fn render(report: &Report, run: &RecordedRun, timeline: &Timeline) -> String {
    let mut page = Page { report, run, timeline, times: Times::new(run, timeline), marks: Vec::new() };
    page.marks = timeline_events::gather(&page);
    let document = Document {
        title: format!("{}: {}", word(report.outcome), report.scenario),
        definitions: pictures::definitions(&page),
        skip: ("#claims", "Skip to the claims"),
        header: overview::header(&page),
        first: overview::screen(&page),
        sections: sections(&page),
        source: &report.run,
        origin: "Everything above comes from the recorded run; times are UTC.",
    };
    document.render()
}

/// What every page has.
struct Document<'a> {
    /// Of the window.
    title: String,
    /// What pictures refer to.
    definitions: Markup,
    /// Where the keyboard goes first, and what that is called.
    skip: (&'static str, &'static str),
    /// What it came to.
    header: Markup,
    /// The rest of the first screen.
    first: Markup,
    sections: Vec<Section>,
    /// The directory that it was made from.
    source: &'a str,
    /// What to know of that.
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
                        p { "Made by saasbench " (env!("CARGO_PKG_VERSION")) " from " code { (source) } ". " (origin) }
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

/// A part of the page below the first screen.
struct Section {
    id: Cow<'static, str>,
    title: Cow<'static, str>,
    content: Markup,
}

fn sections(page: &Page<'_>) -> Vec<Section> {
    let sections = [
        ("claims", "All claims", Some(claims::all(page))),
        ("tenants", "Tenants", groups::tenants(page)),
        ("quotas", "Quotas and their use", quotas::all(page)),
        ("replicas", "Replicas", groups::replicas(page)),
        ("sides", "Clients and server", client_server::all(page)),
        ("alerts", "Alerts", generator::alerts(page)),
        ("events", "What happened", generator::events(page)),
        ("generator", "The generator's health", Some(generator::generator(page))),
        ("scenario", "The scenario as it ran", Some(provenance::scenario(page))),
        ("machine", "Versions and machine", Some(provenance::machine(page))),
    ];
    let there = sections.into_iter().filter_map(|(id, title, content)| {
        Some(Section { id: id.into(), title: title.into(), content: content? })
    });
    there.collect()
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "Passed",
        Outcome::Fail => "Failed",
        Outcome::Inconclusive => "Inconclusive",
    }
}

/// `✓`, `✗` or `?`.
fn sign(outcome: Outcome) -> char {
    match outcome {
        Outcome::Pass => '✓',
        Outcome::Fail => '✗',
        Outcome::Inconclusive => '?',
    }
}

/// An outcome's name in the style sheet.
fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Inconclusive => "unsure",
    }
}

#[cfg(test)]
mod tests;
