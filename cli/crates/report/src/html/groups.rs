//! Tenants and replicas side by side: throughput, share of rejected requests, and latency of each, on common
//! scales.

use maud::{Markup, html};

use super::{
    Page, Times,
    chart::{Form, Frame, OverTime, Picture, Series, Unit, over_time},
    pictures::rates,
};
use crate::html::format::grouped;
use crate::timeline::{Cell, Group, Kind, TENANTS};

/// Maximum intervals of a small chart: about one per three pixels.
const INTERVALS: usize = 80;

/// A group's history in the intervals of a small chart.
struct Sparkline<'a> {
    times: &'a Times,
    group: Group,
    id: String,
    name: String,
    cells: Vec<Cell>,
}

/// The tenants' section; `None` without requests.
pub(crate) fn tenants(page: &Page<'_>) -> Option<Markup> {
    let groups: Vec<Group> = page.timeline.groups().iter().copied().filter(is_tenant).collect();
    let others = groups.contains(&Group::OtherTenants);
    let shown = some(page, &groups)?;
    Some(html! {
        @if others {
            p.note {
                "Shown are the " (TENANTS) " tenants with the highest planned load; all others are merged. "
                "verdict.json has a row for each tenant."
            }
        }
        (shown)
    })
}

/// The replicas' section.
pub(crate) fn replicas(page: &Page<'_>) -> Option<Markup> {
    let groups: Vec<Group> =
        page.timeline.groups().iter().copied().filter(|group| matches!(group, Group::Replica(_))).collect();
    some(page, &groups)
}

fn is_tenant(group: &Group) -> bool {
    matches!(group, Group::Tenant(_) | Group::OtherTenants)
}

fn some(page: &Page<'_>, groups: &[Group]) -> Option<Markup> {
    let together = page.times.intervals.len().div_ceil(INTERVALS).max(1);
    let times = page.times.coarser(together);
    let sparkline = |(number, group): (usize, &Group)| {
        let history = page.timeline.history(*group);
        let cells: Vec<Cell> = history.chunks(together).map(|few| sum(few.iter().copied())).collect();
        let id = format!("{}-{number}", if is_tenant(group) { "tenant" } else { "replica" });
        let has_requests = cells.iter().any(|cell| cell.requests() > 0 || cell.count(Kind::Dropped) > 0);
        has_requests.then(|| Sparkline { times: &times, group: *group, id, name: name(page, *group), cells })
    };
    let all: Vec<Sparkline<'_>> = groups.iter().enumerate().filter_map(sparkline).collect();
    let most = all.iter().map(Sparkline::fastest).fold(0.0, f64::max);
    (!all.is_empty()).then(|| html! { @for one in &all { (one.draw(most)) } })
}

fn sum<'a>(cells: impl Iterator<Item = &'a Cell>) -> Cell {
    cells.fold(Cell::default(), |mut sum, cell| {
        sum.merge(cell);
        sum
    })
}

fn name(page: &Page<'_>, group: Group) -> String {
    match group {
        Group::Tenant(tenant) => {
            page.run.scenario.tenants.get(tenant).map(ToString::to_string).unwrap_or_default()
        }
        Group::Replica(replica) => page.run.replica_names().get(replica).cloned().unwrap_or_default(),
        Group::OtherTenants => "all other tenants".to_owned(),
        Group::All => "all".to_owned(),
    }
}

impl Sparkline<'_> {
    /// Its highest request rate, per second.
    fn fastest(&self) -> f64 {
        let each = self.cells.iter().enumerate();
        each.map(|(number, cell)| cell.requests() as f64 / self.times.length(number)).fold(0.0, f64::max)
    }

    /// Its three charts; `most` is the highest rate of all groups.
    fn draw(&self, most: f64) -> Markup {
        let total = sum(self.cells.iter());
        let quantile = |q: f64| total.latency.quantile(q).map_or("–".to_owned(), |value| value.to_string());
        let rejected = total.count(Kind::Limited) as f64 * 100.0 / total.requests().max(1) as f64;
        // A group far below the others would be a flat line on their scale.
        let most = if self.fastest() * 20.0 < most { 0.0 } else { most };
        html! {
            div.group-of {
                h3 { @if let Group::Replica(_) = self.group { "replica " } (self.name) }
                p.note {
                    (grouped(total.requests())) " requests · " (format!("{rejected:.1}")) " % rejected with 429 · p50 "
                    (quantile(0.5)) " · p99 " (quantile(0.99)) " · max " (quantile(1.0))
                }
                div.many { (self.throughput(most)) (self.rejections()) (self.latency()) }
            }
        }
    }

    fn throughput(&self, at_least: f64) -> Markup {
        let cells: Vec<&Cell> = self.cells.iter().collect();
        let series = rates(&cells, self.times);
        let description = format!("Requests per second of {} by outcome.", self.name);
        self.over_time(
            "rate",
            "Requests per second",
            &description,
            (Unit::PerSecond, Form::Stacked, at_least),
            series,
        )
    }

    fn rejections(&self) -> Markup {
        let share = |cell: &Cell| {
            let requests = cell.requests();
            (requests > 0).then(|| cell.count(Kind::Limited) as f64 * 100.0 / requests as f64)
        };
        let values = self.cells.iter().map(share).collect();
        let series = vec![Series { name: "429".to_owned(), class: "limited", values }];
        let description = format!("The share of requests of {} with status 429.", self.name);
        self.over_time("rejected", "Share of 429", &description, (Unit::Percent, Form::Lines, 100.0), series)
    }

    fn latency(&self) -> Markup {
        let of = |name: &str, class, q: f64| Series {
            name: name.to_owned(),
            class,
            values: self
                .cells
                .iter()
                .map(|cell| cell.latency.quantile(q).map(|value| value.0 as f64))
                .collect(),
        };
        let series = vec![of("p50", "p50", 0.5), of("p99", "p99", 0.99)];
        let description = format!("Latency of {} from the intended start of each request.", self.name);
        self.over_time(
            "latency",
            "Latency, p50 and p99",
            &description,
            (Unit::Latency, Form::LogLines, 0.0),
            series,
        )
    }

    fn over_time(
        &self,
        what: &str,
        title: &str,
        description: &str,
        (unit, form, at_least): (Unit, Form, f64),
        series: Vec<Series>,
    ) -> Markup {
        let id = format!("{}-{what}", self.id);
        let picture = Picture { id: &id, title, description, frame: Frame::SMALL };
        over_time(&OverTime { picture, unit, form, series, at_least }, self.times)
    }
}
