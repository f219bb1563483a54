//! Two of Parquet's encodings, written value by value: `DELTA_BINARY_PACKED` for integers, and the hybrid of
//! run lengths and bit packing for dictionary indices and null flags.
//!
//! The library's writer hashes every value and cannot be given indices, hence this implementation. Tests
//! verify it with the library's reader.

/// Values per block of deltas, and per miniblock, which has one bit width.
const BLOCK: usize = 128;
const MINIBLOCK: usize = 32;

/// `DELTA_BINARY_PACKED`: differences minus the smallest of their block, each miniblock as wide as its
/// greatest.
#[derive(Debug)]
pub(super) struct Deltas {
    count: u64,
    first: i64,
    last: i64,
    block: [i64; BLOCK],
    filled: usize,
    body: Vec<u8>,
}

impl Default for Deltas {
    fn default() -> Self {
        Self { count: 0, first: 0, last: 0, block: [0; BLOCK], filled: 0, body: Vec::new() }
    }
}

impl Deltas {
    #[inline]
    pub(super) fn push(&mut self, value: i64) {
        if self.count == 0 {
            self.first = value;
        } else {
            if self.filled == BLOCK {
                self.end_block();
            }
            self.block[self.filled] = value.wrapping_sub(self.last);
            self.filled += 1;
        }
        self.last = value;
        self.count += 1;
    }

    pub(super) fn len(&self) -> u64 {
        self.count
    }

    fn end_block(&mut self) {
        let deltas = &mut self.block[..self.filled];
        let least = deltas.iter().copied().min().unwrap_or(0);
        for delta in deltas.iter_mut() {
            *delta = delta.wrapping_sub(least);
        }
        self.block[self.filled..].fill(0);
        zigzag(least, &mut self.body);
        let widths_at = self.body.len();
        self.body.extend([0; BLOCK / MINIBLOCK]);
        for (number, miniblock) in self.block[..self.filled.next_multiple_of(MINIBLOCK)]
            .as_chunks::<MINIBLOCK>()
            .0
            .iter()
            .enumerate()
        {
            let bits = miniblock.iter().fold(0, |bits, delta| bits | *delta as u64);
            let width = u64::BITS - bits.leading_zeros();
            self.body[widths_at + number] = width as u8;
            pack(miniblock, width, &mut self.body);
        }
        self.filled = 0;
    }

    /// Appends the encoded values to `out`, and resets.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if self.filled > 0 {
            self.end_block();
        }
        varint(BLOCK as u64, out);
        varint((BLOCK / MINIBLOCK) as u64, out);
        varint(self.count, out);
        zigzag(self.first, out);
        out.extend(&self.body);
        self.body.clear();
        self.count = 0;
    }
}

/// Packs values of `width` bits (higher bits are zero) consecutively, least significant bit first.
#[inline]
fn pack(values: &[i64; MINIBLOCK], width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let mut packed = [0; MINIBLOCK * 8 + 8];
    let (mut bits, mut held, mut at) = (0_u64, 0, 0);
    for &value in values {
        let value = value as u64;
        bits |= value << held;
        held += width;
        if held >= u64::BITS {
            packed[at..at + 8].copy_from_slice(&bits.to_le_bytes());
            at += 8;
            held -= u64::BITS;
            bits = if held == 0 { 0 } else { value >> (width - held) };
        }
    }
    // With 32 values, an odd width leaves half a word.
    packed[at..at + 8].copy_from_slice(&bits.to_le_bytes());
    out.extend(&packed[..MINIBLOCK / 8 * width as usize]);
}

/// Most groups of eight values per header of bit-packed values, so that the header takes one byte.
const GROUPS: u8 = 63;

/// Parquet's hybrid: runs of eight or more equal values as a count, other values packed in groups of eight.
#[derive(Debug, Default)]
pub(super) struct Hybrid {
    width: u32,
    /// The last value, and how often it was repeated without being written yet.
    value: u32,
    run: u64,
    group: [u32; 8],
    filled: usize,
    /// Position of the current header, and how many groups it covers.
    header: Option<(usize, u8)>,
    out: Vec<u8>,
}

impl Hybrid {
    /// For values of `width` bits.
    pub(super) fn new(width: u32) -> Self {
        Self { width, ..Self::default() }
    }

    /// Adds a value `times` times.
    #[inline]
    pub(super) fn push(&mut self, value: u32, times: u64) {
        if value != self.value {
            self.settle();
            self.value = value;
        }
        self.run += times;
    }

    /// Writes the pending run.
    fn settle(&mut self) {
        if self.filled > 0 {
            while self.run > 0 && self.filled > 0 {
                self.literal();
            }
        }
        if self.run >= 8 {
            self.header = None;
            varint(self.run << 1, &mut self.out);
            let bytes = self.width.div_ceil(8) as usize;
            self.out.extend(&self.value.to_le_bytes()[..bytes]);
            self.run = 0;
        }
        while self.run > 0 {
            self.literal();
        }
    }

    /// Moves one value of the run into the group.
    #[inline]
    fn literal(&mut self) {
        self.group[self.filled] = self.value;
        self.filled += 1;
        self.run -= 1;
        if self.filled == self.group.len() {
            self.end_group();
        }
    }

    fn end_group(&mut self) {
        let (at, groups) = match self.header {
            Some((at, groups)) if groups < GROUPS => (at, groups + 1),
            _ => {
                self.out.push(0);
                (self.out.len() - 1, 1)
            }
        };
        self.header = Some((at, groups));
        self.out[at] = groups << 1 | 1;
        // Eight values of `width` bits are `width` bytes.
        let (mut bits, mut held) = (0_u64, 0);
        for value in &mut self.group {
            bits |= u64::from(*value) << held;
            held += self.width;
            while held >= 8 {
                self.out.push(bits as u8);
                bits >>= 8;
                held -= 8;
            }
            *value = 0;
        }
        self.filled = 0;
    }

    /// The encoded values; resets.
    pub(super) fn finish(&mut self) -> &[u8] {
        self.settle();
        if self.filled > 0 {
            self.end_group();
        }
        self.header = None;
        self.value = 0;
        &self.out
    }

    /// Discards what was encoded.
    pub(super) fn clear(&mut self) {
        self.out.clear();
    }
}

/// How many bits the numbers below `count` need.
pub(super) fn width_of(count: usize) -> u32 {
    usize::BITS - count.saturating_sub(1).leading_zeros()
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn zigzag(value: i64, out: &mut Vec<u8>) {
    varint((value << 1 ^ value >> 63) as u64, out);
}
