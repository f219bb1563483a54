//! Quota usage over time: admissions per window compared with the limit, with the requests of a certificate
//! as points.

use maud::{Markup, html};

use super::{Picture, Scale, Unit, at, frame};
use crate::{html::Times, timeline::QuotaUse};

/// A request of a certificate.
#[derive(Debug)]
pub(crate) struct CertifiedRequest {
    /// Send and response, in seconds since the load started.
    pub(crate) span: (f64, f64),
    /// Tooltip.
    pub(crate) text: String,
    /// Whether it was admitted.
    pub(crate) admitted: bool,
}

/// Maximum number of bars: beyond it, neighbours are merged and the fullest counts.
const BARS: usize = 300;

/// Draws the chart. Windows above the limit are highlighted only with a certificate: without one, the
/// assignment of admissions to windows is an estimate.
pub(crate) fn windows(
    picture: &Picture<'_>,
    used: &QuotaUse,
    certificate: &[CertifiedRequest],
    times: &Times,
) -> Markup {
    let together = used.windows.len().div_ceil(BARS).max(1);
    let frame = picture.frame;
    let x = Scale::linear(times.span(), frame.across());
    let most = used.windows.iter().map(|window| window.admitted).max().unwrap_or_default();
    let y = Scale::from_zero(most.max(used.promised) as f64 * 1.05, frame.up());
    let bottom = frame.up().0;
    let promised = y.place(used.promised as f64);
    let (left, right) = frame.across();
    let drawn = html! {
        (frame::vertical(frame, &y, Unit::Count))
        (frame::marked(frame))
        g.plot {
            @for windows in used.windows.chunks(together) {
                @let (from, to) = (times.seconds(windows[0].from), times.seconds(windows[windows.len() - 1].to));
                @let admitted = windows.iter().map(|window| window.admitted).max().unwrap_or_default();
                @let (place, end) = (x.place(from), x.place(to));
                @let top = y.place(admitted as f64);
                @let is_over = admitted > used.promised && !certificate.is_empty();
                @let class = if is_over { "window over" } else { "window" };
                rect class=(class) x=(at(place)) y=(at(top)) width=(at((end - place).max(1.5))) height=(at(bottom - top)) {
                    title { @if windows.len() > 1 { "at most " } (admitted) " admitted, limit " (used.promised) ", from " (format!("{from:.2}")) " s to " (format!("{to:.2}")) " s" }
                }
            }
            line.promised x1=(at(left)) x2=(at(right)) y1=(at(promised)) y2=(at(promised)) {}
            text.promised x=(at(right - 2.0)) y=(at(promised - 4.0)) text-anchor="end" { "limit: " (used.promised) }
            @for (number, request) in certificate.iter().enumerate() {
                @let level = bottom - (bottom - frame.up().1) * (number + 1) as f64 / (certificate.len() + 1) as f64;
                @let (from, to) = (x.place(request.span.0), x.place(request.span.1));
                g class=(if request.admitted { "proof" } else { "proof rejected" }) {
                    title { (request.text) }
                    line x1=(at(from)) x2=(at(to)) y1=(at(level)) y2=(at(level)) {}
                    circle cx=(at((from + to) / 2.0)) cy=(at(level)) r="2.6" {}
                }
            }
        }
        (frame::time(frame, &x))
    };
    picture.draw(&html! {}, "", &drawn)
}
