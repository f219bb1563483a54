//! One value against another, by load level or number of replicas: curves and bands, measurements with
//! intervals, and highlighted ranges of the horizontal axis.

use maud::{Markup, html};

use super::{Picture, Scale, Unit, at, digits, frame};

/// A chart of one value against another.
#[derive(Debug)]
pub(crate) struct Plane<'a> {
    /// Its frame and texts.
    pub(crate) picture: Picture<'a>,
    /// The horizontal axis, its ticks and its title.
    pub(crate) across: (Scale, Vec<f64>, &'a str),
    /// The vertical axis and its unit.
    pub(crate) up: (Scale, Unit),
    /// Layers, from the back to the front.
    pub(crate) layers: Vec<Layer>,
    /// Legend: shape, CSS class and label.
    pub(crate) legend: Vec<(Shape, &'static str, &'static str)>,
    /// Names of the values shown under the pointer.
    pub(crate) names: Vec<&'static str>,
    /// Those values, from left to right.
    pub(crate) readings: Vec<Reading>,
}

/// A drawn element.
#[derive(Debug)]
pub(crate) enum Layer {
    /// A line through points.
    Curve(&'static str, Vec<(f64, f64)>),
    /// An area between a lower and an upper value.
    Band(&'static str, Vec<(f64, f64, f64)>),
    /// Measurements.
    Dots(Shape, &'static str, Vec<Dot>),
    /// A range of the horizontal axis, and its label.
    Stretch((f64, f64), String),
    /// A vertical line: CSS class, value, label, and whether the label is above the plot.
    Upright(&'static str, f64, String, bool),
}

/// Shape of a measurement, so that colour is not the only difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Disc,
    Cross,
    Ring,
    /// A line; only in legends.
    Line,
    /// A filled area; only in legends.
    Field,
}

/// A measurement.
#[derive(Debug)]
pub(crate) struct Dot {
    /// Values on both axes.
    pub(crate) place: (f64, f64),
    /// Interval on the vertical axis.
    pub(crate) interval: Option<(f64, f64)>,
    /// Tooltip.
    pub(crate) text: String,
}

/// Values shown under the pointer.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Position on the horizontal axis.
    pub(crate) across: f64,
    /// Title.
    pub(crate) label: String,
    /// One per name of the chart.
    pub(crate) values: Vec<Option<f64>>,
}

/// Draws the chart.
pub(crate) fn plane(chart: &Plane<'_>) -> Markup {
    let (frame, (y, unit)) = (chart.picture.frame, &chart.up);
    let drawn = html! {
        (frame::vertical(frame, y, *unit))
        g.plot { @for layer in &chart.layers { (chart.layer(layer)) } }
        (chart.horizontal())
        g.cursor {}
    };
    chart.picture.draw(&chart.legend(), &chart.data(), &drawn)
}

impl Plane<'_> {
    fn place(&self, (across, up): (f64, f64)) -> (f64, f64) {
        (self.across.0.place(across), self.up.0.place(up))
    }

    fn layer(&self, layer: &Layer) -> Markup {
        let (bottom, top) = self.picture.frame.up();
        match layer {
            Layer::Curve(class, points) => html! { path class={ "curve " (class) } d=(self.path(points)) {} },
            Layer::Band(class, edges) => {
                let upper: Vec<(f64, f64)> = edges.iter().map(|&(across, _, high)| (across, high)).collect();
                let lower: Vec<(f64, f64)> =
                    edges.iter().rev().map(|&(across, low, _)| (across, low)).collect();
                html! { path class={ "band " (class) } d={ (self.path(&[upper, lower].concat())) "Z" } {} }
            }
            Layer::Dots(shape, class, dots) => html! { @for dot in dots { (self.dot(*shape, class, dot)) } },
            Layer::Stretch((from, to), text) => {
                let (from, to) = (self.across.0.place(*from), self.across.0.place(*to));
                html! {
                    rect.stretch x=(at(from)) y=(at(top)) width=(at((to - from).max(1.0))) height=(at(bottom - top)) { title { (text) } }
                }
            }
            Layer::Upright(class, across, text, is_at_top) => {
                let x = self.across.0.place(*across);
                let (left, right) = self.picture.frame.across();
                let beside = if x - left > right - x { ("end", x - 4.0) } else { ("start", x + 4.0) };
                html! {
                    g class={ "upright " (class) } {
                        line x1=(at(x)) x2=(at(x)) y1=(at(top)) y2=(at(bottom)) {}
                        @if *is_at_top {
                            text x=(at(x.min(right - 24.0))) y=(at(top - 5.0)) text-anchor="middle" { (text) }
                        } @else {
                            text x=(at(beside.1)) y=(at(top + 11.0)) text-anchor=(beside.0) { (text) }
                        }
                    }
                }
            }
        }
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let places = points.iter().map(|point| self.place(*point));
        let places: Vec<String> = places.map(|(x, y)| format!("{} {}", at(x), at(y))).collect();
        if places.is_empty() { String::new() } else { format!("M{}", places.join("L")) }
    }

    fn dot(&self, shape: Shape, class: &str, dot: &Dot) -> Markup {
        let (x, y) = self.place(dot.place);
        html! {
            g class={ "dots " (class) } {
                title { (dot.text) }
                @if let Some((low, high)) = dot.interval {
                    line x1=(at(x)) x2=(at(x)) y1=(at(self.up.0.place(low))) y2=(at(self.up.0.place(high))) {}
                }
                (drawn(shape, x, y))
            }
        }
    }

    fn horizontal(&self) -> Markup {
        let frame = self.picture.frame;
        let ((bottom, _), (left, right)) = (frame.up(), frame.across());
        let (scale, ticks, title) = &self.across;
        html! {
            g.axis {
                line.base x1=(at(left)) x2=(at(right)) y1=(at(bottom)) y2=(at(bottom)) {}
                @for value in ticks {
                    @let x = at(scale.place(*value));
                    line.base x1=(x) x2=(x) y1=(at(bottom)) y2=(at(bottom + 4.0)) {}
                    text x=(x) y=(at(bottom + 15.0)) text-anchor="middle" { (Unit::Count.tick(*value)) }
                }
                text.unit x=(at((left + right) / 2.0)) y=(at(frame.height - 3.0)) text-anchor="middle" { (title) }
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            p.legend {
                @for (shape, class, name) in &self.legend {
                    span.entry {
                        svg.swatch viewBox="0 0 18 12" aria-hidden="true" {
                            @match shape {
                                Shape::Line => path class={ "curve " (class) } d="M0 6H18" {},
                                Shape::Field => rect class=(class) x="0" y="1" width="18" height="11" {},
                                shape => g class={ "dots " (class) } { (drawn(*shape, 9.0, 6.0)) },
                            }
                        }
                        (name)
                    }
                }
            }
        }
    }

    /// The values that the script shows.
    fn data(&self) -> String {
        let joined = |texts: Vec<String>| texts.join(",");
        let labels =
            self.readings.iter().map(|reading| serde_json::Value::from(reading.label.as_str()).to_string());
        let places = self.readings.iter().map(|reading| at(self.across.0.place(reading.across)));
        let series = self.names.iter().enumerate().map(|(number, name)| {
            let value = |reading: &Reading| reading.values.get(number).copied().flatten();
            let values = self.readings.iter().map(|reading| value(reading).map_or("null".to_owned(), digits));
            format!("{{\"n\":{},\"v\":[{}]}}", serde_json::Value::from(*name), joined(values.collect()))
        });
        let ((left, right), (bottom, top)) = (self.picture.frame.across(), self.picture.frame.up());
        format!(
            "{{\"unit\":\"{}\",\"px\":[{left},{right},{bottom},{top}],\"labels\":[{}],\"x\":[{}],\"s\":[{}]}}",
            self.up.1.key(),
            joined(labels.collect()),
            joined(places.collect()),
            joined(series.collect())
        )
    }
}

fn drawn(shape: Shape, x: f64, y: f64) -> Markup {
    let (left, right, above, below) = (at(x - 3.4), at(x + 3.4), at(y - 3.4), at(y + 3.4));
    html! {
        @match shape {
            Shape::Disc => circle.full cx=(at(x)) cy=(at(y)) r="3.4" {},
            Shape::Ring => circle cx=(at(x)) cy=(at(y)) r="3.2" {},
            Shape::Cross => path d={ "M" (left) " " (above) "L" (right) " " (below) "M" (left) " " (below) "L" (right) " " (above) } {},
            Shape::Line | Shape::Field => {},
        }
    }
}
