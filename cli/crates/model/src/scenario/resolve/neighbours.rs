//! `[noisy_neighbour]`: the noisy tenants, the victims, and two phases in which the victims' load is the
//! same.

use super::tenants::Tenants;
use crate::{
    scenario::{
        Load, Neighbours, Stage, TenantIndex,
        file::{self, Located},
        problem::{Problem, Span, quoted},
    },
    units::Nanos,
};

/// From one instant to another.
type Phase = (Nanos, Nanos);

/// Resolves the table; the outer `None` only after a problem was found.
pub(super) fn resolve(
    written: Option<file::Neighbours>,
    tenants: &Tenants,
    loads: &[Option<Load>],
    found: &mut Vec<Problem>,
) -> Option<Option<Neighbours>> {
    let Some(written) = written else { return Some(None) };
    let header = written.header;
    let noisy = header.need("noisy", written.noisy, found);
    let quiet = header.need("quiet", written.quiet, found);
    let flood = header.need("flood", written.flood, found);
    if let (Some(quiet), Some(flood)) = (&quiet, &flood)
        && quiet.value.0 < flood.value.1
        && flood.value.0 < quiet.value.1
    {
        let problem = Problem::at(flood.span.clone(), "the phases overlap", "this is part of");
        let problem = problem.also(quiet.span.clone(), "this");
        found.push(problem.help("the quiet phase is compared with the flood, so each has a time of its own"));
    }
    // A problem with a load was reported already, and may be why a tenant seems to have none.
    let loads: Vec<&Load> = loads.iter().map(Option::as_ref).collect::<Option<_>>()?;
    let noisy = noisy.and_then(|names| loaded(&names, tenants, &loads, found))?;
    let given = written.victims.optional()?.map(|names| Located { value: names, span: header.span.clone() });
    let victims = match given {
        Some(names) => loaded(&names, tenants, &loads, found)?,
        None => {
            let others =
                (0..tenants.ids.len()).filter(|tenant| noisy.iter().all(|(other, _)| other != tenant));
            let others = others.filter(|tenant| loads.iter().any(|load| load.tenants.contains(tenant)));
            others.map(|tenant| (tenant, header.span.clone())).collect()
        }
    };
    if victims.is_empty() {
        let problem = Problem::at(header.span.clone(), "no tenant is left that could feel the flood", "");
        found.push(problem.help("at least one tenant beside the noisy ones has a [[load]]"));
    }
    let both = victims.iter().find(|(victim, _)| noisy.iter().any(|(other, _)| other == victim));
    if let Some((victim, span)) = both {
        let id = tenants.ids.get(*victim).map_or("", |id| id.as_str());
        found.push(Problem::at(span.clone(), format!("{} is noisy and a victim", quoted(id)), ""));
    }
    let (quiet, flood) = (quiet?.value, flood?.value);
    if let Some((victim, span)) = victims.iter().find(|(victim, _)| !steady(&loads, *victim, quiet, flood)) {
        let id = tenants.ids.get(*victim).map_or("", |id| id.as_str());
        let message = format!("the load of {} is not the same in both phases", quoted(id));
        let problem = Problem::at(span.clone(), message, "it could not be distinguished from the flood");
        found.push(problem.help(
            "a victim's loads go on through both phases, from `after` for `duration`, keep to one `rate` or number of `users`, and have no `iterations`",
        ));
    }
    Some(Some(Neighbours {
        noisy: noisy.into_iter().map(|(tenant, _)| tenant).collect(),
        victims: victims.into_iter().map(|(tenant, _)| tenant).collect(),
        quiet,
        flood,
        slower: written.slower.or(1.5)?,
        goodput: written.goodput.or(0.9)?,
        grace: written.grace.or(Nanos::from_millis(5))?,
        stated_at: header.span.start,
    }))
}

/// Tenants by name; each must be known and have a load.
fn loaded(
    names: &Located<Vec<Located<String>>>,
    tenants: &Tenants,
    loads: &[&Load],
    found: &mut Vec<Problem>,
) -> Option<Vec<(TenantIndex, Span)>> {
    let mut indices = Vec::new();
    for name in &names.value {
        let index = tenants.find(name, found)?;
        if !loads.iter().any(|load| load.tenants.contains(&index)) {
            let message = format!("tenant {} has no [[load]]", quoted(&name.value));
            found.push(Problem::at(name.span.clone(), message, ""));
            return None;
        }
        if indices.iter().any(|(other, _)| *other == index) {
            let message = format!("tenant {} is there twice", quoted(&name.value));
            found.push(Problem::at(name.span.clone(), message, ""));
            return None;
        }
        indices.push((index, name.span.clone()));
    }
    Some(indices)
}

/// Whether each load of a tenant either runs through both phases at one level or overlaps neither, and at
/// least one runs through both.
fn steady(loads: &[&Load], tenant: TenantIndex, quiet: Phase, flood: Phase) -> bool {
    let of_tenant = || loads.iter().filter(|load| load.tenants.contains(&tenant));
    let end = |load: &Load| load.after + load.duration;
    let level = |load: &Load, phase: Phase| {
        let begin = load.after;
        let goes_on = begin <= phase.0 && phase.1 <= end(load) && load.iterations.is_none();
        goes_on.then(|| Stage::level(load.model.stages(), phase.0 - begin, phase.1 - begin)).flatten()
    };
    let touches = |load: &Load, phase: Phase| load.after < phase.1 && phase.0 < end(load);
    let both = |load: &Load| level(load, quiet).is_some_and(|quiet| level(load, flood) == Some(quiet));
    let neither = |load: &Load| !touches(load, quiet) && !touches(load, flood);
    of_tenant().all(|load| both(load) || neither(load)) && of_tenant().any(|load| both(load))
}
