//! `[[limit]]`: the promised limits that histories are judged by.

use super::{journeys::Journeys, tenants::Tenants};
use crate::{
    scenario::{
        Algorithm, Anchor, Estimate, Limit, LimitKey, Refill, StatusPattern, StatusSet, TenantIndex,
        file::{self, Field, Located, Quotas},
        problem::{Problem, Span, did_you_mean, listed, quoted},
    },
    units::{Nanos, Quota},
};

/// Resolves all of them; those with a problem are left out.
pub(super) fn resolve(
    limits: Vec<file::Limit>,
    tenants: &Tenants,
    journeys: &Journeys,
    found: &mut Vec<Problem>,
) -> Vec<Limit> {
    let mut resolved: Vec<(Limit, Span)> = Vec::new();
    for limit in limits {
        let span = limit.header.span.clone();
        let Some(limit) = one(limit, tenants, journeys, found) else { continue };
        let twice = resolved.iter().find_map(|(other, first)| Some((shared(other, &limit)?, first)));
        if let Some(((tenant, quota), first)) = twice {
            let tenant = tenants.ids.get(tenant).map_or("", |id| id.as_str());
            let window = quota.window;
            let message = format!("{} has two limits per {window} for {tenant}", quoted(&limit.route));
            let problem = Problem::at(span.clone(), message, "again here").also(first.clone(), "first here");
            found.push(problem.help("several limits of a route differ in their windows or their algorithms"));
        }
        resolved.push((limit, span));
    }
    resolved.into_iter().map(|(limit, _)| limit).collect()
}

/// A tenant that two limits would bind in the same way, if any.
fn shared(one: &Limit, other: &Limit) -> Option<(TenantIndex, Quota)> {
    if one.route != other.route || one.algorithm != other.algorithm {
        return None;
    }
    let same = |(tenant, quota): &&(TenantIndex, Quota)| {
        one.quota.iter().any(|(bound, known)| bound == tenant && known.window == quota.window)
    };
    other.quota.iter().find(same).copied()
}

fn one(
    limit: file::Limit,
    tenants: &Tenants,
    journeys: &Journeys,
    found: &mut Vec<Problem>,
) -> Option<Limit> {
    let header = &limit.header;
    let route = header.need("route", limit.route, found).and_then(|route| called(route, journeys, found));
    let algorithm = header.need("algorithm", limit.algorithm, found);
    let keys =
        Variants { anchor: limit.anchor, estimate: limit.estimate, burst: limit.burst, refill: limit.refill };
    let algorithm = algorithm.and_then(|algorithm| variant(algorithm.value, keys, found));
    let quota = header.need("quota", limit.quota, found).and_then(|quota| by_tenant(quota, tenants, found));
    let spans = [&limit.admitted, &limit.rejected].map(span);
    let admitted = limit.admitted.or(StatusSet::success());
    let rejected = limit.rejected.or(StatusSet(vec![StatusPattern::Exact(429)]));
    if let (Some(admitted), Some(rejected)) = (&admitted, &rejected)
        && let Some(status) =
            (100..600).find(|status| admitted.contains(*status) && rejected.contains(*status))
    {
        found.push(ambiguous(status, spans, &header.span));
    }
    Some(Limit {
        route: route?,
        per: limit.per.or(String::new()).map(|_| LimitKey::Tenant)?,
        algorithm: algorithm?,
        quota: quota?,
        admitted: admitted?,
        rejected: rejected?,
        resolution: limit.resolution.or(Nanos::from_millis(1))?,
        atomic: limit.atomic.or(false)?,
        stated_at: header.span.start,
    })
}

/// Keys that only some algorithms have.
struct Variants {
    anchor: Field<Anchor>,
    estimate: Field<Estimate>,
    burst: Field<u64>,
    refill: Field<Refill>,
}

/// The algorithm with its declared variant.
fn variant(algorithm: Algorithm, keys: Variants, found: &mut Vec<Problem>) -> Option<Algorithm> {
    let Variants { anchor, estimate, burst, refill } = keys;
    let mut foreign = |key: &str, span: Option<Span>, of: &str, write: &str| {
        found.extend(span.map(|span| {
            let message = format!("{} is for {of}, this is a {algorithm}", quoted(key));
            Problem::at(span, message, "").help(format!("leave it out, or write `algorithm = \"{write}\"`"))
        }));
    };
    if !matches!(algorithm, Algorithm::SlidingCounter { .. }) {
        foreign("anchor", span(&anchor), "sliding counters", "sliding-counter");
        foreign("estimate", span(&estimate), "sliding counters", "sliding-counter");
    }
    if !matches!(algorithm, Algorithm::TokenBucket { .. }) {
        foreign("burst", span(&burst), "token buckets", "token-bucket");
        foreign("refill", span(&refill), "token buckets", "token-bucket");
    }
    Some(match algorithm {
        Algorithm::SlidingCounter { anchor: begin, estimate: rounding } => {
            Algorithm::SlidingCounter { anchor: anchor.or(begin)?, estimate: estimate.or(rounding)? }
        }
        Algorithm::TokenBucket { refill: default, .. } => {
            Algorithm::TokenBucket { burst: burst.optional()?, refill: refill.or(default)? }
        }
        other => other,
    })
}

fn span<T>(field: &Field<T>) -> Option<Span> {
    field.given().map(|located| located.span.clone())
}

/// The route, if a step requests it.
fn called(route: Located<String>, journeys: &Journeys, found: &mut Vec<Problem>) -> Option<String> {
    let mut routes: Vec<&str> = journeys.steps.iter().map(|step| step.route.as_str()).collect();
    routes.retain(|route| !route.is_empty());
    routes.dedup();
    if routes.contains(&route.value.as_str()) {
        return Some(route.value);
    }
    if !journeys.routeless {
        let message = format!("no journey calls {}", quoted(&route.value));
        let problem = Problem::at(route.span, message, did_you_mean(&route.value, routes.iter().copied()));
        found.push(problem.help(format!("the routes of this scenario: {}", listed(routes))));
    }
    None
}

fn by_tenant(
    quota: Located<Quotas>,
    tenants: &Tenants,
    found: &mut Vec<Problem>,
) -> Option<Vec<(TenantIndex, Quota)>> {
    let each = match quota.value {
        Quotas::All(quota) => return Some((0..tenants.ids.len()).map(|tenant| (tenant, quota)).collect()),
        Quotas::Each(each) => each,
    };
    let found = each.into_iter().map(|(tenant, quota)| Some((tenants.find(&tenant, found)?, quota)));
    found.collect::<Vec<_>>().into_iter().collect()
}

fn ambiguous(status: u16, spans: [Option<Span>; 2], header: &Span) -> Problem {
    let mut problem = Problem::new(format!("status {status} would mean both admitted and rejected"));
    for span in spans.into_iter().flatten() {
        problem = problem.also(span, "");
    }
    if problem.labels.is_empty() {
        problem = problem.also(header.clone(), "");
    }
    problem.help("by default `admitted = \"2xx\"` and `rejected = 429`")
}
