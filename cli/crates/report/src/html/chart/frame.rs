//! The frame of a chart: caption and legend, axes with ticks, and event markers.

use maud::{Markup, html};

use super::{Scale, Unit, at, instant};
use crate::html::timeline_events::Mark;

/// Size and margins of a chart. One unit is about one pixel on a wide screen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Total width.
    pub(crate) width: f64,
    /// Total height.
    pub(crate) height: f64,
    /// Margin for the labels of the vertical axis.
    pub(crate) left: f64,
    /// Margin for the last label of the horizontal axis.
    pub(crate) right: f64,
    /// Margin for event letters.
    pub(crate) top: f64,
    /// Margin for the labels of the horizontal axis.
    pub(crate) bottom: f64,
}

impl Frame {
    /// A chart of the first screen.
    pub(crate) const LARGE: Self =
        Self { width: 420.0, height: 226.0, left: 54.0, right: 12.0, top: 24.0, bottom: 34.0 };
    /// A chart in a grid.
    pub(crate) const SMALL: Self =
        Self { width: 300.0, height: 134.0, left: 52.0, right: 10.0, top: 14.0, bottom: 22.0 };
    /// A chart in a row of its own.
    pub(crate) const WIDE: Self =
        Self { width: 620.0, height: 200.0, left: 54.0, right: 14.0, top: 24.0, bottom: 34.0 };

    /// Horizontal range, from left to right.
    pub(crate) fn across(&self) -> (f64, f64) {
        (self.left, self.width - self.right)
    }

    /// Vertical range, from bottom to top.
    pub(crate) fn up(&self) -> (f64, f64) {
        (self.height - self.bottom, self.top)
    }

    /// Element id of the event markers for this size.
    fn marks(&self) -> String {
        format!("marks-{}", self.width)
    }

    fn is_small(&self) -> bool {
        self.bottom < 30.0
    }
}

/// Caption, description and size of a chart.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    /// Element id, unique in the document.
    pub(crate) id: &'a str,
    /// Caption.
    pub(crate) title: &'a str,
    /// Text alternative for screen readers.
    pub(crate) description: &'a str,
    /// Size.
    pub(crate) frame: Frame,
}

impl Picture<'_> {
    /// The figure with caption, `legend` and `drawn` content; `data` holds the values that the script shows.
    pub(crate) fn draw(&self, legend: &Markup, data: &str, drawn: &Markup) -> Markup {
        let Self { id, title, description, frame } = self;
        let data = (!data.is_empty()).then_some(data);
        html! {
            figure class=(if frame.is_small() { "chart small" } else { "chart" }) data-chart=[data] {
                figcaption { (title) }
                (legend)
                svg id=(id) role="img" aria-labelledby={ (id) "-t " (id) "-d" } tabindex=[data.map(|_| "0")]
                    viewBox={ "0 0 " (at(frame.width)) " " (at(frame.height)) } {
                    title id={ (id) "-t" } { (title) }
                    desc id={ (id) "-d" } { (description) }
                    (drawn)
                }
            }
        }
    }
}

/// The vertical axis with its grid and unit.
pub(super) fn vertical(frame: Frame, scale: &Scale, unit: Unit) -> Markup {
    let (left, right) = frame.across();
    let wanted = if frame.is_small() { 3 } else { 5 };
    html! {
        g.axis {
            @for value in scale.ticks(wanted) {
                @let y = at(scale.place(value));
                line.grid x1=(at(left)) x2=(at(right)) y1=(y) y2=(y) {}
                text x=(at(left - 6.0)) y=(y) dy="0.32em" text-anchor="end" { (unit.tick(value)) }
            }
            @if !frame.is_small() {
                text.unit x="2" y="10" { (unit.title()) }
            }
        }
    }
}

/// The time axis: seconds since the load started.
pub(super) fn time(frame: Frame, scale: &Scale) -> Markup {
    let (bottom, _) = frame.up();
    let (from, to) = scale.domain();
    let (left, right) = frame.across();
    html! {
        g.axis {
            line.base x1=(at(left)) x2=(at(right)) y1=(at(bottom)) y2=(at(bottom)) {}
            @for value in scale.time_ticks(if frame.is_small() { 4 } else { 6 }) {
                @let x = at(scale.place(value));
                line.base x1=(x) x2=(x) y1=(at(bottom)) y2=(at(bottom + 4.0)) {}
                text x=(x) y=(at(bottom + 15.0)) text-anchor="middle" { (instant(value, to - from)) }
            }
            @if !frame.is_small() {
                text.unit x=(at((left + right) / 2.0)) y=(at(frame.height - 3.0)) text-anchor="middle" {
                    "time since load start"
                }
            }
        }
    }
}

/// Height of a stall's tick.
const TICK: f64 = 6.0;

/// Event markers for charts of this size: defined once, referenced by [`Frame::marks`].
pub(crate) fn events(frame: Frame, scale: &Scale, marks: &[Mark]) -> Markup {
    let (bottom, top) = frame.up();
    let (from, to) = scale.domain();
    let inside = marks.iter().filter(|mark| mark.to >= from && mark.from <= to);
    html! {
        @for mark in inside {
            @let (x, end) = (scale.place(mark.from), scale.place(mark.to));
            g.mark.(mark.kind.class()) {
                title { (mark.text) }
                @if mark.kind.is_lettered() {
                    @if end - x > 1.5 {
                        rect x=(at(x)) y=(at(top)) width=(at(end - x)) height=(at(bottom - top)) {}
                    }
                    line x1=(at(x)) x2=(at(x)) y1=(at(top)) y2=(at(bottom)) {}
                    text x=(at(x)) y=(at(top - 3.0)) text-anchor="middle" { (mark.kind.letter()) }
                } @else {
                    rect x=(at(x)) y=(at(top)) width=(at((end - x).max(1.0))) height=(at(TICK)) {}
                }
            }
        }
    }
}

/// Event markers of every size, for the document's definitions.
pub(crate) fn all_events(span: (f64, f64), marks: &[Mark]) -> Markup {
    html! {
        @for frame in [Frame::LARGE, Frame::SMALL, Frame::WIDE] {
            g id=(frame.marks()) { (events(frame, &Scale::linear(span, frame.across()), marks)) }
        }
    }
}

/// A reference to the event markers.
pub(super) fn marked(frame: Frame) -> Markup {
    html! { use href={ "#" (frame.marks()) } {} }
}
