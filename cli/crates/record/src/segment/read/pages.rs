//! Decodes pages of texts: the dictionary once, and for each row its index.

use std::collections::HashMap;

use parquet::{basic::Encoding, column::page::Page};

use crate::batch::NONE;

/// The decoded pages of one column.
#[derive(Debug, Default)]
pub(super) struct TextPages {
    /// Whether rows can be null.
    pub(super) optional: bool,
    /// Distinct texts.
    pub(super) values: Vec<String>,
    /// For each row the index of its text, or [`NONE`].
    pub(super) ids: Vec<u32>,
    /// Indices by text; maintained only once a page without a dictionary was found.
    pub(super) numbers: HashMap<String, u32>,
}

impl TextPages {
    /// Decodes a page.
    pub(super) fn add(&mut self, page: &Page) -> Result<(), String> {
        match page {
            Page::DictionaryPage { buf, num_values, .. } => {
                let mut bytes = &buf[..];
                for _ in 0..*num_values {
                    self.values.push(plain_text(&mut bytes)?.to_owned());
                }
                Ok(())
            }
            Page::DataPage { buf, num_values, encoding, .. } => {
                let mut bytes = &buf[..];
                let mut levels = None;
                if self.optional {
                    let length = little_endian(&mut bytes)?;
                    levels = Some(take(&mut bytes, length)?);
                }
                self.add_rows(*num_values, levels, bytes, *encoding)
            }
            Page::DataPageV2 {
                buf, num_values, encoding, def_levels_byte_len, rep_levels_byte_len, ..
            } => {
                let mut bytes = &buf[..];
                take(&mut bytes, *rep_levels_byte_len)?;
                let levels = take(&mut bytes, *def_levels_byte_len)?;
                self.add_rows(*num_values, self.optional.then_some(levels), bytes, *encoding)
            }
        }
    }

    fn add_rows(
        &mut self,
        rows: u32,
        levels: Option<&[u8]>,
        bytes: &[u8],
        encoding: Encoding,
    ) -> Result<(), String> {
        let mut present = Vec::new();
        if let Some(levels) = levels {
            hybrid(levels, 1, rows as usize, &mut present)?;
        }
        let absent = present.iter().filter(|level| **level == 0).count();
        let begin = self.ids.len();
        self.decode(bytes, encoding, rows as usize - absent)?;
        if absent > 0 {
            let mut ids = self.ids.split_off(begin).into_iter();
            self.ids.extend(
                present.iter().map(|level| if *level == 0 { NONE } else { ids.next().unwrap_or(NONE) }),
            );
        }
        Ok(())
    }

    fn decode(&mut self, mut bytes: &[u8], encoding: Encoding, count: usize) -> Result<(), String> {
        match encoding {
            _ if count == 0 => Ok(()),
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => {
                let width = take(&mut bytes, 1)?[0];
                let begin = self.ids.len();
                hybrid(bytes, u32::from(width), count, &mut self.ids)?;
                let known = self.values.len() as u32;
                match self.ids[begin..].iter().find(|id| **id >= known) {
                    Some(id) => Err(format!("{id} is beyond its dictionary")),
                    None => Ok(()),
                }
            }
            Encoding::PLAIN => {
                if self.numbers.is_empty() {
                    self.numbers = self.values.iter().cloned().zip(0..).collect();
                }
                for _ in 0..count {
                    let text = plain_text(&mut bytes)?;
                    let id = match self.numbers.get(text) {
                        Some(id) => *id,
                        None => {
                            let id = self.values.len() as u32;
                            self.values.push(text.to_owned());
                            self.numbers.insert(text.to_owned(), id);
                            id
                        }
                    };
                    self.ids.push(id);
                }
                Ok(())
            }
            other => Err(format!("its encoding is {other}")),
        }
    }
}

/// Appends `count` values of `width` bits in Parquet's hybrid encoding of run lengths and bit packing.
fn hybrid(mut bytes: &[u8], width: u32, count: usize, out: &mut Vec<u32>) -> Result<(), String> {
    if width > u32::BITS {
        return Err(format!("{width} bits are too many"));
    }
    let end = out.len() + count;
    while out.len() < end {
        let header = varint(&mut bytes)?;
        let room = end - out.len();
        if header & 1 == 0 {
            let mut value = [0; 4];
            let given = take(&mut bytes, width.div_ceil(8))?;
            value[..given.len()].copy_from_slice(given);
            let run = usize::try_from(header >> 1).unwrap_or(usize::MAX);
            out.resize(out.len() + run.min(room), u32::from_le_bytes(value));
            if run == 0 {
                return Err("it has an empty run".to_owned());
            }
            continue;
        }
        let groups = u32::try_from(header >> 1).map_err(|_| "it has too long a run".to_owned())?;
        let length = groups.checked_mul(width).ok_or("it has too long a run")?;
        if groups == 0 {
            return Err("it has an empty run".to_owned());
        }
        // The last run may be truncated after the last value.
        let length = length.min(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let packed = take(&mut bytes, length)?;
        unpack(packed, width, room.min(groups as usize * 8), out)?;
    }
    Ok(())
}

/// Appends `count` values of `width` bits, packed least significant bit first.
fn unpack(packed: &[u8], width: u32, count: usize, out: &mut Vec<u32>) -> Result<(), String> {
    if (packed.len() as u64) * 8 < count as u64 * u64::from(width) {
        return Err("it is cut off".to_owned());
    }
    let mask = (1_u64 << width) - 1;
    let (mut bits, mut held, mut bytes) = (0_u64, 0, packed.iter());
    out.extend((0..count).map(|_| {
        while held < width {
            bits |= u64::from(bytes.next().copied().unwrap_or(0)) << held;
            held += 8;
        }
        let value = bits & mask;
        bits >>= width;
        held -= width;
        value as u32
    }));
    Ok(())
}

fn take<'b>(bytes: &mut &'b [u8], length: u32) -> Result<&'b [u8], String> {
    let (taken, rest) = bytes.split_at_checked(length as usize).ok_or("it is cut off")?;
    *bytes = rest;
    Ok(taken)
}

fn little_endian(bytes: &mut &[u8]) -> Result<u32, String> {
    let (number, rest) = bytes.split_first_chunk().ok_or("it is cut off")?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*number))
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("it has too long a number".to_owned())
}

fn plain_text<'b>(bytes: &mut &'b [u8]) -> Result<&'b str, String> {
    let length = little_endian(bytes)?;
    std::str::from_utf8(take(bytes, length)?).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn data(buf: Vec<u8>, num_values: u32, encoding: Encoding) -> Page {
        Page::DataPage {
            buf: Bytes::from(buf),
            num_values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        }
    }

    fn plain(texts: &[&str]) -> Vec<u8> {
        let one = |text: &&str| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        texts.iter().flat_map(one).collect()
    }

    /// Older segments fall back to plain texts where the dictionary became too large.
    #[test]
    fn a_page_without_a_dictionary_after_one_with_is_read() {
        let dictionary = Page::DictionaryPage {
            buf: Bytes::from(plain(&["a", "b"])),
            num_values: 2,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let mut column = TextPages { optional: true, ..TextPages::default() };
        column.add(&dictionary).unwrap();
        // Three rows, none null; then a run of three indices of one bit: 1.
        column.add(&data(vec![2, 0, 0, 0, 6, 1, 1, 6, 1], 3, Encoding::RLE_DICTIONARY)).unwrap();
        // Null and two texts: levels 0, 1, 1 packed.
        let levels = vec![2, 0, 0, 0, 3, 0b110];
        column.add(&data([levels, plain(&["c", "a"])].concat(), 3, Encoding::PLAIN)).unwrap();
        assert_eq!(column.ids, [1, 1, 1, NONE, 2, 0]);
        assert_eq!(column.values, ["a", "b", "c"]);
    }

    #[test]
    fn corrupt_pages_are_reported() {
        let table = [
            (vec![1, 6, 1], Encoding::RLE_DICTIONARY),
            (vec![1, 0, 0], Encoding::RLE_DICTIONARY),
            (vec![64, 6, 1], Encoding::RLE_DICTIONARY),
            (vec![8, 3, 0], Encoding::RLE_DICTIONARY),
            (vec![], Encoding::RLE_DICTIONARY),
            (vec![9, 0, 0, 0, b'a'], Encoding::PLAIN),
            (vec![1, 0, 0, 0, 0xff], Encoding::PLAIN),
            (vec![0; 9], Encoding::DELTA_BYTE_ARRAY),
        ];
        let reported: Vec<String> = table
            .into_iter()
            .map(|(bytes, encoding)| {
                TextPages::default().add(&data(bytes, 3, encoding)).unwrap_err().to_string()
            })
            .collect();
        insta::assert_snapshot!(reported.join("\n"));
    }
}
