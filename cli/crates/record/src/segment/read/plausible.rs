//! What no sample can be: read from a segment, it would lead to absurd verdicts.

use crate::{batch::Row, sample::RequestOutcome};

/// More rows than a segment is ever given.
const MOST_ROWS: i64 = 1 << 20;

/// The number of rows of a segment.
pub(super) fn rows(count: i64) -> Result<usize, String> {
    let is_plausible = (0..=MOST_ROWS).contains(&count);
    usize::try_from(count).ok().filter(|_| is_plausible).ok_or_else(|| format!("it cannot have {count} rows"))
}

/// The number in a column of a row, which must fit its type.
pub(super) fn number<T: TryFrom<i64>>(column: &str, row: usize, value: i64) -> Result<T, String> {
    T::try_from(value).map_err(|_| format!("row {row}: {column} {value} is impossible"))
}

/// No run lasts longer, in nanoseconds: about 36 years. Sums of a few instants within it fit 64 bits.
const LONGEST: i64 = 1 << 60;

/// Checks that a sample can have been recorded.
pub(super) fn possible(row: &Row, loads: u16) -> Result<(), String> {
    let Row { intended, sent, done, .. } = *row;
    let head = row.first_byte().unwrap_or(sent);
    let out_of_range = |at: &i64| !(-LONGEST..LONGEST).contains(at);
    if [intended, sent, head, done].iter().any(out_of_range) {
        return Err(format!("its times are impossible: {intended}, {sent}, {head}, {done}"));
    }
    if !(sent <= head && head <= done) {
        return Err(format!("it was sent at {sent}, its head came at {head}, and it ended at {done}"));
    }
    if row.load >= loads {
        return Err(format!("its load is {}, and there are {loads}", row.load));
    }
    if row.user == 0 && row.outcome != RequestOutcome::Dropped {
        return Err("only a dropped arrival has the user 0".to_owned());
    }
    Ok(())
}
