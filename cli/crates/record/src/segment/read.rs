//! Reads a segment column by column, resolving each name once per segment instead of once per row.
//!
//! Integers are decoded by the library. For texts the library only provides the pages, because it would
//! return the text of every row separately; their indices are decoded here.

mod pages;
mod plausible;

use bytes::Bytes;
use parquet::{
    basic::{Repetition, Type as Physical},
    data_type::{DataType, DoubleType, Int64Type},
    file::{
        reader::{FileReader, RowGroupReader},
        serialized_reader::SerializedFileReader,
    },
};

use self::{
    pages::TextPages,
    plausible::{number, possible},
};
use super::Names;
use crate::{
    batch::{Batch, Extra, NO_INSTANT, NO_NUMBER, NONE, Row},
    sample::RequestOutcome,
};

/// Decodes a segment, whether or not it is as it was written. A changed one can end in a panic of the library.
///
/// # Errors
/// When it is not a segment, or contains a tenant, step or replica that `names` does not have, or impossible
/// times, users or loads.
pub(crate) fn decode(bytes: Vec<u8>, names: &Names<'_>) -> Result<Batch, String> {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).map_err(|error| error.to_string())?;
    let mut batch = Batch::default();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(|error| error.to_string())?;
        read_group(group.as_ref(), names, &mut batch)?;
    }
    Ok(batch)
}

fn read_group(group: &dyn RowGroupReader, names: &Names<'_>, batch: &mut Batch) -> Result<(), String> {
    let columns = Columns { group, count: plausible::rows(group.metadata().num_rows())? };
    let mut intended = columns.integers("intended_ns")?;
    let mut sent = columns.integers("sent_ns")?;
    let mut first_byte = columns.optional::<Int64Type>("first_byte_ns")?;
    let mut done = columns.integers("done_ns")?;
    let tenant = columns.texts("tenant")?.required()?.known(|name| names.tenant_index.get(name).copied());
    let step = columns.steps(names)?;
    let replica = columns.texts("replica")?.required()?.known(|name| names.replica_index.get(name).copied());
    let mut load = columns.integers("load")?;
    let mut user = columns.integers("user")?;
    let mut iteration = columns.integers("iteration")?;
    let mut outcome = columns.outcomes()?;
    let mut bytes_out = columns.integers("bytes_out")?;
    let mut bytes_in = columns.integers("bytes_in")?;
    // Added after the first version of this format: a record may lack it.
    let mut request = columns.where_there("request", Columns::optional::<Int64Type>)?;
    let mut connection = columns.where_there("connection", Columns::optional::<Int64Type>)?;
    let mut extras = Extras::read(&columns, names, batch)?;

    let loads = u16::try_from(names.scenario.loads.len()).unwrap_or(u16::MAX);
    batch.rows.reserve(columns.count);
    for row in 0..columns.count {
        let extra = match extras.next(row)? {
            Some(extra) => {
                batch.extras.push(extra);
                batch.extras.len() as u32 - 1
            }
            None => NONE,
        };
        let read = Row {
            intended: intended.next()?,
            sent: sent.next()?,
            first_byte: first_byte.next(row).unwrap_or(NO_INSTANT),
            done: done.next()?,
            iteration: iteration.number(row)?,
            request: number("request", row, request.next(row).unwrap_or(0))?,
            bytes_in: bytes_in.number(row)?,
            user: user.number(row)?,
            tenant: tenant.get(row, "tenant")?,
            bytes_out: bytes_out.number(row)?,
            extra,
            connection: number("connection", row, connection.next(row).unwrap_or(0))?,
            step: step.get(row, "step")? as u16,
            load: load.number(row)?,
            replica: replica.get(row, "replica")? as u16,
            outcome: outcome.next(row)?,
        };
        possible(&read, loads).map_err(|why| format!("row {row}: {why}"))?;
        batch.rows.push(read);
    }
    Ok(())
}

/// The columns that are null in most rows.
struct Extras {
    numbers: [Optional<i64>; 4],
    reset: Optional<f64>,
    canary: Indices,
    /// By kind: for every row the index of its text in the batch.
    texts: [Texts; 4],
    is_any: bool,
}

impl Extras {
    fn read(columns: &Columns<'_>, names: &Names<'_>, batch: &mut Batch) -> Result<Self, String> {
        let numbers = [
            columns.optional::<Int64Type>("limit")?,
            columns.optional::<Int64Type>("remaining")?,
            columns.optional::<Int64Type>("retry_after_s")?,
            columns.optional::<Int64Type>("retry_of")?,
        ];
        let reset = columns.optional::<DoubleType>("reset_s")?;
        let mut texts = [
            columns.texts("failed_check")?,
            columns.where_there("ratelimit_policy", Columns::texts)?,
            columns.where_there("ratelimit", Columns::texts)?,
            columns.where_there("ratelimit_unread", Columns::texts)?,
        ];
        let canary = columns.where_there("canary", Columns::texts)?;
        let is_any = numbers.iter().any(|column| !column.is_empty())
            || !reset.is_empty()
            || texts.iter().chain([&canary]).any(|column| !column.values.is_empty());
        for column in &mut texts {
            let numbers: Vec<u32> = column.values.iter().map(|text| batch.texts.add(text)).collect();
            for id in column.ids.iter_mut().filter(|id| **id != NONE) {
                *id = numbers.get(*id as usize).copied().unwrap_or(NONE);
            }
        }
        let canary = canary.known(|name| names.tenant_index.get(name).copied());
        Ok(Self { numbers, reset, canary, texts, is_any })
    }

    fn next(&mut self, row: usize) -> Result<Option<Extra>, String> {
        if !self.is_any {
            return Ok(None);
        }
        let [limit, remaining, retry_after, retry_of] = self
            .numbers
            .each_mut()
            .map(|column| column.next(row).map_or(NO_NUMBER, |number| u64::try_from(number).unwrap_or(0)));
        let reset = self.reset.next(row).unwrap_or(f64::NAN);
        let [failed_check, policy, state, unread] = self.texts.each_ref().map(|column| column.id(row));
        let canary = if self.canary.ids.is_null(row) { NONE } else { self.canary.get(row, "tenant")? };
        let extra = Extra {
            limit,
            remaining,
            retry_after,
            retry_of,
            reset,
            canary,
            failed_check,
            policy,
            state,
            unread,
        };
        Ok(extra.is_any().then_some(extra))
    }
}

/// Integers of every row, in order.
struct Integers {
    name: &'static str,
    values: std::vec::IntoIter<i64>,
}

impl Integers {
    #[inline]
    fn next(&mut self) -> Result<i64, String> {
        self.values.next().ok_or_else(|| format!("column `{}` has a null", self.name))
    }

    /// The next number, that of `row`, which must fit its type.
    #[inline]
    fn number<T: TryFrom<i64>>(&mut self, row: usize) -> Result<T, String> {
        number(self.name, row, self.next()?)
    }
}

/// Values of some rows.
struct Optional<T> {
    /// For each row whether it has a value: 1 or 0. Empty if all have one.
    levels: Vec<i16>,
    /// Whether no row has a value.
    absent: bool,
    values: std::vec::IntoIter<T>,
}

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self { levels: Vec::new(), absent: true, values: Vec::new().into_iter() }
    }
}

impl<T> Optional<T> {
    fn is_empty(&self) -> bool {
        self.absent
    }

    /// The value of `row`; rows must be requested in order.
    #[inline]
    fn next(&mut self, row: usize) -> Option<T> {
        if self.absent || self.levels.get(row).is_some_and(|level| *level == 0) {
            return None;
        }
        self.values.next()
    }
}

/// Distinct texts, and for each row the index of its text; without indices, every row is null.
#[derive(Default)]
struct Texts {
    name: &'static str,
    values: Vec<String>,
    ids: Vec<u32>,
}

impl Texts {
    /// The index of a row's text, or [`NONE`].
    #[inline]
    fn id(&self, row: usize) -> u32 {
        self.ids.get(row).copied().unwrap_or(NONE)
    }

    fn is_null(&self, row: usize) -> bool {
        self.id(row) == NONE
    }

    fn required(self) -> Result<Self, String> {
        if self.ids.contains(&NONE) { Err(format!("column `{}` has a null", self.name)) } else { Ok(self) }
    }

    /// Maps texts to indices.
    fn known(self, find: impl Fn(&str) -> Option<usize>) -> Indices {
        let indices = self.values.iter().map(|text| find(text).map_or(NONE, |index| index as u32)).collect();
        Indices { ids: self, indices }
    }
}

/// Texts that were mapped to indices.
struct Indices {
    ids: Texts,
    /// By index of the text; [`NONE`] if it is unknown.
    indices: Vec<u32>,
}

impl Indices {
    #[inline]
    fn get(&self, row: usize, what: &str) -> Result<u32, String> {
        let id = self.ids.id(row) as usize;
        match self.indices.get(id) {
            Some(&index) if index != NONE => Ok(index),
            _ => {
                let name = self.ids.values.get(id).map_or("", String::as_str);
                Err(format!("row {row}: {what} `{name}` is not in the manifest"))
            }
        }
    }
}

/// The outcome of every row's request.
struct Outcomes {
    kinds: Texts,
    causes: Texts,
    status: Optional<i64>,
    /// By indices of kind and cause; the status of a response is filled in later.
    known: Vec<Option<RequestOutcome>>,
}

impl Outcomes {
    #[inline]
    fn next(&mut self, row: usize) -> Result<RequestOutcome, String> {
        let status = self.status.next(row).and_then(|status| u16::try_from(status).ok());
        let (kind, cause) = (self.kinds.id(row) as usize, self.causes.id(row));
        // The last entry is for rows without a cause.
        let causes = self.causes.values.len();
        let cause = if cause == NONE { causes } else { cause as usize };
        match (self.known.get(kind * (causes + 1) + cause).copied().flatten(), status) {
            (Some(RequestOutcome::Status(_)), Some(status)) => Ok(RequestOutcome::Status(status)),
            (Some(outcome), _) if !matches!(outcome, RequestOutcome::Status(_)) => Ok(outcome),
            _ => {
                let kind = self.kinds.values.get(kind).map_or("", String::as_str);
                let words = (kind, status, self.causes.values.get(cause));
                Err(format!("row {row}: no outcome reads {words:?}"))
            }
        }
    }
}

/// Reads whole columns by name, so that a segment with additional columns (of a later version) is still
/// readable.
struct Columns<'a> {
    group: &'a dyn RowGroupReader,
    count: usize,
}

impl Columns<'_> {
    fn position(&self, name: &str) -> Result<usize, String> {
        let columns = self.group.metadata().schema_descr().columns();
        columns.iter().position(|column| column.name() == name).ok_or_else(|| format!("no column `{name}`"))
    }

    /// Reads a column that older segments lack: there it is null.
    fn where_there<T: Default>(
        &self,
        name: &'static str,
        read: impl Fn(&Self, &'static str) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.position(name).is_ok() { read(self, name) } else { Ok(T::default()) }
    }

    /// The position of a column, which must have this type, and whether it is nullable.
    fn typed(&self, name: &str, wanted: Physical) -> Result<(usize, bool), String> {
        let index = self.position(name)?;
        let descriptor = self.group.metadata().schema_descr().column(index);
        let found = descriptor.physical_type();
        if found != wanted {
            return Err(format!("column `{name}` is {found}, not {wanted}"));
        }
        Ok((index, descriptor.self_type().get_basic_info().repetition() == Repetition::OPTIONAL))
    }

    fn integers(&self, name: &'static str) -> Result<Integers, String> {
        let column = self.optional::<Int64Type>(name)?;
        if column.levels.contains(&0) {
            return Err(format!("column `{name}` has a null"));
        }
        Ok(Integers { name, values: column.values })
    }

    fn optional<T: DataType>(&self, name: &'static str) -> Result<Optional<T::T>, String> {
        let (index, optional) = self.typed(name, T::get_physical_type())?;
        let broken = |error: &dyn std::fmt::Display| format!("column `{name}`: {error}");
        let reader = self.group.get_column_reader(index).map_err(|error| broken(&error))?;
        let mut reader = T::get_column_reader(reader).ok_or_else(|| broken(&"wrong type"))?;
        let (mut values, mut levels) = (Vec::with_capacity(self.count), Vec::new());
        let mut read = 0;
        while read < self.count {
            let levels = optional.then_some(&mut levels);
            let (records, ..) = reader
                .read_records(self.count - read, levels, None, &mut values)
                .map_err(|error| broken(&error))?;
            if records == 0 {
                return Err(format!("column `{name}` ends after {read} of {} rows", self.count));
            }
            read += records;
        }
        Ok(Optional { levels, absent: values.is_empty(), values: values.into_iter() })
    }

    /// Steps are identified by journey and step.
    fn steps(&self, names: &Names<'_>) -> Result<Indices, String> {
        let (journeys, steps) = (self.texts("journey")?.required()?, self.texts("step")?.required()?);
        let width = steps.values.len();
        let mut indices = vec![NONE; journeys.values.len() * width];
        for (j, journey) in journeys.values.iter().enumerate() {
            for (s, step) in steps.values.iter().enumerate() {
                let found = names.step_index.get(&(journey.as_str(), step.as_str()));
                indices[j * width + s] = found.map_or(NONE, |index| *index as u32);
            }
        }
        let pairs = journeys.ids.iter().zip(&steps.ids).map(|(journey, step)| journey * width as u32 + step);
        let values = journeys.values.iter().flat_map(|_| steps.values.iter().cloned()).collect();
        Ok(Indices { ids: Texts { name: "step", ids: pairs.collect(), values }, indices })
    }

    fn outcomes(&self) -> Result<Outcomes, String> {
        let (kinds, causes) = (self.texts("outcome")?.required()?, self.texts("cause")?);
        let mut known = Vec::new();
        for kind in &kinds.values {
            let causes = causes.values.iter().map(|cause| Some(cause.as_str())).chain([None]);
            known.extend(causes.map(|cause| RequestOutcome::from_words(kind, Some(0), cause)));
        }
        Ok(Outcomes { kinds, causes, status: self.optional::<Int64Type>("status")?, known })
    }

    fn texts(&self, name: &'static str) -> Result<Texts, String> {
        let (index, optional) = self.typed(name, Physical::BYTE_ARRAY)?;
        let broken = |error: &dyn std::fmt::Display| format!("column `{name}`: {error}");
        let mut pages = self.group.get_column_page_reader(index).map_err(|error| broken(&error))?;
        let mut column = TextPages { optional, ..TextPages::default() };
        while let Some(page) = pages.get_next_page().map_err(|error| broken(&error))? {
            column.add(&page).map_err(|error| broken(&error))?;
        }
        if column.ids.len() != self.count {
            return Err(format!("column `{name}` ends after {} of {} rows", column.ids.len(), self.count));
        }
        Ok(Texts { name, values: column.values, ids: column.ids })
    }
}
