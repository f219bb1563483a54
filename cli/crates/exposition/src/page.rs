//! A whole exposition, sorted into metric families, for `lint` and `cardinality`, which need more than one
//! line at once. Everything borrows from the text.

use std::collections::HashMap;

use super::{
    ExpositionError,
    entry::{Entry, Escaped, Label, MetricType, Sample, UnixMillis},
    format::Format,
    reader::Reader,
    seen::Seen,
};

/// An exposition, parsed as far as possible.
#[derive(Debug, Default)]
pub struct Page<'a> {
    /// Whether it is OpenMetrics.
    pub is_open_metrics: bool,
    /// Metric families in the order in which they first appear.
    pub families: Vec<Family<'a>>,
    /// Lines that do not match the format.
    pub errors: Vec<ExpositionError>,
}

/// A metric with everything that the exposition states about it.
#[derive(Debug)]
pub struct Family<'a> {
    /// Its name, without the suffixes that its samples may have.
    pub name: Escaped<'a>,
    /// The HELP line.
    pub help: Option<(usize, Escaped<'a>)>,
    /// The TYPE line.
    pub kind: Option<(usize, MetricType)>,
    /// Its samples, in order.
    pub rows: Vec<Row<'a>>,
    /// HELP, TYPE and UNIT lines that are repeated, or follow samples of the metric.
    pub odd_metadata: Vec<OddMetadata>,
    /// The first line of the metric after lines of another one.
    pub interrupted: Option<usize>,
    /// The first line of the metric.
    pub line: usize,
}

/// A sample.
#[derive(Debug)]
pub struct Row<'a> {
    /// Line of the sample.
    pub line: usize,
    /// Its name, with its suffix.
    pub name: Escaped<'a>,
    /// Its labels.
    pub labels: Vec<Label<'a>>,
    /// Its value.
    pub value: f64,
    /// Its timestamp.
    pub timestamp: Option<UnixMillis>,
    /// Whether it has an exemplar.
    pub has_exemplar: bool,
    /// The earlier line with the same series, if any.
    pub repeats: Option<usize>,
}

/// A misplaced metadata line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OddMetadata {
    /// Line number.
    pub line: usize,
    /// `HELP`, `TYPE` or `UNIT`.
    pub keyword: &'static str,
    /// The earlier line with the same keyword; `None` if it follows samples of the metric.
    pub first: Option<usize>,
}

impl<'a> Family<'a> {
    fn new(name: Escaped<'a>, line: usize) -> Self {
        let (help, kind, interrupted) = (None, None, None);
        Self { name, help, kind, rows: Vec::new(), odd_metadata: Vec::new(), interrupted, line }
    }

    /// The declared type, or `Untyped`.
    pub fn kind(&self) -> MetricType {
        self.kind.map(|(_, kind)| kind).unwrap_or_default()
    }

    /// Whether a label belongs to the type: a bucket's bound, a summary's quantile, a state.
    pub fn owns_label(&self, label: &str) -> bool {
        match self.kind() {
            MetricType::Histogram | MetricType::GaugeHistogram => label == "le",
            MetricType::Summary => label == "quantile",
            MetricType::StateSet => label == self.name.written(),
            _ => false,
        }
    }
}

impl<'a> Page<'a> {
    /// Parses a text.
    pub fn read(text: &'a str, format: Format) -> Self {
        let mut reading = Reading {
            page: Self { is_open_metrics: format.is_open_metrics(), ..Self::default() },
            by_name: HashMap::new(),
            units: HashMap::new(),
            current: None,
        };
        let mut seen = Seen::default();
        let mut reader = Reader::new(text, format);
        while let Some(line) = reader.next() {
            match line {
                Ok(line) => {
                    let number = line.number;
                    match line.entry {
                        Entry::Help { name, text } => reading.help(name, text, number),
                        Entry::Type { name, kind } => reading.kind(name, kind, number),
                        Entry::Unit { name, .. } => reading.unit(name, number),
                        Entry::Sample(sample) => {
                            let repeats = seen.note(&sample, number);
                            reading.sample(&sample, number, repeats);
                        }
                        Entry::End | Entry::Nothing => {}
                    }
                }
                Err(error) => reading.page.errors.push(error),
            }
        }
        reading.page
    }

    /// Number of series.
    pub fn series(&self) -> usize {
        self.families.iter().map(|family| family.rows.len()).sum()
    }
}

/// An exposition being parsed.
struct Reading<'a> {
    page: Page<'a>,
    by_name: HashMap<Escaped<'a>, usize>,
    /// Lines of the UNIT metadata, by metric.
    units: HashMap<Escaped<'a>, usize>,
    /// The family of the previous line.
    current: Option<usize>,
}

impl<'a> Reading<'a> {
    /// The family of that name, created if necessary; it becomes the current one.
    fn family(&mut self, name: Escaped<'a>, line: usize) -> &mut Family<'a> {
        let next = self.page.families.len();
        let index = *self.by_name.entry(name).or_insert(next);
        if index == next {
            self.page.families.push(Family::new(name, line));
        }
        let is_interrupted = index != next && self.current != Some(index);
        self.current = Some(index);
        let family = &mut self.page.families[index];
        if is_interrupted {
            family.interrupted.get_or_insert(line);
        }
        family
    }

    fn help(&mut self, name: Escaped<'a>, text: Escaped<'a>, line: usize) {
        let family = self.family(name, line);
        let first = family.help.map(|(line, _)| line);
        family.help.get_or_insert((line, text));
        note_odd(family, "HELP", line, first);
    }

    fn kind(&mut self, name: Escaped<'a>, kind: MetricType, line: usize) {
        let family = self.family(name, line);
        let first = family.kind.map(|(line, _)| line);
        family.kind.get_or_insert((line, kind));
        note_odd(family, "TYPE", line, first);
    }

    fn unit(&mut self, name: Escaped<'a>, line: usize) {
        let first = self.units.get(&name).copied();
        self.units.entry(name).or_insert(line);
        note_odd(self.family(name, line), "UNIT", line, first);
    }

    fn sample(&mut self, sample: &Sample<'a, '_>, line: usize, repeats: Option<usize>) {
        let name = self.family_name(sample.name);
        let family = self.family(name, line);
        family.rows.push(Row {
            line,
            name: sample.name,
            labels: sample.labels.to_vec(),
            value: sample.value,
            timestamp: sample.timestamp,
            has_exemplar: sample.exemplar.is_some(),
            repeats,
        });
    }

    /// The metric that a sample belongs to: one with its own name, or one whose type has samples with this
    /// suffix.
    fn family_name(&self, sample: Escaped<'a>) -> Escaped<'a> {
        if self.by_name.contains_key(&sample) {
            return sample;
        }
        let of_suffix = |suffix: &&str| {
            let name = Escaped(sample.written().strip_suffix(suffix)?);
            let kind = self.page.families[*self.by_name.get(&name)?].kind();
            kind.suffixes(self.page.is_open_metrics).contains(suffix).then_some(name)
        };
        MetricType::SUFFIXES.iter().find_map(of_suffix).unwrap_or(sample)
    }
}

fn note_odd(family: &mut Family<'_>, keyword: &'static str, line: usize, first: Option<usize>) {
    // In all formats, metadata must occur once, and before the samples.
    if first.is_some() || !family.rows.is_empty() {
        family.odd_metadata.push(OddMetadata { line, keyword, first });
    }
}
