//! `[[expect]]`: resolves which samples a bound covers and which bounds are about Prometheus, and checks for
//! duplicates.

use super::{journeys::Journeys, tenants::Tenants};
use crate::scenario::{
    JourneyIndex, StepIndex,
    expectation::{Expectation, Filter},
    file::{self, Located},
    problem::{Problem, Span, did_you_mean, listed, quoted},
    promql::{At, Promql},
};

/// Resolves all of them; those with a problem are left out.
pub(super) fn resolve(
    written: Vec<file::Expect>,
    tenants: &Tenants,
    journeys: &Journeys,
    found: &mut Vec<Problem>,
) -> (Vec<Expectation>, Vec<Promql>) {
    let mut resolved: Vec<(Expectation, Span)> = Vec::new();
    let mut asked: Vec<(Promql, Span)> = Vec::new();
    for expect in written {
        let of_prometheus = [expect.promql.is_absent(), expect.is.is_absent(), expect.at.is_absent()];
        if of_prometheus.contains(&false) {
            let Some((promql, span)) = promql(expect, found) else { continue };
            if let Some((_, first)) = asked
                .iter()
                .find(|(other, _)| Promql { stated_at: promql.stated_at, ..other.clone() } == promql)
            {
                let message = format!("{} is expected twice", quoted(&promql.query));
                found
                    .push(Problem::at(span.clone(), message, "again here").also(first.clone(), "first here"));
            }
            asked.push((promql, span));
            continue;
        }
        let Some((expectation, span)) = one(expect, tenants, journeys, found) else { continue };
        let same = |(other, _): &&(Expectation, Span)| {
            Expectation { that: expectation.that.clone(), stated_at: expectation.stated_at, ..other.clone() }
                == expectation
        };
        if let Some((_, first)) = resolved.iter().find(same) {
            let message = format!("{} is expected twice of the same requests", quoted(&expectation.that));
            found.push(Problem::at(span.clone(), message, "again here").also(first.clone(), "first here"));
        }
        resolved.push((expectation, span));
    }
    let asked = asked.into_iter().map(|(promql, _)| promql).collect();
    (resolved.into_iter().map(|(expectation, _)| expectation).collect(), asked)
}

/// An expectation with `promql`.
fn promql(expect: file::Expect, found: &mut Vec<Problem>) -> Option<(Promql, Span)> {
    let before = found.len();
    if let Some(that) = expect.that.given() {
        let message = "`that` is about clients and `promql` about Prometheus".to_owned();
        let problem = Problem::at(that.span.clone(), message, "`promql` is in this [[expect]], too");
        found.push(problem.help("write an [[expect]] for each"));
    }
    if let Some(filter) = expect.filter {
        let message = "`where` chooses requests, and a query is about series".to_owned();
        let problem = Problem::at(filter.span, message, "it means nothing beside `promql`");
        found.push(problem.help("choose the series in the query: {tenant=\"acme\"}"));
    }
    if let Some(abort) = expect.abort.given() {
        let message = "`abort_on_fail` is about clients, and Prometheus is asked after the load";
        let problem = Problem::at(abort.span.clone(), message, "it means nothing beside `promql`");
        found.push(problem.help("leave it out; an [[expect]] with `that` can end the load early"));
    }
    let query = expect.header.need("promql", expect.promql, found);
    let is = expect.header.need("is", expect.is, found);
    let (at, fresh) = (expect.at.or(At::End)?, expect.fresh.or(false)?);
    let (Located { value: query, span }, (is, comparison, bound)) = (query?, is?.value);
    (found.len() == before)
        .then_some((Promql { query, is, comparison, bound, at, fresh, stated_at: span.start }, span))
}

fn one(
    expect: file::Expect,
    tenants: &Tenants,
    journeys: &Journeys,
    found: &mut Vec<Problem>,
) -> Option<(Expectation, Span)> {
    let that = expect.header.need("that", expect.that, found);
    let tenant = expect.tenant.given().map(|name| tenants.find(name, found));
    let journey = expect.journey.given().map(|name| journeys.find(name, found));
    let steps = expect.step.given().map(|name| steps(name, journey.flatten(), journeys, found));
    // An invalid name must not widen the filter; it was reported already.
    let filter = Filter {
        tenant: expect.tenant.is_absent().then_some(None).or(tenant.flatten().map(Some))?,
        journey: expect.journey.is_absent().then_some(None).or(journey.flatten().map(Some))?,
        steps: expect.step.is_absent().then_some(None).or(steps.flatten().map(Some))?,
    };
    let fresh = expect.fresh.or(false)?;
    let Located { value: (that, measure, comparison, bound), span } = that?;
    if let Some(abort) = expect.abort.given().filter(|abort| abort.value)
        && !measure.can_be_ruled_out(comparison)
    {
        let message = format!("{} is not known before the load has ended", quoted(&that));
        let problem = Problem::at(abort.span.clone(), message, "so it cannot end the load");
        found.push(problem.help(
            "what can be broken for good on the way has an upper bound: `error_ratio < 5%`, `p99 < 50ms`, `max < 1s`, `count(500) < 3`",
        ));
    }
    let (abort, stated_at) = (expect.abort.or(false)?, Some(span.start));
    Some((Expectation { that, measure, comparison, bound, filter, abort, fresh, stated_at }, span))
}

/// The steps with a name, in one journey or in all.
fn steps(
    name: &Located<String>,
    journey: Option<JourneyIndex>,
    journeys: &Journeys,
    found: &mut Vec<Problem>,
) -> Option<Vec<StepIndex>> {
    let all = || {
        journeys
            .steps
            .iter()
            .enumerate()
            .filter(|(_, step)| journey.is_none_or(|index| step.journey == index))
    };
    let matching: Vec<StepIndex> =
        all().filter(|(_, step)| step.name == name.value).map(|(index, _)| index).collect();
    if !matching.is_empty() {
        return Some(matching);
    }
    if journeys.routeless {
        return None;
    }
    let names = || all().map(|(_, step)| step.name.as_str());
    let message = match journey.and_then(|index| journeys.journeys.get(index)) {
        Some(journey) => format!("journey {} has no step {}", quoted(&journey.name), quoted(&name.value)),
        None => format!("unknown step {}", quoted(&name.value)),
    };
    let problem = Problem::at(name.span.clone(), message, did_you_mean(&name.value, names()));
    found.push(problem.help(format!("known: {}; the default name of a step is its route", listed(names()))));
    None
}
