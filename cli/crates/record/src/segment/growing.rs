//! A segment while it grows: batches are encoded as they are added, so that it takes no more memory than it
//! will take on disk.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    sync::{Arc, LazyLock},
};

use parquet::{
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::{parser::parse_message_type, types::TypePtr},
};

use super::{
    Names, SCHEMA,
    columns::{Chunk, Integers, Numbered, OptionalIndices, OptionalIntegers, text},
    seal,
};
use crate::{
    batch::{Batch, Extra, NONE, Row},
    checksum::Checksum,
    sample::RequestOutcome,
};

/// A segment that is being filled. Writing empties it for the next one.
#[derive(Debug, Default)]
pub struct Growing {
    rows: u64,
    intended: Integers,
    sent: Integers,
    first_byte: OptionalIntegers,
    done: Integers,
    tenant: Vec<u32>,
    step: Vec<u32>,
    replica: Vec<u32>,
    load: Integers,
    user: Integers,
    iteration: Integers,
    /// Outcome kinds.
    outcome: Vec<u32>,
    status: OptionalIntegers,
    bytes_out: Integers,
    bytes_in: Integers,
    request: Integers,
    connection: OptionalIntegers,
    rare: Rare,
    /// Checksum of the last segment that was written; the next one contains it.
    last: Checksum,
}

/// Columns that are empty in most runs.
#[derive(Debug, Default)]
struct Rare {
    limit: OptionalIntegers,
    remaining: OptionalIntegers,
    retry_after: OptionalIntegers,
    retry_of: OptionalIntegers,
    reset: OptionalIndices,
    failed_check: OptionalIndices,
    policy: OptionalIndices,
    state: OptionalIndices,
    unread: OptionalIndices,
    canary: OptionalIndices,
    /// Texts of the columns above, and the bit patterns of `reset`.
    texts: Numbered<Box<str>>,
    resets: Numbered<Bits>,
}

/// A floating-point number as its bit pattern, which is hashable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Bits(u64);

impl From<&Self> for Bits {
    fn from(bits: &Self) -> Self {
        *bits
    }
}

impl Growing {
    /// The first segment of a run, which contains the run's identity.
    pub fn of_run(identity: Checksum) -> Self {
        Self { last: identity, ..Self::default() }
    }

    /// Number of samples.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds the samples of a batch, column by column, while the batch is in the cache.
    pub fn add(&mut self, batch: &Batch) {
        let rows = || batch.rows.iter();
        self.intended.extend(rows().map(|row| row.intended));
        self.sent.extend(rows().map(|row| row.sent));
        rows().for_each(|row| self.first_byte.push(row.first_byte()));
        self.done.extend(rows().map(|row| row.done));
        self.tenant.extend(rows().map(|row| row.tenant));
        self.step.extend(rows().map(|row| u32::from(row.step)));
        self.replica.extend(rows().map(|row| u32::from(row.replica)));
        self.load.extend(rows().map(|row| row.load.into()));
        self.user.extend(rows().map(|row| row.user.into()));
        self.iteration.extend(rows().map(|row| row.iteration as i64));
        self.outcome.extend(rows().map(|row| row.outcome.kind()));
        rows().for_each(|row| self.status.push(status(row.outcome)));
        self.bytes_out.extend(rows().map(|row| row.bytes_out.into()));
        self.bytes_in.extend(rows().map(|row| row.bytes_in as i64));
        self.request.extend(rows().map(|row| row.request as i64));
        rows().for_each(|row| self.connection.push((row.connection > 0).then_some(row.connection.into())));
        if batch.extras.is_empty() {
            self.rare.add_nothing(batch.len() as u64);
        } else {
            self.rare.add(batch);
        }
        self.rows += batch.len() as u64;
    }

    /// Writes the segment with its checksum and that of the one before to `path`: first to a temporary file, then renamed, so that a segment is always
    /// complete. It survives any end of this process; for crashes of the machine see [`super::keep`].
    ///
    /// # Errors
    /// Any I/O error, most likely a full disk.
    pub fn write(&mut self, path: &Path, names: &Names<'_>) -> io::Result<()> {
        let mut bytes = self.encoded(names).map_err(io::Error::other)?;
        self.last = seal::seal(&mut bytes)?;
        let partial = path.with_extension("parquet.part");
        fs::File::create(&partial)?.write_all(&bytes)?;
        fs::rename(&partial, path)
    }

    /// Checksum of the last segment that was written; before the first, the run's identity.
    pub fn last(&self) -> Checksum {
        self.last
    }

    /// The contents of the file, but its checksum.
    fn encoded(&mut self, names: &Names<'_>) -> Result<Vec<u8>, ParquetError> {
        static TYPE: LazyLock<Result<TypePtr, String>> =
            LazyLock::new(|| parse_message_type(SCHEMA).map(Arc::new).map_err(|error| error.to_string()));
        let schema = TYPE.as_ref().map_err(|error| ParquetError::General(error.clone()))?;
        let properties = WriterProperties::builder()
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_key_value_metadata(Some(seal::metadata(self.last)))
            .set_created_by(concat!("saasbench ", env!("CARGO_PKG_VERSION")).to_owned());
        let mut file =
            SerializedFileWriter::new(Vec::new(), Arc::clone(schema), Arc::new(properties.build()))?;
        let descriptor = Arc::clone(&Arc::new(file.schema_descr().clone()));
        let mut group = file.next_row_group()?;
        let mut chunk = Chunk { group: &mut group, schema: descriptor, rows: self.rows, column: 0 };
        self.write_columns(&mut chunk, names)?;
        group.close()?;
        self.clear();
        file.into_inner()
    }

    /// Writes every column, in the order of [`SCHEMA`].
    fn write_columns(&mut self, chunk: &mut Chunk<'_, '_>, names: &Names<'_>) -> Result<(), ParquetError> {
        let steps = names.scenario.steps.len();
        let step = |index: usize| names.scenario.steps.get(index);
        let journey = |index: usize| step(index).and_then(|step| names.scenario.journeys.get(step.journey));
        let words = RequestOutcome::KINDS.map(RequestOutcome::to_words);
        let rare = &mut self.rare;

        chunk.integers(&mut self.intended)?;
        chunk.integers(&mut self.sent)?;
        chunk.optional_integers(&mut self.first_byte)?;
        chunk.integers(&mut self.done)?;
        chunk.names(&self.tenant, names.scenario.tenants.len(), |index| names.tenant(index))?;
        chunk.names(&self.step, steps, |index| journey(index).map_or("", |journey| &journey.name))?;
        chunk.names(&self.step, steps, |index| step(index).map_or("", |step| &step.name))?;
        chunk.names(&self.step, steps, |index| step(index).map_or("", |step| &step.route))?;
        chunk.names(&self.replica, names.replicas.len(), |index| {
            names.replicas.get(index).map_or("", String::as_str)
        })?;
        chunk.integers(&mut self.load)?;
        chunk.integers(&mut self.user)?;
        chunk.integers(&mut self.iteration)?;
        chunk.names(&self.outcome, words.len(), |index| words.get(index).map_or("", |words| words.0))?;
        chunk.optional_integers(&mut self.status)?;
        chunk.some_names(&self.outcome, &words.map(|(_, _, cause)| cause))?;
        let texts = &rare.texts.values;
        let plain = |index: usize| texts.get(index).map(|of| text(of));
        chunk.optional_values(&mut rare.failed_check, texts.len(), plain)?;
        chunk.integers(&mut self.bytes_out)?;
        chunk.integers(&mut self.bytes_in)?;
        chunk.optional_integers(&mut rare.limit)?;
        chunk.optional_integers(&mut rare.remaining)?;
        let resets = &rare.resets.values;
        let reset = |index: usize| resets.get(index).map(|bits| bits.0.to_le_bytes().to_vec());
        chunk.optional_values(&mut rare.reset, resets.len(), reset)?;
        chunk.optional_integers(&mut rare.retry_after)?;
        chunk.optional_integers(&mut rare.retry_of)?;
        chunk.integers(&mut self.request)?;
        chunk.optional_values(&mut rare.policy, texts.len(), plain)?;
        chunk.optional_values(&mut rare.state, texts.len(), plain)?;
        let tenant = |index: usize| Some(text(names.tenant(index)));
        chunk.optional_values(&mut rare.canary, names.scenario.tenants.len(), tenant)?;
        chunk.optional_values(&mut rare.unread, texts.len(), plain)?;
        chunk.optional_integers(&mut self.connection)
    }

    /// Resets what writing does not reset.
    fn clear(&mut self) {
        self.rows = 0;
        for indices in [&mut self.tenant, &mut self.step, &mut self.replica, &mut self.outcome] {
            indices.clear();
        }
        self.rare.texts.clear();
        self.rare.resets.clear();
    }
}

impl Rare {
    fn add_nothing(&mut self, rows: u64) {
        for column in [&mut self.limit, &mut self.remaining, &mut self.retry_after, &mut self.retry_of] {
            column.push_nothing(rows);
        }
        let texts = [&mut self.failed_check, &mut self.policy, &mut self.state, &mut self.unread];
        for column in texts.into_iter().chain([&mut self.reset, &mut self.canary]) {
            column.push_nothing(rows);
        }
    }

    fn add(&mut self, batch: &Batch) {
        let numbers: Vec<u32> =
            (0..batch.texts.len()).map(|number| self.texts.number(batch.texts.get(number as u32))).collect();
        let known = |number: u32| numbers.get(number as usize).copied();
        let extras = || {
            let of = |row: &Row| if row.extra == NONE { None } else { batch.extras.get(row.extra as usize) };
            batch.rows.iter().map(move |row| of(row).unwrap_or(&Extra::NOTHING))
        };
        let integer = |number: Option<u64>| number.map(|number| number as i64);
        extras().for_each(|extra| self.limit.push(integer(extra.limit())));
        extras().for_each(|extra| self.remaining.push(integer(extra.remaining())));
        extras().for_each(|extra| self.retry_after.push(integer(extra.retry_after())));
        extras().for_each(|extra| self.retry_of.push(integer(extra.retry_of())));
        extras().for_each(|extra| {
            self.reset.push(extra.reset().map(|at| self.resets.number(&Bits(at.to_bits()))));
        });
        extras().for_each(|extra| self.failed_check.push(known(extra.failed_check)));
        extras().for_each(|extra| self.policy.push(known(extra.policy)));
        extras().for_each(|extra| self.state.push(known(extra.state)));
        extras().for_each(|extra| self.unread.push(known(extra.unread)));
        extras().for_each(|extra| self.canary.push(extra.canary()));
    }
}

fn status(outcome: RequestOutcome) -> Option<i64> {
    match outcome {
        RequestOutcome::Status(status) => Some(status.into()),
        _ => None,
    }
}
