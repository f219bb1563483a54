//! Writes what was read, in its format: reading it again gives the same. Fuzzing and property tests hold the reader to that.

use std::fmt;

use super::{
    entry::{Entry, Escaped, Label, MetricType, UnixMillis},
    format::Format,
};

/// An entry as a line of a format, without the newline.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a, 'r>(pub Entry<'a, 'r>, pub Format);

impl fmt::Display for Written<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(entry, format) = *self;
        match entry {
            Entry::Help { name, text } => write!(f, "# HELP {} {}", Name(name), text.written()),
            Entry::Type { name, kind } => {
                let word = match kind {
                    MetricType::Untyped if format.is_open_metrics() => "unknown",
                    kind => kind.word(),
                };
                write!(f, "# TYPE {} {word}", Name(name))
            }
            Entry::Unit { name, unit } => write!(f, "# UNIT {} {unit}", Name(name)),
            Entry::Sample(sample) => {
                if is_bare(sample.name.written(), true) {
                    f.write_str(sample.name.written())?;
                    write_labels(f, None, sample.labels)?;
                } else {
                    write_labels(f, Some(sample.name), sample.labels)?;
                }
                write!(f, " {}", sample.value)?;
                write_time(f, sample.timestamp, format)?;
                let Some(exemplar) = sample.exemplar else { return Ok(()) };
                f.write_str(" # ")?;
                if exemplar.labels.is_empty() {
                    f.write_str("{}")?;
                }
                write_labels(f, None, exemplar.labels)?;
                write!(f, " {}", exemplar.value)?;
                write_time(f, exemplar.timestamp, format)
            }
            Entry::End => f.write_str("# EOF"),
            Entry::Nothing => Ok(()),
        }
    }
}

/// A metric's name, in quotes if it needs them.
struct Name<'a>(Escaped<'a>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.written();
        if is_bare(name, true) { f.write_str(name) } else { write!(f, "\"{name}\"") }
    }
}

/// Whether a name does without quotes; a metric's may have colons, a label's not.
fn is_bare(name: &str, may_have_colons: bool) -> bool {
    let is_letter =
        |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b':' && may_have_colons);
    name.bytes().all(is_letter) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn write_labels(
    f: &mut fmt::Formatter<'_>,
    metric: Option<Escaped<'_>>,
    labels: &[Label<'_>],
) -> fmt::Result {
    let mut separator = '{';
    if let Some(name) = metric {
        write!(f, "{{\"{}\"", name.written())?;
        separator = ',';
    }
    for label in labels {
        let (name, value) = (label.name.written(), label.value.written());
        let quote = if is_bare(name, false) { "" } else { "\"" };
        write!(f, "{separator}{quote}{name}{quote}=\"{value}\"")?;
        separator = ',';
    }
    if separator == ',' { f.write_str("}") } else { Ok(()) }
}

fn write_time(f: &mut fmt::Formatter<'_>, time: Option<UnixMillis>, format: Format) -> fmt::Result {
    match time {
        None => Ok(()),
        Some(UnixMillis(millis)) if format.is_open_metrics() => {
            let (sign, size) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
            write!(f, " {sign}{}.{:03}", size / 1000, size % 1000)
        }
        Some(UnixMillis(millis)) => write!(f, " {millis}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{lint::lint, page::Page, reader::Reader},
        *,
    };

    /// What can be read of a text, as lines; how many cannot.
    fn lines(text: &str, format: Format) -> (Vec<String>, usize) {
        let (mut lines, mut wrong) = (Vec::new(), 0);
        let mut reader = Reader::new(text, format);
        while let Some(line) = reader.next() {
            match line {
                Ok(line) if line.entry != Entry::Nothing => {
                    lines.push(Written(line.entry, format).to_string());
                }
                Ok(_) => {}
                Err(_) => wrong += 1,
            }
        }
        (lines, wrong)
    }

    /// A label's value, escaped.
    fn escaped() -> impl Strategy<Value = String> {
        "[a-zé{}=, \\\\\"\n#]{0,6}"
            .prop_map(|text| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    }

    fn line() -> impl Strategy<Value = String> {
        let labels = prop::collection::btree_map("[a-z]{1,3}", escaped(), 0..4);
        let value = prop_oneof![any::<f64>().prop_map(|v| v.to_string()), Just("+Inf".to_owned())];
        let name = prop_oneof![Just("a:b_total".to_owned()), Just("{\"é.b\"".to_owned())];
        (name, labels, value, prop::option::of(0..i64::from(u32::MAX))).prop_map(
            |(name, labels, value, time)| {
                let mut line = name.clone();
                let mut separator = if name.starts_with('{') { ',' } else { '{' };
                for (label, value) in &labels {
                    line.push_str(&format!("{separator}{label}=\"{value}\""));
                    separator = ',';
                }
                let close = if separator == ',' { "}" } else { "" };
                format!("{line}{close} {value}{}", time.map(|time| format!(" {time}")).unwrap_or_default())
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(written in prop::collection::vec(line(), 0..8)) {
            for format in [Format::Text100, Format::OpenMetrics] {
                let end = if format.is_open_metrics() { "# EOF\n" } else { "" };
                let text = written.iter().map(|line| format!("{line}\n")).collect::<String>() + end;
                let (once, wrong) = lines(&text, format);
                prop_assert_eq!(wrong, 0, "{}", text);
                let again = once.iter().map(|line| format!("{line}\n")).collect::<String>();
                prop_assert_eq!(lines(&again, format), (once, 0), "{}", again);
            }
        }

        #[test]
        fn any_text_can_be_read_and_what_can_be_reads_the_same(
            text in "((# (TYPE|HELP|UNIT|EOF) ?)|a_total|\"|\\{|\\}|[ -~\\n{}\"\\\\#=é\t\r]){0,60}",
        ) {
            for format in [Format::Text004, Format::Text100, Format::OpenMetrics] {
                let _ = lint(&Page::read(&text, format));
                let (once, _) = lines(&text, format);
                let again = once.iter().map(|line| format!("{line}\n")).collect::<String>();
                let has_end = again.ends_with("# EOF\n");
                let missing = usize::from(format.is_open_metrics() && !has_end);
                prop_assert_eq!(lines(&again, format), (once, missing), "{}", again);
            }
        }
    }
}
