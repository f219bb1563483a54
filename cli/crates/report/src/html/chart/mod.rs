//! Charts as SVG: `scale` and `unit` place and format values, `frame` draws axes and captions; `over_time`
//! draws lines and stacked areas, `plane` one value against another, `histogram` distributions, `windows`
//! quota usage, `lanes` time spans. All are readable without script; the report's script reads `data-chart`
//! for the values under the pointer.

mod frame;
mod histogram;
mod lanes;
mod over_time;
mod plane;
mod scale;
mod unit;
mod windows;

pub(crate) use frame::{Frame, Picture, all_events};
pub(crate) use histogram::histogram;
pub(crate) use lanes::{Lane, Span, lanes};
pub(crate) use over_time::{Form, OverTime, Series, over_time};
pub(crate) use plane::{Dot, Layer, Plane, Reading, Shape, plane};
pub(crate) use scale::Scale;
pub(crate) use unit::{Unit, instant};
pub(crate) use windows::{CertifiedRequest, windows};

/// A coordinate, rounded to a tenth.
pub(crate) fn at(place: f64) -> String {
    let text = format!("{place:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// A value for the script: four significant digits.
fn digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let places = 3 - value.abs().log10().floor() as i32;
    if places <= 0 {
        let unit = 10f64.powi(-places);
        return format!("{:.0}", (value / unit).round() * unit);
    }
    let text = format!("{value:.*}", places.min(9) as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_values_have_four_digits() {
        let shown = [0.0, 1.0, 12.3456, 123_456.0, 0.001_234_5, 999.96, 1e-12, f64::NAN].map(digits);
        assert_eq!(shown, ["0", "1", "12.35", "123500", "0.001234", "1000", "0", "0"].map(str::to_owned));
        assert_eq!([at(3.0), at(7.149)], ["3", "7.1"]);
    }
}
