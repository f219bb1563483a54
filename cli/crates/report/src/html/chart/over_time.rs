//! Values over time: lines or stacked areas.

use maud::{Markup, PreEscaped, html};

use super::{Picture, Scale, Unit, at, digits, frame};
use crate::html::Times;

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Separate lines, on a scale from zero.
    Lines,
    /// Separate lines, on a logarithmic scale.
    LogLines,
    /// Stacked areas.
    Stacked,
}

/// One curve: a value for each interval.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// Label.
    pub(crate) name: String,
    /// CSS class: colour, dash and hatching.
    pub(crate) class: &'static str,
    /// By interval; `None` without data.
    pub(crate) values: Vec<Option<f64>>,
}

/// A chart of values over time.
#[derive(Debug)]
pub(crate) struct OverTime<'a> {
    /// Its frame and texts.
    pub(crate) picture: Picture<'a>,
    /// Unit of the vertical axis.
    pub(crate) unit: Unit,
    /// How values are drawn.
    pub(crate) form: Form,
    /// The curves; stacked ones from the lowest up.
    pub(crate) series: Vec<Series>,
    /// Minimum upper end of a vertical axis that starts at zero.
    pub(crate) at_least: f64,
}

/// Draws the chart.
pub(crate) fn over_time(chart: &OverTime<'_>, times: &Times) -> Markup {
    let frame = chart.picture.frame;
    let x = Scale::linear(times.span(), frame.across());
    let y = chart.vertical();
    let drawn = html! {
        (frame::vertical(frame, &y, chart.unit))
        (frame::marked(frame))
        g.plot { (chart.plot(times, &x, &y)) }
        (frame::time(frame, &x))
        g.cursor {}
    };
    chart.picture.draw(&chart.legend(), &chart.data(times, &y), &drawn)
}

impl OverTime<'_> {
    fn vertical(&self) -> Scale {
        let up = self.picture.frame.up();
        let all = || self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        match self.form {
            Form::LogLines => {
                let above = || all().filter(|value| *value > 0.0);
                Scale::log((above().fold(f64::INFINITY, f64::min), above().fold(0.0, f64::max)), up)
            }
            Form::Lines => Scale::from_zero(all().fold(self.at_least, f64::max), up),
            Form::Stacked => {
                let sums = (0..self.length()).map(|number| self.sum(self.series.len(), number));
                Scale::from_zero(sums.fold(self.at_least, f64::max), up)
            }
        }
    }

    fn length(&self) -> usize {
        self.series.iter().map(|series| series.values.len()).max().unwrap_or_default()
    }

    /// Sum of the first `count` series in an interval.
    fn sum(&self, count: usize, number: usize) -> f64 {
        self.series.iter().take(count).filter_map(|series| series.values.get(number).copied().flatten()).sum()
    }

    fn plot(&self, times: &Times, x: &Scale, y: &Scale) -> Markup {
        html! {
            @for (index, series) in self.series.iter().enumerate() {
                @if self.form == Form::Stacked {
                    path class={ "area " (series.class) } d=(self.area(index, times, x, y)) {}
                }
                path class={ "curve " (series.class) } d=(self.curve(index, times, x, y)) {}
            }
        }
    }

    /// A point of a separate line: the middle of an interval and the value there.
    fn point(&self, index: usize, number: usize, times: &Times, x: &Scale, y: &Scale) -> Option<(f64, f64)> {
        let value = self.series.get(index)?.values.get(number).copied().flatten()?;
        Some((x.place(times.middle(number)), y.place(value)))
    }

    fn curve(&self, index: usize, times: &Times, x: &Scale, y: &Scale) -> String {
        if self.form == Form::Stacked {
            return format!("M{}", self.edge(index + 1, times, x, y).join("L"));
        }
        let mut path = String::new();
        let mut pen = "M";
        for number in 0..self.length() {
            match self.point(index, number, times, x, y) {
                Some((x, y)) => {
                    // A single point is a line of length 0, visible by its round ends.
                    path += &format!("{pen}{} {}", at(x), at(y));
                    if pen == "M" {
                        path += "h0";
                    }
                    pen = "L";
                }
                None => pen = "M",
            }
        }
        path
    }

    fn area(&self, index: usize, times: &Times, x: &Scale, y: &Scale) -> String {
        let upper = self.edge(index + 1, times, x, y).join("L");
        // The lowest area ends at the axis, a straight line.
        let mut lower = self.edge(index, times, x, y);
        if index == 0 && lower.len() > 2 {
            lower.drain(1..lower.len() - 1);
        }
        lower.reverse();
        if upper.is_empty() { String::new() } else { format!("M{upper}L{}Z", lower.join("L")) }
    }

    /// Upper edge of the first `count` stacked series: in the middle of each interval, and at both ends so
    /// that the first and the last interval are fully visible.
    fn edge(&self, count: usize, times: &Times, x: &Scale, y: &Scale) -> Vec<String> {
        let Some(last) = self.length().checked_sub(1) else { return Vec::new() };
        let (start, end) = times.span();
        let middles = (0..=last).map(|number| (times.middle(number), number));
        let points = std::iter::once((start, 0)).chain(middles).chain([(end, last)]);
        let place =
            |(time, number)| format!("{} {}", at(x.place(time)), at(y.place(self.sum(count, number))));
        points.map(place).collect()
    }

    fn legend(&self) -> Markup {
        html! {
            @if self.series.len() > 1 {
                p.legend {
                    @for (index, series) in self.series.iter().enumerate() {
                        button.entry type="button" aria-pressed="true" data-series=(index) {
                            (swatch(series.class, self.form == Form::Stacked)) (series.name)
                        }
                    }
                }
            }
        }
    }

    /// The values that the script needs to show them and to redraw without a series.
    fn data(&self, times: &Times, y: &Scale) -> String {
        let series: Vec<String> = self
            .series
            .iter()
            .map(|series| {
                let values: Vec<String> =
                    series.values.iter().map(|value| value.map_or("null".to_owned(), digits)).collect();
                format!(
                    "{{\"n\":{},\"v\":[{}]}}",
                    serde_json::Value::from(series.name.as_str()),
                    values.join(",")
                )
            })
            .collect();
        let (left, right) = self.picture.frame.across();
        let ((bottom, top), (low, high)) = (self.picture.frame.up(), y.domain());
        let (from, to) = times.span();
        format!(
            "{{\"unit\":\"{}\",\"stack\":{},\"px\":[{left},{right},{bottom},{top}],\"t\":[{from:.3},{to:.3},{:.3},{:.3}],\
             \"y\":[{low},{high}],\"s\":[{}]}}",
            self.unit.key(),
            self.form == Form::Stacked,
            times.start(),
            times.width(),
            series.join(",")
        )
    }
}

/// Legend swatch of a series.
pub(super) fn swatch(class: &str, is_area: bool) -> Markup {
    html! {
        svg.swatch viewBox="0 0 18 12" aria-hidden="true" {
            @if is_area { path class={ "area " (class) } d="M0 1H18V12H0Z" {} }
            path class={ "curve " (class) } d=(PreEscaped(if is_area { "M0 1H18" } else { "M0 6H18" })) {}
        }
    }
}
