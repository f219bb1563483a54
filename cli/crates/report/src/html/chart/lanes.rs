//! Time spans: one lane per subject, one below the other.

use maud::{Markup, html};

use super::{Frame, Picture, Scale, at, frame, instant};
use crate::html::timeline_events::Mark;

/// One lane.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Label.
    pub(crate) name: String,
    pub(crate) spans: Vec<Span>,
}

/// A time span, in seconds since the load started.
#[derive(Debug)]
pub(crate) struct Span {
    /// CSS class.
    pub(crate) class: &'static str,
    /// Label.
    pub(crate) name: &'static str,
    /// Start.
    pub(crate) from: f64,
    /// End.
    pub(crate) to: f64,
}

/// Height of a lane: its label above, its spans below.
const LANE: f64 = 34.0;

/// Draws the lanes over `span`.
pub(crate) fn lanes(
    id: &str,
    title: &str,
    description: &str,
    lanes: &[Lane],
    span: (f64, f64),
    marks: &[Mark],
) -> Markup {
    let height = 14.0 + LANE * lanes.len() as f64 + 34.0;
    let frame = Frame { height, left: 10.0, ..Frame::WIDE };
    let x = Scale::linear(span, frame.across());
    let drawn = html! {
        (frame::events(frame, &x, marks))
        @for (number, lane) in lanes.iter().enumerate() {
            @let top = frame.top + LANE * number as f64;
            text.lane x=(at(frame.left + 2.0)) y=(at(top + 11.0)) { (lane.name) }
            @for span in &lane.spans {
                @let (from, to) = (x.place(span.from), x.place(span.to));
                g class={ "span " (span.class) } {
                    title { (span.name) " from " (instant(span.from, 1.0)) " to " (instant(span.to, 1.0)) }
                    rect x=(at(from)) y=(at(top + 15.0)) width=(at((to - from).max(2.0))) height="14" rx="2" {}
                    @if to - from > 7.0 * span.name.len() as f64 {
                        text x=(at(from + 4.0)) y=(at(top + 26.0)) { (span.name) }
                    }
                }
            }
        }
        (frame::time(frame, &x))
    };
    let picture = Picture { id, title, description, frame };
    picture.draw(&html! {}, "", &drawn)
}
