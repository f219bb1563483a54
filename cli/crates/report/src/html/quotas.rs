//! Usage of each quota against its limit; for a broken one the requests that prove it are marked.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{
    Page,
    chart::{CertifiedRequest, Frame, Picture, windows},
};
use crate::timeline::QuotaUse;
use saasbench_verify::verdict::{Certificate, Claim};

/// Quotas drawn.
const SHOWN: usize = 48;

/// The section; `None` without quota usage.
pub(crate) fn all(page: &Page<'_>) -> Option<Markup> {
    let mut uses: Vec<&QuotaUse> = page.timeline.quotas().iter().collect();
    if uses.is_empty() {
        return None;
    }
    // Broken quotas come first, one per limit before all others.
    let mut broken = BTreeSet::new();
    uses.sort_by_cached_key(|of| (!(of.is_broken && broken.insert(of.limit)), !of.is_broken));
    let shown = SHOWN.max(broken.len());
    Some(html! {
        p.note {
            "Each bar is a window with its admitted requests, estimated from the clients' view; the dashed line is the limit. For "
            "algorithms without windows a bar counts the admissions of the preceding window length. These charts are an "
            "illustration: the claims above decide, and take into account every order in which the limiter can have decided. "
            "Points are the requests that prove a violation, each drawn from send to response."
        }
        div.wide {
            @for (number, used) in uses.iter().take(shown).enumerate() { (one(page, number, used)) }
        }
        @if uses.len() > shown { p.note { "… and " (uses.len() - shown) " more quotas." } }
    })
}

/// The certificate that proves a violation of this quota, if there is one.
fn certificate<'a>(page: &'a Page<'_>, used: &QuotaUse) -> Option<&'a Certificate> {
    let scenario = &page.run.scenario;
    let (limit, tenant) = (scenario.limits.get(used.limit)?, scenario.tenants.get(used.tenant)?);
    let of_limits = page.report.verdicts.iter().filter(|verdict| verdict.claim == Claim::Limit);
    let subject = limit.subject();
    let of_this = of_limits.filter(|verdict| verdict.subject == subject);
    let proofs =
        of_this.flat_map(|verdict| &verdict.evidence).filter_map(|finding| finding.certificate.as_ref());
    proofs.into_iter().find(|proof| {
        proof.tenant == tenant.as_str()
            && proof.quota == used.quota.to_string()
            && proof.algorithm == used.algorithm.to_string()
    })
}

fn one(page: &Page<'_>, number: usize, used: &QuotaUse) -> Markup {
    let certificate = certificate(page, used);
    let scenario = &page.run.scenario;
    let tenant = scenario.tenants.get(used.tenant).map(ToString::to_string).unwrap_or_default();
    let route = scenario.limits.get(used.limit).map(|limit| limit.route.as_str()).unwrap_or_default();
    let title = format!("{tenant}: {route}, {} ({})", used.quota, used.algorithm);
    let fullest = used.windows.iter().map(|window| window.admitted).max().unwrap_or_default();
    let description = format!(
        "At most {} requests were admitted {}; the limit is {}.{}",
        fullest,
        if used.has_windows() { "in a window" } else { "within one window length" },
        used.promised,
        certificate.map(|proof| format!(" The limit was violated: {}", proof.reason)).unwrap_or_default()
    );
    let request = |certified: &saasbench_verify::verdict::Certified| CertifiedRequest {
        span: (page.seconds(certified.sent_ns), page.seconds(certified.done_ns)),
        text: format!(
            "sample {}, {} by {}: sent at {:.4} s, response at {:.4} s",
            certified.sample,
            certified.decision,
            certified.replica,
            page.seconds(certified.sent_ns),
            page.seconds(certified.done_ns)
        ),
        admitted: certified.decision == "admitted",
    };
    let requests: Vec<CertifiedRequest> =
        certificate.iter().flat_map(|proof| &proof.requests).take(200).map(request).collect();
    let id = format!("quota-{number}");
    let picture = Picture { id: &id, title: &title, description: &description, frame: Frame::WIDE };
    html! {
        div {
            (windows(&picture, used, &requests, &page.times))
            @if let Some(proof) = certificate { p.cause { strong { "Violated: " } (proof.reason) } }
        }
    }
}
