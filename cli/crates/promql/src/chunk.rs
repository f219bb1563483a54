//! Compressed samples of one series: the difference between consecutive time steps, and the XOR of
//! consecutive values, both as variable-length integers. A constant value takes two bytes, a rising counter
//! about five.

use std::collections::VecDeque;

use crate::value::Point;

/// Samples per chunk: an instant query decodes at most this many.
const CHUNK_SAMPLES: u32 = 120;

/// All samples of one series, in order of time.
#[derive(Debug, Default)]
pub(crate) struct Chunks(VecDeque<Chunk>);

#[derive(Debug)]
struct Chunk {
    first: Point,
    last: Point,
    step: i64,
    samples: u32,
    bytes: Vec<u8>,
}

impl Chunks {
    /// Adds a sample; one that is not later than the last is dropped, as by Prometheus.
    pub(crate) fn push(&mut self, point: Point) {
        match self.0.back_mut() {
            Some(chunk) if point.time <= chunk.last.time => {}
            Some(chunk) if chunk.samples < CHUNK_SAMPLES => chunk.push(point),
            _ => self.0.push_back(Chunk::new(point)),
        }
    }

    /// The samples within `[from, to]`.
    pub(crate) fn range(&self, from: i64, to: i64) -> impl Iterator<Item = Point> {
        let first = self.0.partition_point(|chunk| chunk.last.time < from);
        let chunks = self.0.range(first..).take_while(move |chunk| chunk.first.time <= to);
        chunks
            .flat_map(Chunk::points)
            .skip_while(move |point| point.time < from)
            .take_while(move |point| point.time <= to)
    }

    /// The last sample that is not later than an instant.
    pub(crate) fn latest(&self, time: i64) -> Option<Point> {
        let after = self.0.partition_point(|chunk| chunk.first.time <= time);
        let chunk = self.0.get(after.checked_sub(1)?)?;
        chunk.points().take_while(|point| point.time <= time).last()
    }

    /// Drops chunks whose samples are all older.
    pub(crate) fn prune(&mut self, before: i64) {
        while self.0.front().is_some_and(|chunk| chunk.last.time < before) {
            self.0.pop_front();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Chunk {
    fn new(first: Point) -> Self {
        Self { first, last: first, step: 0, samples: 1, bytes: Vec::new() }
    }

    fn push(&mut self, point: Point) {
        let step = point.time - self.last.time;
        let change = step - self.step;
        write(&mut self.bytes, ((change << 1) ^ (change >> 63)).cast_unsigned());
        // The XOR of typical neighbouring values (such as integers) ends in many zeros; reversing its bits
        // makes it a small number.
        write(&mut self.bytes, (point.value.to_bits() ^ self.last.value.to_bits()).reverse_bits());
        (self.last, self.step) = (point, step);
        self.samples += 1;
    }

    fn points(&self) -> impl Iterator<Item = Point> {
        let (mut point, mut step, mut bytes) = (self.first, 0, self.bytes.iter());
        let rest = std::iter::from_fn(move || {
            let change = read(&mut bytes)?;
            step += (change >> 1).cast_signed() ^ -(change & 1).cast_signed();
            let bits = point.value.to_bits() ^ read(&mut bytes)?.reverse_bits();
            point = Point { time: point.time + step, value: f64::from_bits(bits) };
            Some(point)
        });
        std::iter::once(self.first).chain(rest)
    }
}

/// Writes seven bits per byte, the lowest first; the high bit marks that more follow.
fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn read<'a>(bytes: &mut impl Iterator<Item = &'a u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The samples that are kept: those later than all before.
    fn kept(points: &[(i64, u64)]) -> Vec<(i64, u64)> {
        let mut kept: Vec<(i64, u64)> = Vec::new();
        for point in points {
            if kept.last().is_none_or(|last| last.0 < point.0) {
                kept.push(*point);
            }
        }
        kept
    }

    proptest! {
        #[test]
        fn samples_round_trip_through_chunks(
            steps in prop::collection::vec((-3_i64..2_000_000, any::<u64>()), 0..400),
            from in 0_i64..400_000_000,
            length in 0_i64..200_000_000,
        ) {
            let mut time = 0;
            let points: Vec<(i64, u64)> = steps.into_iter().map(|(step, bits)| { time += step; (time, bits) }).collect();
            let mut chunks = Chunks::default();
            points.iter().for_each(|(time, bits)| chunks.push(Point { time: *time, value: f64::from_bits(*bits) }));
            let to = from + length;
            let read: Vec<(i64, u64)> =
                chunks.range(from, to).map(|point| (point.time, point.value.to_bits())).collect();
            let expected: Vec<(i64, u64)> =
                kept(&points).into_iter().filter(|(time, _)| (from..=to).contains(time)).collect();
            prop_assert_eq!(read, expected);
            let last = kept(&points).into_iter().rfind(|(time, _)| *time <= to);
            prop_assert_eq!(chunks.latest(to).map(|point| (point.time, point.value.to_bits())), last);
        }
    }

    #[test]
    fn a_rising_counter_takes_five_bytes_a_sample() {
        let mut chunks = Chunks::default();
        for second in 0..3600 {
            chunks.push(Point { time: second * 1000 + second % 3, value: (second * 17) as f64 });
        }
        let bytes: usize = chunks.0.iter().map(|chunk| chunk.bytes.len()).sum();
        assert!(bytes < 5 * 3600, "{bytes}");
    }

    #[test]
    fn old_chunks_are_dropped_whole() {
        let mut chunks = Chunks::default();
        (0..600).for_each(|time| chunks.push(Point { time, value: 0.0 }));
        chunks.prune(250);
        assert_eq!(chunks.range(0, 600).next().map(|point| point.time), Some(240));
        chunks.prune(600);
        assert!(chunks.is_empty());
    }
}
