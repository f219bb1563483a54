//! Columns of a segment while it grows: integers as packed differences, names as indices, each encoded as it
//! is added.
//!
//! A [`Chunk`] puts the encoded data into Parquet pages; the library writes their headers and the file's
//! footer.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding, PageType},
    column::{
        page::{CompressedPage, Page, PageWriter as _},
        writer::ColumnCloseResult,
    },
    errors::ParquetError,
    file::{
        metadata::ColumnChunkMetaData,
        writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite},
    },
    schema::types::SchemaDescriptor,
};

use super::encode::{Deltas, Hybrid, width_of};

/// Which rows have a value.
#[derive(Debug)]
struct Presence(Hybrid);

impl Default for Presence {
    fn default() -> Self {
        Self(Hybrid::new(1))
    }
}

/// Integers of every row.
#[derive(Debug, Default)]
pub(super) struct Integers(Deltas);

/// Integers of some rows.
#[derive(Debug, Default)]
pub(super) struct OptionalIntegers {
    present: Presence,
    values: Deltas,
}

/// Indices into a table, for some rows; the table is provided when the column is written.
#[derive(Debug, Default)]
pub(super) struct OptionalIndices {
    present: Presence,
    values: Vec<u32>,
}

impl Integers {
    #[inline]
    pub(super) fn extend(&mut self, values: impl Iterator<Item = i64>) {
        values.for_each(|value| self.0.push(value));
    }
}

impl OptionalIntegers {
    #[inline]
    pub(super) fn push(&mut self, value: Option<i64>) {
        self.present.0.push(value.is_some().into(), 1);
        if let Some(value) = value {
            self.values.push(value);
        }
    }

    /// Adds rows without a value.
    pub(super) fn push_nothing(&mut self, rows: u64) {
        self.present.0.push(0, rows);
    }
}

impl OptionalIndices {
    #[inline]
    pub(super) fn push(&mut self, value: Option<u32>) {
        self.present.0.push(value.is_some().into(), 1);
        self.values.extend(value);
    }

    /// Adds rows without a value.
    pub(super) fn push_nothing(&mut self, rows: u64) {
        self.present.0.push(0, rows);
    }
}

/// Values numbered in order of their first occurrence.
#[derive(Debug)]
pub(super) struct Numbered<T> {
    numbers: HashMap<T, u32>,
    pub(super) values: Vec<T>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    /// The number of a value, added if it is new.
    pub(super) fn number<Q>(&mut self, value: &Q) -> u32
    where
        T: std::borrow::Borrow<Q> + for<'q> From<&'q Q>,
        Q: Eq + Hash + ?Sized,
    {
        if let Some(number) = self.numbers.get(value) {
            return *number;
        }
        let number = self.values.len() as u32;
        let value = T::from(value);
        self.values.push(value.clone());
        self.numbers.insert(value, number);
        number
    }

    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.values.clear();
    }
}

/// Writes the columns of a row group one after the other.
pub(super) struct Chunk<'g, 'f> {
    pub(super) group: &'g mut SerializedRowGroupWriter<'f, Vec<u8>>,
    pub(super) schema: Arc<SchemaDescriptor>,
    pub(super) rows: u64,
    /// Columns written so far.
    pub(super) column: usize,
}

impl Chunk<'_, '_> {
    /// Writes a column of integers, and resets it.
    pub(super) fn integers(&mut self, column: &mut Integers) -> Result<(), ParquetError> {
        let mut page = Vec::new();
        column.0.finish(&mut page);
        self.append(None, Encoding::DELTA_BINARY_PACKED, page)
    }

    /// Writes a column of optional integers, and resets it.
    pub(super) fn optional_integers(&mut self, column: &mut OptionalIntegers) -> Result<(), ParquetError> {
        let mut page = levels(&mut column.present.0);
        if column.values.len() == 0 {
            return self.append(None, Encoding::PLAIN, page);
        }
        column.values.finish(&mut page);
        self.append(None, Encoding::DELTA_BINARY_PACKED, page)
    }

    /// Writes the name of every index into a table of `count`.
    pub(super) fn names<'n>(
        &mut self,
        indices: &[u32],
        count: usize,
        name: impl Fn(usize) -> &'n str,
    ) -> Result<(), ParquetError> {
        let (page, dictionary) =
            dictionary_encoded(Vec::new(), indices, count, |index| Some(text(name(index))));
        self.append(Some(dictionary), Encoding::RLE_DICTIONARY, page)
    }

    /// Writes the name of every index that has one.
    pub(super) fn some_names(&mut self, indices: &[u32], names: &[Option<&str>]) -> Result<(), ParquetError> {
        let mut column = OptionalIndices::default();
        let has_name = |index: u32| names.get(index as usize).copied().flatten().is_some();
        indices.iter().for_each(|&index| column.push(has_name(index).then_some(index)));
        self.optional_values(&mut column, names.len(), |index| names.get(index).copied().flatten().map(text))
    }

    /// Writes the PLAIN-encoded value of every index, and resets the column; rows without an index are null.
    pub(super) fn optional_values(
        &mut self,
        column: &mut OptionalIndices,
        count: usize,
        plain: impl Fn(usize) -> Option<Vec<u8>>,
    ) -> Result<(), ParquetError> {
        let page = levels(&mut column.present.0);
        if column.values.is_empty() {
            return self.append(None, Encoding::PLAIN, page);
        }
        let (page, dictionary) = dictionary_encoded(page, &column.values, count, plain);
        column.values.clear();
        self.append(Some(dictionary), Encoding::RLE_DICTIONARY, page)
    }

    fn append(
        &mut self,
        dictionary: Option<Dictionary>,
        encoding: Encoding,
        page: Vec<u8>,
    ) -> Result<(), ParquetError> {
        let mut bytes = TrackedWrite::new(Vec::new());
        let mut pages = SerializedPageWriter::new(&mut bytes);
        let mut size = 0;
        let mut write = |page: Page| {
            let length = page.buffer().len();
            let written = pages.write_page(CompressedPage::new(page, length))?;
            size += written.compressed_size as i64;
            debug_assert!(written.page_type != PageType::INDEX_PAGE);
            Ok::<u64, ParquetError>(written.offset)
        };
        let mut encodings = vec![encoding, Encoding::RLE];
        let mut dictionary_at = None;
        if let Some(Dictionary { plain, count }) = dictionary {
            encodings.push(Encoding::PLAIN);
            dictionary_at = Some(write(Page::DictionaryPage {
                buf: Bytes::from(plain),
                num_values: count,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            })? as i64);
        }
        let data_at = write(Page::DataPage {
            buf: Bytes::from(page),
            num_values: u32::try_from(self.rows)?,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })?;
        let metadata = ColumnChunkMetaData::builder(self.schema.column(self.column))
            .set_compression(Compression::UNCOMPRESSED)
            .set_encodings(encodings)
            .set_total_compressed_size(size)
            .set_total_uncompressed_size(size)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(data_at as i64)
            .set_dictionary_page_offset(dictionary_at)
            .build()?;
        self.column += 1;
        let close = ColumnCloseResult {
            bytes_written: size as u64,
            rows_written: self.rows,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        self.group.append_column(&Bytes::from(bytes.into_inner()?), close)
    }
}

/// Distinct values, PLAIN-encoded.
struct Dictionary {
    plain: Vec<u8>,
    count: u32,
}

/// Appends the values of `indices` to `page`, as indices into a dictionary of those that occur.
fn dictionary_encoded(
    mut page: Vec<u8>,
    indices: &[u32],
    count: usize,
    plain: impl Fn(usize) -> Option<Vec<u8>>,
) -> (Vec<u8>, Dictionary) {
    const UNSEEN: u32 = u32::MAX;
    // An index beyond the table is a bug elsewhere: it gets an entry of its own that has no name.
    let width = width_of(count + 1);
    let mut entries = vec![UNSEEN; count + 1];
    let mut numbers: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut dictionary = Vec::new();
    let mut hybrid = Hybrid::new(width);
    for &index in indices {
        let index = (index as usize).min(count);
        let mut entry = entries[index];
        if entry == UNSEEN {
            let value = plain(index).unwrap_or_default();
            let next = numbers.len() as u32;
            entry = *numbers.entry(value).or_insert_with_key(|value| {
                dictionary.extend(value);
                next
            });
            entries[index] = entry;
        }
        hybrid.push(entry, 1);
    }
    page.push(width as u8);
    page.extend(hybrid.finish());
    (page, Dictionary { plain: dictionary, count: numbers.len() as u32 })
}

/// A PLAIN-encoded text: its length and its bytes.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut plain = (text.len() as u32).to_le_bytes().to_vec();
    plain.extend(text.as_bytes());
    plain
}

/// The definition levels at the start of a data page; resets them.
fn levels(present: &mut Hybrid) -> Vec<u8> {
    let encoded = present.finish();
    let mut page = (encoded.len() as u32).to_le_bytes().to_vec();
    page.extend(encoded);
    present.clear();
    page
}
