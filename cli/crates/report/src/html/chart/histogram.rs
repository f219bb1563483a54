//! The latency histogram: the share of responses per logarithmic bucket, from intended and from sent.

use maud::{Markup, html};

use super::{Picture, Scale, Unit, at, digits, frame, over_time::swatch};
use saasbench_verify::distribution::{Bucket, Distribution, PER_DECADE};

/// Draws the histogram.
pub(crate) fn histogram(picture: &Picture<'_>, distribution: &Distribution) -> Markup {
    let sides = [&distribution.from_intended, &distribution.from_sent];
    let numbers = || sides.iter().flat_map(|side| side.iter().map(number));
    let (Some(first), Some(last)) = (numbers().min(), numbers().max()) else {
        return picture.draw(
            &html! {},
            "",
            &html! { text.nothing x="50%" y="50%" text-anchor="middle" { "No responses." } },
        );
    };
    // An empty bucket at each side, and at least half a decade in total.
    let (first, last) = (first - 1, last.max(first + PER_DECADE as i64 / 2) + 1);
    let shares = sides.map(|side| shares(side, first, last));
    let frame = picture.frame;
    let bound = |number: i64| 10f64.powf(number as f64 / f64::from(PER_DECADE));
    let x = Scale::exactly_log((bound(first - 1), bound(last)), frame.across());
    let most = shares.iter().flatten().copied().fold(0.0, f64::max);
    let y = Scale::from_zero(most, frame.up());
    let outline = |shares: &[f64]| {
        let mut path = String::new();
        for (offset, share) in shares.iter().enumerate() {
            let from = x.place(bound(first - 1 + offset as i64));
            let to = x.place(bound(first + offset as i64));
            let pen = if offset == 0 { "M" } else { "L" };
            path += &format!("{pen}{} {}H{}", at(from), at(y.place(*share)), at(to));
        }
        path
    };
    let (left, right) = frame.across();
    let bottom = frame.up().0;
    let filled = format!("{}V{}H{}Z", outline(&shares[0]), at(bottom), at(left));
    let drawn = html! {
        (frame::vertical(frame, &y, Unit::Percent))
        g.plot {
            path.area.success d=(filled) {}
            path.curve.success d=(outline(&shares[0])) {}
            path.curve.from-sent d=(outline(&shares[1])) {}
        }
        g.axis {
            line.base x1=(at(left)) x2=(at(right)) y1=(at(bottom)) y2=(at(bottom)) {}
            @for value in x.ticks(6) {
                @let place = at(x.place(value));
                line.base x1=(place) x2=(place) y1=(at(bottom)) y2=(at(bottom + 4.0)) {}
                text x=(place) y=(at(bottom + 15.0)) text-anchor="middle" { (Unit::Latency.tick(value)) }
            }
            text.unit x=(at((left + right) / 2.0)) y=(at(frame.height - 3.0)) text-anchor="middle" { "latency (log scale)" }
        }
        g.cursor {}
    };
    let legend = html! {
        p.legend {
            button.entry type="button" aria-pressed="true" data-series="0" { (swatch("success", true)) "from intended (scheduled start)" }
            button.entry type="button" aria-pressed="true" data-series="1" { (swatch("from-sent", false)) "from sent" }
        }
    };
    let values = |shares: &[f64]| shares.iter().map(|share| digits(*share)).collect::<Vec<_>>().join(",");
    let labels: Vec<String> =
        (first..=last).map(|upper| format!("\"≤ {}\"", Unit::Latency.tick(bound(upper)))).collect();
    let data = format!(
        "{{\"unit\":\"share\",\"px\":[{left},{right},{bottom},{}],\"labels\":[{}],\"s\":[{{\"n\":\"from intended\",\"v\":[{}]}},{{\"n\":\"from sent\",\"v\":[{}]}}]}}",
        frame.up().1,
        labels.join(","),
        values(&shares[0]),
        values(&shares[1]),
    );
    picture.draw(&legend, &data, &drawn)
}

/// Index of a bucket: its upper bound is `10^(index / 20)` ns.
fn number(bucket: &Bucket) -> i64 {
    ((bucket.upper_ns.0 as f64).log10() * f64::from(PER_DECADE)).round() as i64
}

/// The share of each bucket from `first` to `last`, in percent.
fn shares(side: &[Bucket], first: i64, last: i64) -> Vec<f64> {
    let total: u64 = side.iter().map(|bucket| bucket.count).sum();
    let mut shares = vec![0.0; (last - first + 1) as usize];
    for bucket in side {
        if let Some(share) = usize::try_from(number(bucket) - first).ok().and_then(|at| shares.get_mut(at)) {
            *share = bucket.count as f64 * 100.0 / total.max(1) as f64;
        }
    }
    shares
}
