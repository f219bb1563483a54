//! Samples in Parquet: one segment is one file with one row group, written whole and renamed into place.
//!
//! Names (tenant, step, replica …) are written as text, dictionary-encoded, so that the files explain themselves in
//! pandas or DuckDB; [`Names`] maps them back to indices.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    basic::{Compression, Repetition, Type as Physical},
    column::reader::ColumnReader,
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        reader::{FileReader, RowGroupReader},
        serialized_reader::SerializedFileReader,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};

use super::{
    manifest::Recorded,
    sample::{LimiterHeaders, Outcome, Sample},
};
use crate::{scenario::Scenario, units::Nanos};

const SCHEMA: &str = "message sample {
    required int64 intended_ns;
    required int64 sent_ns;
    optional int64 first_byte_ns;
    required int64 done_ns;
    required binary tenant (string);
    required binary journey (string);
    required binary step (string);
    required binary route (string);
    required binary replica (string);
    required int64 load;
    required int64 user;
    required int64 iteration;
    required binary outcome (string);
    optional int64 status;
    optional binary cause (string);
    optional binary failed_check (string);
    required int64 bytes_out;
    required int64 bytes_in;
    optional int64 limit;
    optional int64 remaining;
    optional double reset_s;
    optional int64 retry_after_s;
    optional int64 retry_of;
    required int64 request;
    optional binary ratelimit_policy (string);
    optional binary ratelimit (string);
    optional binary canary (string);
}";

/// Why a segment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Segments are gone.
    #[error("{path}: {found} samples in {segments} segments, {} samples in {} were recorded: a part is gone", .recorded.samples, .recorded.segments)]
    Incomplete {
        /// The directory.
        path: PathBuf,
        /// Samples that are there.
        found: u64,
        /// Segments that are there.
        segments: u64,
        /// What was recorded.
        recorded: Recorded,
    },
    /// Not a segment of ours, or a damaged one.
    #[error("{path}: not a readable segment: {message}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// The names behind the indices of samples.
#[derive(Debug)]
pub struct Names<'a> {
    scenario: &'a Scenario,
    replicas: &'a [String],
    tenant_index: HashMap<&'a str, usize>,
    step_index: HashMap<(&'a str, &'a str), usize>,
    replica_index: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    /// The names of a run: tenants and steps from the scenario, replicas from the environment.
    pub fn new(scenario: &'a Scenario, replicas: &'a [String]) -> Self {
        let journey_of = |journey: usize| scenario.journeys.get(journey).map_or("", |j| j.name.as_str());
        Self {
            scenario,
            replicas,
            tenant_index: scenario.tenants.iter().enumerate().map(|(i, t)| (t.as_str(), i)).collect(),
            step_index: scenario
                .steps
                .iter()
                .enumerate()
                .map(|(i, step)| ((journey_of(step.journey), step.name.as_str()), i))
                .collect(),
            replica_index: replicas.iter().enumerate().map(|(i, r)| (r.as_str(), i)).collect(),
        }
    }

    fn tenant(&self, index: usize) -> &str {
        self.scenario.tenants.get(index).map_or("", |tenant| tenant.as_str())
    }
}

/// Writes `samples` as the segment `path`: first beside it, then renamed, so that a segment exists whole or not at all.
///
/// # Errors
/// The file system's, a full disk above all.
pub fn write(path: &Path, samples: &[Sample], names: &Names<'_>) -> io::Result<()> {
    let partial = path.with_extension("parquet.part");
    write_file(&partial, samples, names).map_err(into_io)?.sync_data()?;
    std::fs::rename(&partial, path)
}

/// Parquet wraps the file system's errors; a full disk must still be told as one.
fn into_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(io) => *io,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

fn write_file(path: &Path, samples: &[Sample], names: &Names<'_>) -> Result<File, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
    let mut file = SerializedFileWriter::new(File::create(path)?, schema, properties)?;
    write_columns(file.next_row_group()?, samples, names)?;
    file.into_inner()
}

/// Writes every column, in the order of [`SCHEMA`].
fn write_columns(
    group: SerializedRowGroupWriter<'_, File>,
    samples: &[Sample],
    names: &Names<'_>,
) -> Result<(), ParquetError> {
    let mut columns = Columns { group, samples };
    let step = |s: &Sample| names.scenario.steps.get(s.step);
    let journey = |s: &Sample| step(s).and_then(|step| names.scenario.journeys.get(step.journey));

    columns.integers(|s| s.intended.0)?;
    columns.integers(|s| s.sent.0)?;
    columns.optional_integers(|s| s.first_byte.map(|at| at.0))?;
    columns.integers(|s| s.done.0)?;
    columns.texts(|s| names.tenant(s.tenant))?;
    columns.texts(|s| journey(s).map_or("", |j| j.name.as_str()))?;
    columns.texts(|s| step(s).map_or("", |step| step.name.as_str()))?;
    columns.texts(|s| step(s).map_or("", |step| step.route.as_str()))?;
    columns.texts(|s| names.replicas.get(s.replica).map_or("", String::as_str))?;
    columns.integers(|s| s.load as i64)?;
    columns.integers(|s| s.user as i64)?;
    columns.integers(|s| s.iteration as i64)?;
    columns.texts(|s| s.outcome.to_words().0)?;
    columns.optional_integers(|s| s.outcome.to_words().1.map(i64::from))?;
    columns.optional_texts(|s| s.outcome.to_words().2)?;
    columns.optional_texts(|s| s.failed_check.as_deref())?;
    columns.integers(|s| s.bytes_out as i64)?;
    columns.integers(|s| s.bytes_in as i64)?;
    columns.optional_integers(|s| s.limiter.limit.map(|n| n as i64))?;
    columns.optional_integers(|s| s.limiter.remaining.map(|n| n as i64))?;
    columns.optional::<DoubleType>(|s| s.limiter.reset)?;
    columns.optional_integers(|s| s.limiter.retry_after.map(|n| n as i64))?;
    columns.optional_integers(|s| s.retry_of.map(|n| n as i64))?;
    columns.integers(|s| s.request as i64)?;
    columns.optional_texts(|s| s.limiter.policy.as_deref())?;
    columns.optional_texts(|s| s.limiter.state.as_deref())?;
    columns.optional_texts(|s| s.canary.map(|tenant| names.tenant(tenant)))?;

    columns.group.close()?;
    Ok(())
}

/// Writes one column after the other, in the order of [`SCHEMA`].
struct Columns<'g, 's> {
    group: SerializedRowGroupWriter<'g, File>,
    samples: &'s [Sample],
}

impl<'s> Columns<'_, 's> {
    fn integers(&mut self, of: impl Fn(&Sample) -> i64) -> Result<(), ParquetError> {
        self.required::<Int64Type>(of)
    }

    fn optional_integers(&mut self, of: impl Fn(&Sample) -> Option<i64>) -> Result<(), ParquetError> {
        self.optional::<Int64Type>(of)
    }

    fn texts<'t>(&mut self, of: impl Fn(&Sample) -> &'t str) -> Result<(), ParquetError> {
        self.required::<ByteArrayType>(|s| ByteArray::from(of(s)))
    }

    fn optional_texts(&mut self, of: impl Fn(&'s Sample) -> Option<&'s str>) -> Result<(), ParquetError> {
        let samples = self.samples;
        let values: Vec<Option<ByteArray>> = samples.iter().map(|s| of(s).map(ByteArray::from)).collect();
        self.write::<ByteArrayType>(values)
    }

    fn required<T: DataType>(&mut self, of: impl Fn(&Sample) -> T::T) -> Result<(), ParquetError> {
        let values: Vec<T::T> = self.samples.iter().map(of).collect();
        let mut column = self.next()?;
        column.typed::<T>().write_batch(&values, None, None)?;
        column.close()
    }

    fn optional<T: DataType>(&mut self, of: impl Fn(&Sample) -> Option<T::T>) -> Result<(), ParquetError> {
        let values = self.samples.iter().map(of).collect();
        self.write::<T>(values)
    }

    fn write<T: DataType>(&mut self, values: Vec<Option<T::T>>) -> Result<(), ParquetError> {
        let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
        let values: Vec<T::T> = values.into_iter().flatten().collect();
        let mut column = self.next()?;
        column.typed::<T>().write_batch(&values, Some(&levels), None)?;
        column.close()
    }

    fn next(&mut self) -> Result<parquet::file::writer::SerializedColumnWriter<'_>, ParquetError> {
        self.group
            .next_column()?
            .ok_or_else(|| ParquetError::General("more columns than the schema has".into()))
    }
}

/// Reads a segment back.
///
/// # Errors
/// When it cannot be opened, is no segment of ours, or names a tenant, step or replica that `names` does not know.
pub fn read(path: &Path, names: &Names<'_>) -> Result<Vec<Sample>, SegmentError> {
    let damaged = |message: String| SegmentError::Damaged { path: path.to_owned(), message };
    let file = File::open(path).map_err(|source| SegmentError::Io { path: path.to_owned(), source })?;
    let reader = SerializedFileReader::new(file).map_err(|error| damaged(error.to_string()))?;
    let mut samples = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(|error| damaged(error.to_string()))?;
        read_group(group.as_ref(), names, &mut samples).map_err(damaged)?;
    }
    Ok(samples)
}

fn read_group(
    group: &dyn RowGroupReader,
    names: &Names<'_>,
    samples: &mut Vec<Sample>,
) -> Result<(), String> {
    let rows = Rows { group, count: group.metadata().num_rows() as usize };
    let intended = rows.integers("intended_ns")?;
    let sent = rows.integers("sent_ns")?;
    let first_byte = rows.optional_integers("first_byte_ns")?;
    let done = rows.integers("done_ns")?;
    let tenant = rows.texts("tenant")?;
    let journey = rows.texts("journey")?;
    let step = rows.texts("step")?;
    let replica = rows.texts("replica")?;
    let load = rows.integers("load")?;
    let user = rows.integers("user")?;
    let iteration = rows.integers("iteration")?;
    let outcome = rows.texts("outcome")?;
    let status = rows.optional_integers("status")?;
    let cause = rows.optional_texts("cause")?;
    let failed_check = rows.optional_texts("failed_check")?;
    let bytes_out = rows.integers("bytes_out")?;
    let bytes_in = rows.integers("bytes_in")?;
    let limit = rows.optional_integers("limit")?;
    let remaining = rows.optional_integers("remaining")?;
    let reset = rows.column::<DoubleType>("reset_s")?;
    let retry_after = rows.optional_integers("retry_after_s")?;
    let retry_of = rows.optional_integers("retry_of")?;
    // Later than the first columns of this format: a record may lack them.
    let request = rows.where_there("request", Rows::optional_integers)?;
    let policy = rows.where_there("ratelimit_policy", Rows::optional_texts)?;
    let state = rows.where_there("ratelimit", Rows::optional_texts)?;
    let canary = rows.where_there("canary", Rows::optional_texts)?;

    let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
    for i in 0..rows.count {
        let known = |found: Option<&usize>, what: &str, name: &str| {
            found.copied().ok_or_else(|| format!("row {i}: {what} `{name}` is not in the manifest"))
        };
        let words = (outcome[i].as_str(), status[i].and_then(|s| u16::try_from(s).ok()), cause[i].as_deref());
        samples.push(Sample {
            intended: Nanos(intended[i]),
            sent: Nanos(sent[i]),
            first_byte: first_byte[i].map(Nanos),
            done: Nanos(done[i]),
            tenant: known(names.tenant_index.get(tenant[i].as_str()), "tenant", &tenant[i])?,
            step: known(names.step_index.get(&(journey[i].as_str(), step[i].as_str())), "step", &step[i])?,
            load: load[i] as usize,
            user: unsigned(user[i]),
            iteration: unsigned(iteration[i]),
            replica: known(names.replica_index.get(replica[i].as_str()), "replica", &replica[i])?,
            outcome: Outcome::from_words(words.0, words.1, words.2)
                .ok_or_else(|| format!("row {i}: no outcome reads {words:?}"))?,
            bytes_out: unsigned(bytes_out[i]),
            bytes_in: unsigned(bytes_in[i]),
            failed_check: failed_check[i].clone(),
            limiter: LimiterHeaders {
                limit: limit[i].map(unsigned),
                remaining: remaining[i].map(unsigned),
                reset: reset[i],
                retry_after: retry_after[i].map(unsigned),
                policy: policy[i].as_deref().map(Arc::from),
                state: state[i].as_deref().map(Arc::from),
            },
            request: request[i].map_or(0, unsigned),
            retry_of: retry_of[i].map(unsigned),
            canary: canary[i]
                .as_deref()
                .map(|id| known(names.tenant_index.get(id), "tenant", id))
                .transpose()?,
        });
    }
    Ok(())
}

/// Reads whole columns by name, so that a segment with more columns (a later version's) is still readable.
struct Rows<'a> {
    group: &'a dyn RowGroupReader,
    count: usize,
}

impl Rows<'_> {
    fn integers(&self, name: &str) -> Result<Vec<i64>, String> {
        required(name, self.column::<Int64Type>(name)?)
    }

    fn optional_integers(&self, name: &str) -> Result<Vec<Option<i64>>, String> {
        self.column::<Int64Type>(name)
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        required(name, self.optional_texts(name)?)
    }

    fn optional_texts(&self, name: &str) -> Result<Vec<Option<String>>, String> {
        self.column::<ByteArrayType>(name)?
            .into_iter()
            .map(|value| match value {
                Some(bytes) => bytes.as_utf8().map(|text| Some(text.to_owned())).map_err(|e| e.to_string()),
                None => Ok(None),
            })
            .collect()
    }

    /// Reads a column that older segments lack: there it is null.
    fn where_there<T: Clone>(
        &self,
        name: &str,
        read: impl Fn(&Self, &str) -> Result<Vec<Option<T>>, String>,
    ) -> Result<Vec<Option<T>>, String> {
        let columns = self.group.metadata().schema_descr().columns();
        if columns.iter().any(|column| column.name() == name) {
            read(self, name)
        } else {
            Ok(vec![None; self.count])
        }
    }

    fn column<T: DataType>(&self, name: &str) -> Result<Vec<Option<T::T>>, String> {
        let schema = self.group.metadata().schema_descr();
        let index = schema
            .columns()
            .iter()
            .position(|column| column.name() == name)
            .ok_or_else(|| format!("no column `{name}`"))?;
        let descriptor = schema.column(index);
        if descriptor.physical_type() != T::get_physical_type() {
            return Err(format!(
                "column `{name}` is {}, not {}",
                descriptor.physical_type(),
                physical::<T>()
            ));
        }
        let optional = descriptor.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
        let reader: ColumnReader =
            self.group.get_column_reader(index).map_err(|error| format!("column `{name}`: {error}"))?;
        let mut reader =
            T::get_column_reader(reader).ok_or_else(|| format!("column `{name}`: wrong type"))?;
        let (mut values, mut levels) = (Vec::with_capacity(self.count), Vec::new());
        let mut read = 0;
        while read < self.count {
            let levels = optional.then_some(&mut levels);
            let (records, ..) = reader
                .read_records(self.count - read, levels, None, &mut values)
                .map_err(|error| format!("column `{name}`: {error}"))?;
            if records == 0 {
                return Err(format!("column `{name}` ends after {read} of {} rows", self.count));
            }
            read += records;
        }
        if !optional {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        Ok(levels.iter().map(|&level| if level == 1 { values.next() } else { None }).collect())
    }
}

fn physical<T: DataType>() -> Physical {
    T::get_physical_type()
}

fn required<T>(name: &str, values: Vec<Option<T>>) -> Result<Vec<T>, String> {
    values.into_iter().collect::<Option<Vec<T>>>().ok_or_else(|| format!("column `{name}` has a null"))
}

#[cfg(test)]
mod tests;
