//! What happened during a run and is marked on every axis of time: faults of the service, restarts, alerts, stalls of the
//! generator, and what the user or the run itself did.

use maud::{Markup, html};

use super::Page;
use saasbench_model::units::Nanos;
use saasbench_record::stall::Stall;
use saasbench_verify::{alerts, replicas};

/// Stalls that are drawn, the longest ones; the rest stand in the record.
const STALLS: usize = 60;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    /// What sort of thing.
    pub(crate) kind: Kind,
    /// When it began, in seconds since the load began.
    pub(crate) from: f64,
    /// When it was over; the same for an instant.
    pub(crate) to: f64,
    /// What exactly.
    pub(crate) text: String,
}

/// A sort of things that happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The end of the warm-up.
    Warmup,
    /// A replica or the limiter's store began anew.
    Restart,
    /// An alert fired.
    Alert,
    /// The user or the run itself did something.
    Event,
    /// The generator did not run.
    Stall,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Warmup, Self::Restart, Self::Alert, Self::Event, Self::Stall];

    /// Its name in the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Warmup => "warmup",
            Self::Restart => "restart",
            Self::Alert => "alert",
            Self::Event => "event",
            Self::Stall => "stall",
        }
    }

    /// What stands above its line.
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

    fn told(self) -> &'static str {
        match self {
            Self::Warmup => "end of the warm-up",
            Self::Restart => "restart seen",
            Self::Alert => "alert firing",
            Self::Event => "event of the run",
            Self::Stall => "ticks at the top: the generator's machine stood still",
        }
    }
}

/// Everything that is known to have happened, in order.
pub(crate) fn gather(page: &Page<'_>) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut add = |kind, from: Nanos, to: Nanos, text: String| {
        marks.push(Mark { kind, from: page.seconds(from), to: page.seconds(to), text });
    };
    let (run, scenario) = (page.run, &page.run.scenario);
    if let Some(load) = run.manifest.load.filter(|_| scenario.warmup > Nanos::ZERO) {
        let end = run.manifest.plan_time().comes(load.start_ns + scenario.warmup);
        if end <= load.to_ns {
            add(Kind::Warmup, end, end, format!("the warm-up of {} ends", scenario.warmup));
        }
    }
    if let Some(contract) = &scenario.metrics {
        for (scrapes, name) in run.observations.scrapes.iter().zip(run.replica_names()) {
            for (from, to) in replicas::restarts(scrapes, contract) {
                add(Kind::Restart, from, to, format!("replica {name} was restarted"));
            }
        }
    }
    let looks = &run.observations.store;
    let mut known = looks.iter().filter(|look| look.run_id.is_some());
    if let Some(mut before) = known.next() {
        for look in known {
            if look.run_id != before.run_id {
                add(Kind::Restart, before.to_ns, look.to_ns, "the limiter's Redis was restarted".to_owned());
            }
            before = look;
        }
    }
    for course in alerts::courses(run) {
        if let Some((from, to)) = course.firing {
            add(Kind::Alert, from, to, format!("the alert {} fires", course.alert));
        }
    }
    for event in &run.manifest.events {
        add(Kind::Event, event.at_ns, event.at_ns, event.text.clone());
    }
    let mut stalls: Vec<&Stall> = run.watched.stalls.iter().collect();
    stalls.sort_by_key(|stall| std::cmp::Reverse(stall.length()));
    for stall in stalls.into_iter().take(STALLS) {
        add(
            Kind::Stall,
            stall.from_ns,
            stall.to_ns,
            format!("a stall of {}: {}", stall.length(), stall.cause),
        );
    }
    marks.sort_by(|a, b| a.from.total_cmp(&b.from));
    marks
}

/// What the marks mean, as far as there are any in the pictures.
pub(crate) fn legend(marks: &[Mark], (from, to): (f64, f64)) -> Markup {
    let there =
        |kind: &Kind| marks.iter().any(|mark| mark.kind == *kind && mark.to >= from && mark.from <= to);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(there).collect();
    html! {
        @if !kinds.is_empty() {
            p.legend.of-marks {
                "In every picture over time: "
                @for kind in kinds {
                    span.entry {
                        svg.swatch.mark.(kind.class()) viewBox="0 0 12 12" aria-hidden="true" {
                            rect x="4" y="0" width="5" height="12" {}
                            line x1="4" x2="4" y1="0" y2="12" {}
                        }
                        @if kind.is_lettered() { (kind.letter()) " " }
                        (kind.told())
                    }
                }
            }
        }
    }
}
