//! Finds repeated series of a text. For each series it stores a hash and a slice of the text, and copies no
//! labels.

use std::{
    collections::{HashMap, hash_map::Entry as Place},
    hash::{BuildHasher, RandomState},
};

use super::{
    cursor::Cursor,
    entry::{Escaped, Label, Sample, same_labels},
};

/// The series seen so far.
#[derive(Debug, Default)]
pub struct Seen<'a> {
    hasher: RandomState,
    /// By hash of name and labels: the series as written, and its line.
    by_hash: HashMap<u64, (&'a str, usize)>,
    /// Series whose hash collides with another's.
    collided: Vec<(&'a str, usize)>,
}

impl<'a> Seen<'a> {
    /// Adds a series; returns the line of an earlier occurrence, if any. The order of labels does not matter.
    pub fn note(&mut self, sample: &Sample<'a, '_>, line: usize) -> Option<usize> {
        // A sum, because labels may be in any order.
        let hash = sample
            .labels
            .iter()
            .map(|label| self.hasher.hash_one(label))
            .fold(self.hasher.hash_one(sample.name), u64::wrapping_add);
        let (earlier, first) = match self.by_hash.entry(hash) {
            Place::Vacant(place) => {
                place.insert((sample.series, line));
                return None;
            }
            Place::Occupied(place) => *place.get(),
        };
        if is_same(earlier, sample) {
            return Some(first);
        }
        let found = self.collided.iter().find(|(series, _)| is_same(series, sample)).map(|(_, line)| *line);
        if found.is_none() {
            self.collided.push((sample.series, line));
        }
        found
    }
}

/// Whether an earlier series equals the sample's.
fn is_same<'a>(series: &'a str, sample: &Sample<'a, '_>) -> bool {
    let mut labels = Vec::with_capacity(sample.labels.len());
    // It was parsed once, so it can be parsed again.
    let name = read(&mut Cursor::of_series(series), &mut labels);
    name == Some(sample.name) && same_labels(&labels, sample.labels)
}

fn read<'a>(cursor: &mut Cursor<'a>, labels: &mut Vec<Label<'a>>) -> Option<Escaped<'a>> {
    let name = if cursor.peek() == Some(b'{') { None } else { Some(cursor.metric_name().ok()?) };
    cursor.skip_blanks();
    let in_braces = if cursor.eat(b'{') { cursor.labels(name.is_some(), labels).ok()? } else { None };
    name.or(in_braces)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{entry::Entry, format::Format, reader::Reader},
        *,
    };

    fn repeats(text: &str) -> Vec<(usize, usize)> {
        let (mut seen, mut repeats) = (Seen::default(), Vec::new());
        let mut reader = Reader::new(text, Format::Text100);
        while let Some(line) = reader.next() {
            let line = line.unwrap();
            if let Entry::Sample(sample) = line.entry {
                repeats.extend(seen.note(&sample, line.number).map(|first| (line.number, first)));
            }
        }
        repeats
    }

    #[test]
    fn series_are_equal_in_any_order_and_spelling() {
        let text =
            "a 1\na{} 1\nb{x=\"1\",y=\"2\"} 1\nb{y=\"2\" , x=\"1\",} 2\n{\"b\",\"x\"=\"1\",y=\"2\"} 3\n";
        assert_eq!(repeats(text), [(2, 1), (4, 3), (5, 3)]);
        assert_eq!(repeats("a{x=\"1\"} 1\na{x=\"2\"} 1\na{y=\"1\"} 1\nb{x=\"1\"} 1\na 1\n"), []);
    }

    #[test]
    fn many_labels_are_compared_in_any_order() {
        let label = |i: usize| format!("l{i}=\"{i}\"");
        let labels: Vec<String> = (0..40).map(label).collect();
        let (forth, back) = (labels.join(","), labels.iter().rev().cloned().collect::<Vec<_>>().join(","));
        let other = back.replace("\"7\"", "\"8\"");
        assert_eq!(repeats(&format!("a{{{forth}}} 1\na{{{back}}} 1\na{{{other}}} 1\n")), [(2, 1)]);
    }

    #[test]
    fn equal_hashes_do_not_make_equal_series() {
        let text = "a 1\nb 1\n";
        let mut reader = Reader::new(text, Format::Text100);
        let mut seen = Seen::default();
        while let Some(Ok(line)) = reader.next() {
            let Entry::Sample(sample) = line.entry else { continue };
            // Forces a collision with another series.
            let hash = seen.hasher.hash_one(sample.name);
            seen.by_hash.insert(hash, ("other", 9));
            assert_eq!(seen.note(&sample, line.number), None);
            assert_eq!(seen.note(&sample, 10 + line.number), Some(line.number));
        }
    }
}
