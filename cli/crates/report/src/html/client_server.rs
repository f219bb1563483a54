//! Client vs. server: every counter and quantile that a claim compares, with the interval that the claim
//! allows.

use maud::{Markup, html};

use super::{Page, chart::at, claims};
use saasbench_verify::verdict::{Evidence, Outcome, Sides, Verdict};

/// Comparisons shown; failed ones come first.
const SHOWN: usize = 120;

/// The section; `None` where nothing was compared.
pub(crate) fn all(page: &Page<'_>) -> Option<Markup> {
    let of = |verdict| {
        move |finding: &'_ Evidence| Some((verdict, finding.sides?, finding.outcome, finding.subject.clone()))
    };
    let mut rows: Vec<(&Verdict, Sides, Outcome, String)> = Vec::new();
    for verdict in &page.report.verdicts {
        rows.extend(verdict.evidence.iter().filter_map(of(verdict)));
    }
    if rows.is_empty() {
        return None;
    }
    rows.sort_by_key(|(_, _, outcome, _)| std::cmp::Reverse(*outcome));
    let left = rows.len().saturating_sub(SHOWN);
    Some(html! {
        p.note {
            "The upper bar is the interval that the clients' requests allow, the lower one the value (or interval) of the "
            "service's metrics. Requests without a response may or may not have been counted, so they widen a counter's "
            "interval. A quantile is known up to its histogram bucket."
        }
        div.scroll {
            table.both aria-labelledby="sides-h" {
                thead { tr { th { span.unseen { "outcome" } } th { "series" } th { "metric, replica, source" } th.number { "client" } th.number { "server" } th { "client vs. server" } } }
                tbody {
                    @for (verdict, sides, outcome, subject) in rows.iter().take(SHOWN) {
                        tr {
                            td { (claims::mark(*outcome)) }
                            td { code { (subject) } }
                            td { code { (verdict.subject) } }
                            td.number { (shown(*sides, sides.client)) }
                            td.number { (shown(*sides, sides.server)) }
                            td { (bars(*sides, *outcome)) }
                        }
                    }
                }
            }
        }
        @if left > 0 { p.note { "… and " (left) " more comparisons in verdict.json." } }
    })
}

/// `5000`, `4998 to 5000`, `≤ 0.1 s`.
fn shown(sides: Sides, (low, high): (f64, f64)) -> String {
    let unit = if sides.in_seconds { " s" } else { "" };
    match (low, high) {
        (low, high) if low == high => format!("{low}{unit}"),
        (_, f64::INFINITY) => format!("> {low}{unit}"),
        _ => format!("{low} to {high}{unit}"),
    }
}

/// Both intervals on one scale, the client's above the server's.
fn bars(sides: Sides, outcome: Outcome) -> Markup {
    let finite = |value: &f64| value.is_finite();
    let ends = [sides.client.0, sides.client.1, sides.server.0, sides.server.1];
    let (low, high) = ends
        .iter()
        .copied()
        .filter(finite)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)));
    let margin = ((high - low) * 0.15).max(high.abs() * 0.01).max(1e-9);
    let (low, high) = (low - margin, high + margin);
    let place = |value: f64| ((value.clamp(low, high) - low) / (high - low)) * 160.0;
    let bar = |(from, to): (f64, f64), y: f64, class: &str| {
        let (from, to) = (place(from), place(to));
        html! { rect class=(class) x=(at((from - 1.5).max(0.0))) y=(at(y)) width=(at((to - from).max(3.0))) height="8" {} }
    };
    html! {
        svg.bars viewBox="0 0 160 22" aria-hidden="true" {
            (bar(sides.client, 2.0, "client-side"))
            (bar(sides.server, 12.0, if outcome == Outcome::Fail { "server-side broken" } else { "server-side" }))
        }
    }
}
