//! Events of a run that are marked on every time axis: the end of the warm-up, restarts, alerts, stalls of
//! the generator, and actions of the user or of the run itself.

use maud::{Markup, html};

use super::Page;
use saasbench_model::{plan::time::PlanInstant, units::Nanos};
use saasbench_record::stall::Stall;
use saasbench_verify::{alerts, replicas};

/// Stalls drawn, the longest ones; the run's directory has all.
const STALLS: usize = 60;

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    /// Kind of the event.
    pub(crate) kind: Kind,
    /// Start, in seconds since the load started.
    pub(crate) from: f64,
    /// End; equal to `from` for an instant.
    pub(crate) to: f64,
    /// Description.
    pub(crate) text: String,
}

/// Kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The end of the warm-up.
    Warmup,
    /// A replica or the limiter's store restarted.
    Restart,
    /// An alert fired.
    Alert,
    /// An action of the user or of the run itself.
    Event,
    /// The generator was stalled.
    Stall,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Warmup, Self::Restart, Self::Alert, Self::Event, Self::Stall];

    /// CSS class.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Restart => "restart",
            Self::Alert => "alert",
            Self::Event => "event",
            Self::Stall => "stall",
        }
    }

    /// The letter above its line.
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Warmup => "W",
            Self::Restart => "R",
            Self::Alert => "A",
            Self::Event => "E",
            Self::Stall => "S",
        }
    }

    /// Whether it is rare enough for a letter.
    pub(crate) fn is_lettered(self) -> bool {
        self != Self::Stall
    }

    fn description(self) -> &'static str {
        match self {
            Self::Warmup => "end of the warm-up",
            Self::Restart => "restart",
            Self::Alert => "alert firing",
            Self::Event => "run event",
            Self::Stall => "ticks at the top: generator stalls",
        }
    }
}

/// All recorded events, in order.
pub(crate) fn gather(page: &Page<'_>) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut add = |kind, from: Nanos, to: Nanos, text: String| {
        marks.push(Mark { kind, from: page.seconds(from), to: page.seconds(to), text });
    };
    let (run, scenario) = (page.run, &page.run.scenario);
    if let Some(load) = run.manifest.load.filter(|_| scenario.warmup > Nanos::ZERO) {
        let end = run.manifest.plan_time().to_run_time(PlanInstant(load.start_ns + scenario.warmup));
        if let Some(end) = end.filter(|end| *end <= load.to_ns) {
            add(Kind::Warmup, end, end, format!("the {} warm-up ends", scenario.warmup));
        }
    }
    if let Some(contract) = &scenario.metrics {
        for (scrapes, name) in run.observations.scrapes.iter().zip(run.replica_names()) {
            for (from, to) in replicas::restarts(scrapes, contract) {
                add(Kind::Restart, from, to, format!("replica {name} was restarted"));
            }
        }
    }
    let samples = &run.observations.store;
    let mut known = samples.iter().filter(|sample| sample.run_id.is_some());
    if let Some(mut before) = known.next() {
        for sample in known {
            if sample.run_id != before.run_id {
                add(
                    Kind::Restart,
                    before.to_ns,
                    sample.to_ns,
                    "the limiter's Redis was restarted".to_owned(),
                );
            }
            before = sample;
        }
    }
    for course in alerts::courses(run) {
        if let Some((from, to)) = course.firing {
            add(Kind::Alert, from, to, format!("the alert {} fires", course.alert));
        }
    }
    for event in &run.manifest.events {
        add(Kind::Event, event.at(), event.at(), event.to_string());
    }
    let mut stalls: Vec<&Stall> = run.self_monitor.stalls.iter().collect();
    stalls.sort_by_key(|stall| std::cmp::Reverse(stall.length()));
    for stall in stalls.into_iter().take(STALLS) {
        add(
            Kind::Stall,
            stall.from_ns,
            stall.to_ns,
            format!("generator stall of {}: {}", stall.length(), stall.cause),
        );
    }
    marks.sort_by(|a, b| a.from.total_cmp(&b.from));
    marks
}

/// The legend of the marks that occur in the charts.
pub(crate) fn legend(marks: &[Mark], (from, to): (f64, f64)) -> Markup {
    let occurs =
        |kind: &Kind| marks.iter().any(|mark| mark.kind == *kind && mark.to >= from && mark.from <= to);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(occurs).collect();
    html! {
        @if !kinds.is_empty() {
            p.legend.of-marks {
                "Events in all charts over time: "
                @for kind in kinds {
                    span.entry {
                        svg.swatch.mark.(kind.class()) viewBox="0 0 12 12" aria-hidden="true" {
                            rect x="4" y="0" width="5" height="12" {}
                            line x1="4" x2="4" y1="0" y2="12" {}
                        }
                        @if kind.is_lettered() { (kind.letter()) " " }
                        (kind.description())
                    }
                }
            }
        }
    }
}
