//! Charts of a capacity search: latency and throughput by load level with the knee and the capacity's
//! interval, and the Universal Scalability Law fitted to the capacities.

use maud::Markup;

use crate::{
    capacity::{brief, counted, in_brief, level},
    html::chart::{Dot, Frame, Layer, Picture, Plane, Reading, Scale, Shape, Unit, plane},
};
use saasbench_model::{scenario::capacity::By, units::Nanos};
use saasbench_verify::capacity::{
    result::{CapacityReport, Count},
    scaling::Estimate,
    step::{Ending, Step},
};

/// Shape and CSS class of a step.
fn style(ending: Ending) -> (Shape, &'static str) {
    match ending {
        Ending::Held => (Shape::Disc, "success"),
        Ending::Broke => (Shape::Cross, "server"),
        Ending::Generator | Ending::Unsure => (Shape::Ring, "no-response"),
    }
}

/// All styles, with their labels in legends.
const STYLES: [(Shape, &str, &str); 3] = [
    (Shape::Disc, "success", "held"),
    (Shape::Cross, "server", "broke"),
    (Shape::Ring, "no-response", "inconclusive"),
];

/// The steps of a level.
struct Level<'a> {
    at: f64,
    steps: Vec<&'a Step>,
}

fn levels(count: &Count) -> Vec<Level<'_>> {
    let mut steps: Vec<&Step> = count.steps.iter().collect();
    steps.sort_by(|a, b| a.level.total_cmp(&b.level));
    let of = |group: &[&'_ Step]| group.first().map(|first| first.level);
    steps
        .chunk_by(|a, b| a.level == b.level)
        .filter_map(|group| Some(Level { at: of(group)?, steps: group.to_vec() }))
        .collect()
}

impl Level<'_> {
    /// Median over the steps with a result for the service; of two middle values the lower.
    fn median(&self, read: impl Fn(&Step) -> Option<f64>) -> Option<f64> {
        let decided = self.steps.iter().filter(|step| matches!(step.ending, Ending::Held | Ending::Broke));
        let mut values: Vec<f64> = decided.filter_map(|step| read(step)).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len().saturating_sub(1) / 2).copied()
    }
}

fn nanos(value: Option<Nanos>) -> Option<f64> {
    value.map(|value| value.0 as f64)
}

/// The levels that a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// All levels.
    All,
    /// Levels around the capacity.
    Near,
}

impl Range {
    /// Factors on the lower and the upper end of the capacity's interval.
    const MARGIN: (f64, f64) = (0.85, 1.1);

    /// The lowest and highest level shown; `None` without a capacity to show the surroundings of.
    fn ends(self, count: &Count) -> Option<(f64, f64)> {
        match self {
            Self::All => Some((0.0, f64::INFINITY)),
            Self::Near => {
                let Estimate { low, high, .. } = count.capacity?;
                Some((low * Self::MARGIN.0, high * Self::MARGIN.1))
            }
        }
    }
}

/// The axis of load levels: logarithmic for all levels, linear around the capacity.
fn across(count: &Count, by: By, range: Range, ends: (f64, f64)) -> (Scale, Vec<f64>, &'static str) {
    if range == Range::Near {
        let scale = Scale::linear(ends, Frame::LARGE.across());
        let title = match by {
            By::Rate => "target rate, per second",
            By::Users => "users",
        };
        return (scale, scale.ticks(6), title);
    }
    let all = || count.steps.iter().map(|step| step.level).chain(count.held).chain(count.broke);
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(1.0, f64::max));
    let low = if low.is_finite() { low } else { 1.0 };
    let scale = Scale::exactly_log((low * 0.9, high * 1.1), Frame::LARGE.across());
    let title = match by {
        By::Rate => "target rate, per second (log scale)",
        By::Users => "users (log scale)",
    };
    let round = scale.ticks(8);
    // Few round values on a logarithmic axis: linear ticks fill the gaps.
    let ticks = if round.len() < 3 { Scale::linear(scale.domain(), (0.0, 1.0)).ticks(5) } else { round };
    (scale, ticks, title)
}

/// Markers of the capacity and its interval.
fn marks(count: &Count, by: By) -> Vec<Layer> {
    let mut layers = Vec::new();
    if let Some(Estimate { value, low, high }) = count.capacity {
        let text = format!("held at {}, broke at {}", level(by, low), level(by, high));
        layers.push(Layer::Stretch((low, high), text));
        layers.push(Layer::Upright("capacity", value, level(by, value), true));
    }
    layers
}

/// A point per step.
fn dots<'a>(
    steps: &(impl Iterator<Item = &'a Step> + Clone),
    by: By,
    read: &dyn Fn(&Step) -> Option<f64>,
) -> Vec<Layer> {
    let of = |&(shape, class, _): &(Shape, &'static str, &str)| {
        let dots = steps.clone().filter(|step| style(step.ending) == (shape, class));
        let dot = |step: &Step| {
            let text = step.why.clone().unwrap_or_else(|| "held".to_owned());
            Some(Dot {
                place: (step.level, read(step)?),
                interval: None,
                text: format!("{}: {text}", level(by, step.level)),
            })
        };
        Layer::Dots(shape, class, dots.filter_map(dot).collect())
    };
    STYLES.iter().map(of).collect()
}

/// The styles that occur.
fn styles(count: &Count) -> impl Iterator<Item = (Shape, &'static str, &'static str)> {
    let occurs =
        move |shape: Shape, class: &str| count.steps.iter().any(|step| style(step.ending) == (shape, class));
    STYLES.into_iter().filter(move |(shape, class, _)| occurs(*shape, class))
}

/// Latency by load level; `None` without a capacity to show the surroundings of.
pub(super) fn latency(number: usize, count: &Count, report: &CapacityReport, range: Range) -> Option<Markup> {
    let (by, ends) = (report.by, range.ends(count)?);
    let is_shown = |level: f64| (ends.0..=ends.1).contains(&level);
    let levels: Vec<Level<'_>> = levels(count).into_iter().filter(|level| is_shown(level.at)).collect();
    let p99 = |step: &Step| nanos(step.p99);
    let p50 = |step: &Step| nanos(step.p50);
    let curve = |read: &dyn Fn(&Step) -> Option<f64>| {
        levels.iter().filter_map(|level| Some((level.at, level.median(read)?))).collect::<Vec<_>>()
    };
    let steps = || levels.iter().flat_map(|level| level.steps.iter().copied());
    let seen = || steps().flat_map(|step| [p50(step), p99(step)]).flatten();
    let up =
        Scale::log((seen().fold(f64::INFINITY, f64::min), seen().fold(0.0, f64::max)), Frame::LARGE.up());
    let mut layers = marks(count, by);
    layers.push(Layer::Curve("p50", curve(&p50)));
    layers.push(Layer::Curve("p99", curve(&p99)));
    layers.extend(dots(&steps(), by, &p99));
    let mut legend =
        vec![(Shape::Line, "p50", "p50"), (Shape::Line, "p99", "p99"), (Shape::Field, "stretch", "capacity")];
    if let Some(knee) = count.knee.filter(|knee| is_shown(*knee)) {
        layers.push(Layer::Upright("knee", knee, "knee".to_owned(), false));
        legend.push((Shape::Line, "knee", "knee"));
    }
    legend.extend(styles(count));
    let readings = levels.iter().map(|one| Reading {
        across: one.at,
        label: level(by, one.at),
        values: vec![one.median(p50), one.median(p99)],
    });
    let knee = count.knee.map_or("no knee: p99 never stays doubled".to_owned(), |knee| {
        format!("knee at {}: from there on p99 stays doubled", level(by, knee))
    });
    let replicas = counted(count.replicas);
    let (title, id) = match range {
        Range::All => (format!("Latency by load level, {replicas}"), format!("latency-{number}")),
        Range::Near => (format!("Around the capacity, {replicas}"), format!("near-{number}")),
    };
    let description = format!(
        "p50 and p99 of the steps at each load level, from the intended start of each request, on a logarithmic axis. Capacity: {}; {knee}.",
        brief(count, by)
    );
    let picture = Picture { id: &id, title: &title, description: &description, frame: Frame::LARGE };
    Some(plane(&Plane {
        picture,
        across: across(count, by, range, ends),
        up: (up, Unit::Latency),
        layers,
        legend,
        names: vec!["p50", "p99"],
        readings: readings.collect(),
    }))
}

/// Throughput by load level: beyond the capacity it no longer follows the target rate.
pub(super) fn throughput(number: usize, count: &Count, report: &CapacityReport) -> Markup {
    let (levels, by) = (levels(count), report.by);
    let read = |step: &Step| Some(step.responses_per_s);
    let curve: Vec<(f64, f64)> =
        levels.iter().filter_map(|level| Some((level.at, level.median(read)?))).collect();
    let most = count.steps.iter().map(|step| step.responses_per_s).fold(0.0, f64::max);
    let least = count.steps.iter().map(|step| step.responses_per_s).fold(f64::INFINITY, f64::min);
    let up = Scale::log((least.max(most / 1e4), most), Frame::LARGE.up());
    let mut layers = marks(count, by);
    layers.push(Layer::Curve("success", curve));
    layers.extend(dots(&count.steps.iter(), by, &read));
    let mut legend = vec![(Shape::Line, "success", "responses"), (Shape::Field, "stretch", "capacity")];
    legend.extend(styles(count));
    let readings = levels.iter().map(|one| Reading {
        across: one.at,
        label: level(by, one.at),
        values: vec![one.median(read)],
    });
    let title = format!("Throughput by load level, {}", counted(count.replicas));
    let description = format!(
        "Responses per second in the steps at each load level, on logarithmic axes; at most {most:.0} per second."
    );
    let id = format!("throughput-{number}");
    let picture = Picture { id: &id, title: &title, description: &description, frame: Frame::LARGE };
    plane(&Plane {
        picture,
        across: across(count, by, Range::All, (0.0, f64::INFINITY)),
        up: (up, Unit::PerSecond),
        layers,
        legend,
        names: vec!["responses"],
        readings: readings.collect(),
    })
}

/// Capacities by number of replicas, and the fitted law with its confidence band.
pub(super) fn scaling(report: &CapacityReport) -> Markup {
    let by = report.by;
    let most = report.counts.iter().map(|count| count.replicas).max().unwrap_or(1);
    let numbers = 1..=u32::try_from(most + 1).unwrap_or(1);
    let law = report.law().ok();
    let at = |number: u32| law.as_ref().map(|law| law.throughput(number));
    let found = |number: u32| report.counts.iter().find(|count| count.replicas == number as usize);
    let measured: Vec<(&Count, Estimate)> =
        report.counts.iter().filter_map(|count| Some((count, count.capacity?))).collect();
    let highest = numbers.clone().filter_map(at).chain(measured.iter().map(|(_, estimate)| *estimate));
    let up = Scale::from_zero(highest.map(|estimate| estimate.high).fold(0.0, f64::max), Frame::LARGE.up());
    let scale = Scale::linear((0.5, most as f64 + 1.5), Frame::LARGE.across());
    let ticks = scale.ticks(8).into_iter().filter(|tick| tick.fract() == 0.0).collect();
    let fitted = || numbers.clone().filter_map(|number| Some((f64::from(number), at(number)?)));
    let dot = |(count, estimate): &(&Count, Estimate)| Dot {
        place: (count.replicas as f64, estimate.value),
        interval: Some((estimate.low, estimate.high)),
        text: format!(
            "{}: {} to {}",
            counted(count.replicas),
            level(by, estimate.low),
            level(by, estimate.high)
        ),
    };
    let of = |is_sure: bool| measured.iter().filter(|(count, _)| count.sure == is_sure).map(dot).collect();
    let layers = vec![
        Layer::Band("p50", fitted().map(|(number, law)| (number, law.low, law.high)).collect()),
        Layer::Curve("p50", fitted().map(|(number, law)| (number, law.value)).collect()),
        Layer::Dots(Shape::Disc, "limited", of(true)),
        Layer::Dots(Shape::Ring, "no-response", of(false)),
    ];
    let mut legend = vec![(Shape::Disc, "limited", "capacity and its interval")];
    if measured.iter().any(|(count, _)| !count.sure) {
        legend.push((Shape::Ring, "no-response", "not confirmed"));
    }
    if law.is_some() {
        legend.insert(0, (Shape::Line, "p50", "fitted law with 95 % band"));
    }
    let reading = |number: u32| Reading {
        across: f64::from(number),
        label: counted(number as usize),
        values: vec![
            found(number).and_then(|count| count.capacity).map(|capacity| capacity.value),
            at(number).map(|law| law.value),
            at(number).map(|law| law.low),
            at(number).map(|law| law.high),
        ],
    };
    let each = report.counts.iter().map(|count| (count.replicas, brief(count, by)));
    let description =
        format!("Capacity by number of replicas. Measured: {}.", in_brief(&each.collect::<Vec<_>>()));
    let picture =
        Picture { id: "law", title: "Capacity by replicas", description: &description, frame: Frame::LARGE };
    plane(&Plane {
        picture,
        across: (scale, ticks, "replicas"),
        up: (up, if by == By::Rate { Unit::PerSecond } else { Unit::Count }),
        layers,
        legend,
        names: vec!["measured", "law", "law from", "law to"],
        readings: numbers.clone().map(reading).collect(),
    })
}
