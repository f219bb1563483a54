//! The colours of both schemes, with a test of their contrast. No meaning depends on colour alone: stacked
//! areas have a hatching, and lines a dash.

/// CSS variable, value in the light scheme, value in the dark scheme.
type Colour = (&'static str, &'static str, &'static str);

/// Backgrounds.
const GROUNDS: [Colour; 3] =
    [("ground", "#ffffff", "#14171c"), ("card", "#f6f8fa", "#1d2229"), ("code", "#eef1f4", "#262c35")];
/// Text colours.
const TEXTS: [Colour; 6] = [
    ("text", "#1b1f24", "#e8ebf0"),
    ("muted", "#545c66", "#a3adba"),
    ("link", "#0a58a8", "#7cbcff"),
    ("pass", "#14692e", "#5bd66f"),
    ("fail", "#b91c24", "#ff8a82"),
    ("unsure", "#7a4f00", "#e9b949"),
];
/// Chart colours.
const MARKS: [Colour; 13] = [
    ("success", "#0b6bcb", "#6cb6ff"),
    ("redirect", "#6f42c1", "#c4a2ff"),
    ("limited", "#9a5b00", "#f0b429"),
    ("client", "#a3327f", "#ff8fd0"),
    ("server", "#c9252d", "#ff7b72"),
    ("no-response", "#4f5862", "#b4bdc9"),
    ("notsent", "#00736a", "#4fd1c5"),
    ("dropped", "#1b1f24", "#e8ebf0"),
    ("p50", "#0b6bcb", "#6cb6ff"),
    ("p90", "#00736a", "#4fd1c5"),
    ("p99", "#9a5b00", "#f0b429"),
    ("max", "#4f5862", "#b4bdc9"),
    ("event", "#6f42c1", "#c4a2ff"),
];
/// Decorative lines.
const LINES: [Colour; 2] = [("line", "#d0d7de", "#3a424d"), ("grid", "#e6eaee", "#2a313a")];

/// CSS variables: light by default and in print, dark by the system's preference or the report's own switch.
pub(crate) fn variables() -> String {
    let all = || GROUNDS.iter().chain(&TEXTS).chain(&MARKS).chain(&LINES);
    let light: String = all().map(|(name, light, _)| format!("--{name}:{light};")).collect();
    let dark: String = all().map(|(name, _, dark)| format!("--{name}:{dark};")).collect();
    format!(
        ":root{{color-scheme:light;{light}}}\n@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light])\
         {{color-scheme:dark;{dark}}}}}\n@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(hex: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn all_colours_meet_wcag_aa_contrast() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        for ground in GROUNDS {
            for (of, least) in [(&TEXTS[..], 4.5), (&MARKS[..], 3.0)] {
                for colour in of {
                    let found = [contrast(colour.1, ground.1), contrast(colour.2, ground.2)];
                    assert!(
                        found.iter().all(|ratio| *ratio >= least),
                        "{} on {}: {found:?}",
                        colour.0,
                        ground.0
                    );
                }
            }
        }
    }
}
